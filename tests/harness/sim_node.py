"""One simulated validator: the real engine, a journal with an unsynced tail, and a shell that may die anywhere.

The shell follows the driver rule of `consensus.effects`. `crash_here` is asked at every point where a process can die:
before a sync, between sync and send, between two sends, before a commit.
"""

from collections.abc import Callable
from typing import Any, Protocol

from harness import toy_ledger
from harness.schedule import Schedule

from consensus import effects, inputs
from consensus.engine import Engine
from consensus.messages import BlockBody, Blocks, ConsensusMessage, GetBlock, GetBlocks, GetQuorums, Quorums, Status
from consensus.own_votes import Signer
from consensus.records import JournalRecord, Recovered, prunable
from consensus.timers import Timing
from consensus.votes import Quorum, Verify
from state.block import Block, Header, header_hash


class Disk:
    """What survives: synced journal records, committed blocks and their Finalizations."""

    def __init__(self, genesis: Header, schedule: Schedule) -> None:
        self.schedule = schedule
        self.journal: list[JournalRecord] = []
        self.synced = 0
        self.headers = [genesis]
        self.blocks: list[Block] = []  # block of height h at h - 1
        self.by_hash: dict[bytes, int] = {header_hash(genesis): 0}
        self.finalization: Quorum | None = None
        self.own_finalization: dict[int, Quorum] = {}

    @property
    def epoch(self) -> int:
        """Of the next block."""
        return self.schedule.epoch_after(len(self.headers) - 1)

    def recovered(self) -> Recovered:
        final = self.finalization if self.finalization and self.finalization.epoch == self.epoch else None
        return Recovered(self.headers[-1], final, tuple(self.journal))

    def lose_unsynced(self, kept: int) -> None:
        """A power cut: of the unsynced tail the first `kept` records happened to reach the disk."""
        del self.journal[min(len(self.journal), self.synced + kept) :]
        self.synced = len(self.journal)

    def commit(self, effect: effects.Commit) -> None:
        header = effect.block.header
        assert header.height == len(self.headers), "blocks are committed one after the other"
        assert header.parent_hash == header_hash(self.headers[-1]), "a block is committed on its parent"
        self.headers.append(header)
        self.blocks.append(effect.block)
        self.by_hash[effect.block_hash] = header.height
        final = effect.finalization
        if self.finalization is None or (final.epoch, final.view) > (self.finalization.epoch, self.finalization.view):
            self.finalization = final
        if effect.finalization.block_hash == effect.block_hash:
            self.own_finalization[header.height] = effect.finalization
            self._prune(effect.finalization)

    def _prune(self, finalization: Quorum) -> None:
        keep = [not prunable(record, finalization.epoch, finalization.view) for record in self.journal]
        self.synced = sum(keep[: self.synced])
        self.journal = [record for record, kept in zip(self.journal, keep, strict=True) if kept]

    def answer_blocks(self, from_height: int, count: int) -> Blocks | None:
        """Up to `count` blocks of one epoch, and the headers to the next block that has its own Finalization."""
        last = min(from_height + count, len(self.headers)) - 1
        if self.schedule.length:
            last = min(last, self.schedule.last_height(self.schedule.epoch_after(from_height - 1)) or last)
        final = next((h for h in range(last, len(self.headers)) if h in self.own_finalization), None)
        if from_height < 1 or last < from_height or final is None:
            return None
        blocks = tuple(self.blocks[from_height - 1 : last])
        return Blocks(blocks, tuple(self.headers[last + 1 : final + 1]), self.own_finalization[final])

    def answer_boundary(self, epoch: int) -> Quorums | None:
        """How an epoch ended; None while it has not ended here."""
        height = self.schedule.last_height(epoch)
        if height is None or height not in self.own_finalization:
            return None
        return Quorums(epoch, self.headers[height], (self.own_finalization[height],))


class World(Protocol):
    """What a node can do to its surroundings."""

    def transmit(self, source: int, message: ConsensusMessage, to: str | None) -> None: ...
    def later(self, node: "SimNode", delay_ms: int, make: Callable[[int, int], inputs.Input]) -> None: ...
    def crash_here(self, node: "SimNode") -> bool: ...
    def committed(self, node: "SimNode", effect: effects.Commit) -> None: ...
    def pick(self, bound: int) -> int: ...
    def first_input(self, node: "SimNode") -> inputs.Start: ...


class Crashed(Exception):
    """The process died in the middle of performing effects."""


class SimNode:
    def __init__(
        self,
        index: int,
        world: World,
        schedule: Schedule,
        genesis: Header,
        signer: Signer | None,
        verify: Verify,
        timing: Timing,
        engine_type: type[Engine] = Engine,
        send_before_sync: bool = False,
    ) -> None:
        self.index, self.world, self.schedule = index, world, schedule
        self.disk = Disk(genesis, schedule)
        self._settings: dict[str, Any] = {
            "chain": bytes(32),
            "timing": timing,
            "verify": verify,
            "signer": signer,
        }
        self._engine_type = engine_type
        self.send_before_sync = send_before_sync
        self.engine: Engine | None = None
        self.incarnation = 0
        self.timers: dict[str, int] = {}
        self.halted: effects.Halt | None = None
        self.executed: dict[bytes, Header] = {}  # headers whose state this process can build on
        self.mempool: set[bytes] = set()
        self.evidence: list[effects.EvidenceFound] = []
        self.blamed: list[effects.Blame] = []

    def start(self) -> None:
        """A process on whatever the disk holds."""
        self.incarnation += 1
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.timers.clear()
        recovered, epoch = self.disk.recovered(), self.disk.epoch
        self.executed = {header_hash(recovered.header): recovered.header}
        self.engine = self._engine_type(
            recovered=recovered,
            epoch=epoch,
            validators=self.schedule.validators(epoch),
            last_height=self.schedule.last_height(epoch),
            **self._settings,
        )

    def in_office(self, epoch: int) -> bool:
        """Observers only ask."""
        return self.index in self.schedule.members(epoch)

    def crash(self) -> None:
        self.engine = None
        self.incarnation += 1
        self.disk.lose_unsynced(self.world.pick(1 + len(self.disk.journal) - self.disk.synced))

    def take(self, given: inputs.Input) -> None:
        """One turn of the shell's loop."""
        if self.engine is None or self.halted:
            return
        try:
            self.perform(self.engine.step(given))
        except Crashed:
            self.crash()

    def perform(self, wanted: list[effects.Effect]) -> None:
        if self.send_before_sync:  # the mutant of the driver rule
            wanted = sorted(wanted, key=lambda effect: isinstance(effect, effects.Persist))
        for effect in wanted:
            if not isinstance(effect, effects.SetTimer) and self.world.crash_here(self):
                raise Crashed
            self._perform(effect)

    def _perform(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Persist(records=records, sync=sync):
                self.disk.journal.extend(records)
                if sync:
                    if self.world.crash_here(self):
                        raise Crashed
                    self.disk.synced = len(self.disk.journal)
            case effects.Send(message=message, to=to):
                asks = isinstance(message, GetQuorums | GetBlocks | GetBlock | Status)
                if asks or self.in_office(effect.epoch):
                    self.world.transmit(self.index, message, to)
            case effects.SetTimer(epoch=epoch, view=view, purpose=purpose, at_ms=at_ms):
                self.timers[purpose] = at_ms
                self.world.later(self, at_ms, lambda now, time: self._fired(now, time, epoch, view, purpose))
            case effects.Commit():
                assert effect.block_hash in self.executed or self._execute(effect.block_hash, effect.block), (
                    "a final block whose own execution differs"
                )
                self.disk.commit(effect)
                self.mempool -= set(effect.block.transactions)
                self.world.committed(self, effect)
                if self.disk.epoch != effect.epoch:
                    self._begin_epoch()
                    assert self.engine is not None
                    self.perform(self.engine.step(self.world.first_input(self)))
            case effects.BuildBlock():
                self._build(effect)
            case effects.CheckBlock(epoch=epoch, view=view, block_hash=block_hash, block=block):
                ok = self._execute(block_hash, block)
                self._answer(lambda now, time: inputs.BlockChecked(now, time, epoch, view, block_hash, ok))
            case effects.Fetch(request=request, attempt=attempt):
                others = [i for i in range(self.schedule.everybody) if i != self.index]
                if others:
                    self.world.transmit(self.index, request, str(others[attempt % len(others)]))
            case effects.ServeBlocks(peer=peer, from_height=from_height, count=count):
                answer = self.disk.answer_blocks(from_height, count)
                if answer:
                    self.world.transmit(self.index, answer, peer)
            case effects.ServeBlock(peer=peer, block_hash=block_hash):
                height = self.disk.by_hash.get(block_hash, 0)
                if height:
                    self.world.transmit(self.index, BlockBody(self.disk.blocks[height - 1]), peer)
            case effects.ServeBoundary(peer=peer, of_epoch=of_epoch):
                end = self.disk.answer_boundary(of_epoch)
                if end:
                    self.world.transmit(self.index, end, peer)
            case effects.EvidenceFound():
                self.evidence.append(effect)
            case effects.Blame():
                self.blamed.append(effect)
            case effects.Halt():
                self.halted = effect
            case _:
                raise AssertionError(f"a shell that does not know {type(effect).__name__}")

    def _fired(self, now_ms: int, time_ms: int, epoch: int, view: int, purpose: str) -> inputs.TimerFired:
        return inputs.TimerFired(now_ms, time_ms, epoch, view, purpose)

    def _answer(self, make: Callable[[int, int], inputs.Input]) -> None:
        self.world.later(self, -1, make)

    def _execute(self, block_hash: bytes, block: Block) -> bool:
        parent = self.executed.get(block.header.parent_hash)
        assert parent is not None, "a block is checked after its parent"
        height = block.header.height
        ok = toy_ledger.executes(parent, block) and (
            (block.header.epoch, block.header.next_validators_hash)
            == (self.schedule.epoch_after(height - 1), self.schedule.handed_to(height))
        )
        if ok:
            self.executed[block_hash] = block.header
        return ok

    def _build(self, wanted: effects.BuildBlock) -> None:
        assert wanted.parent_hash in self.executed, "a block is built on an executed parent"
        transactions = tuple(sorted(self.mempool)[:4])
        block = toy_ledger.build(
            wanted.parent,
            transactions,
            wanted.timestamp_ms,
            wanted.proposer,
            wanted.validators_hash,
            wanted.epoch,
            self.schedule.handed_to(wanted.parent.height + 1),
        )
        self.executed[header_hash(block.header)] = block.header
        epoch, view = wanted.epoch, wanted.view
        self._answer(lambda now, time: inputs.BlockBuilt(now, time, epoch, view, block))
