"""Speaks in the name of others: votes under their index with its own signature, quorums that it made up."""

from harness.sim.villains.speaker import Villain, quorums_in, votes_in
from msgspec.structs import replace

from consensus.messages import ConsensusMessage, Propose, QuorumMessage, VoteMessage
from consensus.votes import FINALIZE, NULLIFY, Quorum, Vote, vote_bytes


class Impersonator(Villain):
    def receive(self, source: int, message: ConsensusMessage) -> None:
        for vote in votes_in(message):
            validators = self.validators(vote.epoch)
            if validators is None:
                continue
            other = self.random.randrange(validators.n)
            forged = self.key.sign(vote_bytes(self.chain, vote.kind, vote.position))
            for false in (replace(vote, signer=other), replace(vote, signer=other, signature=forged)):
                self.tell_some(VoteMessage(false))
                if isinstance(message, Propose):
                    self.tell_some(replace(message, vote=false))
            self._invent(vote, validators.n, validators.quorum)
        for quorum in quorums_in(message):
            self._distort(quorum)

    def _invent(self, vote: Vote, n: int, q: int) -> None:
        """A quorum of one vote, counted q times; and one of its own signatures."""
        bitmap = ((1 << q) - 1).to_bytes((n + 7) // 8, "little")
        mine = self.key.sign(vote_bytes(self.chain, vote.kind, vote.position))
        for signature in (vote.signature, mine):
            self.tell_some(QuorumMessage(Quorum(vote.kind, *vote.position, bitmap, (signature,) * q)))

    def _distort(self, quorum: Quorum) -> None:
        """A good quorum with something else in it."""
        first = quorum.signatures[:1]
        self.tell_some(QuorumMessage(replace(quorum, view=quorum.view + 1)), 0.3)
        self.tell_some(QuorumMessage(replace(quorum, signatures=first * len(quorum.signatures))), 0.3)
        self.tell_some(QuorumMessage(replace(quorum, bitmap=quorum.bitmap + b"\x01")), 0.3)
        if quorum.kind != NULLIFY:
            self.tell_some(QuorumMessage(replace(quorum, kind=FINALIZE)), 0.3)
