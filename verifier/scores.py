"""How far a day's claim exceeds what the model allows: four one-sided scores, each with a tolerance from the baseline.

Only over-claim is fraud: curtailment, soiling and outages must pass, so nothing here looks at missing energy.

    total   claimed over expected energy of the day: scale, busy generators
    over    the sum of the excesses of single intervals: shifts, replays, flat blocks
    idle    excess where next to nothing is expected: a generator in calm or dusk
    low     excess where little is expected
"""

from collections.abc import Sequence

import numpy as np

from state.codec import Wire
from verifier.intake import MISSING, Flags, Ints

IDLE_PPM, LOW_PPM = 10_000, 100_000  # expected power, of nameplate
NAMES = ("total", "over", "idle", "low")
FLOORS_PPM = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)  # candidates, of nameplate over the whole day
RESERVE_PERCENT = 110  # the next day may pass the highest of n honest ones; a tenth on top makes that rare
LEAST_PPM = 1_000  # no tolerance is below 0.1 % of nameplate over the day: that is the meter's own error


class Tolerance(Wire, frozen=True):
    """A score may reach `share_ppm` of (its expected energy + the floor)."""

    share_ppm: int
    floor_ppm: int


class DayScore(Wire, frozen=True):
    """Claimed excess and expected energy of each score, in ppm of nameplate x intervals."""

    excess: tuple[int, ...]
    base: tuple[int, ...]


def score(power_ppm: Ints, expected_ppm: Ints, known: Flags) -> DayScore:
    """Intervals without power neither claim nor lend; intervals without climate allow nothing."""
    present = power_ppm != MISSING
    power = np.where(present, power_ppm, 0)
    allowed = np.where(present & known, expected_ppm, 0)
    over = np.maximum(power - allowed, 0)
    idle = present & (allowed <= IDLE_PPM)
    low = present & ~idle & (allowed <= LOW_PPM)
    return DayScore(
        (int((power - allowed).sum()), int(over.sum()), int(over[idle].sum()), int(over[low].sum())),
        (int(allowed.sum()), int(allowed.sum()), int(idle.sum()) * IDLE_PPM, int(allowed[low].sum())),
    )


def fit_tolerances(days: Sequence[DayScore], slots: int) -> tuple[Tolerance, ...]:
    """For each score the floor that makes the average tolerance tightest, and the highest honest day under it."""
    return tuple(_fit([(day.excess[i], day.base[i]) for day in days], slots) for i in range(len(NAMES)))


def _fit(days: Sequence[tuple[int, int]], slots: int) -> Tolerance:
    best: tuple[int, Tolerance] | None = None
    total = sum(base for _, base in days)
    for floor in FLOORS_PPM:
        share = max(max(0, excess) * 1_000_000 // (base + floor * slots) for excess, base in days)
        share = (share + 1) * RESERVE_PERCENT // 100
        width = share * (total + floor * slots * len(days))
        if best is None or width < best[0]:
            best = width, Tolerance(share, floor)
    assert best is not None
    return best[1]


def allowances(day: DayScore, tolerances: Sequence[Tolerance], slots: int) -> tuple[int, ...]:
    """What each score may reach on this day."""
    return tuple(
        max(LEAST_PPM * slots, tolerance.share_ppm * (base + tolerance.floor_ppm * slots) // 1_000_000)
        for base, tolerance in zip(day.base, tolerances, strict=True)
    )


def exceeded(day: DayScore, tolerances: Sequence[Tolerance], slots: int) -> str | None:
    """The name of the first score beyond its tolerance, or None."""
    for name, excess, limit in zip(NAMES, day.excess, allowances(day, tolerances, slots), strict=True):
        if excess > limit:
            return name
    return None
