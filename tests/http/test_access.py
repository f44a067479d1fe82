"""Who sees what: every route with every reader, against the one table."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from harness.served import Served
from harness.world import FAR

from contracts.events import Deposited
from node.api.access import LONGEST_S
from node.api.routes import ROUTES
from node.keystore import generate_key
from node.queries.access import RESTRICTED, Reader, Sight, shown
from node.queries.chain import time_of_tip
from node.wallet import reader_header
from state.transaction import RoleContent

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ACCESS.md").read_text()
SECRET = "SEPA Jean Dupont"


@pytest.fixture
def money(served: Served) -> str:
    """A deposit whose reference names a person; the transaction's id."""
    world = served.world
    world.register("auditor")
    world.accredit(RoleContent(world.people["auditor"], "auditor", FAR), by="auditor")
    world.fund("owner", 5, SECRET)
    return world.last_txid().hex()


def header_of(served: Served, name: str, **changes: int) -> dict[str, str]:
    world = served.world
    key = generate_key("wallet", world.chain.hex(), world.seed(name))
    until = time_of_tip(world.store) + changes.get("seconds", 600)
    return {"X-Wattest-Reader": reader_header(key, world.chain, changes.get("number", world.people[name]), until)}


def test_every_route_has_its_line_in_the_table_of_docs() -> None:
    named = set(re.findall(r"^\| `(/[^`]*)` \|", PAGE, re.MULTILINE))
    assert named == {route.path for route in ROUTES}


def test_every_restricted_field_stands_in_docs() -> None:
    for rule in RESTRICTED:
        assert all(f"`{kind}`" in PAGE for kind in rule.kinds), rule
        assert f"`{rule.field}`" in PAGE


@pytest.mark.parametrize(
    ("reader", "seen"),
    [
        ("", None),
        ("trader", None),
        ("owner", SECRET),
        ("bank", SECRET),
        ("auditor", SECRET),
        ("Organisation 0", SECRET),
    ],
)
async def test_a_reference_of_money_is_for_its_parties_and_auditors(
    served: Served, client: TestClient, money: str, reader: str, seen: str | None
) -> None:
    headers = header_of(served, reader) if reader else {}
    answer = await (await client.get(f"/v1/transactions/{money}", headers=headers)).json()
    assert answer["content"][0]["reference"] == seen
    (deposited,) = [event for event in answer["events"] if event["kind"] == "deposited"]
    assert deposited["reference"] == seen
    assert seen is not None or SECRET not in str(answer)


@pytest.mark.parametrize("role", ["", "trader"])
async def test_no_route_tells_the_public_or_a_stranger_what_is_restricted(
    served: Served, client: TestClient, money: str, role: str
) -> None:
    headers = header_of(served, role) if role else {}
    told = (path for path in plain_routes() if path != "/v1/chain")  # every byte of it: docs/ACCESS.md says so
    height = served.world.height
    paths = [*told, f"/v1/transactions/{money}", f"/tx/{money}", f"/v1/blocks/{height}", f"/block/{height}"]
    for path in paths:
        response = await client.get(path, headers=headers, allow_redirects=False)
        text = await response.text()
        assert response.status < 500, path
        assert SECRET not in text, path


def plain_routes() -> Iterator[str]:
    """Every readable route, with the first of whatever it names."""
    for route in ROUTES:
        if route.method == "GET" and route.status == 200:
            yield route.path.format(id="1", number="WAT-FR-0000001-201404-000000002-53", txid="0" * 64, block="1")


async def test_the_stream_speaks_to_the_public(served: Served, client: TestClient, money: str) -> None:
    async with client.ws_connect("/v1/events?from=1", headers=header_of(served, "auditor")) as stream:
        for _ in range(served.world.height):
            assert SECRET not in await stream.receive_str()


@pytest.mark.parametrize("name", ["trader", "owner", "auditor", "Organisation 1"])
def test_a_reader_sees_the_restricted_fields_of_its_role_only(name: str) -> None:
    sight = {"trader": Sight.PARTY, "owner": Sight.PARTY, "auditor": Sight.AUDITOR, "Organisation 1": Sight.AUTHORITY}
    number = {"owner": 7}.get(name, 99)
    for rule in RESTRICTED:
        for kind in rule.kinds:
            value: dict[str, Any] = {"kind": kind, rule.field: "x", **dict.fromkeys(rule.parties, 7)}
            seen = shown([{"inside": value}], Reader(number, sight[name]))[0]["inside"][rule.field]
            assert (seen == "x") == ((number == 7 and bool(rule.parties)) or sight[name] >= rule.sight)


@pytest.mark.parametrize(
    "header",
    ["", "x", "1:2", "1:2:zz", "99:9999999999:" + "00" * 64, "1:" + "9" * 19 + ":00", f"{2**40}:1:00"],
)
async def test_refuses_a_header_that_does_not_hold(client: TestClient, header: str) -> None:
    response = await client.get("/v1/schemes", headers={"X-Wattest-Reader": header})
    assert response.status == 401
    assert (await response.json())["code"] == "bad_reader"


@pytest.mark.parametrize("changes", [{"seconds": -1}, {"seconds": 2 * LONGEST_S}, {"number": 8}])
async def test_refuses_a_reader_of_another_time_or_name(
    served: Served, client: TestClient, changes: dict[str, int]
) -> None:
    response = await client.get("/v1/schemes", headers=header_of(served, "owner", **changes))
    assert response.status == 401


def test_the_events_of_money_are_those_of_the_table() -> None:
    kinds = {kind for rule in RESTRICTED for kind in rule.kinds}
    assert Deposited.__struct_config__.tag in kinds
