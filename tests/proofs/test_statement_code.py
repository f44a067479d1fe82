"""The identification code of a statement: what it says, what it leads to, and that a mistyped one is caught."""

import pytest
from aiohttp.test_utils import TestClient, TestServer
from harness.finalized import FinalizedWorld, lively_world
from harness.served import Served

from node.api.server import make_app
from node.queries.statements import code_of, facts_of, identity_of_code, statement_dict, statements_page
from state.errors import BadStatementCode, Unknown
from state.statement_code import StatementCode, format_code, parse_code, statement_code

IDENTITY = bytes.fromhex("e6a9a29ab32be44bda4682810d81b464")


@pytest.fixture(scope="module")
def world() -> FinalizedWorld:
    return lively_world()


def identity_in(world: FinalizedWorld) -> bytes:
    return bytes.fromhex(statements_page(world.store, None, None, 1)[0][0]["id"])


def made(*origins: tuple[str, str, str], place: str = "FR-GES") -> str:
    return format_code(statement_code("WAT", origins, place, IDENTITY))


def test_code_says_origin_technology_place_and_statement() -> None:
    text = made(("FR", "FR", "T020001"))
    assert text.startswith("WAT-FR-T020001-FRGES-E6A9A29AB32BE44BDA4682810D81B464-")
    assert parse_code(text) == StatementCode("WAT", "FR", "T020001", "FRGES", IDENTITY)


@pytest.mark.parametrize(
    ("origins", "said"),
    [
        ((("DK1", "DK", "T020001"), ("DK1", "DK", "T020002")), "WAT-DK1-T020000-"),
        ((("DK1", "DK", "T010101"), ("DK1", "DK", "T010102")), "WAT-DK1-T010100-"),
        ((("DK1", "DK", "T020001"), ("DK2", "DK", "T020001")), "WAT-MIX-T020001-"),
        ((("", "DK", "T020001"), ("", "FR", "T010100")), "WAT-MIX-T000000-"),
        ((("US-CO", "US", "T010000"),), "WAT-USCO-T010000-"),
        ((("", "FR", "T030000"),), "WAT-FR-T030000-"),
    ],
)
def test_code_says_no_more_than_all_bundles_share(origins: tuple[tuple[str, str, str], ...], said: str) -> None:
    assert made(*origins).startswith(said)
    assert parse_code(made(*origins))


def test_statement_without_a_place_has_a_code_too() -> None:
    assert "-T020001-0-" in made(("FR", "FR", "T020001"), place="")


def test_every_mistyped_character_and_swap_is_caught() -> None:
    text = made(("FR", "FR", "T020001"))
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"
    for place, right in enumerate(text):
        for wrong in alphabet:
            if wrong != right:
                with pytest.raises(BadStatementCode):
                    parse_code(text[:place] + wrong + text[place + 1 :])
        if place and text[place - 1] != right:
            with pytest.raises(BadStatementCode):
                parse_code(text[: place - 1] + right + text[place - 1] + text[place + 1 :])


def test_code_of_a_statement_leads_to_it(world: FinalizedWorld) -> None:
    identity = identity_in(world)
    shown = statement_dict(world.store, identity)
    assert shown["code"].startswith(f"WAT-FR-T020001-FR-{identity.hex().upper()}-")
    assert identity_of_code(world.store, shown["code"]) == identity


def test_refuses_a_code_that_says_something_else_of_its_statement(world: FinalizedWorld) -> None:
    identity = identity_in(world)
    statement = world.store.get(b"\x20" + identity)
    right = code_of(facts_of(world.store, statement), identity)  # type: ignore[arg-type]
    wrong = format_code(StatementCode("WAT", "DK1", right.technology, right.place, identity))
    with pytest.raises(BadStatementCode, match="own code is WAT-FR"):
        identity_of_code(world.store, wrong)
    with pytest.raises(Unknown):
        identity_of_code(world.store, format_code(StatementCode("WAT", "FR", "T020001", "FR", bytes(16))))


async def test_typed_code_leads_to_the_page(world: FinalizedWorld) -> None:
    identity = identity_in(world)
    code = statement_dict(world.store, identity)["code"]
    async with TestClient(TestServer(make_app(Served(world).services))) as client:
        found = await client.get("/search", params={"q": code.lower()}, allow_redirects=False)
        assert found.headers["Location"] == f"/statement/{identity.hex()}"
        page = await (await client.get(f"/statement/{identity.hex()}")).text()
        assert code in page
        mistyped = await client.get("/search", params={"q": code[:-1] + ("0" if code[-1] != "0" else "1")})
        assert (mistyped.status, mistyped.content_type) == (400, "text/html")
        assert "so one is mistyped" in await mistyped.text()


# --- emissions


def test_avoided_emissions_follow_from_the_genesis_in_integers(world: FinalizedWorld) -> None:
    identity = identity_in(world)
    assert statement_dict(world.store, identity)["emissions"] is None
    assert statement_dict(world.store, identity, {2: (56, "of another scheme")})["emissions"] is None
    shown = statement_dict(world.store, identity, {1: (56, "somebody")})["emissions"]
    assert shown == {
        "avoided_g": "56000",
        "factors": [{"energy_wh": "1000000", "g_per_kwh": 56, "source": "somebody"}],
    }
