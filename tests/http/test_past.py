"""Questions about earlier heights: what a node answers about one is what a node that stopped there answers."""

import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from harness.finalized import FinalizedWorld
from harness.served import Served

from node import past as the_past
from node.api.routes import ROUTES
from node.api.server import LISTENING, make_app
from node.past import ROOM_BYTES, Past, past_in
from state.block import decode_block
from state.codec import encode
from state.kept import Base
from state.keyspace import BASE_KEY, block_key, finalization_key

ASKED = (
    "/v1/search", "/v1/search/summary?by=holder&status=live", "/v1/search/export?format=csv", "/v1/schemes",
    "/v1/validators", "/v1/supply", "/v1/participants", "/v1/participants/6", "/v1/participants/6/outputs",
    "/v1/devices", "/v1/devices/1", "/v1/devices/1/days", "/v1/devices/1/appeals", "/v1/appeals", "/v1/consumption",
    "/v1/consumption/1?from=16161&to=16165", "/v1/certificates", "/v1/certificates?device=1", "/v1/proposals",
    "/v1/proposals/1", "/v1/statements", "/v1/auctions", "/v1/auctions/1", "/v1/listings", "/v1/standing-bids",
)  # fmt: skip


def past_of(world: FinalizedWorld, folder: Path) -> Past:
    return past_in(folder, world.store, world.parsed_genesis, world.chain)


async def client_of(served: Served, past: Past | None) -> TestClient:
    server = TestServer(make_app(replace(served.services, past=past)))
    await server.start_server(**LISTENING)
    return TestClient(server)


@pytest.fixture
async def client(served: Served, tmp_path: Path) -> AsyncIterator[TestClient]:
    past = past_of(served.world, tmp_path)
    async with await client_of(served, past) as found:
        yield found
    past.close()


async def answer(client: TestClient, path: str, **query: int) -> tuple[int, str]:
    response = await client.get(path, params=query)
    return response.status, await response.text()


def stopped_at(world: FinalizedWorld, height: int) -> FinalizedWorld:
    """The same network, whose node executed the blocks up to that height and then stopped."""
    found = FinalizedWorld(genesis=world.genesis_text)
    for number in range(1, height + 1):
        block = decode_block(world.store.get_raw(block_key(number)) or b"")
        found.ledger.commit(block, world.store.get_raw(finalization_key(number)) or b"", number)
    found.height = height
    return found


async def test_answers_about_a_height_are_those_of_a_node_that_stopped_there(
    served: Served, client: TestClient
) -> None:
    world = served.world
    for height in (0, world.height // 3, 2 * world.height // 3, world.height - 1):
        async with await client_of(Served(stopped_at(world, height)), None) as stopped:
            for path in ASKED:
                assert await answer(client, path, at=height) == await answer(stopped, path), (height, path)


async def test_answers_about_the_tip_are_those_without_a_height(served: Served, client: TestClient) -> None:
    for path in ASKED:
        status, text = await answer(client, path)
        assert status == 200, path
        assert await answer(client, path, at=served.world.height) == (status, text), path


def test_every_read_of_the_ledger_takes_a_height() -> None:
    elsewhere = {"/v1/status", "/v1/genesis", "/v1/chain", "/v1/openapi.json", "/v1/blocks", "/v1/blocks/{block}"}
    elsewhere |= {"/v1/transactions/{txid}", "/v1/events", "/v1/statements/{id}/proof"}
    elsewhere |= {f"/v1/devices/{{id}}/{what}" for what in ("readings", "curve", "head", "evidence", "profile")}
    takes = {route.path for route in ROUTES if any(parameter.name == "at" for parameter in route.query)}
    reads = {route.path for route in ROUTES if route.method == "GET" and route.path.startswith("/v1/")}
    assert takes == reads - elsewhere
    assert {path.split("?")[0].replace("/1", "/{id}").replace("/6", "/{id}") for path in ASKED} <= takes


async def test_a_new_block_can_be_asked_about_at_once(served: Served, client: TestClient) -> None:
    before = served.world.height
    assert (await answer(client, "/v1/search", at=before))[0] == 200
    served.world.register("newcomer")
    status, text = await answer(client, "/v1/participants", at=served.world.height)
    assert status == 200
    assert "newcomer" in text
    assert "newcomer" not in (await answer(client, "/v1/participants", at=before))[1]


async def test_the_past_is_found_again_after_a_stop(served: Served, tmp_path: Path) -> None:
    first = past_of(served.world, tmp_path)
    await first.at(served.world.height)
    first.close()
    served.world.register("newcomer")
    again = past_of(served.world, tmp_path)
    await again.at(2)
    assert again._ledger().tip.height >= served.world.height - 1, "it did not begin from the genesis again"
    again.close()


async def test_an_archive_of_another_chain_is_made_anew(served: Served, tmp_path: Path) -> None:
    other = FinalizedWorld(epoch_length=77)
    other.operators()
    stranger = past_of(other, tmp_path)
    await stranger.at(other.height)
    stranger.close()
    past = past_of(served.world, tmp_path)
    store = await past.at(served.world.height)
    assert store.meta() is not None
    assert store.meta().chain == served.world.chain  # type: ignore[union-attr]
    past.close()


async def test_a_damaged_archive_is_made_anew(served: Served, tmp_path: Path) -> None:
    past = past_of(served.world, tmp_path)
    await past.at(served.world.height)
    past.close()
    (tmp_path / "past" / "CURRENT").write_bytes(b"nonsense\n")
    again = past_of(served.world, tmp_path)
    assert (await again.at(served.world.height)).meta() is not None
    again.close()


async def test_the_rules_speak_again_while_the_past_is_made(served: Served, tmp_path: Path) -> None:
    """A stored block that does not lead to its state root is not told as the past."""
    world = served.world
    height = world.height // 2
    block = decode_block(world.store.get_raw(block_key(height)) or b"")
    assert block.transactions
    from state.block import Block, encode_block

    world.store.write({block_key(height): encode_block(Block(block.header, ()))})
    past = past_of(world, tmp_path)
    async with await client_of(served, past) as client:
        status, text = await answer(client, "/v1/supply", at=height)
        assert status == 503
        assert '"past_unusable"' in text
        assert (await answer(client, "/v1/participants", at=height - 1))[0] == 200
    past.close()


# --- refusals


async def test_refuses_a_height_above_the_tip(served: Served, client: TestClient) -> None:
    status, text = await answer(client, "/v1/supply", at=served.world.height + 1)
    assert (status, '"unknown"' in text) == (404, True)


async def test_refuses_where_the_node_keeps_no_past(served: Served) -> None:
    async with await client_of(served, None) as client:
        status, text = await answer(client, "/v1/supply", at=1)
    assert (status, '"bad_parameter"' in text) == (400, True)


async def test_refuses_where_the_first_blocks_are_not_held(served: Served, tmp_path: Path) -> None:
    served.world.store.write({BASE_KEY: encode(Base(bodies_from=5))})
    past = past_of(served.world, tmp_path)
    async with await client_of(served, past) as client:
        status, text = await answer(client, "/v1/supply", at=4)
    assert (status, '"not_held"' in text) == (410, True)
    assert not (tmp_path / "past").exists()
    past.close()


async def test_refuses_where_the_disk_is_nearly_full(served: Served, tmp_path: Path) -> None:
    world = served.world
    past = Past(world.store, world.parsed_genesis, world.chain, past_rows(tmp_path), room=lambda: ROOM_BYTES - 1)
    async with await client_of(served, past) as client:
        status, text = await answer(client, "/v1/supply", at=4)
    assert (status, "1 GiB" in text) == (503, True)
    past.close()


async def test_refuses_for_now_while_the_thread_climbs(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop answers others meanwhile, and the same question later."""
    world = served.world
    monkeypatch.setattr(the_past, "WAIT_S", 0.05)
    gate = threading.Event()

    def room() -> int:
        gate.wait()
        return ROOM_BYTES

    past = Past(world.store, world.parsed_genesis, world.chain, past_rows(tmp_path), room=room)
    async with await client_of(served, past) as client:
        status, text = await answer(client, "/v1/supply", at=world.height)
        assert (status, '"past_unready"' in text) == (503, True)
        assert (await answer(client, "/v1/supply"))[0] == 200
        gate.set()
        until = time.monotonic() + 20
        while (await answer(client, "/v1/supply", at=world.height))[0] == 503:
            assert time.monotonic() < until
    past.close()


def past_rows(folder: Path) -> Callable[[], Any]:
    from state.store import LevelRows

    return lambda: LevelRows(folder / "past")
