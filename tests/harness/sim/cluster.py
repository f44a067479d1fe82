"""A whole network in virtual time, drawn from one seed.

    Cluster(Options.draw(seed)).run()     raises Violation, or an assertion of the product, and says which seed it was

In a safety run the faults never end; it is over after a hundred blocks or 200 s. In a liveness run they end: of the
faulty nodes as many as the protocol bears stay broken for ever, and everybody else must finalise a new block within
(f+1) T_max + 16 delta and f+4 views (consensus.md section 9).
"""

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from random import Random

from harness.sim.beginning import beginning, vote_key_name
from harness.sim.deaths import NEVER, Crashed, Deaths
from harness.sim.disk import FakeDisk
from harness.sim.finality import START_MS, Finality
from harness.sim.joining import SimJoining, SimOffering
from harness.sim.keys import signatures
from harness.sim.ledger import CutRows, Executions, NodeLedger, OwnLedger, SharedLedger
from harness.sim.lines import Lines
from harness.sim.network import Network
from harness.sim.node import Settings, SimNode
from harness.sim.options import BLOCKS, LONGEST_MS, Options
from harness.sim.people import People
from harness.sim.states import States
from harness.sim.trace import words
from harness.sim.villains import make_villain
from harness.sim.watch import SAFETY, VOTES, Violation, Watch

from consensus import effects, inputs
from consensus.messages import ConsensusMessage, Propose, VoteMessage
from contracts.context import BlockOutput
from contracts.transition import DecodedTx
from node.gossip import priority_of
from node.journal import UNSETTLED
from node.signatures import SignatureCache
from node.signer import ConflictingVote
from node.wire import Frame, GetEntries, GetHops, GetSnapshot, NoBlocks, Priority, Snapshot
from state.block import header_hash
from state.codec import decode, encode
from state.errors import VoteStateLost
from state.transaction import Evidence as ShowEvidence

MEMORY = Path("/dev/shm")
EVENTS = 32  # between two looks whether the run is over


class Cluster:
    def __init__(self, options: Options, trace: Callable[[str], None] | None = None) -> None:
        self.options, self._trace = options, trace
        self.random = Random(options.seed ^ 0x5EED)
        self.now_ms = self.events = self.crashes = 0
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._audit = blake2b(digest_size=16)
        self.network = Network(options, Random(options.seed ^ 0x4E7))
        self.watch = Watch(options.everybody, options.villains)
        self.deaths = Deaths(options, self.random)
        self._accused: set[tuple[int, int]] = set()  # (epoch, signer)
        self.snapshot_random, self.lines = Random(options.seed ^ 0x57A7E), Lines(self)
        self.installed_states = 0
        self._offerings: dict[tuple[int, int], SimOffering] = {}

    # --- running

    def run(self) -> "Cluster":
        """Until the run has covered enough, or something is violated."""
        folder = MEMORY if MEMORY.is_dir() else None
        self.first_directory = Path(tempfile.mkdtemp(prefix="wattest-sim-", dir=folder))
        try:
            with signatures(self.options.whole):
                self._begin()
                self._run()
        finally:
            for node in getattr(self, "nodes", ()):
                if node.engine is not None:
                    node._office.close()
            shutil.rmtree(self.first_directory, ignore_errors=True)
        return self

    def _begin(self) -> None:
        options = self.options
        first = beginning(options.n, options.epoch_length, options.whole)
        self.executions = Executions(first)
        self.first, self._cache = first, SignatureCache()
        self.settings = Settings(options.timing, options.whole, options.segment_bytes, options.everybody)
        self.people = People(first.world, self.random, self._submit, options.changes, options.batched)
        self.finality = Finality(options, self.executions, self.watch, self.people)
        rotating = {node for kind, node in options.changes if kind == "rotate"}
        self.villains = {i: make_villain(kind, i, self) for i, kind in sorted(options.villains.items())}
        self.nodes = [
            SimNode(i, self, self.settings, self.vote_keys(i, i in rotating), self.ledger_opener)
            for i in range(options.everybody)
            if i not in self.villains
        ]
        self._by_index = {node.index: node for node in self.nodes}
        for index in options.snapshots:
            self._let_join(self._by_index[index])

    @staticmethod
    def vote_keys(node: int, rotates: bool = False) -> tuple[str, ...]:
        return (vote_key_name(node), vote_key_name(node, True)) if rotates else (vote_key_name(node),)

    def ledger_opener(self, node: SimNode, disk: FakeDisk) -> Callable[[], NodeLedger]:
        """What opens a node's ledger again and again on what its disk holds."""
        keep = self.options.keep_blocks
        if keep:
            states = node.states = States(disk, node.maybe_die)
            return lambda: OwnLedger.on(states.current(), self.first, self._cache, keep)
        if self.options.whole:
            rows = CutRows(node.maybe_die)
            return lambda: OwnLedger.on(rows, self.first, self._cache)
        shared = SharedLedger(self.executions, node.maybe_die)

        def reopen() -> SharedLedger:
            shared.reopen()
            return shared

        return reopen

    def _run(self) -> None:
        options = self.options
        for node in self.nodes:
            if node.index in options.late:
                self.at(options.late[node.index], lambda node=node: self._restart(node))
            else:
                self._start(node)
        for at_ms, index, votes_too in options.wiped:
            self.at(at_ms, lambda i=index, votes=votes_too: self._wipe(i, votes))
        for villain in self.villains.values():
            villain.start()
        self.network.plan(self.at, lambda link: self._connected(*link))
        for at_ms, index, skew_ms in options.clock_steps:
            self.at(at_ms, lambda i=index, skew=skew_ms: self._set_clock(i, skew))
        self.at(3_000, self._remind)
        if options.live:
            self.at(options.heal_ms, self._heal)
        for index in options.forgetful:
            self.at(options.heal_ms // 3 if options.live else 20_000, lambda i=index: self._forget(i))
        self._deadline_ms = options.heal_ms + self.finality.gate_ms
        try:
            while not self._over():
                self._pass(EVENTS)
        except ConflictingVote as refused:
            raise Violation(VOTES, f"an honest node's guard: {refused}") from refused
        except VoteStateLost as lost:
            raise Violation(SAFETY, f"votes were lost by a crash alone: {lost}") from lost

    def _pass(self, events: int) -> None:
        """Let so many events happen."""
        heap = self._heap
        for _ in range(events):
            self.now_ms, _, happen = heappop(heap)
            if self.now_ms > self._deadline_ms:
                self.finality.require_recovery(self._expected(), self._deadline_ms)
                self._deadline_ms = NEVER
            happen()
        self.events += events

    def _over(self) -> bool:
        if self.options.live and len(self.finality.recovered) < len(self._expected()):
            return False
        if self.now_ms > LONGEST_MS:
            self.finality.require_progress(self.now_ms)
            return True
        blocks = self.options.blocks
        return len(self.watch.chain) >= blocks and (self.people.finished or blocks < BLOCKS)

    def _expected(self) -> list[SimNode]:
        broken = {*self.options.frozen, self.options.slow}
        return [node for node in self.nodes if node.index not in broken]

    def at(self, at_ms: int, happen: Callable[[], None]) -> None:
        heappush(self._heap, (max(at_ms, self.now_ms), next(self._order), happen))

    def say(self, what: str) -> None:
        if self._trace is not None:
            self._trace(f"{self.now_ms:>7} {what}")

    @property
    def audit_hash(self) -> str:
        return self._audit.hexdigest()

    # --- processes

    def _start(self, node: SimNode) -> None:
        self.say(f"{node.index} starts")
        node.start()
        if not node.up:
            self._plan_restart(node)
        elif node.engine is not None:
            self._opened(node)

    def _opened(self, node: SimNode) -> None:
        """It has an engine."""
        self.finality.stored(node.ledger, self.now_ms)
        self.finality.opened(node)
        for other in range(self.options.everybody):
            if other != node.index:
                self._connected(node.index, other)
                self._connected(other, node.index)

    def _connected(self, index: int, peer: int) -> None:
        node = self._by_index.get(index)
        if node is not None:
            self.later(node, -1, lambda now, time: inputs.PeerUp(now, time, str(peer)))

    def _plan_restart(self, node: SimNode) -> None:
        self.crashes += 1
        self.say(f"{node.index} is down")
        self.at(self.now_ms + self.random.choice((50, 500, 3_000)), lambda: self._restart(node))

    def _restart(self, node: SimNode) -> None:
        if not node.up and not (self.network.healed and node.index in self.options.frozen):
            self._start(node)

    def take(self, node: SimNode, given: inputs.Input) -> None:
        was_up = node.engine is not None
        node.take(given)
        if was_up and node.engine is None:
            self._plan_restart(node)
        if node.halted:
            raise Violation(SAFETY, f"honest node {node.index} halted: {node.halted.why}")

    def within(self, node: SimNode, happen: Callable[[], None]) -> None:
        """Something other than an input happens to a process; it may die of it."""
        if not node.up:
            return
        joined = node.joining is not None
        try:
            happen()
        except Crashed:
            node.crash()
        if not node.up:
            self._plan_restart(node)
        elif joined and node.engine is not None:
            self._opened(node)

    def maybe_die(self, node: SimNode) -> None:
        self.deaths.reach(node.index, not self.network.healed, node.joining is not None)

    def _forget(self, index: int) -> None:
        node = self._by_index[index]
        self.say(f"{node.index} loses its journal")
        if node.up:
            node.crash()
            self._plan_restart(node)
        node.home.forgets = True

    # --- states of others

    def _wipe(self, index: int, votes_too: bool) -> None:
        node = self._by_index[index]
        self.say(f"{index} loses its state{' and its journal' if votes_too else ''}")
        if node.up:
            node.crash()
            self._plan_restart(node)
        assert node.states is not None
        node.states.wipe()
        node.home.forgets = node.home.forgets or votes_too

    def _let_join(self, node: SimNode) -> None:
        """Its operator sets `sync = "snapshot"`."""

        def begins(node: SimNode) -> SimJoining:
            node.home.begin_votes(self.first.meta.chain)
            return SimJoining(node, self, node.open)

        node.begins_joining = begins

    def installed(self, node: SimNode, offer: Snapshot, source: int | None) -> None:
        """A state that is none of this chain must not be taken, whoever handed it out."""
        height = offer.header.height
        self.say(f"{node.index} installs the state of {height} from {source}")
        self.installed_states += 1
        if self.watch.chain.get(height) != header_hash(offer.header):
            raise Violation(SAFETY, f"node {node.index} installed a state of height {height} that is not final")

    def node(self, index: int) -> SimNode:
        return self._by_index[index]

    def take_frame(self, node: SimNode, source: int, frame: Frame) -> None:
        """About a state: questions are answered by whoever has one."""
        if isinstance(frame, GetSnapshot | GetHops | GetEntries):
            for answer in self._offering(node).answers(frame):
                self.lines.send(node.index, source, answer)
        else:
            self.within(node, lambda: node.take_frame(source, frame))

    def _offering(self, node: SimNode) -> SimOffering:
        """Of this very process."""
        key = (node.index, node.incarnation)
        if key not in self._offerings:
            self._offerings[key] = SimOffering(node, self)
        return self._offerings[key]

    def no_blocks(self, node: SimNode, peer: int) -> None:
        self.lines.send(node.index, peer, NoBlocks(node.ledger.base.bodies_from))

    def blocks_gone(self, node: SimNode) -> None:
        """Nobody keeps what it needs: after a while it fetches a state, by itself or because somebody read its log."""
        node.gone = True
        if node.begins_joining is None:
            self.say(f"{node.index} is behind all blocks that are kept")
            self._let_join(node)
        self.at(self.now_ms + 2_000, lambda incarnation=node.incarnation: self._operate(node, incarnation))

    def _operate(self, node: SimNode, incarnation: int) -> None:
        if node.incarnation == incarnation:
            node.stop()
            self._plan_restart(node)

    # --- faults end

    def _heal(self) -> None:
        self.network.healed = True
        self.finality.heal()
        self.say(f"healed at epoch and view {self.watch.top}")
        for node in self.nodes:
            if node.index in self.options.frozen:
                if node.up:
                    node.crash()
            else:
                self._restart(node)  # whoever is still down would only count as another fault

    # --- time

    def time_ms(self, node: SimNode) -> int:
        return START_MS + self.now_ms + self.options.skew_ms.get(node.index, 0)

    def _set_clock(self, index: int, skew_ms: int) -> None:
        if abs(self.options.skew_ms[index]) < 1_000 or abs(skew_ms) > 1_000 or not skew_ms:
            self.options.skew_ms[index] = skew_ms

    def later(self, node: SimNode, at_ms: int, make: Callable[[int, int], inputs.Input]) -> None:
        """An input for this process, unless it dies before. Negative: soon, after a short execution."""
        incarnation = node.incarnation
        due_ms = self.now_ms + int(self.random.random() * self.options.execution_ms) if at_ms < 0 else at_ms

        def happen() -> None:
            if node.incarnation != incarnation:
                return
            if at_ms >= 0 and at_ms not in node.timers.values():
                return  # it was replaced
            self.take(node, make(self.now_ms, self.time_ms(node)))

        self.at(due_ms, happen)

    # --- messages

    def transmit(self, node: SimNode, message: ConsensusMessage, to: int | None) -> None:
        self.watch.sent(node.index, message)
        self.broadcast(node.index, message, to, node.epoch)

    def broadcast(self, source: int, message: ConsensusMessage, to: int | None, epoch: int) -> None:
        """To one node; or to the validators of an epoch, and what proves itself to everybody."""
        if to is not None:
            targets: tuple[int, ...] | range = (to,)
        elif priority_of(message) is Priority.QUORUMS or self.options.epoch_length == 0:
            targets = range(self.options.everybody)
        else:
            targets = self.watch.nodes_of(epoch)
        if self.options.whole:
            message = decode(ConsensusMessage, encode(message))  # type: ignore[arg-type]
        for target in targets:
            if target != source:
                self.carry(source, target, message)

    def carry(self, source: int, target: int, message: ConsensusMessage) -> None:
        for delay_ms in self.network.carry(source, target):
            arrive = partial(self._deliver, source, target, message)
            heappush(self._heap, (self.now_ms + delay_ms, next(self._order), arrive))

    def _deliver(self, source: int, target: int, message: ConsensusMessage) -> None:
        node = self._by_index.get(target)
        if node is None:
            self.villains[target].receive(source, message)
            return
        if node.engine is None:
            return
        kind, now_ms = type(message), self.now_ms
        self._audit.update(b"%d %d %d %s" % (now_ms, source, target, kind.__name__.encode()))
        if kind is VoteMessage or kind is Propose:
            self._audit.update(message.vote.signature)  # type: ignore[union-attr]
        if self._trace is not None:
            self.say(f"{source} -> {target} {words(message)}")
        self.take(node, inputs.MessageReceived(now_ms, self.time_ms(node), str(source), message))

    # --- what nodes report

    def term_began(self, node: SimNode) -> None:
        epoch = node.epoch = node.ledger.epoch
        self.watch.office(epoch, tuple(validator.vote_key for validator in node.ledger.validators))
        if node.term.seat.journal.header.valid_from_epoch == UNSETTLED:
            self.say(f"{node.index} observes: it does not know its votes")
        for other in range(self.options.everybody):
            if other != node.index:
                self._connected(node.index, other)

    def committed(self, node: SimNode, effect: effects.Commit, output: BlockOutput) -> None:
        header, block_hash = effect.block.header, effect.block_hash
        self._audit.update(b"%d commit %d" % (node.index, header.height) + block_hash)
        self.say(f"{node.index} commits {header.height} {block_hash.hex()[:8]}")
        self.finality.committed(node, effect, node in self._expected(), self.now_ms)

    def accuse(self, node: SimNode, found: effects.EvidenceFound) -> None:
        """Shown on the ledger, once for each validator and epoch."""
        first, second = found.evidence.first, found.evidence.second
        accused = self.watch.nodes_of(first.epoch)[first.signer]
        if accused not in self.villains:
            raise Violation(VOTES, f"evidence against the honest node {accused}")
        if self.options.epoch_length and (first.epoch, first.signer) not in self._accused:
            self._accused.add((first.epoch, first.signer))
            self.people.accuse(ShowEvidence(first.epoch, first.signer, encode(first), encode(second)))

    # --- transactions

    def _submit(self, decoded: DecodedTx) -> None:
        self._cache.add(decoded)
        self.executions.verifier.cache.add(decoded)
        for node in self.nodes:
            if self.random.random() < 0.9:
                node.admit(decoded)

    def _remind(self) -> None:
        self.people.remind()
        self.at(self.now_ms + 3_000, self._remind)
