"""Votes in epochs that are over or have not begun, and asks about them."""

from harness.sim.villains.speaker import Villain, votes_in
from msgspec.structs import replace

from consensus.messages import ConsensusMessage, GetQuorums, VoteMessage


class Reconfigurer(Villain):
    def receive(self, source: int, message: ConsensusMessage) -> None:
        for vote in votes_in(message):
            epoch = max(0, vote.epoch + self.random.choice((-2, -1, 1, 1, 7)))
            other = self.vote(vote.kind, vote.position._replace(epoch=epoch))
            mine = self.vote(vote.kind, vote.position)
            if other is not None:
                self.tell_some(VoteMessage(other))
            if mine is not None:
                # signed in one epoch, sent as a vote of another
                self.tell_some(VoteMessage(replace(mine, epoch=epoch)))
                self.tell_some(VoteMessage(mine))
            if self.random.random() < 0.1:
                self.tell(source, GetQuorums(epoch, 0))
