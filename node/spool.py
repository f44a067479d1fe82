"""A log on disk that only grows: what was appended and acknowledged is there after any crash.

Each record stands behind its length and CRC-32. Appends that arrive together share one fdatasync. A torn record at the
end, left by a crash before the acknowledgement, is cut off when the log is opened; a damaged one before the end is an
error, because something acknowledged would be lost. `rewrite` replaces the log atomically by a shorter one.
"""

import asyncio
import fcntl
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

from state.errors import HomeInUse, StoreError, StoreMismatch

HEADER_BYTES = 8
MAX_RECORD_BYTES = 64 * 1024


class Spool:
    def __init__(self, path: Path) -> None:
        """Open or create the log. `records` is what it held."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            data = path.read_bytes()
            self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(why=f"{path} does not open ({error.strerror})") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise HomeInUse(why=f"another gateway holds {path}; stop that one first") from None
        self.records, end = read_records(data, path)
        os.ftruncate(self._descriptor, end)
        os.lseek(self._descriptor, end, os.SEEK_SET)
        self.size = end
        _sync_directory(path.parent)
        self._pending: list[bytes] = []
        self._round: asyncio.Future[None] | None = None  # of everything pending
        self._writer: asyncio.Task[None] | None = None

    async def append(self, records: Iterable[bytes]) -> None:
        """Returns once all of `records`, and everything appended before them, is durable."""
        self._pending.extend(_framed(record) for record in records)
        if self._round is None:
            self._round = asyncio.get_running_loop().create_future()
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_rounds())
        await asyncio.shield(self._round)

    async def _write_rounds(self) -> None:
        while (waiting := self._round) is not None:
            data, self._pending, self._round = b"".join(self._pending), [], None
            try:
                await asyncio.to_thread(self._write, data)
            except OSError as error:
                waiting.set_exception(
                    StoreError(why=f"writing to {self.path} failed ({error.strerror}); check the disk")
                )
            else:
                waiting.set_result(None)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        os.fdatasync(self._descriptor)
        self.size += len(data)

    def rewrite(self, records: Iterable[bytes]) -> None:
        """The log becomes `records`: wholly, or not at all where this fails. Nothing may be pending."""
        assert self._round is None
        assert self._writer is None or self._writer.done()
        draft = self.path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        previous, self._descriptor, self.size = self._descriptor, descriptor, 0
        self._write(b"".join(_framed(record) for record in records))
        os.replace(draft, self.path)
        _sync_directory(self.path.parent)
        os.close(previous)

    def close(self) -> None:
        os.close(self._descriptor)
        os.close(self._lock)


def read_records(data: bytes, path: Path) -> tuple[list[bytes], int]:
    """(records, length of the sound part); StoreError where a damaged record has sound bytes behind it."""
    records, position = [], 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        crc = int.from_bytes(data[position + 4 : position + 8], "big")
        end = position + HEADER_BYTES + size
        record = data[position + HEADER_BYTES : end]
        if size == 0 == crc:  # a file system may leave zeros where a write was cut off
            break
        if not size or end > len(data) or zlib.crc32(record) != crc:
            if not _sound_record_after(data, position):
                break
            raise StoreMismatch(
                why=f"{path} is damaged at byte {position}, and sound records follow. Put back a copy of it: it says "
                "where each unit's chain stands; with an empty one validators refuse what comes next as out of order",
                path=str(path),
            )
        records.append(record)
        position = end
    return records, position


def _sound_record_after(data: bytes, position: int) -> bool:
    """Whether a whole record begins behind the one at `position`, which may be of any length that a record has."""
    for start in range(position + 1, min(position + HEADER_BYTES + MAX_RECORD_BYTES, len(data) - HEADER_BYTES) + 1):
        size = int.from_bytes(data[start : start + 4], "big")
        body = start + HEADER_BYTES
        if not 0 < size <= min(MAX_RECORD_BYTES, len(data) - body):
            continue
        if zlib.crc32(data[body : body + size]) == int.from_bytes(data[start + 4 : body], "big"):
            return True
    return False


def _framed(record: bytes) -> bytes:
    assert len(record) <= MAX_RECORD_BYTES
    return len(record).to_bytes(4, "big") + zlib.crc32(record).to_bytes(4, "big") + record


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
