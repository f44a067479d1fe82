"""A file of readings, column by column: every cell of a column becomes an integer in one sweep over the bytes.

The grammar is that of `reading.scaled` and `reading.time_of`, and the two agree on every row. A sweep costs as many
steps as its longest cell has characters, whatever the number of rows; only rows outside the grammar are looked at one
by one, to say what is wrong with them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from state.units import DAY_S
from verifier.intake import MISSING, Columns, Flags, Ints
from verifier.reading import DIGITS, MAX_TIMESTAMP, MEASURED, scaled, time_of

HEADER = ("timestamp", "id", *MEASURED)
COMMA, LINE_END, MINUS, POINT, ZERO = (ord(mark) for mark in ",\n-.0")
MOST_WHOLE, MOST_FRACTION = 9, 6  # digits of a measured value before and after its point
TIMESTAMP_DIGITS = 11
LONGEST_NAME = 64  # bytes that are compared at once; the rows of a longer name stand for themselves
_RETURNS = re.compile(rb"\r+(?=\n|\Z)")
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class BrokenRow:
    """A row that gave no reading. `unit` is None where not even plant and time can be told."""

    unit: str | None
    day: int
    code: str


def read_table(text: bytes) -> tuple[list[tuple[str, Columns]], list[BrokenRow]]:
    """Readings by plant, in the order of the rows, one plant perhaps several times; headers and empty lines are none.

    Undecodable bytes become characters that no grammar takes, so they break their own row only.
    """
    raw = np.frombuffer((_RETURNS.sub(b"", text) if b"\r" in text else text) + b"\n", dtype=np.uint8)
    line_ends = np.flatnonzero(raw == LINE_END)
    line_starts = np.concatenate([[0], line_ends[:-1] + 1])
    commas = np.flatnonzero(raw == COMMA)
    first_comma = np.searchsorted(commas, line_starts)
    six = np.searchsorted(commas, line_ends) - first_comma == len(HEADER) - 1
    starts, ends = _cells(line_starts[six], line_ends[six], commas, first_comma[six])
    times, plain = _times(raw, starts[0], ends[0])
    values = []
    for name, start, end in zip(MEASURED, starts[2:], ends[2:], strict=True):
        value, in_grammar = _decimals(raw, start, end, DIGITS[name])
        values.append(value)
        plain &= in_grammar
    found = Columns(*(column[plain] for column in (times, *values)))
    named = _by_plant(raw, starts[1][plain], ends[1][plain], found)
    usable = np.zeros(len(line_starts), dtype=np.bool_)
    usable[np.flatnonzero(six)[plain]] = True
    others = (bytes(raw[line_starts[line] : line_ends[line]]) for line in np.flatnonzero(~usable).tolist())
    return named, list(_broken(others))


def _cells(line_starts: Ints, line_ends: Ints, commas: Ints, first_comma: Ints) -> tuple[list[Ints], list[Ints]]:
    """Where each column's cells start and end, for lines of six cells."""
    between = [commas[first_comma + place] for place in range(len(HEADER) - 1)] if len(line_starts) else []
    between = between or [line_starts] * (len(HEADER) - 1)
    return [line_starts, *(comma + 1 for comma in between)], [*between, line_ends]


def _times(raw: Bytes, starts: Ints, ends: Ints) -> tuple[Ints, Flags]:
    value, whole, fraction, sound = _digits(raw, starts, ends, TIMESTAMP_DIGITS, 0)
    sound &= (fraction < 0) & (whole > 0) & (whole == ends - starts) & (raw[starts] != ZERO) & (value <= MAX_TIMESTAMP)
    return value, sound


def _decimals(raw: Bytes, starts: Ints, ends: Ints, digits: int) -> tuple[Ints, Flags]:
    """Values in units of 10**-digits, cut toward zero, `MISSING` for an empty cell, and which are in the grammar."""
    value, whole, fraction, sound = _digits(raw, starts, ends, 1 + MOST_WHOLE + 1 + MOST_FRACTION, digits)
    sound &= (whole >= 1) & (whole <= MOST_WHOLE) & (fraction != 0) & (fraction <= MOST_FRACTION)
    value = value * 10 ** (digits - np.clip(fraction, 0, digits))
    value = np.where(raw[starts] == MINUS, -value, value)
    empty = starts == ends
    return np.where(empty, MISSING, value), sound | empty


def _digits(raw: Bytes, starts: Ints, ends: Ints, longest: int, kept: int) -> tuple[Ints, Ints, Ints, Flags]:
    """Of each cell the number its digits make, `kept` of those after the point, and how many stand before and after it.

    The count after the point is -1 without one. The last array tells where nothing but a leading minus, digits and one
    point was found.
    """
    length = ends - starts
    sound = length <= longest
    value = np.zeros(len(starts), dtype=np.int64)
    whole = np.zeros(len(starts), dtype=np.int64)
    fraction = np.full(len(starts), -1, dtype=np.int64)
    for place in range(int(length[sound].max(initial=0))):
        inside = place < length
        mark = raw[np.minimum(starts + place, len(raw) - 1)]
        digit = mark - np.uint8(ZERO)  # wraps: what stands below 0 is far above 9
        is_digit = inside & (digit <= 9)
        before = is_digit & (fraction < 0)
        point = inside & (mark == POINT) & (fraction < 0)
        value = np.where(before | (is_digit & (fraction < kept)), value * 10 + digit, value)
        whole += before
        fraction += point | (is_digit & ~before)
        sound &= ~inside | is_digit | point | ((place == 0) & (mark == MINUS))
    return value, whole, fraction, sound


def _by_plant(raw: Bytes, starts: Ints, ends: Ints, columns: Columns) -> list[tuple[str, Columns]]:
    """Neighbouring rows of one plant together; its name is compared as bytes, and read once for each run of rows."""
    if not len(starts):
        return []
    length = ends - starts
    places = starts[:, None] + np.arange(min(int(length.max()), LONGEST_NAME))
    names = np.where(places < ends[:, None], raw[np.minimum(places, len(raw) - 1)], 0)
    other = (names[1:] != names[:-1]).any(axis=1) | (length[1:] != length[:-1]) | (length[1:] > LONGEST_NAME)
    edges = [0, *(np.flatnonzero(other) + 1).tolist(), len(starts)]
    return [
        (bytes(raw[starts[first] : ends[first]]).decode("utf-8", "replace"), columns.rows(slice(first, last)))
        for first, last in pairwise(edges)
    ]


def _broken(lines: Iterator[bytes]) -> Iterator[BrokenRow]:
    for line in lines:
        cells = line.decode("utf-8", "replace").split(",")
        if cells == [""] or tuple(cells) == HEADER:
            continue
        yield _fault(cells)


def _fault(cells: Sequence[str]) -> BrokenRow:
    timestamp = time_of(cells[0])
    if len(cells) < 2 or timestamp is None:
        return BrokenRow(None, 0, "truncated")
    if len(cells) != len(HEADER):
        return BrokenRow(cells[1], timestamp // DAY_S, "truncated")
    assert any(scaled(cell, DIGITS[name]) is None and cell for name, cell in zip(MEASURED, cells[2:], strict=True))
    return BrokenRow(cells[1], timestamp // DAY_S, "bad_number")
