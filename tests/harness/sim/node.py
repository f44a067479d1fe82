"""One simulated node: the product's engine, journal, key guard, office and catch-up answers, without sockets.

The shell follows `node/runtime.py` step by step, with one difference: it may die at every place where something becomes
durable, leaves the node or is stored (`maybe_die`), and everything that it asks for comes back through the world.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

from harness.sim.beginning import holders
from harness.sim.deaths import Crashed
from harness.sim.disk import FakeDisk
from harness.sim.home import Home
from harness.sim.joining import SimJoining
from harness.sim.ledger import NodeLedger
from harness.sim.states import States

from consensus import effects, inputs
from consensus.engine import Engine
from consensus.messages import BlockBody, ConsensusMessage, GetBlock, GetBlocks, GetQuorums, Status
from consensus.records import JournalRecord, prunable
from consensus.timers import Timing
from consensus.votes import Quorum
from contracts.context import BlockOutput
from contracts.transition import DecodedTx
from node.journal import Journal
from node.office import Office, Term
from node.repair import replay, rolled_back
from node.sync import Source, blocks_from, boundary_of, peer_to_ask
from node.wire import Frame, NoBlocks
from state.block import Block
from state.codec import encode
from state.epochs import ends_epoch
from state.errors import BlockInvalid

BLOCK_TRANSACTIONS = 24


class Surroundings(Protocol):
    """What a node can do to the world, and what the world knows better."""

    now_ms: int
    random: Random
    first_directory: Path

    def time_ms(self, node: "SimNode") -> int: ...
    def transmit(self, node: "SimNode", message: ConsensusMessage, to: int | None) -> None: ...
    def later(self, node: "SimNode", at_ms: int, make: Callable[[int, int], inputs.Input]) -> None: ...
    def maybe_die(self, node: "SimNode") -> None: ...
    def term_began(self, node: "SimNode") -> None: ...
    def committed(self, node: "SimNode", effect: effects.Commit, output: BlockOutput) -> None: ...
    def accuse(self, node: "SimNode", evidence: effects.EvidenceFound) -> None: ...
    def no_blocks(self, node: "SimNode", peer: int) -> None: ...
    def blocks_gone(self, node: "SimNode") -> None: ...


@dataclass(frozen=True)
class Settings:
    """What all nodes of a run share."""

    timing: Timing
    real_signatures: bool
    segment_bytes: int  # a new journal segment from here on: small, so that a run has many
    everybody: int  # nodes, in office or not


class SimNode:
    _live: list[tuple[JournalRecord, bytes]]  # what the journal must keep
    sends_before_sync = False  # the mutant of the driver rule

    def __init__(
        self,
        index: int,
        world: Surroundings,
        settings: Settings,
        vote_keys: tuple[str, ...],
        open_ledger: Callable[["SimNode", FakeDisk], Callable[[], NodeLedger]],
        name: str = "",
    ) -> None:
        """`vote_keys`: names of the keys it holds, each with a journal. `open_ledger` gives what opens its ledger."""
        self.index, self.world, self.settings = index, world, settings
        disk = FakeDisk(world.first_directory / (name or f"node{index}"), self, Random(world.random.random()))
        self.home = Home(disk, vote_keys, settings.everybody, settings.real_signatures)
        self.states: States | None = None
        self._open_ledger = open_ledger(self, disk)
        self.incarnation = 0
        self.engine: Engine | None = None
        self.fetched_ms = -1  # when it last looked for a state
        self.joining: SimJoining | None = None  # while it has no engine yet: it fetches a state
        self.begins_joining: Callable[[SimNode], SimJoining] | None = None  # where its operator wants snapshots
        self.gone = False  # nobody keeps the blocks that it needs: any newer state will do
        self.halted: effects.Halt | None = None
        self.epoch = 0  # that it serves
        self.mempool: dict[bytes, DecodedTx] = {}
        self.timers: dict[str, int] = {}

    # --- the process

    def maybe_die(self) -> None:
        self.world.maybe_die(self)

    def start(self) -> None:
        """A process on whatever the disk holds. Crashed if it dies while it opens them."""
        self.incarnation += 1
        self.mempool.clear()
        self._claimed: dict[str, int] = {}
        self._bodies_from: dict[str, int] = {}
        self._told_work = self._begins = False
        try:
            if self.begins_joining is not None:
                self.joining = self.begins_joining(self)
                self.joining.begin()
            else:
                self.open()
        except Crashed:
            self.crash()

    def open(self) -> None:
        """Ledger, journals and engine."""
        if self.joining is not None:
            self.joining, self.fetched_ms = None, self.world.now_ms
        try:
            self.ledger = self._open_ledger()
            seats = self.home.open(self.ledger)
            for seat in seats:
                if rolled_back(self.ledger, seat.journal):  # type: ignore[arg-type]
                    replay(self.ledger, seat.journal)  # type: ignore[arg-type]
            self._office = Office(self.ledger, self.settings.timing, seats)  # type: ignore[arg-type]
            self._term = self._office.term()
            self._begin_term()
            self.perform([])
        except Crashed:
            self.crash()

    def crash(self) -> None:
        """The power goes: what was not synced may be gone, and so is everything in memory."""
        self.engine = self.joining = None
        self.incarnation += 1
        if hasattr(self, "_office"):
            self._office.close()
        self.home.disk.power_cut()

    def stop(self) -> None:
        """An orderly end, unless the power goes in the middle of it."""
        try:
            if self.engine is not None:
                self._office.finish()
        except Crashed:
            self.crash()
            return
        self.engine = None
        self.incarnation += 1

    @property
    def up(self) -> bool:
        return self.engine is not None or self.joining is not None

    # --- the loop

    def take(self, given: inputs.Input) -> None:
        """One turn."""
        if self.engine is None or self.halted:
            return
        if type(given) is inputs.MessageReceived and type(given.message) is Status:
            self._heard_status(given.peer, given.message)
        try:
            if self.engine is not None:
                self.perform(self.engine.step(given))
        except Crashed:
            self.crash()

    def take_frame(self, source: int, frame: Frame) -> None:
        """Of a snapshot, or about blocks that are not kept. Crashed if it dies on it."""
        if isinstance(frame, NoBlocks):
            self._bodies_from[str(source)] = frame.bodies_from
        elif self.joining is not None:
            self.joining.take(source, frame)

    def disconnected(self, peer: int) -> None:
        if self.joining is not None:
            self.joining.disconnected(peer)

    def _heard_status(self, peer: str, status: Status) -> None:
        self._claimed[peer] = status.height
        settled = self.home.heard(self.ledger, int(peer), status)
        if settled is not None:
            tip, survivors = self.ledger.tip, [encoded for _, encoded in self._live]
            try:
                self._journal.rotate(tip.header.epoch, tip.height, tip.view, tip.hash, survivors, settled)
            except Crashed:
                self.crash()

    def perform(self, wanted: list[effects.Effect]) -> None:
        if not wanted and not self._begins:
            return
        if self.sends_before_sync:
            wanted = sorted(wanted, key=lambda effect: isinstance(effect, effects.Persist))
        for effect in wanted:
            match effect:
                case effects.Persist(records=records, sync=sync):
                    self._persist(records, sync)
                case effects.Send(message=message, to=to):
                    self._send(message, to)
                case effects.SetTimer():
                    self._set_timer(effect)
                case effects.Commit():
                    self._commit(effect)
                case effects.BuildBlock():
                    self._build(effect)
                case effects.CheckBlock():
                    self._check(effect)
                case effects.Fetch(request=request, attempt=attempt):
                    self._fetch(request, attempt)
                case effects.ServeBlocks(peer=peer, from_height=from_height, count=count):
                    answer = blocks_from(self.ledger, from_height, count)  # type: ignore[arg-type]
                    self._answer(answer, peer)
                    if answer is None and 0 < from_height < self.ledger.base.bodies_from:
                        self.world.no_blocks(self, int(peer))
                case effects.ServeBlock(peer=peer, block_hash=block_hash):
                    block = self.ledger.block(block_hash)
                    self._answer(None if block is None else BlockBody(block), peer)
                case effects.ServeBoundary(peer=peer, of_epoch=of_epoch):
                    self._answer(boundary_of(self.ledger, of_epoch), peer)  # type: ignore[arg-type]
                case effects.EvidenceFound():
                    self.world.accuse(self, effect)
                case effects.Blame():
                    pass  # what happens to a blamed peer is the transport's business
                case effects.Halt():
                    self.halted = effect
                case _:
                    raise AssertionError(f"a shell that does not know {type(effect).__name__}")
        if self._begins and self.engine is not None:
            self._begins = False
            self.perform(self.engine.step(inputs.Start(self.world.now_ms, self.world.time_ms(self))))

    # --- effects

    @property
    def _journal(self) -> Journal:
        return self._term.seat.journal

    def _persist(self, records: tuple[JournalRecord, ...], sync: bool) -> None:
        encoded = [encode(record) for record in records]
        self._live += zip(records, encoded, strict=True)
        self._journal.append(encoded)
        if sync:
            self._journal.sync()

    def _send(self, message: ConsensusMessage, to: str | None) -> None:
        """Observers only ask."""
        if self._term.index is None and not isinstance(message, GetQuorums | GetBlocks | GetBlock | Status):
            return
        self.maybe_die()
        self.world.transmit(self, message, None if to is None else int(to))

    def _answer(self, message: ConsensusMessage | None, peer: str) -> None:
        if message is not None:
            self._send(message, peer)

    def _set_timer(self, effect: effects.SetTimer) -> None:
        epoch, view, purpose, at_ms = effect.epoch, effect.view, effect.purpose, effect.at_ms
        self.timers[purpose] = at_ms
        self.world.later(self, at_ms, lambda now, time: inputs.TimerFired(now, time, epoch, view, purpose))

    def _fetch(self, request: GetBlock | GetBlocks, attempt: int) -> None:
        held_by = holders(self.settings.everybody)
        found = [held_by[validator.vote_key] for validator in self.ledger.validators]
        others = [str(index) for index in found if index != self.index]
        batch = isinstance(request, GetBlocks)
        wanted = request.from_height if isinstance(request, GetBlocks) else self.ledger.tip.height + 1
        sources = [
            Source(name, self._claimed.get(name, 0) if batch else wanted, self._bodies_from.get(name, 0))
            for name in others
        ]
        peer = peer_to_ask(sources, wanted, attempt)
        without = [source for source in sources if source.bodies_from > wanted]
        if without and len(without) >= len(sources) - (len(self.ledger.validators) - 1) // 3:
            self.world.blocks_gone(self)
        if peer is not None:
            self._send(request, peer)
        elif sources:
            self._bodies_from.clear()

    def _build(self, wanted: effects.BuildBlock) -> None:
        pending = self._pending(wanted.parent_hash)
        chosen = [decoded for txid, decoded in self.mempool.items() if txid not in pending][:BLOCK_TRANSACTIONS]
        block, refused = self.ledger.build_with_refused(
            wanted.parent_hash, chosen, wanted.timestamp_ms, wanted.proposer
        )
        for decoded, _ in refused:
            self.mempool.pop(decoded.txid, None)
        epoch, view = wanted.epoch, wanted.view
        self.world.later(self, -1, lambda now, time: inputs.BlockBuilt(now, time, epoch, view, block))
        self.tell_work()

    def _pending(self, block_hash: bytes) -> Collection[bytes]:
        txids: set[bytes] = set()
        while block_hash != self.ledger.tip.hash:
            txids.update(decoded.txid for decoded in self.ledger.transactions(block_hash))
            block_hash = self.ledger.header(block_hash).parent_hash
        return txids

    def _check(self, effect: effects.CheckBlock) -> None:
        ok = self._executes(effect.block)
        epoch, view, block_hash = effect.epoch, effect.view, effect.block_hash
        self.world.later(self, -1, lambda now, time: inputs.BlockChecked(now, time, epoch, view, block_hash, ok))

    def _executes(self, block: Block) -> bool:
        try:
            self.ledger.check(block)
        except BlockInvalid:
            return False
        return True

    def _commit(self, effect: effects.Commit) -> None:
        block, finalization = effect.block, effect.finalization
        height = block.header.height
        own = finalization.block_hash == effect.block_hash
        last = ends_epoch(height, self.ledger.parameters.epoch_length)
        if last:
            self._office.hand_over(finalization)
        self.ledger.check(block)
        transactions = self.ledger.transactions(effect.block_hash)
        output = self.ledger.commit(block, encode(finalization) if own else b"", finalization.view)
        if height > self._journal.stored.height:
            self._journal.note_stored(height, effect.block_hash)
        for decoded in transactions:
            self.mempool.pop(decoded.txid, None)
        if own:
            self._prune(finalization, height)
        self.world.committed(self, effect, output)
        if last:
            self._next_term()
        self.tell_work()

    def _prune(self, finalization: Quorum, height: int) -> None:
        epoch, view = finalization.epoch, finalization.view
        self._live = [kept for kept in self._live if not prunable(kept[0], epoch, view)]
        signer = self._term.seat.signer
        if signer is not None:
            signer.forget_below(epoch, view)
        if self._journal.size_bytes > self.settings.segment_bytes:
            survivors = [encoded for _, encoded in self._live]
            self._journal.rotate(epoch, height, view, finalization.block_hash, survivors)

    def _next_term(self) -> None:
        before, self._term = self._term, self._office.term()
        self._begin_term(kept=self._term.seat is before.seat)

    def _begin_term(self, kept: bool = False) -> None:
        if not kept:
            self._live = [(one, encode(one)) for one in self._term.seat.records]
        self.timers.clear()
        self.engine = self._term.engine
        self._begins, self._told_work = True, False
        self.world.term_began(self)

    # --- work

    @property
    def term(self) -> Term:
        return self._term

    def admit(self, decoded: DecodedTx) -> None:
        if self.engine is not None:
            self.mempool.setdefault(decoded.txid, decoded)
            self.tell_work()

    def tell_work(self) -> None:
        waiting = bool(self.mempool)
        if waiting != self._told_work:
            self._told_work = waiting
            self.world.later(self, -1, lambda now, time: inputs.WorkWaits(now, time, waiting))
