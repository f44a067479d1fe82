"""One attempt to take a state from one peer: what to ask next, and whether what it answers holds. No clock, no sockets.

    ask for a snapshot -> hops to its epoch, page by page -> its header is final -> entries, chunk by chunk -> all there

`node/joining.py` carries the questions and the answers, `node/staging.py` keeps the entries. Whoever lies raises
ConsensusRefusal here, with the reason that its operator is told.
"""

from consensus.light import Hop
from node.hops import Trust
from node.wire import MAX_CHUNK_ENTRIES, MAX_CHUNKS, MAX_HOPS, Entries, GetEntries, GetHops, GetSnapshot, Hops, Snapshot
from state.errors import ConsensusRefusal

LATE_CHUNKS = 4 * MAX_CHUNKS  # of a few earlier questions: each time the connection ended, it was asked again


class ChunksLost(Exception):
    """Chunks between went down with a connection that another replaced. No lie: they are asked for again."""


class Attempt:
    """`own_height`: of the state that is there already, 0 where there is none. `gone`: nobody keeps the blocks above
    it, so any newer state will do. Hops outlive an attempt, in `trust`."""

    gap = 10_000  # a state that is behind by fewer blocks follows them, and keeps its history
    least_bytes = 256 * 1024  # a chunk that is not the last is at least half full, or trickling would be an attack
    least_entries = MAX_CHUNK_ENTRIES // 2
    offer: Snapshot

    def __init__(self, own_height: int, trust: Trust, gone: bool = False) -> None:
        self._above = own_height + self.gap if own_height and not gone else own_height
        self.trust = trust
        self.entries = 0
        self._after = b""
        self._late = 0  # chunks that may still be on their way as answers to an earlier question
        self._answered = False

    # --- the header

    def ask(self) -> GetSnapshot:
        return GetSnapshot(self._above)

    def offered(self, offer: Snapshot) -> None:
        if offer.header.height <= self._above:
            raise ConsensusRefusal(why=f"it offers height {offer.header.height} for one above {self._above}")
        self.offer = offer

    def next_hops(self) -> GetHops | None:
        """None where the validators of the offered epoch are known."""
        return GetHops(self.trust.epoch) if self.trust.epoch < self.offer.header.epoch else None

    def hops_of(self, answer: Hops | None) -> tuple[Hop, ...]:
        """To be followed with `trust.follow`, one by one: each is up to 171 signatures."""
        first = self.trust.epoch
        wanted = min(MAX_HOPS, self.offer.header.epoch - first)
        if answer is None or answer.from_epoch != first or len(answer.hops) < wanted:
            raise ConsensusRefusal(why=f"it does not say how the epochs from {first} on ended")
        return answer.hops[:wanted]

    def require_final(self) -> None:
        self.trust.require_final(self.offer.header, self.offer.finalization)

    # --- the entries

    def next_entries(self) -> GetEntries:
        """Behind the last key that is here: also where a connection ended in between."""
        self._late, self._answered = LATE_CHUNKS, False
        return GetEntries(self.offer.number, self._after, MAX_CHUNKS)

    def take(self, chunk: Entries) -> bool:
        """The chunk follows the one before it. What is in it, only the sum over all of them shows. False for one that
        is left over from an earlier question: of a slow peer, or read for a connection that has ended. ChunksLost for
        one that comes too early."""
        if chunk.number != self.offer.number or chunk.after != self._after:
            if self._late and (not self._answered or chunk.after < self._after):
                self._late -= 1
                return False
            if chunk.number == self.offer.number and self._answered and chunk.after > self._after:
                raise ChunksLost("chunks between two of its own never came")
            raise ConsensusRefusal(why="a chunk that does not follow the one before it")
        self._answered = True
        if not chunk.last and size_of(chunk) < self.least_bytes and len(chunk.keys) < self.least_entries:
            raise ConsensusRefusal(why=f"a chunk of {len(chunk.keys)} entries that is not the last")
        self.entries += len(chunk.keys)
        if self.entries > self.offer.entries:
            raise ConsensusRefusal(why=f"more than the {self.offer.entries} entries that it has named")
        if chunk.last and self.entries != self.offer.entries:
            raise ConsensusRefusal(why=f"it sent {self.entries} entries of {self.offer.entries}")
        if chunk.keys:
            self._after = chunk.keys[-1]
        return True


def size_of(chunk: Entries) -> int:
    """Bytes of keys and values."""
    return sum(map(len, chunk.keys)) + sum(map(len, chunk.values))
