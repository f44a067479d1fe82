"""Handing out the state: as it was after one block, bounded, and never before what a validator is there for."""

import asyncio

import pytest
from harness.finalized import FinalizedWorld

from node.gossip import Ignore, Sender
from node.log import open_log
from node.offering import CHUNK_BYTES, MAX_SNAPSHOTS, Offering
from node.wire import (
    VALIDATOR,
    Entries,
    Frame,
    GetEntries,
    GetHops,
    GetSnapshot,
    Hops,
    NoSnapshot,
    Priority,
    Snapshot,
    decode_frame,
)

ASKER = Sender("aa" * 20, VALIDATOR, 1)


@pytest.fixture(autouse=True)
def first_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots are counted from a number of each process' own."""
    monkeypatch.setattr("node.offering.randbits", lambda bits: 0)


class Peer:
    """Keeps what it is sent; gone after `patience` frames."""

    def __init__(self, patience: int = 1_000) -> None:
        self.frames: list[Frame] = []
        self._patience = patience

    def send(self, to: str, data: bytes, priority: Priority) -> bool:
        assert priority is Priority.BODIES, "votes and quorums go first"
        self.frames.append(decode_frame(data))
        return len(self.frames) <= self._patience

    async def entries(self, count: int) -> list[Entries]:
        async with asyncio.timeout(30):
            while len(found := [each for each in self.frames if isinstance(each, Entries)]) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return found


@pytest.fixture
def world() -> FinalizedWorld:
    world = FinalizedWorld(epoch_length=32)
    world.operators()
    return world


async def offering(world: FinalizedWorld, peer: Peer) -> Offering:
    found = Offering(world.ledger, peer, open_log(None))  # type: ignore[arg-type]
    await found.start()
    return found


async def test_a_snapshot_stays_as_it_was_while_blocks_go_on(
    world: FinalizedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.offering.CHUNK_BYTES", 512)
    peer = Peer()
    found = await offering(world, peer)
    state = dict(world.store.scan_raw(b"\x00", b"\x80"))
    found.asked_snapshot(ASKER, GetSnapshot(0))
    (offer,) = peer.frames
    assert isinstance(offer, Snapshot)
    world.register("somebody else")
    got: dict[bytes, bytes] = {}
    after = b""
    while True:
        peer.frames.clear()
        found.asked_entries(ASKER, GetEntries(offer.number, after, 1))
        (chunk,) = await peer.entries(1)
        got |= dict(zip(chunk.keys, chunk.values, strict=True))
        if chunk.last:
            break
        after = chunk.keys[-1]
    assert got == state
    assert len(got) == offer.entries
    await found.stop()


async def test_a_chunk_is_bounded(world: FinalizedWorld) -> None:
    for number in range(64):
        world.register(f"person {number} of a long name {'x' * 90}")
    peer = Peer()
    found = await offering(world, peer)
    found.asked_snapshot(ASKER, GetSnapshot(0))
    found.asked_entries(ASKER, GetEntries(1, b"", 8))
    for chunk in await peer.entries(1):
        assert sum(map(len, chunk.keys)) + sum(map(len, chunk.values)) < 2 * CHUNK_BYTES
    await found.stop()


async def test_readers_share_a_young_snapshot_and_only_few_are_kept(
    world: FinalizedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = Peer()
    found = await offering(world, peer)
    for _ in range(3):
        found.asked_snapshot(ASKER, GetSnapshot(0))
    assert {each.number for each in peer.frames if isinstance(each, Snapshot)} == {1}
    monkeypatch.setattr("node.offering.SHARED_S", -1.0)
    for number in range(5):
        world.register(f"person {number}")
        found.asked_snapshot(ASKER, GetSnapshot(0))
    assert {each.number for each in peer.frames if isinstance(each, Snapshot)} == set(range(1, MAX_SNAPSHOTS + 1))
    await found.stop()


async def test_an_unused_snapshot_is_let_go(world: FinalizedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.offering.TICK_S", 0.01)
    monkeypatch.setattr("node.offering.IDLE_S", 0.02)
    peer = Peer()
    found = await offering(world, peer)
    found.asked_snapshot(ASKER, GetSnapshot(0))
    await asyncio.sleep(0.1)
    found.asked_entries(ASKER, GetEntries(1, b"", 1))
    assert peer.frames[-1] == NoSnapshot("gone")
    await found.stop()


async def test_nothing_is_offered_that_is_not_newer_or_that_nobody_signed(world: FinalizedWorld) -> None:
    peer = Peer()
    found = await offering(world, peer)
    found.asked_snapshot(ASKER, GetSnapshot(world.height))
    assert peer.frames[-1] == NoSnapshot("none")
    world.finalizes = False
    world.block()
    found.asked_snapshot(ASKER, GetSnapshot(0))
    assert peer.frames[-1] == NoSnapshot("later"), "only a later block's votes cover the tip"
    await found.stop()
    found.asked_snapshot(ASKER, GetSnapshot(0))
    assert peer.frames[-1] == NoSnapshot("later")


async def test_hops_are_those_of_the_ended_epochs(world: FinalizedWorld) -> None:
    while world.height < 70:
        world.block()
    peer = Peer()
    found = await offering(world, peer)
    for first, count in ((0, 2), (1, 1), (2, 0), (9, 0)):
        found.asked_hops(ASKER, GetHops(first))
        answer = peer.frames[-1]
        assert isinstance(answer, Hops)
        assert (answer.from_epoch, len(answer.hops)) == (first, count)
    await found.stop()


async def test_a_reader_that_is_gone_costs_nothing_more(world: FinalizedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.offering.CHUNK_BYTES", 64)
    peer = Peer(patience=1)
    found = await offering(world, peer)
    found.asked_snapshot(ASKER, GetSnapshot(0))
    found.asked_entries(ASKER, GetEntries(1, b"", 8))
    await peer.entries(1)
    await asyncio.sleep(0.05)
    assert len(peer.frames) == 2
    await found.stop()


async def test_refuses_more_readers_than_there_is_room_for(
    world: FinalizedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.offering.MAX_READERS", 1)
    found = await offering(world, Peer())
    found.asked_snapshot(ASKER, GetSnapshot(0))
    found.asked_entries(ASKER, GetEntries(1, b"", 8))
    with pytest.raises(Ignore):
        found.asked_entries(Sender("bb" * 20, VALIDATOR, 2), GetEntries(1, b"", 8))
    found.asked_entries(ASKER, GetEntries(1, b"", 8))  # who reads already may change its mind
    await found.stop()
