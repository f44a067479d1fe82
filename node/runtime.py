"""The one loop: inputs go to the engine one at a time, and what it asks for is performed in order.

The driver rule (consensus.md section 4): all that one turn wants to persist is appended and synced once, and only then
is anything sent. A turn is every input that waits when the loop comes round, so under load several votes share a sync.

Executing and building blocks are tasks of their own, because checking signatures gives way to the loop; their answers
come back as inputs. Commits are performed in place: they must keep their order.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from structlog.typing import FilteringBoundLogger

from consensus.effects import (
    Blame,
    BuildBlock,
    CheckBlock,
    Commit,
    Effect,
    EvidenceFound,
    Fetch,
    Halt,
    Persist,
    Send,
    ServeBlock,
    ServeBlocks,
    ServeBoundary,
    SetTimer,
)
from consensus.engine import Engine
from consensus.inputs import BlockBuilt, BlockChecked, Input, MessageReceived, PeerUp, Start, TimerFired, WorkWaits
from consensus.messages import BlockBody, ConsensusMessage, Evidence, GetBlock, GetBlocks, GetQuorums, Status
from consensus.records import JournalRecord, prunable
from consensus.safety import EXIT_OWN_KEY_ELSEWHERE
from consensus.votes import Quorum
from contracts.context import BlockOutput
from contracts.expire import due_at_ms
from contracts.transition import DecodedTx
from node.amnesia import Amnesia
from node.faults import Clock, reach
from node.gossip import IMPROPER, MALFORMED, Ignore, Sender, check_frame, consensus_message, priority_of
from node.journal import SEGMENT_BYTES, Journal
from node.ledger import Ledger
from node.listening import OwnKeyWatch
from node.mempool import Mempool
from node.office import Term
from node.peers import Peers
from node.signer import Signer
from node.sync import Source, blocks_from, boundary_of, peer_to_ask
from node.wire import (
    MAX_FRAME_TRANSACTIONS,
    OBSERVER,
    VALIDATOR,
    Consensus,
    Frame,
    NoBlocks,
    Priority,
    Transactions,
    encode_frame,
)
from state.block import Block, header_hash
from state.codec import encode
from state.epochs import ends_epoch
from state.errors import BadSignature, DecodeError, DiskFailed, ExecutionDiffers, Refusal, SignerMismatch, WattestError

MAX_TURN = 64  # inputs that may share one sync
MAX_INBOX = 20_000  # beyond it peers' messages are dropped; own answers and timers never are
MAX_ADMISSIONS = 256  # transaction frames that wait for admission
MAX_ADMISSIONS_EACH = 64  # of one peer: who floods leaves room for the others
MAX_ADMISSION_BYTES = 64 * 1024 * 1024
GOSSIP_DELAY_S = 0.005  # single transactions that come in within it share a frame
GOSSIP_BYTES = 1024 * 1024
BLAME = 34  # three lies within a minute, and a peer is left alone for a while
FAR_DUE_S = 60.0


class NodeHalted(WattestError):
    """An invariant does not hold: the node writes a dump and ends with `exit_code` (assurance.md section 9)."""

    code = "halted"
    sentence = "The node stops for safety: {why}."

    def __init__(self, exit_code: int, why: str) -> None:
        super().__init__(why=why)
        self.exit_code = exit_code


@dataclass(frozen=True)
class FinalBlock:
    """One block that became final here, for whoever watches."""

    block: Block
    block_hash: bytes
    transactions: tuple[DecodedTx, ...]
    output: BlockOutput
    finalization: Quorum
    commit_ms: int = 0


class Watcher(Protocol):
    """Told on the loop, after the fact; must return at once."""

    def committed(self, final: FinalBlock) -> None: ...

    def live(self, kind: str, fields: dict[str, Any]) -> None:
        """Something that no block records: `peer`, `view`, `evidence`, and what the readings' side announces."""


FrameHandler = Callable[[Sender, Any], None]


class Runtime:
    """Joins engine, ledger, mempool, journal and peers.

    `term` is the epoch at the start; `end_epoch` gives the next one when the last block of an epoch is stored, and
    `hand_over` makes that block's Finalization durable in every journal before it is.
    """

    def __init__(
        self,
        *,
        term: Term,
        ledger: Ledger,
        mempool: Mempool,
        peers: Peers,
        end_epoch: Callable[[], Term],
        hand_over: Callable[[Quorum], None],
        clock: Clock,
        log: FilteringBoundLogger,
        certified: bool = False,
    ) -> None:
        """`certified`: signatures in final blocks are left to those who made them final."""
        self._certified = certified
        self.ledger, self.mempool, self.peers = ledger, mempool, peers
        self.clock, self.log = clock, log
        self._end_epoch, self._hand_over = end_epoch, hand_over
        self._term = term
        self._live_records = [(record, encode(record)) for record in term.seat.records]
        self._begins = True  # the engine has not been started
        self._inbox: asyncio.Queue[tuple[type[Input], dict[str, Any]] | BaseException] = asyncio.Queue()
        self._admissions: asyncio.Queue[tuple[Sender, Transactions]] = asyncio.Queue(MAX_ADMISSIONS)
        self._admissions_of: Counter[str] = Counter()  # by peer
        self._admission_bytes = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._due_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._gossip: list[bytes] = []
        self._handlers: dict[type, FrameHandler] = {}
        self._told_work = False
        self._seen = (0, 0)  # epoch and view last told to watchers
        self._claimed: dict[str, int] = {}  # peer -> height it says it has
        self._bodies_from: dict[str, int] = {}  # peer -> lowest height of which it says it has the body
        self._fetches = 0
        self.blocks_gone = False  # by all peers but as many as may lie: none keeps what it needs next
        self.watchers: list[Watcher] = []
        self.byzantine: set[int] = set()
        self.accuse: Callable[[Evidence], None] = lambda evidence: None  # brings it onto the ledger
        self.own_key: OwnKeyWatch | None = None  # while a moved validator listens before it votes
        self.amnesia: Amnesia | None = None  # while a validator that forgot its votes may not vote yet
        peers.listener = self
        peers.final_height = lambda: ledger.tip.height
        mempool.on_admitted = self._admitted

    # --- the loop

    async def run(self) -> None:
        """Until cancelled; raises what the node must stop for."""
        self._spawn(self._admit_loop())
        self._watch_deadlines()
        self._tell_work()
        try:
            while True:
                await self._perform(self._turn(await self._next_input()))
        finally:
            for task in list(self._tasks):
                task.cancel()
            for timer in (*self._timers.values(), self._due_timer):
                if timer is not None:
                    timer.cancel()

    async def _next_input(self) -> tuple[type[Input], dict[str, Any]] | BaseException:
        """Start comes first for the engine of an epoch, whatever else waits."""
        if self._begins:
            self._begins = False
            return Start, {}
        return await self._inbox.get()

    def _turn(self, first: tuple[type[Input], dict[str, Any]] | BaseException) -> list[Effect]:
        """Step the engine with everything that waits. Persists are made durable here, before anything is returned."""
        effects: list[Effect] = []
        records: list[JournalRecord] = []
        sync = False
        given: tuple[type[Input], dict[str, Any]] | BaseException = first
        for _ in range(MAX_TURN):
            if isinstance(given, BaseException):
                raise given
            kind, fields = given
            step = self.engine.step(kind(self.clock.monotonic_ms(), self.clock.wall_ms(), **fields))
            for effect in step:
                if isinstance(effect, Persist):
                    records += effect.records
                    sync = sync or effect.sync
                else:
                    effects.append(effect)
            if self._inbox.empty():
                break
            given = self._inbox.get_nowait()
        self._persist(records, sync)
        return effects

    def _persist(self, records: list[JournalRecord], sync: bool) -> None:
        if not records:
            return
        encoded = [encode(record) for record in records]
        self._live_records += zip(records, encoded, strict=True)
        self._journal.append(encoded)
        if sync:
            self._journal.sync()

    @property
    def engine(self) -> Engine:
        return self._term.engine

    @property
    def _journal(self) -> Journal:
        return self._term.seat.journal

    @property
    def _signer(self) -> Signer | None:
        return self._term.seat.signer

    async def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if (effect.epoch, effect.view) != self._seen:
                self._announce_view(effect.epoch, effect.view)
            match effect:
                case Send():
                    self._send(effect.message, effect.to)
                case SetTimer():
                    self._set_timer(effect)
                case Commit():
                    await self._commit(effect)
                case BuildBlock():
                    self._spawn(self._build(effect))
                case CheckBlock():
                    self._spawn(self._check(effect))
                case Fetch():
                    self._fetch(effect)
                case ServeBlocks():
                    answer = blocks_from(self.ledger, effect.from_height, effect.count)
                    if answer is not None:
                        self._send(answer, effect.peer)
                    elif 0 < effect.from_height < self.ledger.base.bodies_from:
                        self._say_no_blocks(effect.peer)
                case ServeBlock():
                    block = self.ledger.block(effect.block_hash)
                    if block is not None:
                        self._send(BlockBody(block), effect.peer)
                case ServeBoundary():
                    end = boundary_of(self.ledger, effect.of_epoch)
                    if end is not None:
                        self._send(end, effect.peer)
                case EvidenceFound():
                    self._evidence(effect.evidence)
                case Blame():
                    self.peers.blame(effect.peer, BLAME, effect.why)
                case Halt():
                    raise NodeHalted(effect.code, effect.why)
                case _:
                    raise AssertionError(f"unknown effect {type(effect).__name__}")

    def _put(self, kind: type[Input], **fields: Any) -> None:
        self._inbox.put_nowait((kind, fields))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """A task whose failure is the node's failure."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._inbox.put_nowait(error)

    # --- sending

    def _send(self, message: ConsensusMessage, to: str | None) -> None:
        """Observers only ask; they are sent what proves itself, and fetch the bodies that they want."""
        asks = isinstance(message, GetQuorums | GetBlocks | GetBlock | Status)
        if self.peers.role == OBSERVER and not asks:
            return
        data = encode_frame(Consensus(encode(message)))
        priority = priority_of(message)
        if to is None:
            self.peers.broadcast(data, priority, observers=priority is Priority.QUORUMS, asks=asks)
        else:
            self.peers.send(to, data, priority, asks=asks)
        reach("send")

    def _fetch(self, effect: Fetch) -> None:
        batch = isinstance(effect.request, GetBlocks)
        wanted = effect.request.from_height if isinstance(effect.request, GetBlocks) else self.ledger.tip.height + 1
        sources = [
            Source(name, self._claimed.get(name, 0) if batch else wanted, self._bodies_from.get(name, 0))
            for name in (connection.sender.name for connection in self.peers.connected_validators)
        ]
        self._fetches += batch
        peer = peer_to_ask(sources, wanted, effect.attempt, self._fetches)
        without = [source.bodies_from for source in sources if source.bodies_from > wanted]
        if without and len(without) >= len(sources) - (self.peers.validator_count - 1) // 3:
            if not self.blocks_gone:
                self.log.error("blocks_gone", height=wanted, held_from=min(without))
            self.blocks_gone = True
        if peer is not None:
            self._send(effect.request, peer)
        elif sources:
            self._bodies_from.clear()  # asked again all the same: one of them may have been wrong

    def _say_no_blocks(self, peer: str) -> None:
        """To one that is so far behind that it needs a snapshot, or an archive."""
        self.peers.send(peer, encode_frame(NoBlocks(self.ledger.base.bodies_from)), Priority.QUORUMS)

    # --- timers

    def _set_timer(self, effect: SetTimer) -> None:
        old = self._timers.get(effect.purpose)
        if old is not None:
            old.cancel()
        delay_s = max(0, effect.at_ms - self.clock.monotonic_ms()) / 1000
        self._timers[effect.purpose] = asyncio.get_running_loop().call_later(
            delay_s, lambda: self._put(TimerFired, epoch=effect.epoch, view=effect.view, purpose=effect.purpose)
        )

    def _watch_deadlines(self) -> None:
        """The next deadline of the ledger is work too: a block must come to sweep what is due."""
        if self._due_timer is not None:
            self._due_timer.cancel()
            self._due_timer = None
        due_ms = due_at_ms(self.ledger.store)
        self._due = due_ms is not None and due_ms <= self.clock.wall_ms()
        if due_ms is not None and not self._due:
            delay_s = min((due_ms - self.clock.wall_ms()) / 1000, FAR_DUE_S)
            self._due_timer = asyncio.get_running_loop().call_later(delay_s, self._deadline_reached)

    def _deadline_reached(self) -> None:
        self._watch_deadlines()
        self._tell_work()

    def _tell_work(self) -> None:
        work = len(self.mempool) > 0 or self._due
        if work != self._told_work:
            self._told_work = work
            self._put(WorkWaits, waiting=work)

    # --- blocks

    async def _build(self, effect: BuildBlock) -> None:
        candidates = self.mempool.take(exclude=self._pending_txids(effect.parent_hash))
        block: Block | None = None
        try:
            block, refused = self.ledger.build_with_refused(
                effect.parent_hash, candidates, effect.timestamp_ms, effect.proposer
            )
        except Refusal as refusal:
            self.log.warning("build_failed", view=effect.view, why=str(refusal))
        else:
            self.mempool.reconsider(decoded for decoded, _ in refused)
            self._tell_work()
        self._put(BlockBuilt, epoch=effect.epoch, view=effect.view, block=block)

    async def _check(self, effect: CheckBlock) -> None:
        ok = False
        try:
            await self.mempool.prepare(effect.block.transactions)
            self.ledger.check(effect.block)
            ok = True
        except (Refusal, DecodeError) as refusal:
            self.log.warning("block_refused", height=effect.block.header.height, why=str(refusal))
        self._put(BlockChecked, epoch=effect.epoch, view=effect.view, block_hash=effect.block_hash, ok=ok)

    async def _commit(self, effect: Commit) -> None:
        block, finalization = effect.block, effect.finalization
        began_ms = self.clock.monotonic_ms()
        if not self.ledger.knows(effect.block_hash):
            await self._execute_final(block)
        transactions = self.ledger.transactions(effect.block_hash)
        own = finalization.block_hash == effect.block_hash
        last = ends_epoch(block.header.height, self.ledger.parameters.epoch_length)
        if last:
            self._hand_over(finalization)
        self.blocks_gone = False
        output = self.ledger.commit(block, encode(finalization) if own else b"", finalization.view)
        if block.header.height > self._journal.stored.height:
            self._journal.note_stored(block.header.height, effect.block_hash)
        self.mempool.committed(block.header.height, transactions)
        if own:
            self._prune(finalization, block.header.height)
        if last:
            self._begin_epoch()
        self._watch_deadlines()
        self._tell_work()
        self.log.info(
            "final",
            height=block.header.height,
            transactions=len(transactions),
            view=finalization.view,
            signers=finalization.signers if own else (),  # of a descendant's Finalization they say nothing here
        )
        final = FinalBlock(
            block, effect.block_hash, transactions, output, finalization, self.clock.monotonic_ms() - began_ms
        )
        for watcher in self.watchers:
            watcher.committed(final)
        await asyncio.sleep(0)  # a late node commits many blocks in a row, and must still answer pings

    def _begin_epoch(self) -> None:
        """The engine has ended with the block that was just stored; what still waits is handed to the next one."""
        before, self._term = self._term, self._end_epoch()
        if self._term.seat is not before.seat:
            self._live_records = [(record, encode(record)) for record in self._term.seat.records]
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._begins = True
        self.peers.change(self.ledger.validators)
        for connection in self.peers.connected:
            self._put(PeerUp, peer=connection.sender.name)
        self._told_work = False

    async def _execute_final(self, block: Block) -> None:
        """A final block that this node did not check before; it must hold here too, or nothing can be trusted."""
        try:
            if not self._certified:
                await self.mempool.prepare(block.transactions)
            self.ledger.check(block, self._certified)
        except (Refusal, DecodeError) as refusal:
            raise ExecutionDiffers(
                height=block.header.height, block=header_hash(block.header), why=str(refusal)
            ) from refusal

    def _pending_txids(self, block_hash: bytes) -> Collection[bytes]:
        """Transactions of the block and its unfinalised ancestors: they wait, but not for the next block."""
        txids: set[bytes] = set()
        while block_hash != self.ledger.tip.hash and self.ledger.knows(block_hash):
            txids.update(decoded.txid for decoded in self.ledger.transactions(block_hash))
            block_hash = self.ledger.header(block_hash).parent_hash
        return txids

    def _prune(self, finalization: Quorum, height: int) -> None:
        """What lies below the Finalization of a stored block can never matter again."""
        epoch, view = finalization.epoch, finalization.view
        self._live_records = [kept for kept in self._live_records if not prunable(kept[0], epoch, view)]
        if self._signer is not None:
            self._signer.forget_below(epoch, view)
        if self._journal.size_bytes > SEGMENT_BYTES:
            survivors = [encoded for _, encoded in self._live_records]
            self._journal.rotate(epoch, height, view, finalization.block_hash, survivors)

    # --- transactions

    async def _admit_loop(self) -> None:
        """Transactions of other nodes, frame by frame; who sends bad ones is to blame."""
        while True:
            sender, frame = await self._admissions.get()
            self._admission_bytes -= sum(map(len, frame.raws))
            self._admissions_of[sender.name] -= 1
            if not self._admissions_of[sender.name]:
                del self._admissions_of[sender.name]
            # what a validator sends it has sent to every other one itself
            for result in await self.mempool.admit(frame.raws, local=sender.role == OBSERVER):
                if isinstance(result, DecodeError | BadSignature | SignerMismatch):
                    points = MALFORMED if isinstance(result, DecodeError) else IMPROPER
                    self.peers.blame(sender.name, points, f"transaction: {result}")

    def _admitted(self, admitted: Iterable[DecodedTx], local: bool) -> None:
        self._tell_work()
        if local:
            if not self._gossip:
                asyncio.get_running_loop().call_later(GOSSIP_DELAY_S, self._flush_gossip)
            self._gossip += [decoded.raw for decoded in admitted]

    def _flush_gossip(self) -> None:
        raws, self._gossip = self._gossip, []
        for frame in transaction_frames(raws):
            self.peers.broadcast(frame, Priority.TRANSACTIONS, observers=False)

    # --- what peers do (node.peers.Listener)

    def handle(self, kind: type[Frame], handler: FrameHandler) -> None:
        """Frames of `kind` (readings, closes, attestations) go to `handler`, on the loop. It may raise Reject."""
        self._handlers[kind] = handler

    def fail(self, error: BaseException) -> None:
        """Something beside the loop broke that the node must stop for."""
        self._inbox.put_nowait(error)

    def frame_received(self, sender: Sender, frame: Frame) -> None:
        check_frame(frame, sender, self.peers.validator_count)
        match frame:
            case Consensus():
                message = consensus_message(frame, sender)
                if isinstance(message, Status):
                    self._claimed[sender.name] = message.height
                    self._learn_epoch(sender, message.epoch)
                self._watch_own_key(message)
                if self._inbox.qsize() >= MAX_INBOX:
                    raise Ignore("the engine is busy")
                self._put(MessageReceived, peer=sender.name, message=message)
            case Transactions():
                self._queue_admission(sender, frame)
            case NoBlocks(bodies_from=bodies_from):
                self._bodies_from[sender.name] = bodies_from
            case _:
                handler = self._handlers.get(type(frame))
                if handler is not None:
                    handler(sender, frame)

    def _queue_admission(self, sender: Sender, frame: Transactions) -> None:
        size = sum(map(len, frame.raws))
        if self._admissions.full() or self._admission_bytes + size > MAX_ADMISSION_BYTES:
            raise Ignore("too many transactions wait for admission")
        if self._admissions_of[sender.name] >= MAX_ADMISSIONS_EACH:
            raise Ignore("too many transactions of this peer wait for admission")
        self._admissions.put_nowait((sender, frame))
        self._admissions_of[sender.name] += 1
        self._admission_bytes += size

    def _watch_own_key(self, message: ConsensusMessage) -> None:
        if self.own_key is not None and self.own_key.foreign(message, self.engine.standing().final_view):
            why = "this validator's key votes elsewhere: its home was copied, and the original still runs"
            self._inbox.put_nowait(NodeHalted(EXIT_OWN_KEY_ELSEWHERE, why))

    def _learn_epoch(self, sender: Sender, epoch: int) -> None:
        """Settle when a validator without its votes may vote: two epochs above what enough others say. While it has
        not voted yet, others may still bring that down."""
        if self.amnesia is None or sender.index is None:
            return
        settled = self.amnesia.heard(sender.index, epoch)
        if settled is None or settled >= self._journal.header.valid_from_epoch:
            return
        tip, survivors = self.ledger.tip, [encoded for _, encoded in self._live_records]
        try:
            self._journal.rotate(tip.header.epoch, tip.height, tip.view, tip.hash, survivors, settled)
        except DiskFailed as error:
            self.fail(error)
            return
        self.log.warning("votes_again", from_epoch=settled)

    def peer_up(self, sender: Sender) -> None:
        self._put(PeerUp, peer=sender.name)
        if sender.role == VALIDATOR:
            for frame in transaction_frames(self.mempool.local()):
                self.peers.send(sender.name, frame, Priority.TRANSACTIONS)
        self.announce("peer", index=sender.index, connected=True)

    def peer_down(self, sender: Sender) -> None:
        self._claimed.pop(sender.name, None)
        self._bodies_from.pop(sender.name, None)
        self.announce("peer", index=sender.index, connected=False)

    # --- telling

    def announce(self, kind: str, **fields: Any) -> None:
        for watcher in self.watchers:
            watcher.live(kind, fields)

    def claimed_height(self, peer: str) -> int:
        """What a connected peer last said it has; 0 before it spoke. For display: nothing is decided by it."""
        return self._claimed.get(peer, 0)

    def _announce_view(self, epoch: int, view: int) -> None:
        self._seen = (epoch, view)
        self.announce("view", epoch=epoch, view=view, leader=view % self.peers.validator_count)

    def _evidence(self, evidence: Evidence) -> None:
        vote = evidence.first
        if vote.epoch == self.engine.standing().epoch:  # a signer's number may be another's in the next epoch
            self.byzantine.add(vote.signer)
        self.accuse(evidence)
        self.log.error("equivocation", validator=vote.signer, epoch=vote.epoch, view=vote.view)
        self.announce("evidence", validator=vote.signer, epoch=vote.epoch, view=vote.view)


def transaction_frames(raws: list[bytes]) -> Iterable[bytes]:
    """Encoded frames of at most 1,000 transactions and about 1 MiB each, so that votes can pass between them."""
    batch: list[bytes] = []
    size = 0
    for raw in raws:
        if batch and (len(batch) == MAX_FRAME_TRANSACTIONS or size + len(raw) > GOSSIP_BYTES):
            yield encode_frame(Transactions(tuple(batch)))
            batch, size = [], 0
        batch.append(raw)
        size += len(raw)
    if batch:
        yield encode_frame(Transactions(tuple(batch)))
