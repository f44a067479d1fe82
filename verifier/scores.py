"""How far a day's claim exceeds what the model allows: four one-sided scores, each with a tolerance from the baseline.

Only over-claim is fraud: curtailment, soiling and outages must pass, so nothing here looks at missing energy.

    total   claimed less expected energy of the day: scale, busy generators
    over    the sum of the excesses of single intervals: shifts, replays, flat blocks
    idle    excess where next to nothing is expected: a generator in calm or dusk
    low     excess where little is expected

A score is taken relative to its expected energy plus 2 % of nameplate, so that dull days do not divide by nothing.
Strong days have tolerances of their own, because weather is known best when there is much of it: a turbine at rated
power does not feel an error of its anemometer, and a clear sky leaves little to guess.
"""

from collections.abc import Sequence

import numpy as np

from state.codec import Wire
from verifier.intake import MISSING, Flags, Ints

IDLE_PPM, LOW_PPM = 10_000, 100_000  # expected power, of nameplate
NAMES = ("total", "over", "idle", "low")
FLOOR_PPM = 20_000  # of nameplate over the day
RESERVE_PERCENT = 115  # the next day may pass the highest of n honest ones; a seventh on top makes that rare
STRONG_PERCENT = {"wind": 60, "solar": 80}  # of the expected energy of the baseline's strongest day
# Tolerances never fall below these shares (ppm), because a baseline of one season has not seen the others: a nacelle
# anemometer reads wind to 3 to 4 %, which is 10 to 14 % of energy; a solar meter may idle a night through just below
# `physics.NIGHT_PPM`, a third of idle; where little is expected, turbines went to 22 % on an honest day.
LEAST_PPM = {"wind": (140_000, 150_000, 50_000, 250_000), "solar": (120_000, 150_000, 500_000, 250_000)}
LEAST_GUESSED_PPM = 1_000_000  # of low, under light not measured where the modules are: dusk defeats any model of it
LEAST_STRONG_PPM = {"wind": (80_000, 90_000), "solar": (170_000, 200_000)}


class DayScore(Wire, frozen=True):
    """Claimed excess and expected energy of each score, in ppm of nameplate x intervals."""

    excess: tuple[int, ...]
    base: tuple[int, ...]


class Tolerances(Wire, frozen=True):
    """Shares (ppm) that the scores may reach, and those of total and over on days expected to give `strong_from`."""

    usual: tuple[int, ...]
    strong: tuple[int, ...]
    strong_from: int  # ppm of nameplate x intervals


NOTHING_TOLERATED = Tolerances((0,) * len(NAMES), (0, 0), 0)  # where there is no model


def score(power_ppm: Ints, expected_ppm: Ints, known: Flags, unseen_claims: bool = False) -> DayScore:
    """Of one day; see `of_days`."""
    return of_days(power_ppm[None], expected_ppm[None], known[None], unseen_claims)[0]


def of_days(power_ppm: Ints, expected_ppm: Ints, known: Flags, unseen_claims: bool = False) -> list[DayScore]:
    """A row each. Intervals without power neither claim nor lend; those without climate allow nothing, and claim if
    asked to. Judging many days at once spares the cost of calling numpy for each.
    """
    present = (power_ppm != MISSING) & (known | unseen_claims)
    power = np.where(present, power_ppm, 0)
    allowed = np.where(present & known, expected_ppm, 0)
    over = np.maximum(power - allowed, 0)
    idle = present & (allowed <= IDLE_PPM)
    low = present & ~idle & (allowed <= LOW_PPM)
    whole = allowed.sum(axis=1)
    excess = (power.sum(axis=1) - whole, over.sum(axis=1), (over * idle).sum(axis=1), (over * low).sum(axis=1))
    base = (whole, whole, idle.sum(axis=1) * IDLE_PPM, (allowed * low).sum(axis=1))
    rows = zip(np.stack(excess, axis=1).tolist(), np.stack(base, axis=1).tolist(), strict=True)
    return [DayScore(tuple(of_excess), tuple(of_base)) for of_excess, of_base in rows]


def fit_tolerances(technology: str, guessed: bool, days: Sequence[DayScore], slots: int) -> Tolerances:
    """The share that the highest honest day of each kind reached, with its reserve, and never below the least.

    `guessed`: the weather is light that was not measured where the modules are.
    """
    strong_from = max(day.base[0] for day in days) * STRONG_PERCENT[technology] // 100
    usual = [day for day in days if day.base[0] < strong_from] or days
    strong = [day for day in days if day.base[0] >= strong_from]
    shares = LEAST_PPM[technology]
    shares = (*shares[:3], LEAST_GUESSED_PPM) if guessed else shares
    return Tolerances(
        tuple(_share(usual if i < 2 else days, i, least, slots) for i, least in enumerate(shares)),
        tuple(_share(strong, i, least, slots) for i, least in enumerate(LEAST_STRONG_PPM[technology])),
        strong_from,
    )


def _share(days: Sequence[DayScore], index: int, least: int, slots: int) -> int:
    highest = max(max(0, day.excess[index]) * 1_000_000 // (day.base[index] + FLOOR_PPM * slots) for day in days)
    return max(least, highest * RESERVE_PERCENT // 100)


def allowances(day: DayScore, tolerances: Tolerances, slots: int) -> tuple[int, ...]:
    """What each score may reach on this day."""
    shares = tolerances.usual
    if day.base[0] >= tolerances.strong_from:
        # A strong day is never given more than a usual one.
        shares = (*(min(pair) for pair in zip(tolerances.strong, shares[:2], strict=True)), *shares[2:])
    return tuple(share * (base + FLOOR_PPM * slots) // 1_000_000 for base, share in zip(day.base, shares, strict=True))


def exceeded(day: DayScore, tolerances: Tolerances, slots: int) -> int | None:
    """Which score is furthest beyond its tolerance, or None."""
    limits = allowances(day, tolerances, slots)
    worst = max(range(len(NAMES)), key=lambda i: day.excess[i] * 1_000 // max(1, limits[i]))
    return worst if day.excess[worst] > limits[worst] else None
