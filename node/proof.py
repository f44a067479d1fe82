"""The proof file of a retirement statement: everything that somebody without network or ledger needs to check it.

One canonical MessagePack array (`StatementProof`). Nothing in it is free: the facts, which name the chain by the hash
of its genesis, are what the retire transaction names, each transaction leads by its RFC 6962 path to the root in its
header, the header by its hash to a Finalization, and that is signed by q validators of the genesis, or of a later epoch
to which hops lead: each epoch's last block, final by its own validators, names the next ones. A changed byte breaks one
of them. Who checks it brings the genesis: it is what he trusts, and the same for every statement of a network. Read by
`cli/verify_statement.py` and, in a browser, by `node/pages/verify_statement.js`, which share no code with this file nor
with each other.
"""

from typing import Annotated

from msgspec import Meta

from consensus.light import Hop
from consensus.votes import Quorum
from contracts.statement import StatementFacts
from node.queries.chain import finalization_of, find_transaction, header_at, tip_height
from node.queries.statements import facts_of, statement_of
from state.block import Block, Header, header_hash
from state.codec import Wire, decode, encode
from state.epochs import last_height
from state.errors import Unknown
from state.keyspace import PARAMETERS_KEY, vote_keys_key
from state.merkle import merkle_path
from state.records import Parameters
from state.store import Store
from state.units import U16, U64, Hash, Key

VERSION = 2
MAX_DESCENDANTS = 1_024  # headers from a block to the next one with a Finalization of its own; most have one


class ProvenTransaction(Wire, frozen=True):
    """A signed transaction that is final.

    Bit i of `sides` says that sibling i of the path stands on the left. Index and count of the tree would be bytes that
    the root does not cover. `headers` run from the transaction's block to the first with its own Finalization.
    """

    transaction: bytes
    path: tuple[Hash, ...]
    sides: U64
    headers: Annotated[tuple[Header, ...], Meta(min_length=1, max_length=MAX_DESCENDANTS)]
    finalization: Quorum


class StatementProof(Wire, frozen=True, tag="statement_proof"):
    """`issues` are the transactions of `facts.bundles[*].issue_txid`, each once, in the order of first mention."""

    version: U16
    hops: tuple[Hop, ...]
    facts: StatementFacts
    retire: ProvenTransaction
    issues: tuple[ProvenTransaction, ...]


def build_proof(store: Store, identity: bytes) -> bytes:
    """The file for statement `identity`; Unknown for none, and while no Finalization above it is held."""
    statement = statement_of(store, identity)
    facts = facts_of(store, statement)
    issues = dict.fromkeys(bundle.issue_txid for bundle in facts.bundles)
    retire = prove(store, statement.txid)
    proof = StatementProof(
        version=VERSION,
        hops=hops_to(store, retire.headers[0].epoch),  # issues and their attestations are older
        facts=facts,
        retire=retire,
        issues=tuple(prove(store, txid) for txid in issues),
    )
    return encode(proof)


def hops_to(store: Store, epoch: int, first: int = 0) -> tuple[Hop, ...]:
    """What leads from the validators of epoch `first`, that of the genesis, to those of an epoch."""
    parameters = store.get(PARAMETERS_KEY)
    assert isinstance(parameters, Parameters)
    hops = []
    for ended in range(first, epoch):
        height = last_height(ended, parameters.epoch_length)
        assert height is not None, "a network of one epoch has no other"
        finalization, keys = finalization_of(store, height), store.get_raw(vote_keys_key(ended + 1))
        if finalization is None or keys is None:
            raise Unknown(what="end of epoch", id=ended)
        hops.append(Hop(header_at(store, height), finalization, decode(tuple[Key, ...], keys)))
    return tuple(hops)


def prove(store: Store, txid: bytes) -> ProvenTransaction:
    """A final transaction with its path and what makes its block final."""
    block, index, _ = find_transaction(store, txid)
    headers, finalization = _final(store, block)
    return ProvenTransaction(
        transaction=block.transactions[index],
        path=merkle_path(block.transactions, index),
        sides=path_sides(index, len(block.transactions)),
        headers=headers,
        finalization=finalization,
    )


def path_sides(index: int, count: int) -> int:
    """Bit i is set where sibling i of leaf `index` among `count` stands on the left."""
    sides = found = 0
    while count > 1:
        if index ^ 1 < count:  # an odd last node has no sibling and is carried upward
            sides |= (index & 1) << found
            found += 1
        index, count = index >> 1, (count + 1) >> 1
    return sides


def _final(store: Store, block: Block) -> tuple[tuple[Header, ...], Quorum]:
    headers = [block.header]
    while True:
        height = headers[-1].height
        finalization = finalization_of(store, height)
        if finalization is not None and finalization.block_hash == header_hash(headers[-1]):
            return tuple(headers), finalization
        if height == tip_height(store) or len(headers) == MAX_DESCENDANTS:
            raise Unknown(what="Finalization at or above height", id=block.header.height)
        headers.append(header_at(store, height + 1))
