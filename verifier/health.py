"""Is the evidence itself broken? A dead, stuck or copied sensor proves nothing, so the energy waits: hold.

Nothing here accuses. Nacelle wind of exactly 0 for hours is calm, not a fault.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from verifier.device import INSOLATION_CHANNEL, WIND_CHANNEL, DeviceFacts
from verifier.finding import FROST, Finding, by_day
from verifier.intake import (
    COLDEST_CENTI_C,
    HOTTEST_CENTI_C,
    MISSING,
    DayReadings,
    Flags,
    Ints,
    Series,
    longest_runs,
)
from verifier.solar import MAX_LIGHT_MW, Sun, light_mw, light_of
from verifier.tables import sine_of_degrees

UNSEEN_PERCENT = 10  # of a day's energy may lie in intervals without climate; the model still counts it as unexplained
IDLE_PPM = 1_000  # of nameplate over the day: too little energy to ask anything about
STUCK_S = 7_200  # equal climate for two hours
DEAD_LIGHT_MW = 10_000  # mean light while the sun stands high
DEAD_WIND_MM_S = 300  # strongest wind of a day
DEAD_POWER_PPM = 20_000  # mean power that contradicts a dead sensor
GALE_MM_S = 75_000
DARK_LIGHT_MW = -5_000  # pyranometers read slightly below zero at night
STUCK_LIGHT_MW = 20_000
STUCK_WIND_MM_S = 500
FROST_CENTI_C = 200  # median of a day: wet air freezes onto an anemometer from about 2 C down
REPLAY_VALUES = 12  # distinct climate values that a copied day must share


def check(
    device: DeviceFacts,
    days: Sequence[DayReadings],
    series: Series,
    sun: Sun | None,
    alike: Sequence[Sequence[DayReadings]],
) -> list[list[Finding]]:
    """Findings about the climate of each day; `series` and `sun` (None for wind) hold the days end to end.

    `alike`: for each day those before it among which copies of it are looked for.
    """
    climate = np.stack([climate_of(device, day) for day in days])
    missing = unusable(device, climate)
    power = np.maximum(series.power_ppm, 0).reshape(climate.shape)
    measured = missing.sum(axis=1) < device.slots
    found = [*_unseen(device, days, climate, missing, power), *_stuck(device, climate, missing, power)]
    found += [(place, finding) for place, finding in _dead(device, series, sun, power) if measured[place]]
    for place, before in enumerate(alike):
        found += [(place, finding) for finding in replay(device, climate[place], missing[place], before)]
    return by_day(len(days), found)


def lacking(device: DeviceFacts, days: Sequence[DayReadings]) -> tuple[str, ...]:
    """Measurements that the model corrects by and a record has not: without them seasons look like over-claims."""
    if not days:
        return ()
    climate = "insolation_mwh_m2" if device.technology == "solar" else "wind_mm_s"
    names = {"climate": climate, "temperature": "temperature_centi_c"}
    missing = {
        name: sum(int((getattr(day, field)[day.present] == MISSING).sum()) for day in days)
        for name, field in names.items()
    }
    present = sum(int(day.present.sum()) for day in days)
    return tuple(name for name, count in missing.items() if count * 100 > UNSEEN_PERCENT * present)


def frost(device: DeviceFacts, day: DayReadings) -> list[Finding]:
    """Whether a turbine's day was cold enough to freeze its anemometer: asked only of a day that the model refuses.

    What a frozen anemometer lets expect is no evidence against the claim, and none for it.
    """
    temperature = day.temperature_centi_c
    measured = np.sort(temperature[(temperature >= COLDEST_CENTI_C) & (temperature <= HOTTEST_CENTI_C)])
    if device.technology != "wind" or not len(measured):
        return []
    middle = int(measured[len(measured) // 2])
    return [Finding(FROST, 0, middle // 100, FROST_CENTI_C // 100)] if middle <= FROST_CENTI_C else []


def climate_of(device: DeviceFacts, day: DayReadings) -> Ints:
    """What the plant's model asks for: light or wind."""
    return day.insolation_mwh_m2 if device.technology == "solar" else day.wind_mm_s


def unusable(device: DeviceFacts, climate: Ints) -> Flags:
    """Where `climate_of` says nothing: not measured, impossible, or of a channel that the plant does not have."""
    channel = INSOLATION_CHANNEL if device.technology == "solar" else WIND_CHANNEL
    nothing: Flags = (climate == MISSING) | _out_of_range(device, climate) | (not device.channels & channel)
    return nothing


def _out_of_range(device: DeviceFacts, climate: Ints) -> Flags:
    if device.technology == "wind":
        low, high, value = 0, GALE_MM_S, climate
    else:
        low, high = DARK_LIGHT_MW, MAX_LIGHT_MW
        value = np.minimum(np.maximum(climate, -MAX_LIGHT_MW), MAX_LIGHT_MW) * 3_600 // device.interval_s
    outside: Flags = (climate != MISSING) & ((value < low) | (value > high))
    return outside


def _unseen(
    device: DeviceFacts, days: Sequence[DayReadings], climate: Ints, missing: Flags, power: Ints
) -> Iterator[tuple[int, Finding]]:
    """Too much energy in intervals without usable climate; an impossible value elsewhere is only remarked."""
    outside, temperature = _out_of_range(device, climate), np.stack([day.temperature_centi_c for day in days])
    strange = (temperature != MISSING) & ((temperature < COLDEST_CENTI_C) | (temperature > HOTTEST_CENTI_C))
    total, unseen = power.sum(axis=1), (power * missing).sum(axis=1)
    hidden = (total > IDLE_PPM * device.slots) & (unseen * 100 > UNSEEN_PERCENT * total)
    for place in np.flatnonzero(hidden).tolist():
        code = "climate_range" if (outside[place] & (power[place] > 0)).any() else "climate_missing"
        yield place, Finding(code, 0, int(unseen[place]) * 100 // int(total[place]), UNSEEN_PERCENT)
    for place in np.flatnonzero((outside | strange).any(axis=1) & ~hidden).tolist():
        yield place, Finding("climate_range", info=True)


def _dead(device: DeviceFacts, series: Series, sun: Sun | None, power: Ints) -> Iterator[tuple[int, Finding]]:
    if sun is None:
        values, limit = series.wind_mm_s.reshape(power.shape).max(axis=1), DEAD_WIND_MM_S
        mean_ppm = power.sum(axis=1) // device.slots
        asked = np.ones(len(power), dtype=np.bool_)
    else:
        high = (sun.up > sine_of_degrees(10)).reshape(power.shape)
        count = high.sum(axis=1)
        values = (light_of(device, series).reshape(power.shape) * high).sum(axis=1) // np.maximum(count, 1)
        mean_ppm, limit = (power * high).sum(axis=1) // np.maximum(count, 1), DEAD_LIGHT_MW
        asked = count * device.interval_s >= STUCK_S
    for place in np.flatnonzero(asked & (values < limit) & (mean_ppm > DEAD_POWER_PPM)).tolist():
        yield place, Finding("climate_dead", 0, int(values[place]), limit)


def _stuck(device: DeviceFacts, climate: Ints, missing: Flags, power: Ints) -> Iterator[tuple[int, Finding]]:
    """A run of equal values holds the day only where energy stands on it; a glow in the dark is only remarked."""
    if device.technology == "wind":
        counted = ~missing & (climate >= STUCK_WIND_MM_S)
    else:
        counted = ~missing & (light_mw(device, climate) >= STUCK_LIGHT_MW)
    for place, run, start in longest_runs(climate, counted, max(4, STUCK_S // device.interval_s)):
        carried = int(power[place, start : start + run].sum()) * 100
        light = carried <= UNSEEN_PERCENT * int(power[place].sum())
        yield place, Finding("climate_stuck", 0, run * device.interval_s // 60, STUCK_S // 60, info=light)


def replay(device: DeviceFacts, climate: Ints, missing: Flags, earlier: Sequence[DayReadings]) -> list[Finding]:
    """Climate equal to an earlier day's wherever it is not zero: weather does not repeat to the last digit."""
    if not earlier:
        return []
    counted = ~missing & (climate > 0)
    values = climate[counted]
    if not len(values):
        return []
    # Nearly every other day differs at the place of the highest value already.
    place = int(np.flatnonzero(counted)[int(np.argmax(values))])
    highest = climate[place]
    for other in reversed(earlier):
        theirs = climate_of(device, other)
        if theirs[place] == highest and np.array_equal(theirs[counted], values):
            return [Finding("climate_replay", 0, other.day)] if len(set(values.tolist())) >= REPLAY_VALUES else []
    return []
