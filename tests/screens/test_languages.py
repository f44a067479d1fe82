"""The cabinets in English, Russian and Chinese: the right words, the right plural, nothing beyond the edge."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, market_town, wallet_of
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from node.failures import NodeUnreachable, RefusedByNode
from node.texts import LANGUAGES
from tui.app import Dashboard
from tui.directory import cabinets
from tui.screens.form import FormScreen
from tui.texts import counted, language, of_environment, said, speak, t, word
from tui.widgets.panel import Panel
from tui.widgets.sheet import Sheet

WIDE, SMALL, LARGE = (120, 40), (80, 24), (200, 60)
WAIT_S = 30.0


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not true():
            await pilot.pause(0.05)


@asynccontextmanager
async def at(app: Dashboard, key: str) -> AsyncIterator[Pilot[None]]:
    """A dashboard with somebody signed in, at the cabinet `key`."""
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: app.desk.account is not None and app.desk.account.id > 0)
        await pilot.pause(0.1)
        await pilot.press(key)
        await pilot.pause(0.1)
        yield pilot


def titles(app: Dashboard, widget: str) -> list[str]:
    return [str(found.border_title) for found in app.screen.query(widget)]


def says(app: Dashboard, widget: str) -> str:
    return str(app.screen.query_one(f"#{widget}", Static).render())


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    speak("en")


@pytest.fixture
def node() -> Iterator[AnsweringNode]:
    found = AnsweringNode(market_town()).start()
    yield found
    found.stop()


@pytest.fixture
def home(tmp_path: Path, node: AnsweringNode) -> Path:
    return wallet_of(tmp_path / "wallets", node.chain, "owner", "trader")


COUNTS = [
    ("en", {1: "1 plant", 2: "2 plants", 21: "21 plants"}),
    ("ru", {1: "1 установка", 3: "3 установки", 5: "5 установок", 11: "11 установок", 21: "21 установка"}),
    ("zh", {1: "1 座电站", 5: "5 座电站"}),
]


@pytest.mark.parametrize(("tongue", "counts"), COUNTS)
def test_a_counted_thing_has_the_plural_of_its_language(tongue: str, counts: dict[int, str]) -> None:
    speak(tongue)
    assert {number: counted(number, "plant") for number in counts} == counts


ENVIRONMENTS = [
    ({"LANG": "ru_RU.UTF-8"}, "ru"),
    ({"LANG": "ru_RU.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
    ({"LANG": "ru_RU.UTF-8", "LC_ALL": "C"}, "en"),
    ({"LANG": "ru_RU.UTF-8", "WATTEST_LANG": "zh"}, "zh"),
    ({"LANG": "de_DE.UTF-8"}, "en"),
    ({}, "en"),
]


@pytest.mark.parametrize(("environment", "tongue"), ENVIRONMENTS)
def test_language_is_the_terminals_own(environment: dict[str, str], tongue: str) -> None:
    assert of_environment(environment) == tongue


def test_a_refusal_is_said_in_the_language_with_its_code() -> None:
    refused = RefusedByNode(
        "unknown", "There is no participant 7 here. [unknown]", {"what": "certificate", "id": 7}, None, 404
    )
    assert said(refused).startswith("There is no participant 7")
    speak("zh")
    assert said(refused) == "这里没有证书 7。 [unknown]"


def test_a_refusal_of_a_newer_node_stays_in_its_own_words() -> None:
    speak("ru")
    refused = RefusedByNode("of_tomorrow", "Not on Sundays. [of_tomorrow]", {}, None, 409)
    assert said(refused) == "Not on Sundays. [of_tomorrow]"
    gone = said(NodeUnreachable(url="http://x", why="connection refused"))
    assert gone == "Узел по адресу http://x не отвечает: в соединении отказано. [node_unreachable]"


async def test_every_cabinet_stands_in_every_translation_at_every_size(node: AnsweringNode, home: Path) -> None:
    for tongue in ("ru", "zh"):  # English has its own test
        speak(tongue)
        app = Dashboard([node.url], as_role="owner", home=home)
        async with at(app, "N") as pilot:
            for size in (SMALL, WIDE):
                await pilot.resize_terminal(*size)
                for cabinet in cabinets():
                    await pilot.press(cabinet.key)
                    await pilot.pause(0.05)
                    for widget in app.screen.query("*"):
                        if widget.display and widget.region.area:
                            assert widget.region.right <= size[0], f"{tongue}: {cabinet.title}: {widget}"
                    for panel in app.screen.query(Panel):
                        width, height = panel.content_size
                        if width >= 112 and height >= 1:
                            for line in panel.lines(width, height)[:height]:
                                assert cell_len(line.plain) <= width, f"{tongue}: {line.plain}"


TITLES = {"en": ("Certificates", "plant"), "ru": ("Сертификаты", "установка"), "zh": ("证书", "电站")}


@pytest.mark.parametrize("tongue", LANGUAGES)
async def test_a_holder_transfers_in_his_language(tongue: str, node: AnsweringNode, home: Path) -> None:
    speak(tongue)
    app = Dashboard([node.url], as_role="owner", home=home)
    async with at(app, "H") as pilot:
        sheet = app.screen.query_one("#certificates", Sheet)
        await until(pilot, lambda: bool(sheet.lines))
        table = sheet.query_one(DataTable)
        heads = [str(column.label) for column in table.columns.values()]
        assert heads[4] == t("plant") == TITLES[tongue][1]
        assert word("active") in {line.cells[-1] for line in sheet.lines}
        await pilot.press("t")
        await pilot.pause(0.1)
        assert isinstance(app.screen, FormScreen)
        await pilot.press("ctrl+s")
        await pilot.pause(0.1)
        assert says(app, "mistake") == t("{label}: this is needed.", label=t("receiver"))
        if tongue != "en":
            assert not re.search(r"\b(needed|receiver)\b", says(app, "mistake"))


async def test_the_palette_changes_the_language_of_the_open_cabinet(node: AnsweringNode, home: Path) -> None:
    app = Dashboard([node.url], as_role="owner", home=home)
    async with at(app, "H") as pilot:
        app.speak("ru")
        await until(pilot, lambda: app.current_mode == "holder" and titles(app, "#money") == ["Деньги"])
        assert language() == "ru"
        assert titles(app, "#money") == ["Деньги"]


async def test_the_picker_of_themes_asks_in_the_language(node: AnsweringNode, home: Path) -> None:
    speak("ru")
    app = Dashboard([node.url], as_role="owner", home=home)
    async with at(app, "N") as pilot:
        app.search_themes()
        await pilot.pause()
        assert app.screen.query_one(Input).placeholder == "Поиск тем…"


async def test_the_palette_leads_to_our_own_help_and_not_to_a_panel_in_english(node: AnsweringNode, home: Path) -> None:
    app = Dashboard([node.url], as_role="owner", home=home)
    async with at(app, "N"):
        found = {command.title: command.callback for command in app.get_system_commands(app.screen)}
        assert "Keys" not in found
        assert found["Keys and marks"] == app.action_help
