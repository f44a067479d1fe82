"""A run over many plants in parts that need nothing of each other: what a pool of processes or a cluster works on.

A part holds the plants that share a file or are each other's neighbours, with the files as they were read. Judging a
part is a pure function of its bytes, so it says the same on any machine and in any order.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence

from state.codec import Wire
from verifier.climate import Climate, parse_climate
from verifier.file_run import DeviceEntry, Records, judge_files, neighbours_of
from verifier.report import day_line, summary_line, table_lines

GZIP = b"\x1f\x8b"


class Part(Wire, frozen=True):
    """`files` and `climates` are bytes as they lie on disk, packed or not."""

    entries: tuple[DeviceEntry, ...]
    files: tuple[bytes, ...]
    climates: tuple[tuple[str, bytes], ...]


class PlantResult(Wire, frozen=True):
    id: str
    days: tuple[str, ...]  # lines of JSON
    summary: str
    table: tuple[str, ...]


class PartResult(Wire, frozen=True):
    plants: tuple[PlantResult, ...]
    readings: int
    unplaced: int  # lines that could not be read at all


def text_of(raw: bytes) -> bytes:
    """OSError for a file that cannot be unpacked."""
    try:
        return gzip.decompress(raw) if raw[:2] == GZIP else raw
    except (zlib.error, EOFError) as error:
        raise OSError(str(error)) from None


def lines_of(raw: bytes) -> list[str]:
    """Undecodable bytes become characters that no grammar takes, so they break their own line only. OSError."""
    return text_of(raw).decode("utf-8", "replace").split("\n")


def names_in(raw: bytes) -> frozenset[str]:
    """What stands in the second column of a file: the plants that it may tell of. OSError."""
    return frozenset(cells[1] for line in lines_of(raw) if len(cells := line.rstrip("\r").split(",", 2)) > 1)


def parts_of(
    entries: Sequence[DeviceEntry], files: Sequence[tuple[bytes, frozenset[str]]], climates: Mapping[str, bytes]
) -> list[Part]:
    """`files`: each with its `names_in`. Files of no known plant make a part of their own, for their broken lines."""
    known = {entry.id: entry for entry in entries}
    facts = {entry.id: entry.facts for entry in entries}
    group = {name: name for name in known}
    for entry in entries:
        _join(group, [entry.id, *(other for other in neighbours_of(entry, facts) if other in known)])
    for _, names in files:
        _join(group, sorted(names & known.keys()))
    found: dict[str, tuple[list[DeviceEntry], list[bytes]]] = {_head(group, name): ([], []) for name in known}
    for name in sorted(known):
        found[_head(group, name)][0].append(known[name])
    strange: list[bytes] = []
    for raw, names in files:
        heads = {_head(group, name) for name in names & known.keys()}
        (found[heads.pop()][1] if heads else strange).append(raw)
    parts = []
    for members, raws in found.values():
        wanted = {name for entry in members for name in entry.climate if name in climates}
        parts.append(Part(tuple(members), tuple(raws), tuple((name, climates[name]) for name in sorted(wanted))))
    return [*parts, *([Part((), tuple(strange), ())] if strange else [])]


def judge_part(part: Part) -> PartResult:
    records = Records()
    for raw in part.files:
        records.add_csv(text_of(raw))
    read = ((name, parse_climate(lines_of(raw))) for name, raw in part.climates)
    climates: dict[str, Climate] = {name: climate for name, climate in read if climate is not None}
    plants = []
    for entry, profile, judged in judge_files(part.entries, records, climates):
        days = tuple(json.dumps(day_line(entry, day, verdict)) for day, verdict in judged)
        summary = json.dumps(summary_line(entry, profile, judged))
        plants.append(PlantResult(entry.id, days, summary, tuple(table_lines(entry, judged))))
    return PartResult(tuple(plants), records.count, records.unplaced)


def _join(group: dict[str, str], names: Iterable[str]) -> None:
    heads = [_head(group, name) for name in names]
    for head in heads[1:]:
        group[max(heads[0], head)] = min(heads[0], head)


def _head(group: Mapping[str, str], name: str) -> str:
    while group[name] != name:
        name = group[name]
    return name
