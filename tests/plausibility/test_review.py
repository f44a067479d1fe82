"""The windows of a plant's own weather, asked step by step as validators do, beside the run over a finished file."""

import numpy as np
import pytest
from harness.plants import TURBINE, baseline, wind_days
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from state.attestation import D30, D90, PROMPT, STEP_DAYS
from state.units import DAY_S
from verifier.finding import Finding
from verifier.finished import Plant, case_of, conclude
from verifier.ladder import climb_step
from verifier.review import WeighedDay, review_step, span, weigh
from verifier.verdict import judge_day
from verifier.windows import LIMITS, RISE_LIMITS, RUNNING_LIMITS, WIND_LIMITS, Flag, OwnLimits, Tally

FIRST, SLOTS = 1_000, 144
FULL = 300_000 * SLOTS  # a day at 30 % of nameplate
STEPS = (PROMPT, D30, D90)
OWN = OwnLimits(WIND_LIMITS, RUNNING_LIMITS["wind"], RISE_LIMITS)


def made(factors: list[float]) -> dict[int, WeighedDay]:
    return {
        FIRST + place: WeighedDay("accept", (), Tally(int(FULL * factor), FULL, True))
        for place, factor in enumerate(factors)
    }


def outcomes(days: dict[int, WeighedDay], day: int) -> list[tuple[str, set[str]]]:
    found = [review_step(step, day, days, OWN, SLOTS) for step in STEPS]
    return [(outcome, {finding.code for finding in findings}) for outcome, findings in found]


def test_an_honest_day_passes_every_step() -> None:
    assert outcomes(made([1.0] * 200), FIRST + 100) == [("accept", set())] * 3


@pytest.mark.parametrize(
    ("factor", "expected"), [(1.06, ["accept", "accept", "reject"]), (1.1, ["accept", "reject", "reject"])]
)
def test_what_only_a_month_or_a_season_shows_costs_the_later_steps(factor: float, expected: list[str]) -> None:
    said = outcomes(made([1.0] * 95 + [factor] * 120), FIRST + 100)
    assert [outcome for outcome, _ in said] == expected


def test_what_a_week_shows_costs_the_day() -> None:
    said = outcomes(made([1.0] * 95 + [1.2] * 120), FIRST + 100)
    assert [outcome for outcome, _ in said] == ["reject"] * 3
    assert "window_7" in said[0][1]


def test_a_rise_alone_is_held_until_the_last_step_refuses_it() -> None:
    rise = Flag(FIRST + 20, 60, Finding("ramp", 0, 4, 61))
    said = [climb_step(step, [rise], FIRST) for step in STEPS]
    assert [outcome for outcome, _ in said] == ["hold", "hold", "reject"]
    assert climb_step(PROMPT, [rise, Flag(FIRST, 7, Finding("window_7"))], FIRST)[0] == "reject"
    assert climb_step(PROMPT, [changed(rise, spared=frozenset({FIRST}))], FIRST) == ("accept", ())


def test_days_that_were_refused_alone_still_count_in_the_week_but_not_in_the_month() -> None:
    days = made([1.0] * 95 + [1.2] * 120)
    for place in range(95, 215, 2):
        days[FIRST + place] = changed(days[FIRST + place], verdict="reject", findings=(Finding("model_day"),))
    assert outcomes(days, FIRST + 100)[0][0] == "reject"


@settings(max_examples=30)
@given(
    later=st.lists(st.floats(0, 3), min_size=1, max_size=40),
    earlier=st.lists(st.floats(0, 3), min_size=1, max_size=40),
    step=st.sampled_from(STEPS),
)
def test_nothing_beyond_the_steps_own_days_matters(later: list[float], earlier: list[float], step: int) -> None:
    day = FIRST + 200
    first, last = span(day, step)
    inside = [1.0 + 0.3 * (place % 5 == 0) for place in range(last - first + 1)]
    days = {first + place: one for place, one in enumerate(made(inside).values())}
    noise = {last + 1 + place: one for place, one in enumerate(made(later).values())}
    noise |= {first - 1 - place: one for place, one in enumerate(made(earlier).values())}
    assert review_step(step, day, days, OWN, SLOTS) == review_step(step, day, days | noise, OWN, SLOTS)


@pytest.mark.parametrize("factor", [1.0, 1.15, 1.3])
def test_prompt_steps_agree_with_the_run_over_a_finished_file(factor: float) -> None:
    commissioning, judged = 45, 60
    everything = wind_days(commissioning + judged)
    profile = baseline(TURBINE, everything[:commissioning])
    start = everything[0].day
    for place, day in enumerate(everything[commissioning + 20 :], commissioning + 20):
        lifted = np.minimum(day.power_w * int(factor * 100) // 100, TURBINE.nameplate_w)
        everything[place] = type(day)(**{**vars(day), "power_w": np.where(day.present, lifted, day.power_w)})
    verdicts = {
        day.day: judge_day(TURBINE, profile, day.day, day, everything[max(0, place - 40) : place])
        for place, day in enumerate(everything)
        if place >= commissioning
    }
    plant = Plant(TURBINE, profile, start * DAY_S, (start + commissioning) * DAY_S, everything, verdicts, {})
    case = case_of(plant, (), (), LIMITS)
    final = {day.day: verdict for day, verdict in conclude(case)}
    days = {day.day: weigh(TURBINE, day, verdicts[day.day]) for day in everything[commissioning:]}
    compared = 0
    for number, one in days.items():
        if one.verdict == "accept" and number + STEP_DAYS[PROMPT] <= everything[-1].day:
            outcome, _ = review_step(PROMPT, number, days, case.own, TURBINE.slots)
            assert (outcome == "accept") == (final[number].prompt_wh > 0 or final[number].energy_wh == 0), number
            compared += 1
    assert compared > 10
