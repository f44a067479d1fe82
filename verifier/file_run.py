"""Files to verdicts: the core of `wattest verify`, without files. It takes texts that others have read.

The answer is the same whatever the order of files and rows, because everything is sorted by device and time first.
A line that cannot be read is counted against its day and never stops the run.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from state.codec import Wire
from state.errors import ReadingRefusal
from state.units import DAY_S
from verifier import clock
from verifier.climate import Climate
from verifier.copies import suspects
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
from verifier.intake import Columns, DayReadings, columns_of, days_of, joined
from verifier.ladder import FinalVerdict
from verifier.nearby import nearby
from verifier.profile import Profile, profile_of_days
from verifier.reading import guarded_json, scaled, time_of
from verifier.table import read_table
from verifier.verdict import DayVerdict, Past, judge_view
from verifier.view import views_of
from verifier.wind_clock import seam_of
from verifier.windows import LIMITS, Limits

MAX_DEVICES_BYTES = 16 * 1024 * 1024
AUDIT_DAYS = 400  # a file has its whole past at hand, so copies of last year are found too


class DeviceEntry(Wire, frozen=True):
    """One device of a devices file, with its commissioning window in s, `to` exclusive."""

    id: str
    facts: DeviceFacts
    from_s: int
    to_s: int
    climate: tuple[str, ...]  # base names of independent climate files
    neighbours: tuple[str, ...] | None = ()  # ids of devices that feel the same weather; None: those nearby


class Records:
    """Readings by device, and broken rows by device and UTC day, filled from any number of texts."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Columns]] = {}
        self._broken: dict[str, dict[int, set[str]]] = {}
        self.unplaced = 0  # broken rows that name no time
        self.count = 0  # readings, of known devices or not

    def add_csv(self, text: bytes) -> None:
        """Rows under the header `timestamp,id,pwr_avg,wind_spd,t,insolation`, in any order; other rows are broken."""
        named, broken = read_table(text)
        for unit, columns in named:
            self._parts.setdefault(unit, []).append(columns)
            self.count += len(columns.times)
        for row in broken:
            if row.unit is None:
                self.unplaced += 1
            else:
                self._broken.setdefault(row.unit, {}).setdefault(row.day, set()).add(row.code)

    def knows(self, unit: str) -> bool:
        return unit in self._parts

    def days(self, entry: DeviceEntry) -> list[DayReadings]:
        """Every UTC day of the device with a reading, in order."""
        return days_of(entry.facts, self._columns(entry), self._broken.get(entry.id))

    def seams(self, entry: DeviceEntry, days: Sequence[DayReadings]) -> dict[int, int]:
        """Days on which one whole hour came twice or is missing, see `wind_clock.seam_of`."""
        columns = self._columns(entry)
        of_day = columns.times // DAY_S
        found = {
            day.day: seam_of(columns.rows(of_day == day.day), entry.facts.interval_s)
            for day in days
            if day.count < entry.facts.slots or {"conflict", "bad_time"} & set(day.notes)
        }
        return {day: seam for day, seam in found.items() if seam}

    def window(self, entry: DeviceEntry) -> list[DayReadings]:
        """The days of the commissioning window; first and last may be cut by it."""
        columns = self._columns(entry)
        inside = columns.rows((columns.times >= entry.from_s) & (columns.times < entry.to_s))
        return days_of(entry.facts, inside, self._broken.get(entry.id))

    def _columns(self, entry: DeviceEntry) -> Columns:
        """In one piece, however many files and rows in between it came in."""
        parts = self._parts.get(entry.id)
        if not parts:
            return columns_of(())
        if len(parts) > 1:
            parts[:] = [joined(parts)]
        return parts[0]


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
    first = bisect_left(days, -(-entry.to_s // DAY_S), key=lambda day: day.day)
    judged, before = days[first:], days[first - 1] if first else None
    alike = suspects(entry.facts, days, AUDIT_DAYS, first)
    offsets = clock.offsets_before(clock.moments(entry.facts, days))[first:]
    lags = [profile.lag_s] * len(judged)
    views = views_of(entry.facts, judged, lags, alike, before, profile.model, profile.tolerances)
    pasts = [Past(*past) for past in zip([before, *judged[:-1]], alike, offsets, strict=True)] if judged else []
    verdicts = [judge_view(entry.facts, profile, *each) for each in zip(views, pasts, strict=True)]
    return profile, list(zip(judged, verdicts, strict=True))


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
            seams = self._records.seams(entry, days)
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
            and self._records.knows(other)
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
