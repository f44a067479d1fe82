"""The feed: every final block once and in order, from any height, then live; nobody slow holds anybody up."""

import asyncio
import json
import time

import pytest
from aiohttp import ClientSession, WSMsgType
from aiohttp.test_utils import TestClient
from harness.served import Served

from node import feed as feed_module
from node.api.server import serve
from node.feed import Feed, TooSlow


async def heights(stream, count: int) -> list[int]:
    return [(await stream.receive_json(timeout=30))["height"] for _ in range(count)]


async def test_replay_from_a_height_goes_over_into_live_blocks(served: Served, client: TestClient) -> None:
    tip = served.world.height
    stream = await client.ws_connect("/v1/events?from=0")
    assert await heights(stream, tip + 1) == list(range(tip + 1))
    for _ in range(3):
        served.block()
    assert await heights(stream, 3) == [tip + 1, tip + 2, tip + 3]
    await stream.close()


async def test_without_from_the_stream_begins_with_the_next_block(served: Served, client: TestClient) -> None:
    stream = await client.ws_connect("/v1/events")
    await asyncio.sleep(0.05)
    served.block()
    message = await stream.receive_json(timeout=30)
    assert message["height"] == served.world.height
    assert message["kind"] == "block"
    assert message["signers"] == [0, 1, 2]
    assert message["state_root"] == served.world.ledger.tip.header.state_root.hex()
    await stream.close()


async def test_from_above_the_tip_waits_for_that_height(served: Served, client: TestClient) -> None:
    wanted = served.world.height + 2
    stream = await client.ws_connect(f"/v1/events?from={wanted}")
    await asyncio.sleep(0.05)
    served.block()
    served.block()
    assert await heights(stream, 1) == [wanted]
    await stream.close()


async def test_blocks_carry_their_events_in_words_of_the_ledger(served: Served, client: TestClient) -> None:
    stream = await client.ws_connect("/v1/events?from=0")
    seen = [await stream.receive_json(timeout=30) for _ in range(served.world.height + 1)]
    kinds = [event["kind"] for message in seen for event in message["events"]]
    assert {"registered", "verdict", "issued", "retired", "auction_opened", "offered", "bid_placed"} <= set(kinds)
    issued = next(event for message in seen for event in message["events"] if event["kind"] == "issued")
    assert (issued["start"], issued["end"], issued["holder"]) == ("1", "3", 7)
    assert len(issued["txid"]) == 64
    await stream.close()


async def test_what_no_block_records_is_told_live(served: Served, client: TestClient) -> None:
    stream = await client.ws_connect("/v1/events")
    await asyncio.sleep(0.05)
    served.feed.live("reading", {"device": 1, "count": 10, "power_w": 900})
    assert await stream.receive_json(timeout=30) == {"kind": "reading", "device": 1, "count": 10, "power_w": 900}
    await stream.close()


async def test_block_without_its_own_finalization_says_so(served: Served, client: TestClient) -> None:
    served.world.finalizes = False
    served.world.block()
    served.world.finalizes = True
    stream = await client.ws_connect(f"/v1/events?from={served.world.height}")
    message = await stream.receive_json(timeout=30)
    assert (message["view"], message["signers"]) == (None, [])
    await stream.close()


async def test_slow_watcher_is_dropped_and_others_are_not(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "QUEUE", 3)
    feed = served.feed
    slow, quick = feed.subscribe(10**6), feed.subscribe(10**6)
    reader = quick.messages()
    for number in range(5):
        feed.live("reading", {"number": number})
        assert json.loads(await anext(reader))["number"] == number
    with pytest.raises(TooSlow):
        async for _ in slow.messages():
            pass
    assert len(slow.waiting) == 3


async def test_dropped_watcher_is_told_to_come_back(
    served: Served, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "QUEUE", 0)
    stream = await client.ws_connect("/v1/events")
    await asyncio.sleep(0.05)
    served.feed.live("reading", {})
    message = await stream.receive(timeout=30)
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1013)


async def test_whoever_talks_to_the_stream_is_closed(served: Served, client: TestClient) -> None:
    stream = await client.ws_connect("/v1/events")
    await stream.send_str("hello")
    message = await stream.receive(timeout=30)
    assert message.type == WSMsgType.CLOSE
    assert message.data == 1008
    await asyncio.sleep(0.05)
    assert served.feed.watchers == 0


async def test_closed_stream_is_forgotten(served: Served, client: TestClient) -> None:
    stream = await client.ws_connect("/v1/events")
    assert served.feed.watchers == 1
    await stream.close()
    await asyncio.sleep(0.05)
    assert served.feed.watchers == 0


async def test_messages_of_old_blocks_leave_the_cache() -> None:
    feed = Feed(lambda height: {"height": height} if height < 1_000 else None)
    for height in range(1_000):
        assert feed.block(height) == b'{"height":%d}' % height
    assert feed.block(1_000) is None
    assert len(feed._cache) <= feed_module.CACHED_BLOCKS


async def test_node_that_stops_says_so_to_its_watchers(served: Served) -> None:
    runner = await serve(served.services, "127.0.0.1", 0)
    host, port = runner.addresses[0][:2]
    async with ClientSession() as session, session.ws_connect(f"http://{host}:{port}/v1/events") as stream:
        started = time.monotonic()
        stopping = asyncio.create_task(runner.cleanup())
        message = await stream.receive(timeout=30)
        await stopping
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
        assert time.monotonic() - started < 2


async def test_taken_port_is_an_error_and_leaves_nothing_open(served: Served) -> None:
    runner = await serve(served.services, "127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="in use"):
            await serve(served.services, *runner.addresses[0][:2])
    finally:
        await runner.cleanup()
