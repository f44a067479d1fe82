"""A record of raw readings in a file: csv or csv.gz in the seed's columns, row by row.

The numbers stay text until `verifier.reading` parses them, so a reading from a file is the reading of a POST.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from state.errors import RecordUnusable
from verifier.reading import Reading, parse_seed

COLUMNS = ("timestamp", "id", "pwr_avg", "wind_spd", "t", "insolation")
NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,6})?")
TIMESTAMP = re.compile(r"[0-9]{1,11}")
MOST_BYTES = 1 << 30  # of text, unpacked: some twenty million readings


def read_rows(file: Path) -> Iterator[dict[str, str]]:
    """RecordUnusable names the file, and the line that is not in the seed's form."""
    try:
        with file.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            data = (gzip.GzipFile(fileobj=raw) if packed else raw).read(MOST_BYTES + 1)
        text = data.decode("ascii")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise RecordUnusable(file=file.name, why=getattr(error, "strerror", None) or str(error)) from None
    if len(data) > MOST_BYTES:
        raise RecordUnusable(file=file.name, why=f"it holds more than {MOST_BYTES >> 20} MiB of text")
    table = csv.DictReader(io.StringIO(text))
    if tuple(table.fieldnames or ()) != COLUMNS:
        raise RecordUnusable(file=file.name, why=f"the columns must be {', '.join(COLUMNS)}")
    for row in table:
        fault = _fault(row)
        if fault:
            raise RecordUnusable(file=file.name, why=f"line {table.line_num} is no reading: {fault}")
        yield row


def _fault(row: dict[str, str]) -> str:
    """What is wrong with a row; empty if nothing is."""
    if None in row or None in row.values():
        return f"it has not {len(COLUMNS)} columns"
    if not TIMESTAMP.fullmatch(row["timestamp"]):
        return "its timestamp is not whole seconds since 1970"
    wrong = [name for name in COLUMNS[2:] if row[name] and not NUMBER.fullmatch(row[name])]
    return f"{wrong[0]} is not a number with up to six decimals" if wrong else ""


def seed_json(row: dict[str, str]) -> str:
    """The raw post of a row: numbers as they stand in the record, channels without a value left out."""
    fields = [f'"timestamp":{int(row["timestamp"])}', f'"id":{json.dumps(row["id"])}']
    fields += [f'"{name}":{row[name]}' for name in COLUMNS[2:] if row[name]]
    return "{" + ",".join(fields) + "}"


def readings_of_one_plant(file: Path) -> Iterator[Reading]:
    """Its own id in the file does not matter; RecordUnusable where there are several, or no reading at all."""
    names = set()
    for row in read_rows(file):
        names.add(row["id"])
        if len(names) > 1:
            several = ", ".join(sorted(names))
            raise RecordUnusable(file=file.name, why=f"it holds several plants, {several}, and a meter has one")
        yield parse_seed(seed_json(row).encode()).reading
    if not names:
        raise RecordUnusable(file=file.name, why="it holds no reading")
