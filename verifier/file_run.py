"""Files to verdicts: the core of `wattest verify`, without files. It takes texts that others have read.

The answer is the same whatever the order of files and rows, because everything is sorted by device and time first.
A line that cannot be read is counted against its day and never stops the run.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from state.codec import Wire
from state.errors import ReadingRefusal
from state.units import DAY_S
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
from verifier.intake import DayReadings, read_day
from verifier.profile import Profile, profile_of_days
from verifier.reading import DIGITS, MEASURED, Reading, guarded_json, scaled, time_of
from verifier.verdict import DayVerdict, judge_day

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


def judge_file_days(entry: DeviceEntry, records: Records) -> tuple[Profile, list[tuple[DayReadings, DayVerdict]]]:
    """The baseline of the commissioning window, and a verdict for each full UTC day with readings from `to` on."""
    profile = profile_of_days(entry.facts, records.window(entry), entry.from_s, entry.to_s)
    days = records.days(entry)
    first = -(-entry.to_s // DAY_S)
    verdicts = []
    for index, day in enumerate(days):
        if day.day >= first:
            earlier = days[max(0, index - AUDIT_DAYS) : index]
            verdicts.append((day, judge_day(entry.facts, profile, day.day, day, earlier)))
    return profile, verdicts


def judge_files(
    entries: Sequence[DeviceEntry], records: Records
) -> Iterator[tuple[DeviceEntry, Profile, list[tuple[DayReadings, DayVerdict]]]]:
    """Device by device in the order of their ids."""
    for entry in entries:
        yield entry, *judge_file_days(entry, records)


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
    climate = fields.get("climate") or []
    if not isinstance(climate, list) or not all(isinstance(item, str) for item in climate):
        raise ReadingRefusal(why="climate is not a list of file names")
    return DeviceEntry(name, facts, _number(window, "from", 0), _number(window, "to", 0), tuple(climate))


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
