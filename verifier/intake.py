"""The readings of one UTC day on their grid: one value per interval, whatever order they came in.

Of several values for one interval the smallest power counts, so resending can never raise the energy of a day.
"""

from collections.abc import Iterable, Mapping, Sequence
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


@dataclass(frozen=True, eq=False)
class Columns:
    """Readings of one device in any order, a row each, as arrays of one length; `MISSING` for what was not given."""

    times: Ints
    power_w: Ints
    wind_mm_s: Ints
    temperature_centi_c: Ints
    insolation_mwh_m2: Ints

    @property
    def all(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        return self.times, self.power_w, self.wind_mm_s, self.temperature_centi_c, self.insolation_mwh_m2

    def rows(self, chosen: slice | Ints | Flags) -> "Columns":
        return Columns(*(column[chosen] for column in self.all))


def columns_of(readings: Iterable[Reading]) -> Columns:
    table = np.array([_row(reading) for reading in readings], dtype=np.int64).reshape(-1, 5)
    return Columns(*(np.ascontiguousarray(column) for column in table.T))


def joined(parts: Sequence[Columns]) -> Columns:
    return Columns(*(np.concatenate(columns) for columns in zip(*(part.all for part in parts), strict=True)))


def _row(reading: Reading) -> list[int]:
    values = (reading.power_w, reading.wind_mm_s, reading.temperature_centi_c, reading.insolation_mwh_m2)
    return [reading.timestamp, *(MISSING if value is None else value for value in values)]


def read_day(device: DeviceFacts, day: int, readings: Iterable[Reading], broken: Iterable[str] = ()) -> DayReadings:
    """Readings of `device` whose timestamps lie in `day`, others are ignored.

    `broken` are codes of lines of that day that could not be read at all: they count as noted, never as fatal.
    """
    return _on_grid(device, np.array([day]), columns_of(readings), {day: broken})[0]


def days_of(
    device: DeviceFacts, columns: Columns, broken: Mapping[int, Iterable[str]] | None = None
) -> list[DayReadings]:
    """Every UTC day that has a reading, in order; `broken` as in `read_day`, by day."""
    return _on_grid(device, distinct(columns.times // DAY_S), columns, broken or {})


def _on_grid(
    device: DeviceFacts, days: Ints, columns: Columns, broken: Mapping[int, Iterable[str]]
) -> list[DayReadings]:
    slots = device.slots
    rows, off_grid = _placed(device, days, columns)
    place = rows.times
    again = place[1:] == place[:-1]
    same = again & np.all([column[1:] == column[:-1] for column in rows.all[1:]], axis=0)
    first = np.concatenate([np.ones(min(1, len(place)), dtype=np.bool_), ~again])
    measured = np.full((4, len(days) * slots), MISSING, dtype=np.int64)
    measured[:, place[first]] = [column[first] for column in rows.all[1:]]
    counts = np.bincount(place[first] // slots, minlength=len(days)).tolist()
    notes = [set(broken.get(day, ())) for day in days.tolist()]
    for code, where in (
        ("bad_time", off_grid),
        ("conflict", place[1:][again & ~same] // slots),
        ("duplicate", place[1:][same] // slots),
        ("gap", np.flatnonzero(measured[0] == MISSING) // slots),
    ):
        for index in distinct(where).tolist():
            notes[index].add(code)
    by_day = measured.reshape(4, len(days), slots)
    found = []
    for index, day in enumerate(days.tolist()):
        power, wind, temperature, insolation = by_day[:, index]
        noted = tuple(sorted(notes[index]))
        found.append(DayReadings(day, device.interval_s, power, wind, temperature, insolation, noted, counts[index]))
    return found


def distinct(values: Ints) -> Ints:
    """Each value once, in order. numpy's own way loads a part of numpy that costs as much as a month of verdicts."""
    ordered = np.sort(values)
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]


def _placed(device: DeviceFacts, days: Ints, columns: Columns) -> tuple[Columns, Ints]:
    """Rows by interval, `times` being its number counted over all `days`; and the days' numbers of rows off the grid.

    Of several rows for an interval the first has the least power, then the climate that explains least.
    """
    day = columns.times // DAY_S
    index = np.minimum(np.searchsorted(days, day), len(days) - 1)
    slot, off = np.divmod(columns.times % DAY_S, device.interval_s)
    inside = (days[index] == day) & (slot < device.slots)
    place = index * device.slots + slot
    kept = Columns(place, *columns.all[1:]).rows(inside & (off == 0))
    ordered = kept.rows(np.argsort(kept.times, kind="stable"))
    if (ordered.times[1:] == ordered.times[:-1]).any():
        ordered = kept.rows(np.lexsort(kept.all[::-1]))
    return ordered, index[inside & (off != 0)]


@dataclass(frozen=True, eq=False)
class Series:
    """Several days end to end: times, power in ppm of nameplate, climate; temperatures are plausible or missing."""

    times: Ints
    power_ppm: Ints  # own use counts as 0
    wind_mm_s: Ints
    temperature_centi_c: Ints
    insolation_mwh_m2: Ints

    @property
    def all(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        return self.times, self.power_ppm, self.wind_mm_s, self.temperature_centi_c, self.insolation_mwh_m2


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


def joined_series(parts: Sequence[Series]) -> Series:
    return Series(*(np.concatenate(columns) for columns in zip(*(part.all for part in parts), strict=True)))


def runs_of(values: Ints, counted: Flags, least: int) -> list[tuple[int, int, int]]:
    """(row, length, first index) of each run of at least `least` equal values among neighbouring `counted` ones."""
    goes_on = np.zeros(values.shape, dtype=np.bool_)
    goes_on[:, 1:] = (values[:, 1:] == values[:, :-1]) & counted[:, 1:] & counted[:, :-1]
    starts = np.flatnonzero(~goes_on)
    lengths = np.diff(starts, append=values.size)
    long = (lengths >= least) & counted.ravel()[starts]
    found = zip(starts[long].tolist(), lengths[long].tolist(), strict=True)
    return [(start // values.shape[1], length, start % values.shape[1]) for start, length in found]


def longest_runs(values: Ints, counted: Flags, least: int) -> list[tuple[int, int, int]]:
    """The longest of `runs_of` each row that has one; of equally long ones the first."""
    longest: dict[int, tuple[int, int, int]] = {}
    for run in runs_of(values, counted, least):
        if run[1] > longest.get(run[0], (0, 0, 0))[1]:
            longest[run[0]] = run
    return list(longest.values())
