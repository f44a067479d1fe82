"""What stopped people in the cabinets once, and does so no more (docs/CABINETS.md)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness.answering_node import AnsweringNode, market_town, wallet_of
from harness.desks import LARGE, SMALL, WIDE, at, dashboard, fill, rows, says, until
from textual.widgets import Select, Static

from tui.screens.form import FormScreen
from tui.screens.signing import SigningScreen
from tui.widgets.sheet import Line, Sheet


@pytest.fixture
def node() -> Iterator[AnsweringNode]:
    found = AnsweringNode(market_town()).start()
    yield found
    found.stop()


@pytest.fixture
def home(tmp_path: Path, node: AnsweringNode) -> Path:
    return wallet_of(tmp_path / "wallets", node.chain, "owner", "trader")


async def test_owner_named_on_the_command_line_begins_at_his_plants(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: app.current_mode == "plants")


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_mistake_is_in_sight_however_long_the_form(
    node: AnsweringNode, home: Path, size: tuple[int, int]
) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "P", size) as pilot:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.pause()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "this is needed" in says(app, "mistake"))
        await pilot.pause()
        seen = app.screen.query_one("#mistake", Static).region
        assert seen.height > 0
        assert seen.bottom < size[1], "below the window nobody reads it"
        assert app.focused is app.screen.query_one("#field-name")


async def test_enter_leads_past_no_choice_unseen(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "P") as pilot:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        app.screen.query_one("#field-scheme").focus()
        await pilot.press("enter")
        technology = app.screen.query_one("#field-technology", Select)
        assert app.focused is technology
        await pilot.press("enter", "down", "enter")
        await until(pilot, lambda: app.focused is app.screen.query_one("#field-country"))
        assert str(technology.value).startswith("wind")


async def test_stock_is_posted_where_it_lies_and_taken_back(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "H") as pilot:
        await until(pilot, lambda: bool(rows(app, "certificates")))
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        select = app.screen.query_one("#field-where", Select)
        assert isinstance(app.screen, FormScreen)
        select.value = app.screen.form.fields[0].choices[-1]
        await fill(pilot, quantity="1", price="0")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "price each: more than nothing" in says(app, "mistake"))
        await fill(pilot, price="3.00")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "final in block" in says(app, "progress"))
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("M")
        await until(pilot, lambda: any("(you)" in row[5] for row in rows(app, "board")))
        board = app.screen.query_one("#board", Sheet)
        mine = next(place for place, line in enumerate(board.lines) if "(you)" in line.cells[5])
        assert board.lines[mine].cells[0] == "wind", "a lot says what one would choose it by"
        board.focus_rows()
        await pilot.press(*["down"] * mine, "c")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "final in block" in says(app, "progress"))
        await pilot.press("enter")
        await until(pilot, lambda: not any("(you)" in row[5] for row in rows(app, "board")))


async def test_small_window_shows_the_whole_code_and_the_other_half(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "H", SMALL) as pilot:
        await until(pilot, lambda: bool(rows(app, "certificates")))
        assert app.screen.query_one("#statements", Sheet).region.height == 0
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await fill(pilot, quantity="1")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "statement " in says(app, "progress"))
        await pilot.press("c")
        await until(pilot, lambda: "█" in says(app, "fields"))
        await pilot.pause()
        code = [line for line in says(app, "fields").splitlines() if set(line.strip()) & set("█▀▄")]
        assert len(code) < app.screen.query_one("VerticalScroll").size.height, "a camera needs all of it at once"
        await pilot.press("escape", "enter")
        await pilot.pause()
        await pilot.press("z")
        await until(pilot, lambda: app.screen.query_one("#statements", Sheet).region.height > 0)
        await until(pilot, lambda: len(rows(app, "statements")) == 1)
        assert app.screen.query_one("#statements", Sheet).has_focus_within


async def test_wide_window_cuts_no_number(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "H", LARGE):
        sheet = app.screen.query_one("#certificates", Sheet)
        long = "WAT-US-0000001-201609-000000000011/000000000040-62"
        sheet.show([Line("one", (long, "30", "", "", "a plant with rather a long name", ""))])
        cells = [str(cell) for cell in sheet._table.get_row("one")]
        assert cells[0] == long
        assert cells[4] == "a plant with rather a long name"
        assert sheet.chosen == "one"


async def test_plant_without_a_meter_says_its_next_step(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "P") as pilot:
        screen: Any = app.screen
        await until(pilot, lambda: screen._answer is not None and screen._answer.facts is not None)
        bare = screen._answer.facts | {"credential": None, "profile_hash": ""}
        screen._answer = replace(screen._answer, facts=bare, proposals=())
        assert "m names whose signature" in screen._steps(screen._chosen())[0]
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await fill(pilot, signer="ff")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "who signs: a whole number" in says(app, "mistake"))
        await fill(pilot, signer="ab" * 32)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        assert isinstance(app.screen, SigningScreen)
        assert "meter of device" in " ".join(app.screen.deed.words())
