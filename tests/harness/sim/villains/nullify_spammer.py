"""Votes to nullify every view as soon as it hears of it, and the ones to come: it wants no block to become final."""

from typing import Any

from harness.sim.villains.speaker import Villain, quorums_in, votes_in

from consensus.messages import ConsensusMessage
from consensus.votes import NULLIFY, Quorum, Vote, nullified


class NullifySpammer(Villain):
    def __init__(self, index: int, cluster: Any) -> None:
        super().__init__(index, cluster)
        self._done: set[tuple[int, int]] = set()

    def receive(self, source: int, message: ConsensusMessage) -> None:
        heard: list[Vote | Quorum] = [*votes_in(message), *quorums_in(message)]
        for spoken in heard:
            for ahead in (0, 1, 2, 3):
                self._spam(spoken.epoch, spoken.view + ahead)

    def _spam(self, epoch: int, view: int) -> None:
        if (epoch, view) in self._done and self.random.random() < 0.99:
            return
        self._done.add((epoch, view))
        self.vote_to_some(NULLIFY, nullified(epoch, view))
