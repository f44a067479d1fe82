"""The readings of one UTC day on their grid: one value per interval, whatever order they came in.

Of several values for one interval the smallest power counts, so resending can never raise the energy of a day.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from state.units import DAY_S
from verifier.device import DeviceFacts
from verifier.reading import Reading

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

COLDEST_CENTI_C, HOTTEST_CENTI_C = -6_000, 6_000  # outside this an outdoor sensor is broken
MOST_NAMEPLATES = 4
HOUR_S = 3_600
MISSING = -(2**62)  # in an array: no value for this interval; far below anything measured


@dataclass(frozen=True, eq=False)
class DayReadings:
    """Arrays of one value per interval of the UTC day `day`, `MISSING` where there is none; never written to."""

    day: int
    interval_s: int
    power_w: Ints
    wind_mm_s: Ints
    temperature_centi_c: Ints
    insolation_mwh_m2: Ints
    notes: tuple[str, ...]  # sorted codes of intake: bad_number, bad_time, conflict, duplicate, gap, truncated
    count: int  # intervals with any reading

    @property
    def present(self) -> Flags:
        present: Flags = self.power_w != MISSING
        return present

    @property
    def watts(self) -> Ints:
        """Generated power, own use and missing intervals as 0."""
        return np.maximum(self.power_w, 0)

    @property
    def energy_wh(self) -> int:
        """Divided once per day, rounded down. Bound: 10^12 W x 86,400 s = 8.6e16."""
        return int(self.watts.sum()) * self.interval_s // 3600

    @property
    def hours_wh(self) -> tuple[int, ...]:
        """Energy of each hour of the day; together exactly `energy_wh`, because the rounding is carried along."""
        slots = max(1, HOUR_S // self.interval_s)
        until = self.watts.cumsum()[slots - 1 :: slots] * self.interval_s // 3600
        return tuple(int(after - before) for before, after in zip((0, *until[:-1]), until, strict=True))


def read_day(device: DeviceFacts, day: int, readings: Iterable[Reading], broken: Iterable[str] = ()) -> DayReadings:
    """Readings of `device` whose timestamps lie in `day`, others are ignored.

    `broken` are codes of lines of that day that could not be read at all: they count as noted, never as fatal.
    """
    start, interval_s, slots = day * DAY_S, device.interval_s, device.slots
    notes = set(broken)
    chosen: list[Reading | None] = [None] * slots
    for reading in readings:
        slot, off_grid = divmod(reading.timestamp - start, interval_s)
        if not 0 <= slot < slots:
            continue
        if off_grid:
            notes.add("bad_time")
            continue
        other = chosen[slot]
        if other is None:
            chosen[slot] = reading
        elif other == reading:
            notes.add("duplicate")
        else:
            notes.add("conflict")
            chosen[slot] = min(other, reading, key=_claim)
    if any(reading is None or reading.power_w is None for reading in chosen):
        notes.add("gap")
    columns = np.array([_row(reading) for reading in chosen], dtype=np.int64).T
    power, wind, temperature, insolation = (np.ascontiguousarray(column) for column in columns)
    count = sum(reading is not None for reading in chosen)
    return DayReadings(day, interval_s, power, wind, temperature, insolation, tuple(sorted(notes)), count)


def _claim(reading: Reading) -> tuple[int, ...]:
    """The order in which conflicting readings are preferred: least power, then the climate that explains least."""
    return tuple(_row(reading))


def _row(reading: Reading | None) -> list[int]:
    if reading is None:
        return [MISSING] * 4
    values = (reading.power_w, reading.wind_mm_s, reading.temperature_centi_c, reading.insolation_mwh_m2)
    return [MISSING if value is None else value for value in values]


@dataclass(frozen=True, eq=False)
class Series:
    """Several days end to end: times, power in ppm of nameplate, climate; temperatures are plausible or missing."""

    times: Ints
    power_ppm: Ints  # own use counts as 0
    wind_mm_s: Ints
    temperature_centi_c: Ints
    insolation_mwh_m2: Ints


def series_of(device: DeviceFacts, days: Sequence[DayReadings]) -> Series:
    """Bound of the scaling: 4 x 10^12 W x 10^6; what is above four nameplates physics has refused already."""
    steps = np.arange(device.slots, dtype=np.int64) * device.interval_s
    power = np.concatenate([np.minimum(day.power_w, MOST_NAMEPLATES * device.nameplate_w) for day in days])
    temperature = np.concatenate([day.temperature_centi_c for day in days])
    plausible = (temperature >= COLDEST_CENTI_C) & (temperature <= HOTTEST_CENTI_C)
    return Series(
        np.concatenate([day.day * DAY_S + steps for day in days]),
        np.where(power == MISSING, MISSING, np.maximum(power, 0) * 1_000_000 // device.nameplate_w),
        np.concatenate([day.wind_mm_s for day in days]),
        np.where(plausible, temperature, MISSING),
        np.concatenate([day.insolation_mwh_m2 for day in days]),
    )


def days_of(device: DeviceFacts, readings: Iterable[Reading]) -> list[DayReadings]:
    """Every UTC day that has a reading, in order."""
    by_day: dict[int, list[Reading]] = {}
    for reading in readings:
        by_day.setdefault(reading.timestamp // DAY_S, []).append(reading)
    return [read_day(device, day, by_day[day]) for day in sorted(by_day)]


def longest_run(values: Ints, counted: Flags) -> tuple[int, int]:
    """(length, first index) of the longest run of equal values among neighbouring `counted` ones; (0, 0) if none."""
    best, best_start = 0, 0
    breaks = np.flatnonzero((values[1:] != values[:-1]) | ~counted[1:] | ~counted[:-1]) + 1
    edges = np.concatenate([[0], breaks, [len(values)]])
    lengths = np.diff(edges)
    longest = int(np.argmax(np.where(counted[edges[:-1]], lengths, 0)))
    if counted[edges[longest]]:
        best, best_start = int(lengths[longest]), int(edges[longest])
    return best, best_start
