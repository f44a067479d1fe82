"""The folders of a node's state on its fake disk: what stands in them are rows in memory, found by a number in a file.

So the product's own renames (`node/staging.py`) decide which state a process finds, and the power can be cut between
any two steps of them; LevelDB itself is left out.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from harness.sim.disk import FakeDisk
from harness.sim.ledger import CutRows

from node.staging import CURRENT, NEW, settle
from state.store import Meta, Store

WHERE = "rows"


class States:
    def __init__(self, disk: FakeDisk, around_write: Callable[[], None]) -> None:
        self._disk, self._around_write = disk, around_write
        self.data = disk.directory / "data"
        self.data.mkdir(exist_ok=True)
        self._all: list[CutRows] = []

    def current(self) -> CutRows:
        """Of the state in use, as a process finds it; an empty one where there is none."""
        settle(self.data)
        found = self._rows()
        if found is None:  # it died while it made its first one, and the file is torn or rubbish
            self.finish(self.begin(CURRENT), CURRENT)
            found = self._rows()
        assert found is not None
        return found

    def _rows(self) -> CutRows | None:
        path = self.data / CURRENT / WHERE
        number = re.fullmatch(rb"rows (\d+)\n", path.read_bytes()) if path.exists() else None
        return None if number is None else self._all[int(number[1])]

    def tip(self) -> tuple[int, int, int]:
        """(epoch, view, height) of the newest block in it; zeros where there is none."""
        settle(self.data)
        meta: Meta | None = None
        if (self.data / CURRENT / WHERE).exists():
            meta = Store(self.current()).meta()
        return (0, 0, 0) if meta is None else (meta.epoch, meta.view, meta.height)

    def begin(self, folder: str = NEW) -> CutRows:
        """An empty state in a folder of its own."""
        settle(self.data)
        path: Path = self.data / folder
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        rows = CutRows(self._around_write)
        self._all.append(rows)
        return rows

    def finish(self, rows: CutRows, folder: str = NEW) -> None:
        """What is in the folder is durable now."""
        descriptor = os.open(self.data / folder / WHERE, os.O_CREAT | os.O_WRONLY)
        try:
            self._disk.write(descriptor, b"rows %d\n" % self._all.index(rows))
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)

    def wipe(self) -> None:
        shutil.rmtree(self.data)
        self.data.mkdir()
