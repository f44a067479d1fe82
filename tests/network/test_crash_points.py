"""A validator that dies wherever something becomes durable or leaves it, again and again, while every kind of
transaction flows: it comes back each time, never contradicts a vote that it sent, and ends in the same state.

The short form takes the first, a middle and the last persist, send and commit of a few blocks, one death after the
other while the story goes on. `WATTEST_CRASH_BLOCKS=10` with `WATTEST_CRASH_STEPS=8` spreads eight points of each kind
over ten blocks. `WATTEST_EVERY_CRASH=1` takes the first, a middle and the last of the whole story, a story for each.
"""

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest
from harness.live import LiveTown, every_kind
from harness.net import Process, Running, keys_of, make_homes, open_node
from harness.world import seed_of

from consensus.evidence import make_evidence
from consensus.messages import ConsensusMessage, Propose, VoteMessage
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Vote, make_vote
from node import faults
from node.app import Node
from node.genesis import read_genesis
from node.gossip import Sender
from node.ledger import Ledger
from node.wire import Consensus, Frame
from state.codec import decode, encode
from state.crypto import sign
from state.store import open_store
from state.transaction import Action, Evidence

BLOCKS = int(os.environ.get("WATTEST_CRASH_BLOCKS", "4"))
STEPS = int(os.environ.get("WATTEST_CRASH_STEPS", "3"))
KINDS = ("persist", "send", "commit")
CRASHING = 3  # the validator that dies; the others live in this process
# `void` takes ten minutes of block time: `tests/auditing/test_corrected.py` puts one in a store, the simulator ten; and
# `default` is what running nodes send by themselves, so a story cannot be sure to be the first
EVERY = {kind.__name__ for kind in get_args(Action)} - {"VoidAuction", "Default"}
WHOLE = "WATTEST_EVERY_CRASH" in os.environ


class Counting(faults.CrashSeam):
    """How often each kind of point is reached."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def reach(self, point: faults.Point) -> None:
        self.counts[point] += 1


class Witness:
    """Every vote of one validator that a node received, from whatever life of it."""

    def __init__(self, running: Running) -> None:
        self.votes: dict[tuple[int, int, int], set[Vote]] = {}
        self._runtime = running.node.runtime
        self._inner = self._runtime.frame_received
        self._runtime.frame_received = self._received  # type: ignore[method-assign]

    def _received(self, sender: Sender, frame: Frame) -> None:
        if isinstance(frame, Consensus):
            message: Any = decode(ConsensusMessage, frame.payload)  # type: ignore[arg-type]
            if isinstance(message, VoteMessage | Propose) and message.vote.signer == CRASHING:
                vote = message.vote
                self.votes.setdefault((vote.kind, vote.epoch, vote.view), set()).add(vote)
        self._inner(sender, frame)

    def conflicts(self) -> list[set[Vote]]:
        found = [votes for votes in self.votes.values() if len({vote.position for vote in votes}) > 1]
        for kind, epoch, view in self.votes:
            if kind == NULLIFY and (FINALIZE, epoch, view) in self.votes:
                found.append(self.votes[NULLIFY, epoch, view] | self.votes[FINALIZE, epoch, view])
        return found


@pytest.mark.timeout(120 + 40 * STEPS)
async def test_a_validator_dies_at_every_kind_of_point_and_never_contradicts_itself(
    tmp_path: Path, monkeypatch: Any
) -> None:
    seam = Counting()
    monkeypatch.setattr(faults, "_seam", seam)
    homes = make_homes(tmp_path, 4, idle_interval_ms=200, min_interval_ms=100, epoch_length=5_000)
    nodes = [Running(open_node(home, keys_of(index))) for index, home in enumerate(homes[:CRASHING])]
    witnesses = [Witness(running) for running in nodes]
    loop = asyncio.get_running_loop()
    story = asyncio.create_task(asyncio.to_thread(_everything, nodes[0].node, loop))
    try:
        points = await _points(nodes[0], seam)
        died: list[str] = []
        for point in points:
            process = Process(homes[CRASHING], WATTEST_CRASH_AT=point)
            code = await asyncio.to_thread(process.wait, 150)
            assert code == faults.CRASH_CODE, (point, (homes[CRASHING] / "stderr").read_text())
            died.append(point)
        print(f"{len(died)} deaths: {' '.join(died)}")
        last = Process(homes[CRASHING])
        assert (await story).kinds >= EVERY
        await asyncio.to_thread(last.await_height, nodes[0].node.ledger.tip.height + 2)
        assert await asyncio.to_thread(last.terminate) == 0
        assert any(witness.votes for witness in witnesses), "the validator that died was never heard voting"
        assert [witness.conflicts() for witness in witnesses] == [[], [], []]
        assert all(not running.node.runtime.byzantine for running in nodes)
    finally:
        story.cancel()
        for running in nodes:
            if not running.task.done():
                await running.stop()
    _same_state(homes)


@pytest.mark.skipif(not WHOLE, reason="nine whole stories, some minutes: WATTEST_EVERY_CRASH=1")
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_validator_dies_first_midway_and_last_in_a_story_of_every_kind(tmp_path: Path, kind: str) -> None:
    """Counted in a story without deaths, where nothing is said at the end: 95 of 100 points count as the last one."""
    reached = await _one_story(tmp_path / "whole", f"{kind}:{10**6}", kind)
    for name, number in (("first", 1), ("middle", reached // 2), ("last", reached * 95 // 100)):
        print(f"{name} {kind}: {number} of {reached}")
        await _one_story(tmp_path / name, f"{kind}:{number}", kind)


async def _one_story(directory: Path, point: str, kind: str) -> int:
    """With one death, or none; how many points of the kind a validator reaches until the end."""
    seam = Counting()
    before, faults._seam = faults._seam, seam
    homes = make_homes(directory, 4, idle_interval_ms=200, min_interval_ms=100, epoch_length=5_000)
    process = Process(homes[CRASHING], WATTEST_CRASH_AT=point)
    nodes = [Running(open_node(home, keys_of(index))) for index, home in enumerate(homes[:CRASHING])]
    witnesses = [Witness(running) for running in nodes]
    try:
        story = asyncio.to_thread(_everything, nodes[0].node, asyncio.get_running_loop())
        running = asyncio.create_task(story)
        dies = not point.endswith(":1000000")
        if dies:
            assert await asyncio.to_thread(process.wait, 300) == faults.CRASH_CODE
            process = Process(homes[CRASHING])
        assert (await running).kinds >= EVERY
        await asyncio.to_thread(process.await_height, nodes[0].node.ledger.tip.height + 2)
        reached = seam.counts[kind] // CRASHING
        assert await asyncio.to_thread(process.terminate) == 0
        assert [witness.conflicts() for witness in witnesses] == [[], [], []]
    finally:
        faults._seam = before
        process.kill()
        for each in nodes:
            if not each.task.done():
                await each.stop()
    _same_state(homes)
    return reached


def _everything(node: Node, loop: asyncio.AbstractEventLoop) -> LiveTown:
    """One of each action; evidence against a validator takes effect when the epoch ends."""
    world = LiveTown(node, loop)
    every_kind(world)
    votes = [
        make_vote(world.chain, NOTARIZE, Position(0, 9_000, 0, block), 0, lambda data: sign(seed_of("vote_key0"), data))
        for block in (b"\1" * 32, b"\2" * 32)
    ]
    proof = make_evidence(*votes)
    world.do(Evidence(0, 0, encode(proof.first), encode(proof.second)))
    return world


async def _points(running: Running, seam: Counting) -> list[str]:
    """`kind:number` of the points that one node reaches within BLOCKS blocks: first, last and those between."""
    start = running.node.ledger.tip.height
    before = Counter(seam.counts)
    await running.height(start + BLOCKS, 60)
    points = []
    for step in range(STEPS):
        for kind in KINDS:
            reached = max(
                2, (seam.counts[kind] - before[kind]) // CRASHING
            )  # the counter sees all nodes that live here
            points.append(f"{kind}:{1 + step * (reached - 1) // (STEPS - 1)}")
    return points


def _same_state(homes: list[Path]) -> None:
    """All nodes hold one chain, and each the state that its header names."""
    chains = []
    for home in homes:
        genesis, chain = read_genesis(home / "genesis.json")
        ledger = Ledger.open(open_store(home / "data" / "state", create=False), genesis, chain)
        ledger.audit()
        headers = [block.header for height in range(ledger.tip.height + 1) if (block := ledger.block_at(height))]
        assert len(headers) == ledger.tip.height + 1
        chains.append(headers)
        ledger.close()
    shortest = min(map(len, chains))
    assert all(headers[:shortest] == chains[0][:shortest] for headers in chains)
    assert {headers[shortest - 1].state_root for headers in chains} == {chains[0][shortest - 1].state_root}
    print(f"{shortest} blocks in common")
