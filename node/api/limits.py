"""How much one address may ask: token buckets for reads, writes and bytes, and caps on what runs at once.

A batch costs one write and its bytes, so that many small requests are never cheaper than one large one.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_ADDRESSES = 4_096  # addresses remembered; the longest silent one is forgotten first


@dataclass(frozen=True)
class Limits:
    """Per address: requests a second with a burst, body bytes a second. Whole node: what runs at once."""

    reads_per_s: int = 20
    reads_burst: int = 200
    writes_per_s: int = 20
    writes_burst: int = 200
    bytes_per_s: int = 1_000_000
    bytes_burst: int = 16_000_000
    requests_at_once: int = 256
    streams: int = 64
    streams_per_address: int = 16


PROFILES = {
    "default": Limits(),
    "demo": Limits(
        reads_per_s=2_000,
        reads_burst=10_000,
        writes_per_s=2_000,
        writes_burst=10_000,
        bytes_per_s=50_000_000,
        bytes_burst=200_000_000,
        requests_at_once=1_024,
    ),
    "bench": Limits(
        reads_per_s=50_000,
        reads_burst=200_000,
        writes_per_s=50_000,
        writes_burst=200_000,
        bytes_per_s=500_000_000,
        bytes_burst=2_000_000_000,
        requests_at_once=4_096,
    ),
}


@dataclass
class Bucket:
    """Refilled at `per_s` up to `burst`; a request takes its cost or waits."""

    per_s: int
    burst: int
    tokens: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = float(self.burst)

    def take(self, cost: float, now: float) -> float:
        """Seconds until the cost could be paid; 0.0 = it is paid now. A cost above the burst empties the bucket."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_s)
        self.at = now
        cost = min(cost, self.burst)
        if cost <= self.tokens:
            self.tokens -= cost
            return 0.0
        return (cost - self.tokens) / self.per_s


@dataclass(frozen=True)
class Allowance:
    """What the RateLimit headers say after one request."""

    limit: int
    remaining: int
    reset_s: int
    retry_after_s: int  # 0 = admitted


class Throttle:
    """The buckets of all addresses. `clock` gives monotonic seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    def read(self, address: str) -> Allowance:
        return self._take(address, "read", self.limits.reads_per_s, self.limits.reads_burst, 1)

    def write(self, address: str) -> Allowance:
        return self._take(address, "write", self.limits.writes_per_s, self.limits.writes_burst, 1)

    def body(self, address: str, size: int) -> Allowance:
        return self._take(address, "bytes", self.limits.bytes_per_s, self.limits.bytes_burst, size)

    def _take(self, address: str, what: str, per_s: int, burst: int, cost: int) -> Allowance:
        now = self._clock()
        bucket = self._buckets.get((address, what))
        if bucket is None:
            bucket = self._buckets[address, what] = Bucket(per_s, burst, at=now)
            if len(self._buckets) > 3 * MAX_ADDRESSES:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end((address, what))
        wait_s = bucket.take(cost, now)
        full_s = (bucket.burst - bucket.tokens) / bucket.per_s
        return Allowance(burst, int(bucket.tokens), math.ceil(full_s), math.ceil(wait_s))
