"""The cabinets as their people use them, at a node with the real API over a real ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, market_town, wallet_of
from harness.desks import LARGE, SMALL, WIDE, at, dashboard, fill, rows, says, told, until
from harness.finalized import FinalizedWorld
from textual.containers import VerticalScroll
from textual.widgets import Input, OptionList, Select, Static

from node.keystore import generate_key, save_key
from state.dealing import ListLot
from state.outputs import Bundle, Funds, quantity
from state.records import AuctionTerms, Dimension
from state.transaction import Propose, RoleContent
from tui.app import Dashboard
from tui.directory import cabinet_for, cabinets
from tui.screens.account import AccountScreen
from tui.screens.form import FormScreen
from tui.screens.signing import SigningScreen
from tui.widgets.cabinets import CabinetBar
from tui.widgets.depth import DepthPanel
from tui.widgets.sheet import Sheet
from tui.widgets.texts import TextPanel

NUMBER = "WAT-FR-0000001-201404-000000002-53"


@pytest.fixture
def node() -> Iterator[AnsweringNode]:
    found = AnsweringNode(market_town()).start()
    yield found
    found.stop()


@pytest.fixture
def home(tmp_path: Path, node: AnsweringNode) -> Path:
    directory = wallet_of(tmp_path / "wallets", node.chain, "owner", "trader")
    return wallet_of(directory, node.chain, "Organisation 0", purpose="governance")


def held(world: FinalizedWorld, name: str) -> int:
    return sum(
        quantity(output)
        for output in world.live().values()
        if isinstance(output, Bundle) and output.holder == world.people[name]
    )


def owed_words(app: Dashboard) -> str:
    panel = app.screen.query_one("#money", TextPanel)
    return "\n".join("".join(part[0] for part in parts) for parts in panel.picture)


# --- who one is


def test_every_cabinet_has_its_own_key_and_title() -> None:
    found = cabinets()
    assert len({cabinet.key for cabinet in found}) == len({cabinet.title for cabinet in found}) == len(found)
    assert [cabinet.title for cabinet in found][:1] == ["Network"]


@pytest.mark.parametrize(
    ("roles", "title"), [(("auditor",), "Auditor"), (("authority",), "Authority"), (("owner",), "Plants")]
)
def test_roles_lead_to_their_cabinet(roles: tuple[str, ...], title: str) -> None:
    found = cabinet_for(roles, cabinets())
    assert found is not None
    assert found.title == title


async def test_signing_in_leads_to_the_cabinet_that_fits(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home)
    async with at(app, "S") as pilot:
        assert isinstance(app.screen, AccountScreen)
        options = app.screen.query_one(OptionList)
        await until(pilot, lambda: options.option_count == 2)
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.current_mode == "holder")
        assert app.desk.account is not None
        assert app.desk.account.key_name == "trader"
        await until(pilot, lambda: app.screen.query_one(CabinetBar).who == app.desk.account.name)


async def test_wrong_passphrase_is_a_sentence_and_the_right_one_opens(node: AnsweringNode, tmp_path: Path) -> None:
    key = generate_key("wallet", seed=None)
    save_key(tmp_path / "keys", "sealed", key, b"right", "test")
    app = dashboard(node, tmp_path)
    async with at(app, "S") as pilot:
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == 1)
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press(*"wrong", "enter")
        await until(pilot, lambda: "passphrase" in says(app, "mistake"))
        app.screen.query_one(Input).value = "right"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))  # not registered yet: that is the first step
        assert isinstance(app.screen, FormScreen)
        assert "Register the key sealed" in app.screen.form.title


async def test_without_a_home_nobody_can_sign_in_and_everything_public_is_shown(node: AnsweringNode) -> None:
    app = dashboard(node, None)
    async with at(app, "H") as pilot:
        assert [row[1] for row in rows(app, "portfolio")] == ["3"]
        await pilot.press("r")
        await pilot.pause()
        assert not isinstance(app.screen, FormScreen)


# --- holder


async def test_portfolio_is_grouped_by_what_one_asks_for(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "H") as pilot:
        await until(pilot, lambda: bool(rows(app, "portfolio")))
        assert rows(app, "portfolio")[0][:3] == ("wind T020001", "3", "3.00 MWh")
        await pilot.press("g")
        await until(pilot, lambda: rows(app, "portfolio")[0][0] == "wind")
        await pilot.press("g")
        await until(pilot, lambda: rows(app, "portfolio")[0][0] == "April 2014")


async def test_transfer_is_said_in_words_signed_and_final(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    before = held(node.chain, "trader")
    async with at(app, "H") as pilot:
        await until(pilot, lambda: bool(rows(app, "certificates")))
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await fill(pilot, to="trader", quantity="2")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        words = " ".join(str(each.render()) for each in app.screen.query(Static))
        assert "transfer 2" in words
        assert "000000001/000000002" in words
        assert held(node.chain, "trader") == before, "nothing moves before it is signed"
        await pilot.press("enter")
        await until(pilot, lambda: "final in block" in says(app, "progress"))
        assert held(node.chain, "trader") == before + 2
        await pilot.press("enter")
        await until(pilot, lambda: [row[1] for row in rows(app, "certificates")] == ["1"])


async def test_nothing_is_signed_for_another_network_than_the_one_that_is_shown(
    node: AnsweringNode, home: Path
) -> None:
    app = dashboard(node, home, "owner")
    before = held(node.chain, "trader")
    async with at(app, "H") as pilot:
        await until(pilot, lambda: bool(rows(app, "certificates")))
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await fill(pilot, to="trader", quantity="2")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        app.desk.model.chain.chain_id = "00" * 32  # the address is another network's by now
        await pilot.press("enter")
        await until(pilot, lambda: "[wrong_network]" in says(app, "progress"))
        assert held(node.chain, "trader") == before
        await pilot.press("escape")
        assert isinstance(app.screen, FormScreen), "what was typed is still there"


async def test_retirement_leaves_a_statement_with_its_code(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "H") as pilot:
        await until(pilot, lambda: bool(rows(app, "certificates")))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert isinstance(app.screen.query_one("#field-purpose"), Select)
        await fill(pilot, quantity="1", beneficiary="Harbour Steel")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "statement " in says(app, "progress"))
        await pilot.press("enter")
        await until(pilot, lambda: len(rows(app, "statements")) == 1)
        app.screen.query_one("#statements", Sheet).focus_rows()
        await pilot.press("enter")
        await until(pilot, lambda: "█" in says(app, "fields"))
        assert "Harbour Steel" in says(app, "fields")


MISTAKES = [
    ({"to": "trade"}, "Did you mean trader"),
    ({"to": "owner"}, "that is you"),
    ({"to": "trader", "quantity": "4"}, "the range holds 3"),
    ({"to": "trader", "quantity": "0"}, "a whole number from 1 on"),
    ({"to": "trader", "quantity": "½"}, "a whole number from 1 on"),
    ({"to": "", "quantity": "1"}, "receiver: this is needed"),
    ({"to": "99"}, "[unknown]"),
    ({"to": "trader", "number": NUMBER.replace("201404", "201405")}, "[bad_number]"),
    ({"to": "trader", "number": "\x1b[2J‮ nonsense"}, "[bad_number]"),
]


async def test_mistyped_form_says_what_is_wrong_and_keeps_what_was_typed(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "H") as pilot:
        await until(pilot, lambda: bool(rows(app, "certificates")))
        for values, sentence in MISTAKES:
            app.desk.drafts.clear()
            await pilot.press("t")
            await until(pilot, lambda: isinstance(app.screen, FormScreen))
            await fill(pilot, **values)
            await pilot.press("ctrl+s")
            await until(pilot, lambda sentence=sentence: sentence in says(app, "mistake"))  # type: ignore[misc]
            await pilot.press("escape")
            await pilot.pause()
            await pilot.press("t")
            await until(pilot, lambda: isinstance(app.screen, FormScreen))
            for name, value in values.items():
                assert app.screen.query_one(f"#field-{name}", Input).value == value
            await pilot.press("escape")
            await pilot.pause()


async def test_what_the_chain_refuses_is_shown_with_its_code_and_can_be_tried_again(
    node: AnsweringNode, home: Path
) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "H") as pilot:
        await until(pilot, lambda: bool(rows(app, "certificates")))
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await fill(pilot, to="trader", quantity="1")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        chain = node.chain  # meanwhile the same certificates go elsewhere
        point = next(point for point, output in chain.live().items() if isinstance(output, Bundle))
        chain.block(chain.transaction(chain.retire_action("owner", point, 1, 3), by=("owner",)))
        await pilot.press("enter")
        await until(pilot, lambda: "✖" in says(app, "progress"))
        assert "[retired]" in says(app, "progress")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert app.screen.query_one("#field-to", Input).value == "trader"


async def test_node_that_goes_away_is_said_and_the_draft_stays(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "H") as pilot:
        await until(pilot, lambda: bool(rows(app, "certificates")))
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await fill(pilot, to="trader", quantity="1")
        app.desk.source.urls = ["http://127.0.0.1:9"]  # type: ignore[attr-defined]
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "No node answers" in says(app, "mistake"))
        assert app.screen.query_one("#field-to", Input).value == "trader"


# --- market


async def test_bid_by_attribute_is_placed_and_taken_back(node: AnsweringNode, home: Path) -> None:
    chain = node.chain
    session = chain.auction(
        seconds=3_600, technology="", terms=AuctionTerms((Dimension("technology", ("T01", "T02")),))
    )
    app = dashboard(node, home, "trader")
    before = chain.money("trader")
    async with at(app, "M") as pilot:
        await until(pilot, lambda: any(row[2] == "open" for row in rows(app, "sessions")))
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await fill(pilot, quantity="3", limit="4.20", want="water")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "cannot tell 'water'. There is: technology: solar, wind" in says(app, "mistake"))
        await fill(pilot, want="wind")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        assert "locks 12.60 EUR" in " ".join(str(each.render()) for each in app.screen.query(Static))
        await pilot.press("enter")
        await until(pilot, lambda: "final in block" in says(app, "progress"))
        await pilot.press("enter")
        await until(pilot, lambda: [row[1] for row in rows(app, "orders")] == ["trader (you)"])
        assert chain.money("trader") == before - 12_600_000
        app.screen.query_one("#orders", Sheet).focus_rows()
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "final in block" in says(app, "progress"))
        assert chain.money("trader") == before
        assert session == 1


async def test_what_is_owed_is_seen_and_paid_in_two_parts(node: AnsweringNode, home: Path) -> None:
    chain = node.chain
    session = chain.auction(terms=AuctionTerms(margin=2_000, pay_s=36_000))
    (lot,) = chain.outputs_of("owner", Bundle)
    chain.offer("owner", session, lot, 1, 3, 2_000_000)
    (money,) = chain.outputs_of("trader", Funds)
    chain.bid("trader", session, 3, 2_000_000, money)
    chain.settle(session)
    app = dashboard(node, home, "trader")
    async with at(app, "H", LARGE) as pilot:
        await until(pilot, lambda: "4.80 EUR  owed until" in owed_words(app))
        for typed, left in (("9", None), ("1.30", "3.50"), ("", None)):
            if not isinstance(app.screen, FormScreen):
                await pilot.press("p")
                await until(pilot, lambda: isinstance(app.screen, FormScreen))
            await fill(pilot, amount=typed)
            await pilot.press("ctrl+s")
            if typed == "9":
                await until(pilot, lambda: "4.80 EUR is owed" in says(app, "mistake"))
                continue
            await until(pilot, lambda: isinstance(app.screen, SigningScreen))
            await pilot.press("enter")
            await until(pilot, lambda: "final in block" in says(app, "progress"))
            await pilot.press("enter")
            if left:
                await until(pilot, lambda: "3.50 EUR  owed until" in owed_words(app))
        chain.block()
        await until(pilot, lambda: chain.certificates("trader") == 3)
        node.tell()
        await until(pilot, lambda: "owed" not in owed_words(app))
        await pilot.press("p")
        await pilot.pause()
        assert not isinstance(app.screen, FormScreen)


async def test_settled_session_shows_who_got_what_and_the_receipts_say_why(node: AnsweringNode, home: Path) -> None:
    chain = node.chain
    session = chain.auction()
    lot = next(point for point, output in chain.live().items() if isinstance(output, Bundle))
    chain.offer("owner", session, lot, 1, 2, 3_000_000)
    funds = chain.outputs_of("trader", Funds)
    chain.bid("trader", session, 2, 4_000_000, *funds)
    chain.close(session)
    chain.settle(session)
    app = dashboard(node, home, "trader")
    async with at(app, "M") as pilot:
        await until(pilot, lambda: len(rows(app, "orders")) == 2)
        assert {row[2] for row in rows(app, "orders")} == {"2/2"}
        assert "▶" in str(app.screen.query_one(DepthPanel).render())
        app.screen.query_one("#sessions", Sheet).focus_rows()
        await pilot.press("enter")
        await until(pilot, lambda: "of you" in says(app, "fields"))
        assert "all in your class pay" in says(app, "fields") or "your limit was" in says(app, "fields")


async def test_posted_lot_is_bought_in_part(node: AnsweringNode, home: Path) -> None:
    chain = node.chain
    lot = next(point for point, output in chain.live().items() if isinstance(output, Bundle))
    until_s = chain.time_ms // 1_000 + 86_400
    chain.do(ListLot(chain.people["owner"], lot, 1, 3, 2_000_000, "EUR", 0, until_s), by=("owner",))
    app = dashboard(node, home, "trader")
    async with at(app, "M") as pilot:
        await until(pilot, lambda: [row[3] for row in rows(app, "board")] == ["3"])
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await fill(pilot, quantity="2")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "final in block" in says(app, "progress"))
        assert held(chain, "trader") == 2


# --- authority


def propose(chain: FinalizedWorld) -> None:
    trader = chain.people["trader"]
    chain.do(Propose(trader, RoleContent(trader, "auditor", chain.time_ms // 1_000 + 86_400)), by=("trader",))


async def test_authority_votes_with_a_governance_key_and_sees_it_counted(node: AnsweringNode, home: Path) -> None:
    propose(node.chain)
    app = dashboard(node, home)
    async with at(app, "G") as pilot:
        await until(pilot, lambda: any(row[1] == "open" for row in rows(app, "proposals")))
        assert "1 proposal to decide on" in told(app, "required")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SigningScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "counts" in says(app, "progress"))
        await pilot.press("enter")
        await until(pilot, lambda: rows(app, "proposals")[0][4] == "1")
        await pilot.press("x")
        await pilot.pause()
        assert not isinstance(app.screen, FormScreen), "the only key here has voted"


async def test_refusing_needs_a_reason(node: AnsweringNode, home: Path) -> None:
    propose(node.chain)
    app = dashboard(node, home)
    async with at(app, "G") as pilot:
        await until(pilot, lambda: any(row[1] == "open" for row in rows(app, "proposals")))
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "reason: this is needed" in says(app, "mistake"))


# --- auditor


async def test_auditor_finds_whatever_is_named(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home)
    async with at(app, "A") as pilot:
        for text, shown in (
            (NUMBER, "la haute borne"),
            ("device 1", "capacity_w"),
            ("3", "parent_hash"),
            ("Trader", "country"),
        ):
            await pilot.press("s")
            app.screen.query_one("#search", Input).value = text
            await pilot.press("enter")
            await until(pilot, lambda: len(app.screen_stack) == 2)
            await until(pilot, lambda: "asking" not in says(app, "fields"))
            assert shown in says(app, "fields").casefold()
            await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_letters_that_open_cabinets_are_letters_in_a_field(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home)
    async with at(app, "A") as pilot:
        await pilot.press("s", *"PHASNGq")
        assert app.current_mode == "auditor"
        assert app.screen.query_one("#search", Input).value == "PHASNGq"


async def test_auditor_sees_conservation_hold_for_each_scheme(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home)
    async with at(app, "A") as pilot:
        await until(pilot, lambda: bool(rows(app, "schemes")))
        assert {row[-1] for row in rows(app, "schemes")} == {"holds"}


NOTHING = ("WAT-FR-0000001-201404-000000001-99", "nobody of that name", "0" * 64, "device 99", "9" * 12)


async def test_search_that_finds_nothing_is_a_sentence(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home)
    async with at(app, "A") as pilot:
        for text in NOTHING:
            app.clear_notifications()
            app.screen.query_one("#search", Input).value = text
            await pilot.press("s", "enter")
            await until(pilot, lambda: bool(app._notifications))
            assert len(app.screen_stack) == 1


# --- sizes


async def test_every_cabinet_stands_at_every_size(node: AnsweringNode, home: Path) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "N") as pilot:
        for size in (SMALL, WIDE, LARGE):
            await pilot.resize_terminal(*size)
            for cabinet in cabinets():
                await pilot.press(cabinet.key)
                await pilot.pause(0.05)
                assert app.current_mode == cabinet.mode
                for widget in app.screen.query("*"):
                    if widget.display and widget.region.area:
                        assert widget.region.right <= size[0], f"{cabinet.title}: {widget}"


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_the_label_of_the_field_that_is_typed_into_is_in_sight(
    node: AnsweringNode, home: Path, size: tuple[int, int]
) -> None:
    app = dashboard(node, home, "owner")
    async with at(app, "P", size) as pilot:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        box = app.screen.query_one(VerticalScroll)
        for move in ("", *["tab"] * 5, *["shift+tab"] * 5):
            await pilot.press(*filter(None, [move]))
            await pilot.pause(0.1)
            field = app.focused
            assert field is not None
            label = box.children[box.children.index(field) - 1]
            assert box.region.contains_region(label.region), (move, label.region, box.region)
