"""Auctions that a scheme holds by itself, on a schedule that the quorum decided."""

import pytest
from harness.town import Town
from msgspec.structs import replace

from contracts.events import AuctionOpened, Event
from state.errors import BadField, RoleNeeded
from state.keyspace import auction_key, scheme_key, sessions_key
from state.records import Auction, AuctionClass, AuctionTerms, Dimension, Scheme, Sessions
from state.transaction import Propose, RoleContent, SchemeContent
from state.units import DAY_S, MICRO

TERMS = AuctionTerms(dimensions=(Dimension("zone", ("FR", "DK")),), fee=100, margin=2_000, pay_s=3_600)


@pytest.fixture
def town() -> Town:
    return Town()


def scheme_of(town: Town) -> Scheme:
    found = town.state.get(scheme_key(1))
    assert isinstance(found, Scheme)
    return found


def plan(town: Town, **changes: object) -> Sessions:
    lot_class = AuctionClass(1, "T02", "", 0, 0, 0)
    start = town.time_ms // 1000 + 3_600
    made = Sessions(1, town.id("exchange"), "Daily wind", lot_class, 0, 9 * MICRO, TERMS, start, DAY_S, 7_200)
    return replace(made, **changes)


def scheduled(town: Town, sessions: Sessions) -> None:
    town.accredit(SchemeContent(scheme_of(town), sessions), by="Organisation 0")


def opened(events: list[Event]) -> list[int]:
    return [event.auction for event in events if isinstance(event, AuctionOpened)]


def test_auctions_open_by_themselves_on_the_terms_of_the_scheme(town: Town) -> None:
    sessions = plan(town)
    scheduled(town, sessions)
    assert opened(town.block(seconds=sessions.next_at - town.time_ms // 1000 - 1)) == []
    (number,) = opened(town.block(seconds=1))
    found = town.state.get(auction_key(number))
    assert isinstance(found, Auction)
    assert (found.title, found.currency, found.ceiling, found.terms) == ("Daily wind", "EUR", 9 * MICRO, TERMS)
    assert (found.operator, found.status) == (town.id("exchange"), "open")
    assert found.closes_at == sessions.next_at + 7_200
    town.offer("plant", number, town.lot, 1, 10, MICRO)
    town.bid("trader", number, 5, MICRO, town.fund("trader", 1))
    town.settle(number)
    assert town.obligation(number, "trader") is not None
    assert opened(town.block(seconds=DAY_S)) == [number + 1]


def test_after_a_standstill_one_session_opens_and_the_rhythm_stays(town: Town) -> None:
    sessions = plan(town)
    scheduled(town, sessions)
    town.block(seconds=3_600 + 5 * DAY_S + 500)
    assert town.count("auction") == 1
    left = town.state.get(sessions_key(1))
    assert isinstance(left, Sessions)
    assert (left.next_at - sessions.next_at) % DAY_S == 0
    assert 0 < left.next_at - town.time_ms // 1000 <= DAY_S


def test_without_an_accredited_operator_sessions_are_left_out(town: Town) -> None:
    sessions = plan(town)
    scheduled(town, sessions)
    soon = town.time_ms // 1000 + 600
    town.accredit(RoleContent(town.id("exchange"), "market_operator", soon), by="Organisation 0")
    assert opened(town.block(seconds=DAY_S)) == []
    left = town.state.get(sessions_key(1))
    assert isinstance(left, Sessions)
    assert left.next_at > sessions.next_at


def test_a_quorum_changes_and_ends_them_and_a_proposal_that_says_nothing_leaves_them(town: Town) -> None:
    scheduled(town, plan(town))
    town.accredit(SchemeContent(replace(scheme_of(town), max_transfers=9)), by="Organisation 0")
    assert town.state.get(sessions_key(1)) is not None
    later = plan(town, title="Weekly wind", every_s=7 * DAY_S)
    scheduled(town, later)
    assert town.state.get(sessions_key(1)) == later
    scheduled(town, plan(town, every_s=0))
    assert town.state.get(sessions_key(1)) is None
    assert opened(town.block(seconds=9 * DAY_S)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"scheme": 2},
        {"lot_class": AuctionClass(2, "", "", 0, 0, 0)},
        {"every_s": 59},
        {"every_s": 367 * DAY_S},
        {"open_s": 0},
        {"open_s": DAY_S + 1},
        {"title": ""},
        {"floor": 10 * MICRO},
        {"terms": replace(TERMS, opens_at=1)},
        {"terms": replace(TERMS, repeat_s=60, repeat_until=10**10)},
        {"terms": replace(TERMS, fee=1_001)},
        {"terms": replace(TERMS, pay_s=0)},
    ],
)
def test_refuses_a_schedule_that_could_open_no_auction(town: Town, change: dict[str, object]) -> None:
    content = SchemeContent(scheme_of(town), plan(town, **change))
    town.refuses(BadField, Propose(1, content), by=("Organisation 0",))


def test_refuses_a_schedule_in_the_name_of_somebody_without_the_role(town: Town) -> None:
    content = SchemeContent(scheme_of(town), plan(town, operator=town.id("trader")))
    town.refuses(RoleNeeded, Propose(1, content), by=("Organisation 0",))
