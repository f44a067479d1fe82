"""Where the sun stands, how much of its light falls on tilted modules, and what a solar plant should yield from it.

Sun position: the low-precision formulas of the Astronomical Almanac, without refraction, as a vector (east, north, up),
so that no inverse function is needed; within 0.03 degrees of pvlib's. Transposition: Erbs splits the light into direct
and diffuse, Hay and Davies carry it to the plane, the ground reflects a fifth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from state.codec import Wire
from state.units import DAY_S
from verifier.device import DeviceFacts
from verifier.intake import MISSING, Flags, Ints, Series
from verifier.tables import ONE, brads, cosine, diffuse_table, sine, sine_of_degrees

J2000_S = 946_728_000
SOLAR_CONSTANT_MW = 1_361_000  # mW/m2 outside the atmosphere at the mean distance
MAX_LIGHT_MW = 3_000_000  # brighter readings are cut here before any product; physics names them
GROUND_PPM = 200_000  # share of light that the ground reflects
LOWEST_SUN = sine_of_degrees(5)  # direct light is divided by no smaller sine: near the horizon the split is a guess
LOSS_PPM_PER_K = 4_000  # crystalline modules lose 0.4 % a kelvin
STANDARD_CELL_CENTI_C = 2_500

HEIGHTS = np.array([sine_of_degrees(degrees) for degrees in (10, 20, 30, 45)], dtype=np.int64)
CLEARNESS = np.array([300, 600], dtype=np.int64)  # thousandths: overcast, broken, clear
CLASSES = (len(HEIGHTS) + 1) * 2 * (len(CLEARNESS) + 1)
DIM_MW = 20_000  # below this light a ratio of power to light means nothing
PRIOR_READINGS = 20  # a class of few readings leans on the whole plant's yield as if it had seen this many more
SPAN = 4_096  # intervals whose sun is worked out at once; a day alone is mostly the cost of calling numpy
SPANS = 64  # kept, 128 kB each
LIGHTS = 8  # days whose light is kept
OUTAGE_PERCENT = 30  # of the class's median yield: below it the plant was down, which is no weather


@dataclass(frozen=True, eq=False)
class Sun:
    """Q30 unit vector towards the sun, and the light it would give a facing plane outside the atmosphere."""

    east: Ints
    north: Ints
    up: Ints
    outside_mw: Ints

    @property
    def all(self) -> tuple[Ints, ...]:
        return self.east, self.north, self.up, self.outside_mw


class SolarYield(Wire, frozen=True, tag="solar"):
    """ppm of nameplate per mW/m2 in Q20, by class of sun height, morning or afternoon, and clearness."""

    yield_q20: tuple[int, ...]
    cap_ppm: int  # largest honest power: the inverter's limit
    transposed: bool  # whether the light is carried from the horizontal to the plane of the modules
    temperature_centi_c: int  # assumed where none was measured


def sun_at(times: Ints, latitude_udeg: int, longitude_udeg: int) -> Sun:
    """Vectors for seconds since 1970. Every product below stays under 2^62."""
    seconds = times - J2000_S
    anomaly = _degrees_e7(3_575_280_000 + seconds * 9_856_003 // 86_400)
    longitude = 2_804_600_000 + seconds * 9_856_474 // 86_400
    longitude = longitude + (19_150_000 * sine(anomaly) + 200_000 * sine(2 * anomaly) >> 30)
    tilt = _degrees_e7(234_390_000 - seconds * 4 // 86_400)
    ecliptic = _degrees_e7(longitude)
    x = cosine(ecliptic)
    y = cosine(tilt) * sine(ecliptic) >> 30
    z = sine(tilt) * sine(ecliptic) >> 30
    # Sidereal angle: 280.46061837 + 360.98564736629 a day, its whole turns taken out before multiplying.
    sidereal = 2_804_606_184 + (seconds % 86_400) * 3_600_000_000 // 86_400 + seconds * 985_647_366 // 8_640_000
    theta = _degrees_e7(sidereal) + brads(longitude_udeg)
    towards = x * cosine(theta) + y * sine(theta) >> 30
    east = y * cosine(theta) - x * sine(theta) >> 30
    latitude = np.array([brads(latitude_udeg)], dtype=np.int64)
    sin_lat, cos_lat = sine(latitude), cosine(latitude)
    up = sin_lat * z + cos_lat * towards >> 30
    north = cos_lat * z - sin_lat * towards >> 30
    outside = SOLAR_CONSTANT_MW + (SOLAR_CONSTANT_MW * 334 // 10_000 * cosine(anomaly) >> 30)
    return Sun(east, north, up, outside)


def sun_over(device: DeviceFacts, first_s: int, count: int) -> Sun:
    """`sun_at` for `count` >= 1 instants from `first_s` on, an interval apart."""
    number, phase_s = divmod(first_s, device.interval_s)
    first, last = number // SPAN, (number + count - 1) // SPAN
    place = (device.latitude_udeg, device.longitude_udeg, device.interval_s, phase_s)
    start = number - first * SPAN
    columns = _span(*place, first).all
    if last > first:
        spans = [_span(*place, span).all for span in range(first, last + 1)]
        columns = tuple(np.concatenate(parts) for parts in zip(*spans, strict=True))
    east, north, up, outside = (column[start : start + count] for column in columns)
    return Sun(east, north, up, outside)


def sun_of_days(device: DeviceFacts, firsts_s: Sequence[int]) -> Sun:
    """The suns of whole days end to end, each from its first instant on."""
    after_gap = [place for place in range(1, len(firsts_s)) if firsts_s[place] - firsts_s[place - 1] != DAY_S]
    runs = zip([0, *after_gap], [*after_gap, len(firsts_s)], strict=True)
    suns = [sun_over(device, firsts_s[start], (end - start) * device.slots).all for start, end in runs]
    return Sun(*(np.concatenate(parts) for parts in zip(*suns, strict=True)))


@lru_cache(maxsize=SPANS)
def _span(latitude_udeg: int, longitude_udeg: int, interval_s: int, phase_s: int, span: int) -> Sun:
    numbers = np.arange(span * SPAN, (span + 1) * SPAN, dtype=np.int64)
    return sun_at(numbers * interval_s + phase_s, latitude_udeg, longitude_udeg)


def _degrees_e7(angle: Ints) -> Ints:
    """Brads of an angle in 10^-7 degrees."""
    value: Ints = ((angle % 3_600_000_000) << 30) // 900_000_000  # 3.6e9 x 2^30 < 2^62
    return value


def light_mw(device: DeviceFacts, insolation_mwh_m2: Ints) -> Ints:
    """Mean irradiance of an interval in mW/m2; missing and negative readings are 0."""
    usable: Ints = np.minimum(
        np.maximum(insolation_mwh_m2, 0), MAX_LIGHT_MW
    )  # an hour of the limit; shorter intervals are cut below
    light: Ints = np.minimum(usable * 3_600 // device.interval_s, MAX_LIGHT_MW)
    return light


@lru_cache(maxsize=LIGHTS)
def light_of(device: DeviceFacts, series: Series) -> Ints:
    """`light_mw` of a day: five checks ask for it."""
    return light_mw(device, series.insolation_mwh_m2)


def plane_light_mw(device: DeviceFacts, sun: Sun, horizontal_mw: Ints) -> Ints:
    """Light on the plane of the modules from light on the horizontal, mW/m2."""
    up = np.maximum(sun.up, LOWEST_SUN)
    above = sun.outside_mw * up >> 30
    clearness = np.minimum(horizontal_mw * 1_000 // above, 1_000)
    diffuse = horizontal_mw * diffuse_table()[clearness] // 1_000_000
    direct = horizontal_mw - diffuse
    facing = np.maximum(incidence(device, sun), 0)
    gain = np.minimum((facing << 15) // up, 8 << 15)  # Q15: direct light on the plane over direct light on the ground
    circumsolar = np.minimum((direct << 15) // above, 1 << 15)  # Q15: share of diffuse light that comes from the sun
    tilt = np.array([brads(device.tilt_udeg)], dtype=np.int64)
    sky = (ONE + cosine(tilt)) >> 16  # Q15 of 2: half the sky's cosine, kept in Q14
    ground = (ONE - cosine(tilt)) >> 16
    from_sky = diffuse * (circumsolar * gain + ((1 << 15) - circumsolar) * sky >> 15) >> 15
    reflected = horizontal_mw * GROUND_PPM // 1_000_000 * ground >> 15
    light: Ints = (direct * gain >> 15) + from_sky + reflected
    return np.minimum(light, MAX_LIGHT_MW)


def incidence(device: DeviceFacts, sun: Sun) -> Ints:
    """Q30 cosine between the sun and the normal of the modules."""
    tilt, azimuth = (np.array([brads(angle)], dtype=np.int64) for angle in (device.tilt_udeg, device.azimuth_udeg))
    flat = sun.east * sine(azimuth) + sun.north * cosine(azimuth) >> 30
    return flat * sine(tilt) + sun.up * cosine(tilt) >> 30


def fit(device: DeviceFacts, series: Series, sun: Sun, transposed: bool) -> SolarYield:
    """Yield of each class: power over effective light of normal operation, outages dropped."""
    temperatures = np.sort(series.temperature_centi_c[series.temperature_centi_c != MISSING])
    usual = int(temperatures[len(temperatures) // 2]) if len(temperatures) else 1_500
    effective, light, lit = _effective(device, series, sun, transposed, usual)
    good = lit & (series.power_ppm != MISSING) & (light > DIM_MW)
    power, effective, classes = series.power_ppm[good], effective[good], _classes(sun, light, good)
    whole = _ratio(power, effective)
    prior_light = PRIOR_READINGS * int(effective.sum()) // max(1, len(effective))
    yields = []
    for index in range(CLASSES):
        members = classes == index
        p, e = power[members], effective[members]
        if len(p):
            rates = np.sort((p << 20) // np.maximum(e, 1))
            keep = (p << 20) // np.maximum(e, 1) * 100 >= OUTAGE_PERCENT * int(rates[len(rates) // 2])
            p, e = p[keep], e[keep]
        yields.append(((int(p.sum()) << 20) + whole * prior_light) // max(1, int(e.sum()) + prior_light))
    cap = int(np.sort(power)[-1 - len(power) // 1_000]) if len(power) else 0
    return SolarYield(tuple(yields), cap, transposed, usual)


def expected(device: DeviceFacts, model: SolarYield, series: Series, sun: Sun) -> tuple[Ints, Flags]:
    """Expected power in ppm of nameplate, and where it is known: with light measured, or with the sun well down."""
    effective, light, lit = _effective(device, series, sun, model.transposed, model.temperature_centi_c)
    classes = _classes(sun, light, np.ones(len(light), dtype=np.bool_))
    rates = np.array(model.yield_q20, dtype=np.int64)[classes]
    power = np.minimum(effective * rates >> 20, model.cap_ppm)
    return power, lit


def _effective(device: DeviceFacts, series: Series, sun: Sun, transposed: bool, usual: int) -> tuple[Ints, Ints, Flags]:
    """Light on the modules corrected for cell temperature, the light as measured, and where either is known."""
    measured = series.insolation_mwh_m2 != MISSING
    light = light_of(device, series)
    plane = plane_light_mw(device, sun, light) if transposed else light
    temperature = np.where(series.temperature_centi_c == MISSING, usual, series.temperature_centi_c)
    cell = temperature + plane * 3 // 1_000  # 0.03 K for each W/m2
    factor = 1_000_000 - LOSS_PPM_PER_K * (cell - STANDARD_CELL_CENTI_C) // 100
    factor = np.minimum(np.maximum(factor, 500_000), 1_300_000)
    return plane * factor // 1_000_000, light, measured


def _classes(sun: Sun, light: Ints, chosen: Flags) -> Ints:
    up = sun.up[chosen]
    height = np.searchsorted(HEIGHTS, up, side="right")
    above = sun.outside_mw[chosen] * np.maximum(up, LOWEST_SUN) >> 30
    clearness = np.searchsorted(CLEARNESS, light[chosen] * 1_000 // above, side="right")
    return (height * 2 + (sun.east[chosen] < 0)) * (len(CLEARNESS) + 1) + clearness


def _ratio(power: Ints, effective: Ints) -> int:
    return (int(power.sum()) << 20) // max(1, int(effective.sum()))
