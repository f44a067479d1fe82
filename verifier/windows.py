"""Trailing windows of 7, 30 and 90 days: small constant over-claims that no single day shows.

A window adds up what a plant claimed and what was expected of it on the days that were neither held nor rejected.
Weather and sensor errors cancel over days, a cheat's factor does not, so what a window may exceed falls with its
length. The plant's own weather and every witness are asked alike. A window accuses only those of its days whose own
week claims too much, so that an honest month beside a tampered one keeps its energy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from state.codec import Wire
from verifier.finding import RAMP, Finding
from verifier.intake import MISSING, Flags, Ints

SHORT, LONG = (7,), (30, 90)
LENGTHS = (*SHORT, *LONG)
DAY = 1  # a witness is asked about single days too
HEARD_PERCENT = 66  # of a day's claim must lie in intervals that a witness knows, for it to speak about the day
FULL_PERCENT = 66  # of a window's days must count
FLOOR_PPM = 10_000  # of nameplate: expected energy is never taken smaller, so that calm weeks do not divide by nothing
RESERVE_PERCENT = 115  # on top of the highest of the commissioning windows
OWN = {7: "window_7", 30: "window_30", 90: "window_90"}

MOST_PPM = 250_000  # a day never counts for more excess: one wild day must not accuse its honest neighbours
BLAMED = 2  # a day is accused by a month or a season if its own week exceeds by half of what those may

RAMP_DAYS = 60  # an increase counts when it persists as long
RAMP_RATIO = 30  # days of each ratio in the cumulative sum


class Limits(Wire, frozen=True):
    """Share (ppm) by which claims may exceed expectation, by length in days."""

    shares: tuple[tuple[int, int], ...]

    def share(self, length: int) -> int:
        return dict(self.shares)[length]


# The highest honest exceedance of the open plants' years after commissioning, rounded up; `docs/VERIFIER.md` shows
# each plant's own, and what is refused and blocked when a site's limits come from the other sites only.
WIND_LIMITS = Limits(((7, 130_000), (30, 80_000), (90, 30_000)))
SOLAR_LIMITS = Limits(((7, 110_000), (30, 55_000), (90, 25_000)))
NEIGHBOUR_LIMITS = Limits(((DAY, 400_000), (7, 160_000), (30, 50_000), (90, 30_000)))
REANALYSIS_LIMITS = Limits(((DAY, 900_000), (7, 250_000), (30, 100_000), (90, 60_000)))
LIMITS: Mapping[str, Limits] = {
    "wind": WIND_LIMITS,
    "solar": SOLAR_LIMITS,
    "neighbour": NEIGHBOUR_LIMITS,
    "reanalysis": REANALYSIS_LIMITS,
}


@dataclass(frozen=True, eq=False)
class Balance:
    """Claimed and expected energy of the days from `first` on, ppm of nameplate x intervals; 0 where not counted."""

    first: int
    claimed: Ints
    expected: Ints
    counted: Flags
    slots: int

    def excess(self, length: int) -> tuple[Ints, Ints, Flags]:
        """For every day as the window's last: excess, the energy it is measured by, and whether enough days count."""
        days = _trailing(self.counted.astype(np.int64), length)
        claimed, expected = (_trailing(column, length) for column in (self.claimed, self.expected))
        return claimed - expected, expected + FLOOR_PPM * self.slots * days, days * 100 >= FULL_PERCENT * length


class Flag(Wire, frozen=True):
    """A window of `length` days up to day `end` that contradicts the claims in it, but for those of `spared` days."""

    end: int
    length: int
    finding: Finding
    spared: frozenset[int] = frozenset()


class Tally(Wire, frozen=True):
    """What one day says in a window, in ppm of nameplate x intervals."""

    claimed: int  # a wild day cut to `MOST_PPM` above what was expected
    expected: int
    speaks: bool  # whether enough of its claim lies in intervals with an expectation


def tally(power_ppm: Ints, expected_ppm: Ints, known: Flags) -> Tally:
    """Of one day's intervals."""
    heard, expected, speaks = _sums(power_ppm, expected_ppm, known, len(power_ppm))
    return Tally(int(_cut(heard, expected, len(power_ppm))[0]), int(expected[0]), bool(speaks[0]))


def balance_of(first: int, last: int, tallies: Mapping[int, Tally], slots: int) -> Balance:
    """`tallies`: of the days that count, by day; those that do not speak, or lie outside, are left out."""
    columns = [np.zeros(last - first + 1, dtype=np.int64) for _ in range(3)]
    for day, one in tallies.items():
        if one.speaks and first <= day <= last:
            for column, value in zip(columns, (one.claimed, one.expected, 1), strict=True):
                column[day - first] = value
    return Balance(first, columns[0], columns[1], columns[2] > 0, slots)


def balance(
    first: int,
    last: int,
    days: Ints,
    power_ppm: Ints,
    expected_ppm: Ints,
    known: Flags,
    counted: Flags,
    slots: int,
    cut: bool = True,
) -> Balance:
    """`days`: the numbers of the days with readings, in order, `slots` intervals each; `counted`: those that count.

    `cut`: wild days are cut to `MOST_PPM`, for sums over windows.
    """
    heard, expected, speaks = _sums(power_ppm, expected_ppm, known, slots)
    chosen = counted & speaks & (days >= first) & (days <= last)
    columns = [np.zeros(last - first + 1, dtype=np.int64) for _ in range(3)]
    claimed = _cut(heard, expected, slots) if cut else heard
    for column, values in zip(columns, (claimed, expected, np.ones(len(days), dtype=np.int64)), strict=True):
        column[days[chosen] - first] = values[chosen]
    return Balance(first, columns[0], columns[1], columns[2] > 0, slots)


def _sums(power_ppm: Ints, expected_ppm: Ints, known: Flags, slots: int) -> tuple[Ints, Ints, Flags]:
    """By day: what was claimed and expected where both are known, and whether that is enough of the day's claim."""
    both = (known & (power_ppm != MISSING)).reshape(-1, slots)
    power = np.where(power_ppm == MISSING, 0, np.maximum(power_ppm, 0)).reshape(-1, slots)
    heard = (power * both).sum(axis=1)
    speaks = (heard * 100 >= HEARD_PERCENT * power.sum(axis=1)) & both.any(axis=1)
    return heard, (expected_ppm.reshape(-1, slots) * both).sum(axis=1), speaks


def _cut(heard: Ints, expected: Ints, slots: int) -> Ints:
    most: Ints = expected + MOST_PPM * (expected + FLOOR_PPM * slots) // 1_000_000
    return np.minimum(heard, most)


def widened(limits: Limits, commissioning: Balance) -> Limits:
    """The limits, raised where the honest commissioning windows themselves went higher."""
    shares = []
    for length, share in limits.shares:
        excess, base, full = commissioning.excess(length)
        highest = max((excess[full] * 1_000_000 // base[full]).tolist(), default=0)
        shares.append((length, max(share, highest * RESERVE_PERCENT // 100)))
    return Limits(tuple(shares))


def flags_of(one: Balance, limits: Limits, lengths: Sequence[int] = LENGTHS, code: str = "") -> list[Flag]:
    """Windows whose claims nobody's weather explains; `code` names the witness, else the plant's own is named."""
    flags = []
    for length in lengths:
        excess, base, full = one.excess(length)
        share = limits.share(length)
        # Products stay under 2^63: 90 days x 1,440 intervals x 10^6 ppm x 10^6.
        over = full & (excess > share * base // 1_000_000)
        spared = _spared(one, share // BLAMED) if length in LONG else frozenset()
        for place in np.flatnonzero(over).tolist():
            percent = int(excess[place]) * 100 // int(base[place])
            flags.append(
                Flag(one.first + place, length, Finding(code or OWN[length], 0, percent, share // 10_000), spared)
            )
    return flags


def contradicted(witness: Balance, limits: Limits, day: int) -> int | None:
    """Percent by which one day's claim exceeds what the witness can explain; None where it does not contradict it."""
    place = day - witness.first
    if not witness.counted[place]:
        return None
    expected = int(witness.expected[place])
    excess, base = int(witness.claimed[place]) - expected, expected + FLOOR_PPM * witness.slots
    return excess * 100 // base if excess * 1_000_000 > limits.share(DAY) * base else None


def ramp_flags(own: Balance, limits: Limits) -> list[Flag]:
    """Cumulative sum of the 30-day ratios above what a season may exceed, once it has held for `RAMP_DAYS`."""
    excess, base, full = own.excess(RAMP_RATIO)
    allowed = limits.share(90)
    spared = _spared(own, allowed // BLAMED)
    flags: list[Flag] = []
    total, since = 0, 0
    for place in np.flatnonzero(full).tolist():
        ratio = int(excess[place]) * 1_000_000 // int(base[place])
        total = max(0, total + ratio - allowed)
        since = since + 1 if total else 0
        if since >= RAMP_DAYS and ratio > allowed:
            flags.append(Flag(own.first + place, RAMP_DAYS, Finding(RAMP, 0, ratio // 10_000, since), spared))
    return flags


def _spared(one: Balance, share: int) -> frozenset[int]:
    """Days whose own week, three days on either side, exceeds by no more than `share`."""
    claimed, expected, days = (_around(column) for column in (one.claimed, one.expected, one.counted.astype(np.int64)))
    mild = claimed - expected <= share * (expected + FLOOR_PPM * one.slots * days) // 1_000_000
    return frozenset((np.flatnonzero(mild) + one.first).tolist())


def _around(values: Ints) -> Ints:
    """Sums over three days on either side, fewer at the ends."""
    padded = np.concatenate([values, np.zeros(3, dtype=np.int64)])
    return _trailing(padded, 7)[3:]


def _trailing(values: Ints, length: int) -> Ints:
    sums = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values)])
    ends = np.arange(1, len(sums))
    trailing: Ints = sums[ends] - sums[np.maximum(ends - length, 0)]
    return trailing
