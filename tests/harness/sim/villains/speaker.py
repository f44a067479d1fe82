"""What all villains have: a vote key without a guard, and a way to say different things to different people."""

from typing import Any

from harness.sim.beginning import vote_key_name
from harness.sim.keys import careless_signer
from harness.sim.villains.state_liar import StateLiar

from consensus.messages import ConsensusMessage, Propose, QuorumMessage, Quorums, VoteMessage
from consensus.validators import ValidatorSet
from consensus.votes import Position, Quorum, Vote, make_vote, well_formed


class Villain:
    def __init__(self, index: int, cluster: Any) -> None:
        self.index, self.cluster, self.random = index, cluster, cluster.random
        self.chain: bytes = cluster.executions.chain
        self.key = careless_signer(vote_key_name(index), cluster.options.whole)
        self.liar = StateLiar(index, cluster)
        # liars do not answer each other: two that react to everything would talk for ever
        liars = cluster.options.villains
        self.others = [other for other in range(cluster.options.everybody) if other not in liars]

    def start(self) -> None:
        """Most only react."""

    def receive(self, source: int, message: ConsensusMessage) -> None:
        raise NotImplementedError

    # --- its place

    def validators(self, epoch: int) -> ValidatorSet | None:
        keys = self.cluster.watch.sets.get(epoch)
        return None if keys is None else ValidatorSet(keys)

    def signer(self, epoch: int) -> int | None:
        """Its index among the validators of an epoch."""
        keys = self.cluster.watch.sets.get(epoch, ())
        return keys.index(self.key.vote_key) if self.key.vote_key in keys else None

    # --- speaking

    def vote(self, kind: int, position: Position) -> Vote | None:
        """Its vote for anything whatever, if that can be said at all."""
        signer = self.signer(position.epoch)
        if signer is None or not well_formed(kind, position):
            return None
        return make_vote(self.chain, kind, position, signer, self.key.sign)

    def tell(self, target: int, message: ConsensusMessage) -> None:
        self.cluster.carry(self.index, target, message)

    def tell_some(self, message: ConsensusMessage, chance: float | None = None) -> None:
        chance = self.random.choice((0.3, 0.6, 1.0)) if chance is None else chance
        for target in self.others:
            if self.random.random() < chance:
                self.tell(target, message)

    def vote_to_some(self, kind: int, position: Position) -> None:
        vote = self.vote(kind, position)
        if vote is not None:
            self.tell_some(VoteMessage(vote))


def quorums_in(message: ConsensusMessage) -> tuple[Quorum, ...]:
    match message:
        case Propose(just=just):
            return just
        case QuorumMessage(quorum=quorum):
            return (quorum,)
        case Quorums(quorums=quorums):
            return quorums
    return ()


def votes_in(message: ConsensusMessage) -> tuple[Vote, ...]:
    match message:
        case Propose(vote=vote) | VoteMessage(vote=vote):
            return (vote,)
    return ()
