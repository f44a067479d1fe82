"""Signs all it sees, proposes on stale parents, and shows old quorums to some and not to others.

Uniform faults hardly ever find a missing parent check; this one does, because it votes to nullify and to finalise every
view, so that q - f honest votes already make a quorum of its choice.
"""

from typing import Any

from harness.sim.villains.speaker import Villain, quorums_in, votes_in

from consensus.messages import Again, ConsensusMessage, Full, Propose, QuorumMessage
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Quorum, Vote, nullified
from state.block import header_hash

REMEMBERED = 60  # newest quorums and headers that it plays with


class SignEverything(Villain):
    def __init__(self, index: int, cluster: Any) -> None:
        super().__init__(index, cluster)
        self._blocks: list[tuple[int, bytes]] = [(0, cluster.executions.tip.hash)]  # (view, hash)
        self._quorums: list[Quorum] = []
        self._seen: set[object] = set()
        self._proposed: set[tuple[int, int]] = set()

    def receive(self, source: int, message: ConsensusMessage) -> None:
        if isinstance(message, Propose) and isinstance(message.content, Full):
            self._blocks.append((message.vote.view, message.vote.block_hash))
            del self._blocks[:-REMEMBERED]
        for vote in votes_in(message):
            self._echo(vote)
        for quorum in quorums_in(message):
            self._remember(quorum)

    def _echo(self, vote: Vote) -> None:
        """Its own vote for whatever others vote for, and to nullify the same view."""
        if (vote.kind, vote.position) in self._seen:
            return
        self._seen.add((vote.kind, vote.position))
        if vote.kind != NULLIFY:
            self.vote_to_some(NOTARIZE, vote.position)
            self.vote_to_some(FINALIZE, vote.position)
        self.vote_to_some(NULLIFY, nullified(vote.epoch, vote.view))
        self._lead(vote.epoch, vote.view)
        self._lead(vote.epoch, vote.view + 1)

    def _remember(self, quorum: Quorum) -> None:
        if (quorum.kind, quorum.epoch, quorum.view) in self._seen:
            return
        self._seen.add((quorum.kind, quorum.epoch, quorum.view))
        self._quorums.append(quorum)
        del self._quorums[:-REMEMBERED]
        for old in self.random.sample(self._quorums, min(2, len(self._quorums))):
            self.tell_some(QuorumMessage(old))
        self._lead(quorum.epoch, quorum.view + 1)

    def _lead(self, epoch: int, view: int) -> None:
        """In its own views: two blocks, each on a parent of its liking, each for some of the others."""
        validators, signer = self.validators(epoch), self.signer(epoch)
        if validators is None or signer is None or validators.leader(view) != signer:
            return
        if (epoch, view) in self._proposed:
            return
        self._proposed.add((epoch, view))
        for salt in range(2):
            parent_view, parent_hash = self.random.choice(self._blocks[-6:] + self._blocks[:1])
            if not self.cluster.executions.knows(parent_hash):
                continue
            self._propose(epoch, view, parent_view, parent_hash, signer, salt)

    def _propose(self, epoch: int, view: int, parent_view: int, parent_hash: bytes, signer: int, salt: int) -> None:
        executions = self.cluster.executions
        time_ms = self.cluster.time_ms(self) + salt
        block, _ = executions.build_with_refused(parent_hash, (), time_ms, signer)
        again = self.random.random() < 0.1
        block_hash = parent_hash if again else header_hash(block.header)
        position = Position(epoch, view, min(parent_view, view - 1), block_hash)
        vote = self.vote(NOTARIZE, position)
        if vote is None:
            return
        just = tuple(q for q in self._quorums if q.epoch == epoch and position.parent_view <= q.view < view)[-20:]
        self._blocks.append((view, block_hash))
        self.tell_some(Propose(Again(block_hash) if again else Full(block), vote, just))
