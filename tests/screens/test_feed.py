"""The feed against nodes made of recorded answers: following, failing over, saying when it is stale."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from harness.fake_node import FakeNode

from tui.feed import STALE_S, Feed
from tui.model import NetworkModel
from tui.rehearsal import Message, last_block, story

WAIT_S = 30.0


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@asynccontextmanager
async def nodes(count: int, messages: list[Message]) -> AsyncIterator[list[FakeNode]]:
    found = [FakeNode(index, messages) for index in range(count)]
    try:
        for node in found:
            await node.start()
        yield found
    finally:
        for node in found:
            await node.die()


@asynccontextmanager
async def following(feed: Feed) -> AsyncIterator[None]:
    task = asyncio.create_task(feed.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def next_block(messages: list[Message]) -> Message:
    last = last_block(messages)
    return {**last, "height": last["height"] + 1, "events": []}


async def test_follows_blocks_and_learns_names() -> None:
    messages = story()
    async with nodes(2, messages) as found:
        model = NetworkModel()
        feed = Feed([node.url for node in found], model)
        async with following(feed):
            await until(lambda: model.chain.height == last_block(messages)["height"] and not model.names.wanted)
            assert feed.freshness().text == "live"
            assert feed.misread == 0
            assert model.names.device(3).name == "La Haute Borne R80711"
            await found[0].tell(next_block(messages))
            await until(lambda: model.chain.height == last_block(messages)["height"] + 1)


async def test_goes_on_with_another_node_where_the_first_left_off() -> None:
    messages = story()
    height = last_block(messages)["height"]
    async with nodes(2, messages) as found:
        model = NetworkModel()
        feed = Feed([node.url for node in found], model)
        async with following(feed):
            await until(lambda: model.chain.height == height and not model.names.wanted and bool(model.names.devices))
            assert feed.following == 0
            issued = model.snapshot().certificates
            await found[0].die()
            await until(lambda: feed.following == 1)
            assert found[1].asked_from == [height + 1]
            await found[1].tell(next_block(messages))
            await until(lambda: model.chain.height == height + 1)
            assert model.snapshot().certificates == issued
            await until(lambda: model.snapshot().network.validators[0].alive is False)


async def test_leaves_a_node_that_hangs() -> None:
    messages = story()
    async with nodes(2, messages) as found:
        model = NetworkModel()
        feed = Feed([node.url for node in found], model)
        async with following(feed):
            await until(lambda: feed.following == 0)
            found[0].silent = True
            await until(lambda: feed.following == 1)


async def test_says_when_nothing_is_heard() -> None:
    now = [100.0]
    async with nodes(1, story()) as found:
        feed = Feed([found[0].url], NetworkModel(), now=lambda: now[0])
        assert feed.freshness().stale
        async with following(feed):
            await until(lambda: feed.freshness().text == "live")
            await found[0].die()
            await until(lambda: feed.following is None)
            assert feed.freshness().text == "reconnecting"
            now[0] += STALE_S + 2
            assert feed.freshness().text == "stale: nothing heard for 7 s"


async def test_says_that_another_network_answers_at_the_address() -> None:
    async with nodes(2, story()) as found:
        model = NetworkModel()
        model.chain.chain_id = "00" * 32  # of the network that was set up anew meanwhile
        feed = Feed([node.url for node in found], model)
        async with following(feed):
            await until(lambda: feed.freshness().text == "another network answers: start again")
            assert feed.freshness().stale
            assert model.chain.height == -1, "nothing of it is shown as ours"


async def test_message_of_an_unknown_shape_does_not_stop_the_feed() -> None:
    messages = story()
    async with nodes(1, messages) as found:
        model = NetworkModel()
        feed = Feed([found[0].url], model)
        async with following(feed):
            await until(lambda: model.chain.height == last_block(messages)["height"])
            await found[0].tell({"kind": "block"}, {"kind": "weather"}, next_block(messages))
            await until(lambda: model.chain.height == last_block(messages)["height"] + 1)
            assert feed.misread == 1
