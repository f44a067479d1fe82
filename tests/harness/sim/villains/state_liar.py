"""Hands out a false state: whatever a villain does as a voter, it also does this to who asks it for a snapshot.

The lies are those that `tests/ledger/test_joining.py` tries one by one (`harness/villains/snapshot_liars.py`).
"""

from typing import Any

from harness.sim.joining import SimOffering
from harness.villains.snapshot_liars import FAILURES, LIES, Lie, honest

from node.wire import Frame, GetSnapshot

ALL: tuple[Lie, ...] = (honest, *(lie for lie, _ in LIES.values()), *(lie for lie, _ in FAILURES.values()))


class StateLiar:
    """Answers as an honest node would, with one lie an attempt put over it."""

    def __init__(self, index: int, cluster: Any) -> None:
        self._index, self._cluster, self._random = index, cluster, cluster.snapshot_random
        self._lies: dict[int, tuple[Lie, SimOffering]] = {}

    def asked(self, source: int, frame: Frame) -> None:
        if isinstance(frame, GetSnapshot):
            copied = [node for node in self._cluster.nodes if node.engine is not None and node.index != source]
            if not copied:
                return
            self._lies[source] = self._random.choice(ALL), SimOffering(self._random.choice(copied), self._cluster)
        if source in self._lies:
            lie, offering = self._lies[source]
            for answer in offering.answers(frame):
                for told in lie(answer):
                    self._cluster.lines.send(self._index, source, told)
