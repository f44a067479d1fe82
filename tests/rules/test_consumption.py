"""consumption: an accredited meter's day is reported once, by its own signature."""

import pytest
from harness.town import Town
from harness.world import DAY, FAR, START_S, key_of
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.consumption import consumption_between, hours_of
from contracts.events import Consumed
from contracts.matching import Lot, match
from state.errors import AlreadyExists, BadField, BadSignature, TermOver, Unknown
from state.transaction import ConsumptionMeterContent, Propose, RenewContent

HOURS = tuple(range(100, 124))


@pytest.fixture
def town() -> Town:
    town = Town()
    town.accredit(content(town), by="consumer")
    return town


def content(town: Town, **changes: object) -> ConsumptionMeterContent:
    fields: dict[str, object] = {"key": key_of("flat"), "name": "Flat 3", "country": "FR", "zone": "FR", "until": FAR}
    return ConsumptionMeterContent(town.id("consumer"), **{**fields, **changes})  # type: ignore[arg-type]


def test_a_report_needs_no_signer_but_the_meters_signature(town: Town) -> None:
    events = town.do(town.consumption(1, DAY, HOURS, "flat"))
    assert events == [Consumed(1, DAY, town.id("consumer"), bytes(32))]
    (found,) = consumption_between(town.state, 1, DAY, DAY)
    assert (found.hours_wh, found.owner) == (HOURS, town.id("consumer"))
    assert hours_of([found])[:2] == [(DAY * 86_400, 100), (DAY * 86_400 + 3_600, 101)]


def test_refuses_a_day_twice_whatever_it_says(town: Town) -> None:
    town.do(town.consumption(1, DAY, HOURS, "flat"))
    town.refuses(AlreadyExists, town.consumption(1, DAY, HOURS[::-1], "flat"))


def test_refuses_a_report_that_another_key_signed_or_somebody_changed(town: Town) -> None:
    town.refuses(BadSignature, town.consumption(1, DAY, HOURS, "thief"))
    town.refuses(BadSignature, replace(town.consumption(1, DAY, HOURS, "flat"), hours_wh=HOURS[::-1]))


def test_refuses_an_unknown_meter_and_one_whose_term_is_over(town: Town) -> None:
    town.refuses(Unknown, town.consumption(2, DAY, HOURS, "flat"))
    town.accredit(RenewContent("usage_meter", 1, 0), by="consumer")
    town.refuses(TermOver, town.consumption(1, DAY, HOURS, "flat"))


@pytest.mark.parametrize("hours", [HOURS[:-1], (*HOURS[:-1], 10**16)])
def test_refuses_hours_that_are_none(town: Town, hours: tuple[int, ...]) -> None:
    town.refuses(BadField, town.consumption(1, DAY, hours, "flat"))


def test_refuses_a_day_that_has_not_ended(town: Town) -> None:
    town.refuses(BadField, town.consumption(1, START_S // 86_400 + 1, HOURS, "flat"))


@pytest.mark.parametrize(
    "changes", [{"name": ""}, {"country": "FRA"}, {"zone": "a\nb"}, {"key": bytes(32)}, {"until": 2**50}]
)
def test_refuses_a_meter_that_cannot_be(town: Town, changes: dict[str, object]) -> None:
    proposal = Propose(town.id("consumer"), content(town, **{"key": key_of("other"), **changes}))
    town.refuses(BadField, proposal, by=("consumer",))


def test_refuses_a_meter_of_somebody_else_and_a_key_that_is_taken(town: Town) -> None:
    town.refuses(BadField, Propose(town.id("trader"), content(town, key=key_of("other"))), by=("trader",))
    town.refuses(AlreadyExists, Propose(town.id("consumer"), content(town, key=key_of("trader"))), by=("consumer",))


# --- the matcher

HOUR = st.integers(0, 3).map(lambda hour: hour * 3_600)
LOTS = st.lists(st.tuples(HOUR, st.integers(1, 3), st.integers(1, 50)), max_size=8)


def lots_of(drawn: list[tuple[int, int, int]]) -> list[Lot]:
    """Disjoint ranges, one after another."""
    found, serial = [], 1
    for hour_s, issuance, energy_wh in drawn:
        found.append(Lot(hour_s, issuance, serial, serial + energy_wh - 1))
        serial += energy_wh
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(HOUR, st.integers(0, 60)), max_size=6), LOTS, st.randoms(use_true_random=False))
def test_hours_are_matched_exactly_and_the_same_in_any_order(consumed, drawn, random) -> None:  # type: ignore[no-untyped-def]
    lots = lots_of(drawn)
    hours = match(consumed, lots)
    shuffled = list(lots)
    random.shuffle(shuffled)
    assert match(list(reversed(consumed)), shuffled) == hours
    assert [hour.hour_s for hour in hours] == sorted({hour.hour_s for hour in hours})
    assert sum(hour.consumed_wh for hour in hours) == sum(energy for _, energy in consumed)
    assert sum(hour.matched_wh + hour.surplus_wh for hour in hours) == sum(lot.energy_wh for lot in lots)
    for hour in hours:
        produced = sum(lot.energy_wh for lot in lots if lot.hour_s == hour.hour_s)
        assert hour.matched_wh == min(hour.consumed_wh, produced) == sum(lot.energy_wh for lot in hour.used)
        assert all(lot.hour_s == hour.hour_s for lot in hour.used)


def test_an_hour_is_never_filled_from_another() -> None:
    (first, second) = match([(0, 10), (3_600, 10)], [Lot(0, 1, 1, 25)])
    assert (first.matched_wh, first.surplus_wh) == (10, 15)
    assert (second.matched_wh, second.unmatched_wh) == (0, 10)


def test_earlier_issuances_and_lower_serials_are_used_first() -> None:
    (hour,) = match([(0, 7)], [Lot(0, 2, 1, 5), Lot(0, 1, 20, 24)])
    assert [(lot.issuance, lot.start, lot.end) for lot in hour.used] == [(1, 20, 24), (2, 1, 2)]
