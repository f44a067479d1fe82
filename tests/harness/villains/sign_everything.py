"""Signs all it sees, proposes on stale parents, and shows old quorums to some and not to others.

Uniform faults hardly ever find a missing parent check; this one does, because it votes to nullify and to finalise every
view, so that q - f honest votes already make a quorum of its choice.
"""

from typing import Any

from harness import toy_ledger
from harness.vote_keys import VoteKeys

from consensus.messages import ConsensusMessage, Full, GetBlock, Propose, QuorumMessage, Quorums, VoteMessage
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Quorum, Vote, make_vote, nullified
from state.block import Header, header_hash

REMEMBERED = 60  # newest quorums and headers that it plays with


class SignEverything:
    def __init__(self, index: int, world: Any, keys: VoteKeys, genesis: Header) -> None:
        self.index, self._world, self._schedule = index, world, world.schedule
        self._sign = keys.signers[index].sign
        self._headers: list[tuple[int, bytes, Header]] = [(0, header_hash(genesis), genesis)]  # (view, hash, header)
        self._quorums: list[Quorum] = []
        self._seen: set[object] = set()
        self._proposed: set[tuple[int, int]] = set()

    def start(self) -> None:
        """It only reacts."""

    def receive(self, source: int, message: ConsensusMessage) -> None:
        match message:
            case VoteMessage(vote=vote):
                self._echo(vote)
            case Propose(content=content, vote=vote, just=just):
                if isinstance(content, Full):
                    self._headers.append((vote.view, vote.block_hash, content.block.header))
                    del self._headers[:-REMEMBERED]
                self._echo(vote)
                for quorum in just:
                    self._remember(quorum)
            case QuorumMessage(quorum=quorum):
                self._remember(quorum)
            case Quorums(quorums=quorums):
                for quorum in quorums:
                    self._remember(quorum)
            case GetBlock():
                pass

    def _echo(self, vote: Vote) -> None:
        """Its own vote for whatever others vote for, and to nullify the same view."""
        if (vote.kind, vote.position) in self._seen:
            return
        self._seen.add((vote.kind, vote.position))
        if vote.kind != NULLIFY:
            self._vote_to_some(NOTARIZE, vote.position)
            self._vote_to_some(FINALIZE, vote.position)
        self._vote_to_some(NULLIFY, nullified(vote.epoch, vote.view))
        self._lead(vote.epoch, vote.view)
        self._lead(vote.epoch, vote.view + 1)

    def _remember(self, quorum: Quorum) -> None:
        if (quorum.kind, quorum.epoch, quorum.view) in self._seen:
            return
        self._seen.add((quorum.kind, quorum.epoch, quorum.view))
        self._quorums.append(quorum)
        del self._quorums[:-REMEMBERED]
        for old in self._world.random.sample(self._quorums, min(2, len(self._quorums))):
            self._to_some(QuorumMessage(old))
        self._lead(quorum.epoch, quorum.view + 1)

    def _lead(self, epoch: int, view: int) -> None:
        """In its own views: two blocks, each on a parent of its liking, each for some of the others."""
        validators = self._schedule.validators(epoch)
        signer = self._signer(epoch)
        if (epoch, view) in self._proposed or validators.leader(view) != signer:
            return
        self._proposed.add((epoch, view))
        random = self._world.random
        for salt in range(2):
            parent_view, _, parent = random.choice(self._headers[-6:] + self._headers[:1])
            time_ms = max(self._world._time(self), parent.timestamp_ms + 1)
            handed_to = self._schedule.handed_to(parent.height + 1)
            lie = (b"lie %d" % salt,)
            block = toy_ledger.build(parent, lie, time_ms, signer, validators.hash, epoch, handed_to)
            position = Position(epoch, view, min(parent_view, view - 1), header_hash(block.header))
            vote = make_vote(bytes(32), NOTARIZE, position, signer, self._sign)
            just = tuple(q for q in self._quorums if position.parent_view <= q.view < view)[-20:]
            self._headers.append((view, position.block_hash, block.header))
            self._to_some(Propose(Full(block), vote, just))

    def _signer(self, epoch: int) -> int | None:
        """Its index among the validators of an epoch."""
        members = self._schedule.members(epoch)
        return members.index(self.index) if self.index in members else None

    def _vote_to_some(self, kind: int, position: Position) -> None:
        signer = self._signer(position.epoch)
        if signer is not None and position.view > position.parent_view:
            vote = make_vote(bytes(32), kind, position, signer, self._sign)
            self._to_some(VoteMessage(vote))

    def _to_some(self, message: ConsensusMessage) -> None:
        chance = self._world.random.choice((0.3, 0.6, 1.0))
        for target in range(self._schedule.everybody):
            if target != self.index and self._world.random.random() < chance:
                self._world.carry(self.index, target, message)
