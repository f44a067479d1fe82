"""A climate source: somebody else's wind or light at a place, by the hour, without a plant.

It stands on the ledger as a device of the technology `CLIMATE` that gives no power. Its days are looked at like a
sensor's: what is missing, stuck, copied or impossible is held, and a held day is heard by nobody. Whom it may speak for
follows from registration data alone, as with neighbours.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from state import records
from verifier import health, physics, solar
from verifier.device import (
    INDEPENDENT_CLIMATE,
    INSOLATION_CHANNEL,
    NO_COORDINATE,
    TEMPERATURE_CHANNEL,
    WIND_CHANNEL,
    DeviceFacts,
)
from verifier.finding import Finding
from verifier.intake import MISSING, DayReadings, Ints, longest_runs, series_of
from verifier.nearby import distance_m
from verifier.tables import sine_of_degrees

TECHNOLOGY = "CLIMATE"  # where a plant has its EECS code
REACH_M = {"wind": 30_000, "solar": 20_000}  # a cell of a global reanalysis; clouds, as between neighbours
MOST = 4
WHOLE_PERCENT = 75  # of a day's intervals, for the day to be heard
HIGH_SUN = sine_of_degrees(10)
CHANNEL = {"wind": WIND_CHANNEL, "solar": INSOLATION_CHANNEL}


def is_source(facts: records.DeviceFacts) -> bool:
    return facts.technology == TECHNOLOGY


def station_of(facts: records.DeviceFacts, technology: str) -> DeviceFacts:
    """The source as a station for plants of `technology`. It has no nameplate; one watt stands for none."""
    return DeviceFacts(
        technology="wind" if technology == "wind" else "solar",
        nameplate_w=1,
        interval_s=facts.interval_s,
        latitude_udeg=facts.latitude_udeg,
        longitude_udeg=facts.longitude_udeg,
        coordinates_estimated=facts.coordinates_estimated,
        channels=facts.channels,
        climate_source=INDEPENDENT_CLIMATE,
    )


def measured(facts: records.DeviceFacts) -> tuple[str, ...]:
    """The technologies of the plants that a source can speak for."""
    return tuple(technology for technology, channel in CHANNEL.items() if facts.channels & channel)


def problem_of(facts: records.DeviceFacts) -> tuple[str, str] | None:
    """Field and reason why these cannot be the facts of a source."""
    if not measured(facts):
        return "channels", "a climate source measures wind or insolation"
    if facts.channels & ~(WIND_CHANNEL | TEMPERATURE_CHANNEL | INSOLATION_CHANNEL):
        return "channels", "unknown bits"
    if facts.capacity_w or facts.fuel or facts.gsrn:
        return "capacity_w", "a climate source has no power, fuel or GSRN"
    if facts.coordinates_estimated or NO_COORDINATE in (facts.latitude_udeg, facts.longitude_udeg):
        return "latitude_udeg", "a climate source has a place"
    if facts.channels & WIND_CHANNEL and not facts.hub_height_cm:
        return "hub_height_cm", "a source of wind names the height"
    return None


def within_reach(plant: DeviceFacts, sources: Mapping[int, records.DeviceFacts]) -> tuple[int, ...]:
    """Sources that may speak for a plant, the nearest first, of equally near ones by number."""
    if not plant.located or plant.coordinates_estimated:
        return ()
    found = sorted(
        (distance_m(plant, station_of(facts, plant.technology)), number)
        for number, facts in sources.items()
        if plant.technology in measured(facts)
    )
    return tuple(number for metres, number in found if metres <= REACH_M[plant.technology])[:MOST]


def judge_source_day(
    facts: records.DeviceFacts, day: DayReadings, earlier: Sequence[DayReadings]
) -> tuple[Finding, ...]:
    """What is wrong with a source's day; intake's remarks among it. `earlier`: its last days before."""
    found = [Finding(code) for code in day.notes if code != "gap"]  # power is always missing
    for technology in measured(facts):
        station = station_of(facts, technology)
        values = health.climate_of(station, day)
        missing = values == MISSING
        present = station.slots - int(missing.sum())
        if present * 100 < WHOLE_PERCENT * station.slots:
            found.append(Finding("climate_missing", 0, 100 - present * 100 // station.slots, 100 - WHOLE_PERCENT))
            continue
        if bool((health.unusable(station, values) & ~missing).any()):
            found.append(Finding("climate_range"))
        found += _still(station, day, values)
        found += health.replay(station, values, missing, earlier)
    return tuple(found)


def _still(station: DeviceFacts, day: DayReadings, values: Ints) -> list[Finding]:
    """A sensor that stays at one value, or at nothing, and light that no sky gives."""
    found = []
    if station.technology == "wind":
        lively = values >= health.STUCK_WIND_MM_S
        strongest = int(values.max())
        if strongest < health.DEAD_WIND_MM_S:
            found.append(Finding("climate_dead", 0, strongest, health.DEAD_WIND_MM_S))
    else:
        light = solar.light_mw(station, values)
        lively = light >= health.STUCK_LIGHT_MW
        series = series_of(station, [day])
        sun = solar.sun_over(station, int(series.times[0]), station.slots)
        high = sun.up > HIGH_SUN
        mean = int(light[high].sum()) // max(1, int(high.sum()))
        if int(high.sum()) * station.interval_s >= health.STUCK_S and mean < health.DEAD_LIGHT_MW // 2:
            found.append(Finding("climate_dead", 0, mean, health.DEAD_LIGHT_MW // 2))
        found += [finding for _, finding in physics.over_sky(station, series, sun)]
    longest = max(4, health.STUCK_S // station.interval_s)
    for _, run, _ in longest_runs(np.where(lively, values, MISSING)[None], lively[None], longest):
        found.append(Finding("climate_stuck", 0, run * station.interval_s // 60, health.STUCK_S // 60))
    return found
