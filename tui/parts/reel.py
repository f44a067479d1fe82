"""The blocks that this dashboard heard, kept small, so that its model can be made again as it was after any of them."""

import zlib
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

CHUNK = 64  # blocks that are packed together: one alone hardly shrinks
REEL_BYTES = 32 * 1024 * 1024  # packed; beyond them the oldest go, and the past begins later
LEVEL = 1  # the packer must not be felt while thousands of blocks come in at the start

Message = dict[str, Any]


class Reel:
    """Messages in the order of their heights. `add` and `cut` are for the feed's thread, `messages` for any."""

    def __init__(self) -> None:
        self.heights: list[int] = []
        self.times: list[int] = []
        self._packed: deque[bytes] = deque()
        self._open: list[bytes] = []
        self._bytes = 0

    @property
    def first(self) -> int:
        return self.heights[0] if self.heights else 0

    @property
    def last(self) -> int:
        return self.heights[-1] if self.heights else 0

    def add(self, message: Message) -> None:
        self._open.append(msgspec.json.encode(message))
        self.heights.append(int(message["height"]))
        self.times.append(int(message["time_ms"]))
        if len(self._open) == CHUNK:
            packed = zlib.compress(msgspec.msgpack.encode(self._open), LEVEL)
            self._packed.append(packed)
            self._bytes += len(packed)
            self._open = []
            while self._bytes > REEL_BYTES:
                self._cut()

    def _cut(self) -> None:
        self._bytes -= len(self._packed.popleft())
        self.heights = self.heights[CHUNK:]
        self.times = self.times[CHUNK:]

    def place(self, height: int) -> int:
        """Of the last block at or below the height; -1 where the reel begins above it."""
        return bisect_right(self.heights, height) - 1

    def height_at(self, time_ms: int) -> int:
        """The last block that was final by then; the first one where the reel begins later."""
        return self.heights[max(0, bisect_right(self.times, time_ms) - 1)] if self.heights else 0

    def time_of(self, height: int) -> int:
        place = self.place(height)
        return self.times[place] if place >= 0 else 0

    def messages(self, above: int, up_to: int) -> Iterator[Message]:
        """Blocks with above < height <= up_to."""
        packed, waiting = list(self._packed), list(self._open)
        heights = self.heights
        for at in range(bisect_right(heights, above) // CHUNK, len(packed) + 1):
            if at * CHUNK >= len(heights) or heights[at * CHUNK] > up_to:
                return
            data = (
                msgspec.msgpack.decode(zlib.decompress(packed[at]), type=list[bytes]) if at < len(packed) else waiting
            )
            for text in data:
                message: Message = msgspec.json.decode(text)
                if above < message["height"] <= up_to:
                    yield message
