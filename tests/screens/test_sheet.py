"""Tables, charts and books by themselves: what is shown, in which order, and what goes to a file."""

import csv
import io
import json
from typing import Any

from textual.app import App, ComposeResult
from textual.widgets import DataTable, Input

from tui.parts.books import Books
from tui.parts.names import DeviceName, Names, SchemeName
from tui.screens.export import content
from tui.widgets.chart import ChartPanel, CurvePicture
from tui.widgets.sheet import Column, Line, Sheet

COLUMNS = (Column("name", 10), Column("count", 6, right=True))


def line(name: str, count: int) -> Line:
    return Line(name, (name, f"{count:,}"), (name, count))


class Table(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.wanted = 0

    def compose(self) -> ComposeResult:
        yield Sheet("Things", COLUMNS, id="things")

    def on_sheet_wanted(self) -> None:
        self.wanted += 1

    @property
    def sheet(self) -> Sheet:
        return self.query_one(Sheet)


def keys(app: Table) -> list[str]:
    return [line.key for line in app.sheet.lines]


async def test_rows_are_ordered_by_value_and_not_by_their_text() -> None:
    async with (app := Table()).run_test() as pilot:
        app.sheet.show([line("b", 9), line("a", 1_000), line("c", 20)])
        app.sheet.focus_rows()
        await pilot.press("o")
        assert keys(app) == ["a", "b", "c"]
        await pilot.press("o", "o")
        assert keys(app) == ["b", "c", "a"]
        await pilot.press("o", "o")
        assert keys(app) == ["b", "a", "c"], "as they came"


async def test_filter_works_while_one_types_and_ends_with_escape() -> None:
    async with (app := Table()).run_test() as pilot:
        app.sheet.show([line("wind", 1), line("solar", 2), line("windy", 3)])
        app.sheet.focus_rows()
        await pilot.press("slash", *"win")
        assert keys(app) == ["wind", "windy"]
        assert "2 of 3" in str(app.sheet.border_title)
        await pilot.press("escape")
        await pilot.pause()
        assert keys(app) == ["wind", "solar", "windy"]
        assert app.focused is app.sheet.query_one(DataTable)
        assert not app.sheet.query_one(Input).display


async def test_cursor_stays_on_its_row_while_rows_come_and_go() -> None:
    async with (app := Table()).run_test() as pilot:
        app.sheet.show([line(name, 1) for name in "abc"])
        app.sheet.focus_rows()
        await pilot.press("j", "j")
        assert app.sheet.chosen == "c"
        app.sheet.show([line(name, 2) for name in "xabc"])
        await pilot.pause()
        assert app.sheet.chosen == "c"
        app.sheet.show([line(name, 2) for name in "xa"])
        await pilot.pause()
        assert app.sheet.chosen in ("x", "a")
        app.sheet.show([])
        await pilot.pause()
        assert app.sheet.chosen == ""


async def test_near_the_end_more_rows_are_asked_for_and_only_where_there_are_some() -> None:
    async with (app := Table()).run_test() as pilot:
        app.sheet.show([line(str(number), number) for number in range(100)], more=True)
        app.sheet.focus_rows()
        await pilot.pause()
        assert app.wanted == 0
        app.sheet.query_one(DataTable).move_cursor(row=90)
        await pilot.pause()
        assert app.wanted == 1
        app.sheet.show([line(str(number), number) for number in range(120)], more=False)
        app.sheet.query_one(DataTable).move_cursor(row=119)
        await pilot.pause()
        assert app.wanted == 1


def test_file_holds_what_is_shown() -> None:
    lines = (line("wind", 1_000), line("=1+1", 2))
    rows = list(csv.reader(io.StringIO(content("csv", COLUMNS, lines).decode())))
    assert rows == [["name", "count"], ["wind", "1,000"], ["'=1+1", "2"]], "no cell is a formula"
    assert json.loads(content("json", COLUMNS, lines))[1] == {"name": "=1+1", "count": "2"}


# --- the chart


class Chart(App[None]):
    def compose(self) -> ComposeResult:
        yield ChartPanel()


async def drawn(**picture: Any) -> list[str]:
    async with (app := Chart()).run_test(size=(58, 10)) as pilot:
        panel = app.query_one(ChartPanel)
        panel.picture = CurvePicture(**picture)
        await pilot.pause()
        return str(panel.render()).split("\n")


async def test_room_stands_behind_the_bars_and_gaps_stay_empty() -> None:
    lines = await drawn(measured=(0, 50, None, 100), allowed=(0, 100, 100, 100))
    above = lines[0][10:]
    assert "░" in above
    assert above.count("█") == len(above) // 4
    assert set(lines[-2][10 : 10 + len(above) // 4]) == {" "}, "a quarter without power or room"


async def test_chart_without_a_model_shows_what_was_measured() -> None:
    lines = await drawn(measured=(10, 20, 30, 40), allowed=(None,) * 4)
    assert "█" in lines[-2]
    assert "░" not in "".join(lines)


async def test_nothing_measured_is_a_sentence() -> None:
    assert await drawn(missing="No readings of this day.") == ["No readings of this day."]


# --- the books


def books() -> Books:
    names = Names(wanted=False)
    names.participants = {1: "Sun", 2: "Trader"}
    names.devices = {7: DeviceName("Roof", "US", "solar", 2, 1)}
    names.schemes = {2: SchemeName("SOLAR-KWH", "kWh", 12)}
    return Books(names)


def test_delivery_has_two_legs_that_cancel() -> None:
    found = books()
    sold = {
        "kind": "delivered",
        "auction": 3,
        "seller": 1,
        "buyer": 2,
        "device": 7,
        "issuance": 1,
        "start": 5,
        "end": 9,
    }
    found.apply({**sold, "currency": "EUR", "amount": "150000", "txid": "ab"}, 12, 1_000)
    (seller,), (buyer,) = found.of(1), found.of(2)
    assert (seller.certificates, seller.money) == (-5, 150_000)
    assert (buyer.certificates, buyer.money) == (5, -150_000)
    assert (buyer.unit, buyer.currency, buyer.txid) == ("kWh", "EUR", "ab")
    assert seller.what == "sold to Trader in auction 3"


def test_books_are_newest_first_and_empty_for_strangers() -> None:
    found = books()
    for height in (1, 2):
        found.apply({"kind": "deposited", "operator": 1, "to": 2, "currency": "EUR", "amount": "5"}, height, 0)
    assert [entry.height for entry in found.of(2)] == [2, 1]
    assert found.of(99) == ()
