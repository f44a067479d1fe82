"""What a plant owner and a market operator do at the keys alone: send readings, open a session."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.answering_node import AnsweringNode, market_town, wallet_of
from harness.desks import at, dashboard, fill, rows, says, until
from harness.finalized import FinalizedWorld
from harness.metering import DAY, NOW_S
from harness.world import FAR, WIND, key_of
from textual.widgets import Select

from node.homemeter import FOLDER
from node.keystore import generate_key, save_key
from state.transaction import MeterContent
from state.units import DAY_S
from tui.app import Dashboard
from tui.screens.form import FormScreen
from tui.screens.signing import SigningScreen

HEAD = "timestamp,id,pwr_avg,wind_spd,t,insolation\n"


def record(path: Path, count: int, last: str = "") -> Path:
    path.write_text(HEAD + "".join(f"{DAY * DAY_S + 600 * i},3,{100 + i}.5,7.1,4.5,\n" for i in range(count)) + last)
    return path


class Plant:
    """A turbine whose meter's key lies in the owner's home, at a node that takes readings."""

    def __init__(self, folder: Path) -> None:
        self.world = FinalizedWorld()
        self.world.register("owner")
        self.device = self.world.device("owner", 1, WIND, profile=False)
        self.world.accredit(MeterContent(self.device, key_of("reader"), 0, FAR), by="owner")
        self.node = AnsweringNode(self.world).start()
        self.intake = self.node.take_in(NOW_S)
        self.home = wallet_of(folder / "home", self.world, "owner")

    def with_meter(self) -> "Plant":
        key = generate_key("device", self.world.chain.hex(), self.world.seed("reader"))
        save_key(self.home / "keys", "reader", key, b"a passphrase", "test")
        return self

    @property
    def held(self) -> int:
        return self.intake.store.head(self.device).last_seq


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    yield made
    made.node.stop()


def notices(app: Dashboard) -> str:
    return " ".join(str(note.message) for note in app._notifications)


def knows_its_plant(app: Dashboard) -> bool:
    """Of the chosen plant the ledger's facts are here: keys act on them."""
    screen: Any = app.screen
    return bool(rows(app, "plants")) and screen._facts(screen._chosen()) is not None


async def opened(pilot: Any, app: Dashboard, key: str) -> FormScreen:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, FormScreen))
    assert isinstance(app.screen, FormScreen)
    return app.screen


async def test_an_owner_sends_readings_of_his_own_meter(plant: Plant, tmp_path: Path) -> None:
    plant.with_meter()
    app = dashboard(plant.node, plant.home, "owner")
    async with at(app, "P") as pilot:
        await until(pilot, lambda: knows_its_plant(app))
        await opened(pilot, app, "u")
        await fill(pilot, file=str(tmp_path / "none.csv"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "there is no file" in says(app, "mistake"))
        await fill(pilot, file=str(record(tmp_path / "bad.csv", 3, "x,3,1,,,\n")))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "line 5 is no reading" in says(app, "mistake"))
        await fill(pilot, file=str(record(tmp_path / "unit.csv", 30)))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        assert plant.held == 0, "nothing is sent before it is signed"
        await pilot.press(*"a wrong one", "enter")
        await until(pilot, lambda: "✖" in says(app, "progress"))
        app.screen.query_one("#passphrase").value = "a passphrase"  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: "30 readings signed" in says(app, "progress"))
        assert plant.held == 30
        assert plant.intake.store.head(plant.device).held_days == 1
        assert list((plant.home / FOLDER).glob("*.log")), "the chain goes on where `wattest meter send` would"
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, SigningScreen | FormScreen))


async def test_refuses_where_the_meter_s_key_is_not_at_hand(plant: Plant) -> None:
    app = dashboard(plant.node, plant.home, "owner")
    async with at(app, "P") as pilot:
        await until(pilot, lambda: knows_its_plant(app))
        await pilot.press("u")
        await until(pilot, lambda: "key of its meter is not at hand" in notices(app))


async def test_a_browser_reads_no_file_of_the_server(plant: Plant) -> None:
    plant.with_meter()
    app = dashboard(plant.node, plant.home, "owner")
    assert app.desk.meter(key_of("reader").hex()) is not None
    app.desk.sealed_only = True
    assert app.desk.meter(key_of("reader").hex()) is None


async def test_a_market_operator_opens_a_session(tmp_path: Path) -> None:
    node = AnsweringNode(market_town()).start()
    home = wallet_of(tmp_path / "wallets", node.chain, "exchange", "trader")
    app = dashboard(node, home, "exchange")
    try:
        async with at(app, "M") as pilot:
            form = await opened(pilot, app, "n")
            assert re.search("Open a session", form.form.title)
            await fill(pilot, title="Wind of autumn", scheme="no such", closes="soon", floor="1.5", by="colour=red")
            await pilot.press("ctrl+s")
            await until(pilot, lambda: "scheme: there are" in says(app, "mistake"))
            scheme = str(app.desk.client().get("/v1/schemes")["schemes"][0]["name"])
            await fill(pilot, scheme=scheme.lower())
            await pilot.press("ctrl+s")
            await until(pilot, lambda: "a time such as 90s" in says(app, "mistake"))
            await fill(pilot, closes="10m")
            await pilot.press("ctrl+s")
            await until(pilot, lambda: "technology=T01,T02" in says(app, "mistake"))
            await fill(pilot, by="technology=T01,T02")
            form.query_one("#field-book", Select).value = form.form.fields[3].choices[1]
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(app.screen, SigningScreen))
            await pilot.press("enter")
            await until(pilot, lambda: "final in block" in says(app, "progress"))
            await pilot.press("enter")
            await until(pilot, lambda: any("Wind of autumn (sealed)" in row[1] for row in rows(app, "sessions")))
            (found,) = app.desk.client().get("/v1/auctions")["auctions"]
            assert (found["terms"]["sealed"], found["terms"]["escrow"]) == (True, True)
            assert int(found["floor"]) == 1_500_000
    finally:
        node.stop()


async def test_refuses_a_session_of_who_is_no_market_operator(tmp_path: Path) -> None:
    node = AnsweringNode(market_town()).start()
    app = dashboard(node, wallet_of(tmp_path / "wallets", node.chain, "trader"), "trader")
    try:
        async with at(app, "M") as pilot:
            await pilot.press("n")
            await until(pilot, lambda: "accredited market operator" in notices(app))
    finally:
        node.stop()
