"""Replay: the model of an earlier block, the scrubber, and that nothing is signed in the past."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from harness.answering_node import AnsweringNode, market_town, wallet_of
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import Input, Static

from node.api.routes import ROUTES
from node.client import has_a_past
from node.past import past_in
from state.outputs import Bundle
from tui.app import Dashboard
from tui.deeds.deed import Deed
from tui.model import NetworkModel
from tui.parts import reel as the_reel
from tui.parts.reel import CHUNK, Reel
from tui.pictures import Picture
from tui.rehearsal import names, status, story
from tui.replay import Replay
from tui.screens.cabinet import KeysLine
from tui.screens.going import GoingScreen, height_of
from tui.screens.signing import SigningScreen
from tui.texts import speak, t
from tui.widgets.lines import TitleLine
from tui.widgets.scrubber import Scrubber
from tui.widgets.sheet import Sheet
from tui.words import ledger_time

WAIT_S = 12.0


def followed(messages: list[dict[str, Any]], up_to: int | None = None) -> NetworkModel:
    """A live model that heard these blocks, and no live-only message."""
    model = NetworkModel()
    for message in messages:
        if message["kind"] == "block" and (up_to is None or message["height"] <= up_to):
            model.apply_block(message)
    heard = [message for message in messages if message.get("height") == model.chain.height]
    model.apply_status(0, status(0, heard[0]))
    for kind, items in names().items():
        model.apply_names(kind, items)
    return model


def seen(model: NetworkModel) -> tuple[Any, ...]:
    """All that blocks tell."""
    picture: Picture = model.snapshot()
    entries = {number: model.books.of(number) for number in model.names.participants}
    network = picture.network
    return (
        network.height,
        network.blocks,
        network.time_ms,
        picture.plants,
        picture.certificates,
        picture.market,
        entries,
    )


def test_the_model_of_a_height_is_that_of_a_dashboard_that_stopped_there() -> None:
    """Jumps forwards and backwards, in any order."""
    messages = story()
    live = followed(messages)
    replay = Replay(live)
    heights = [*live.reel.heights]
    Random(5).shuffle(heights)
    for height in [live.chain.height, *heights[:12], 1, live.chain.height]:
        stopped = followed(messages, height)
        then = replay.made(height)
        stopped.names.devices = dict(then.names.devices)  # a list asked for today names today's plants
        assert seen(then) == seen(stopped)
        assert then is not live


def test_a_plant_is_not_there_before_it_was_accredited() -> None:
    live = followed(story())
    assert set(live.births.values()) == {2}
    assert Replay(live).made(1).names.devices == {}
    assert len(Replay(live).made(2).names.devices) == len(live.names.devices)


def test_making_the_past_leaves_the_live_model_as_it_was() -> None:
    live = followed(story())
    before = seen(live)
    Replay(live).made(3)
    assert seen(live) == before


def test_marks_along_the_way_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.replay.MARK_EVERY", 3)
    live = followed(story())
    replay = Replay(live)
    replay.made(live.chain.height)
    assert len(replay._marks) > 5
    for height in (20, 7, 19, 2):
        assert seen(replay.made(height)) == seen(Replay(live).made(height))


def test_nothing_is_claimed_of_what_no_block_records() -> None:
    then = Replay(followed(story())).made(5).snapshot().network
    assert {row.alive for row in then.validators} == {None}
    assert then.validators[0].name == "Validator 0"
    assert all(row.peers is None and row.waiting is None for row in then.validators)


def test_a_reel_gives_back_what_it_was_given() -> None:
    messages = [{"height": height, "time_ms": height * 1_000, "events": [{"n": height}]} for height in range(1, 300)]
    reel = Reel()
    for message in messages:
        reel.add(message)
    for above, up_to in ((0, 299), (63, 64), (64, 65), (10, 10), (100, 250), (298, 299), (-1, 1)):
        assert list(reel.messages(above, up_to)) == messages[max(0, above) : up_to]
    assert reel.height_at(70_500) == 70
    assert reel.height_at(0) == 1
    assert reel.height_at(10**9) == 299


def test_a_reel_that_is_full_begins_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(the_reel, "REEL_BYTES", 4_000)
    reel, random = Reel(), Random(3)
    for height in range(1, 40 * CHUNK):
        reel.add({"height": height, "time_ms": height, "text": random.randbytes(8).hex()})
    assert reel.first % CHUNK == 1
    assert 1 < reel.first < reel.last == 40 * CHUNK - 1
    assert next(reel.messages(0, reel.first + 70))["height"] == reel.first


def test_the_client_knows_which_answers_have_a_past() -> None:
    for route in ROUTES:
        if route.method == "GET" and route.path.startswith("/v1/") and route.path != "/v1/search/export":
            takes = any(parameter.name == "at" for parameter in route.query)
            assert has_a_past(route.path) is takes, route.path


# --- on the screen, at a node with the real API over a real ledger


@pytest.fixture
def node(tmp_path: Path) -> Iterator[AnsweringNode]:
    world = market_town()
    (tmp_path / "data").mkdir()
    past = past_in(tmp_path / "data", world.store, world.parsed_genesis, world.chain)
    found = AnsweringNode(world, past).start()
    yield found
    found.stop()
    past.close()


@pytest.fixture
def home(tmp_path: Path, node: AnsweringNode) -> Path:
    return wallet_of(tmp_path / "wallets", node.chain, "owner", "trader")


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not true():
            await pilot.pause(0.05)


@asynccontextmanager
async def replaying(
    node: AnsweringNode, home: Path | None, key: str, who: str | None = None, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Dashboard, Pilot[None]]]:
    """A dashboard that has heard all blocks, with a cabinet open, in replay."""
    app = Dashboard([node.url], as_role=who, home=home)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.desk.model.chain.height == node.chain.height)
        if who is not None:
            await until(pilot, lambda: app.desk.account is not None and app.desk.account.id > 0)
            await pilot.pause(0.1)
        await pilot.press(key)
        await pilot.pause(0.1)
        await pilot.press("R")
        await until(pilot, lambda: app.desk.replay is not None and isinstance(app.focused, Scrubber))
        yield app, pilot


def at_height(app: Dashboard, height: int) -> bool:
    screen: Any = app.screen
    read = getattr(screen, "_read_height", height)
    return app.desk.model.chain.height == height == read and not getattr(screen, "_reading", False)


def banner(app: Dashboard) -> str:
    return str(app.screen.query_one(Scrubber).render())


def cells(app: Dashboard, sheet: str) -> list[tuple[str, ...]]:
    return [line.cells for line in app.screen.query_one(f"#{sheet}", Sheet).lines]


async def go_to(app: Dashboard, pilot: Pilot[None], text: str) -> None:
    await pilot.press("g")
    await until(pilot, lambda: isinstance(app.screen, GoingScreen) and isinstance(app.focused, Input))
    app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await pilot.pause(0.05)


async def test_a_portfolio_is_shown_as_it_was(node: AnsweringNode, home: Path) -> None:
    world = node.chain
    before = world.height
    point = world.outputs_of("owner", Bundle)[0]
    world.do(world.retire_action("owner", point, 1, 2), by=("owner",))
    assert world.height == before + 1
    async with replaying(node, home, "H", "owner") as (app, pilot):
        await until(pilot, lambda: bool(cells(app, "portfolio")) and cells(app, "portfolio")[0][1] == "1")
        await pilot.press("left")
        await until(pilot, lambda: at_height(app, before))
        await until(pilot, lambda: cells(app, "portfolio")[0][1] == "3")
        assert f"block {before} of {before + 1}" in banner(app)
        assert "REPLAY" in banner(app)
        await pilot.press("escape")
        await until(pilot, lambda: cells(app, "portfolio")[0][1] == "1")
        assert app.desk.replay is None
        assert not app.screen.query_one(Scrubber).display


async def test_an_auction_is_shown_as_it_was(node: AnsweringNode, home: Path) -> None:
    """Before it opened, with its first order, and as it is."""
    world = node.chain
    before = world.height
    auction = world.auction(seconds=3_600)
    opened = world.height
    world.offer("owner", auction, world.outputs_of("owner", Bundle)[0], 1, 1, 40_000_000)
    async with replaying(node, home, "M", size=(80, 24)) as (app, pilot):
        await until(pilot, lambda: len(cells(app, "orders")) == 1)
        app.desk.replay.want(opened)  # type: ignore[union-attr]
        await until(pilot, lambda: at_height(app, opened) and not cells(app, "orders"))
        assert [row[0] for row in cells(app, "sessions")] == [str(auction)]
        assert f"block {opened} of {world.height}" in banner(app)
        app.desk.replay.want(before)  # type: ignore[union-attr]
        await until(pilot, lambda: at_height(app, before) and not cells(app, "sessions"))


async def test_nothing_is_signed_in_the_past(node: AnsweringNode, home: Path) -> None:
    async with replaying(node, home, "H", "owner") as (app, pilot):
        await until(pilot, lambda: bool(cells(app, "certificates")))
        app.screen.query_one("#certificates", Sheet).focus_rows()
        await pilot.press("r")
        await pilot.pause(0.1)
        assert len(app.screen_stack) == 1
        assert any("nothing can be signed" in note.message for note in app._notifications)
        deed = transfer_deed_of(app)
        app.push_screen(SigningScreen(app.desk, deed))
        await pilot.pause(0.1)
        height = node.chain.height
        await pilot.press("enter")
        await pilot.pause(0.3)
        assert node.chain.height == height
        assert isinstance(app.screen, SigningScreen)
        assert app.screen._state == "asked"


def transfer_deed_of(app: Dashboard) -> Deed:
    return Deed("Give away", (), ())


async def test_the_scrubber_goes_by_keys_height_time_and_mouse(node: AnsweringNode) -> None:
    async with replaying(node, None, "N", size=(200, 60)) as (app, pilot):
        replay = app.desk.replay
        assert replay is not None
        last = replay.last
        for key, height in (("home", 1), ("right", 2), ("shift+right", 12), ("end", last), ("h", last - 1),
                            ("pageup", last - 11), ("pagedown", last - 1)):  # fmt: skip
            await pilot.press(key)
            assert replay.wanted == height, key
        await go_to(app, pilot, "7")
        await until(pilot, lambda: replay.wanted == 7 and app.desk.model.chain.height == 7)
        assert app.screen.query_one(TitleLine).stale
        await go_to(app, pilot, ledger_time(replay.live.reel.time_of(5)))
        await until(pilot, lambda: replay.wanted == 5)
        for nonsense in ("", "nonsense", "-5", "2026-13-40", "٣", "1e9", "\x00", "9" * 60 + "-"):
            assert height_of(nonsense, replay) is None, nonsense
        assert height_of("9" * 60, replay) == last
        await go_to(app, pilot, "nonsense")
        assert isinstance(app.screen, GoingScreen)
        assert "neither a height nor a time" in str(app.screen.query_one("#mistake", Static).render())
        await pilot.press("escape")
        await pilot.click(Scrubber, offset=(4, 1))
        assert replay.wanted == 1
        await pilot.press("greater_than_sign", "greater_than_sign", "space")
        assert replay.playing
        await until(pilot, lambda: replay.wanted == last and not replay.playing)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_the_banner_is_whole_in_chinese(node: AnsweringNode, home: Path, size: tuple[int, int]) -> None:
    speak("zh")
    try:
        async with replaying(node, home, "H", "owner", size) as (app, pilot):
            await pilot.press("left")
            await until(pilot, lambda: at_height(app, node.chain.height - 1))
            line, bar = banner(app).split("\n")
            assert cell_len(line) <= size[0]
            assert cell_len(bar) <= size[0]
            assert "REPLAY" not in line
            for text in (t("REPLAY"), t("Space: play   g: go to   Esc: now"), ledger_time(app.desk.replay.time_ms)):  # type: ignore[union-attr]
                assert text in line
            await pilot.press("g")
            await until(pilot, lambda: isinstance(app.screen, GoingScreen))
            assert app.screen.query_one(Input).region.right <= size[0]
    finally:
        speak("en")


async def test_blocks_that_come_meanwhile_wait_for_whoever_comes_back(node: AnsweringNode) -> None:
    async with replaying(node, None, "N") as (app, pilot):
        await pilot.press("home")
        await until(pilot, lambda: app.desk.model.chain.height == 1)
        node.chain.register("newcomer")
        node.tell()
        await until(pilot, lambda: app.desk.now.chain.height == node.chain.height)
        assert app.desk.model.chain.height == 1
        assert f"of {node.chain.height}" in banner(app)
        await pilot.press("escape")
        assert app.desk.model.chain.height == node.chain.height


async def test_a_node_that_keeps_no_past_says_so_and_the_blocks_are_still_shown(tmp_path: Path) -> None:
    node = AnsweringNode(market_town()).start()
    try:
        async with replaying(node, None, "H") as (app, pilot):
            await pilot.press("home")
            await until(pilot, lambda: app.desk.model.chain.height == 1)
            await until(pilot, lambda: "newest height only" in app.screen.query_one(KeysLine).trouble)
    finally:
        node.stop()
