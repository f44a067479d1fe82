"""Bad input: nonsense in every field of every form, a deal that ends while its form is open, no room, a file of all."""

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, market_town, wallet_of
from textual.pilot import Pilot
from textual.widgets import Input, Static

from node.client import NodeClient
from node.wallet import build_body, raw_and_id, sign_transaction
from state.dealing import ListLot
from state.errors import WattestError
from state.outputs import Bundle
from tui.account import Account, accounts_in, introduce
from tui.app import Dashboard
from tui.deeds import form as form_module
from tui.deeds.certificates import retire_form, transfer_form
from tui.deeds.deed import Mistake
from tui.deeds.form import Form
from tui.deeds.market import bid_form, buy_form, offer_form
from tui.deeds.paying import pay_form
from tui.deeds.people import register_form
from tui.deeds.plants import appeal_form, baseline_form, meter_form, plant_form
from tui.deeds.readings import readings_form
from tui.deeds.selling import sell_form
from tui.deeds.sessions import session_form
from tui.deeds.votes import answer_form, vote_form
from tui.screens.export import fetched
from tui.screens.form import LONGEST, FormScreen
from tui.screens.signing import SigningScreen
from tui.screens.small import SmallScreen
from tui.widgets.sheet import Sheet

NUMBER = "WAT-FR-0000001-201404-000000001/000000003-32"
NONSENSE = (
    "", " ", "-1", "0", "9" * LONGEST, "1" + "0" * 19, "18446744073709551616", "1e3", "NaN", "0x10", "½", "٣٤", "1.2.3",
    "-" * LONGEST, "." * 5, "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "'; DROP TABLE state; --", "{price}",
    "%s",
    "../../etc/passwd", "\x00\x01\x1b[2J", "\u202emirror", "\U0001f600",
    "深圳" * 250, "WAT-FR-0000001-201404-999999999-99", "2026-13-45", "a,b=c,=,,", "\t\n", "T01", "FR" * 200, "ff" * 16,
    "\ud800", "~nobody-of-that-name/readings.csv",
)  # fmt: skip


@pytest.fixture(scope="module")
def node() -> Iterator[AnsweringNode]:
    world = market_town()
    world.auction(seconds=3_600)
    lot = world.outputs_of("owner", Bundle)[0]
    world.do(
        ListLot(world.people["owner"], lot, 1, 1, 2_000_000, "EUR", 0, world.time_ms // 1_000 + 9_000), by=("owner",)
    )
    found = AnsweringNode(world).start()
    yield found
    found.stop()


def forms(client: NodeClient, account: Account, home: Path) -> Iterator[Form]:
    auction = client.get("/v1/auctions/1")
    lot = client.get("/v1/listings")["listings"][0]
    proposal = client.get("/v1/proposals")["proposals"][0]
    appeal = {"device": 1, "day": 16_161, "step": 0, "revision": 0, "date": "2014-04-01", "reason": "ice"}
    yield transfer_form(NUMBER, 3)
    yield retire_form(NUMBER, 3, account)
    yield bid_form(auction, home)
    yield offer_form(auction, NUMBER, 3, home)
    yield buy_form(lot)
    yield register_form(account)
    yield appeal_form(1, "La Haute Borne", 16_161, "2014-04-01")
    yield plant_form()
    yield vote_form(proposal, False, {"Organisation 0": account})
    yield answer_form(appeal, False, "La Haute Borne")
    plant = client.get("/v1/devices/1")
    held = {"number": NUMBER, "quantity": 3, "scheme": 1, "device": 1, "technology": "T020000", "zone": "FR"}
    yield sell_form(held, [auction], home)
    yield pay_form([{"auction": 1, "owed": 5_000_000, "currency": "EUR", "due_at": 2_000_000_000}])
    yield session_form(1_800_000_000)
    yield meter_form(1, "La Haute Borne")
    yield baseline_form(1, "La Haute Borne")
    yield readings_form(plant, home, account)


def test_every_form_is_tried() -> None:
    """A form that is new belongs into `forms`."""
    files = Path(form_module.__file__).parent.glob("*.py")
    there = {name for file in files for name in re.findall(r"^def (\w+_form)\(", file.read_text(), re.M)}
    assert len(there) > 15
    assert there <= set(forms.__code__.co_names)


def test_no_nonsense_in_any_field_is_more_than_a_sentence(node: AnsweringNode, tmp_path: Path) -> None:
    home = wallet_of(tmp_path, node.chain, "owner")
    client = NodeClient(node.url)
    (account,) = accounts_in(home)
    introduce(client, account)
    key = account.unlock("")
    tried = said = 0
    wrong: list[str] = []
    for form in forms(client, account, home):
        valid = {each.name: each.value or (each.choices[0] if each.choices else "1") for each in form.fields}
        for field in form.fields:
            for text in NONSENSE:
                tried += 1
                values = {**valid, field.name: text[:LONGEST]}
                try:
                    form.check(values)
                    deed = form.make(client, account, values)
                    deed.words()
                    if deed.carry is not None:
                        continue
                    body = build_body(node.chain.chain, [key.public], deed.actions, node.chain.height)
                    raw_and_id(sign_transaction(body, [key]))
                except (Mistake, WattestError) as error:
                    said += 1
                    if not str(error).strip():
                        wrong.append(f"{form.name}, {field.name}, {text[:40]!a}: refused without a word")
                except Exception as error:
                    wrong.append(f"{form.name}, {field.name}, {text[:40]!a}: {error!r}"[:200])
    client.close()
    assert not wrong, "\n".join(wrong)
    assert tried > 800
    assert said > tried // 2


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await pilot.pause(0.05)


async def test_a_deal_that_ended_while_its_form_was_open_is_a_sentence_and_the_draft_stays(
    node: AnsweringNode, tmp_path: Path
) -> None:
    app = Dashboard([node.url], as_role="trader", home=wallet_of(tmp_path, node.chain, "trader"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.desk.account is not None and app.desk.account.id > 0)
        await pilot.pause(0.2)  # signing in leads to a cabinet of its own
        await pilot.press("M")
        await until(pilot, lambda: app.current_mode == "market" and bool(app.screen.query_one("#board", Sheet).lines))
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        node.chain.block(seconds=20_000)  # what was posted has ended
        node.tell()
        await until(pilot, lambda: app.model.chain.height == node.chain.height)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "\u2716" in str(app.screen.query_one("#progress", Static).render()))
        assert "[" in str(app.screen.query_one("#progress", Static).render())
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert app.screen.query_one("#field-quantity", Input).value == "1"


async def test_a_terminal_without_room_says_so_and_gives_back_what_stood_there(node: AnsweringNode) -> None:
    app = Dashboard([node.url])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.1)
        await pilot.press("question_mark")
        before = app.screen
        await pilot.resize_terminal(30, 8)
        await until(pilot, lambda: isinstance(app.screen, SmallScreen))
        await until(pilot, lambda: "30 by 8" in str(app.screen.query_one(Static).render()))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: app.screen is before)
        await pilot.resize_terminal(30, 8)
        await until(pilot, lambda: isinstance(app.screen, SmallScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is before)


async def test_a_file_of_every_row_comes_from_the_node_whole_or_not_at_all(
    node: AnsweringNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = Dashboard([node.url])
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.model.chain.height > 0)
        address = "/v1/search/export?status=live&format=csv"
        await asyncio.to_thread(fetched, app, app.desk, address, Path("all.csv"))
        await asyncio.to_thread(fetched, app, app.desk, "/v1/search/export?format=nonsense", Path("none.csv"))
        await pilot.pause(0.1)
        assert any("format" in note.message for note in app._notifications)
    assert os.listdir(tmp_path) == ["all.csv"]
    assert (tmp_path / "all.csv").read_text().count("WAT-FR") >= 2
