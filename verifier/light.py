"""Independent light: what a source beside a solar plant says that the plant should have given.

The source's light goes through the plant's own model (`solar.py`), which its own light taught at commissioning, at the
level at which the two agreed then. A curve from light to power alone would take every autumn on tilted modules for an
over-claim; a model fitted on the source's light would be flattened by its errors, and call every bright week one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verifier import link, solar
from verifier.climate import CODE
from verifier.device import DeviceFacts
from verifier.intake import MISSING, DayReadings, Flags, Ints, Series, series_of
from verifier.link import FEWEST_READINGS, OUTAGE_PERCENT, Witness
from verifier.solar import SolarYield


@dataclass(frozen=True, eq=False)
class Light:
    """Light on the horizontal within each interval (mWh/m2) at ascending times, with air temperature where known."""

    interval_s: int
    times: Ints
    insolation_mwh_m2: Ints
    temperature_centi_c: Ints


def light_of_days(station: DeviceFacts, days: Sequence[DayReadings]) -> Light:
    """The light of a source on the ledger; below nothing, as a sensor reads at night, is nothing."""
    series = series_of(station, days)
    light = series.insolation_mwh_m2
    known = light != MISSING
    bright = np.minimum(np.maximum(light[known], 0), solar.MAX_LIGHT_MW)
    return Light(station.interval_s, series.times[known], bright, series.temperature_centi_c[known])


def witness(
    device: DeviceFacts, model: SolarYield, series: Series, window: Flags, lag_s: int, skies: Sequence[Light]
) -> Witness | None:
    """`model`, `series`: the plant's, on its own clock, which is `lag_s` behind the sun's; `window` as for any
    witness."""
    times = series.times - lag_s
    sun = solar.sun_at(times, device.latitude_udeg, device.longitude_udeg)
    said = []
    for sky in skies:
        light = light_at(sky, times, device.interval_s, sun.up)
        seen = Series(times, series.power_ppm, series.wind_mm_s, _temperature_at(sky, times), light)
        expected, known = solar.expected(device, model, seen, sun)
        level_q20 = _level(series.power_ppm, expected, window & known)
        if level_q20:
            said.append(np.where(known, expected * level_q20 >> 20, MISSING))
    return link.middle(CODE, said) if said else None


def _level(power_ppm: Ints, expected_ppm: Ints, window: Flags) -> int:
    """What the plant gave by what the source's light let expect, outages dropped; 0 where too few readings have both.

    A source that reads high or low for ever, as satellites do over snow or sand, accuses nobody by it.
    """
    both = window & (power_ppm != MISSING)
    if int(both.sum()) < FEWEST_READINGS:
        return 0
    ran = both & (power_ppm * 100 >= expected_ppm * OUTAGE_PERCENT)
    return (int(power_ppm[ran].sum()) << 20) // max(1, int(expected_ppm[ran].sum()))


def light_at(sky: Light, times: Ints, interval_s: int, up: Ints) -> Ints:
    """Light within each of the plant's intervals; `MISSING` where the source has none, or its grid does not fit.

    A longer interval of the source is shared out by the height of the sun, shorter ones are added up.
    """
    if sky.interval_s % interval_s == 0:
        return _shared_out(sky, times, up)
    if interval_s % sky.interval_s:
        return np.full(len(times), MISSING, dtype=np.int64)
    total = np.zeros(len(times), dtype=np.int64)
    whole = np.ones(len(times), dtype=np.bool_)
    for offset in range(0, interval_s, sky.interval_s):
        part = _value_at(sky.times, sky.insolation_mwh_m2, times + offset)
        whole &= part != MISSING
        total += np.where(part == MISSING, 0, part)
    return np.where(whole, total, MISSING)


def _shared_out(sky: Light, times: Ints, up: Ints) -> Ints:
    """The parts of the source's interval that the plant has no reading for count by the sun of those it has."""
    begins = times - times % sky.interval_s
    value = _value_at(sky.times, sky.insolation_mwh_m2, begins)
    height = np.maximum(up, 1) >> 10  # Q20: an hour of minutes stays far inside 64 bits
    _, group = np.unique(begins, return_inverse=True)
    sums = np.zeros(int(group.max()) + 1 if len(group) else 0, dtype=np.int64)
    np.add.at(sums, group, height)
    lone = sums[group] == 0  # the sun is down: evenly
    counts = np.bincount(group)[group] if len(group) else sums
    part = np.where(lone, value // np.maximum(counts, 1), value * height // np.maximum(sums[group], 1))
    return np.where(value == MISSING, MISSING, part)


def _temperature_at(sky: Light, times: Ints) -> Ints:
    """Never the plant's own: who forges its light forges that too."""
    return _value_at(sky.times, sky.temperature_centi_c, times - times % sky.interval_s)


def _value_at(at: Ints, values: Ints, times: Ints) -> Ints:
    if not len(at):
        return np.full(len(times), MISSING, dtype=np.int64)
    places = np.minimum(np.searchsorted(at, times), len(at) - 1)
    return np.where(at[places] == times, values[places], MISSING)
