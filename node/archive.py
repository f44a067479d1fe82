"""Readings outside a node: one JSON object a line, each a device's UTC day as its meter signed it.

    {"schema": "evidence/1", "device": 1, "day": 16071, "close": {...}, "batches": [...]}

The lines are what `GET /v1/devices/{id}/evidence` answers, so that the root of each day, and with it the ledger's
record, can be proven from the file alone. A day may stand twice where a node died between writing and letting go.
"""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.calendar import date_of_day
from node.api.readings import batch_body, close_body
from node.readings import ReadingStore
from state.errors import DecodeError, StoreError

SCHEMA = "evidence/1"


def evidence_of(store: ReadingStore, device: int, day: int) -> dict[str, Any]:
    """The day as this store has it; `close` is null and `batches` are empty where it does not."""
    close = store.close_of(device, day)
    return {
        "device": device,
        "day": day,
        "close": None if close is None else close_body(close),
        "batches": [batch_body(batch) for batch in store.batches_of_day(device, day)],
    }


def keep_day(store: ReadingStore, folder: Path, device: int, day: int) -> None:
    """Append a day to FOLDER/device-N/YYYY-MM.jsonl and return once it is on the disk. StoreError."""
    path = folder / f"device-{device}" / f"{date_of_day(day):%Y-%m}.jsonl"
    line = json.dumps({"schema": SCHEMA, **evidence_of(store, device, day)}, separators=(",", ":")) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _cut_torn_line(path)
        with path.open("ab") as file:
            file.write(line.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(why=f"writing to {path} failed ({error.strerror}); check the disk") from None


def _cut_torn_line(path: Path) -> None:
    """A line that a crash left without its end is none; its day was not let go, and comes again."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            file.truncate(whole)


def read_archive(path: Path) -> Iterator[dict[str, Any]]:
    """The days of a file, plain or gzip; DecodeError names the line that is none."""
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            for number, line in enumerate(lines, 1):
                try:
                    value = json.loads(line)
                    if value["schema"] != SCHEMA:
                        raise ValueError("another schema")
                    yield {name: value[name] for name in ("device", "day", "close", "batches")}
                except (ValueError, KeyError, TypeError) as error:
                    raise DecodeError(why=f"{path}, line {number}: {error}") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DecodeError(why=f"{path}: {error}") from None


class Archive:
    """Files of readings as somebody whom an audit asks for a day."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.url = ", ".join(map(str, paths))
        self._days: dict[tuple[int, int], dict[str, Any]] = {}
        for path in paths:
            for day in read_archive(path):
                self._days[day["device"], day["day"]] = day

    def evidence(self, device: int, day: int) -> dict[str, Any]:
        return self._days.get((device, day), {"close": None, "batches": []})
