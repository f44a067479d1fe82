"""Auctions in which bids choose by attribute: trees, classes, filters, what is screened out, fees, sessions, void."""

import pytest
from harness.town import Town
from harness.world import DAY, WIND
from msgspec.structs import replace

from contracts.attributes import filter_words, label_of, leaves, mask_of
from contracts.auction import MAX_FEE, MAX_OPENING_S
from contracts.events import AuctionOpened, ClassSettled, Delivered, OrderSettled, Settled, Voided
from contracts.settle import VOID_AFTER_S, build_settle
from state.errors import AuctionPhase, BadField, BlockInvalid, LimitReached, Unknown, WrongClass
from state.keyspace import auction_key, price_key, role_key
from state.outputs import Bid, Offer
from state.records import Auction, AuctionClass, AuctionTerms, Counter, Dimension, RoleGrant
from state.transaction import OpenAuction, PlaceBid, VoidAuction
from state.units import MICRO, Outpoint

TREES = AuctionTerms(dimensions=(Dimension("technology", ("T02", "T01", "T020001")), Dimension("zone", ("FR", "DK"))))
SUN = replace(WIND, technology="T010101", fuel="F01040100", gsrn="", channels=0)


@pytest.fixture
def town() -> Town:
    return Town()


def auction_of(town: Town, number: int) -> Auction:
    found = town.state.get(auction_key(number))
    assert isinstance(found, Auction)
    return found


def opening(town: Town, terms: AuctionTerms, **changes: object) -> OpenAuction:
    any_lot = AuctionClass(1, "", "", 0, 0, 0)
    closes_at = town.time_ms // 1000 + 60
    action = OpenAuction(town.id("exchange"), "All", any_lot, "EUR", 0, 0, closes_at, terms)
    return replace(action, **changes)  # type: ignore[arg-type]


def opened(town: Town, terms: AuctionTerms, **changes: object) -> int:
    (event,) = town.do(opening(town, terms, **changes), by=("exchange",))
    assert isinstance(event, AuctionOpened)
    return event.auction


def bid(town: Town, auction: int, name: str, quantity: int, euros: int, *wanted: str) -> Outpoint:
    money = town.fund(name, quantity * euros)
    town.do(PlaceBid(auction, town.id(name), quantity, euros * MICRO, (money,), wanted), by=(name,))
    return town.outputs_of(name, Bid)[-1]


def sun_of(town: Town) -> Outpoint:
    """Ten certificates of a solar plant of `consumer`."""
    device = town.device("consumer", facts=SUN)
    lot = town.issue(device, 10_000_000, day=DAY)
    assert lot is not None
    return lot


def told(events: list[object]) -> list[tuple[int, int, int, str]]:
    return [(e.order, e.filled, e.price, e.why) for e in events if isinstance(e, OrderSettled)]


def test_classes_are_the_leaves_and_a_filter_is_a_node_of_each_tree() -> None:
    assert leaves(TREES.dimensions[0]) == ("T01", "T020001")
    assert [label_of(TREES, k) for k in range(4)] == ["T01 DK", "T01 FR", "T020001 DK", "T020001 FR"]
    assert mask_of(TREES, ()) == mask_of(TREES, ("", "")) == 0b1111
    assert mask_of(TREES, ("T02", "")) == 0b1100
    assert mask_of(TREES, ("T01", "FR")) == 0b0010
    assert (filter_words(TREES, ("T02", "FR")), filter_words(TREES, ())) == ("T02 FR", "any class")
    assert label_of(AuctionTerms(), 0) == "all"


def test_wind_and_sun_clear_at_prices_of_their_own_and_an_indifferent_buyer_takes_the_cheaper(town: Town) -> None:
    sun, auction = sun_of(town), opened(town, TREES)
    town.offer("plant", auction, town.lot, 1, 10, 4 * MICRO)
    town.offer("consumer", auction, sun, 1, 10, MICRO)
    bid(town, auction, "trader", 5, 6, "T02", "FR")
    bid(town, auction, "trader", 5, 6)
    events = town.settle(auction)
    classes = [(e.label, e.price, e.quantity, e.unmatched, e.thin) for e in events if isinstance(e, ClassSettled)]
    assert classes == [("T01 FR", MICRO, 5, 5, True), ("T020001 FR", 4 * MICRO, 5, 5, True)]
    (settled,) = [event for event in events if isinstance(event, Settled)]
    assert (settled.price, settled.quantity) == (5 * MICRO // 2, 10)
    assert town.state.get(price_key(1)) == Counter(5 * MICRO // 2)
    assert (town.certificates("trader"), town.money("trader")) == (10, 35 * MICRO)
    assert [result.label for result in auction_of(town, auction).results] == ["T01 FR", "T020001 FR"]


def test_every_order_is_told_what_became_of_it_and_why(town: Town) -> None:
    auction = opened(town, replace(TREES, position_cap=6))
    town.offer("plant", auction, town.lot, 1, 10, 2 * MICRO)
    bid(town, auction, "trader", 6, 5, "T02", "")
    bid(town, auction, "trader", 1, 5)
    bid(town, auction, "consumer", 5, 3)
    bid(town, auction, "consumer", 1, 1)
    bid(town, auction, "bank", 1, 9, "T01", "")
    bid(town, auction, "plant", 1, 9, "", "FR")
    assert told(town.settle(auction)) == [
        (0, 10, 3 * MICRO, "filled"),
        (1, 6, 3 * MICRO, "filled"),
        (2, 0, 0, "cap"),
        (3, 4, 3 * MICRO, "shared"),
        (4, 0, 3 * MICRO, "price"),
        (5, 0, 0, "no_class"),
        (6, 0, 0, "own_order"),
    ]


def test_a_participant_may_sell_one_class_and_buy_another(town: Town) -> None:
    sun, auction = sun_of(town), opened(town, TREES)
    town.offer("plant", auction, town.lot, 1, 10, MICRO)
    town.offer("consumer", auction, sun, 1, 10, MICRO)
    bid(town, auction, "plant", 3, 2, "T01", "")
    town.settle(auction)
    assert town.certificates("plant") == 13


def test_the_fee_comes_out_of_what_sellers_earn_and_goes_to_the_market_operator(town: Town) -> None:
    auction = opened(town, AuctionTerms(fee=150))
    town.offer("plant", auction, town.lot, 1, 10, MICRO + 1)
    bid(town, auction, "trader", 7, 2)
    before = town.money("exchange")
    (settled,) = [event for event in town.settle(auction) if isinstance(event, Settled)]
    fee = 7 * (MICRO + 1) * 150 // 10_000
    assert settled.fees == fee == town.money("exchange") - before
    assert town.money("plant") == 7 * (MICRO + 1) - fee


def test_the_fee_of_pieces_that_wait_for_their_page_is_paid_with_them(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contracts.settle.PAGE_PIECES", 1)
    auction = opened(town, AuctionTerms(fee=1_000))
    town.offer("plant", auction, town.lot, 1, 10, MICRO)
    bid(town, auction, "trader", 3, 2)
    bid(town, auction, "consumer", 4, 2)
    before = town.money("exchange")
    town.settle(auction)
    delivered = town.block()
    assert [type(event) for event in delivered] == [Delivered]
    assert (town.money("exchange") - before, town.money("plant")) == (700_000, 6_300_000)


def test_an_announced_auction_takes_orders_from_its_opening_on(town: Town) -> None:
    opens_at = town.time_ms // 1000 + 30
    auction = opened(town, AuctionTerms(opens_at=opens_at))
    order = PlaceBid(auction, town.id("trader"), 1, MICRO, (town.fund("trader", 1),))
    assert town.refuses(AuctionPhase, order, by=("trader",)).params["phase"] == "announced"
    town.block(seconds=40)
    town.do(order, by=("trader",))
    assert auction_of(town, auction).status == "open"


def test_the_next_session_opens_when_one_closes_as_long_as_the_schedule_says(town: Town) -> None:
    until = town.time_ms // 1000 + 200
    first = opened(town, AuctionTerms(repeat_s=60, repeat_until=until))
    town.close(first)
    second = auction_of(town, first + 1)
    assert (second.status, second.title, second.operator) == ("open", "All", town.id("exchange"))
    while town.time_ms // 1000 < until + 200:
        town.block(seconds=15)
    assert town.count("auction") <= 3
    assert auction_of(town, town.count("auction")).closes_at <= until


def test_a_schedule_ends_with_the_accreditation_of_its_operator(town: Town) -> None:
    first = opened(town, AuctionTerms(repeat_s=60, repeat_until=2**40))
    key = role_key(town.id("exchange"), "market_operator")
    grant = town.state.get(key)
    assert isinstance(grant, RoleGrant)
    town.state.put(key, replace(grant, until=0))
    town.close(first)
    assert town.count("auction") == first


def test_an_auction_without_a_settlement_in_time_gives_everything_back(town: Town) -> None:
    auction, _, _ = town.trade()
    closed = town.close(auction)
    for _ in range(12):
        town.refuses(AuctionPhase, VoidAuction(auction))
        town.block()
    town.refuses(AuctionPhase, VoidAuction(auction))
    left_s = closed.phase_at + VOID_AFTER_S - town.time_ms // 1000
    (event,) = town.do(VoidAuction(auction), seconds=left_s)
    assert event == Voided(auction, 2)
    assert (town.in_hand("plant"), town.in_hand("trader")) == ((10, 0), (0, 100 * MICRO))
    assert auction_of(town, auction).status == "void"
    town.refuses(AuctionPhase, VoidAuction(auction))


def test_only_part_of_a_lot_may_be_offered(town: Town) -> None:
    auction = opened(town, AuctionTerms())
    town.offer_part("plant", auction, town.lot, 1, 10, MICRO, 4)
    bid(town, auction, "trader", 9, 2)
    town.settle(auction)
    assert (town.certificates("trader"), town.certificates("plant")) == (4, 6)


def test_the_delivery_interval_bounds_what_may_be_offered(town: Town) -> None:
    auction = opened(town, AuctionTerms(delivery_from=1, delivery_to=2))
    town.refuses(WrongClass, town.offering("plant", auction, town.lot, 1, 10, MICRO), by=("plant",))
    wide = opened(town, AuctionTerms(delivery_from=1, delivery_to=2**40))
    town.do(town.offering("plant", wide, town.lot, 1, 10, MICRO), by=("plant",))
    assert town.outputs_of("plant", Offer)


# --- refused


@pytest.mark.parametrize(
    "terms",
    [
        AuctionTerms(dimensions=(Dimension("colour", ("green",)),)),
        AuctionTerms(dimensions=(Dimension("zone", ("FR",)), Dimension("technology", ("T02",)))),
        AuctionTerms(dimensions=(Dimension("zone", ("FR",)), Dimension("zone", ("DK",)))),
        AuctionTerms(dimensions=(Dimension("zone", ("FR", "FR")),)),
        AuctionTerms(dimensions=(Dimension("zone", ("",)),)),
        AuctionTerms(dimensions=(Dimension("period", ("May",)),)),
        AuctionTerms(dimensions=(Dimension("device", ("07",)),)),
        AuctionTerms(dimensions=(Dimension("support", ("maybe",)),)),
        AuctionTerms(dimensions=(Dimension("device", tuple(map(str, range(1, 129)))), Dimension("zone", ("FR", "DK")))),
        AuctionTerms(
            dimensions=(
                Dimension("period", ("2024", "2025", *(str(202_400 + m) for m in range(1, 13)))),
                Dimension("zone", ("FR", "DK", "DE", "NO", "SE", "FI")),
                Dimension("support", ("none", "supported")),
            )
        ),
        AuctionTerms(opens_at=2**60),
        AuctionTerms(sealed=True),
        AuctionTerms(opening_s=5),
        AuctionTerms(sealed=True, opening_s=MAX_OPENING_S + 1),
        AuctionTerms(bond=1),
        AuctionTerms(fee=MAX_FEE + 1),
        AuctionTerms(delivery_from=5, delivery_to=5),
        AuctionTerms(delivery_from=5),
        AuctionTerms(repeat_s=5),
        AuctionTerms(repeat_until=5),
    ],
)
def test_refuses_an_auction_on_terms_that_are_not_allowed(town: Town, terms: AuctionTerms) -> None:
    town.refuses(BadField, opening(town, terms), by=("exchange",))


def test_the_widest_trees_that_the_caps_allow_open(town: Town) -> None:
    plants = Dimension("device", tuple(map(str, range(1, 129))))
    assert opened(town, AuctionTerms(dimensions=(plants,)))


def test_refuses_a_lot_that_falls_into_no_class(town: Town) -> None:
    auction = opened(town, AuctionTerms(dimensions=(Dimension("zone", ("DK", "NO")),)))
    town.refuses(WrongClass, town.offering("plant", auction, town.lot, 1, 10, MICRO), by=("plant",))


@pytest.mark.parametrize("wanted", [("T02",), ("T02", "FR", ""), ("T09", ""), ("", "T02")])
def test_refuses_a_bid_for_what_the_auction_cannot_tell(town: Town, wanted: tuple[str, ...]) -> None:
    auction = opened(town, TREES)
    order = PlaceBid(auction, town.id("trader"), 1, MICRO, (town.fund("trader", 1),), wanted)
    town.refuses(BadField, order, by=("trader",))


def test_refuses_a_bid_above_the_position_cap(town: Town) -> None:
    auction = town.capped(5)
    order = PlaceBid(auction, town.id("trader"), 6, MICRO, (town.fund("trader", 6),))
    town.refuses(LimitReached, order, by=("trader",))


def test_refuses_to_void_what_is_not_there_or_open(town: Town) -> None:
    town.refuses(Unknown, VoidAuction(9))
    town.refuses(AuctionPhase, VoidAuction(town.auction()))


def test_a_block_takes_one_settlement(town: Town) -> None:
    first, second = town.auction(), town.auction()
    settlements = [town.transaction(build_settle(town.state, town.close(each))) for each in (first, second)]
    with pytest.raises(BlockInvalid):
        town.block(*settlements)
    town.block(settlements[0])
    town.block(settlements[1])
