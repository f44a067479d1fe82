"""A file read in columns says what its rows say one by one, whatever stands in them."""

from hypothesis import given
from hypothesis import strategies as st

from state.units import DAY_S
from verifier.intake import Columns, columns_of
from verifier.reading import DIGITS, MEASURED, Reading, scaled, time_of
from verifier.table import HEADER, BrokenRow, read_table

PLAIN = st.decimals(-(10**9) + 1, 10**9 - 1, allow_nan=False, places=3).map(lambda value: format(value, "f"))
CELLS = st.one_of(
    st.just(""),
    PLAIN,
    st.text(alphabet="0123456789.-+e \r\x00", max_size=20),
    st.sampled_from(["-", ".", "1.", ".5", "--1", "1.2.3", "-0.0", "0000000001", "1.1234567", "٣", "1_0", "9" * 17]),
)
TIMES = st.one_of(
    st.integers(0, 10**10).map(str), st.sampled_from(["", "0", "01", "1e9", "9000000000", "9000000001", " 1"])
)
NAMES = st.sampled_from(["A", "B", "", "A\x00", "é", "\udcff", "x" * 70])
ROWS = st.one_of(
    st.tuples(TIMES, NAMES, CELLS, CELLS, CELLS, CELLS).map(",".join),
    st.lists(CELLS, max_size=8).map(",".join),
    st.just(",".join(HEADER)),
)


def row_by_row(text: bytes) -> tuple[dict[str, list[Reading]], list[BrokenRow]]:
    """The same by the grammar of single values, as the tests' own words."""
    readings: dict[str, list[Reading]] = {}
    broken = []
    for line in text.decode("utf-8", "replace").split("\n"):
        cells = line.rstrip("\r").split(",")
        time = time_of(cells[0])
        if cells == [""] or tuple(cells) == HEADER:
            continue
        if len(cells) < 2 or time is None:
            broken.append(BrokenRow(None, 0, "truncated"))
            continue
        if len(cells) != 6:
            broken.append(BrokenRow(cells[1], time // DAY_S, "truncated"))
            continue
        values = [scaled(cell, DIGITS[name]) for name, cell in zip(MEASURED, cells[2:], strict=True)]
        if any(value is None and cell for value, cell in zip(values, cells[2:], strict=True)):
            broken.append(BrokenRow(cells[1], time // DAY_S, "bad_number"))
        else:
            readings.setdefault(cells[1], []).append(Reading(time, *values))
    return readings, broken


def lists(columns: Columns) -> list[list[int]]:
    return [column.tolist() for column in columns.all]


@given(st.lists(ROWS, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_columns_say_what_rows_say(rows: list[str], end: str) -> None:
    text = end.join(rows).encode("utf-8", "surrogateescape")
    readings, broken = row_by_row(text)
    named, faults = read_table(text)
    found: dict[str, list[list[int]]] = {}
    for unit, columns in named:
        before = found.setdefault(unit, [[] for _ in range(5)])
        found[unit] = [old + new for old, new in zip(before, lists(columns), strict=True)]
    assert found == {unit: lists(columns_of(listed)) for unit, listed in readings.items()}
    assert faults == broken


def test_an_empty_file_has_no_readings() -> None:
    assert read_table(b"") == ([], [])
    assert read_table(",".join(HEADER).encode()) == ([], [])


def test_digits_beyond_the_unit_are_cut_toward_zero() -> None:
    [(unit, columns)], broken = read_table(b"600,T,1.999999,0.0009,-1.999,0.000001\n")
    assert (unit, lists(columns), broken) == ("T", [[600], [1_999], [0], [-199], [1]], [])
