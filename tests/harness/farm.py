"""Two made turbines in one wind, and an hourly climate that nobody of them owns."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from harness.plants import COMMISSIONING, FIRST_DAY, TURBINE, baseline, wind_days

from verifier.climate import Climate
from verifier.finished import Plant, case_of, conclude, grid_of
from verifier.intake import DayReadings
from verifier.ladder import FinalVerdict
from verifier.verdict import judge_day
from verifier.windows import LIMITS

DAYS = wind_days(75)
DICE = np.random.default_rng(11)


def plant(days: Sequence[DayReadings], seams: dict[int, int] | None = None) -> Plant:
    listed = list(days)
    profile = baseline(TURBINE, listed)
    verdicts = {
        day.day: judge_day(TURBINE, profile, day.day, day, listed[max(0, place - 5) : place])
        for place, day in enumerate(listed)
        if place >= COMMISSIONING
    }
    start = FIRST_DAY * 86_400
    return Plant(TURBINE, profile, start, start + COMMISSIONING * 86_400, listed, verdicts, seams or {})


def neighbour_of(days: Sequence[DayReadings]) -> list[DayReadings]:
    """A turbine of the same make in the same wind, with its own scatter."""
    return [
        replace(
            day,
            power_w=np.minimum(day.power_w * (1 + DICE.normal(0, 0.04, len(day.power_w))), 2_000_000).astype(np.int64),
        )
        for day in days
    ]


@cache
def beside() -> Plant:
    return plant(neighbour_of(DAYS))


def final(
    days: Sequence[DayReadings], others: Sequence[Plant] | None = None, climates: Sequence[Climate] = ()
) -> dict[int, FinalVerdict]:
    """By place in `days`; beside one honest neighbour unless told otherwise."""
    told = (beside(),) if others is None else others
    case = case_of(plant(days), [(other, grid_of(other)) for other in told], climates, LIMITS)
    return {day.day - FIRST_DAY: verdict for day, verdict in conclude(case)}


def hourly(days: Sequence[DayReadings], late_s: int = 0) -> Climate:
    wind = np.concatenate([day.wind_mm_s for day in days])
    times = FIRST_DAY * 86_400 + np.arange(len(wind), dtype=np.int64) * TURBINE.interval_s + late_s
    return Climate(times[::6], wind[::6] * 11 // 10)
