"""No English word is left on any screen in Russian and Chinese but names, codes and what one types."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.answering_node import AnsweringNode, wallet_of
from harness.desks import at, dashboard, until
from harness.tongues import english, eventful_town, screen_text
from textual.pilot import Pilot

from node.client import NodeClient
from tui.app import Dashboard
from tui.screens.detail import field_lines
from tui.screens.form import FormScreen
from tui.texts import speak, t
from tui.widgets.sheet import Sheet

ROOM = (150, 80)  # nothing is scrolled away
FORMS = {"P": "nmb", "H": "srte", "M": "bf", "G": "ax", "A": "v"}  # keys that open one, or tell something
TRANSLATED = ("ru", "zh")
# A text that one language lacks the other lacks too, so each reads half; WATTEST_FULL=1 reads all in both.
READ = {"ru": "NPA", "zh": "HMG"} if not os.environ.get("WATTEST_FULL") else dict.fromkeys(TRANSLATED, "NPHMAG")


@pytest.fixture(scope="module")
def node() -> Iterator[AnsweringNode]:
    found = AnsweringNode(eventful_town()).start()
    yield found
    found.stop()


@pytest.fixture
def home(tmp_path: Path, node: AnsweringNode) -> Path:
    directory = wallet_of(tmp_path / "wallets", node.chain, "owner")
    return wallet_of(directory, node.chain, "Organisation 0", purpose="governance")


@pytest.fixture(params=TRANSLATED)
def tongue(request: pytest.FixtureRequest) -> Iterator[str]:
    speak(request.param)
    yield request.param
    speak("en")


class Reader:
    """Looks at every screen that is opened and keeps the lines that hold English."""

    def __init__(self, app: Dashboard, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot
        self.looked = 0
        self.found: dict[str, str] = {}

    async def look(self, where: str) -> None:
        await until(self.pilot, lambda: t("asking the node …") not in screen_text(self.app))
        await self.pilot.pause()
        self.looked += 1
        for line in screen_text(self.app).splitlines():
            if words := english(line):
                self.found.setdefault(f"{words}: {' '.join(line.split())}", where)

    async def opened(self, key: str, where: str) -> None:
        """What a key opens above a cabinet, closed again."""
        await self.pilot.press(key)
        await self.pilot.pause(0.05)
        await self.look(f"{where} {key}")
        if isinstance(self.app.screen, FormScreen):
            await self.pilot.press("ctrl+s")
            await self.pilot.pause(0.05)
            await self.look(f"{where} {key}, gone on")
        while len(self.app.screen_stack) > 1:
            await self.pilot.press("escape")
            await self.pilot.pause()
        self.app.clear_notifications()


async def test_no_english_is_left_on_any_screen(tongue: str, node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "N", ROOM) as pilot:
        reader = Reader(app, pilot)
        for key in READ[tongue]:
            await pilot.press(key)
            await pilot.pause()
            screen: Any = app.screen
            if hasattr(screen, "_reading"):
                await until(pilot, lambda screen=screen: screen._read_height >= 0 and not screen._reading)  # type: ignore[misc]
            await reader.look(key)
            for sheet in app.screen.query(Sheet):
                sheet.focus_rows()
                await reader.opened("enter", f"{key} {sheet.id}")
            for opens in FORMS.get(key, ""):
                await reader.opened(opens, key)
        for opens in ("question_mark", "ctrl+p", "S"):
            await reader.opened(opens, "everywhere")
        app.action_zone()
        await reader.look("zone")
        assert reader.looked > 12
        assert not reader.found, f"{tongue}:\n" + "\n".join(f"{where}: {line}" for line, where in reader.found.items())


def test_every_field_of_the_ledger_has_a_name_in_the_language(tongue: str, node: AnsweringNode) -> None:
    client = NodeClient(node.url)
    answers = [client.get(f"/v1/blocks/{height}") for height in range(1, node.chain.height + 1)]
    answers += [
        client.get(f"/v1/transactions/{txid}", lang=tongue) for block in answers for txid in block["transactions"]
    ]
    answers += [
        *client.pages("/v1/proposals", "proposals"),
        client.get("/v1/devices/1"),
        client.get("/v1/participants/1"),
    ]
    client.close()
    left = {
        f"{word}: {line.plain}"
        for answer in answers
        for name, value in answer.items()
        if name != "schema"
        for line in field_lines(name, value)
        for word in english(line.plain)
    }
    assert len(answers) > 60
    assert not left, "\n".join(sorted(left))
