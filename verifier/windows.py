"""Trailing windows of 7, 30 and 90 days: small constant over-claims that no single day shows.

A window adds up what a plant claimed and what was expected of it on the days that were neither held nor rejected.
Weather and sensor errors cancel over days, a cheat's factor does not, so what a window may exceed falls with its
length. The plant's own weather and every witness are asked alike; of the plant's own a second sum is asked too, over
the intervals in which it ran normally (`running.py`), against its own level at commissioning. A window accuses only
those of its days whose own week claims too much, so that an honest month beside a tampered one keeps its energy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from state.codec import Wire
from verifier import running
from verifier.finding import RAMP, Finding
from verifier.intake import MISSING, Flags, Ints

SEASON = 90  # accuses lightly always: its alarm outlasts a fraud by months and must cost honest days no more
SHORT, LONG = (7,), (30, SEASON)
LENGTHS = (*SHORT, *LONG)
DAY = 1  # a witness is asked about single days too, and so is the plant in normal operation
HEARD_PERCENT = 66  # of a day's claim must lie in intervals that a witness knows, for it to speak about the day
FULL_PERCENT = 66  # of a window's days must count
FLOOR_PPM = 10_000  # of nameplate: expected energy is never taken smaller, so that calm weeks do not divide by nothing
RESERVE_PERCENT = 115  # on top of the highest of the commissioning windows
PASSING_PERCENT = {DAY: 98, 30: 95, 90: 95}  # of honest days stay under a limit that refuses lightly
OWN = {DAY: "window_1", 7: "window_7", 30: "window_30", 90: "window_90"}

MOST_PPM = 250_000  # a day never counts for more excess: one wild day must not accuse its honest neighbours
BLAMED = 2  # a day is accused by a month or a season if its own week exceeds by half of what those may

RAMP_DAYS = 60  # an increase counts when it persists as long
RAMP_RATIO = 30  # days of each ratio in the cumulative sum
BEFORE_DAYS = 30  # before a week, against which it must not rise too far
LEAST_LEVEL_PPM = 900_000  # a plant that ran at less may recover: a cleaning, a repair


class Limits(Wire, frozen=True):
    """Share (ppm) by which claims may exceed expectation, by length in days."""

    shares: tuple[tuple[int, int], ...]

    def share(self, length: int) -> int:
        return dict(self.shares)[length]


class OwnLimits(Wire, frozen=True):
    """For the plant's own weather: over all intervals, and over those of normal operation against its level."""

    whole: Limits
    running: Limits
    rise: Limits  # of normal operation against the weeks before
    level_ppm: int = 1_000_000  # claimed by expected energy of normal operation at commissioning


# The highest honest exceedance of the open plants' years after commissioning, rounded up; `docs/VERIFIER.md` shows
# each plant's own, and what is refused and blocked when a site's limits come from the other sites only.
WIND_LIMITS = Limits(((7, 130_000), (30, 80_000), (90, 30_000)))
SOLAR_LIMITS = Limits(((7, 110_000), (30, 55_000), (90, 25_000)))
NEIGHBOUR_LIMITS = Limits(((DAY, 360_000), (7, 160_000), (30, 50_000), (90, 30_000)))
NEIGHBOUR_LIGHT = Limits(((DAY, 160_000),))  # what one honest day in twenty passes: refuses only what still waits
REANALYSIS_LIMITS = Limits(((DAY, 900_000), (7, 250_000), (30, 100_000), (90, 60_000)))
# A source of light: the plant's own limits, and what the source may be off on top of them. Satellites are up to 3 % off
# at a place for a season; commissioning and now may lie on opposite sides. A day's light says nothing: half of it may.
SKY_PPM = 70_000
SKY_LIMITS = Limits(((DAY, 900_000), *((length, share + SKY_PPM) for length, share in SOLAR_LIMITS.shares)))
# Over normal operation: of weeks the highest honest one; of days, months and seasons, whose false alarm costs a tenth
# of a day, what one honest window in twenty of the technology passes (of days one in fifty), with its reserve. A month
# of light is trusted to 5 %, what daily totals of a pyranometer may be off (WMO Guide No. 8, "good quality").
RUNNING_LIMITS: Mapping[str, Limits] = {
    "wind": Limits(((DAY, 85_000), (7, 130_000), (30, 70_000), (90, 45_000))),
    "solar": Limits(((DAY, 85_000), (7, 130_000), (30, 50_000), (90, 35_000))),
}
SKY_RUNNING = Limits(tuple((length, share + SKY_PPM) for length, share in RUNNING_LIMITS["solar"].shares[1:]))
RISE_LIMITS = Limits(((7, 120_000),))
LIMITS: Mapping[str, Limits] = {
    "wind": WIND_LIMITS,
    "solar": SOLAR_LIMITS,
    "neighbour": NEIGHBOUR_LIMITS,
    "reanalysis": REANALYSIS_LIMITS,
    "running wind": RUNNING_LIMITS["wind"],
    "running solar": RUNNING_LIMITS["solar"],
    "rise": RISE_LIMITS,
    "sky": SKY_LIMITS,
    "running sky": SKY_RUNNING,
}


@dataclass(frozen=True, eq=False)
class Balance:
    """Claimed and expected energy of the days from `first` on, ppm of nameplate x intervals; 0 where not counted."""

    first: int
    claimed: Ints
    expected: Ints
    counted: Flags
    slots: int
    floor_ppm: int = FLOOR_PPM
    least_ppm: int = 0  # of nameplate, expected over a window that may speak

    def excess(self, length: int) -> tuple[Ints, Ints, Flags]:
        """For every day as the window's last: excess, the energy it is measured by, and whether enough days count."""
        days = _trailing(self.counted.astype(np.int64), length)
        claimed, expected = (_trailing(column, length) for column in (self.claimed, self.expected))
        full = (days * 100 >= FULL_PERCENT * length) & (expected >= self.least_ppm * self.slots * length)
        return claimed - expected, np.maximum(expected + self.floor_ppm * self.slots * days, 1), full


class Flag(Wire, frozen=True):
    """A window of `length` days up to day `end` that contradicts the claims in it, but for those of `spared` days."""

    end: int
    length: int
    finding: Finding
    spared: frozenset[int] = frozenset()
    lightly: bool = False  # it refuses what is withheld, however soon it ends


class Tally(Wire, frozen=True):
    """What one day says in a window, in ppm of nameplate x intervals."""

    claimed: int  # a wild day cut to `MOST_PPM` above what was expected
    expected: int
    speaks: bool  # whether enough of its claim lies in intervals with an expectation
    ran_claimed: int = 0  # the same of the intervals of normal operation
    ran_expected: int = 0


def tally(power_ppm: Ints, expected_ppm: Ints, known: Flags) -> Tally:
    """Of one day's intervals."""
    slots = len(power_ppm)
    heard, expected, speaks = _sums(power_ppm, expected_ppm, known, slots)
    ran = _running(power_ppm, expected_ppm, known, slots)
    whole = int(_cut(heard, expected, slots)[0]), int(expected[0]), bool(speaks[0])
    return Tally(*whole, *(int(column[0]) for column in ran))


def balance_of(first: int, last: int, tallies: Mapping[int, Tally], slots: int) -> Balance:
    """`tallies`: of the days that count, by day; those that do not speak, or lie outside, are left out."""
    chosen = {day: one for day, one in tallies.items() if one.speaks and first <= day <= last}
    sums = [(one.claimed, one.expected) for one in chosen.values()]
    return Balance(first, *_columns(first, last, list(chosen), sums), slots)


def running_of(first: int, last: int, tallies: Mapping[int, Tally], slots: int, level_ppm: int) -> Balance:
    """The same over normal operation, at the plant's level."""
    chosen = {day: one for day, one in tallies.items() if one.speaks and first <= day <= last}
    sums = [(one.ran_claimed, one.ran_expected * level_ppm // 1_000_000) for one in chosen.values()]
    return Balance(first, *_columns(first, last, list(chosen), sums), slots, 0, running.LEAST_PPM)


def _columns(first: int, last: int, days: Sequence[int], sums: Sequence[tuple[int, int]]) -> tuple[Ints, Ints, Flags]:
    claimed, expected, counted = (np.zeros(last - first + 1, dtype=np.int64) for _ in range(3))
    for day, (was, should) in zip(days, sums, strict=True):
        claimed[day - first], expected[day - first], counted[day - first] = was, should, 1
    return claimed, expected, counted > 0


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


def running_balance(
    first: int,
    last: int,
    days: Ints,
    power_ppm: Ints,
    expected_ppm: Ints,
    known: Flags,
    counted: Flags,
    slots: int,
    level_ppm: int,
) -> Balance:
    """`balance` over normal operation, at the plant's level."""
    claimed, expected = _running(power_ppm, expected_ppm, known, slots)
    chosen = counted & _sums(power_ppm, expected_ppm, known, slots)[2] & (days >= first) & (days <= last)
    columns = [np.zeros(last - first + 1, dtype=np.int64) for _ in range(3)]
    levelled = expected * level_ppm // 1_000_000
    for column, values in zip(columns, (claimed, levelled, np.ones(len(days), dtype=np.int64)), strict=True):
        column[days[chosen] - first] = values[chosen]
    return Balance(first, columns[0], columns[1], columns[2] > 0, slots, 0, running.LEAST_PPM)


def _running(power_ppm: Ints, expected_ppm: Ints, known: Flags, slots: int) -> tuple[Ints, Ints]:
    """Claimed, a wild day cut as always, and expected energy of normal operation by day."""
    rows = (power_ppm.reshape(-1, slots), expected_ppm.reshape(-1, slots), known.reshape(-1, slots))
    claimed, expected = running.sums(*rows)
    return np.minimum(claimed, expected + MOST_PPM * expected // 1_000_000), expected


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
        highest = max(exceedances(commissioning, length), default=0)
        shares.append((length, max(share, highest * RESERVE_PERCENT // 100)))
    return Limits(tuple(shares))


def widened_running(limits: Limits, commissioning: Balance) -> Limits:
    """The same over normal operation; of long windows one honest day in twenty may pass."""
    shares = []
    for length, share in limits.shares:
        seen = exceedances(commissioning, length)
        if length in SHORT:
            reached = max(seen, default=0) * RESERVE_PERCENT // 100
        else:
            reached = seen[len(seen) * PASSING_PERCENT[length] // 100] if seen else 0
            reached = reached * RESERVE_PERCENT // 100 if length == DAY else reached
        shares.append((length, max(share, reached)))
    return Limits(tuple(shares))


def widened_rise(limits: Limits, commissioning: Balance) -> Limits:
    shares = []
    for length, share in limits.shares:
        highest = max((rise for _, rise, _ in rises(commissioning, length)), default=0)
        shares.append((length, max(share, highest * RESERVE_PERCENT // 100)))
    return Limits(tuple(shares))


def exceedances(one: Balance, length: int) -> list[int]:
    """Share (ppm) by which each full window claims more than expected, in ascending order."""
    excess, base, full = one.excess(length)
    return sorted((excess[full] * 1_000_000 // base[full]).tolist())


def flags_of(
    one: Balance, limits: Limits, lengths: Sequence[int] = LENGTHS, code: str = "", lightly: bool = False
) -> list[Flag]:
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
            finding = Finding(code or OWN[length], 0, percent, share // 10_000)
            flags.append(Flag(one.first + place, length, finding, spared, lightly or length == SEASON))
    return flags


def running_flags(ran: Balance, limits: OwnLimits) -> list[Flag]:
    """Over normal operation. A long window's limit is one that honest days pass too, so it refuses lightly."""
    short = flags_of(ran, limits.running, SHORT) + _rise_flags(ran, limits.rise)
    return short + flags_of(ran, limits.running, (DAY, *LONG), lightly=True)


def _rise_flags(ran: Balance, limits: Limits) -> list[Flag]:
    """Weeks that run too far above the plant's own month before them: weather and seasons rise slower."""
    flags = []
    for length, share in limits.shares:
        for place, rise, reference in rises(ran, length):
            if rise > share:
                base = int(ran.excess(length)[1][place])
                percent = int(ran.excess(length)[0][place]) * 100 // base
                allowed = (reference * (1_000_000 + share) // 1_000_000 - 1_000_000) // 10_000
                flags.append(Flag(ran.first + place, length, Finding(OWN[length], 0, percent, allowed)))
    return flags


def rises(ran: Balance, length: int) -> list[tuple[int, int, int]]:
    """Place of each full window's last day, its rise (ppm) above the month before it, and the level of that month."""
    excess, base, full = ran.excess(length)
    month, month_base, month_full = ran.excess(BEFORE_DAYS)
    found = []
    for place in np.flatnonzero(full).tolist():
        before = place - length
        known = before >= 0 and month_full[before]
        reference = 1_000_000 + int(month[before]) * 1_000_000 // int(month_base[before]) if known else 1_000_000
        reference = max(reference, LEAST_LEVEL_PPM)
        level = 1_000_000 + int(excess[place]) * 1_000_000 // int(base[place])
        found.append((place, level * 1_000_000 // reference - 1_000_000, reference))
    return found


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
    mild = claimed - expected <= share * (expected + one.floor_ppm * one.slots * days) // 1_000_000
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
