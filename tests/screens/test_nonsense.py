"""Nonsense pasted into every field of every form: a sentence, or a deed that can be said, signed and refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, market_town, wallet_of

from node.client import NodeClient
from node.wallet import build_body, raw_and_id, sign_transaction
from state.dealing import ListLot
from state.errors import WattestError
from state.outputs import Bundle
from tui.account import Account, accounts_in, introduce
from tui.deeds.certificates import retire_form, transfer_form
from tui.deeds.deed import Mistake
from tui.deeds.form import Form
from tui.deeds.market import bid_form, buy_form, offer_form
from tui.deeds.people import register_form
from tui.deeds.plants import appeal_form, plant_form
from tui.deeds.votes import answer_form, vote_form
from tui.screens.form import LONGEST

NUMBER = "WAT-FR-0000001-201404-000000001/000000003-32"
NONSENSE = (
    "", " ", "-1", "0", "9" * LONGEST, "1" + "0" * 19, "18446744073709551616", "1e3", "NaN", "0x10", "½", "٣٤", "1.2.3",
    "-" * LONGEST, "." * 5, "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "'; DROP TABLE state; --", "{price}",
    "%s",
    "../../etc/passwd", "\x00\x01\x1b[2J", "\u202emirror", "\U0001f600",
    "深圳" * 250, "WAT-FR-0000001-201404-999999999-99", "2026-13-45", "a,b=c,=,,", "\t\n", "T01", "FR" * 200, "ff" * 16,
    "\ud800",
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
