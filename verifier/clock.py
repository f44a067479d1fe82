"""Does the plant's clock agree with the sun?

Some loggers follow daylight saving under a label that does not, and their honest evenings then look like nights. The
middle of a plant's daily energy, against the middle of its daylight, gives the lag of its clock. Only whole hours that
persist for weeks are believed: a single shifted day is a claim, a season of one hour is a logger.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from state.units import DAY_S
from verifier.device import INDEPENDENT_CLIMATE, DeviceFacts
from verifier.intake import MISSING, DayReadings, Ints, Series, joined_series, series_of
from verifier.solar import Sun, incidence, light_mw, plane_light_mw, sun_of_days

HOUR_S = 3_600
WEEKS_DAYS = 21  # how far back the lag is looked for
FEWEST_DAYS = 14  # generating days that must agree
LIVELY_PPM = 20_000  # of nameplate over the day: a day that says something about the sun
OFF_HOUR_S = 1_200  # further from a whole hour than this is weather or the season, no clock
MOST_HOURS = 2
WHOLE_HOURS = (0, 1, -1, 2, -2)  # tried in this order on a window whose nights generate

# Energy and light of a day, each after its product with the local solar time in s after noon.
Moments = tuple[int, int, int, int]


def aligned(
    device: DeviceFacts,
    days: Sequence[DayReadings],
    befores: Sequence[DayReadings | None],
    lags: Sequence[int],
) -> Series:
    """The days as their clocks would show them without `lags` (s); labels stay, what they are compared with moves.

    The plant's own sensors share its clock, so only the sun moves. Independent climate keeps true time and moves too;
    intervals whose climate lies in the next day are left out of the comparison. `befores`: of each the day before it.
    """
    if not any(lags):
        return series_of(device, days)
    return joined_series([_aligned(device, *each) for each in zip(days, befores, lags, strict=True)])


def _aligned(device: DeviceFacts, day: DayReadings, before: DayReadings | None, lag_s: int) -> Series:
    series = series_of(device, [day])
    if lag_s == 0:
        return series
    series = replace(series, times=series.times - lag_s)
    if device.climate_source != INDEPENDENT_CLIMATE:
        return series
    shift = lag_s // device.interval_s
    earlier = series_of(device, [before]) if before is not None and before.day == day.day - 1 else None
    power = series.power_ppm.copy()
    power[:shift] = MISSING if shift > 0 and earlier is None else power[:shift]
    power[len(power) + shift :] = MISSING if shift < 0 else power[len(power) + shift :]
    return replace(
        series,
        power_ppm=power,
        temperature_centi_c=_moved(series.temperature_centi_c, _column(earlier, "temperature_centi_c"), shift),
        insolation_mwh_m2=_moved(series.insolation_mwh_m2, _column(earlier, "insolation_mwh_m2"), shift),
        wind_mm_s=_moved(series.wind_mm_s, _column(earlier, "wind_mm_s"), shift),
    )


def _column(series: Series | None, name: str) -> Ints | None:
    return None if series is None else getattr(series, name)


def _moved(values: Ints, earlier: Ints | None, shift: int) -> Ints:
    gap = np.full(abs(shift), MISSING, dtype=np.int64)
    if shift > 0:
        return np.concatenate([gap if earlier is None else earlier[-shift:], values[:-shift]])
    return np.concatenate([values[-shift:], gap])


def offset_of(moments: Sequence[Moments | None]) -> int | None:
    """Seconds by which the middle of the energy lies after the middle of the light; None without enough lively days."""
    return _offset(_sums(moments)[-1])


def offsets_before(moments: Sequence[Moments | None]) -> list[int | None]:
    """Of each day the `offset_of` the last three weeks before it."""
    sums = _sums(moments)
    weeks = zip([sums[0]] * WEEKS_DAYS + sums, sums[:-1], strict=False)
    return [_offset([now - then for then, now in zip(*pair, strict=True)]) for pair in weeks]


def _sums(moments: Sequence[Moments | None]) -> list[list[int]]:
    """Lively days and their moments, added up before each day and at the end."""
    sums = [[0] * 5]
    for found in moments:
        day = [0] * 5 if found is None else [1, *found]
        sums.append([total + value for total, value in zip(sums[-1], day, strict=True)])
    return sums


def _offset(sums: Sequence[int]) -> int | None:
    lively_days, energy_s, energy, light_s, light = sums
    return None if lively_days < FEWEST_DAYS else energy_s // max(1, energy) - light_s // max(1, light)


def lag_of(offset: int | None, usual: int) -> int | None:
    """The whole hours (in s) that explain an offset against the plant's usual one; None if none does."""
    if offset is None:
        return None
    hours = (offset - usual + HOUR_S // 2) // HOUR_S
    if abs(hours) > MOST_HOURS or abs(offset - usual - hours * HOUR_S) > OFF_HOUR_S:
        return None
    return hours * HOUR_S


def lively(device: DeviceFacts, days: Sequence[DayReadings]) -> list[bool]:
    """Whether each day generated enough to say something about the sun."""
    if not days:
        return []
    watts = np.stack([day.power_w for day in days])
    least = LIVELY_PPM * device.nameplate_w * device.slots // 1_000_000
    flags: list[bool] = (np.maximum(watts, 0).sum(axis=1) > least).tolist()
    return flags


def _reference(device: DeviceFacts, series: Series, sun: Sun) -> Ints:
    """Light that knows the true time: independent measurement, else the bare geometry."""
    if device.climate_source == INDEPENDENT_CLIMATE:
        light = light_mw(device, series.insolation_mwh_m2)
        return plane_light_mw(device, sun, light) if device.plane_known else light
    return np.maximum(incidence(device, sun) if device.plane_known else sun.up, 0) * (sun.up > 0)


def moments(device: DeviceFacts, days: Sequence[DayReadings]) -> list[Moments | None]:
    """Of each lively day, None of others."""
    if device.technology != "solar" or not days:
        return [None] * len(days)
    series = series_of(device, days)
    sun = sun_of_days(device, [day.day * DAY_S for day in days])
    local = (series.times + device.longitude_udeg * 240 // 1_000_000) % 86_400 - 43_200
    power, light = np.maximum(series.power_ppm, 0), _reference(device, series, sun)
    sums = [column.reshape(len(days), -1).sum(axis=1) for column in (local * power, power, local * light, light)]
    rows = zip(*(column.tolist() for column in sums), strict=True)
    return [row if speaks else None for speaks, row in zip(lively(device, days), rows, strict=True)]
