"""The real plants: their honest energy passes, their known defects are found and named, fraud on them turns red."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from harness.plants import entries, records
from harness.shared import shared_folder

from bench.fraud import CLASSES, Scene
from state.codec import encode
from verifier.file_run import AUDIT_DAYS, DeviceEntry, judge_file_days
from verifier.intake import DayReadings
from verifier.profile import Profile
from verifier.verdict import HISTORY_DAYS, DayVerdict, judge_day

DEMO = {"1": "unit1_solar_serf_east_2016", "2": "unit2_solar_rsf2_2022", "3": "unit3_wind_lhb_2014"}
DATA = {
    "LHB-R80721": "wind_lhb_r80721_2014",
    "TR1": "wind_tr1_2018",
    "CN1": "solar_cn1_2019_2020",
    "CN3": "solar_cn3_2019_2020",
    "PVDAQ50-E": "solar_pvdaq50_2016",
}
ALONE_EVERY = 9
Judged = dict[date, DayVerdict]
_judged: dict[str, tuple[DeviceEntry, Profile, list[DayReadings], Judged]] = {}


def judged(unit: str) -> tuple[DeviceEntry, Profile, list[DayReadings], Judged]:
    """Entry, baseline, days and verdicts of one plant, made once for this module."""
    if unit not in _judged:
        folder = shared_folder("demo" if unit in DEMO else "data")
        entry, filled = entries(folder)[unit], records(folder / f"{(DEMO | DATA)[unit]}.csv.gz")
        profile, verdicts = judge_file_days(entry, filled, filled.days(entry))
        by_date = {date_of(day.day): verdict for day, verdict in verdicts}
        _judged[unit] = entry, profile, filled.days(entry), by_date
    return _judged[unit]


def date_of(day: int) -> date:
    return datetime.fromtimestamp(day * 86_400, UTC).date()


def accepted_percent(verdicts: Judged) -> float:
    total = sum(verdict.energy_wh for verdict in verdicts.values())
    return 100 * sum(verdict.accepted_wh for verdict in verdicts.values()) / total


@pytest.mark.parametrize(
    ("unit", "least"),
    [("3", 99.0), ("1", 95.0), ("LHB-R80721", 99.0), ("TR1", 99.0), ("CN1", 99.0), ("PVDAQ50-E", 95.0)],
)
def test_honest_energy_is_accepted(unit: str, least: float) -> None:
    _, profile, _, verdicts = judged(unit)
    assert profile.fit == ()
    assert accepted_percent(verdicts) >= least


def test_no_honest_day_of_the_demo_is_rejected() -> None:
    for unit in DEMO:
        verdicts = judged(unit)[3]
        assert verdicts
        assert "reject" not in {verdict.verdict for verdict in verdicts.values()}


def test_five_winter_days_are_no_baseline_so_unit_2_is_held_throughout() -> None:
    _, profile, _, verdicts = judged("2")
    assert "baseline_poor" in profile.fit
    assert {verdict.verdict for verdict in verdicts.values()} == {"hold"}
    assert all("baseline_poor" in verdict.reasons for verdict in verdicts.values())


def test_plane_of_unit_1_is_recognised_as_tilted_under_a_horizontal_sensor() -> None:
    assert judged("1")[1].model.transposed  # type: ignore[union-attr]


def test_doubled_hour_and_dead_thermometer_are_noted_in_the_baseline() -> None:
    noted = {date_of(named.day): named.codes for named in judged("LHB-R80721")[1].days_noted}
    assert noted == {
        date(2014, 3, 30): ("conflict",),
        date(2014, 6, 8): ("climate_range",),
        date(2014, 6, 9): ("climate_range",),
    }


def test_stuck_sensor_of_cn1_is_held_and_not_taken_for_light_at_night() -> None:
    verdict = judged("CN1")[3][date(2019, 9, 7)]
    assert verdict.verdict == "hold"
    assert "climate_stuck" in verdict.reasons
    assert "night_light" not in verdict.reasons


def test_curtailed_may_of_cn1_is_accepted() -> None:
    may = [verdict for day, verdict in judged("CN1")[3].items() if (day.year, day.month) == (2020, 5)]
    assert len(may) == 31
    assert {verdict.verdict for verdict in may} == {"accept"}


def test_copied_climate_and_copied_year_of_cn3_are_named_and_nothing_is_blamed_on_the_model() -> None:
    verdicts = judged("CN3")[3]
    assert all("baseline_poor" in verdict.reasons for verdict in verdicts.values())
    july = [verdict for day, verdict in verdicts.items() if (day.year, day.month) == (2019, 7)]
    assert sum("climate_replay" in verdict.reasons for verdict in july) >= 30
    assert {verdict.verdict for verdict in july} == {"hold"}
    spring = [verdict for day, verdict in verdicts.items() if day.year == 2020 and day < date(2020, 7, 1)]
    assert sum("power_replay" in verdict.reasons for verdict in spring) >= 173
    for verdict in verdicts.values():
        assert verdict.verdict != "reject" or "power_replay" in verdict.reasons or "flat" in verdict.reasons


def test_full_turbines_and_empty_days_of_tr1_are_accepted() -> None:
    verdicts = judged("TR1")[3]
    assert all("over_nameplate" not in verdict.reasons for verdict in verdicts.values())
    assert any("gap" in verdict.reasons and verdict.verdict == "accept" for verdict in verdicts.values())


# --- fraud on the demo's plants

LEAST_BLOCKED = {
    ("1", "1 idle diesel 20 %"): 99,
    ("1", "1 idle diesel 2 %"): 99,
    ("1", "3 replay, exact"): 95,
    ("1", "6 above nameplate"): 99,
    ("1", "7d joint evening"): 99,
    ("3", "1 idle diesel 20 %"): 99,
    ("3", "1 idle diesel 5 %"): 98,
    ("3", "1 idle diesel 2 %"): 90,
    ("3", "1d busy diesel +20 %"): 97,
    ("3", "2 scale x1.2"): 60,
    ("3", "2 scale x1.5"): 95,
    ("3", "3 replay, exact"): 99,
    ("3", "3 replay, 2 % noise"): 95,
    ("3", "5 flat, exact"): 99,
    ("3", "5 flat, 1 % noise"): 95,
    ("3", "6 above nameplate"): 99,
}


@pytest.mark.parametrize("unit", [*DEMO, *DATA])
def test_days_judged_together_have_the_verdicts_of_days_judged_alone(unit: str) -> None:
    entry, profile, days, verdicts = judged(unit)
    for place, day in enumerate(days):
        if place % ALONE_EVERY == 0 and date_of(day.day) in verdicts:
            alone = judge_day(entry.facts, profile, day.day, day, days[max(0, place - AUDIT_DAYS) : place])
            assert encode(alone) == encode(verdicts[date_of(day.day)]), date_of(day.day)


@pytest.mark.parametrize(("unit", "fraud"), LEAST_BLOCKED, ids=str)
def test_fraud_on_single_days_is_blocked(unit: str, fraud: str) -> None:
    entry, profile, days, verdicts = judged(unit)
    dice = np.random.default_rng(5)
    excess, passed = 0, 0
    for place, day in enumerate(days):
        if date_of(day.day) not in verdicts:
            continue
        before = days[max(0, place - HISTORY_DAYS) : place]
        tampered = CLASSES[fraud](Scene(entry.facts, profile, day, before, dice))
        if tampered is not None:
            verdict = judge_day(entry.facts, profile, day.day, tampered, before)
            excess += max(0, verdict.energy_wh - day.energy_wh)
            passed += max(0, verdict.accepted_wh - day.energy_wh)
    assert excess > 0
    blocked = 100 - 100 * passed / excess
    assert blocked >= LEAST_BLOCKED[unit, fraud], f"{blocked:.1f} % blocked"


@pytest.mark.parametrize(
    ("unit", "fraud", "code"),
    [
        ("1", "1 idle diesel 20 %", "night_power"),
        ("1", "3 replay, exact", "power_replay"),
        ("1", "6 above nameplate", "over_nameplate"),
        ("3", "1 idle diesel 20 %", "model_day"),
        ("3", "3 replay, exact", "power_replay"),
        ("3", "5 flat, exact", "flat"),
    ],
)
def test_fraud_is_named(unit: str, fraud: str, code: str) -> None:
    """The day of the demo's cheat must be red, with the reason in its own word."""
    entry, profile, days, _ = judged(unit)
    dice = np.random.default_rng(6)
    named = 0
    for place in range(len(days) - 12, len(days) - 2):
        before = days[max(0, place - HISTORY_DAYS) : place]
        tampered = CLASSES[fraud](Scene(entry.facts, profile, days[place], before, dice))
        assert tampered is not None
        verdict = judge_day(entry.facts, profile, days[place].day, tampered, before)
        named += verdict.verdict == "reject" and code in verdict.reasons
    assert named >= 7
