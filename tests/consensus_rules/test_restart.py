"""What a validator finds again after a crash, and what it must never do again."""

from harness.lone_engine import FINALIZE, NOTARIZE, NULLIFY, BuildBlock, LoneEngine

from consensus.effects import Commit, Fetch, Persist
from consensus.messages import Full, GetBlock, Propose, VoteMessage
from consensus.own_votes import OwnVotes
from consensus.records import HeldQuorum, OwnVote, VotedBlock, prunable
from consensus.votes import Position, nullified

BEFORE = LoneEngine()
X = BEFORE.block(BEFORE.genesis, 1)
X_AT_1 = BEFORE.position(X, 1)
Y = BEFORE.block(X.header, 2)
Y_AT_2 = BEFORE.position(Y, 2, parent_view=1)


def own(kind: int, position: object, signer: int = 0) -> OwnVote:
    return OwnVote(BEFORE.vote(kind, position, signer))  # type: ignore[arg-type]


def held(kind: int, position: object) -> HeldQuorum:
    return HeldQuorum(BEFORE.quorum(kind, position))  # type: ignore[arg-type]


def test_persist_comes_first_and_is_synced_before_an_own_vote_is_sent() -> None:
    alone = LoneEngine()
    alone.hear_proposal(X, 1)
    effects = alone.checked(X)
    first = effects[0]
    assert isinstance(first, Persist)
    assert first.sync
    assert [type(record) for record in first.records] == [VotedBlock, OwnVote]
    assert all(not isinstance(effect, Persist) for effect in effects[1:])
    assert alone.votes() == [(NOTARIZE, 1)]


def test_finalize_vote_is_persisted_after_the_notarization_it_rests_on() -> None:
    alone = LoneEngine()
    alone.hear_quorum(NOTARIZE, X_AT_1)
    assert [type(record) for record in alone.records_written()] == [HeldQuorum, OwnVote]
    assert alone.votes() == [(FINALIZE, 1)]


def test_relayed_quorum_alone_needs_no_sync_but_a_finalization_does() -> None:
    alone = LoneEngine()
    alone.hear_quorum(NULLIFY, nullified(0, 1))
    assert [effect.sync for effect in alone.wanted(Persist)] == [False]
    alone.hear_quorum(FINALIZE, BEFORE.position(Y, 2))
    assert [effect.sync for effect in alone.wanted(Persist)] == [True]


def test_vote_of_the_journal_is_never_contradicted() -> None:
    back = LoneEngine(records=(own(NULLIFY, nullified(0, 1)),))
    back.hear_proposal(X, 1)
    back.checked(X)
    assert back.votes() == []
    back.hear_quorum(NOTARIZE, X_AT_1)
    assert back.votes() == []
    assert back.view == 2


def test_own_votes_are_counted_again_after_a_restart() -> None:
    back = LoneEngine(records=(VotedBlock(0, 1, X), own(NOTARIZE, X_AT_1)))
    for signer in (2, 3):
        assert back.view == 1
        back.hear(VoteMessage(back.vote(NOTARIZE, X_AT_1, signer)))
    assert back.view == 2, "its own vote and two others are a quorum"


def test_finalize_vote_that_the_crash_lost_is_made_up_for() -> None:
    back = LoneEngine(records=(held(NOTARIZE, X_AT_1),))
    assert back.votes() == [(FINALIZE, 1)]
    assert back.view == 2


def test_lost_finalize_vote_is_not_made_up_for_after_a_vote_to_nullify() -> None:
    back = LoneEngine(records=(own(NULLIFY, nullified(0, 1)), held(NOTARIZE, X_AT_1)))
    assert back.votes() == []


def test_restart_enters_the_view_after_the_highest_quorum_of_any_kind() -> None:
    assert LoneEngine(records=(held(NULLIFY, nullified(0, 7)), held(NOTARIZE, X_AT_1))).view == 8
    assert LoneEngine(records=(held(NOTARIZE, BEFORE.position(X, 9)), held(NULLIFY, nullified(0, 7)))).view == 10
    assert LoneEngine(records=(held(FINALIZE, BEFORE.position(X, 5)),)).view == 6


def test_leader_sends_the_proposal_of_its_journal_and_never_builds_twice() -> None:
    block = LoneEngine(me=1).block(BEFORE.genesis, 1)
    records = (VotedBlock(0, 1, block), own(NOTARIZE, BEFORE.position(block, 1), signer=1))
    back = LoneEngine(me=1, records=records)
    proposals = [message for message in back.said() if isinstance(message, Propose)]
    assert [message.content for message in proposals] == [Full(block)]
    assert proposals[0].vote == records[1].vote  # type: ignore[union-attr]
    back.pass_time(30_000)
    back.fire()
    assert not back.wanted(BuildBlock)


def test_state_ahead_of_the_journal_moves_the_engine_up() -> None:
    """The store's Finalization is the floor: votes of the journal below it are forgotten, none is made there again."""
    finalization = BEFORE.quorum(FINALIZE, BEFORE.position(X, 9))
    back = LoneEngine(committed=X.header, finalization=finalization, records=(own(NOTARIZE, Y_AT_2),))
    assert back.view == 10
    assert back.engine.standing().own_votes == ()
    back.hear_proposal(Y, 9, parent_view=1)
    back.hear_quorum(NOTARIZE, BEFORE.position(Y, 8))
    assert back.votes() == []


def test_final_block_that_was_not_committed_before_the_crash_is_committed_at_start() -> None:
    back = LoneEngine(records=(VotedBlock(0, 1, X), held(FINALIZE, X_AT_1)))
    assert [effect.block for effect in back.wanted(Commit)] == [X]


def test_missing_final_block_is_asked_for_again_after_a_restart() -> None:
    back = LoneEngine(records=(held(FINALIZE, X_AT_1),))
    assert [effect.request for effect in back.wanted(Fetch)] == [GetBlock(X_AT_1.block_hash)]


def test_records_of_another_epoch_are_left_alone() -> None:
    back = LoneEngine(records=(own(NULLIFY, Position(3, 1, 0, bytes(32))),))
    back.hear_proposal(X, 1)
    back.checked(X)
    assert back.votes() == [(NOTARIZE, 1)]


def test_validator_without_memory_follows_but_does_not_vote() -> None:
    watching = LoneEngine(may_vote=False)
    watching.hear_proposal(X, 1)
    watching.checked(X)
    assert watching.votes() == []
    watching.hear_quorum(FINALIZE, X_AT_1)
    assert [effect.block for effect in watching.wanted(Commit)] == [X]
    watching.pass_time(60_000)
    watching.fire()
    assert watching.votes() == []


def test_validator_without_memory_leads_no_view() -> None:
    assert not LoneEngine(me=1, may_vote=False).wanted(BuildBlock)
    assert LoneEngine(me=1).wanted(BuildBlock)


def test_everything_up_to_the_final_view_may_go_except_its_finalization() -> None:
    kept = [held(FINALIZE, Y_AT_2), held(NULLIFY, nullified(0, 3)), own(NULLIFY, nullified(0, 3))]
    gone = [own(NOTARIZE, Y_AT_2), VotedBlock(0, 2, Y), held(NOTARIZE, Y_AT_2), held(FINALIZE, X_AT_1)]
    assert [prunable(record, 0, 2) for record in (*kept, *gone)] == [False] * 3 + [True] * 4
    assert all(prunable(record, 1, 0) for record in (*kept, *gone)), "an epoch that is over"


def test_vote_at_or_below_the_final_view_is_never_made() -> None:
    """The journal is pruned there: a vote that was forgotten could be contradicted."""
    signer = BEFORE.keys.signers[0]
    own_votes = OwnVotes(bytes(32), signer, 0, may_vote=True)
    assert own_votes.make(NULLIFY, nullified(0, 4), final_view=4) is None
    assert own_votes.make(NULLIFY, nullified(0, 5), final_view=4) is not None
