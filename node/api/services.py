"""What the API may ask of the node that it stands in front of. The composition root fills this in."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from contracts.transition import DecodedTx
from node.api.limits import PROFILES, Limits
from node.feed import Feed
from node.metrics import Metrics
from node.past import Past
from node.queries.ranges import Ranges
from node.queries.statements import Emissions
from node.readings import Head
from node.wire import Close, DayClose, Readings
from state.errors import WattestError
from state.store import Store

SECOND_MS = 1_000


@dataclass(frozen=True)
class Peer:
    """A validator of the epoch as this node sees it; `height` is what the peer last said, 0 before it spoke."""

    index: int
    connected: bool
    height: int
    received_bytes: int = 0
    sent_bytes: int = 0


@dataclass(frozen=True)
class Live:
    """What is true of the running node right now and stands in no block."""

    view: int
    leader: int
    peers: tuple[Peer, ...]
    mempool: int
    syncing: bool
    stage: str = "following"  # blocks: behind, and fetching them; stuck: behind, and no peer keeps the blocks any more
    snapshot_chunks: int = 0  # handed out to nodes that begin, since this one started
    byzantine: int = 0
    syncs: int = 0  # of store and journal since the node started
    refused: Mapping[str, int] = field(default_factory=dict)  # to other nodes since it started, by reason

    @property
    def connected(self) -> int:
        return sum(peer.connected for peer in self.peers)

    @property
    def best_height(self) -> int:
        """The highest height that any connected peer claims."""
        return max((peer.height for peer in self.peers if peer.connected), default=0)


@dataclass(frozen=True)
class Standing:
    """What the mempool knows of a transaction that is in no final block."""

    status: str  # waiting | refused
    refusal: WattestError | None = None


class Taken(Protocol):
    """What became of a batch of readings."""

    @property
    def accepted(self) -> int: ...

    @property
    def duplicates(self) -> int: ...


@dataclass(frozen=True)
class Readiness:
    """When /readyz says yes (names and defaults as in Zebra)."""

    min_connected_peers: int = 1  # not asked of a network of one
    max_blocks_behind: int = 2
    max_tip_age_s: int = 300


@dataclass(frozen=True)
class Services:
    """Everything behind the API. Callables raise WattestError for what they refuse.

    `admit` gives for each transaction its decoded form or the refusal, in order. `standing` answers None for what the
    mempool never saw. `take_readings(raws, key, signature)` returns after the durable write; `take_close` says whether
    the close was new. `profile` gives `profile_hash` and what it was computed from, `curve` a day for a chart.
    """

    store: Store
    chain: bytes
    genesis: bytes  # the canonical JSON whose hash is `chain`
    node_index: Callable[[], int | None]  # None = an observer
    version: str
    public_url: str  # where the public reaches this node
    feed: Feed
    metrics: Metrics
    live: Callable[[], Live]
    admit: Callable[[Sequence[bytes]], Awaitable[Sequence[DecodedTx | WattestError]]]
    standing: Callable[[bytes], Standing | None]
    take_readings: Callable[[Sequence[str], bytes, bytes], Awaitable[Taken]]
    take_close: Callable[[Close, bytes, bytes], Awaitable[bool]]
    readings_of_day: Callable[[int, int], Sequence[str]]
    head_of_device: Callable[[int], tuple[Head, int]]
    evidence_of_day: Callable[[int, int], tuple[DayClose | None, Sequence[Readings]]]
    profile: Callable[[int, int, int], Awaitable[dict[str, Any]]]
    curve: Callable[[int, int], Awaitable[dict[str, Any]]]
    public_urls: tuple[str, ...] = ()  # of the network's nodes, from its genesis: another answers when one is gone
    emissions: Emissions = field(default_factory=dict)
    ranges: Ranges = field(default_factory=Ranges)  # told of every final block
    past: Past | None = None  # None = questions about earlier heights are not answered
    limits: Limits = PROFILES["default"]
    readiness: Readiness = field(default_factory=Readiness)
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    monotonic: Callable[[], float] = time.monotonic
    failed: Callable[[BaseException], None] = lambda error: None  # a store that cannot be read ends the node
