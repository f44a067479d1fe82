"""Hears some or none of the others and goes on talking: uniform faults hide the livelocks that this one finds."""

from typing import Any

from harness.sim.villains.puppet import Puppet, Puppeteer

from consensus.messages import ConsensusMessage


class OneWayDeaf(Puppeteer):
    def __init__(self, index: int, cluster: Any) -> None:
        super().__init__(index, cluster)
        share = self.random.choice((0.0, 0.3, 0.6))
        self._heard = {other for other in self.others if self.random.random() < share}

    def hears(self, puppet: Puppet, source: int, message: ConsensusMessage) -> bool:
        return source in self._heard
