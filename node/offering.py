"""The state for nodes that begin from a snapshot: kept still for a while, and handed out in bounded chunks.

A snapshot is the store as it was after one final block; it costs nothing but the rows that are overwritten meanwhile.
A few readers share the newest one. Reading it is the lowest of this node's duties: a chunk is read in slices between
which votes and blocks get their turn, and after each chunk the reader rests at least as long as it took.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from secrets import randbits
from time import monotonic, perf_counter

from structlog.typing import FilteringBoundLogger

from consensus.votes import Quorum
from node.gossip import Ignore, Sender
from node.ledger import Ledger
from node.peers import Peers
from node.proof import hops_to
from node.wire import (
    MAX_CHUNK_ENTRIES,
    MAX_HOPS,
    Entries,
    Frame,
    GetEntries,
    GetHops,
    GetSnapshot,
    Hops,
    NoSnapshot,
    Priority,
    Snapshot,
    encode_frame,
)
from state.codec import decode
from state.store import FrozenRows

CHUNK_BYTES = 512 * 1024  # some 5,000 entries
SLICE_ENTRIES = 256  # read between two turns of the loop: about half a millisecond
REST = 1.0  # of the time that a chunk took: at most half of a core goes into snapshots

MAX_SNAPSHOTS = 2  # kept at one time
MAX_READERS = 8
SHARED_S = 60.0  # a snapshot as young as this serves the next reader too
IDLE_S = 60.0  # without a question, and it is let go
LIFE_S = 1_800.0  # at the longest: what is overwritten meanwhile stays on the disk
TICK_S = 5.0


@dataclass
class Kept:
    """One snapshot."""

    offer: Snapshot
    rows: FrozenRows
    begun_s: float
    used_s: float


class Filling:
    """A chunk that is read row by row."""

    def __init__(self, number: int, after: bytes) -> None:
        self._number, self._after = number, after
        self.keys: list[bytes] = []
        self._values: list[bytes] = []
        self._size = 0

    def add(self, key: bytes, value: bytes) -> bool:
        """Whether it is full now."""
        self.keys.append(key)
        self._values.append(value)
        self._size += len(key) + len(value)
        return self._size >= CHUNK_BYTES or len(self.keys) == MAX_CHUNK_ENTRIES

    def chunk(self, last: bool) -> Entries:
        return Entries(self._number, self._after, tuple(self.keys), tuple(self._values), last)


class Offering:
    """A `Part` of the node."""

    def __init__(self, ledger: Ledger, peers: Peers, log: FilteringBoundLogger) -> None:
        self._ledger, self._peers, self._log = ledger, peers, log
        self._open = False
        self._numbers = randbits(48)  # not those of an earlier process: a reader may go on asking for them
        self._kept: dict[int, Kept] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._ticking: asyncio.Task[None] | None = None
        self.chunks = 0  # handed out since the start
        self.failed: Callable[[BaseException], None] = lambda error: None

    async def start(self) -> None:
        self._open = True
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        self._open = False
        tasks = [*self._readers.values(), *([self._ticking] if self._ticking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for kept in self._kept.values():
            kept.rows.close()
        self._kept.clear()

    # --- questions

    def asked_snapshot(self, sender: Sender, asked: GetSnapshot) -> None:
        if not self._open:
            self._say(sender.name, NoSnapshot("later"))
        elif self._ledger.tip.height <= asked.above:
            self._say(sender.name, NoSnapshot("none"))
        else:
            kept = self._newest(asked.above) or self._begin()
            self._say(sender.name, kept.offer if kept else NoSnapshot("later"))

    def asked_entries(self, sender: Sender, asked: GetEntries) -> None:
        kept = self._kept.get(asked.number)
        if not self._open or kept is None:
            self._say(sender.name, NoSnapshot("gone"))
            return
        if sender.name not in self._readers and len(self._readers) >= MAX_READERS:
            raise Ignore("too many read snapshots")
        if sender.name in self._readers:
            self._readers.pop(sender.name).cancel()  # it has changed its mind
        kept.used_s = monotonic()
        task = asyncio.create_task(self._read_out(sender.name, kept, asked))
        self._readers[sender.name] = task
        task.add_done_callback(lambda done: self._finished(sender.name, done))

    def asked_hops(self, sender: Sender, asked: GetHops) -> None:
        end = min(self._ledger.epoch, asked.from_epoch + MAX_HOPS)
        hops = hops_to(self._ledger.store, end, asked.from_epoch) if asked.from_epoch < end else ()
        self._say(sender.name, Hops(asked.from_epoch, hops))

    # --- snapshots

    def _newest(self, above: int) -> Kept | None:
        """One that is young enough to be shared, or that there is no room beside."""
        found = [kept for kept in self._kept.values() if kept.offer.header.height > above]
        newest = max(found, key=lambda kept: kept.begun_s, default=None)
        if newest is None or (monotonic() - newest.begun_s > SHARED_S and len(self._kept) < MAX_SNAPSHOTS):
            return None
        return newest

    def _begin(self) -> Kept | None:
        """The state after the tip; None while no quorum signed that very block, or too many are kept."""
        tip, meta = self._ledger.tip, self._ledger.store.meta()
        finalization = self._ledger.finalization_at(tip.height)
        if finalization is None or meta is None or len(self._kept) >= MAX_SNAPSHOTS:
            return None
        self._numbers += 1
        offer = Snapshot(self._numbers, tip.header, decode(Quorum, finalization), meta.entry_count)
        now = monotonic()
        self._kept[offer.number] = kept = Kept(offer, self._ledger.store.frozen(), now, now)
        self._log.info("snapshot_begun", height=tip.height, entries=meta.entry_count)
        return kept

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = monotonic()
            for number, kept in list(self._kept.items()):
                if now - kept.used_s > IDLE_S or now - kept.begun_s > LIFE_S:
                    del self._kept[number]
                    kept.rows.close()
                    self._log.info("snapshot_let_go", height=kept.offer.header.height)

    # --- chunks

    async def _read_out(self, peer: str, kept: Kept, asked: GetEntries) -> None:
        after = asked.after
        for _ in range(asked.chunks):
            began_s = perf_counter()
            chunk = await self._chunk(kept, after)
            if not self._say(peer, chunk):
                return  # it is gone
            self.chunks += 1
            if chunk.last:
                return
            after = chunk.keys[-1]
            await asyncio.sleep(REST * (perf_counter() - began_s))

    async def _chunk(self, kept: Kept, after: bytes) -> Entries:
        filling = Filling(kept.offer.number, after)
        rows = _entries(kept, after)
        for key, value in rows:
            if filling.add(key, value):
                break
            if len(filling.keys) % SLICE_ENTRIES == 0:
                await asyncio.sleep(0)
                kept.used_s = monotonic()
        return filling.chunk(last=next(rows, None) is None)

    def _finished(self, peer: str, task: "asyncio.Task[None]") -> None:
        if self._readers.get(peer) is task:
            del self._readers[peer]
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed(error)

    def _say(self, peer: str, frame: Frame) -> bool:
        return self._peers.send(peer, encode_frame(frame), Priority.BODIES)


def _entries(kept: Kept, after: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Committed rows behind a key."""
    return kept.rows.scan_raw(after + b"\x00", b"\x80")
