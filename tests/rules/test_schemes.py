"""schemes: kinds of certificates by proposal, and certificates of one hour."""

from itertools import pairwise
from operator import sub

import pytest
from harness.town import Town
from harness.world import DAY, FAR, START_S, WIND
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.accounts import accounts_of, debt_of
from contracts.events import Issued, SchemeSet
from contracts.proposals import describe_content
from contracts.release import parts_released_up_to, released_up_to
from contracts.schemes import hourly
from state.errors import BadField, EnergyBound, NotTradable, StepOrder
from state.keyspace import device_key, issuance_key, scheme_key
from state.outputs import Bundle
from state.records import Device, Expiry, Issuance, Scheme
from state.transaction import CorrectContent, DeviceContent, Issue, Propose, SchemeContent, SetStanding
from state.units import DAY_S

HOURLY = Scheme(
    id=3,
    name="WIND-HOUR",
    unit="Wh",
    face_value=1,
    serial_digits=15,
    currency="EUR",
    expiry=Expiry("production_end", 12_0, 12_0),
    tradable=True,
    max_transfers=0,
    issue_rule="verified",
    release_shares=(10_000, 0, 0),
    late_days=0,
    close_days=0,
    hold_days=0,
)
HOURS = (0, 0, 0, 0, 0, 0, 100, 250, 400) + (0,) * 14 + (50,)


@pytest.fixture
def town() -> Town:
    return Town()


def scheme_of(town: Town, number: int) -> Scheme:
    found = town.state.get(scheme_key(number))
    assert isinstance(found, Scheme)
    return found


def enacted(town: Town, scheme: Scheme) -> None:
    town.accredit(SchemeContent(scheme), by="Organisation 0")


# --- tonnes


TONNES = replace(
    HOURLY, id=4, name="OFFSET", unit="tCO2e", face_value=2_500_000, serial_digits=9, expiry=Expiry("issue", 12, 18)
)


def test_verified_energy_becomes_tonnes_avoided_and_the_rest_is_carried(town: Town) -> None:
    enacted(town, TONNES)
    device = town.device("plant", scheme=4)
    lot = town.issue(device, 6_000_000)
    assert lot is not None
    assert (town.bundle(lot).start, town.bundle(lot).end) == (1, 2)
    later = town.issue(device, 1_500_000, day=DAY + 1)
    assert later is not None
    assert (town.bundle(later).start, town.bundle(later).end) == (3, 3)


def test_a_proposal_says_what_energy_avoids_a_tonne(town: Town) -> None:
    said = describe_content(SchemeContent(TONNES))
    assert "certificates of 1 tCO2e for 2500000 Wh each, tradable" in said


# --- by proposal


def test_a_quorum_adds_a_scheme_and_plants_may_have_it(town: Town) -> None:
    events = town.accredit(SchemeContent(HOURLY), by="Organisation 0")
    assert SchemeSet(3, "WIND-HOUR", "Wh", 1, True) in events
    assert scheme_of(town, 3) == HOURLY
    assert town.device("plant", scheme=3) == 2


def test_a_quorum_changes_what_a_scheme_issues_from_then_on(town: Town) -> None:
    before = town.bundle(town.lot).retire_until
    enacted(town, replace(scheme_of(town, 1), expiry=Expiry("issue", 1, 1), tradable=False))
    assert town.bundle(town.lot).retire_until == before
    later = town.issue(town.device_id, 1_000_000, day=DAY + 1)
    assert later is not None
    assert town.bundle(later).retire_until < before
    town.refuses(NotTradable, town.transfer("plant", (later,), town.piece("trader", 11, 11)), by=("plant",))


@pytest.mark.parametrize(
    "changes", [{"unit": "kWh"}, {"face_value": 1_000}, {"serial_digits": 12}, {"currency": "CNY"}]
)
def test_refuses_to_change_what_existing_certificates_rest_on(town: Town, changes: dict[str, object]) -> None:
    content = SchemeContent(replace(scheme_of(town, 1), **changes))
    town.refuses(BadField, Propose(1, content), by=("Organisation 0",))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 0},
        {"name": ""},
        {"unit": "GJ"},
        {"unit": "tCO2e", "face_value": 99_999, "serial_digits": 9},
        {"unit": "tCO2e", "face_value": 100_000_001, "serial_digits": 9},
        {"face_value": 0},
        {"serial_digits": 10},
        {"currency": "euro"},
        {"expiry": Expiry("issue", 12, 6)},
        {"expiry": Expiry("birth", 6, 12)},
        {"release_shares": (9_000, 0, 0)},
        {"issue_rule": "trust"},
        {"hold_days": 14},
        {"late_days": 40_000},
        {"face_value": 1_000},
        {"unit": "kWh", "face_value": 7},
        {"unit": "MWh", "face_value": 1_000, "serial_digits": 12},
    ],
)
def test_refuses_a_scheme_that_cannot_be(town: Town, changes: dict[str, object]) -> None:
    content = SchemeContent(replace(HOURLY, **changes))
    town.refuses(BadField, Propose(1, content), by=("Organisation 0",))


def test_a_proposed_scheme_says_what_it_would_change() -> None:
    content = SchemeContent(replace(HOURLY, tradable=False, face_value=1_000, unit="kWh"))
    assert describe_content(content) == (
        "set scheme 3: WIND-HOUR, certificates of 1 kWh, not tradable, "
        "to be retired within 120 months of production end"
    )
    often = SchemeContent(replace(HOURLY, max_transfers=1))
    assert "of 1 Wh, tradable 1 time for 120 months, " in describe_content(often)


def test_refuses_a_change_that_is_none(town: Town) -> None:
    town.refuses(BadField, Propose(1, SchemeContent(scheme_of(town, 1))), by=("Organisation 0",))


# --- by the hour


@pytest.fixture
def hourly_town(town: Town) -> Town:
    enacted(town, HOURLY)
    assert town.device("plant", scheme=3) == 2
    return town


def hour_issue(town: Town, hours: tuple[int, ...] = HOURS, day: int = DAY, **changes: object) -> Issue:
    energy = sum(HOURS)
    attested = town.attested(2, day, energy, **{"hours_wh": hours, **changes})  # type: ignore[arg-type]
    return town.issue_action(2, (attested,))


def test_each_hour_with_energy_becomes_certificates_of_that_hour(hourly_town: Town) -> None:
    events = [event for event in hourly_town.do(hour_issue(hourly_town)) if isinstance(event, Issued)]
    assert [(event.start, event.end) for event in events] == [(1, 100), (101, 350), (351, 750), (751, 800)]
    produced = []
    for event in events:
        issuance = hourly_town.state.get(issuance_key(event.issuance))
        assert isinstance(issuance, Issuance)
        produced.append((issuance.production_from - DAY * DAY_S, issuance.production_to - issuance.production_from))
    assert produced == [(hour * 3_600, 3_600) for hour in (6, 7, 8, 23)]


def test_hourly_and_megawatt_hour_certificates_live_side_by_side(hourly_town: Town) -> None:
    hourly_town.do(hour_issue(hourly_town))
    assert hourly_town.issue(hourly_town.device_id, 2_000_000, day=DAY + 1) is not None
    assert hourly_town.certificates("plant") == 12 + 800


def test_expiry_counts_from_the_hour(hourly_town: Town) -> None:
    hourly_town.do(hour_issue(hourly_town))
    lots = [lot for lot in hourly_town.live().values() if isinstance(lot, Bundle) and lot.device == 2]
    assert len(lots) == 4
    assert all(lot.retire_until > START_S for lot in lots)


def test_a_standing_transfer_shares_every_hour_out(hourly_town: Town) -> None:
    action = SetStanding(hourly_town.id("plant"), 2, hourly_town.id("trader"), 5_000, 0, FAR)
    hourly_town.do(action, by=("plant",))
    hourly_town.do(hour_issue(hourly_town))
    assert hourly_town.certificates("trader") == 50 + 125 + 200 + 25


def test_an_hourly_day_is_corrected_downwards_and_the_debt_is_paid_by_the_first_hours(hourly_town: Town) -> None:
    town = hourly_town
    town.do(hour_issue(town))
    for point in list(town.outputs_of("plant", Bundle)):
        lot = town.bundle(point)
        if lot.device == 2:
            town.move("plant", (point,), town.piece("trader", lot.start, lot.end))
    town.correct(2, DAY, 650, 800)
    events = [event for event in town.do(hour_issue(town, day=DAY + 1)) if isinstance(event, Issued)]
    assert [event.end - event.start + 1 for event in events] == [200, 400, 50]
    debt = debt_of(town.state, 2)
    assert debt is not None
    assert (debt.debt_wh, debt.netted_wh) == (0, 150)
    assert sum(account.carry_wh for account in accounts_of(town.state, 2)) == 0


def more(added: tuple[int, ...], release_wh: int = 900) -> CorrectContent:
    return CorrectContent(2, DAY, 1, release_wh, release_wh, "more", b"", added)


def test_an_hourly_day_is_corrected_upwards_in_the_hours_that_the_quorum_names(hourly_town: Town) -> None:
    town = hourly_town
    town.do(hour_issue(town))
    hours = (0,) * 11 + (30, 70) + (0,) * 11
    town.accredit(more(hours), by="Organisation 0")
    events = town.do(town.credit_action(2, DAY))
    made = [event for event in events if isinstance(event, Issued)]
    assert [event.end - event.start + 1 for event in made] == [30, 70]
    issued = [town.state.get(issuance_key(event.issuance)) for event in made]
    assert [entry.production_from for entry in issued] == [DAY * 86_400 + hour * 3_600 for hour in (11, 12)]  # type: ignore[union-attr]
    assert [entry.production_to for entry in issued] == [DAY * 86_400 + hour * 3_600 for hour in (12, 13)]  # type: ignore[union-attr]


@pytest.mark.parametrize("added", [(), (100,), (99, *(0,) * 23), (0,) * 24])
def test_refuses_a_correction_upwards_without_the_hours_of_what_it_adds(
    hourly_town: Town, added: tuple[int, ...]
) -> None:
    hourly_town.do(hour_issue(hourly_town))
    hourly_town.refuses(BadField, Propose(1, more(added)), by=("Organisation 0",))


def test_refuses_hours_in_a_correction_downwards_and_of_a_day_without_hours(hourly_town: Town) -> None:
    hourly_town.do(hour_issue(hourly_town))
    added = (1, *(0,) * 23)
    hourly_town.refuses(BadField, Propose(1, more(added, 700)), by=("Organisation 0",))
    other = CorrectContent(1, DAY, 1, 10_000_001, 10_000_001, "more", b"", added)
    hourly_town.refuses(BadField, Propose(1, other), by=("Organisation 0",))


def test_refuses_to_add_more_to_one_hour_than_the_nameplate_allows(hourly_town: Town) -> None:
    hourly_town.do(hour_issue(hourly_town))
    device = hourly_town.state.get(device_key(2))
    assert isinstance(device, Device)
    most = device.facts.capacity_w * 102 // 100
    over = more((most + 1, *(0,) * 23), 801 + most)
    hourly_town.refuses(BadField, Propose(1, over), by=("Organisation 0",))
    hourly_town.do(Propose(1, more((most, *(0,) * 23), 800 + most)), by=("Organisation 0",))


# --- the ladder of an hourly scheme


LADDER = (9_000, 600, 400)


@pytest.fixture
def ladder_town(town: Town) -> Town:
    enacted(town, replace(HOURLY, release_shares=LADDER))
    assert town.device("plant", scheme=3) == 2
    return town


def step_issue(town: Town, step: int, hours: tuple[int, ...], **changes: object) -> Issue:
    return hour_issue(town, hours, step=step, release_wh=sum(hours), **changes)


def steps_of_the_day() -> list[tuple[int, ...]]:
    up_to = [parts_released_up_to(HOURS, LADDER, step) for step in range(3)]
    return [up_to[0], *(tuple(map(sub, after, before)) for before, after in pairwise(up_to))]


def test_hours_climb_the_ladder_each_by_itself_until_nothing_is_missing(ladder_town: Town) -> None:
    made: dict[int, int] = {}
    for step, hours in enumerate(steps_of_the_day()):
        for event in ladder_town.do(step_issue(ladder_town, step, hours)):
            if isinstance(event, Issued):
                entry = ladder_town.state.get(issuance_key(event.issuance))
                hour = entry.production_from % 86_400 // 3_600  # type: ignore[union-attr]
                made[hour] = made.get(hour, 0) + event.end - event.start + 1
    assert made == {hour: energy_wh for hour, energy_wh in enumerate(HOURS) if energy_wh}
    assert ladder_town.certificates("plant") == 10 + sum(HOURS)


@given(
    st.lists(st.integers(0, 10**9), min_size=24, max_size=24),
    st.tuples(st.integers(1, 10_000), st.integers(0, 10_000)).map(
        lambda cut: (cut[0], min(cut[1], 10_000 - cut[0]), 10_000 - cut[0] - min(cut[1], 10_000 - cut[0]))
    ),
)
def test_every_hour_is_conserved_by_any_ladder(hours: list[int], shares: tuple[int, int, int]) -> None:
    before: tuple[int, ...] = (0,) * 24
    for step in range(3):
        up_to = parts_released_up_to(hours, shares, step)
        assert all(was <= now <= most for was, now, most in zip(before, up_to, hours, strict=True))
        assert sum(up_to) <= released_up_to(sum(hours), shares, step), "what the ledger lets a step release"
        before = up_to
    assert before == tuple(hours)


def test_refuses_a_first_step_that_releases_more_than_its_share(ladder_town: Town) -> None:
    ladder_town.refuses(EnergyBound, step_issue(ladder_town, 0, HOURS))


def test_refuses_a_correction_of_the_rest_before_its_step(ladder_town: Town) -> None:
    ladder_town.refuses(StepOrder, step_issue(ladder_town, 1, steps_of_the_day()[1]))


@pytest.mark.parametrize("hours", [(), (800,), (*HOURS[:-1], 51), (*HOURS, 0)[:23]])
def test_refuses_hours_that_are_missing_or_do_not_add_up(hourly_town: Town, hours: tuple[int, ...]) -> None:
    hourly_town.refuses(BadField, hour_issue(hourly_town, hours))


def test_refuses_hours_where_nothing_is_told_by_the_hour(town: Town) -> None:
    attested = town.attested(town.device_id, DAY + 1, 800, hours_wh=HOURS)
    town.refuses(BadField, town.issue_action(town.device_id, (attested,)))


def test_refuses_a_plant_whose_intervals_straddle_hours(hourly_town: Town) -> None:
    content = DeviceContent(hourly_town.id("plant"), 3, replace(WIND, interval_s=2_700), FAR)
    hourly_town.refuses(BadField, Propose(hourly_town.id("plant"), content), by=("plant",))


def test_what_pays_a_debt_is_taken_off_the_first_hours() -> None:
    assert hourly([(1, (5, 0, 7)), (2, (1, 2))], 8) == [(86_400 + 7_200, 4), (172_800, 1), (172_800 + 3_600, 2)]
