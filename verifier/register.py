"""The meter's cumulative register against the readings of a day: two counts of one energy must agree.

The register counts what readings claim interval by interval, and goes on counting where readings are lost. So a day's
readings may sum up to less than the register moved (a gap; nobody gains by it), never to more: `register_differs`
holds the day. Research (verifier.md, 1 and 10): the register is a free check that survives lost messages.

The tolerance is stated, not fitted: 2 % for a meter and a transducer of class 1 each (IEC 62053-21), one step of the
register, whose length is read off its own values, 1 Wh a reading for the digits that were cut off, and the last
interval: a meter that stamps a reading with the register at its beginning counts it with the next.
"""

from collections.abc import Iterable, Sequence

from state.units import DAY_S
from verifier.finding import REGISTER
from verifier.reading import SignedReading

CLASS_PERCENT = 2
STEPS_WH = (100_000, 10_000, 1_000, 100, 10, 1)  # a register counts in one of these
DIGITS = range(6, 13)  # of the counters (in Wh) that are known to roll over
NEAR_ZERO = 50  # one part in so many of the last value: what follows a reset


def check_register(day: Sequence[SignedReading], before: SignedReading | None, interval_s: int) -> str:
    """`register_differs` where the day's readings claim more than its register moved, else nothing.

    `day` in any order, `before` the reading of the chain before the day's first, None at the chain's beginning. A day
    without two values of the register proves nothing either way.
    """
    chain = sorted(day, key=lambda signed: signed.seq)
    if before is not None and before.register_wh is not None and chain and before.seq < chain[0].seq:
        chain.insert(0, before)
    known = [signed for signed in chain if signed.register_wh is not None]
    if len(known) < 2:
        return ""
    first, last = known[0], known[-1]
    claimed = claimed_wh((one for one in chain if first.seq < one.seq <= last.seq), interval_s)
    moved = (last.register_wh or 0) - (first.register_wh or 0)
    allowed = moved + moved * CLASS_PERCENT // 100 + _step_wh(known) + (last.seq - first.seq)
    allowed += claimed_wh([last], interval_s)
    return REGISTER if moved < 0 or claimed > allowed else ""


def claimed_wh(readings: Iterable[SignedReading], interval_s: int) -> int:
    """Energy of the readings as a verdict counts it: of several values for one time, the smallest power."""
    watts: dict[int, int] = {}
    for signed in readings:
        reading = signed.reading
        if reading.power_w is not None and reading.timestamp % DAY_S % interval_s == 0:
            power = max(0, reading.power_w)
            watts[reading.timestamp] = min(power, watts.get(reading.timestamp, power))
    return sum(watts.values()) * interval_s // 3_600


def _step_wh(known: Sequence[SignedReading]) -> int:
    """The largest unit that all values of the day are whole multiples of."""
    values = [signed.register_wh or 0 for signed in known]
    return next(step for step in STEPS_WH if all(value % step == 0 for value in values))


def name_fall(before_wh: int, after_wh: int) -> str:
    """What a register that fell looks like: a rollover, a reset, or neither. Words of the refusal, not a verdict."""
    for digits in DIGITS:
        size = 10**digits
        if before_wh < size and before_wh * 100 >= size * 99 and after_wh * 100 <= size:
            return f"a rollover of a counter of {digits} digits"
    if after_wh * NEAR_ZERO <= before_wh:
        return "a reset, or another meter"
    return "a register that runs backwards"
