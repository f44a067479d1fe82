"""Claims that no weather allows: more than the machine has, light or power without sun, readings that were made up."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from verifier.device import HORIZONTAL, DeviceFacts
from verifier.finding import Finding, by_day
from verifier.intake import MOST_NAMEPLATES, DayReadings, Flags, Ints, Series, runs_of
from verifier.solar import Sun, light_of, sun_of_days
from verifier.tables import sine_of_degrees

NAMEPLATE_PPM = 1_020_000  # honest readings reach 1.005
NIGHT_PPM = 10_000  # of nameplate: inverters and meters idle below it
NIGHT_DEGREES, NIGHT_DEGREES_ESTIMATED = -2, -6  # below the horizon; wider where coordinates are estimated
NIGHT_LIGHT_MW = 60_000
CLOUD_EDGE_PERCENT = 150  # light on a facing plane against outside the atmosphere; 1,360 W/m2 occurs
CLOUD_EDGE_MW = 100_000
FLAT_READINGS = 6  # at one level
FLAT_RUN = 3  # equal readings in a row that make a level; healthy records have none in 2,000 days
PAIR = 2  # enough where nothing else in the day repeats: a coarse meter repeats at many levels
FLAT_LOW_PPM, FLAT_HIGH_PPM = 50_000, 950_000
REPLAY_LOW_PPM = 20_000
REPLAY_READINGS = 12  # active intervals; fewer have too little shape to compare
SATURATED_PPM = 950_000
SHAPES = 1_024  # kept, a few kB each
NEARLY = 10**7  # cosine above 1 - 1e-7; honest clear days reach .99998


def check(
    device: DeviceFacts,
    days: Sequence[DayReadings],
    series: Series,
    sun: Sun | None,
    alike: Sequence[Sequence[DayReadings]],
) -> list[list[Finding]]:
    """Findings of each day, every one a contradiction of its claim; the arguments are those of `health.check`."""
    power_w = np.stack([day.power_w for day in days])
    found = [*_over_nameplate(device, days, power_w), *_flat(device, days, power_w)]
    for place, before in enumerate(alike):
        found += [(place, finding) for finding in _power_replay(device, days[place], before)]
    if sun is not None:
        found += [*_night(device, series), *over_sky(device, series, sun)]
    return by_day(len(days), found)


def _over_nameplate(device: DeviceFacts, days: Sequence[DayReadings], power_w: Ints) -> Iterator[tuple[int, Finding]]:
    for place, slot, watts in _highest(device, power_w, NAMEPLATE_PPM * device.nameplate_w // 1_000_000):
        yield place, Finding("over_nameplate", _at(device, days[place], slot), watts, device.nameplate_w)


def _night(device: DeviceFacts, series: Series) -> Iterator[tuple[int, Finding]]:
    """Whether a label is the start or the end of its interval is not known, so the sun is tried at both sides."""
    dark = dark_intervals(device, series)
    for place, slot, ppm in _highest(device, np.where(dark, series.power_ppm, 0), NIGHT_PPM):
        at_s, limit_w = int(series.times[place * device.slots + slot]), NIGHT_PPM * device.nameplate_w // 1_000_000
        yield place, Finding("night_power", at_s, ppm * device.nameplate_w // 1_000_000, limit_w)
    for place, slot, light in _highest(device, np.where(dark, light_of(device, series), 0), NIGHT_LIGHT_MW):
        yield place, Finding("night_light", int(series.times[place * device.slots + slot]), light, NIGHT_LIGHT_MW)


def dark_intervals(device: DeviceFacts, series: Series) -> Flags:
    """Intervals in which the sun is below the margin from one interval before the label to one after it."""
    margin = sine_of_degrees(NIGHT_DEGREES_ESTIMATED if device.coordinates_estimated else NIGHT_DEGREES)
    firsts = series.times[:: device.slots]
    before, at, after = (sun_of_days(device, (firsts + step * device.interval_s).tolist()).up for step in (-1, 0, 1))
    dark: Flags = np.maximum(np.maximum(before, after), at) < margin
    return dark


def over_sky(device: DeviceFacts, series: Series, sun: Sun) -> Iterator[tuple[int, Finding]]:
    light = light_of(device, series)
    bound = sun.outside_mw * CLOUD_EDGE_PERCENT // 100
    if device.plane == HORIZONTAL and not device.coordinates_estimated:
        bound = (bound * np.maximum(sun.up, 0) >> 30) + CLOUD_EDGE_MW * 2
    for place, slot, _ in _highest(device, light - bound, 0):
        index = place * device.slots + slot
        yield place, Finding("over_sky", int(series.times[index]), int(light[index]), int(bound[index]))


def _highest(device: DeviceFacts, values: Ints, limit: int) -> Iterator[tuple[int, int, int]]:
    """(place of the day, interval, value) of the highest of each day that has one above `limit`."""
    rows = values.reshape(-1, device.slots)
    for place in np.flatnonzero(rows.max(axis=1) > limit).tolist():
        slot = int(np.argmax(rows[place]))
        yield place, slot, int(rows[place, slot])


def _flat(device: DeviceFacts, days: Sequence[DayReadings], power_w: Ints) -> Iterator[tuple[int, Finding]]:
    low, high = (share * device.nameplate_w // 1_000_000 for share in (FLAT_LOW_PPM, FLAT_HIGH_PPM))
    levels: dict[int, dict[int, list[tuple[int, int]]]] = {}  # by day and W: each run's length and first reading
    for place, run, start in runs_of(power_w, (power_w >= low) & (power_w <= high), PAIR):
        levels.setdefault(place, {}).setdefault(int(power_w[place, start]), []).append((run, start))
    for place, of_day in levels.items():
        least = PAIR if len(of_day) == 1 else FLAT_RUN
        held = {watts: [run for run in runs if run[0] >= least] for watts, runs in of_day.items()}
        counts = {watts: sum(length for length, _ in runs) for watts, runs in held.items()}
        watts = max(counts, key=lambda level: counts[level])
        if counts[watts] >= FLAT_READINGS:
            yield place, Finding("flat", _at(device, days[place], held[watts][0][1]), watts, counts[watts])


def _power_replay(device: DeviceFacts, day: DayReadings, earlier: Sequence[DayReadings]) -> list[Finding]:
    """An earlier day again, at any scale. Q20 of nameplate, cut at 4: dot products stay under 2^44 x 1,440."""
    if not earlier:
        return []
    ours = shape(device.nameplate_w, day)
    active = ours > REPLAY_LOW_PPM * (1 << 20) // 1_000_000
    saturated = ours > SATURATED_PPM * (1 << 20) // 1_000_000
    if int(active.sum()) < REPLAY_READINGS or int(saturated.sum()) * 2 > int(active.sum()):
        return []
    others = np.concatenate([shape(device.nameplate_w, other) for other in earlier]).reshape(len(earlier), -1)
    dots = (others @ ours).tolist()
    squares = (others * others).sum(axis=1).tolist()
    own = int(ours @ ours)
    for other, dot, square in zip(reversed(earlier), reversed(dots), reversed(squares), strict=True):
        if square and dot * dot * NEARLY**2 > (NEARLY - 1) ** 2 * own * square:
            return [Finding("power_replay", 0, other.day)]
    return []


@lru_cache(maxsize=SHAPES)
def shape(nameplate_w: int, day: DayReadings) -> Ints:
    """Power in Q20 of nameplate, own use and missing intervals as nothing. Each of the days after it asks again."""
    q20: Ints = (np.minimum(day.watts, MOST_NAMEPLATES * nameplate_w) << 20) // nameplate_w
    return q20


def _at(device: DeviceFacts, day: DayReadings, slot: int) -> int:
    return day.day * 86_400 + slot * device.interval_s
