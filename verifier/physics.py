"""Claims that no weather allows: more than the machine has, light or power without sun, readings that were made up."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from verifier.device import HORIZONTAL, DeviceFacts
from verifier.finding import Finding
from verifier.intake import MOST_NAMEPLATES, DayReadings, Flags, Ints, Series, longest_run
from verifier.solar import Sun, light_of, sun_over
from verifier.tables import sine_of_degrees

NAMEPLATE_PPM = 1_020_000  # honest readings reach 1.005
NIGHT_PPM = 10_000  # of nameplate: inverters and meters idle below it
NIGHT_DEGREES, NIGHT_DEGREES_ESTIMATED = -2, -6  # below the horizon; wider where coordinates are estimated
NIGHT_LIGHT_MW = 60_000
CLOUD_EDGE_PERCENT = 150  # light on a facing plane against outside the atmosphere; 1,360 W/m2 occurs
CLOUD_EDGE_MW = 100_000
FLAT_READINGS = 6
FLAT_LOW_PPM, FLAT_HIGH_PPM = 50_000, 950_000
REPLAY_LOW_PPM = 20_000
REPLAY_READINGS = 12  # active intervals; fewer have too little shape to compare
SATURATED_PPM = 950_000
SHAPES = 1_024  # kept, a few kB each
NEARLY = 10**7  # cosine above 1 - 1e-7; honest clear days reach .99998


def check(
    device: DeviceFacts,
    day: DayReadings,
    series: Series,
    sun: Sun | None,
    earlier: Sequence[DayReadings],
) -> list[Finding]:
    """Findings of one day; every one of them contradicts the claim. `sun` is None for wind."""
    found = _over_nameplate(device, day) + _flat(device, day) + _power_replay(device, day, earlier)
    return found if sun is None else found + _night(device, series) + over_sky(device, series, sun)


def _over_nameplate(device: DeviceFacts, day: DayReadings) -> list[Finding]:
    slot = int(np.argmax(day.power_w))
    highest = int(day.power_w[slot])
    if highest * 1_000_000 <= NAMEPLATE_PPM * device.nameplate_w:
        return []
    return [Finding("over_nameplate", _at(device, day, slot), highest, device.nameplate_w)]


def _night(device: DeviceFacts, series: Series) -> list[Finding]:
    """Whether a label is the start or the end of its interval is not known, so the sun is tried at both sides."""
    dark = dark_intervals(device, series)
    found: list[Finding] = []
    power = np.where(dark, series.power_ppm, 0)
    slot = int(np.argmax(power))
    if int(power[slot]) > NIGHT_PPM:
        watts = int(power[slot]) * device.nameplate_w // 1_000_000
        found.append(
            Finding("night_power", int(series.times[slot]), watts, NIGHT_PPM * device.nameplate_w // 1_000_000)
        )
    light = np.where(dark, light_of(device, series), 0)
    slot = int(np.argmax(light))
    if int(light[slot]) > NIGHT_LIGHT_MW:
        found.append(Finding("night_light", int(series.times[slot]), int(light[slot]), NIGHT_LIGHT_MW))
    return found


def dark_intervals(device: DeviceFacts, series: Series) -> Flags:
    """Intervals in which the sun is below the margin from one interval before the label to one after it."""
    margin = sine_of_degrees(NIGHT_DEGREES_ESTIMATED if device.coordinates_estimated else NIGHT_DEGREES)
    up = sun_over(device, int(series.times[0]) - device.interval_s, len(series.times) + 2).up
    dark: Flags = np.maximum(np.maximum(up[:-2], up[2:]), up[1:-1]) < margin
    return dark


def over_sky(device: DeviceFacts, series: Series, sun: Sun) -> list[Finding]:
    light = light_of(device, series)
    bound = sun.outside_mw * CLOUD_EDGE_PERCENT // 100
    if device.plane == HORIZONTAL and not device.coordinates_estimated:
        bound = (bound * np.maximum(sun.up, 0) >> 30) + CLOUD_EDGE_MW * 2
    over = light - bound
    slot = int(np.argmax(over))
    return [Finding("over_sky", int(series.times[slot]), int(light[slot]), int(bound[slot]))] if over[slot] > 0 else []


def _flat(device: DeviceFacts, day: DayReadings) -> list[Finding]:
    low, high = (share * device.nameplate_w // 1_000_000 for share in (FLAT_LOW_PPM, FLAT_HIGH_PPM))
    run, start = longest_run(day.power_w, (day.power_w >= low) & (day.power_w <= high))
    if run < FLAT_READINGS:
        return []
    return [Finding("flat", _at(device, day, start), int(day.power_w[start]), run)]


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
