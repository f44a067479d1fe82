"""What an action does is said in the reader's language, whole or not at all."""

import inspect
import re
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from aiohttp.test_utils import TestClient
from msgspec import Struct
from msgspec.structs import fields

from contracts.proposals import describe_content
from contracts.transition import KINDS, describe
from node.texts import texts
from state.spoken import Counted, Said
from state.transaction import Cancel, ProfileContent, ProposalContent, Propose, RecoverContent, Vote

PROPOSED = {
    ProfileContent: "подписать исходный профиль 0101010101010101… установки 1",
    RecoverContent: "дать участнику 1 ключ 0101010101010101… взамен утерянного",
}


def test_every_kind_and_every_proposal_is_a_sentence_with_a_template() -> None:
    for said in (*(kind.describe for kind in KINDS.values()), describe_content):
        assert inspect.signature(said).return_annotation is Said, said


@pytest.mark.parametrize("content", get_args(ProposalContent))
def test_what_a_proposal_asks_for_is_translated_whole(content: type) -> None:
    said = describe(Propose(proposer=1, content=made(content)))
    assert said.startswith("propose to ")
    told = [texts(language).said(said) for language in ("ru", "zh")]
    assert all(not re.search("[a-z]{2}", text) for text in told), told
    if content in PROPOSED:
        assert told[0] == f"предложить: {PROPOSED[content]}"


def made(kind: Any) -> Any:
    """A value of a type whose every text is a number's, so that Latin letters in a sentence are its own."""
    match kind:
        case type() if issubclass(kind, Struct):
            return kind(**{field.name: made(field.type) for field in fields(kind)})
    if get_origin(kind) is Annotated:
        return made(get_args(kind)[0])
    if get_origin(kind) in (UnionType, Union):
        return made(get_args(kind)[0])
    if get_origin(kind) is tuple:
        return tuple(made(item) for item in get_args(kind) if item is not Ellipsis)
    return {int: 1, str: "7", bytes: b"\1" * 32, bool: True}[kind]


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
    assert texts("zh").said(describe(Cancel(holder=7, outpoint=b"\x01" * 36))) == "撤回订单 0101010101010101…"


async def test_a_transaction_s_page_says_what_was_done_in_russian(client: TestClient) -> None:
    statement = (await (await client.get("/v1/statements")).json())["statements"][0]
    page = await (await client.get(f"/tx/{statement['txid']}", params={"lang": "ru"})).text()
    assert re.search(r'<p class="soft">погасить \d+ сертификат', page)
    told = await (await client.get(f"/v1/transactions/{statement['txid']}")).json()
    assert any(words.startswith("retire ") for words in told["actions"])


async def test_a_transaction_is_told_in_the_language_asked_for(client: TestClient) -> None:
    statement = (await (await client.get("/v1/statements")).json())["statements"][0]
    path = f"/v1/transactions/{statement['txid']}"
    told = await (await client.get(path, params={"lang": "ru"})).json()
    assert any(re.match(r"погасить \d+ сертификат", words) for words in told["actions"])
    assert (await client.get(path, params={"lang": "xx"})).status == 400
