"""What a node does with a frame before anything else looks at it: keep it, Ignore it, or Reject it.

The rules are pure functions of the frame and its sender, after the manner of ethereum/consensus-specs' p2p rules.
Ignore drops the frame and holds nothing against the sender (late, too fast, not for us). Reject drops it because no
honest node sends it, and counts against the sender. Being behind is never a reason for either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from consensus.messages import (
    BlockBody,
    Blocks,
    ConsensusMessage,
    Evidence,
    GetBlock,
    GetBlocks,
    GetQuorums,
    Propose,
    QuorumMessage,
    Quorums,
    Status,
    VoteMessage,
)
from node.wire import (
    OBSERVER,
    VALIDATOR,
    AttestationMsg,
    Consensus,
    DayClose,
    Entries,
    Frame,
    GetEntries,
    GetHops,
    GetReadings,
    GetSnapshot,
    Hello,
    HelloProof,
    Hops,
    NoBlocks,
    NoSnapshot,
    Ping,
    Pong,
    Priority,
    Readings,
    Snapshot,
    Transactions,
)
from state.codec import decode
from state.errors import DecodeError

MALFORMED = 50  # points of a frame that is not canonical: two of them end the connection
IMPROPER = 20
BAN_AT = 100
FORGIVEN_AT = BAN_AT // 2  # a ban of about a minute
HALF_LIFE_MS = 60_000
MAX_REMEMBERED = 4_096  # nodes with points: whoever draws a new key for each lie must not fill the memory


class Ignore(Exception):
    """Dropped, and nobody is to blame."""


class Reject(Exception):
    """Dropped, and `points` count against the sender."""

    def __init__(self, why: str, points: int = IMPROPER) -> None:
        super().__init__(why)
        self.why = why
        self.points = points


@dataclass(frozen=True)
class Sender:
    """Who a connection belongs to, as the handshake proved it. `index` is None for an observer."""

    name: str  # node id in hex: the same across reconnections
    role: int
    index: int | None


# --- rules


def consensus_message(frame: Consensus, sender: Sender) -> ConsensusMessage:
    """The message inside. Observers may ask, only validators may tell."""
    try:
        message: ConsensusMessage = decode(ConsensusMessage, frame.payload)  # type: ignore[arg-type]
    except DecodeError as error:
        raise Reject(f"consensus message: {error}", MALFORMED) from None
    if sender.role == OBSERVER and not isinstance(message, GetQuorums | GetBlocks | GetBlock | Status):
        raise Reject(f"an observer sent {type(message).__name__}")
    return message


def check_frame(frame: Frame, sender: Sender, validators: int) -> None:
    """Raise Ignore or Reject; what passes goes to the mempool, the engine or the readings' intake."""
    match frame:
        case Hello() | HelloProof():
            raise Reject("a second handshake")
        case Transactions():
            if sum(map(len, frame.raws)) == 0:
                raise Reject("empty transactions")
        case Readings() | DayClose() | GetReadings() | Ping() | Pong() | Consensus():
            pass  # shape and bounds stand in the types; signatures are for whoever owns the data
        case GetSnapshot() | GetEntries() | GetHops():
            pass
        case Snapshot() | NoSnapshot() | Hops() | NoBlocks():
            if sender.role == OBSERVER:
                raise Reject("an observer answered a question for the state")
        case Entries():
            if sender.role == OBSERVER or len(frame.keys) != len(frame.values):
                raise Reject("entries of a snapshot that are none")
        case AttestationMsg():
            if sender.role == OBSERVER:
                raise Reject("an observer sent an attestation")
            if frame.validator >= validators:
                raise Reject("an attestation of nobody")
        case _:
            assert_never(frame)


def priority_of(message: ConsensusMessage) -> Priority:
    """Which queue a consensus message waits in: votes are the last to be dropped."""
    match message:
        case VoteMessage():
            return Priority.VOTES
        case Propose() | Blocks() | BlockBody():
            return Priority.BODIES
        case QuorumMessage() | Quorums() | GetQuorums() | GetBlocks() | GetBlock() | Status() | Evidence():
            return Priority.QUORUMS
        case _:
            assert_never(message)


# --- rates


@dataclass(frozen=True)
class Rate:
    per_second: int
    burst: int


# Frames, not bytes: the frame limit bounds those. A validator at full speed sends about 3n votes and quorums a block
# and a few hundred transaction frames a second; an observer asks for a batch of blocks now and then.
VALIDATOR_RATES: Mapping[type, Rate] = {
    Transactions: Rate(500, 2_000),
    Readings: Rate(500, 5_000),
    GetReadings: Rate(50, 500),
    DayClose: Rate(200, 5_000),
    AttestationMsg: Rate(500, 10_000),
    GetSnapshot: Rate(5, 20),
    Snapshot: Rate(5, 20),
    NoSnapshot: Rate(20, 50),
    GetEntries: Rate(50, 100),
    Entries: Rate(500, 1_000),
    GetHops: Rate(20, 50),
    Hops: Rate(20, 50),
    NoBlocks: Rate(20, 100),
    Ping: Rate(5, 20),
    Pong: Rate(5, 20),
    Consensus: Rate(2_000, 10_000),
}
OBSERVER_RATES: Mapping[type, Rate] = {
    Transactions: Rate(50, 200),
    Readings: Rate(50, 500),
    GetReadings: Rate(5, 50),
    DayClose: Rate(20, 200),
    AttestationMsg: Rate(1, 1),
    GetSnapshot: Rate(1, 5),
    Snapshot: Rate(1, 1),
    NoSnapshot: Rate(1, 1),
    GetEntries: Rate(20, 40),
    Entries: Rate(1, 1),
    GetHops: Rate(5, 20),
    Hops: Rate(1, 1),
    NoBlocks: Rate(1, 1),
    Ping: Rate(5, 20),
    Pong: Rate(5, 20),
    Consensus: Rate(20, 100),
}


# Bytes a second and at once, whatever the kind: decoding the largest frame takes some ten milliseconds of the loop. Two
# full blocks a second with all their transactions are 8 MiB from each validator.
BYTE_RATES: Mapping[int, Rate] = {
    VALIDATOR: Rate(32 * 1024 * 1024, 128 * 1024 * 1024),
    OBSERVER: Rate(2 * 1024 * 1024, 16 * 1024 * 1024),
}
LONGEST_PAUSE_MS = 1_000  # between two frames, or the peer would be taken for silent


class Buckets:
    """Token buckets of one connection, one per kind of frame. Tokens are thousandths, time is monotonic ms."""

    def __init__(self, role: int, now_ms: int) -> None:
        self._rates = OBSERVER_RATES if role == OBSERVER else VALIDATOR_RATES
        self._bytes = BYTE_RATES[role]
        self._byte_tokens = (self._bytes.burst, now_ms)
        self._tokens = {kind: (rate.burst * 1_000, now_ms) for kind, rate in self._rates.items()}

    def take(self, kind: type, now_ms: int) -> None:
        """Ignore where the kind comes faster than its rate; kinds without a rate pass to the rules."""
        rate = self._rates.get(kind)
        if rate is None:
            return
        tokens, at_ms = self._tokens[kind]
        tokens = min(rate.burst * 1_000, tokens + (now_ms - at_ms) * rate.per_second)
        if tokens < 1_000:
            self._tokens[kind] = (tokens, now_ms)
            raise Ignore(f"{kind.__name__} frames come faster than {rate.per_second} a second")
        self._tokens[kind] = (tokens - 1_000, now_ms)

    def pause_ms(self, size: int, now_ms: int) -> int:
        """How long to read nothing more of the connection after a frame of `size` bytes: TCP holds the sender back."""
        tokens, at_ms = self._byte_tokens
        tokens = min(self._bytes.burst, tokens + (now_ms - at_ms) * self._bytes.per_second // 1_000) - size
        self._byte_tokens = (tokens, now_ms)
        return min(LONGEST_PAUSE_MS, max(0, -tokens * 1_000 // self._bytes.per_second))


class Conduct:
    """Points against nodes, halved every minute. A node with too many is not talked to until they have decayed.

    Of more nodes than are remembered the one that was blamed longest ago is forgotten.
    """

    def __init__(self) -> None:
        self._points: dict[str, tuple[int, int]] = {}
        self._banned: set[str] = set()

    def blame(self, name: str, points: int, now_ms: int) -> bool:
        """Whether the node is banned now."""
        points += self.points(name, now_ms)
        self._points.pop(name, None)
        self._points[name] = (points, now_ms)
        if len(self._points) > MAX_REMEMBERED:
            oldest = next(iter(self._points))
            del self._points[oldest]
            self._banned.discard(oldest)
        if self._points[name][0] >= BAN_AT:
            self._banned.add(name)
        return name in self._banned

    def banned(self, name: str, now_ms: int) -> bool:
        if name in self._banned and self.points(name, now_ms) < FORGIVEN_AT:
            self._banned.discard(name)
        return name in self._banned

    def points(self, name: str, now_ms: int) -> int:
        points, at_ms = self._points.get(name, (0, now_ms))
        halvings, rest_ms = divmod(now_ms - at_ms, HALF_LIFE_MS)
        halved = points >> min(halvings, 32)
        return halved - halved * rest_ms // (2 * HALF_LIFE_MS)  # linear between two halvings is near enough
