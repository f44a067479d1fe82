"""The dashboard as a person at the keys: both sizes, the panels, the story's knobs, a dead node, a burst."""

import asyncio
import statistics
import time
from collections.abc import Callable

import pytest
from harness.fake_node import FakeNode
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from tui.app import Dashboard
from tui.pictures import PlantPicture
from tui.rehearsal import CAPTION, SECOND_TERMINAL, Recording, StillStory, last_block, story
from tui.screens.detail import BlockScreen, TransactionScreen
from tui.screens.help import HelpScreen
from tui.screens.network import NetworkScreen
from tui.widgets.lines import CaptionLine, PanelTabs, StatusLine, TerminalLine, TitleLine
from tui.widgets.market import MarketPanel
from tui.widgets.network import NetworkPanel
from tui.widgets.panel import Panel
from tui.widgets.plants import PlantsPanel
from tui.widgets.statement import StatementPanel

WIDE, SMALL = (120, 40), (80, 24)
URL = "https://wattest.example"
WAIT_S = 30.0
HEIGHT = last_block(story())["height"]


def recorded(down: int | None = None, told: StillStory | None = None) -> Dashboard:
    app = Dashboard([URL], told)
    app.source = Recording(app.model, story(down), down)
    return app


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not true():
            await pilot.pause(0.05)


async def painted(pilot: Pilot[None]) -> NetworkScreen:
    screen = pilot.app.screen
    assert isinstance(screen, NetworkScreen)
    await until(pilot, lambda: screen.query_one(NetworkPanel).picture.height == HEIGHT)
    await pilot.pause()
    return screen


def text(panel: Panel) -> str:
    return str(panel.render())


def fields(app: Dashboard) -> str:
    """What a detail screen says."""
    return str(app.screen.query_one("#fields", Static).render())


def shown(screen: NetworkScreen) -> list[str]:
    return [type(panel).__name__ for panel in screen.query(Panel) if panel.display and panel.region.area]


@pytest.mark.parametrize("size", [WIDE, SMALL, (200, 60), (100, 30)])
async def test_nothing_overflows(size: tuple[int, int]) -> None:
    async with recorded(told=StillStory()).run_test(size=size) as pilot:
        screen = await painted(pilot)
        for number in "12345":
            await pilot.press(number)
            await pilot.pause()
            for panel in screen.query(Panel):
                if panel.display and panel.region.area:
                    assert panel.region.bottom <= size[1]
                    widest = max(len(line) for line in text(panel).split("\n"))
                    assert widest <= panel.content_size.width, f"{panel} {size}"


async def test_all_five_panels_stand_on_a_large_screen() -> None:
    async with recorded(told=StillStory()).run_test(size=WIDE) as pilot:
        screen = await painted(pilot)
        assert len(shown(screen)) == 5
        assert not screen.query_one(PanelTabs).display
        assert "state roots equal" in text(screen.query_one(NetworkPanel))
        assert "The power of this day is a copy of" in " ".join(text(screen.query_one(PlantsPanel)).split())
        assert "✖" in text(screen.query_one(PlantsPanel))
        assert "closes in" in text(screen.query_one(MarketPanel))
        assert "█" in text(screen.query_one(StatementPanel))


async def test_one_panel_at_a_time_on_a_small_screen() -> None:
    async with recorded(told=StillStory()).run_test(size=SMALL) as pilot:
        screen = await painted(pilot)
        assert shown(screen) == ["NetworkPanel"]
        assert screen.query_one(PanelTabs).display
        await pilot.press("5")
        assert shown(screen) == ["StatementPanel"]
        assert screen.query_one(PanelTabs).chosen == 5
        assert "█" in text(screen.query_one(StatementPanel)), "the QR code fits"


async def test_screen_that_shrinks_and_grows_keeps_its_panels() -> None:
    async with recorded().run_test(size=WIDE) as pilot:
        screen = await painted(pilot)
        await pilot.resize_terminal(*SMALL)
        await until(pilot, lambda: len(shown(screen)) == 1)
        await pilot.resize_terminal(*WIDE)
        await until(pilot, lambda: len(shown(screen)) == 5)


async def test_number_maximises_its_panel_and_again_brings_all_back() -> None:
    async with recorded().run_test(size=WIDE) as pilot:
        screen = await painted(pilot)
        await pilot.press("4")
        assert shown(screen) == ["MarketPanel"]
        await pilot.press("4")
        assert len(shown(screen)) == 5
        await pilot.press("2", "escape")
        assert len(shown(screen)) == 5


async def test_production_time_is_labelled_as_recorded() -> None:
    async with recorded().run_test(size=WIDE) as pilot:
        screen = await painted(pilot)
        plants = text(screen.query_one(PlantsPanel))
        assert "wind, recorded 2014" in plants
        assert "2014-04-22 23:50" in plants
        title = str(screen.query_one(TitleLine).render())
        assert "ledger time 2026-11-22" in title
        assert "2014, 2016, 2022 as recorded" in title


async def test_chosen_day_tells_its_reason() -> None:
    async with recorded().run_test(size=WIDE) as pilot:
        screen = await painted(pilot)
        panel = screen.query_one(PlantsPanel)
        panel.focus()
        await pilot.press("down", "down", "down", "down", *["left"] * 4)
        assert panel.chosen == (3, 4)
        assert "2016-09-04 Twin roof: rejected" in text(panel)
        assert "sun is below the horizon" in text(panel).replace("\n   ", " ").replace("\n  ", " ")


async def test_dead_node_turns_red() -> None:
    messages = story()
    found = [FakeNode(index, messages) for index in range(4)]
    for node in found:
        await node.start()
    try:
        app = Dashboard([node.url for node in found])
        async with app.run_test(size=WIDE) as pilot:
            screen = await painted(pilot)
            panel = screen.query_one(NetworkPanel)
            await until(pilot, lambda: [row.alive for row in panel.picture.validators] == [True] * 4)
            await found[3].die()
            await until(pilot, lambda: panel.picture.validators[3].alive is False)
            line = next(line for line in panel.render().split("\n") if " down " in line.plain)
            styles = {line.plain[span.start : span.end].strip(): str(span.style) for span in line.spans}
            assert "error" in styles["down"]
            assert "error" in styles["Validator 3"]
            assert "1 down" in str(screen.query_one(TitleLine).render())
    finally:
        for node in found:
            await node.die()


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_quits(key: str) -> None:
    app = recorded()
    async with app.run_test(size=WIDE) as pilot:
        await painted(pilot)
        await pilot.press(key)
        await pilot.pause()
    assert not app.is_running
    assert app.return_code == 0


async def test_ctrl_c_quits_out_of_a_dialogue_too() -> None:
    app = recorded()
    async with app.run_test(size=WIDE) as pilot:
        await painted(pilot)
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("ctrl+c")
        await pilot.pause()
    assert not app.is_running


async def test_story_stands_on_the_screen_and_obeys_the_keys() -> None:
    told = StillStory()
    async with recorded(told=told).run_test(size=WIDE) as pilot:
        screen = await painted(pilot)
        assert screen.query_one(CaptionLine).text == CAPTION
        assert SECOND_TERMINAL in str(screen.query_one(TerminalLine).render())
        await pilot.press("plus", "minus", "space", "k")
        assert told.pressed == ["faster", "slower", "pause", "validator"]
        await until(pilot, lambda: "paused" in str(screen.query_one(StatusLine).render()))
        await until(pilot, lambda: "start validator" in str(screen.query_one(StatusLine).render()))


async def test_without_a_story_its_keys_do_nothing() -> None:
    async with recorded().run_test(size=WIDE) as pilot:
        screen = await painted(pilot)
        await pilot.press("plus", "space", "k")
        assert not screen.query(CaptionLine)
        assert "pace" not in str(screen.query_one(StatusLine).render())


async def test_burst_of_events_does_not_hold_up_typing() -> None:
    """2,000 readings a second: what is typed meanwhile arrives whole, and a key is seen before one notices the wait."""
    node = FakeNode(0, story())
    await node.start()
    try:
        app = Dashboard([node.url])
        async with app.run_test(size=WIDE) as pilot:
            await painted(pilot)
            await until(pilot, lambda: app.source.freshness().text == "live")
            await pilot.press("ctrl+p")
            await until(pilot, lambda: bool(app.screen.query(Input)))
            field = app.screen.query_one(Input)
            burst = asyncio.create_task(burst_of_readings(node))
            waits = [await typed(app, field, key) for key in "quicktyping"]
            assert not burst.done(), "typing outlasted the burst: nothing was shown"
            assert field.value == "quicktyping"
            assert statistics.median(waits) < 0.3, waits
            await burst
            await until(pilot, lambda: plant_of(app).readings == READINGS + 8_000)
    finally:
        await node.die()


READINGS = 3_168  # of the turbine in the recorded story


async def burst_of_readings(node: FakeNode) -> None:
    for step in range(80):
        first = READINGS + step * 100
        reading = {"kind": "reading", "device": 3, "count": 1, "timestamp": 1_398_000_000}
        await node.tell(*({**reading, "seq": first + n, "power_w": n * 1_000} for n in range(1, 101)))
        await asyncio.sleep(0.05)


async def typed(app: Dashboard, field: Input, key: str) -> float:
    """Seconds from the key until it stands in the field."""
    began, before = time.monotonic(), len(field.value)
    app.simulate_key(key)
    async with asyncio.timeout(WAIT_S):
        while len(field.value) == before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return time.monotonic() - began


def plant_of(app: Dashboard) -> PlantPicture:
    return next(plant for plant in app.model.snapshot().plants.plants if plant.device == 3)


async def test_block_is_opened_to_its_last_field() -> None:
    node = FakeNode(0, story())
    await node.start()
    try:
        app = Dashboard([node.url])
        async with app.run_test(size=WIDE) as pilot:
            screen = await painted(pilot)
            screen.query_one(NetworkPanel).focus()
            await pilot.press(*["down"] * 4, "enter")
            assert isinstance(app.screen, BlockScreen)
            parts = app.screen.query_one(OptionList)
            await until(pilot, lambda: parts.option_count == 2)
            assert "2026-11-22" in fields(app)
            await pilot.press("enter")
            assert isinstance(app.screen, TransactionScreen)
            await until(pilot, lambda: "bid for 30 in auction 2" in fields(app))
            assert "quantity" in fields(app)
            assert "50000" in fields(app)
            await pilot.press("escape", "escape")
            assert app.screen is screen
    finally:
        await node.die()


async def test_block_of_a_node_that_is_gone_is_a_sentence_and_a_way_back() -> None:
    app = recorded()
    async with app.run_test(size=WIDE) as pilot:
        screen = await painted(pilot)
        app.push_screen(BlockScreen("http://127.0.0.1:9", 3))
        await pilot.pause()
        await until(pilot, lambda: "No node answers" in fields(app))
        await pilot.press("escape")
        assert app.screen is screen
