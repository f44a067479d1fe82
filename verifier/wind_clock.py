"""Does a wind plant's clock agree with independent wind?

Power and anemometer share one logger, so a wrong clock harms no verdict on them; but a reanalysis keeps true time, and
a logger that stayed behind when its labels went to summer time would be compared with the wrong hour. An hour that
occurs twice, or not at all, is the seam of such a change; weeks of wind confirm or deny it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from verifier.climate import Climate, wind_at
from verifier.clock import HOUR_S, MOST_HOURS, OFF_HOUR_S
from verifier.intake import MISSING, Columns, Ints

SPAN_DAYS = 60  # of wind that are laid beside each other
FEWEST_DAYS = 28  # a front takes an hour to cross a region; a month of them tells an hour from none
STEP_DAYS = 7
TRIED_S = 3 * HOUR_S  # lags tried on either side
BELIEVED = 4  # weekly findings in a row that move a clock without a seam


def seam_of(day: Columns, interval_s: int) -> int:
    """+3600 where one whole hour of a day came twice with different values, -3600 where one is missing, else 0.

    The sign is how much later than its labels the weather of the following days is.
    """
    whole = HOUR_S // interval_s
    if whole < 2:
        return 0
    readings = set(zip(*(column.tolist() for column in day.all), strict=True))
    times = Counter(reading[0] for reading in readings)
    doubled = [time for time, values in times.items() if values > 1]
    if len(doubled) == whole and max(doubled) - min(doubled) == HOUR_S - interval_s:
        return HOUR_S
    day_start = min(times) // 86_400 * 86_400
    absent = sorted(set(range(day_start, day_start + 86_400, interval_s)) - times.keys())
    return -HOUR_S if len(absent) == whole and absent[-1] - absent[0] == HOUR_S - interval_s else 0


def lags_of(
    days: Sequence[int],
    seams: Mapping[int, int],
    power_ppm: Ints,
    times: Ints,
    slots: int,
    sources: Sequence[Climate],
    commissioned: int,
) -> tuple[Ints, Ints]:
    """For each day: seconds by which its weather is later than its labels, and the whole hours (s) among them.

    Days before `commissioned` set what is usual. A day's lag depends on no later day.
    """
    interval_s = 86_400 // slots
    shifted = [_shifted(source, times, interval_s) for source in sources]
    found: list[int | None] = []
    starts: list[int] = []
    start = 0
    for place, day in enumerate(days):
        if seams.get(day):
            start = place
        starts.append(start)
        enough = place + 1 - start >= FEWEST_DAYS and place % STEP_DAYS == 0
        first = max(start, place + 1 - SPAN_DAYS)
        found.append(_lag(power_ppm, shifted, first * slots, (place + 1) * slots, interval_s) if enough else None)
    bare = _walk(days, seams, [None] * len(days), 0)
    known = sorted(
        lag - seam for day, lag, seam in zip(days, found, bare, strict=True) if lag is not None and day < commissioned
    )
    usual = known[len(known) // 2] if known else 0
    hours = _walk(days, seams, found, usual)
    return np.array(hours, dtype=np.int64) + usual, np.array(hours, dtype=np.int64)


def _walk(days: Sequence[int], seams: Mapping[int, int], found: Sequence[int | None], usual: int) -> list[int]:
    """A doubled hour is believed at once, a missing one (outages look alike) only where it undoes an earlier shift."""
    hours: list[int] = []
    now, against = 0, 0
    for day, lag in zip(days, found, strict=True):
        seam = seams.get(day, 0)
        if seam > 0 or (seam < 0 and now + seam == 0):
            now, against = now + seam, 0
        seen = None if lag is None else _whole_hours(lag - usual)
        if seen is not None:
            against = against + 1 if seen != now else 0
            if against >= BELIEVED:
                now, against = seen, 0
        hours.append(now)
    return hours


def _whole_hours(offset: int) -> int | None:
    hours = (offset + HOUR_S // 2) // HOUR_S
    if abs(hours) > MOST_HOURS or abs(offset - hours * HOUR_S) > OFF_HOUR_S:
        return None
    return hours * HOUR_S


def _shifted(source: Climate, times: Ints, interval_s: int) -> list[tuple[int, Ints]]:
    return [(lag, wind_at(source, times + lag)) for lag in range(-TRIED_S, TRIED_S + 1, max(600, interval_s))]


def _lag(
    power_ppm: Ints, shifted: Sequence[Sequence[tuple[int, Ints]]], first: int, end: int, interval_s: int
) -> int | None:
    """The lag of the largest covariance, in the middle of the sources. Bound: 10^6 x 10^5 x 60 x 1,440 < 2^54."""
    best: list[int] = []
    for winds in shifted:
        scored: list[tuple[int, int]] = []
        for lag, wind in winds:
            power, other = power_ppm[first:end], wind[first:end]
            both = (power != MISSING) & (other != MISSING)
            if int(both.sum()) * 2 < end - first:
                continue
            p, w = power[both], other[both]
            centred = (p - int(p.sum()) // len(p)) * (w - int(w.sum()) // len(w))
            scored.append((int(centred.sum()) // len(p), -abs(lag)))
            if scored[-1] == max(scored):
                winner = lag
        if scored:
            best.append(winner)
    return sum(best) // len(best) if best else None
