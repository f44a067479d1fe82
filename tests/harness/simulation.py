"""A whole cluster in virtual time, drawn from one seed: loss, delay, partitions, crashes, restarts, villains.

`Simulation(seed).run()` raises `Violation` (or an assertion of engine or shell) and says which seed and options.
It watches every message that an honest node sends and every block that it commits:

    one chain           no two honest nodes commit different blocks at one height
    one notarization    no two Notarizations of one view, no Finalization beside a Nullification
    one vote            no honest node ever sends two votes that contradict each other
    time                the faults over, every node finalises a new block in (f+1) T_max + 16 delta and f+4 views
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count
from random import Random

from harness import toy_ledger
from harness.schedule import Schedule
from harness.sim_node import SimNode
from harness.villains import equivocator, sign_everything
from harness.vote_keys import VoteKeys

from consensus import effects, inputs
from consensus.engine import Engine
from consensus.evidence import contradict
from consensus.messages import (
    ConsensusMessage,
    Propose,
    QuorumMessage,
    Quorums,
    VoteMessage,
)
from consensus.timers import Timing
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Quorum, Vote
from state.codec import decode, encode

VILLAINS = {"equivocator": equivocator.Equivocator, "sign_everything": sign_everything.SignEverything}
START_MS = 1_700_000_000_000


class Violation(AssertionError):
    """The protocol broke one of its promises in this run."""


@dataclass
class Options:
    """Everything that a seed decides; printed when a run fails."""

    seed: int
    n: int
    real_signatures: bool
    villains: dict[int, str]
    loss: float
    crash: float  # at every crash point
    delay_ms: tuple[int, int]
    partitions: list[tuple[int, int, list[tuple[int, int]]]]  # from, to, one-way links
    faults_end_ms: int
    frozen: list[int]  # stay down for ever when the rest is healed
    skew_ms: dict[int, int]
    work_every_ms: int
    epoch_length: int = 0
    seats: int = 0  # members of a set, where there are epochs; else all n
    timing: Timing = field(default_factory=lambda: Timing(500, 1_000, 200))

    @classmethod
    def draw_epochs(cls, seed: int, villain: str | None = None) -> "Options":
        """Short epochs with four of six in office, one replaced at the end of each; at most one of the six lies."""
        random = Random(seed ^ 0xE90C)
        drawn = cls.draw(seed, n=6, villain=villain)
        drawn.epoch_length, drawn.seats = random.choice((3, 3, 5)), 4
        drawn.frozen = []
        drawn.work_every_ms = random.choice((100, 400))
        return drawn

    @classmethod
    def draw(
        cls, seed: int, n: int | None = None, villain: str | None = None, dense: bool = False, long: bool = False
    ) -> "Options":
        random = Random(seed)
        n = n or random.choice((1, 2, 3, 4, 4, 4, 4, 5, 6, 7))
        f = (n - 1) // 3
        liars = random.sample(range(n), f if random.random() < 0.8 else 0)
        kind = villain or random.choice(("equivocator", "sign_everything", "sign_everything"))
        crash = random.choice((0.01, 0.03)) if dense else random.choice((0.0, 0.0, 0.002, 0.01, 0.03))
        faults_end_ms = 200_000 if long else random.choice((8_000, 15_000, 25_000))
        spare = f - len(liars)
        honest = [i for i in range(n) if i not in liars]
        frozen = random.sample(honest, spare) if random.random() < 0.5 else []
        slow = random.random() < 0.1
        return cls(
            seed=seed,
            n=n,
            real_signatures=seed % 50 == 7,
            villains=dict.fromkeys(liars, kind),
            loss=random.choice((0.0, 0.05, 0.15, 0.3)),
            crash=crash,
            delay_ms=(1, 2_000) if slow else random.choice(((5, 50), (1, 250), (100, 500))),
            partitions=_draw_partitions(random, n, faults_end_ms),
            faults_end_ms=faults_end_ms,
            frozen=frozen,
            skew_ms=_draw_skew(random, n, honest if spare and not frozen else []),
            work_every_ms=random.choice((100, 400, 3_000, 10**9)),
        )


def _draw_partitions(random: Random, n: int, end_ms: int) -> list[tuple[int, int, list[tuple[int, int]]]]:
    partitions = []
    for _ in range(random.choice((0, 1, 2, 4))):
        begin = random.randrange(end_ms)
        side = {i for i in range(n) if random.random() < 0.5}
        pairs = [(a, b) for a in range(n) for b in range(n) if (a in side) != (b in side)]
        if random.random() < 0.4:
            pairs = [(a, b) for a, b in pairs if a in side]  # one way only
        partitions.append((begin, min(end_ms, begin + random.randrange(1_000, 10_000)), pairs))
    return partitions


def _draw_skew(random: Random, n: int, may_be_wrong: list[int]) -> dict[int, int]:
    """Clocks within half a second; one that is an hour off counts as a faulty node."""
    skew = {i: random.randrange(-400, 400) for i in range(n)}
    if may_be_wrong and random.random() < 0.5:
        skew[random.choice(may_be_wrong)] = random.choice((-3_600_000, 3_600_000))
    return skew


class Simulation:
    def __init__(self, options: Options, engine_type: type[Engine] = Engine, send_before_sync: bool = False) -> None:
        self.options = options
        self.random = Random(options.seed ^ 0x5EED)
        self.keys = VoteKeys(options.n, options.real_signatures)
        self.now_ms = 0
        self.events = 0
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._blocked: dict[tuple[int, int], int] = {}
        self._healed = False
        self._audit = blake2b(digest_size=16)
        self._chain: dict[int, bytes] = {}
        self._votes: dict[tuple[int, int, int], list[Vote]] = {}  # (node, epoch, view) -> sent by honest nodes
        self._quorums: dict[tuple[int, int, int], Position] = {}  # (kind, epoch, view)
        self._top = self._top_at_heal = (0, 0)  # the highest epoch and view that an honest node was seen in
        self._recovered: dict[int, int] = {}  # node -> when it had finalised a new block after the faults
        self.schedule = Schedule(self.keys, options.epoch_length, options.seats)
        genesis = toy_ledger.genesis_header(self.schedule.validators(0), START_MS)
        self.nodes = [
            SimNode(
                i,
                self,
                self.schedule,
                genesis,
                self.keys.signers[i],
                self.keys.verify,
                options.timing,
                engine_type,
                send_before_sync,
            )
            for i in range(options.n)
        ]
        self.villains = {i: VILLAINS[kind](i, self, self.keys, genesis) for i, kind in options.villains.items()}

    # --- running

    @property
    def honest(self) -> list[SimNode]:
        return [node for node in self.nodes if node.index not in self.villains]

    @property
    def epochs(self) -> int:
        """How many epochs the nodes that are up have all seen the end of."""
        return min(node.disk.epoch for node in self._expected())

    @property
    def audit_hash(self) -> str:
        return self._audit.hexdigest()

    def run(self) -> "Simulation":
        """Until every node has recovered, or something is violated."""
        try:
            self._run()
        except AssertionError as failure:
            raise type(failure)(f"{failure}\n  at {self.now_ms} ms of {self.options}") from failure
        return self

    def _run(self) -> None:
        for node in self.honest:
            self._start(node)
        for villain in self.villains.values():
            villain.start()
        for begin, end, pairs in self.options.partitions:
            self.at(begin, lambda pairs=pairs: self._block(pairs, 1))
            self.at(end, lambda pairs=pairs: self._block(pairs, -1))
        self.at(self.options.faults_end_ms, self._heal)
        self.at(self.options.work_every_ms, self._work)
        timing, f = self.options.timing, self.schedule.validators(0).f
        deadline_ms = self.options.faults_end_ms + (f + 1) * timing.longest_ms + 16 * timing.delta_ms
        while self._heap and not self._all_recovered():
            self.now_ms, _, happen = heapq.heappop(self._heap)
            if self.now_ms > deadline_ms:
                late = [node.index for node in self._expected() if node.index not in self._recovered]
                raise Violation(f"stalled: nodes {late} finalised nothing new until {deadline_ms} ms")
            self.events += 1
            happen()
            for node in self.honest:
                if node.halted:
                    raise Violation(f"honest node {node.index} halted: {node.halted.why}")

    def _expected(self) -> list[SimNode]:
        return [node for node in self.honest if node.index not in self.options.frozen]

    def _all_recovered(self) -> bool:
        return self._healed and len(self._recovered) == len(self._expected())

    def at(self, at_ms: int, happen: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (max(at_ms, self.now_ms), next(self._order), happen))

    def _start(self, node: SimNode) -> None:
        node.start()
        self._take(node, inputs.Start(self.now_ms, self._time(node)))
        for other in range(self.options.n):
            if other != node.index:
                self._peer_up(node.index, other)
                self._peer_up(other, node.index)

    def _restart(self, node: SimNode) -> None:
        if node.engine is None and not (self._healed and node.index in self.options.frozen):
            self._start(node)

    def _peer_up(self, index: int, peer: int) -> None:
        if index not in self.villains:
            node = self.nodes[index]
            self.later(node, -1, lambda now, time: inputs.PeerUp(now, time, str(peer)))

    def _time(self, node: SimNode) -> int:
        return START_MS + self.now_ms + self.options.skew_ms.get(node.index, 0)

    def _take(self, node: SimNode, given: inputs.Input) -> None:
        was_up = node.engine is not None
        node.take(given)
        if was_up and node.engine is None:
            down_ms = self.random.choice((50, 500, 3_000))
            self.at(self.now_ms + down_ms, lambda: self._restart(node))

    # --- faults

    def _block(self, pairs: list[tuple[int, int]], change: int) -> None:
        for pair in pairs:
            self._blocked[pair] = self._blocked.get(pair, 0) + change
            if not self._blocked[pair]:
                del self._blocked[pair]
                self._peer_up(*pair)
                self._peer_up(*reversed(pair))

    def _heal(self) -> None:
        self._healed = True
        self._top_at_heal = self._top
        for node in self.honest:
            if node.index in self.options.frozen:
                if node.engine is not None:
                    node.crash()
            else:
                self._restart(node)  # whoever is still down would only count as another fault

    def crash_here(self, node: SimNode) -> bool:
        return not self._healed and self.options.crash > 0 and self.random.random() < self.options.crash

    def pick(self, bound: int) -> int:
        return self.random.randrange(bound)

    def first_input(self, node: SimNode) -> inputs.Start:
        """Of the engine of a new epoch; the connections and the waiting work are told to it as well."""
        for other in range(self.options.n):
            if other != node.index:
                self._peer_up(node.index, other)
        if node.mempool:
            self.later(node, -1, lambda now, time: inputs.WorkWaits(now, time))
        return inputs.Start(self.now_ms, self._time(node))

    # --- the network

    def transmit(self, source: int, message: ConsensusMessage, to: str | None) -> None:
        self._watch(source, message)
        targets = range(self.options.n) if to is None else (int(to),)
        for target in targets:
            if target != source:
                self.carry(source, target, message)

    def carry(self, source: int, target: int, message: ConsensusMessage) -> None:
        """One message over one link, with its faults."""
        if not self._healed and ((source, target) in self._blocked or self.random.random() < self.options.loss):
            return
        low, high = self.options.delay_ms if not self._healed else (1, min(self.options.delay_ms[1], 400))
        delay_ms = self.random.randint(low, high)
        if self.options.real_signatures:
            message = decode(ConsensusMessage, encode(message))  # type: ignore[arg-type]
        self.at(self.now_ms + delay_ms, lambda: self._deliver(source, target, message))

    def _deliver(self, source: int, target: int, message: ConsensusMessage) -> None:
        if target in self.villains:
            self.villains[target].receive(source, message)
            return
        node = self.nodes[target]
        self._audit.update(b"%d %d %d %s" % (self.now_ms, source, target, type(message).__name__.encode()))
        self._take(node, inputs.MessageReceived(self.now_ms, self._time(node), str(source), message))

    def later(self, node: SimNode, at_ms: int, make: Callable[[int, int], inputs.Input]) -> None:
        """An input for this process, unless it dies before. Negative: at once, after a short execution."""
        incarnation = node.incarnation
        due_ms = self.now_ms + self.random.randint(0, 20) if at_ms < 0 else at_ms

        def happen() -> None:
            if node.incarnation == incarnation:
                given = make(self.now_ms, self._time(node))
                if isinstance(given, inputs.TimerFired) and node.timers.get(given.purpose) != at_ms:
                    return  # it was replaced
                self._take(node, given)

        self.at(due_ms, happen)

    def _work(self) -> None:
        transaction = self.random.randbytes(8)
        for node in self.honest:
            if node.engine is not None:
                if not node.mempool:
                    self.later(node, -1, lambda now, time: inputs.WorkWaits(now, time))
                node.mempool.add(transaction)
        self.at(self.now_ms + self.options.work_every_ms, self._work)

    # --- watching

    def committed(self, node: SimNode, effect: effects.Commit) -> None:
        height = effect.block.header.height
        self._audit.update(b"%d commit %d" % (node.index, height) + effect.block_hash)
        if self._chain.setdefault(height, effect.block_hash) != effect.block_hash:
            raise Violation(f"two blocks are final at height {height}")
        if not node.mempool:
            self.later(node, -1, lambda now, time: inputs.WorkWaits(now, time, False))
        at = (effect.finalization.epoch, effect.finalization.view)
        if self._healed and at > self._top_at_heal and node.index not in self._recovered:
            views = at[1] - (self._top_at_heal[1] if at[0] == self._top_at_heal[0] else 0)
            if views > self.schedule.validators(0).f + 4:
                raise Violation(f"node {node.index} needed {views} views to finalise again")
            self._recovered[node.index] = self.now_ms

    def _watch(self, source: int, message: ConsensusMessage) -> None:
        if source in self.villains:
            return
        match message:
            case VoteMessage(vote=vote):
                self._watch_vote(source, vote)
            case Propose(vote=vote, just=just):
                self._watch_vote(source, vote)
                self._watch_quorums(just)
            case QuorumMessage(quorum=quorum):
                self._watch_quorums((quorum,))
            case Quorums(quorums=quorums):
                self._watch_quorums(quorums)

    def _watch_vote(self, source: int, vote: Vote) -> None:
        owner = self.schedule.members(vote.epoch)[vote.signer]
        if owner != source and owner in self.villains:
            return  # passed on by who heard it (`consensus/hindsight.py`)
        self._top = max(self._top, (vote.epoch, vote.view))
        earlier = self._votes.setdefault((owner, vote.epoch, vote.view), [])
        if vote not in earlier:
            if any(contradict(vote, other) for other in earlier):
                raise Violation(f"honest node {owner} signed two conflicting votes in view {vote.view}")
            earlier.append(vote)

    def _watch_quorums(self, quorums: tuple[Quorum, ...]) -> None:
        for quorum in quorums:
            epoch, view = quorum.epoch, quorum.view
            self._top = max(self._top, (epoch, view + 1))
            known = self._quorums.setdefault((quorum.kind, epoch, view), quorum.position)
            if known != quorum.position:
                raise Violation(f"two quorums of kind {quorum.kind} in view {quorum.view}")
            position = self._quorums.get((NOTARIZE, epoch, view), quorum.position)
            if quorum.kind == FINALIZE and position != quorum.position:
                raise Violation(f"finalized and notarized differ in view {quorum.view}")
            if {(FINALIZE, epoch, view), (NULLIFY, epoch, view)} <= self._quorums.keys():
                raise Violation(f"view {quorum.view} is nullified and finalized")
