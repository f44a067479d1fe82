"""Making something out of nothing: certificates, money, or the right to make them."""

import time

from harness.world import DAY, seed_of
from msgspec.structs import replace

from attacks.book import Attempt, attack
from attacks.field import Field
from contracts.pieces import clear, result_root
from contracts.sharing import Order
from state.attestation import SignedBy, attestation_bytes
from state.crypto import sign
from state.records import AuctionClass
from state.transaction import Deposit, OpenAuction, Payout, PlaceBid, PlaceOffer, Settle, Vote
from state.units import MAX_PRICE, MICRO

OPEN_S = 3


@attack("issue without a quorum", "two of three attestations; a forged third; one twice; too much energy; a day again")
def issue(field: Field, attempt: Attempt) -> None:
    two = field.days["two"]
    forged = sign(seed_of("mallory"), attestation_bytes(field.chain, two.attestation))
    days = {
        0: (two, "quorum_missing"),
        1: (replace(two, signatures=(*two.signatures, SignedBy(2, forged))), "attestation_invalid"),
        2: (replace(two, signatures=(*two.signatures, two.signatures[1])), "attestation_invalid"),
        3: (replace(two, signatures=(*two.signatures, SignedBy(9, forged))), "attestation_invalid"),
    }
    for index, (day, code) in days.items():
        action = replace(field.issues["two"], days=(day,))
        attempt.expect(f"node {index}", field.post(index, field.transaction(action)), code)
    again = field.transaction(field.issues["again"])
    attempt.expect("node 0", field.post(0, again), "already_issued")
    too_much = field.transaction(field.issues["too much"])
    attempt.expect("node 1", field.post(1, too_much), "energy_bound")
    judged = {int(day["day"]) for day in field.clients[2].pages("/v1/devices/1/days", "days")}
    if judged != {DAY}:
        attempt.succeeded.append(f"the ledger has verdicts of the days {sorted(judged)}")


@attack(
    "money without the payment operator", "mallory credits herself: as operator, in the bank's name; pays out alone"
)
def mint(field: Field, attempt: Attempt) -> None:
    mallory, bank = field.id("mallory"), field.id("bank")
    own = Deposit(mallory, mallory, "EUR", 1_000 * MICRO, "own")
    banks = Deposit(bank, mallory, "EUR", 1_000 * MICRO, "stolen")
    payout = Payout(bank, mallory, (field.money[1],), "EUR", MICRO, "out")
    attempt.expect("node 0", field.post(0, field.transaction(own, by=("mallory",))), "role_needed")
    attempt.expect("node 1", field.post(1, field.transaction(banks, by=("mallory",))), "missing_signature")
    attempt.expect("node 2", field.post(2, field.transaction(payout, by=("mallory",))), "missing_signature")


@attack("self-approval", "one validator approves a proposal a second time, and for the others; a stranger approves it")
def self_approval(field: Field, attempt: Attempt) -> None:
    once = field.transaction(Vote(field.proposal, 3, True, ""), by=("Organisation 3",))
    if field.post(0, once) != "accepted" or field.settled(once.txid) != "final":
        attempt.succeeded.append("the one lawful approval was not taken")
    again = field.transaction(Vote(field.proposal, 3, True, "again"), by=("Organisation 3",))
    attempt.expect("node 0", field.post(0, again), "already_exists")
    for index in range(3):
        others = field.transaction(Vote(field.proposal, index, True, ""), by=("Organisation 3",))
        attempt.expect(f"node {index}", field.post(index, others), "not_governance")
    stranger = field.transaction(Vote(field.proposal, 0, True, ""), by=("mallory",))
    attempt.expect("node 1", field.post(1, stranger), "not_governance")
    twice = tuple(Vote(field.proposal, 0, True, reason) for reason in ("a", "b"))
    attempt.expect("node 2", field.post(2, field.transaction(*twice, by=("Organisation 0",))), "already_exists")
    shown = field.clients[0].get(f"/v1/proposals/{field.proposal}")
    if (shown["status"], list(shown["approvals"])) != ("open", [3]):
        attempt.succeeded.append(f"the proposal is {shown['status']} with the approvals {shown['approvals']}")


@attack("a wrong settlement", "other prices and results posted to every node from before the close to after it")
def wrong_settle(field: Field, attempt: Attempt) -> None:
    auction = _auction(field)
    result = clear([Order(1, 3, 4 * MICRO)], [Order(0, 4, 2 * MICRO)], 0, MAX_PRICE, b"")  # no tie, so any seed
    (price,), root = result.prices, result_root(result)
    wrong = [
        Settle(auction, (price + 1,), root),
        Settle(auction, (price,), bytes(32)),
        Settle(auction, (price, price), root),
    ]
    status = "open"
    while status != "settled":
        shown = field.clients[0].get(f"/v1/auctions/{auction}")
        status = shown["status"]
        for index in field.running[:3]:
            transactions = [field.transaction(settle).raw for settle in wrong]
            for answer in field.clients[index].submit_batch(transactions):
                code = str(answer.get("code", "accepted"))
                attempt.expect(f"node {index}", code, "auction_phase", "price_wrong", "conflict")
        if int(shown["closes_at"]) - time.time() > 1:
            time.sleep(0.2)
    shown = field.clients[1].get(f"/v1/auctions/{auction}")
    if (int(shown["price"]), int(shown["quantity"])) != (price, 3):
        attempt.succeeded.append(f"settled at {shown['price']} for {shown['quantity']}, not at {price} for 3")
    attempt.movers |= {field.id("plant"), field.id("trader")}


def _auction(field: Field) -> int:
    """Open for three seconds, with one offer and one bid that meet."""
    number = field.later + 1
    wind = AuctionClass(1, "T02", "", 0, 0, 0)
    opening = OpenAuction(field.id("exchange"), "Three", wind, "EUR", 0, 0, int(time.time()) + OPEN_S)
    orders = (
        ("exchange", opening),
        ("plant", PlaceOffer(number, field.id("plant"), field.offered, 1, 4, 2 * MICRO)),
        ("trader", PlaceBid(number, field.id("trader"), 3, 4 * MICRO, (field.bidders,))),
    )
    for name, action in orders:
        transaction = field.transaction(action, by=(name,))
        code = field.post(0, transaction)
        assert code == "accepted", code
        assert field.settled(transaction.txid) == "final"
    return number
