"""Keeps what it hears and says it again much later; votes for views that are long over."""

from typing import Any

from harness.sim.villains.speaker import Villain, votes_in

from consensus.messages import ConsensusMessage
from consensus.votes import NULLIFY, Position, nullified

REMEMBERED = 400


class Outdated(Villain):
    def __init__(self, index: int, cluster: Any) -> None:
        super().__init__(index, cluster)
        self._heard: list[ConsensusMessage] = []

    def receive(self, source: int, message: ConsensusMessage) -> None:
        self._heard.append(message)
        if len(self._heard) > REMEMBERED:
            del self._heard[self.random.randrange(REMEMBERED)]
        if self.random.random() < 0.3:
            self.tell(self.random.choice(self.others), self.random.choice(self._heard))
        for vote in votes_in(message):
            self._vote_late(vote.kind, vote.position)

    def _vote_late(self, kind: int, position: Position) -> None:
        """For what the others agree on, and for a view of the past."""
        if self.random.random() < 0.5:
            self.vote_to_some(kind, position)
        past = max(1, position.view - self.random.choice((2, 5, 20)))
        self.vote_to_some(NULLIFY, nullified(position.epoch, past))
