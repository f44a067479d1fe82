"""The state as a block leaves it: changes on top of a parent, nothing written until they are final.

An Overlay stands on the committed store or on the Overlay of an unfinalised parent block. Inside a block each
transaction is bracketed by `begin` and `commit` or `rollback`, which undoes exactly that transaction.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Protocol

from state.keyspace import Entry


class Snapshot(Protocol):
    """A state that can be read: the LevelDB store, the in-memory store, or another Overlay."""

    def get(self, key: bytes) -> Entry | None:
        """The entry under `key`, decoded."""

    def scan(self, low: bytes, high: bytes) -> Iterator[tuple[bytes, Entry]]:
        """Entries with low <= key < high, in the order of the keys."""


class Absent(Enum):
    """Of a key that was not written yet; None says that what lies below is deleted."""

    ABSENT = 0


ABSENT = Absent.ABSENT


class Overlay:
    """Reads fall through to `base`; writes stay in `changes` (None = deleted)."""

    def __init__(self, base: Snapshot) -> None:
        self.base = base
        self.changes: dict[bytes, Entry | None] = {}
        self._new: set[bytes] = set()  # keys that the base cannot hold, so that nothing looks for them there
        self._undo: list[tuple[bytes, Entry | Absent | None]] | None = None

    def get(self, key: bytes) -> Entry | None:
        changes = self.changes
        return changes[key] if key in changes else self.base.get(key)

    def put(self, key: bytes, entry: Entry) -> None:
        self._write(key, entry)

    def put_new(self, key: bytes, entry: Entry) -> None:
        """Put what cannot exist below: its key holds the id of the transaction that creates it."""
        self._new.add(key)
        self._write(key, entry)

    def delete(self, key: bytes) -> None:
        self._write(key, None)

    def _write(self, key: bytes, entry: Entry | None) -> None:
        assert key[0] < 0x80, "derived spaces are written by the ledger's indexes, not by rules"
        changes, undo = self.changes, self._undo
        if undo is not None:
            undo.append((key, changes.get(key, ABSENT)))
        changes[key] = entry

    def scan(self, low: bytes, high: bytes) -> Iterator[tuple[bytes, Entry]]:
        """Merge of the base's entries and the changes, in the order of the keys."""
        changed = sorted(key for key in self.changes if low <= key < high)
        position = 0
        for key, entry in self.base.scan(low, high):
            while position < len(changed) and changed[position] < key:
                yield from self._changed(changed[position])
                position += 1
            if position < len(changed) and changed[position] == key:
                yield from self._changed(key)
                position += 1
            else:
                yield key, entry
        for key in changed[position:]:
            yield from self._changed(key)

    def _changed(self, key: bytes) -> Iterator[tuple[bytes, Entry]]:
        entry = self.changes[key]
        if entry is not None:
            yield key, entry

    # --- one transaction

    def begin(self) -> None:
        assert self._undo is None, "transactions do not nest"
        self._undo = []

    def commit(self) -> None:
        assert self._undo is not None
        self._undo = None

    def rollback(self) -> None:
        assert self._undo is not None
        for key, before in reversed(self._undo):
            if before is ABSENT:
                del self.changes[key]
            else:
                self.changes[key] = before
        self._undo = None

    def take_changes(self) -> dict[bytes, Entry | None]:
        """All that was changed so far; afterwards the overlay is as it began."""
        taken, self.changes = self.changes, {}
        self._new.clear()
        return taken

    # --- the whole block

    def difference(self) -> list[tuple[bytes, Entry | None, Entry | None]]:
        """(key, before, after) of every entry that really changed against the base."""
        found = []
        below, changes, new = self.base.get, self.changes, self._new
        for key, after in changes.items():
            before = None if key in new else below(key)
            if before is not after and before != after:
                found.append((key, before, after))
        return found
