"""One real engine, everybody else played by the test: what is said to it, and what it wants done."""

from dataclasses import dataclass, field
from typing import TypeVar

from harness import toy_ledger
from harness.vote_keys import VoteKeys

from consensus import inputs
from consensus.effects import BuildBlock, CheckBlock, Effect, Persist, Send
from consensus.engine import Engine
from consensus.inputs import VIEW
from consensus.messages import ConsensusMessage, Full, Propose, QuorumMessage, VoteMessage
from consensus.records import JournalRecord, Recovered
from consensus.timers import Timing
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Quorum, Vote, make_quorum, make_vote, nullified
from state.block import Block, Header, header_hash

CHAIN = bytes(32)
E = TypeVar("E", bound=Effect)


@dataclass
class LoneEngine:
    """Engine `me` of `n`; `now_ms` moves only when the test moves it. The base of the chain is 60 s old."""

    n: int = 4
    me: int = 0
    records: tuple[JournalRecord, ...] = ()
    committed: Header | None = None
    finalization: Quorum | None = None
    may_vote: bool = True
    now_ms: int = 0
    time_ms: int = 60_000
    heard: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = VoteKeys(self.n)
        self.validators = self.keys.validators
        self.genesis = toy_ledger.genesis_header(self.validators)
        self.engine = Engine(
            chain=CHAIN,
            epoch=0,
            validators=self.validators,
            timing=Timing(),
            verify=self.keys.verify,
            recovered=Recovered(self.committed or self.genesis, self.finalization, self.records),
            signer=self.keys.signers[self.me],
            may_vote=self.may_vote,
        )
        self.step(inputs.Start(self.now_ms, self.time_ms))

    @property
    def view(self) -> int:
        return self.engine.standing().view

    # --- what others say

    def vote(self, kind: int, position: Position, signer: int) -> Vote:
        return make_vote(CHAIN, kind, position, signer, self.keys.signers[signer].sign)

    def quorum(self, kind: int, position: Position, signers: tuple[int, ...] = (1, 2, 3)) -> Quorum:
        return make_quorum([self.vote(kind, position, signer) for signer in signers], self.validators)

    def nullification(self, view: int) -> Quorum:
        return self.quorum(NULLIFY, nullified(0, view))

    def block(self, parent: Header, view: int, salt: bytes = b"") -> Block:
        """A good block of the leader of the view."""
        leader = self.validators.leader(view)
        return toy_ledger.build(parent, (b"tx" + salt,), parent.timestamp_ms + 1_000, leader, self.validators.hash)

    def position(self, block: Block, view: int, parent_view: int = 0) -> Position:
        return Position(0, view, parent_view, header_hash(block.header))

    # --- what it is told

    def step(self, given: inputs.Input) -> list[Effect]:
        self.heard = self.engine.step(given)
        return self.heard

    def hear(self, message: ConsensusMessage, peer: str = "1") -> list[Effect]:
        return self.step(inputs.MessageReceived(self.now_ms, self.time_ms, peer, message))

    def hear_quorum(self, kind: int, position: Position) -> list[Effect]:
        return self.hear(QuorumMessage(self.quorum(kind, position)))

    def hear_proposal(self, block: Block, view: int, parent_view: int = 0) -> list[Effect]:
        leader = self.validators.leader(view)
        vote = self.vote(NOTARIZE, self.position(block, view, parent_view), leader)
        return self.hear(Propose(Full(block), vote, ()), str(leader))

    def checked(self, block: Block, ok: bool = True) -> list[Effect]:
        return self.step(inputs.BlockChecked(self.now_ms, self.time_ms, 0, self.view, header_hash(block.header), ok))

    def built(self, view: int, block: Block | None) -> list[Effect]:
        return self.step(inputs.BlockBuilt(self.now_ms, self.time_ms, 0, view, block))

    def fire(self, view: int | None = None) -> list[Effect]:
        return self.step(inputs.TimerFired(self.now_ms, self.time_ms, 0, self.view if view is None else view, VIEW))

    def pass_time(self, ms: int) -> None:
        self.now_ms += ms
        self.time_ms += ms

    # --- what it wants

    def wanted(self, kind: type[E]) -> list[E]:
        """The effects of that kind in the last step."""
        return [effect for effect in self.heard if isinstance(effect, kind)]

    def said(self) -> list[ConsensusMessage]:
        return [effect.message for effect in self.wanted(Send)]

    def votes(self) -> list[tuple[int, int]]:
        """(kind, view) of the votes that the last step sent, proposals included."""
        votes = [m.vote for m in self.said() if isinstance(m, VoteMessage | Propose)]
        return [(vote.kind, vote.view) for vote in votes]

    def records_written(self) -> tuple[JournalRecord, ...]:
        return tuple(record for effect in self.wanted(Persist) for record in effect.records)


__all__ = ["CHAIN", "FINALIZE", "NOTARIZE", "NULLIFY", "BuildBlock", "CheckBlock", "LoneEngine"]
