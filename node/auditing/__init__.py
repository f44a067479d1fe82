"""Auditing: what a chain says, derived again from its blocks alone, by somebody who trusts no node.

    chain_file   a chain as one file, written and read as a stream
    links        each block follows the one before it and was made final by a quorum of the validators in office
    books        certificates, energy and money, added up independently of the rules that the nodes run
    replay       every transaction executed again under the rules, every state root compared, every movement booked
    stored       a node's own data against all that: state, indexes, and the readings behind each issue
    findings     what does not hold, by a stable name

Two accounts of the same chain are kept on purpose. The replay runs the rules of this version, so it finds whatever
breaks them; the books know no rule, only what must never change in sum, so they find a rule that is wrong.
"""
