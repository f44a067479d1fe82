"""Nothing is sent before it is durable, and nothing at all after the disk failed once."""

import asyncio
from pathlib import Path

import pytest
from harness.net import Running, keys_of, make_homes, open_node

from consensus.messages import ConsensusMessage, Propose, VoteMessage
from consensus.records import JournalRecord, OwnVote, VotedBlock
from consensus.votes import Vote
from node.faults import RealDisk
from node.journal import Journal, _read_segment
from node.wire import Consensus, Priority, decode_frame
from state.codec import decode
from state.errors import DiskFailed


class Watch(RealDisk):
    """A disk and the broadcasts of one node: what of the journal was synced when a message left."""

    def __init__(self, running: Running, failing_sync: int = 0) -> None:
        self.synced: set[bytes] = set()
        self.sent: list[tuple[ConsensusMessage, set[bytes]]] = []
        self.syncs = 0
        self._failing_sync = failing_sync
        self._journal = running.node.journal
        self._journal._disk = self
        running.node.peers.broadcast = self._broadcast  # type: ignore[method-assign]

    def _broadcast(self, data: bytes, priority: Priority, observers: bool = True, asks: bool = False) -> None:
        frame = decode_frame(data)
        assert isinstance(frame, Consensus)
        self.sent.append((decode(ConsensusMessage, frame.payload), self.synced))  # type: ignore[arg-type]

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        if self.syncs == self._failing_sync:
            raise OSError(5, "Input/output error")
        super().sync(descriptor)
        path = self._journal.directory / f"{self._journal.header.sequence:010d}.journal"
        payloads, _ = _read_segment(path)
        self.synced = {record for payload in payloads for record in getattr(payload, "records", ())}

    def votes(self) -> list[tuple[Vote, set[bytes]]]:
        return [(message.vote, synced) for message, synced in self.sent if isinstance(message, VoteMessage | Propose)]


async def started(tmp_path: Path, **options: int) -> tuple[Running, Watch]:
    (home,) = make_homes(tmp_path, 1)
    running = Running(open_node(home, keys_of(0)))
    return running, Watch(running, **options)


async def test_every_vote_and_its_block_are_on_disk_before_it_is_sent(tmp_path: Path) -> None:
    running, watch = await started(tmp_path)
    await running.height(4)
    await running.stop()
    assert len(watch.votes()) >= 8  # at least a proposal and a vote of each block
    for vote, synced in watch.votes():
        records: list[JournalRecord] = [decode(JournalRecord, record) for record in synced]  # type: ignore[arg-type]
        assert OwnVote(vote) in records, f"vote of kind {vote.kind} in view {vote.view} left before it was durable"
        if vote.kind == 1:
            assert any(isinstance(record, VotedBlock) and record.view == vote.view for record in records)


async def test_a_block_costs_at_most_three_syncs_of_the_journal(tmp_path: Path) -> None:
    running, watch = await started(tmp_path)
    await running.height(5)
    height = running.node.ledger.tip.height
    await running.stop()
    assert watch.syncs <= 3 * height + 3


@pytest.mark.parametrize("failing_sync", [1, 2, 5])
async def test_after_a_failed_sync_nothing_leaves_and_the_node_stops(tmp_path: Path, failing_sync: int) -> None:
    running, watch = await started(tmp_path, failing_sync=failing_sync)
    with pytest.raises(DiskFailed):
        await asyncio.wait_for(running.task, 20)
    durable = watch.synced
    for vote, _ in watch.votes():
        assert OwnVote(vote) in [decode(JournalRecord, record) for record in durable]  # type: ignore[arg-type]
    assert isinstance(running.node.journal, Journal)
    assert (running.node.config.data / "running").exists()  # so that the next start audits the state
