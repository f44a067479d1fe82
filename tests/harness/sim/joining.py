"""A simulated node that begins from a snapshot, and one that hands it out.

`node/joining.py` and `node/offering.py` in virtual time. The product's own: what is asked and believed (`Attempt`,
`Trust`), how a state is put together and installed (`Assembly`, `swap_in`, `learn_final`), how a chunk is cut.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.sim.keys import verifier
from harness.sim.watch import SAFETY, Violation

from consensus.validators import ValidatorSet
from consensus.votes import Quorum
from node import attempt
from node.hops import Trust
from node.joining import AGAIN_S, ANSWER_S, BACK_S, LOOK_S, RESUMES
from node.offering import IDLE_S, MAX_SNAPSHOTS, Filling
from node.proof import hops_to
from node.staging import Assembly, swap_in
from node.wire import (
    MAX_CHUNKS,
    MAX_HOPS,
    Entries,
    Frame,
    GetEntries,
    GetHops,
    GetSnapshot,
    Hops,
    NoSnapshot,
    Snapshot,
)
from state.block import Block
from state.codec import decode
from state.errors import ConsensusRefusal
from state.store import MemoryRows

SHARED_MS = 2_000  # a snapshot serves the next reader too: shorter than usual, as fewer bodies are kept
CHUNK_ENTRIES = 24  # so that a small state comes in many


class SmallAttempt(attempt.Attempt):
    """Of a network with few people: its chunks are small, and its chain is short."""

    gap = 8
    least_bytes = 2**30
    least_entries = CHUNK_ENTRIES // 2


class DistantAttempt(SmallAttempt):
    """As far as in the product: who has a state takes another one only where the blocks between are gone."""

    gap = attempt.Attempt.gap


class SimJoining:
    """One process that has no engine yet. `cluster` is the world, `done` opens the node on what is there then."""

    def __init__(self, node: Any, cluster: Any, done: Callable[[], None]) -> None:
        self._node, self._cluster, self._done = node, cluster, done
        self._incarnation = node.incarnation
        self._gone, node.gone = node.gone, False
        self._kind = DistantAttempt if cluster.options.seed % 2 else SmallAttempt
        first, length = cluster.first, cluster.options.epoch_length
        validators = first.world.validators
        vote_keys = tuple(validator.vote_key for validator in validators)
        self._trust = Trust(first.meta.chain, vote_keys, length, verifier(cluster.options.whole))
        self._enough = ValidatorSet(tuple(validator.vote_key for validator in validators)).f + 1
        self._others = [index for index in range(cluster.options.n) if index != node.index]
        self._own = node.states.tip()
        self._began_ms = cluster.now_ms
        self._failures: Counter[int] = Counter()
        self._none: set[int] = set()
        self._after: set[int] = set()  # who had none when asked
        self._banned: set[int] = set()
        self._source: int | None = None
        self._attempt: attempt.Attempt | None = None
        self._assembly: Assembly | None = None
        self._expected = self._resumes = self._turn = 0

    # --- whom to ask

    def begin(self) -> None:
        """Ask the next peer, or open the node where nobody has anything newer."""
        cluster = self._cluster
        self._source = self._attempt = self._assembly = None
        self._turn += 1
        if not self._others or len(self._none) >= min(self._enough, len(self._others)):
            self._done()
            return
        waited = cluster.now_ms - self._began_ms > LOOK_S * 1_000
        if waited and (self._own[2] or len(self._none | self._after) >= min(self._enough, len(self._others))):
            self._done()
            return
        free = [peer for peer in self._others if peer not in self._none | self._banned and self._connected(peer)]
        source = min(free, key=lambda peer: (self._failures[peer], peer), default=None)
        if source is None or self._failures[source]:
            if not source and len(self._banned) == len(self._others):
                self._banned.clear()  # a ban lasts a minute
            self._later(AGAIN_S, lambda: self._ask_first(source))
        else:
            self._ask_first(source)

    def _ask_first(self, source: int | None) -> None:
        if source is None or not self._connected(source):
            self.begin()
            return
        self._source, self._attempt = source, self._kind(self._own[2], self._trust, self._gone)
        self._expected = self._resumes = 0
        self._send(self._attempt.ask())

    def _connected(self, peer: int) -> bool:
        return bool(self._cluster.lines.connected(self._node.index, peer))

    # --- answers

    def take(self, source: int, frame: Frame) -> None:
        if source != self._source or not isinstance(frame, Snapshot | NoSnapshot | Entries | Hops):
            return
        self._turn += 1  # it has answered
        try:
            self._judge(source, frame)
        except ConsensusRefusal as lie:
            if source not in self._cluster.villains:
                raise Violation(SAFETY, f"node {self._node.index} calls honest node {source} a liar: {lie}") from lie
            self._banned.add(source)
            self._give_up(f"lied: {lie}")

    def _judge(self, source: int, frame: Frame) -> None:
        tried = self._attempt
        assert tried is not None
        match frame:
            case NoSnapshot(why="later"):
                self._after.add(self._source or 0)
                self._give_up("has none now")
            case NoSnapshot() if self._assembly is not None:
                self._give_up("let its snapshot go")
            case NoSnapshot():
                self._none.add(self._source or 0)
                self.begin()
            case Snapshot():
                tried.offered(frame)
                self._prove()
            case Hops():
                for hop in tried.hops_of(frame):
                    self._trust.follow(hop)
                self._prove()
            case Entries() if self._assembly is not None:
                self._add(source, frame)

    def _prove(self) -> None:
        assert self._attempt is not None
        question = self._attempt.next_hops()
        if question is not None:
            self._send(question)
            return
        self._attempt.require_final()
        self._assembly = Assembly(self._node.states.begin())
        self._ask_entries()

    def _ask_entries(self) -> None:
        assert self._attempt is not None
        self._expected = MAX_CHUNKS
        self._send(self._attempt.next_entries())

    def _add(self, source: int, chunk: Entries) -> None:
        assert self._attempt is not None
        assert self._assembly is not None
        try:
            follows = self._attempt.take(chunk)
        except attempt.ChunksLost:
            self.disconnected(source)
            return
        if not follows:
            self._wait()
            return
        self._resumes = 0
        self._node.maybe_die()
        self._assembly.add(chunk.keys, chunk.values)
        self._expected -= 1
        if chunk.last:
            self._install(self._attempt.offer, self._assembly)
        elif not self._expected:
            self._ask_entries()
        else:
            self._wait()

    def _install(self, offer: Snapshot, assembly: Assembly) -> None:
        node, first = self._node, self._cluster.first
        block = Block(first.header, ())
        assembly.finish(first.meta.chain, block, self._cluster.options.epoch_length, offer, self._trust.hops)
        node.states.finish(assembly._rows)
        node.home.learn_final(first.meta.chain, self._own, offer.finalization)
        swap_in(node.states.data, node.home.disk)
        self._cluster.installed(node, offer, self._source)
        self._done()

    # --- silence

    def disconnected(self, peer: int) -> None:
        if peer != self._source:
            return
        if self._assembly is None:
            self._give_up("its connection ended")
            return
        self._resumes += 1
        if self._resumes > RESUMES:
            self._give_up("its connection ended again and again")
        else:
            self._back(peer, self._cluster.now_ms + int(BACK_S * 1_000))

    def _back(self, peer: int, until_ms: int) -> None:
        """Go on behind the last key once it is connected again."""
        self._turn += 1
        turn = self._turn
        if self._connected(peer):
            self._ask_entries()
        elif self._cluster.now_ms > until_ms:
            self._give_up("it did not come back")
        else:
            self._later(0.5, lambda: self._back(peer, until_ms) if self._turn == turn else None)

    def _give_up(self, why: str) -> None:
        self._cluster.say(f"{self._node.index} drops {self._source}, which {why}")
        if self._source is not None:
            self._failures[self._source] += 1
        self.begin()

    # --- the world

    def _send(self, question: Frame) -> None:
        assert self._source is not None
        self._cluster.lines.send(self._node.index, self._source, question)
        self._wait()

    def _wait(self) -> None:
        turn = self._turn
        self._later(ANSWER_S, lambda: self._give_up("is silent") if self._turn == turn else None)

    def _later(self, seconds: float, happen: Callable[[], None]) -> None:
        cluster, node = self._cluster, self._node

        def still_here() -> None:
            if node.incarnation == self._incarnation and node.joining is self:
                cluster.within(node, happen)

        cluster.at(cluster.now_ms + int(seconds * 1_000), still_here)


@dataclass
class Kept:
    offer: Snapshot
    rows: MemoryRows
    begun_ms: int
    used_ms: int


class SimOffering:
    """What one process answers; its snapshots end with it."""

    def __init__(self, node: Any, cluster: Any) -> None:
        self._node, self._cluster = node, cluster
        self._kept: dict[int, Kept] = {}
        self._numbers = 1_000 * node.incarnation

    def answers(self, asked: Frame) -> list[Frame]:
        if self._node.engine is None:
            return [NoSnapshot("none")] if isinstance(asked, GetSnapshot) else []
        match asked:
            case GetSnapshot(above=above):
                return [self._snapshot(above)]
            case GetHops(from_epoch=first):
                ledger = self._node.ledger
                end = min(ledger.epoch, first + MAX_HOPS)
                return [Hops(first, hops_to(ledger.store, end, first) if first < end else ())]
            case GetEntries():
                return self._entries(asked)
        return []

    def _snapshot(self, above: int) -> Frame:
        if self._node.ledger.tip.height <= above:
            return NoSnapshot("none")
        now_ms = self._cluster.now_ms
        self._kept = {n: kept for n, kept in self._kept.items() if now_ms - kept.used_ms <= IDLE_S * 1_000}
        young = [kept for kept in self._kept.values() if now_ms - kept.begun_ms <= SHARED_MS]
        for kept in young:
            if kept.offer.header.height > above:
                return kept.offer
        return self._begin() if len(self._kept) < MAX_SNAPSHOTS else NoSnapshot("later")

    def _begin(self) -> Frame:
        ledger = self._node.ledger
        finalization, meta = ledger.finalization_at(ledger.tip.height), ledger.store.meta()
        if finalization is None or meta is None:
            return NoSnapshot("later")
        self._numbers += 1
        offer = Snapshot(self._numbers, ledger.tip.header, decode(Quorum, finalization), meta.entry_count)
        now_ms = self._cluster.now_ms
        self._kept[self._numbers] = Kept(offer, ledger.store.frozen(), now_ms, now_ms)
        return offer

    def _entries(self, asked: GetEntries) -> list[Frame]:
        kept = self._kept.get(asked.number)
        if kept is None:
            return [NoSnapshot("gone")]
        kept.used_ms = self._cluster.now_ms
        found: list[Frame] = []
        after = asked.after
        for _ in range(asked.chunks):
            chunk = _chunk(kept, after)
            found.append(chunk)
            if chunk.last:
                break
            after = chunk.keys[-1]
        return found


def _chunk(kept: Kept, after: bytes) -> Entries:
    filling = Filling(kept.offer.number, after)
    rows = kept.rows.scan_raw(after + b"\x00", b"\x80")
    for key, value in rows:
        if filling.add(key, value) or len(filling.keys) == CHUNK_ENTRIES:
            break
    return filling.chunk(last=next(rows, None) is None)
