"""What an action does is said in the reader's language, whole or not at all; and which kinds are English still."""

import ast
import inspect
import re

import pytest
from aiohttp.test_utils import TestClient

from contracts.transition import KINDS, describe
from node.texts import texts
from state.spoken import Counted, Said
from state.transaction import Cancel, Vote

# Kinds whose sentence is English in every language. The list only gets shorter.
ENGLISH = {
    "propose", "issue", "open_auction", "reveal", "open_shares", "settle", "void", "default", "evidence", "appeal",
    "answer_appeal", "amend", "hand_over", "answer_handover", "set_standing", "end_standing", "withdraw", "pledge",
    "unpledge", "report_consumption", "rotate_key", "name_recovery", "recover_key", "veto_recovery",
    "rotate_credential",
}  # fmt: skip


def test_every_kind_is_translated_but_for_those_named() -> None:
    english = set()
    for kind in KINDS.values():
        tree = ast.parse(inspect.getsource(kind.describe))
        called = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Said"]
        if not called:
            english.add(kind.name)
        assert not (called and any(isinstance(node, ast.Return) and isinstance(node.value, ast.JoinedStr)
                                   for node in ast.walk(tree))), f"{kind.name} is translated in part"  # fmt: skip
    assert english == ENGLISH


@pytest.mark.parametrize(("count", "russian"), [(1, "1 сертификат"), (3, "3 сертификата"), (11, "11 сертификатов")])
def test_a_counted_noun_stands_in_its_number(count: int, russian: str) -> None:
    piece = Said(
        "{count} ({start}..{end}) to participant {to}", count=Counted(count, "certificate"), start=1, end=count, to=7
    )
    said = Said("transfer {pieces}", pieces=(piece, piece))
    one = f"{count} certificate{'' if count == 1 else 's'} (1..{count}) to participant 7"
    assert said == f"transfer {one}, {one}"
    told = f"{russian} (1..{count}) участнику 7"
    assert texts("ru").said(said) == f"передать {told}, {told}"
    assert not re.search("[a-z]", texts("zh").said(said))


def test_a_brace_in_a_name_is_the_name_s() -> None:
    vote = Vote(proposal=3, validator=2, approve=False, reason="{no} {0}")
    assert describe(vote) == "refuse proposal 3 for validator 2: {no} {0}"
    assert texts("ru").said(describe(vote)) == "отклонить предложение 3 от имени валидатора 2: {no} {0}"
    assert texts("en").said(describe(vote)) == describe(vote)


def test_a_sentence_without_template_stays_english() -> None:
    assert texts("ru").said("settle auction 4 at 1.00 each") == "settle auction 4 at 1.00 each"


def test_an_order_is_taken_back_in_chinese() -> None:
    assert texts("zh").said(describe(Cancel(holder=7, outpoint=b"\x01" * 36))) == "撤回委托 0101010101010101…"


async def test_a_transaction_s_page_says_what_was_done_in_russian(client: TestClient) -> None:
    statement = (await (await client.get("/v1/statements")).json())["statements"][0]
    page = await (await client.get(f"/tx/{statement['txid']}", params={"lang": "ru"})).text()
    assert re.search(r'<p class="soft">погасить \d+ сертификат', page)
    told = await (await client.get(f"/v1/transactions/{statement['txid']}")).json()
    assert any(words.startswith("retire ") for words in told["actions"])
