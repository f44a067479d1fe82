"""A disk whose power can be cut: what was not synced is lost, kept in part, or ends in rubbish.

Appends reach the plates in their order (as on a journaling file system), so a damage never lies before good bytes.

The vote journal writes real files through it (`node.faults.Disk`). Each of its calls is a place where the process may
die, before, in the middle of, or after it.
"""

import os
from pathlib import Path
from random import Random
from typing import Protocol

RUBBISH = 8  # bytes: shorter than any record


class Deadly(Protocol):
    def maybe_die(self) -> None:
        """Raises `Crashed` when this process dies here."""


class FakeDisk:
    def __init__(self, directory: Path, owner: Deadly, random: Random) -> None:
        self.directory, self._owner, self._random = directory, owner, random
        directory.mkdir(parents=True, exist_ok=True)
        self._synced: dict[int, int] = {}  # inode -> bytes that are safe
        self._renamed: list[tuple[Path, Path]] = []  # since their directory was synced

    # --- node.faults.Disk

    def write(self, descriptor: int, data: bytes) -> None:
        self._owner.maybe_die()
        status = os.fstat(descriptor)
        if not status.st_size:
            self._synced.pop(status.st_ino, None)  # a new file in the place of one that was removed
        os.write(descriptor, data)
        self._owner.maybe_die()

    def sync(self, descriptor: int) -> None:
        self._owner.maybe_die()
        status = os.fstat(descriptor)
        self._synced[status.st_ino] = status.st_size
        self._owner.maybe_die()

    def replace(self, source: Path, target: Path) -> None:
        self._owner.maybe_die()
        os.replace(source, target)
        self._renamed.append((source, target))
        self._owner.maybe_die()

    def sync_directory(self, directory: Path) -> None:
        self._owner.maybe_die()
        self._renamed = [pair for pair in self._renamed if pair[1].parent != directory]

    # --- power

    def power_cut(self) -> None:
        """What a reader finds afterwards: everything synced, and of the rest whatever happened to reach the plates."""
        for source, target in reversed(self._renamed):
            if target.exists() and self._random.random() < 0.5:
                os.replace(target, source)
        self._renamed.clear()
        for path in sorted(Path(folder, name) for folder, _, names in os.walk(self.directory) for name in names):
            self._tear(path)

    def _tear(self, path: Path) -> None:
        status = os.stat(path)
        safe = min(self._synced.get(status.st_ino, 0), status.st_size)
        if status.st_size == safe:
            return
        kept = self._random.randint(safe, status.st_size)
        os.truncate(path, kept)
        if kept > safe and self._random.random() < 0.3:
            # the end came out as rubbish, though the file grew
            spoiled = min(kept - safe, RUBBISH)
            with path.open("r+b") as file:
                file.seek(kept - spoiled)
                file.write(self._random.randbytes(spoiled))
        self._synced[status.st_ino] = kept
