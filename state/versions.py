"""The rows of a store as they were after any block: every value that a row ever had, beside the height that wrote it.

A row of the archive is named by the row's own key and then the height, so that the newest version at or below a height
is one reverse seek away, and a scan meets the versions of a key one after the other:

    key with every 00 as 00 ff, then 00 00, then height u64        01 and the value, or nothing where it was deleted

The escape keeps the order of the keys whatever they hold. What is written once and never changed (blocks, their votes
and events) is not copied: it is read from the live store, which holds it, up to the height that is asked about.
"""

from collections.abc import Iterator

from state.keyspace import BASE_KEY, META_KEY, Space
from state.store import Batch, Rows, Store

HEIGHT_BYTES = 8
ONCE = frozenset({Space.BLOCK, Space.FINALIZATION, Space.EVENTS, Space.HEADER})  # keyed by their height
_DELETED, _KEPT = b"", b"\x01"
_ZERO, _ESCAPED, _END = b"\x00", b"\x00\xff", b"\x00\x00"


class RowsAt:
    """The rows after the block of `height`: those of `archive`, and of `live` what never changes. Never written."""

    def __init__(self, archive: Rows, live: Store, height: int) -> None:
        self._archive, self._live = archive, live
        self.height = height

    def get_raw(self, key: bytes) -> bytes | None:
        if key[0] in ONCE:
            return self._live.get_raw(key) if _height_in(key) <= self.height else None
        if key == BASE_KEY:
            return self._live.get_raw(key)
        low, high = _version(key, 0), _version(key, self.height + 1)
        found = next(self._archive.scan_raw(low, high, reverse=True), None)
        return None if found is None else _value(found[1])

    def scan_raw(self, low: bytes, high: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """As a store's. The versions between two keys are all walked: a row that changes often costs what it did."""
        if low and low[0] in ONCE:
            rows = self._live.scan_raw(low, high, reverse)
            yield from (row for row in rows if _height_in(row[0]) <= self.height)
            return
        newest: tuple[bytes, bytes] | None = None  # the key that is being walked, and its version of the height
        for versioned, data in self._archive.scan_raw(_first(low), _first(high), reverse):
            if int.from_bytes(versioned[-HEIGHT_BYTES:], "big") > self.height:
                continue
            key = versioned[:-HEIGHT_BYTES]
            if newest is not None and newest[0] != key:
                yield from _row(newest)
                newest = None
            if newest is None or not reverse:
                newest = key, data
        if newest is not None:
            yield from _row(newest)

    def write(self, batch: Batch, sync: bool = True) -> None:
        raise AssertionError("the past is not written")

    def frozen(self) -> "RowsAt":
        return self

    def close(self) -> None:
        """The archive is its owner's."""


class Archive(RowsAt):
    """The newest version of everything, to which each batch adds those of one more block. For one thread."""

    def __init__(self, archive: Rows, live: Store) -> None:
        super().__init__(archive, live, newest_height(archive))

    def write(self, batch: Batch, sync: bool = True) -> None:
        """The next height's batch; not synced: what a power cut takes is made again from the blocks."""
        height = self.height + 1
        rows: dict[bytes, bytes | None] = {
            _version(key, height): _DELETED if value is None else _KEPT + value
            for key, value in batch.items()
            if key[0] not in ONCE
        }
        self._archive.write(rows, sync=False)
        self.height = height

    def close(self) -> None:
        self._archive.close()


def newest_height(archive: Rows) -> int:
    """Of the last batch that was written, which holds the store's meta row as every batch does; -1 of an empty one."""
    last = next(archive.scan_raw(_first(META_KEY), _version(META_KEY, 2**64 - 1), reverse=True), None)
    return -1 if last is None else int.from_bytes(last[0][-HEIGHT_BYTES:], "big")


def _first(key: bytes) -> bytes:
    """Before every version of the key, behind those of all keys below it."""
    return key.replace(_ZERO, _ESCAPED) + _END if key else b""


def _version(key: bytes, height: int) -> bytes:
    return _first(key) + height.to_bytes(HEIGHT_BYTES, "big")


def _row(newest: tuple[bytes, bytes]) -> Iterator[tuple[bytes, bytes]]:
    value = _value(newest[1])
    if value is not None:
        yield newest[0][: -len(_END)].replace(_ESCAPED, _ZERO), value


def _value(data: bytes) -> bytes | None:
    return None if data == _DELETED else data[len(_KEPT) :]


def _height_in(key: bytes) -> int:
    return int.from_bytes(key[1:], "big")
