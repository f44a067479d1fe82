"""Standing bids: in every session that fits, from a purse, until the money is gone."""

import pytest
from harness.town import Town
from msgspec.structs import replace

from contracts import standing_bids as rules
from contracts.events import BidPlaced, OrderSettled, StandingBidEnded
from contracts.receipt import seen_words
from state.errors import BadField, LimitReached, MissingSignature, MoneyDiffers, NotYours, PriceOutside, Unknown
from state.keyspace import auction_key
from state.outputs import Bid, Purse
from state.records import Auction, AuctionTerms, Dimension, Wanted
from state.transaction import EndStandingBid, PlaceStandingBid
from state.units import MAX_PRICE, MAX_QUANTITY, MICRO


@pytest.fixture
def town() -> Town:
    return Town()


def standing(town: Town, euros: int = 10, **changes: object) -> PlaceStandingBid:
    money = town.fund("trader", euros)
    action = PlaceStandingBid(town.id("trader"), 1, (), 2, 2 * MICRO, euros * MICRO, (money,))
    return replace(action, **changes)  # type: ignore[arg-type]


def purse_of(town: Town) -> int:
    return sum(town.live()[point].funds.amount for point in town.outputs_of("trader", Purse))  # type: ignore[union-attr]


def session(town: Town, start: int, end: int, limit: int = MICRO, **options: object) -> int:
    """One auction in which the plant offers a range, from close to settlement."""
    auction = town.auction(**options)  # type: ignore[arg-type]
    lot = town.lot_holding("plant", start)
    town.offer("plant", auction, lot, start, end, limit)
    town.settle(auction)
    return auction


def test_a_standing_bid_buys_in_every_session_and_what_it_saves_stays_in_the_purse(town: Town) -> None:
    town.do(standing(town), by=("trader",))
    assert (purse_of(town), town.money("trader")) == (10 * MICRO, 0)
    session(town, 1, 3)
    assert (town.certificates("trader"), purse_of(town)) == (2, 8 * MICRO)  # at 1 EUR, though it would pay 2
    session(town, 4, 6)
    assert (town.certificates("trader"), purse_of(town)) == (4, 6 * MICRO)


def test_the_last_money_buys_what_it_can_and_then_the_bid_waits(town: Town) -> None:
    town.do(standing(town, 3), by=("trader",))
    session(town, 1, 1, 2 * MICRO)
    assert (town.certificates("trader"), purse_of(town)) == (1, MICRO)
    session(town, 2, 3, MICRO)
    assert (town.certificates("trader"), purse_of(town)) == (1, MICRO)


def test_it_joins_at_the_close_and_is_public_then(town: Town) -> None:
    town.do(standing(town), by=("trader",))
    auction = town.auction()
    assert not town.outputs_of("trader", Bid)
    events = []
    while not town.outputs_of("trader", Bid):
        events = town.block(seconds=10)
    assert [event.auction for event in events if isinstance(event, BidPlaced)] == [auction]


def test_it_joins_only_auctions_that_can_tell_what_it_asks_for(town: Town) -> None:
    town.do(standing(town, wanted=(Wanted("technology", "T02"), Wanted("zone", "DE"))), by=("trader",))
    session(town, 1, 2)  # this one does not say where its lots are from
    assert town.certificates("trader") == 0
    zones = AuctionTerms(dimensions=(Dimension("zone", ("DE", "FR")),))
    session(town, 3, 4, terms=zones)  # it does, and these are French
    assert town.certificates("trader") == 0
    town.do(standing(town, wanted=(Wanted("zone", "FR"),)), by=("trader",))
    session(town, 5, 6, terms=zones)
    assert town.certificates("trader") == 2


def test_ending_it_gives_the_purse_back_and_later_what_an_auction_still_holds(town: Town) -> None:
    town.do(standing(town), by=("trader",))
    auction = town.auction()
    town.close(auction)
    number = town.count("standing_bid")
    events = town.do(EndStandingBid(town.id("trader"), 1, number), by=("trader",))
    assert events == [StandingBidEnded(number, town.id("trader"), 6 * MICRO)]
    town.settle(auction)
    assert (town.money("trader"), purse_of(town)) == (10 * MICRO, 0)


# --- refused


def test_refuses_a_standing_bid_without_signature_or_money(town: Town) -> None:
    town.refuses(MissingSignature, standing(town), by=("plant",))
    town.refuses(MoneyDiffers, standing(town, purse=11 * MICRO), by=("trader",))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (BadField, {"quantity": 0}),
        (BadField, {"quantity": MAX_QUANTITY + 1}),
        (PriceOutside, {"limit": 0}),
        (PriceOutside, {"limit": MAX_PRICE + 1}),
        (BadField, {"purse": MICRO}),
        (BadField, {"wanted": (Wanted("colour", "green"),)}),
        (BadField, {"wanted": (Wanted("zone", "FR"), Wanted("technology", "T02"))}),
        (BadField, {"wanted": (Wanted("zone", "F\x00R"),)}),
        (Unknown, {"scheme": 9}),
    ],
)
def test_refuses_a_standing_bid_whose_terms_are_not_allowed(town: Town, kind: type, changes: dict[str, object]) -> None:
    town.refuses(kind, standing(town, **changes), by=("trader",))


def test_refuses_more_standing_bids_than_there_is_room_for(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(rules.MAX_OF_BUYER):
        town.do(standing(town), by=("trader",))
    assert town.refuses(LimitReached, standing(town), by=("trader",)).params["limit"] == rules.MAX_OF_BUYER
    monkeypatch.setattr(rules, "MAX_OF_SCHEME", rules.MAX_OF_BUYER)
    money = town.fund("consumer", 10)
    other = replace(standing(town), buyer=town.id("consumer"), inputs=(money,))
    town.refuses(LimitReached, other, by=("consumer",))


def test_refuses_to_end_what_is_not_there_or_not_ones_own(town: Town) -> None:
    town.refuses(Unknown, EndStandingBid(town.id("trader"), 1, 9), by=("trader",))
    town.do(standing(town), by=("trader",))
    number = town.count("standing_bid")
    town.refuses(NotYours, EndStandingBid(town.id("plant"), 1, number), by=("plant",))
    town.refuses(MissingSignature, EndStandingBid(town.id("trader"), 1, number), by=("plant",))


@pytest.mark.parametrize("opening_s", [0, 300])
def test_its_receipt_says_that_everybody_could_read_it_also_beside_a_sealed_book(town: Town, opening_s: int) -> None:
    town.do(standing(town), by=("trader",))
    number = town.auction(terms=AuctionTerms(sealed=bool(opening_s), opening_s=opening_s))
    (told,) = [event for event in town.settle(number) if isinstance(event, OrderSettled)]
    auction = town.state.get(auction_key(number))
    assert isinstance(auction, Auction)
    assert told.standing == 1
    assert "from the day it was placed" in seen_words(auction, told)
