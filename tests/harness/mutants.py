"""The engine with one rule left out: what the simulator must notice, or its green runs mean nothing.

Numbers are those of the protocol's list of mutants. Each is a function that changes the modules through pytest's
monkeypatch and returns keyword arguments for `Simulation`.
"""

from collections.abc import Callable
from typing import Any

import pytest

from consensus import engine, light, own_votes
from consensus.engine import Engine
from consensus.messages import Full, Propose
from consensus.outbox import Outbox
from consensus.proposals import Proposals
from consensus.records import HeldQuorum, JournalRecord, OwnVote, Recovered
from consensus.tally import Counted, Tally
from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Quorum, Vote, make_quorum, vote_holds

Mutant = Callable[[pytest.MonkeyPatch], dict[str, Any]]


def finalize_after_nullify(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """1"""
    patch.setitem(own_votes.FORBIDDEN_AFTER, FINALIZE, (FINALIZE,))
    return {}


def quorum_of_2f_plus_1(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """2"""
    whole = ValidatorSet.__init__

    def smaller(self: ValidatorSet, vote_keys: tuple[bytes, ...]) -> None:
        whole(self, vote_keys)
        self.quorum = 2 * self.f + 1

    patch.setattr(ValidatorSet, "__init__", smaller)
    return {}


def parent_not_checked(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """3"""
    patch.setattr(Proposals, "_parent_allowed", lambda self, position: True)
    return {}


def sent_before_durable(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """4"""
    return {"send_before_sync": True}


def _not_durable(patch: pytest.MonkeyPatch, lost: Callable[[JournalRecord], bool]) -> dict[str, Any]:
    whole = Outbox.persist
    patch.setattr(Outbox, "persist", lambda self, record: None if lost(record) else whole(self, record))
    return {}


def nullify_not_durable(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """5"""
    return _not_durable(patch, lambda record: isinstance(record, OwnVote) and record.vote.kind == NULLIFY)


def builds_again_after_restart(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """7"""

    class BuildsAgain(Engine):
        def _replay(self, recovered: Recovered) -> None:
            super()._replay(recovered)
            for vote in tuple(self._own):
                if vote.kind == NOTARIZE and self._leader(vote.view) == self._me:
                    del self._own._sent[vote.view, NOTARIZE]

    return {"engine_type": BuildsAgain}


def last_proposal_wins(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """8"""
    patch.setitem(own_votes.FORBIDDEN_AFTER, NOTARIZE, (NULLIFY,))

    class LastWins(Engine):
        def _on_propose(self, peer: str, message: Propose) -> None:
            super()._on_propose(peer, message)
            vote, content = message.vote, message.content
            known = self._proposals.get(vote.view)
            good = vote_holds(vote, self._validators, self._chain, self._verify)
            if known and known != vote.position and vote.view == self._view and good and isinstance(content, Full):
                self._proposals._first[vote.view] = vote.position
                self._follower.bodies.add(content.block)
                self._own._sent.pop((vote.view, NOTARIZE), None)

    return {"engine_type": LastWins}


def signer_counted_twice(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """9"""

    class Careless(Tally):
        def add(self, vote: Vote) -> tuple[Counted, Vote | None]:
            counted = super().add(vote)
            if counted[0] is not Counted.CONFLICTING:
                self.__dict__.setdefault("all", []).append(vote)
            return counted

        def quorum(self, kind: int, position: Position) -> Quorum | None:
            equal = [vote for vote in self.__dict__.get("all", []) if (vote.kind, vote.position) == (kind, position)]
            return make_quorum(equal, self._validators) if len(equal) >= self._validators.quorum else None

    class CountsTwice(Engine):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self._tally = Careless(self._validators)

        def _on_vote(self, peer: str, vote: Vote) -> None:
            if self._in_window(vote.view) and vote_holds(vote, self._validators, self._chain, self._verify):
                self._count(vote)

    patch.setattr(engine, "check_quorum", lambda *_: None)
    patch.setattr(light, "check_quorum", lambda *_: None)
    return {"engine_type": CountsTwice}


def own_votes_not_counted_again(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """10"""
    patch.setattr(Engine, "_recount_own_votes", lambda self: None)
    return {}


def nothing_sent_again(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """11 and 12"""
    patch.setattr(Engine, "_send_again", lambda self, to: None)
    return {}


def quorums_not_durable(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """13"""
    return _not_durable(patch, lambda record: isinstance(record, HeldQuorum) and record.quorum.kind != FINALIZE)


def nullified_node_ignores_the_notarization(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """15"""
    whole = Engine._on_quorum

    def sulking(self: Engine, quorum: Quorum) -> None:
        if not (quorum.kind == NOTARIZE and self._own.made(quorum.view, NULLIFY)):
            whole(self, quorum)

    patch.setattr(Engine, "_on_quorum", sulking)
    return {}


def view_advanced_by_timer(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """16"""
    whole = Engine._on_timer

    def impatient(self: Engine, view: int) -> None:
        due = view == self._view and self._clock.now_ms >= self._clock._deadline_ms
        whole(self, view)
        if due:
            self._enter(view + 1)

    patch.setattr(Engine, "_on_timer", impatient)
    return {}
