"""The protocol's own list of rules that are easy to leave out (consensus.md section 11)."""

from typing import Any

import pytest
from harness.mutation import mutant
from harness.sim.node import SimNode

from consensus import engine, follower, leading, light, own_votes
from consensus.engine import Engine
from consensus.held import HeldQuorums
from consensus.inputs import Peer
from consensus.messages import ConsensusMessage, Full, Propose, QuorumMessage
from consensus.outbox import Outbox
from consensus.own_votes import OwnVotes
from consensus.proposals import Proposals
from consensus.records import HeldQuorum, JournalRecord, OwnVote, Recovered
from consensus.tally import Counted, Tally
from consensus.timers import Timing
from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Quorum, Vote, make_quorum, vote_holds
from contracts import evidence as evidence_rules
from node import journal, ledger, office

DENSE = {"crash": 0.012, "n": 4, "live": True}


@mutant("1", n=4)
def finalize_after_nullify(patch: pytest.MonkeyPatch) -> None:
    """a node votes to finalise a view that it voted to nullify"""
    patch.setitem(own_votes.FORBIDDEN_AFTER, FINALIZE, (FINALIZE, FINALIZE))


@mutant("2", n=6)
def quorum_of_2f_plus_1(patch: pytest.MonkeyPatch) -> None:
    """a quorum is 2f+1 and not n-f"""
    whole = ValidatorSet.__init__

    def smaller(self: ValidatorSet, vote_keys: tuple[bytes, ...]) -> None:
        whole(self, vote_keys)
        self.quorum = 2 * self.f + 1

    patch.setattr(ValidatorSet, "__init__", smaller)


@mutant("3", n=4, liars=1, villain="sign_everything")
def parent_not_checked(patch: pytest.MonkeyPatch) -> None:
    """parent and nullifications of a proposal are not looked at"""
    patch.setattr(Proposals, "_parent_allowed", lambda self, position: True)


@mutant("4", **DENSE)
def sent_before_durable(patch: pytest.MonkeyPatch) -> None:
    """votes leave before they are synced"""
    patch.setattr(SimNode, "sends_before_sync", True)


def _not_durable(patch: pytest.MonkeyPatch, lost: Any) -> None:
    whole = Outbox.persist
    patch.setattr(Outbox, "persist", lambda self, record: None if lost(record) else whole(self, record))


def _own(record: JournalRecord, kind: int) -> bool:
    return isinstance(record, OwnVote) and record.vote.kind == kind


@mutant("5", **DENSE)
def nullify_not_durable(patch: pytest.MonkeyPatch) -> None:
    """NULLIFY votes are not kept in the journal"""
    _not_durable(patch, lambda record: _own(record, NULLIFY))


@mutant("6", **DENSE)
def votes_below_final_view(patch: pytest.MonkeyPatch) -> None:
    """votes are made at and below the best Finalization, where the journal is pruned"""
    make = OwnVotes.make
    patch.setattr(OwnVotes, "make", lambda self, kind, position, final_view: make(self, kind, position, -1))
    patch.setattr(Engine, "_in_window", lambda self, view: view <= self._view + engine.VIEWS_AHEAD)
    patch.setattr(HeldQuorums, "final_view", property(lambda self: 0))


@mutant("7", **DENSE)
def builds_again_after_restart(patch: pytest.MonkeyPatch) -> None:
    """a leader that restarts in its view forgets that it proposed"""
    whole = Engine._replay

    def forgetting(self: Engine, recovered: Recovered) -> None:
        whole(self, recovered)
        for vote in tuple(self._own):
            if vote.kind == NOTARIZE and self._leader(vote.view) == self._me:
                del self._own._sent[vote.view, NOTARIZE]

    patch.setattr(Engine, "_replay", forgetting)


@mutant("8", liars=1, villain="equivocator", n=4)
def last_proposal_wins(patch: pytest.MonkeyPatch) -> None:
    """a second proposal of a view is voted for too"""
    patch.setitem(own_votes.FORBIDDEN_AFTER, NOTARIZE, (NULLIFY, NULLIFY))
    whole = Engine._on_propose

    def gullible(self: Engine, peer: str, message: Propose) -> None:
        whole(self, peer, message)
        vote, content = message.vote, message.content
        known = self._proposals.get(vote.view)
        good = vote_holds(vote, self._validators, self._chain, self._verify)
        if known and known != vote.position and vote.view == self._view and good and isinstance(content, Full):
            self._proposals._first[vote.view] = vote.position
            self._follower.bodies.add(content.block)
            self._own._sent.pop((vote.view, NOTARIZE), None)

    patch.setattr(Engine, "_on_propose", gullible)


class _Careless(Tally):
    def add(self, vote: Vote) -> tuple[Counted, Vote | None]:
        counted = super().add(vote)
        if counted[0] is not Counted.CONFLICTING:
            self.__dict__.setdefault("all", []).append(vote)
        return counted

    def quorum(self, kind: int, position: Position) -> Quorum | None:
        equal = [vote for vote in self.__dict__.get("all", []) if (vote.kind, vote.position) == (kind, position)]
        return make_quorum(equal, self._validators) if len(equal) >= self._validators.quorum else None


@mutant("9", duplication=0.05, n=4)
def signer_counted_twice(patch: pytest.MonkeyPatch) -> None:
    """the same vote counts each time it comes"""

    def counting(self: Engine, peer: str, vote: Vote) -> None:
        if self._in_window(vote.view) and vote_holds(vote, self._validators, self._chain, self._verify):
            self._count(vote)

    patch.setattr(engine, "Tally", _Careless)
    patch.setattr(Engine, "_on_vote", counting)
    patch.setattr(engine, "check_quorum", lambda *_: None)
    patch.setattr(light, "check_quorum", lambda *_: None)


@mutant("10", n=4, crash=0.012, live=True, liars=0)
def own_votes_not_counted_again(patch: pytest.MonkeyPatch) -> None:
    """after a restart a node does not count its own votes"""
    patch.setattr(Engine, "_recount_own_votes", lambda self: None)


@mutant("11", live=True, loss=0.25, n=4)
def own_votes_not_sent_again(patch: pytest.MonkeyPatch) -> None:
    """a timer sends quorums again and no votes"""

    def only_quorums(self: Engine, to: Peer | None) -> None:
        for quorum in self._held.newest():
            self._out.send(QuorumMessage(quorum), to)
        self._propose_again(to)

    patch.setattr(Engine, "_send_again", only_quorums)


@mutant("12", live=True, loss=0.25, n=4)
def quorums_not_sent_again(patch: pytest.MonkeyPatch) -> None:
    """a timer sends votes again and no quorums"""
    whole = Engine._send_again

    def only_votes(self: Engine, to: Peer | None) -> None:
        newest, self._held.newest = self._held.newest, lambda: ()  # type: ignore[method-assign]
        whole(self, to)
        self._held.newest = newest  # type: ignore[method-assign]

    patch.setattr(Engine, "_send_again", only_votes)


@mutant("13", **DENSE)
def quorums_not_durable(patch: pytest.MonkeyPatch) -> None:
    """Notarizations and Nullifications are not kept in the journal"""
    _not_durable(patch, lambda record: isinstance(record, HeldQuorum) and record.quorum.kind != FINALIZE)


@mutant("14")
def no_quorum_relay(patch: pytest.MonkeyPatch) -> None:
    """a quorum is kept and not passed on"""
    whole = Outbox.send

    def mute(self: Outbox, message: ConsensusMessage, to: Peer | None = None) -> None:
        if not (isinstance(message, QuorumMessage) and to is None and _caller() == "_on_quorum"):
            whole(self, message, to)

    patch.setattr(Outbox, "send", mute)


def _caller() -> str:
    import sys

    return sys._getframe(2).f_code.co_name


@mutant("15", live=True, n=4)
def nullified_node_ignores_the_notarization(patch: pytest.MonkeyPatch) -> None:
    """who voted to nullify a view does not learn its Notarization"""
    whole = Engine._on_quorum

    def sulking(self: Engine, quorum: Quorum) -> None:
        if not (quorum.kind == NOTARIZE and self._own.made(quorum.view, NULLIFY, NULLIFY)):
            whole(self, quorum)

    patch.setattr(Engine, "_on_quorum", sulking)


@mutant("16", n=4)
def view_advanced_by_timer(patch: pytest.MonkeyPatch) -> None:
    """a node goes on to the next view when its time is over, without a quorum"""
    whole = Engine._on_timer

    def impatient(self: Engine, view: int) -> None:
        due = view == self._view and self._clock.now_ms >= self._clock._deadline_ms
        whole(self, view)
        if due:
            self._enter(view + 1)

    patch.setattr(Engine, "_on_timer", impatient)


@mutant("17", n=4, loss=0.25, live=True, delay_ms=(1, 2_000))
def backoff_without_cap(patch: pytest.MonkeyPatch) -> None:
    """timers grow without end"""

    def patience(self: Timing, view: int, final_view: int) -> int:
        k = max(0, view - final_view - 2)
        return int(4 * self.delta_ms * 1.5 ** min(k, 40))

    patch.setattr(Timing, "patience_ms", patience)


@mutant("18")
def backoff_reset_by_notarization(patch: pytest.MonkeyPatch) -> None:
    """timers count views since the last Notarization and not since the last Finalization"""

    def patience(self: Engine) -> int:
        notarized = [quorum.view for quorum in self._held.notarizations()]
        return self._timing.patience_ms(self._view, max(self._held.final_view, *notarized, 0))

    patch.setattr(Engine, "_patience_ms", patience)


@mutant("19")
def no_backoff(patch: pytest.MonkeyPatch) -> None:
    """every view gets the same time"""
    patch.setattr(Timing, "patience_ms", lambda self, view, final_view: 4 * self.delta_ms)


@mutant("20", epoch_length=6, n=4)
def older_epochs_dropped(patch: pytest.MonkeyPatch) -> None:
    """who is in an older epoch gets no answer"""
    patch.setattr(Engine, "_same_epoch", lambda self, peer, message: engine.epoch_of(message) in (None, self._epoch))


@mutant(
    "21",
    crash=0.004,
    equivalent="FINALIZE is made on a Notarization, and the same step enters the next view, also after a restart; "
    "NULLIFY is only ever made for the view that the node is in",
)
def nullify_after_finalize(patch: pytest.MonkeyPatch) -> None:
    """a node votes to nullify a view that it voted to finalise"""
    patch.setitem(own_votes.FORBIDDEN_AFTER, NULLIFY, (NULLIFY, NULLIFY))


@mutant("22", epoch_length=6, n=4, loss=0.25)
def builds_on_the_boundary(patch: pytest.MonkeyPatch) -> None:
    """a block is built on the epoch's last one before that is final"""
    patch.setattr(leading.Leading, "again", lambda self, view: None)


def _signs_less(patch: pytest.MonkeyPatch, **blank: Any) -> None:
    from consensus import votes

    whole = votes.vote_bytes

    def less(chain: bytes, kind: int, position: Position) -> bytes:
        chain = bytes(32) if "chain" in blank else chain
        return whole(chain, kind, position._replace(epoch=0) if "epoch" in blank else position)

    patch.setattr(votes, "vote_bytes", less)


@mutant("23a", epoch_length=6, liars=1, villain="reconfigurer", n=4)
def epoch_not_signed(patch: pytest.MonkeyPatch) -> None:
    """a vote's signature does not cover its epoch"""
    _signs_less(patch, epoch=True)


@mutant("23b")
def chain_not_signed(patch: pytest.MonkeyPatch) -> None:
    """a vote's signature does not cover its chain"""
    _signs_less(patch, chain=True)


@mutant("24", "tests/network/test_voting.py", n=4, liars=0, use="forgets", epoch_length=6)
def amnesiac_votes_at_once(patch: pytest.MonkeyPatch) -> None:
    """a validator that lost its votes goes on voting"""
    whole = office.Engine.__init__

    def careless(self: Engine, **settings: Any) -> None:
        whole(self, **{**settings, "may_vote": True})

    patch.setattr(Engine, "__init__", careless)


@mutant("25", "tests/network/test_journal.py")
def damage_taken_for_a_torn_tail(patch: pytest.MonkeyPatch) -> None:
    """a bad record in the middle of the journal is cut off with all that follows"""
    patch.setattr(journal, "_good_record_after", lambda data, offset: False)


@mutant("26a", "tests/ledger/test_ledger.py", "tests/network/test_damage.py", seed_step=50, crash=0.012)
def meta_outside_the_batch(patch: pytest.MonkeyPatch) -> None:
    """the row that says where the store stands is written in a batch of its own"""
    whole = ledger.Store.write

    def twice(self: Any, batch: Any, sync: bool = True, decoded: Any = None) -> None:
        meta = {key: value for key, value in batch.items() if key == ledger.META_KEY}
        whole(self, {key: value for key, value in batch.items() if key not in meta}, sync, decoded)
        if meta:
            whole(self, meta, sync)

    patch.setattr(ledger.Store, "write", twice)


@mutant("26b", n=4, loss=0.1)
def committed_before_its_parent(patch: pytest.MonkeyPatch) -> None:
    """final blocks are committed newest first"""
    patch.setattr(follower, "reversed", list, raising=False)


@mutant("27")
def no_vote_window(patch: pytest.MonkeyPatch) -> None:
    """votes of any view ahead are kept"""
    patch.setattr(engine, "VIEWS_AHEAD", 10**9)


@mutant("28", "tests/rules/test_validators.py")
def evidence_counted_twice(patch: pytest.MonkeyPatch) -> None:
    """the same double vote is shown, and booked, again and again"""
    whole = evidence_rules.check

    def check(context: Any, action: Any) -> None:
        from state.errors import AlreadyExists

        try:
            whole(context, action)
        except AlreadyExists:
            return

    from contracts import transition

    kind = transition.KINDS[evidence_rules.Evidence]
    patch.setitem(
        transition.KINDS, evidence_rules.Evidence, transition.Kind(kind.name, check, kind.apply, kind.describe)
    )
