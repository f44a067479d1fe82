"""Spending what is spent, what is another's, or what is of another network."""

from msgspec.structs import replace

from attacks.book import Attempt, attack
from attacks.field import Field
from contracts.transition import DecodedTx, decode_signed
from state.codec import encode
from state.transaction import Piece, PlaceBid, Transfer
from state.units import MICRO


def to(field: Field, sender: str, point: bytes, receiver: str, first: int, last: int) -> Transfer:
    return Transfer(field.id(sender), (point,), (Piece(field.id(receiver), first, last),), None)


@attack("double spend", "one bundle sent to two people through two nodes at the same moment")
def double_spend(field: Field, attempt: Attempt) -> None:
    transactions = [
        field.transaction(to(field, "mallory", field.mallorys, receiver, 9, 12), by=("mallory",))
        for receiver in ("trader", "mallory")
    ]
    answers = field.post_at_once(*transactions)
    ends = [field.settled(tx.txid) for tx, answer in zip(transactions, answers, strict=True) if answer == "accepted"]
    if ends.count("final") != 1:
        attempt.succeeded.append(f"{ends.count('final')} of two spends of one output became final")
    for index, answer in enumerate(answers):
        if answer != "accepted":
            attempt.expect(f"node {index}", answer, "conflict", "spent")
    for end in ends:
        if end != "final":
            attempt.expect("every node", end, "conflict", "spent")
    both = [tx for tx in transactions if field.settled(tx.txid) != "final"]
    for loser in both:
        attempt.expect("node 2", field.post(2, loser), "conflict", "spent")
    attempt.movers |= {field.id("mallory"), field.id("trader")}


@attack("replay of a final transaction", "the same bytes again through every node; the same action under a new salt")
def replay(field: Field, attempt: Attempt) -> None:
    for index in field.running:
        attempt.expect(f"node {index}", field.post(index, field.final), "duplicate")
    (action,) = field.final.body_actions
    attempt.expect("node 0", field.post(0, field.transaction(action, by=("plant",))), "spent")


@attack("another network's transaction", "signed for another chain id; the same with this chain's id put in")
def other_chain(field: Field, attempt: Attempt) -> None:
    action = to(field, "plant", field.kept, "mallory", 5, 8)
    foreign = field.transaction(action, by=("plant",), chain=bytes(32))
    attempt.expect("node 0", field.post(0, foreign), "wrong_chain")
    attempt.expect("node 1", field.post(1, relabelled(foreign, field.chain)), "bad_signature")


def relabelled(foreign: DecodedTx, chain: bytes) -> DecodedTx:
    transaction = foreign.transaction
    return decode_signed(encode(replace(transaction, body=replace(transaction.body, chain=chain))))


@attack(
    "stolen certificates", "mallory moves the plant's bundle: in its name, in her own, with its half of a signature"
)
def stolen(field: Field, attempt: Attempt) -> None:
    in_its_name = field.transaction(to(field, "plant", field.kept, "mallory", 5, 8), by=("mallory",))
    in_her_own = field.transaction(to(field, "mallory", field.kept, "mallory", 5, 8), by=("mallory",))
    forged = field.transaction(to(field, "plant", field.kept, "mallory", 5, 8), by=("plant",))
    forged = decode_signed(encode(replace(forged.transaction, signatures=in_her_own.transaction.signatures)))
    attempt.expect("node 0", field.post(0, in_its_name), "missing_signature")
    attempt.expect("node 1", field.post(1, in_her_own), "not_yours")
    attempt.expect("node 2", field.post(2, forged), "bad_signature")


@attack(
    "retired certificates", "the consumer moves what was retired: alone, within a larger range, beside something lawful"
)
def retired(field: Field, attempt: Attempt) -> None:
    again = field.transaction(to(field, "consumer", field.retired, "mallory", 13, 14), by=("consumer",))
    attempt.expect("node 0", field.post(0, again), "retired")
    stretched = to(field, "consumer", field.unretired, "mallory", 13, 16)
    refused = field.post(1, field.transaction(stretched, by=("consumer",)))
    attempt.expect("node 1", refused, "ranges_differ")
    twice = (
        to(field, "consumer", field.unretired, "mallory", 15, 16),
        to(field, "consumer", field.retired, "mallory", 13, 14),
    )
    attempt.expect("node 2", field.post(2, field.transaction(*twice, by=("consumer",))), "retired")


@attack(
    "conflicting bids",
    "the same money bid twice through two nodes at the same moment, and twice within one transaction",
)
def conflicting_bids(field: Field, attempt: Attempt) -> None:
    first, _ = field.money
    bids = [PlaceBid(field.later, field.id("mallory"), 10, limit, (first,)) for limit in (MICRO, 2 * MICRO)]
    transactions = [field.transaction(bid, by=("mallory",)) for bid in bids]
    answers = field.post_at_once(*transactions)
    ends = [
        field.settled(transaction.txid) if answer == "accepted" else answer
        for transaction, answer in zip(transactions, answers, strict=True)
    ]
    if ends.count("final") != 1:
        attempt.succeeded.append(f"{ends.count('final')} of two bids with the same money became final")
    for end in ends:
        if end != "final":
            attempt.expect("the mempool", end, "conflict", "spent")
    both = field.transaction(*bids, by=("mallory",))
    attempt.expect("node 2", field.post(2, both), "spent", "conflict")
    attempt.movers.add(field.id("mallory"))
