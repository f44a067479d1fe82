"""list and buy: a posted price, whole or in part, both legs in one transaction."""

import pytest
from harness.town import Town
from harness.world import genesis_json
from msgspec.structs import replace

from contracts.events import Bought, Cancelled, Listed
from state.errors import (
    BadField,
    BadRange,
    CertificateExpired,
    Locked,
    MissingSignature,
    MoneyDiffers,
    NotTradable,
    NotYours,
    OwnLot,
    PriceOutside,
    Spent,
    Unknown,
)
from state.outputs import Bundle, Listing
from state.transaction import Buy, Cancel, ListLot
from state.units import MAX_PRICE, MICRO, Outpoint


@pytest.fixture
def town() -> Town:
    return Town()


def posting(town: Town, **changes: object) -> ListLot:
    until = town.time_ms // 1000 + 1_000
    action = ListLot(town.id("plant"), town.lot, 1, 10, 3 * MICRO, "EUR", 0, until)
    return replace(action, **changes)  # type: ignore[arg-type]


def posted(town: Town, **changes: object) -> Outpoint:
    town.do(posting(town, **changes), by=("plant",))
    return town.outputs_of("plant", Listing)[-1]


def buying(town: Town, listing: Outpoint, quantity: int, *inputs: Outpoint, name: str = "trader") -> Buy:
    return Buy(town.id(name), listing, quantity, inputs)


def test_a_posted_lot_is_bought_in_part_and_the_rest_stays_posted(town: Town) -> None:
    listing = posted(town)
    (event,) = town.do(buying(town, listing, 4, town.fund("trader", 20)), by=("trader",))
    assert isinstance(event, Bought)
    assert (event.start, event.end, event.amount) == (1, 4, 12 * MICRO)
    assert (town.in_hand("trader"), town.in_hand("plant")) == ((4, 8 * MICRO), (0, 12 * MICRO))
    (rest,) = town.outputs_of("plant", Listing)
    town.do(buying(town, rest, 6, town.fund("consumer", 18), name="consumer"), by=("consumer",))
    assert (town.in_hand("consumer"), town.money("plant")) == ((6, 0), 30 * MICRO)
    assert not town.outputs_of("plant", Listing)


def test_a_part_of_a_bundle_is_posted_and_taken_back(town: Town) -> None:
    (event,) = town.do(posting(town, start=3, end=5), by=("plant",))
    assert isinstance(event, Listed)
    assert town.certificates("plant") == 7
    (listing,) = town.outputs_of("plant", Listing)
    assert town.do(Cancel(town.id("plant"), listing), by=("plant",)) == [Cancelled(0, town.id("plant"), listing)]
    assert (town.certificates("plant"), len(town.outputs_of("plant", Bundle))) == (10, 3)


def test_a_lot_for_one_participant_is_a_deal_that_only_he_can_accept(town: Town) -> None:
    listing = posted(town, to=town.id("trader"))
    money = town.fund("consumer", 30)
    town.refuses(NotYours, buying(town, listing, 1, money, name="consumer"), by=("consumer",))
    town.do(buying(town, listing, 10, town.fund("trader", 30)), by=("trader",))
    assert town.in_hand("trader") == (10, 0)


def test_certificates_of_a_posted_lot_expire_like_others(town: Town) -> None:
    listing = posted(town, until=2**40)
    lot = town.live()[listing]
    assert isinstance(lot, Listing)
    town.block(seconds=lot.lot.retire_until - town.time_ms // 1000)
    assert listing not in town.live()


# --- refused


def test_refuses_to_post_without_signature_or_what_is_not_ones_own(town: Town) -> None:
    town.refuses(MissingSignature, posting(town), by=("trader",))
    town.refuses(NotYours, posting(town, seller=town.id("trader")), by=("trader",))


def test_refuses_to_post_what_is_locked_already(town: Town) -> None:
    listing = posted(town)
    town.refuses(Locked, posting(town, outpoint=listing), by=("plant",))
    town.refuses(Spent, posting(town), by=("plant",))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (BadRange, {"start": 0}),
        (BadRange, {"end": 11}),
        (PriceOutside, {"price": 0}),
        (PriceOutside, {"price": MAX_PRICE + 1}),
        (BadField, {"currency": "USD"}),
        (BadField, {"currency": "eur"}),
        (BadField, {"until": 1}),
        (Unknown, {"to": 999}),
    ],
)
def test_refuses_to_post_on_terms_that_are_not_allowed(town: Town, kind: type, changes: dict[str, object]) -> None:
    town.refuses(kind, posting(town, **changes), by=("plant",))


def test_refuses_to_post_what_may_not_be_traded() -> None:
    town = Town(genesis_json(scheme={"tradable": False}))
    town.refuses(NotTradable, posting(town), by=("plant",))


def test_refuses_to_trade_with_oneself(town: Town) -> None:
    town.refuses(OwnLot, posting(town, to=town.id("plant")), by=("plant",))
    listing = posted(town)
    town.refuses(OwnLot, buying(town, listing, 1, town.fund("plant", 3), name="plant"), by=("plant",))


def test_refuses_to_buy_without_the_money_or_more_than_there_is(town: Town) -> None:
    listing, money = posted(town), town.fund("trader", 11)
    town.refuses(MoneyDiffers, buying(town, listing, 4, money), by=("trader",))
    town.refuses(BadField, buying(town, listing, 11, money), by=("trader",))
    town.refuses(BadField, buying(town, listing, 0, money), by=("trader",))
    town.refuses(MissingSignature, buying(town, listing, 1, money), by=("plant",))


def test_refuses_to_buy_what_is_no_posted_lot_or_sold(town: Town) -> None:
    listing, money = posted(town), town.fund("trader", 60)
    town.refuses(Locked, buying(town, money, 1, money), by=("trader",))
    town.do(buying(town, listing, 10, money), by=("trader",))
    town.refuses(Spent, buying(town, listing, 1, town.fund("trader", 3)), by=("trader",))


def test_refuses_to_buy_after_the_lots_time(town: Town) -> None:
    listing, money = posted(town), town.fund("trader", 3)
    town.refuses(CertificateExpired, buying(town, listing, 1, money), by=("trader",), seconds=1_000)
