"""Files to verdicts: the core of `wattest verify`, without files. It takes texts that others have read.

The answer is the same whatever the order of files and rows, because everything is sorted by device and time first.
A line that cannot be read is counted against its day and never stops the run.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from state.codec import Wire
from state.errors import ReadingRefusal
from state.units import DAY_S
from verifier.climate import Climate
from verifier.device import (
    INSOLATION_CHANNEL,
    NO_ANGLE,
    NO_COORDINATE,
    SOURCES,
    TEMPERATURE_CHANNEL,
    WIND_CHANNEL,
    DeviceFacts,
    require_usable,
)
from verifier.finished import Case, Grid, Plant, case_of, conclude, grid_of
from verifier.intake import DayReadings, read_day
from verifier.ladder import FinalVerdict
from verifier.nearby import nearby
from verifier.profile import Profile, profile_of_days
from verifier.reading import DIGITS, MEASURED, Reading, guarded_json, scaled, time_of
from verifier.verdict import DayVerdict, judge_day
from verifier.wind_clock import seam_of
from verifier.windows import LIMITS, Limits

MAX_DEVICES_BYTES = 16 * 1024 * 1024
AUDIT_DAYS = 400  # a file has its whole past at hand, so copies of last year are found too
HEADER = ("timestamp", "id", *MEASURED)


class DeviceEntry(Wire, frozen=True):
    """One device of a devices file, with its commissioning window in s, `to` exclusive."""

    id: str
    facts: DeviceFacts
    from_s: int
    to_s: int
    climate: tuple[str, ...]  # base names of independent climate files
    neighbours: tuple[str, ...] | None = ()  # ids of devices that feel the same weather; None: those nearby


class Records:
    """Readings and broken lines by device and UTC day, filled from any number of texts."""

    def __init__(self) -> None:
        self.readings: dict[str, dict[int, list[Reading]]] = {}
        self.broken: dict[str, dict[int, set[str]]] = {}
        self.unplaced = 0  # broken lines that name no known device or time

    def add_csv(self, lines: Iterable[str]) -> None:
        """Rows under the header `timestamp,id,pwr_avg,wind_spd,t,insolation`, in any order; other rows are broken."""
        for line in lines:
            cells = line.rstrip("\r\n").split(",")
            if cells != [""] and tuple(cells) != HEADER:
                self._add_row(cells)

    def _add_row(self, cells: Sequence[str]) -> None:
        if len(cells) < 2:
            self.unplaced += 1
            return
        timestamp, unit = time_of(cells[0]), cells[1]
        if timestamp is None:
            self.unplaced += 1
            return
        day = timestamp // DAY_S
        if len(cells) != len(HEADER):
            self.broken.setdefault(unit, {}).setdefault(day, set()).add("truncated")
            return
        values = [scaled(cell, DIGITS[name]) for name, cell in zip(MEASURED, cells[2:], strict=True)]
        if any(value is None and cell for value, cell in zip(values, cells[2:], strict=True)):
            self.broken.setdefault(unit, {}).setdefault(day, set()).add("bad_number")
            return
        self.readings.setdefault(unit, {}).setdefault(day, []).append(Reading(timestamp, *values))

    def days(self, entry: DeviceEntry) -> list[DayReadings]:
        """Every UTC day of the device with a reading, in order."""
        days = self.readings.get(entry.id, {})
        broken = self.broken.get(entry.id, {})
        return [read_day(entry.facts, day, days[day], broken.get(day, ())) for day in sorted(days)]

    def seams(self, entry: DeviceEntry) -> dict[int, int]:
        """Days on which one whole hour came twice or is missing, see `wind_clock.seam_of`."""
        found = {
            day: seam_of(listed, entry.facts.interval_s) for day, listed in self.readings.get(entry.id, {}).items()
        }
        return {day: seam for day, seam in found.items() if seam}

    def window(self, entry: DeviceEntry) -> list[DayReadings]:
        """The days of the commissioning window; first and last may be cut by it."""
        days = self.readings.get(entry.id, {})
        broken = self.broken.get(entry.id, {})
        first, last = entry.from_s // DAY_S, (entry.to_s - 1) // DAY_S
        cut = []
        for day in sorted(day for day in days if first <= day <= last):
            inside = [reading for reading in days[day] if entry.from_s <= reading.timestamp < entry.to_s]
            if inside:
                cut.append(read_day(entry.facts, day, inside, broken.get(day, ())))
        return cut


def neighbours_of(entry: DeviceEntry, devices: Mapping[str, DeviceFacts]) -> tuple[str, ...]:
    """As the file names them; where it is silent, those that stand near enough."""
    return nearby(entry.id, devices) if entry.neighbours is None else entry.neighbours


def parse_devices(raw: bytes) -> list[DeviceEntry]:
    """The entries of a devices file, sorted by id. DecodeError or ReadingRefusal, naming the device."""
    document = guarded_json(raw, MAX_DEVICES_BYTES)
    listed = document.get("devices") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ReadingRefusal(why='the devices file is not {"devices": [...]}')
    entries = sorted((_entry(fields) for fields in listed), key=lambda entry: entry.id)
    if len({entry.id for entry in entries}) != len(entries):
        raise ReadingRefusal(why="a device is listed twice")
    return entries


def judge_file_days(
    entry: DeviceEntry, records: Records, days: Sequence[DayReadings]
) -> tuple[Profile, list[tuple[DayReadings, DayVerdict]]]:
    """The baseline of the commissioning window, and a verdict for each full UTC day with readings from `to` on."""
    profile = profile_of_days(entry.facts, records.window(entry), entry.from_s, entry.to_s)
    first = -(-entry.to_s // DAY_S)
    verdicts = []
    for index, day in enumerate(days):
        if day.day >= first:
            earlier = days[max(0, index - AUDIT_DAYS) : index]
            verdicts.append((day, judge_day(entry.facts, profile, day.day, day, earlier)))
    return profile, verdicts


def judge_files(
    entries: Sequence[DeviceEntry], records: Records, climates: Mapping[str, Climate] | None = None
) -> Iterator[tuple[DeviceEntry, Profile, list[tuple[DayReadings, FinalVerdict]]]]:
    """Device by device in the order of their ids, after every window and witness. `climates` by base name of file."""
    run = Run(entries, records, climates or {})
    for entry in entries:
        yield entry, run.plant(entry.id).profile, run.finished(entry.id)


class Run:
    """The plants of a run; a plant that others have as a neighbour is judged once."""

    def __init__(self, entries: Sequence[DeviceEntry], records: Records, climates: Mapping[str, Climate]) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self._facts = {entry.id: entry.facts for entry in entries}
        self._records = records
        self._climates = climates
        self._plants: dict[str, Plant] = {}
        self._grids: dict[str, Grid] = {}

    def plant(self, name: str) -> Plant:
        if name not in self._plants:
            entry = self._entries[name]
            days = self._records.days(entry)
            profile, judged = judge_file_days(entry, self._records, days)
            verdicts = {day.day: verdict for day, verdict in judged}
            seams = self._records.seams(entry)
            self._plants[name] = Plant(entry.facts, profile, entry.from_s, entry.to_s, days, verdicts, seams)
        return self._plants[name]

    def finished(self, name: str) -> list[tuple[DayReadings, FinalVerdict]]:
        """Nothing is said about a plant without readings after its commissioning."""
        return conclude(self.case(name)) if self.plant(name).verdicts else []

    def case(self, name: str, limits: Mapping[str, Limits] = LIMITS) -> Case:
        """The plant with what its neighbours and independent climate say of it."""
        entry = self._entries[name]
        others = [(self.plant(other), self._grid(other)) for other in self._neighbours(entry)]
        sources = [self._climates[file] for file in sorted(set(entry.climate)) if file in self._climates]
        return case_of(self.plant(name), others, sources, limits)

    def _neighbours(self, entry: DeviceEntry) -> list[str]:
        """Those of the run that measure in the same intervals and have readings."""
        named = neighbours_of(entry, self._facts)
        known = {other for other in named if other in self._entries and other != entry.id}
        return [
            other
            for other in sorted(known)
            if self._entries[other].facts.interval_s == entry.facts.interval_s
            and self._entries[other].facts.technology == entry.facts.technology
            and self._records.readings.get(other)
        ]

    def _grid(self, name: str) -> Grid:
        if name not in self._grids:
            self._grids[name] = grid_of(self.plant(name))
        return self._grids[name]


def _entry(fields: Any) -> DeviceEntry:
    if not isinstance(fields, dict) or not isinstance(fields.get("id"), str):
        raise ReadingRefusal(why="a device has no id")
    name = fields["id"]
    try:
        entry = _build_entry(name, fields)
        require_usable(entry.facts)
    except ReadingRefusal as refusal:
        raise ReadingRefusal(why=f"device {name}: {refusal.params['why']!s}") from None
    return entry


def _build_entry(name: str, fields: Mapping[str, Any]) -> DeviceEntry:
    technology = fields.get("technology")
    if technology != "wind" and technology != "solar":
        raise ReadingRefusal(why="technology is neither wind nor solar")
    window = fields.get("commissioning")
    if not isinstance(window, dict):
        raise ReadingRefusal(why="no commissioning window")
    source = fields.get("insolation_source")
    plane, owner = SOURCES.get(str(source), SOURCES["none"])
    facts = DeviceFacts(
        technology=technology,
        nameplate_w=_number(fields, "nameplate_kw", 3),
        interval_s=_number(fields, "interval_s", 0),
        latitude_udeg=_number(fields, "latitude", 6, NO_COORDINATE),
        longitude_udeg=_number(fields, "longitude", 6, NO_COORDINATE),
        coordinates_estimated=fields.get("coordinates_estimated") is True,
        tilt_udeg=_number(fields, "tilt", 6, NO_ANGLE),
        azimuth_udeg=_number(fields, "azimuth", 6, NO_ANGLE),
        channels=_channels(fields),
        plane=plane,
        climate_source=owner,
    )
    span = _number(window, "from", 0), _number(window, "to", 0)
    silent = fields.get("neighbours") is None
    neighbours = None if silent else _names(fields, "neighbours")
    return DeviceEntry(name, facts, *span, _names(fields, "climate"), neighbours)


def _names(fields: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = fields.get(key) or []
    if not isinstance(names, list) or not all(isinstance(item, str) for item in names):
        raise ReadingRefusal(why=f"{key} is not a list of names")
    return tuple(names)


def _channels(fields: Mapping[str, Any]) -> int:
    """Channels that the device has; a source of "none" is one that it lacks, silence means it may have it."""
    wind = 0 if fields.get("wind_source") == "none" else WIND_CHANNEL
    light = 0 if fields.get("insolation_source") == "none" else INSOLATION_CHANNEL
    return wind | light | TEMPERATURE_CHANNEL


def _number(fields: Mapping[str, Any], name: str, digits: int, absent: int | None = None) -> int:
    """A decimal of the file as an integer of 10**-digits; `absent` where it is null or left out."""
    text = fields.get(name)
    if text is None and absent is not None:
        return absent
    value = time_of(text) if name in ("from", "to") and isinstance(text, str) else None
    if value is None and isinstance(text, str):
        value = scaled(text, digits)
    if value is None:
        raise ReadingRefusal(why=f"{name} is not a number")
    return value
