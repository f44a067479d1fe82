"""Seams where tests break the world: a counted crash, the disk, the clock.

`WATTEST_CRASH_AT=17` ends the process without any farewell (exit code 137, as after `kill -9`) at the 17th point where
something becomes durable or leaves the node; `WATTEST_CRASH_AT=persist:3` at the third point of that kind.
Unset, a point costs one comparison.

`WATTEST_CLOCK_SKEW_MS=-30000` runs a whole process 30 s late.
"""

import os
import time
from pathlib import Path
from typing import Literal, Protocol

CRASH_CODE = 137

Point = Literal["persist", "send", "commit", "chunk"]  # the last: of a snapshot


class CrashSeam:
    """Counts the points of one process."""

    def __init__(self, setting: str = "") -> None:
        kind, _, number = setting.rpartition(":")
        self._kind = kind
        self._remaining = int(number) if number else 0

    def reach(self, point: Point) -> None:
        if not self._remaining or (self._kind and self._kind != point):
            return
        self._remaining -= 1
        if self._remaining == 0:
            os._exit(CRASH_CODE)


_seam = CrashSeam(os.environ.get("WATTEST_CRASH_AT", ""))


def reach(point: Point) -> None:
    """Called right after an effect of that kind took hold."""
    _seam.reach(point)


def crash_point() -> None:
    """The point of a block's batch: the store calls it before and after each synced write."""
    _seam.reach("commit")


class Clock(Protocol):
    """Wall time stamps blocks, monotonic time drives timers; nothing else in `node/` asks the system for either."""

    def wall_ms(self) -> int: ...

    def monotonic_ms(self) -> int: ...


class SystemClock:
    """`skew_ms` shifts the wall clock only, for tests of validators whose clocks are wrong."""

    def __init__(self, skew_ms: int | None = None) -> None:
        self._skew_ms = int(os.environ.get("WATTEST_CLOCK_SKEW_MS", "0")) if skew_ms is None else skew_ms

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._skew_ms

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


class Disk(Protocol):
    """The four calls that decide whether a vote is durable."""

    def write(self, descriptor: int, data: bytes) -> None: ...

    def sync(self, descriptor: int) -> None: ...

    def replace(self, source: Path, target: Path) -> None: ...

    def sync_directory(self, directory: Path) -> None: ...


class RealDisk:
    def write(self, descriptor: int, data: bytes) -> None:
        """All of `data`, or OSError."""
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def sync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def sync_directory(self, directory: Path) -> None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
