"""Late nodes among liars: every lie about blocks costs a moment, is held against the liar, and changes nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from harness.joining import OBSERVER_KEYS, joining, observer_home, set_config
from harness.net import Process, Running, make_homes, open_node, registration, running, until
from harness.villains.block_liars import LIES, Lie, wrong_body

from consensus.messages import Blocks
from node.ledger import Ledger
from node.sync import blocks_from
from node.wire import node_id

BLOCKS = 24
BATCH = 4  # of one answer here, so that every validator is asked several times


class Liar:
    """Takes the place of `blocks_from`: the node of one ledger lies, every other one answers."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.lies: list[Lie] = []  # told one after the other, then it is honest
        self.told = self.answered = 0

    def __call__(self, ledger: Ledger, from_height: int, count: int) -> Blocks | None:
        answer = blocks_from(ledger, from_height, count)
        if ledger is not self._ledger or answer is None or len(answer.blocks) < 3 or not self.lies:
            self.answered += answer is not None
            return answer
        self.told += 1
        return self.lies.pop(0)(answer)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consensus.follower.MAX_BLOCKS", BATCH)


async def grown(nodes: list[Running]) -> int:
    for number in range(BLOCKS):
        await nodes[0].node.mempool.admit([registration(nodes[0].node.chain, f"person {number}")])
        await nodes[0].height(nodes[0].node.ledger.tip.height + 1)
    height: int = nodes[0].node.ledger.tip.height
    for each in nodes:
        await each.height(height)
    return height


@asynccontextmanager
async def among_liars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, delta_ms: int) -> AsyncIterator[Any]:
    """Nodes that have `BLOCKS` blocks behind them, and the liar among them, who has not begun to lie."""
    async with running(
        make_homes(tmp_path, count, delta_ms=delta_ms, idle_interval_ms=200, min_interval_ms=1)
    ) as nodes:
        liar = Liar(nodes[0].node.ledger)
        monkeypatch.setattr("node.runtime.blocks_from", liar)
        yield nodes, liar, await grown(nodes)


def late(tmp_path: Path, name: str) -> Running:
    """An observer that has nothing yet."""
    home = observer_home(tmp_path / name, (tmp_path / "node0" / "genesis.json").read_bytes())
    return Running(open_node(home, OBSERVER_KEYS))


def blamed(node: Running) -> list[dict[str, Any]]:
    lines = (node.node.config.home / "node.log").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == "peer_blamed"]


async def test_every_lie_about_blocks_is_found_and_another_validator_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with among_liars(tmp_path, monkeypatch, 2, 100) as (nodes, liar, height):
        name = node_id(nodes[0].node.peers.key.public).hex()
        for told in _pairs(LIES):  # three would end the connection
            liar.lies = [LIES[what][0] for what in told]
            observer = late(tmp_path, told[0])
            await observer.height(height)
            assert observer.node.ledger.block_at(height) == nodes[1].node.ledger.block_at(height), told
            await observer.stop()
            assert not liar.lies, f"{told}: never told"
            found = [(each["peer"], each["why"]) for each in blamed(observer)]
            expected = [LIES[what][1] for what in told if LIES[what][1]]
            assert len(found) == len(expected), f"{told}: {found}"
            for (peer, why), said in zip(found, expected, strict=True):
                assert peer == name
                assert said in why


def _pairs(names: Iterable[str]) -> list[tuple[str, ...]]:
    rest = iter(names)
    return list(iter(lambda: tuple(islice(rest, 2)), ()))


async def test_a_liar_is_banned_after_three_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with among_liars(tmp_path, monkeypatch, 2, 100) as (nodes, liar, height):
        liar.lies = [wrong_body] * 6
        observer = late(tmp_path, "observer")
        await observer.height(height)
        banned = [
            observer.node.peers._conduct.banned(
                node_id(each.node.peers.key.public).hex(), observer.node.clock.monotonic_ms()
            )
            for each in nodes
        ]
        await observer.stop()
        assert liar.told >= 3
        assert banned == [True, False]


async def test_a_validator_that_gives_one_block_at_a_time_is_asked_no_more_often_than_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with among_liars(tmp_path, monkeypatch, 2, 100) as (nodes, liar, height):
        ledger = nodes[0].node.ledger
        liar.lies = [lambda answer: blocks_from(ledger, answer.blocks[0].header.height, 1)] * BLOCKS
        liar.answered = 0
        observer = late(tmp_path, "observer")
        await observer.height(height)
        await observer.stop()
        alone = BATCH  # whose connection stands first is asked alone for a moment
        assert 0 < liar.told <= liar.answered + alone
        assert not blamed(observer), "slow is no lie"


@pytest.mark.parametrize("epoch_length", [0, 16])
async def test_a_node_whose_next_blocks_nobody_keeps_says_so_and_a_snapshot_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch_length: int
) -> None:
    """With epochs not even the end of the first one is kept, which is all that it can ask for."""
    monkeypatch.setattr("node.config.LEAST_KEPT_BLOCKS", 4)
    homes = make_homes(tmp_path, 2, delta_ms=100, idle_interval_ms=200, min_interval_ms=1, epoch_length=epoch_length)
    for home in homes:
        set_config(home, keep_blocks=6)
    async with running(homes) as nodes:
        height = await grown(nodes)
        observer = late(tmp_path, "observer")
        async with asyncio.timeout(40):
            while not observer.node.runtime.blocks_gone:  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.02)
        assert observer.node.ledger.tip.height == 0
        await observer.stop()
        assert await joining(observer.node.config.home).run()
        observer = Running(open_node(observer.node.config.home, OBSERVER_KEYS))
        await observer.height(height + 2)
        await observer.stop()
        assert not observer.node.runtime.blocks_gone


async def test_a_node_whose_operator_takes_states_fetches_one_by_itself_when_blocks_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is behind by far fewer blocks than make a node with a state look for a newer one at its start."""
    monkeypatch.setattr("node.config.LEAST_KEPT_BLOCKS", 4)
    homes = make_homes(tmp_path, 2, delta_ms=100, idle_interval_ms=200, min_interval_ms=1)
    for home in homes:
        set_config(home, keep_blocks=6)
    home = observer_home(tmp_path / "observer", (tmp_path / "node0" / "genesis.json").read_bytes())
    set_config(home, sync="snapshot")
    async with running(homes) as nodes:
        await nodes[0].height(3)
        observer = Process(home)
        try:
            await until(observer, lambda: observer.height() >= 3)
            assert await asyncio.to_thread(observer.terminate) == 0
            height = await grown(nodes)
            (home / "node.log").unlink()
            observer = Process(home)
            await until(observer, lambda: observer.height() >= height)
            assert await asyncio.to_thread(observer.terminate) == 0
        finally:
            observer.kill()
    told = [entry["event"] for entry in observer.logged()]
    steps = ["no_snapshot", "started", "blocks_gone", "left_behind", "stopped", "snapshot_installed", "started"]
    assert [event for event in told if event in steps][: len(steps)] == steps
