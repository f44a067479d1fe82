"""What watchers see: one message per final block, in order and without gaps, and what passes by between blocks.

Blocks are *pulled*: a subscription knows the next height it owes and reads it from the store, so replay from any height
and following live are one loop, and no block is ever lost to a full queue. Everything that exists only while it happens
(a reading came in, a validator attested, the view moved) is *pushed* into a bounded queue; whoever lets it run over is
dropped and may come back with `from=`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import msgspec

QUEUE = 1_024  # live messages that may wait for one watcher
CACHED_BLOCKS = 256  # encoded messages of the newest blocks, shared by all watchers

BlockMessage = Callable[[int], dict[str, Any] | None]


class TooSlow(Exception):
    """The watcher let its queue run over."""


class Subscription:
    """One watcher: the next height that it gets, and the live messages that wait for it."""

    def __init__(self, feed: "Feed", next_height: int) -> None:
        self._feed = feed
        self.next_height = next_height
        self.waiting: list[bytes] = []
        self.overrun = False
        self.wake = asyncio.Event()

    def push(self, message: bytes) -> None:
        if len(self.waiting) >= QUEUE:
            self.overrun = True
        else:
            self.waiting.append(message)
        self.wake.set()

    async def messages(self) -> AsyncIterator[bytes]:
        """Encoded JSON objects: every final block from `next_height` on, and live messages between them.

        TooSlow once the queue has run over. Yields to the loop between blocks, however long the replay.
        """
        while True:
            self.wake.clear()
            if self.overrun:
                raise TooSlow
            waiting, self.waiting = self.waiting, []
            for message in waiting:
                yield message
            block = self._feed.block(self.next_height)
            if block is not None:
                self.next_height += 1
                yield block
                await asyncio.sleep(0)
            elif not self.waiting:
                await self.wake.wait()


class Feed:
    """All watchers of one node. `read` gives the message of a final height, or None above the tip."""

    def __init__(self, read: BlockMessage) -> None:
        self._read = read
        self._watchers: set[Subscription] = set()
        self._cache: OrderedDict[int, bytes] = OrderedDict()

    def subscribe(self, next_height: int) -> Subscription:
        subscription = Subscription(self, next_height)
        self._watchers.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        with suppress(KeyError):
            self._watchers.remove(subscription)

    def committed(self, final: object) -> None:
        """A block became final and is in the store; each watcher reads it from there."""
        for watcher in self._watchers:
            watcher.wake.set()

    def live(self, kind: str, fields: dict[str, Any]) -> None:
        """Something happened that no block records: `reading`, `attestation`, `peer`, `view`. Not replayed."""
        if not self._watchers:
            return
        message = msgspec.json.encode({"kind": kind, **fields})
        for watcher in self._watchers:
            watcher.push(message)

    def block(self, height: int) -> bytes | None:
        """The encoded message of a final block."""
        cached = self._cache.get(height)
        if cached is not None:
            return cached
        found = self._read(height)
        if found is None:
            return None
        encoded = msgspec.json.encode(found)
        self._cache[height] = encoded
        if len(self._cache) > CACHED_BLOCKS:
            self._cache.popitem(last=False)
        return encoded

    @property
    def watchers(self) -> int:
        return len(self._watchers)
