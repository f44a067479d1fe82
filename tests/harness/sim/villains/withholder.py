"""Tells each thing to a few only, and never answers who asks: blocks and quorums have to come from somebody else."""

from harness.sim.villains.puppet import Puppet, Puppeteer

from consensus.messages import BlockBody, Blocks, ConsensusMessage, Quorums


class Withholder(Puppeteer):
    def says(self, puppet: Puppet, message: ConsensusMessage, to: int | None) -> None:
        if isinstance(message, BlockBody | Blocks | Quorums):
            return
        chance = self.random.choice((0.0, 0.3, 0.6))
        for target in self.others if to is None else [to]:
            if self.random.random() < chance:
                self.tell(target, message)
