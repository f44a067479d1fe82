"""A plant in normal operation: its own level shows a factor that curtailment or the season would hide."""

from dataclasses import replace

import numpy as np
import pytest
from harness.plants import COMMISSIONING, TURBINE, baseline, wind_days

from verifier import wind
from verifier.finding import Finding
from verifier.health import lacking
from verifier.intake import MISSING, series_of
from verifier.ladder import climb, climb_step
from verifier.verdict import DayVerdict, judge_day
from verifier.wind import PLAIN_GAIN
from verifier.windows import (
    LONG,
    RISE_LIMITS,
    RUNNING_LIMITS,
    WIND_LIMITS,
    Balance,
    Flag,
    OwnLimits,
    exceedances,
    flags_of,
    running_balance,
    running_flags,
    running_of,
    tally,
    widened_running,
)

FIRST, SLOTS = 1_000, 144
OWN = OwnLimits(WIND_LIMITS, RUNNING_LIMITS["wind"], RISE_LIMITS)
HALF = np.full(SLOTS, 500_000, dtype=np.int64)
KNOWN = np.ones(SLOTS, dtype=np.bool_)


def ran(factors: list[float], curtailed: float = 0.0, level_ppm: int = 1_000_000) -> Balance:
    """Days at half of nameplate; in the first `curtailed` of each the plant is cut to a fifth."""
    cut = int(SLOTS * curtailed)
    tallies = {}
    for place, factor in enumerate(factors):
        power = (HALF * factor).astype(np.int64)
        power[:cut] = (HALF[:cut] * factor / 5).astype(np.int64)
        tallies[FIRST + place] = tally(power, HALF, KNOWN)
    return running_of(FIRST, FIRST + len(factors) - 1, tallies, SLOTS, level_ppm)


def test_curtailment_leaves_the_level_of_normal_operation_where_it_is() -> None:
    assert exceedances(ran([1.0] * 40, curtailed=0.6), 7)[-1] == 0
    assert running_flags(ran([1.0] * 120, curtailed=0.6), OWN) == []


@pytest.mark.parametrize("factor", [1.1, 1.2])
def test_a_factor_shows_through_curtailment(factor: float) -> None:
    """Cut to a fifth for most of the day, the plant claims less than its weather even at x1.2."""
    flags = running_flags(ran([1.0] * 90 + [factor] * 30, curtailed=0.6), OWN)
    assert any(flag.length == 30 and flag.end == FIRST + 119 for flag in flags)
    assert all(flag.end >= FIRST + 90 for flag in flags)


def test_a_plant_is_compared_with_its_own_level() -> None:
    usual = [1.08] * 60
    assert any(flag.length == 30 for flag in running_flags(ran(usual), OWN))
    assert running_flags(ran(usual, level_ppm=1_080_000), OWN) == []


def test_a_jump_above_the_weeks_before_is_seen_in_a_plant_that_ran_low() -> None:
    flags = running_flags(ran([0.92] * 60 + [1.05] * 7), OWN)
    assert {(flag.length, flag.lightly) for flag in flags} == {(7, False)}
    assert max(flag.end for flag in flags) == FIRST + 66


def test_a_recovery_to_the_usual_level_is_no_jump() -> None:
    assert running_flags(ran([0.75] * 60 + [1.0] * 30), OWN) == []


def test_weeks_with_next_to_no_operation_say_nothing() -> None:
    calm = np.full(SLOTS, 100_000, dtype=np.int64)
    days = {FIRST + place: tally(calm * 3 // 2, calm, KNOWN) for place in range(60)}
    assert running_flags(running_of(FIRST, FIRST + 59, days, SLOTS, 1_000_000), OWN) == []


def test_missing_power_is_no_normal_operation() -> None:
    holes = np.where(np.arange(SLOTS) % 2 == 0, MISSING, HALF)
    assert tally(holes, HALF, KNOWN).ran_claimed == int(HALF[1::2].sum())


def test_one_day_at_a_time_or_all_together_is_the_same_sum() -> None:
    dice = np.random.default_rng(5)
    power, expected = dice.integers(0, 1_000_000, (2, 20 * SLOTS))
    known = dice.random(20 * SLOTS) > 0.1
    days, all_days = np.arange(FIRST, FIRST + 20), np.ones(20, dtype=np.bool_)
    whole = running_balance(FIRST, FIRST + 19, days, power, expected, known, all_days, SLOTS, 1_030_000)
    rows = zip(power.reshape(20, -1), expected.reshape(20, -1), known.reshape(20, -1), strict=True)
    parts = {FIRST + place: tally(*row) for place, row in enumerate(rows)}
    alone = running_of(FIRST, FIRST + 19, parts, SLOTS, 1_030_000)
    for name in ("claimed", "expected", "counted"):
        assert getattr(whole, name).tolist() == getattr(alone, name).tolist()


def test_long_windows_refuse_lightly_and_weeks_do_not() -> None:
    flags = running_flags(ran([1.0] * 60 + [1.15] * 60), OWN)
    assert {flag.lightly for flag in flags if flag.length == 7} == {False}
    assert {flag.lightly for flag in flags if flag.length in LONG} == {True}


def test_one_day_above_the_plants_level_is_refused_lightly() -> None:
    flags = running_flags(ran([1.0] * 60 + [1.12] + [1.0] * 60), OWN)
    assert {(flag.end, flag.length, flag.lightly, flag.finding.code) for flag in flags} == {
        (FIRST + 60, 1, True, "window_1")
    }


def test_a_light_flag_leaves_what_is_prompt_however_soon_it_ends() -> None:
    day = DayVerdict("accept", (), 1_000, 1_000, 0, (), (), ())
    month = Flag(FIRST, 30, Finding("window_30", 0, 8, 7), lightly=True)
    final = climb(FIRST, day, [month], FIRST + 400)
    assert (final.verdict, final.prompt_wh, final.refused_wh) == ("reject", 900, 100)
    assert [climb_step(step, [month], FIRST)[0] for step in range(3)] == ["accept", "reject", "reject"]


def test_a_wild_commissioning_widens_weeks_by_their_highest_and_months_by_what_nineteen_in_twenty_pass() -> None:
    wild = ran([1.0] * 100 + [1.2] * 7 + [1.0] * 100)
    found = widened_running(RUNNING_LIMITS["wind"], wild)
    assert found.share(7) > RUNNING_LIMITS["wind"].share(7)
    assert found.share(30) == RUNNING_LIMITS["wind"].share(30)
    assert flags_of(wild, found, (7,)) == []


@pytest.mark.parametrize("strength", [0.0, 0.0035, 0.007])
def test_the_curve_learns_how_strongly_a_turbine_answers_to_cold_air(strength: float) -> None:
    """`strength`: by which share a kelvin lowers the power."""
    days = []
    for place, day in enumerate(wind_days(60, seed=3)):
        warm = np.full(SLOTS, 1_500 + (1_200 if place % 2 else -1_200), dtype=np.int64)
        power = np.minimum((day.power_w * (1 - strength * (warm - 1_500) / 100)).astype(np.int64), TURBINE.nameplate_w)
        days.append(replace(day, temperature_centi_c=warm, power_w=power))
    curve = wind.fit(series_of(TURBINE, days))
    assert (curve.gain > PLAIN_GAIN) == (strength > 0.005)
    ratios = []
    for part in (days[::2], days[1::2]):
        series = series_of(TURBINE, part)
        expected, _ = wind.expected(curve, series)
        middle = (expected > 150_000) & (expected < 850_000)
        ratios.append(series.power_ppm[middle].sum() / expected[middle].sum())
    assert abs(ratios[0] - ratios[1]) < 0.02


def test_without_a_thermometer_or_a_cold_and_a_warm_time_air_counts_by_density_alone() -> None:
    days = wind_days(45, seed=3)
    blind = [replace(day, temperature_centi_c=np.full(SLOTS, MISSING, dtype=np.int64)) for day in days]
    assert wind.fit(series_of(TURBINE, days)).gain == wind.fit(series_of(TURBINE, blind)).gain == PLAIN_GAIN


def test_holds_what_the_model_refuses_on_a_day_of_frost() -> None:
    days = wind_days()
    profile, judged = baseline(TURBINE, days), days[COMMISSIONING + 10]
    lifted = replace(judged, power_w=np.minimum(judged.power_w * 3 // 2, TURBINE.nameplate_w - np.arange(SLOTS) % 17))
    verdict = judge_day(TURBINE, profile, judged.day, lifted, days[:COMMISSIONING])
    assert (verdict.verdict, "climate_frost" in verdict.reasons) == ("reject", False)
    cold = replace(lifted, temperature_centi_c=np.full(SLOTS, -150, dtype=np.int64))
    verdict = judge_day(TURBINE, profile, judged.day, cold, days[:COMMISSIONING])
    assert verdict.verdict == "hold"
    assert {"climate_frost", "model_day"} <= set(verdict.reasons)
    honest = replace(judged, temperature_centi_c=cold.temperature_centi_c)
    assert "climate_frost" not in judge_day(TURBINE, profile, judged.day, honest, days[:COMMISSIONING]).reasons


def test_a_record_without_a_thermometer_lacks_a_sensor_and_one_with_a_few_holes_does_not() -> None:
    days = wind_days(20)
    blind = [replace(day, temperature_centi_c=np.full(SLOTS, MISSING, dtype=np.int64)) for day in days]
    assert lacking(TURBINE, days) == lacking(TURBINE, [*days[:19], blind[19]]) == lacking(TURBINE, []) == ()
    assert lacking(TURBINE, blind) == ("temperature",)
