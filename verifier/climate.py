"""Independent climate: hourly wind that somebody else computed, from files of their own form or a source's readings.

Reanalysis knows the wind of a region, not of a ridge, so it enters as any witness does: through a curve frozen at
commissioning, on the clock that fits it best.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from verifier import link
from verifier.device import DeviceFacts
from verifier.intake import COLDEST_CENTI_C, HOTTEST_CENTI_C, MISSING, DayReadings, Flags, Ints, series_of
from verifier.link import Witness
from verifier.reading import scaled, time_of
from verifier.tables import DENSITY_REFERENCE_CENTI_K, KELVIN_CENTI, density_factor
from verifier.wind import corrected_mm_s

CODE = "reanalysis"
STEP_MM_S, BINS = 500, 80
WIND_COLUMN = "wind_spd_"  # followed by the height, as in wind_spd_100m
USUAL_DENSITY = 12_250  # 0.0001 kg/m3, of the standard atmosphere at 15 C
STRONGEST_MM_S = 100_000
WIDEST_S = 2 * 3_600  # between two values that are still joined by a line


@dataclass(frozen=True, eq=False)
class Climate:
    """Wind with the force it would have at 15 C, mm/s, at ascending times."""

    times: Ints
    wind_mm_s: Ints


def parse_climate(lines: Iterable[str]) -> Climate | None:
    """Rows under a header with `timestamp`, one `wind_spd_...` and perhaps `density`; None where there are no such.

    Broken rows are left out; of two rows for one time the weaker wind counts, since it explains less.
    """
    columns: dict[str, int] = {}
    found: dict[int, int] = {}
    for line in lines:
        cells = line.rstrip("\r\n").split(",")
        if not columns:
            columns = {name: place for place, name in enumerate(cells)}
            wind_places = [place for name, place in columns.items() if name.startswith(WIND_COLUMN)]
            if "timestamp" not in columns or len(wind_places) != 1:
                return None
            wind_place, width = wind_places[0], len(cells)
            continue
        if len(cells) != width:
            continue
        time, wind = time_of(cells[columns["timestamp"]]), scaled(cells[wind_place], 3)
        density = scaled(cells[columns["density"]], 4) if "density" in columns else USUAL_DENSITY
        if time is None or wind is None or not 0 <= wind <= STRONGEST_MM_S:
            continue
        force = _force(wind, density or USUAL_DENSITY)
        found[time] = min(found.get(time, force), force)
    if not found:
        return None
    times = sorted(found)
    return Climate(np.array(times, dtype=np.int64), np.array([found[time] for time in times], dtype=np.int64))


def climate_of_days(station: DeviceFacts, days: Sequence[DayReadings]) -> Climate:
    """The wind of a source on the ledger, where it was measured; its own temperature says how much force is in it."""
    series = series_of(station, days)
    known = (series.wind_mm_s >= 0) & (series.wind_mm_s <= STRONGEST_MM_S)
    force = corrected_mm_s(series.wind_mm_s[known], series.temperature_centi_c[known])
    return Climate(series.times[known], force)


def wind_at(climate: Climate, times: Ints) -> Ints:
    """Linear between the values on either side; `MISSING` outside the record and across wide gaps."""
    after = np.searchsorted(climate.times, times, side="right")
    inside = (after > 0) & (after < len(climate.times))
    after = np.clip(after, 1, max(1, len(climate.times) - 1))
    if len(climate.times) < 2:
        return np.full(len(times), MISSING, dtype=np.int64)
    start, end = climate.times[after - 1], climate.times[after]
    low, high = climate.wind_mm_s[after - 1], climate.wind_mm_s[after]
    wind = low + (high - low) * np.clip(times - start, 0, end - start) // (end - start)
    return np.where(inside & (end - start <= WIDEST_S), wind, MISSING)


def witness(times: Ints, power_ppm: Ints, window: Flags, sources: Sequence[Climate]) -> Witness | None:
    """`times` on the clock of the climate; `window` marks the sound commissioning intervals."""
    said = []
    for source in sources:
        wind = wind_at(source, times)
        curve = link.fit(np.where(window, wind, MISSING), np.where(window, power_ppm, MISSING), STEP_MM_S, BINS)
        if curve is not None:
            said.append(link.through(curve, wind))
    return link.middle(CODE, said) if said else None


def _force(wind_mm_s: int, density: int) -> int:
    """By the cube root of density, from the table of temperatures: density falls as absolute temperature rises."""
    centi_c = DENSITY_REFERENCE_CENTI_K * USUAL_DENSITY // max(1, density) - KELVIN_CENTI
    clipped = min(max(centi_c, COLDEST_CENTI_C), HOTTEST_CENTI_C)
    return wind_mm_s * int(density_factor(np.array([clipped], dtype=np.int64))[0]) >> 20
