"""The API of a node that began from a snapshot: whole where it can be, a refusal with a code where it cannot."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer
from harness.finalized import FinalizedWorld, lively_world
from harness.joining import Offerer, Town, join, ledger_of, observer_home
from harness.served import Served

from node.api.server import LISTENING, make_app
from node.queries.certificates import number_text


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[FinalizedWorld]:
    """On the ledger of a node that joined it."""
    world = lively_world()
    home = observer_home(tmp_path / "observer", world.genesis_text)
    assert await join(home, Town([Offerer(0, world)]))
    world.ledger.close()
    world.ledger = ledger_of(home, world)
    world.state = world.ledger.store  # type: ignore[assignment]
    yield world
    world.ledger.close()


@pytest.fixture
async def client(world: FinalizedWorld) -> AsyncIterator[TestClient]:
    server = TestServer(make_app(Served(world).services))
    await server.start_server(**LISTENING)
    async with TestClient(server) as found:
        yield found


async def test_status_says_from_where_on_it_holds_what(world: FinalizedWorld, client: TestClient) -> None:
    shown = await (await client.get("/v1/status")).json()
    assert (shown["sync"]["bodies_from"], shown["sync"]["history_from"]) == (world.height + 1, world.height + 1)
    assert shown["state_root"] == world.ledger.tip.header.state_root.hex()


async def test_what_is_live_is_answered_whole(world: FinalizedWorld, client: TestClient) -> None:
    held = await (await client.get(f"/v1/certificates?holder={world.people['owner']}")).json()
    assert sum(int(each["quantity"]) for each in held["certificates"]) == 2
    answer = await client.get(f"/v1/certificates/{number_text(world.store, 1, 3, 3)}")
    shown = await answer.json()
    assert (answer.status, shown["status"], shown["history"]) == (200, "active", [])
    assert shown["history_from"] == world.height + 1
    for path in ("/v1/blocks", "/v1/devices", "/v1/participants", "/v1/validators", "/v1/auctions", "/metrics"):
        assert (await client.get(path)).status == 200, path


async def test_blocks_that_come_are_listed(world: FinalizedWorld, client: TestClient) -> None:
    assert (await (await client.get("/v1/blocks")).json())["blocks"] == []
    world.register("late")
    (block,) = (await (await client.get("/v1/blocks")).json())["blocks"]
    assert (block["height"], len(block["transactions"])) == (world.height, 1)
    txid = block["transactions"][0]
    assert (await (await client.get(f"/v1/transactions/{txid}")).json())["status"] == "final"


async def test_refuses_what_was_before_the_snapshot(world: FinalizedWorld, client: TestClient) -> None:
    statements = await (await client.get("/v1/statements")).json()
    statement = statements["statements"][0]["id"]  # that it was made is known, from the state
    for path in (
        "/v1/blocks/3",
        "/v1/blocks?from=2",
        f"/v1/blocks/{'ab' * 32}",
        f"/v1/certificates/{number_text(world.store, 1, 2, 2)}",
        f"/v1/statements/{statement}",
        f"/v1/statements/{statement}/proof",
        "/v1/supply",
    ):
        answer = await client.get(path)
        body = await answer.json()
        assert (answer.status, body["code"]) == (410, "not_held"), path
        assert body["params"]["held_from"] == str(world.height + 1), path


async def test_refuses_a_stream_from_before_the_snapshot(world: FinalizedWorld, client: TestClient) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect("/v1/events?from=1")
    assert refused.value.status == 410
    async with client.ws_connect(f"/v1/events?from={world.height + 1}") as stream:
        assert not stream.closed
