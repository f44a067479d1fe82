"""A full book: 1,000 participants and 4,000 orders in twelve classes, from the close to the last delivery."""

import random
from collections import Counter as Tally
from collections.abc import Iterator

import pytest
from harness.sim.conservation import _certificates, _money
from harness.town import Town
from msgspec.structs import replace

from contracts.events import Delivered, OrderSettled, Released
from contracts.obligation import owed, to_lock
from contracts.settle import build_settle
from state.keyspace import (
    auction_key,
    auction_order_key,
    expiry_key,
    obligation_key,
    output_count_key,
    output_key,
    participant_key,
    space_end,
)
from state.outputs import Bid, Delivery, Funds, Guarantee, Offer, OrderOutput, Reserved
from state.records import Auction, AuctionTerms, Counter, Dimension, Obligation, Participant, Pointer
from state.transaction import Default, Pay
from state.units import MINOR_UNIT, PAGE_PIECES

SIDE, SIZE = 500, 2_000  # participants and orders of each side
ZONES, MONTHS = ("DK", "NO", "SE", "FR"), ("201401", "201402", "201404")
WANTED = ((), ("DK", ""), ("", "201404"), ("FR", "201404"), ("SE", ""))


def full_book(town: Town, margin: int = 0) -> int:
    """The orders as if they had been placed: written into the state, which is what a settlement reads."""
    trees = Dimension("zone", ZONES), Dimension("period", MONTHS)
    terms = AuctionTerms(dimensions=trees, fee=50, margin=margin, pay_s=3_600 if margin else 0)
    auction, dice, lot = town.auction(technology="", terms=terms), random.Random(5), town.bundle(town.lot)
    somebody = town.state.get(participant_key(town.id("plant")))
    assert isinstance(somebody, Participant)
    people = [10_000 + n for n in range(2 * SIDE)]
    for number in people:
        town.state.put(participant_key(number), replace(somebody, id=number))
        town.state.put(output_count_key(number), Counter(SIZE // SIDE))
    start = 1_000_000
    for n in range(2 * SIZE):
        point, quantity = n.to_bytes(34, "big"), dice.randint(1, 50)
        if n < SIZE:
            held = replace(lot, holder=people[n % SIDE], start=start, end=start + quantity - 1)
            start += quantity
            limit = dice.randint(1, 60) * 10**4
            order: Offer | Bid = Offer(auction, held, limit, quantity, dice.randrange(12), number=n)
            town.state.put(expiry_key(held.retire_until, point), Pointer(point))
        else:
            limit, holder = dice.randint(20, 100) * 10**4, people[SIDE + n % SIDE]
            locked = Funds(holder, "EUR", to_lock(terms, quantity * limit))
            order = Bid(auction, holder, quantity, limit, locked, dice.choice(WANTED), number=n)
        town.state.put(output_key(point), order)
        town.state.put(auction_order_key(auction, n), Pointer(point))
    found = town.state.get(auction_key(auction))
    assert isinstance(found, Auction)
    town.state.put(auction_key(auction), replace(found, orders=2 * SIZE))
    return auction


def content(town: Town) -> tuple[int, int]:
    live = town.live().values()
    return sum(map(_money, live)), sum(map(_certificates, live))


def test_a_full_book_is_settled_delivered_in_pages_and_every_receipt_agrees_with_what_moved() -> None:
    town = Town()
    auction = full_book(town)
    before = content(town)
    events = town.do(build_settle(town.state, town.close(auction)))
    assert content(town) == before
    delivered = [event for event in events if isinstance(event, Delivered)]
    assert len(delivered) == PAGE_PIECES
    while any(isinstance(output, Delivery) for output in town.live().values()):
        delivered += [event for event in town.block() if isinstance(event, Delivered)]
    assert content(town) == before
    assert not any(isinstance(output, OrderOutput) for output in town.live().values())

    told = [event for event in events if isinstance(event, OrderSettled)]
    assert [receipt.order for receipt in told] == list(range(2 * SIZE))
    bought, spent, sold = Tally[int](), Tally[int](), Tally[int]()
    for piece in delivered:
        bought[piece.buyer] += piece.end - piece.start + 1
        spent[piece.buyer] += piece.amount
        sold[piece.seller] += piece.end - piece.start + 1
    for receipt in told:
        tally = bought if receipt.side == "bid" else sold
        tally[receipt.participant] -= receipt.filled
        spent[receipt.participant] -= receipt.amount if receipt.side == "bid" else 0
        inside = receipt.limit >= receipt.price if receipt.side == "bid" else receipt.limit <= receipt.price
        assert not receipt.filled or inside
    assert not any((*bought.values(), *spent.values(), *sold.values()))
    settled = town.state.get(auction_key(auction))
    assert isinstance(settled, Auction)
    assert len(settled.results) == len(ZONES) * len(MONTHS)
    assert settled.quantity == sum(receipt.filled for receipt in told if receipt.side == "bid") > 10_000


def test_a_full_book_on_margin_is_paid_by_half_of_its_buyers_and_released_of_the_others_in_pages() -> None:
    town = Town()
    auction = full_book(town, margin=2_000)
    money, certificates = content(town)
    town.do(build_settle(town.state, town.close(auction)))
    assert content(town) == (money, certificates)
    debts = list(owing(town))
    assert SIDE * 9 // 10 < len(debts) <= SIDE
    paid, left = debts[::2], debts[1::2]
    for part in range(0, len(paid), 32):  # as many as one signer may have in a block
        orders = [
            town.transaction(Pay(auction, debt.buyer, amount, (), town.id("bank"), f"wire {debt.buyer}"), by=("bank",))
            for debt in paid[part : part + 32]
            if (amount := -(-owed(town.state, debt) // MINOR_UNIT) * MINOR_UNIT)
        ]
        money += sum(action.amount for tx in orders for action in tx.body_actions)  # type: ignore[union-attr]
        events = town.block(*orders)
        assert sum(isinstance(event, Delivered) for event in events) <= PAGE_PIECES
        assert content(town) == (money, certificates)
    town.block()
    assert list(owing(town)) == left
    town.block(seconds=3_600)
    for part in range(0, len(left), 100):
        town.block(*[town.transaction(Default(auction, debt.buyer)) for debt in left[part : part + 100]])
        assert content(town) == (money, certificates)
    events = town.pass_blocks(2, 1)
    assert sum(isinstance(event, Released) for event in events) <= 2 * PAGE_PIECES
    assert not list(owing(town))
    assert not any(isinstance(output, Reserved | Guarantee) for output in town.live().values())
    assert content(town) == (money, certificates)


def test_what_is_delivered_and_released_by_a_block_stays_within_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.expire.PAGE_PIECES", 40)
    town = Town()
    auction = full_book(town, margin=2_000)
    town.do(build_settle(town.state, town.close(auction)))
    debts = list(owing(town))
    for debt in debts[:2]:
        amount = -(-owed(town.state, debt) // MINOR_UNIT) * MINOR_UNIT
        town.do(Pay(auction, debt.buyer, amount, (), town.id("bank"), f"wire {debt.buyer}"), by=("bank",))
    town.block(seconds=3_600)
    town.block(*[town.transaction(Default(auction, debt.buyer)) for debt in debts[2:90]])
    for _ in range(3):
        moved = [event for event in town.block() if isinstance(event, Delivered | Released)]
        assert len(moved) == 40


def owing(town: Town) -> Iterator[Obligation]:
    low = obligation_key(0, 0)
    for _, entry in town.state.scan(low, space_end(low[:1])):
        assert isinstance(entry, Obligation)
        yield entry
