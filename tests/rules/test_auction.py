"""open_auction, offer, bid, cancel: orders lock what they promise, on one side each, while the auction is open."""

import pytest
from harness.town import Town
from harness.world import FAR, MONTH, WIND, genesis_json
from msgspec.structs import replace

from contracts.auction import MAX_OPEN_S, MAX_ORDERS, PLACES
from contracts.events import AuctionClosed, AuctionOpened, BidPlaced, Cancelled, Offered
from contracts.expire import closed_auctions, due_at_ms
from state.errors import (
    AuctionPhase,
    BadField,
    BadRange,
    CertificateExpired,
    Disabled,
    LimitReached,
    Locked,
    MissingSignature,
    MoneyDiffers,
    NotTradable,
    NotYours,
    OwnOrder,
    PriceOutside,
    RoleNeeded,
    Spent,
    Unknown,
    WrongClass,
)
from state.keyspace import auction_key, auction_member_key
from state.outputs import Bid, Bundle, Funds, Offer
from state.records import Auction, AuctionClass, AuctionMember
from state.transaction import Cancel, OpenAuction, PlaceBid, PlaceOffer
from state.units import MAX_PRICE, MAX_QUANTITY, MICRO

ANY = AuctionClass(1, "", "", 0, 0, 0)


@pytest.fixture
def town() -> Town:
    return Town()


def opening(town: Town, **changes: object) -> OpenAuction:
    fields = {
        "operator": town.id("exchange"),
        "title": "Spring wind",
        "lot_class": AuctionClass(1, "T02", "", 0, 0, 0),
        "currency": "EUR",
        "floor": 0,
        "ceiling": 0,
        "closes_at": town.time_ms // 1000 + 60,
    }
    return OpenAuction(**{**fields, **changes})  # type: ignore[arg-type]


def offering(town: Town, auction: int, **changes: object) -> PlaceOffer:
    fields = {
        "auction": auction,
        "seller": town.id("plant"),
        "outpoint": town.lot,
        "start": 1,
        "end": 10,
        "limit": MICRO,
    }
    return PlaceOffer(**{**fields, **changes})  # type: ignore[arg-type]


def bidding(town: Town, auction: int, *inputs: bytes, **changes: object) -> PlaceBid:
    fields = {"auction": auction, "buyer": town.id("trader"), "quantity": 4, "limit": 5 * MICRO, "inputs": inputs}
    return PlaceBid(**{**fields, **changes})  # type: ignore[arg-type]


def auction_of(town: Town, number: int) -> Auction:
    found = town.state.get(auction_key(number))
    assert isinstance(found, Auction)
    return found


# --- open


def test_an_auction_opens_with_its_class_and_bounds(town: Town) -> None:
    (event,) = town.do(opening(town, floor=MICRO, ceiling=9 * MICRO), by=("exchange",))
    assert isinstance(event, AuctionOpened)
    found = auction_of(town, event.auction)
    assert (found.status, found.floor, found.ceiling, found.orders) == ("open", MICRO, 9 * MICRO, 0)
    assert auction_of(town, town.auction()).ceiling == MAX_PRICE


def test_refuses_an_auction_that_the_operator_did_not_sign(town: Town) -> None:
    town.refuses(MissingSignature, opening(town), by=("trader",))


def test_refuses_an_auction_without_the_role(town: Town) -> None:
    town.refuses(RoleNeeded, opening(town, operator=town.id("trader")), by=("trader",))


def test_refuses_an_auction_after_the_operators_term(town: Town) -> None:
    seconds = FAR - town.time_ms // 1000
    town.refuses(RoleNeeded, opening(town, closes_at=FAR + 60), by=("exchange",), seconds=seconds)


def test_refuses_an_auction_where_the_genesis_has_none(town: Town) -> None:
    town.state.put(b"\x10", replace(town.parameters, auctions=False))
    town.refuses(Disabled, opening(town), by=("exchange",))


def test_refuses_an_auction_of_an_unknown_scheme(town: Town) -> None:
    town.refuses(Unknown, opening(town, lot_class=replace(ANY, scheme=9)), by=("exchange",))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "a\nb"),
        ("currency", "eur"),
        ("currency", "USD"),
        ("lot_class", AuctionClass(1, "T02\x00", "", 0, 0, 0)),
        ("lot_class", AuctionClass(1, "", "\u202e", 0, 0, 0)),
        ("lot_class", AuctionClass(1, "", "", 0, 201_405, 201_404)),
        ("lot_class", AuctionClass(1, "", "", 0, 201_405, 0)),
        ("ceiling", MAX_PRICE + 1),
        ("floor", MAX_PRICE + 1),
        ("closes_at", 0),
        ("closes_at", 2**64 - 1),
    ],
)
def test_refuses_an_auction_whose_terms_are_not_allowed(town: Town, field: str, value: object) -> None:
    town.refuses(BadField, opening(town, **{field: value}), by=("exchange",))


def test_refuses_a_floor_above_the_ceiling(town: Town) -> None:
    town.refuses(BadField, opening(town, floor=2, ceiling=1), by=("exchange",))


def test_refuses_an_auction_of_more_than_a_year(town: Town) -> None:
    longest = town.time_ms // 1000 + 1 + MAX_OPEN_S
    town.refuses(BadField, opening(town, closes_at=longest + 1), by=("exchange",))
    town.do(opening(town, closes_at=longest), by=("exchange",))


# --- offer


def test_an_offer_locks_its_range_and_gives_back_the_rest(town: Town) -> None:
    auction = town.auction()
    events = town.do(offering(town, auction, start=4, end=6), by=("plant",))
    (point,) = town.outputs_of("plant", Offer)
    assert events == [Offered(auction, town.id("plant"), point, town.device_id, 4, 6, MICRO)]
    left = [town.bundle(rest) for rest in town.outputs_of("plant", Bundle)]
    assert [(bundle.start, bundle.end, bundle.transfers) for bundle in left] == [(1, 3, 0), (7, 10, 0)]


def test_refuses_an_offer_that_the_seller_did_not_sign(town: Town) -> None:
    town.refuses(MissingSignature, offering(town, town.auction()), by=("trader",))


def test_refuses_an_offer_in_an_unknown_auction(town: Town) -> None:
    town.refuses(Unknown, offering(town, 9), by=("plant",))


def test_refuses_an_offer_of_somebody_elses_certificates(town: Town) -> None:
    town.refuses(NotYours, offering(town, town.auction(), seller=town.id("trader")), by=("trader",))


def test_refuses_an_offer_of_what_is_spent_or_offered_already(town: Town) -> None:
    auction = town.auction()
    town.do(offering(town, auction), by=("plant",))
    town.refuses(Spent, offering(town, auction), by=("plant",))
    (offer,) = town.outputs_of("plant", Offer)
    town.refuses(Locked, offering(town, auction, outpoint=offer), by=("plant",))


@pytest.mark.parametrize(("start", "end"), [(0, 1), (2, 1), (1, 11), (1, 2**64 - 1)])
def test_refuses_an_offer_outside_its_bundle(town: Town, start: int, end: int) -> None:
    town.refuses(BadRange, offering(town, town.auction(), start=start, end=end), by=("plant",))


def test_refuses_an_offer_above_the_ceiling(town: Town) -> None:
    auction = town.auction(ceiling=2 * MICRO)
    town.refuses(PriceOutside, offering(town, auction, limit=2 * MICRO + 1), by=("plant",))
    town.do(offering(town, auction, limit=2 * MICRO), by=("plant",))


@pytest.mark.parametrize(
    "lot_class",
    [
        replace(ANY, scheme=2),
        replace(ANY, technology="T01"),
        replace(ANY, zone="DE"),
        replace(ANY, device=2),
        replace(ANY, month_from=MONTH + 1, month_to=MONTH + 2),
        replace(ANY, month_from=0, month_to=MONTH - 1),
    ],
)
def test_refuses_a_lot_of_another_class(town: Town, lot_class: AuctionClass) -> None:
    town.refuses(WrongClass, offering(town, town.auction(lot_class=lot_class)), by=("plant",))


@pytest.mark.parametrize(
    "lot_class",
    [
        ANY,
        replace(ANY, technology="T020001"),
        replace(ANY, zone=WIND.zone),
        replace(ANY, device=1),
        replace(ANY, month_from=MONTH, month_to=MONTH),
    ],
)
def test_a_lot_of_the_class_is_taken(town: Town, lot_class: AuctionClass) -> None:
    assert town.do(offering(town, town.auction(lot_class=lot_class)), by=("plant",))


def test_refuses_a_lot_whose_trading_term_ends_before_the_auction(town: Town) -> None:
    left_s = town.bundle(town.lot).trade_until - town.time_ms // 1000
    town.block(seconds=left_s - 100)
    town.refuses(CertificateExpired, offering(town, town.auction(seconds=100)), by=("plant",))
    town.do(offering(town, town.auction(seconds=90)), by=("plant",))


def test_refuses_a_lot_that_may_not_be_traded() -> None:
    town = Town(genesis_json(scheme={"tradable": False}))
    town.refuses(NotTradable, offering(town, town.auction()), by=("plant",))


# --- bid


def test_a_bid_locks_quantity_times_limit_and_gives_back_the_rest(town: Town) -> None:
    auction, first, second = town.auction(), town.fund("trader", 15), town.fund("trader", 7)
    events = town.do(bidding(town, auction, first, second), by=("trader",))
    (point,) = town.outputs_of("trader", Bid)
    assert events == [BidPlaced(auction, town.id("trader"), point, 4, 5 * MICRO)]
    assert town.funds_of("trader") == [2 * MICRO]
    bid = town.live()[point]
    assert isinstance(bid, Bid)
    assert bid.funds == Funds(town.id("trader"), "EUR", 20 * MICRO)


def test_the_largest_bid_there_is_can_be_placed(town: Town) -> None:
    town.do(
        bidding(town, town.auction(), town.credit("trader", 10**18), quantity=MAX_QUANTITY, limit=MAX_PRICE),
        by=("trader",),
    )
    assert town.funds_of("trader") == []


def test_refuses_a_bid_that_the_buyer_did_not_sign(town: Town) -> None:
    town.refuses(MissingSignature, bidding(town, town.auction(), town.fund("trader", 20)), by=("plant",))


def test_refuses_a_bid_without_enough_money(town: Town) -> None:
    town.refuses(MoneyDiffers, bidding(town, town.auction(), town.fund("trader", 19)), by=("trader",))


def test_refuses_a_bid_with_somebody_elses_money(town: Town) -> None:
    town.refuses(NotYours, bidding(town, town.auction(), town.fund("plant", 20)), by=("trader",))


def test_refuses_a_bid_with_money_that_is_locked_already(town: Town) -> None:
    auction = town.auction()
    town.do(bidding(town, auction, town.fund("trader", 20)), by=("trader",))
    (bid,) = town.outputs_of("trader", Bid)
    town.refuses(Locked, bidding(town, auction, bid), by=("trader",))


@pytest.mark.parametrize("quantity", [0, MAX_QUANTITY + 1, 2**64 - 1])
def test_refuses_a_bid_for_a_quantity_out_of_bounds(town: Town, quantity: int) -> None:
    town.refuses(BadField, bidding(town, town.auction(), town.fund("trader", 20), quantity=quantity), by=("trader",))


@pytest.mark.parametrize("limit", [0, MICRO - 1, MAX_PRICE + 1, 2**64 - 1])
def test_refuses_a_bid_at_a_price_out_of_bounds(town: Town, limit: int) -> None:
    auction = town.auction(floor=MICRO)
    town.refuses(PriceOutside, bidding(town, auction, town.fund("trader", 20), limit=limit), by=("trader",))


# --- both sides


def test_refuses_a_bid_of_a_seller_and_an_offer_of_a_buyer(town: Town) -> None:
    auction = town.auction()
    town.do(bidding(town, auction, town.fund("plant", 20), buyer=town.id("plant")), by=("plant",))
    town.refuses(OwnOrder, offering(town, auction), by=("plant",))
    other = town.auction()
    town.do(offering(town, other), by=("plant",))
    town.refuses(OwnOrder, bidding(town, other, town.fund("plant", 20), buyer=town.id("plant")), by=("plant",))


def test_refuses_the_65th_order_of_one_participant_cancelled_ones_included(town: Town) -> None:
    auction, money = town.auction(seconds=3_600), town.credit("trader", MICRO)
    for _ in range(PLACES[0][1]):
        town.do(bidding(town, auction, money, quantity=1, limit=1), by=("trader",))
        created = {type(output): point for point, output in town.outputs[-1].movements[-1].created}
        town.cancel("trader", created[Bid])
        money = created[Funds]
    refused = town.refuses(LimitReached, bidding(town, auction, money, quantity=1, limit=1), by=("trader",))
    assert refused.params["limit"] == PLACES[0][1]
    town.do(bidding(town, town.auction(), money, quantity=1, limit=1), by=("trader",))


@pytest.mark.parametrize(("orders", "allowed"), [(1_999, 64), (2_000, 8), (2_999, 8), (3_000, 1), (3_999, 1)])
def test_the_fuller_an_auction_the_fewer_orders_one_participant_may_have(town: Town, orders: int, allowed: int) -> None:
    auction, money = town.auction(seconds=3_600), town.credit("trader", MICRO)
    for taken in (allowed - 1, allowed):
        town.state.put(auction_key(auction), replace(auction_of(town, auction), orders=orders))
        key = auction_member_key(auction, town.id("trader"))
        town.state.put(key, AuctionMember(taken, "bid"))
        order = bidding(town, auction, money, quantity=1, limit=1)
        if taken == allowed:
            assert town.refuses(LimitReached, order, by=("trader",)).params["limit"] == allowed
        else:
            town.do(order, by=("trader",))
            money = town.outputs_of("trader", Funds)[-1]


def test_refuses_an_order_in_a_full_auction(town: Town) -> None:
    auction = town.auction()
    town.state.put(auction_key(auction), replace(auction_of(town, auction), orders=MAX_ORDERS))
    refused = town.refuses(LimitReached, offering(town, auction), by=("plant",))
    assert refused.params["limit"] == MAX_ORDERS


# --- phases and cancel


def test_an_order_is_taken_until_the_last_second_and_not_in_the_next(town: Town) -> None:
    auction = town.auction(seconds=60)
    left_s = auction_of(town, auction).closes_at - town.time_ms // 1000
    town.refuses(AuctionPhase, offering(town, auction), by=("plant",), seconds=left_s)
    town.do(offering(town, auction), by=("plant",), seconds=left_s - 1)


def test_an_auction_closes_only_after_two_blocks_of_every_validator(town: Town) -> None:
    auction = town.auction(seconds=2)
    opened = auction_of(town, auction)
    town.block(seconds=60)
    while town.height < opened.opened_height + 7:
        assert auction_of(town, auction).status == "open"
        refused = town.refuses(AuctionPhase, offering(town, auction), by=("plant",))
        assert refused.params["phase"] == "closing"
        assert (due_at_ms(town.state) or 0) <= town.time_ms  # so blocks are made until it closes
        town.block()
    assert town.block() == [AuctionClosed(auction, 0)]
    assert len(auction_of(town, auction).seed) == 32


def test_only_closed_auctions_wait_for_their_settlement(town: Town) -> None:
    first, second, third = town.auction(), town.auction(), town.auction(seconds=3_600)
    assert closed_auctions(town.state) == []
    town.close(first)
    town.close(second)
    assert [auction.id for auction in closed_auctions(town.state)] == [first, second]
    town.settle(first)
    assert [auction.id for auction in closed_auctions(town.state)] == [second]
    assert auction_of(town, third).status == "open"


def test_cancelled_orders_give_back_what_they_locked(town: Town) -> None:
    auction, offer, bid = town.trade()
    assert town.cancel("plant", offer) == [Cancelled(auction, town.id("plant"), offer)]
    assert town.cancel("trader", bid) == [Cancelled(auction, town.id("trader"), bid)]
    assert (town.in_hand("plant"), town.in_hand("trader")) == ((10, 0), (0, 100 * MICRO))


def test_refuses_to_cancel_after_the_closing_time(town: Town) -> None:
    _, offer, bid = town.trade()
    town.refuses(AuctionPhase, Cancel(town.id("plant"), offer), by=("plant",), seconds=60)
    town.pass_blocks(9, 10)
    town.refuses(AuctionPhase, Cancel(town.id("trader"), bid), by=("trader",))


def test_refuses_to_cancel_somebody_elses_order(town: Town) -> None:
    _, offer, _ = town.trade()
    town.refuses(NotYours, Cancel(town.id("trader"), offer), by=("trader",))
    town.refuses(MissingSignature, Cancel(town.id("plant"), offer), by=("trader",))


def test_refuses_to_cancel_what_is_no_order(town: Town) -> None:
    town.refuses(Locked, Cancel(town.id("plant"), town.lot), by=("plant",))


def test_refuses_to_cancel_twice(town: Town) -> None:
    _, offer, _ = town.trade()
    town.cancel("plant", offer)
    town.refuses(Spent, Cancel(town.id("plant"), offer), by=("plant",))


def test_refuses_orders_in_a_settled_auction(town: Town) -> None:
    auction = town.auction()
    town.settle(auction)
    assert town.refuses(AuctionPhase, offering(town, auction), by=("plant",)).params["phase"] == "settled"
