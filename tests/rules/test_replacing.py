"""replace: one transaction, the same number, and money only where it belongs."""

import pytest
from harness.town import Town
from msgspec.structs import replace

from contracts.events import Replaced
from state.errors import (
    AuctionPhase,
    BadField,
    LimitReached,
    Locked,
    MissingSignature,
    MoneyDiffers,
    NotYours,
    PriceOutside,
)
from state.outputs import Bid, Offer, SealedBid, SealedOffer
from state.transaction import Replace
from state.units import MICRO, Outpoint


@pytest.fixture
def town() -> Town:
    return Town()


def changed(town: Town, name: str, point: Outpoint, quantity: int, limit: int, *inputs: Outpoint) -> Replace:
    return Replace(town.id(name), point, quantity, limit, (), b"", 0, inputs)


def test_a_bid_takes_more_money_or_gives_back_what_it_needs_no_more(town: Town) -> None:
    _, _, bid = town.trade(money=20)
    events = town.do(changed(town, "trader", bid, 6, 5 * MICRO, town.fund("trader", 13)), by=("trader",))
    assert isinstance(events[0], Replaced)
    (now,) = town.outputs_of("trader", Bid)
    order = town.live()[now]
    assert isinstance(order, Bid)
    assert (order.quantity, order.funds.amount, order.number) == (6, 30 * MICRO, 1)
    assert town.funds_of("trader") == [3 * MICRO]
    town.do(changed(town, "trader", now, 1, MICRO), by=("trader",))
    assert town.money("trader") == 32 * MICRO


def test_an_offer_keeps_its_lot_and_its_place_in_the_book(town: Town) -> None:
    auction, offer, _ = town.trade()
    town.do(changed(town, "plant", offer, 3, 4 * MICRO), by=("plant",))
    (point,) = town.outputs_of("plant", Offer)
    order = town.live()[point]
    assert isinstance(order, Offer)
    assert (order.lot.start, order.lot.end, order.quantity, order.limit, order.number) == (1, 10, 3, 4 * MICRO, 0)
    town.settle(auction)
    assert town.in_hand("plant") == (7, 15 * MICRO)  # 3 of 4 wanted at the bid's 5 EUR


def test_a_sealed_order_is_replaced_by_another_sealed_one(town: Town) -> None:
    auction = town.sealed_auction()
    offer, bid = town.sealing("plant", 10, 2 * MICRO), town.sealing("trader", 4, 5 * MICRO)
    town.do(offer.offering(auction, town.lot, 1, 10), by=("plant",))
    town.do(bid.placing(auction, town.fund("trader", 20)), by=("trader",))
    (first,), (second,) = town.outputs_of("plant", SealedOffer), town.outputs_of("trader", SealedBid)
    cheaper, smaller = town.sealing("plant", 10, MICRO), town.sealing("trader", 2, 5 * MICRO)
    town.do(Replace(offer.who, first, 0, 0, (), cheaper.hash(auction, "offer"), 0, ()), by=("plant",))
    town.do(Replace(bid.who, second, 0, 0, (), smaller.hash(auction, "bid"), 10 * MICRO, ()), by=("trader",))
    assert town.money("trader") == 10 * MICRO
    while not town.outputs_of("plant", Offer):
        town.block(seconds=10)
        if town.outputs[-1].events:
            town.do(cheaper.opening(auction, 0), smaller.opening(auction, 1))
    town.settle(auction)
    assert town.in_hand("trader") == (2, 18 * MICRO)


# --- refused


def test_refuses_to_replace_somebody_elses_order_or_without_a_signature(town: Town) -> None:
    _, offer, bid = town.trade()
    town.refuses(MissingSignature, changed(town, "plant", offer, 1, MICRO), by=("trader",))
    town.refuses(NotYours, changed(town, "plant", bid, 1, MICRO), by=("plant",))


def test_refuses_to_replace_what_is_no_order(town: Town) -> None:
    town.refuses(Locked, changed(town, "plant", town.lot, 1, MICRO), by=("plant",))


def test_refuses_to_replace_after_the_close(town: Town) -> None:
    auction, offer, _ = town.trade()
    town.close(auction)
    town.refuses(AuctionPhase, changed(town, "plant", offer, 1, MICRO), by=("plant",))


def test_refuses_a_larger_bid_without_the_money_for_it(town: Town) -> None:
    _, _, bid = town.trade(money=20)
    refused = town.refuses(MoneyDiffers, changed(town, "trader", bid, 5, 5 * MICRO), by=("trader",))
    assert refused.params == {"inputs": 20 * MICRO, "needed": 25 * MICRO}


def test_refuses_what_a_new_order_would_be_refused_for(town: Town) -> None:
    auction = town.auction(floor=MICRO, ceiling=9 * MICRO)
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    town.bid("trader", auction, 1, MICRO, town.fund("trader", 20))
    (offer,), (bid,) = town.outputs_of("plant", Offer), town.outputs_of("trader", Bid)
    town.refuses(BadField, changed(town, "plant", offer, 11, MICRO), by=("plant",))
    town.refuses(PriceOutside, changed(town, "plant", offer, 1, 9 * MICRO + 1), by=("plant",))
    town.refuses(PriceOutside, changed(town, "trader", bid, 1, MICRO - 1), by=("trader",))
    town.refuses(BadField, changed(town, "trader", bid, 0, MICRO), by=("trader",))
    town.refuses(BadField, replace(changed(town, "trader", bid, 1, MICRO), wanted=("T02",)), by=("trader",))


def test_refuses_to_change_the_kind_of_an_order(town: Town) -> None:
    _, offer, bid = town.trade()
    sealed = replace(changed(town, "trader", bid, 0, 0), commitment=bytes(32), stake=MICRO)
    town.refuses(BadField, sealed, by=("trader",))
    town.refuses(BadField, replace(changed(town, "trader", bid, 1, MICRO), stake=MICRO), by=("trader",))
    more = changed(town, "plant", offer, 1, MICRO, town.fund("plant", 1))
    town.refuses(BadField, more, by=("plant",))


def test_refuses_a_bid_above_the_position_cap(town: Town) -> None:
    auction = town.capped(5)
    town.bid("trader", auction, 5, MICRO, town.fund("trader", 20))
    (bid,) = town.outputs_of("trader", Bid)
    town.refuses(LimitReached, changed(town, "trader", bid, 6, MICRO), by=("trader",))
