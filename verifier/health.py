"""Is the evidence itself broken? A dead, stuck or copied sensor proves nothing, so the energy waits: hold.

Nothing here accuses. Nacelle wind of exactly 0 for hours is calm, not a fault.
"""

from collections.abc import Sequence

import numpy as np

from verifier.device import INSOLATION_CHANNEL, WIND_CHANNEL, DeviceFacts
from verifier.finding import FROST, Finding
from verifier.intake import (
    COLDEST_CENTI_C,
    HOTTEST_CENTI_C,
    MISSING,
    DayReadings,
    Flags,
    Ints,
    Series,
    longest_run,
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
    device: DeviceFacts, day: DayReadings, series: Series, sun: Sun | None, earlier: Sequence[DayReadings]
) -> list[Finding]:
    """Findings of one day about its climate; `sun` is None for wind."""
    climate = climate_of(device, day)
    out_of_range = _out_of_range(device, climate)
    missing = unusable(device, climate)
    findings: list[Finding] = []
    power = np.maximum(series.power_ppm, 0)
    total = int(power.sum())
    if total > IDLE_PPM * device.slots and int(power[missing].sum()) * 100 > UNSEEN_PERCENT * total:
        code = "climate_range" if bool((out_of_range & (power > 0)).any()) else "climate_missing"
        findings.append(Finding(code, 0, int(power[missing].sum()) * 100 // total, UNSEEN_PERCENT))
    elif bool(out_of_range.any()) or _temperature_out(day.temperature_centi_c):
        findings.append(Finding("climate_range", info=True))
    if not missing.all():
        findings += _dead(device, series, sun)
        findings += _stuck(device, climate, missing, power)
        findings += replay(device, climate, missing, earlier)
    return findings


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


def _temperature_out(temperature: Ints) -> bool:
    return bool(((temperature != MISSING) & ((temperature < COLDEST_CENTI_C) | (temperature > HOTTEST_CENTI_C))).any())


def _dead(device: DeviceFacts, series: Series, sun: Sun | None) -> list[Finding]:
    power = np.maximum(series.power_ppm, 0)
    if sun is None:
        strongest = int(series.wind_mm_s.max())
        mean = int(power.sum()) // len(power)
        dead = strongest < DEAD_WIND_MM_S and mean > DEAD_POWER_PPM
        return [Finding("climate_dead", 0, strongest, DEAD_WIND_MM_S)] if dead else []
    high = sun.up > sine_of_degrees(10)
    if int(high.sum()) * device.interval_s < STUCK_S:
        return []
    light = int(light_of(device, series)[high].sum()) // int(high.sum())
    dead = light < DEAD_LIGHT_MW and int(power[high].sum()) // int(high.sum()) > DEAD_POWER_PPM
    return [Finding("climate_dead", 0, light, DEAD_LIGHT_MW)] if dead else []


def _stuck(device: DeviceFacts, climate: Ints, missing: Flags, power: Ints) -> list[Finding]:
    """A run of equal values holds the day only where energy stands on it; a glow in the dark is only remarked."""
    if device.technology == "wind":
        counted = ~missing & (climate >= STUCK_WIND_MM_S)
    else:
        counted = ~missing & (light_mw(device, climate) >= STUCK_LIGHT_MW)
    run, start = longest_run(climate, counted)
    if run < max(4, STUCK_S // device.interval_s):
        return []
    carried = int(power[start : start + run].sum()) * 100
    minutes = run * device.interval_s // 60
    return [Finding("climate_stuck", 0, minutes, STUCK_S // 60, info=carried <= UNSEEN_PERCENT * int(power.sum()))]


def replay(device: DeviceFacts, climate: Ints, missing: Flags, earlier: Sequence[DayReadings]) -> list[Finding]:
    """Climate equal to an earlier day's wherever it is not zero: weather does not repeat to the last digit."""
    if not earlier:
        return []
    counted = ~missing & (climate > 0)
    values = climate[counted]
    if len(set(values.tolist())) < REPLAY_VALUES:
        return []
    # Nearly every other day differs at the place of the highest value already.
    place = int(np.flatnonzero(counted)[int(np.argmax(values))])
    highest = climate[place]
    for other in reversed(earlier):
        theirs = climate_of(device, other)
        if theirs[place] == highest and np.array_equal(theirs[counted], values):
            return [Finding("climate_replay", 0, other.day)]
    return []
