"""The cloned key: two honest nodes with one key, each talking to its part of the network.

The Attack of the Clones, which makes Clique and AuRa pay twice. Each twin keeps its own journal and proposes its own
blocks, so the key signs two NOTARIZE votes for every view that it leads.
"""

from typing import Any

from harness.sim.villains.puppet import Puppet, Puppeteer

from consensus.messages import ConsensusMessage


class Equivocator(Puppeteer):
    def __init__(self, index: int, cluster: Any) -> None:
        super().__init__(index, cluster)
        self.puppets = [Puppet(self, which) for which in (0, 1)]
        # some hear both twins, and make evidence of what they say
        sides = {other: self.random.choice((1, 2, 3)) for other in self.others}
        self._sides = tuple({other for other, side in sides.items() if side & bit} for bit in (1, 2))

    def hears(self, puppet: Puppet, source: int, message: ConsensusMessage) -> bool:
        return source in self._sides[puppet.which] or bool(self.random.random() < 0.2)

    def says(self, puppet: Puppet, message: ConsensusMessage, to: int | None) -> None:
        for target in sorted(self._sides[puppet.which]):
            if to is None or to == target:
                self.tell(target, message)
