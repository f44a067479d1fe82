"""A new cabinet is one new file: found by being there, with its key, its place in the bar, and who begins in it."""

from collections.abc import Iterator
from importlib import invalidate_caches
from pathlib import Path
from sys import modules

import pytest
from harness.answering_node import AnsweringNode, market_town, wallet_of
from harness.desks import SMALL, dashboard, told, until

from tui import cabinets as rooms
from tui.directory import cabinets
from tui.widgets.cabinets import CabinetBar

FILE = '''
"""Whoever runs the market sees here whom it has."""

from textual.app import ComposeResult

from node.client import NodeClient
from tui.directory import Cabinet
from tui.screens.cabinet import CabinetScreen
from tui.widgets.texts import TextPanel


class RegisterScreen(CabinetScreen):
    HEADING = "Register"

    def body(self) -> ComposeResult:
        yield TextPanel("Who is here", id="people")

    def read(self, client: NodeClient, asked: object) -> object:
        return client.get("/v1/participants")["participants"]

    def show(self, found: object) -> None:
        self.query_one("#people", TextPanel).picture = [[(f"{len(found)} people", "")]]


CABINET = Cabinet("X", "Register", 99, RegisterScreen, frozenset({"market_operator"}))
'''


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "register.py").write_text(FILE)
    monkeypatch.setattr(rooms, "__path__", [*rooms.__path__, str(folder)])
    invalidate_caches()
    yield
    modules.pop(f"{rooms.__name__}.register", None)


async def test_a_file_is_a_cabinet(added: None, tmp_path: Path) -> None:
    assert cabinets()[-1].title == "Register"
    node = AnsweringNode(market_town()).start()
    app = dashboard(node, wallet_of(tmp_path / "wallets", node.chain, "exchange"), "exchange")
    try:
        async with app.run_test(size=SMALL) as pilot:
            await until(pilot, lambda: app.current_mode == "register")  # who signs in is a market operator
            await until(pilot, lambda: "people" in told(app, "people"))
            assert ("X", "Register") in app.screen.query_one(CabinetBar).names
            await pilot.press("N")
            await until(pilot, lambda: app.current_mode == "network")
            await pilot.press("X")
            await until(pilot, lambda: app.current_mode == "register")
            assert any(command.title == "Register" for command in app.get_system_commands(app.screen))
    finally:
        node.stop()


def test_without_its_file_it_is_not_there() -> None:
    assert "Register" not in [cabinet.title for cabinet in cabinets()]
