"""A full book: 1,000 participants and 4,000 orders in twelve classes, from the close to the last delivery."""

import random
from collections import Counter as Tally

from harness.sim.conservation import _certificates, _money
from harness.town import Town
from msgspec.structs import replace

from contracts.events import Delivered, OrderSettled
from contracts.settle import build_settle
from state.keyspace import auction_key, auction_order_key, expiry_key, output_count_key, output_key, participant_key
from state.outputs import Bid, Delivery, Funds, Offer, OrderOutput
from state.records import Auction, AuctionTerms, Counter, Dimension, Participant, Pointer
from state.units import PAGE_PIECES

SIDE, SIZE = 500, 2_000  # participants and orders of each side
ZONES, MONTHS = ("DK", "NO", "SE", "FR"), ("201401", "201402", "201404")
WANTED = ((), ("DK", ""), ("", "201404"), ("FR", "201404"), ("SE", ""))


def full_book(town: Town) -> int:
    """The orders as if they had been placed: written into the state, which is what a settlement reads."""
    terms = AuctionTerms(dimensions=(Dimension("zone", ZONES), Dimension("period", MONTHS)), fee=50)
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
            locked = Funds(holder, "EUR", quantity * limit)
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
