"""Messages of the wrong epoch, the far future and the wrong hands."""

from harness.lone_engine import NOTARIZE, NULLIFY, LoneEngine

from consensus import inputs
from consensus.effects import Blame, EvidenceFound, ServeBlock, ServeBlocks, ServeBoundary
from consensus.evidence import make_evidence
from consensus.messages import (
    BlockBody,
    Evidence,
    Full,
    GetBlock,
    GetBlocks,
    GetQuorums,
    Propose,
    QuorumMessage,
    Quorums,
    Status,
    VoteMessage,
)
from consensus.votes import Position, Vote, make_quorum, nullified


def test_message_of_an_older_epoch_is_answered_with_its_end() -> None:
    alone = LoneEngine()
    alone.engine._epoch = 5
    alone.hear(VoteMessage(alone.vote(NULLIFY, nullified(3, 1), 1)), peer="late")
    assert [(effect.peer, effect.of_epoch) for effect in alone.wanted(ServeBoundary)] == [("late", 3)]


def test_message_of_a_newer_epoch_makes_it_ask_for_the_end_of_its_own() -> None:
    alone = LoneEngine()
    alone.hear(Status(4, 1, 1, bytes(32)), peer="ahead")
    assert GetQuorums(0, 0) in alone.said()


def test_quorum_of_another_epoch_inside_a_proposal_is_not_learnt() -> None:
    alone = LoneEngine()
    position = Position(0, 1, 0, b"\1" * 32)
    foreign = alone.quorum(NULLIFY, nullified(1, 1))
    alone.hear(Quorums(0, None, (foreign,)))
    alone.hear(Propose(Full(alone.block(alone.genesis, 1)), alone.vote(NOTARIZE, position, 1), (foreign,)))
    assert alone.view == 1


def test_votes_of_the_far_future_are_not_counted() -> None:
    alone = LoneEngine()
    for view in range(4, 500):
        alone.hear(VoteMessage(alone.vote(NULLIFY, nullified(0, view), 1)))
    assert len(alone.engine._tally._votes) == 0


def test_questions_about_the_far_future_are_asked_once_in_delta() -> None:
    alone = LoneEngine()
    asked = 0
    for view in range(4, 50):
        alone.hear(VoteMessage(alone.vote(NULLIFY, nullified(0, view), 1)))
        asked += sum(isinstance(message, GetQuorums) for message in alone.said())
    assert asked == 1
    alone.pass_time(500)
    alone.hear(VoteMessage(alone.vote(NULLIFY, nullified(0, 9), 1)))
    assert GetQuorums(0, 0) in alone.said()


def test_quorum_of_the_far_future_proves_itself() -> None:
    alone = LoneEngine()
    alone.hear(QuorumMessage(alone.nullification(1_000)))
    assert alone.view == 1_001


def test_refuses_a_vote_with_a_false_signature() -> None:
    alone = LoneEngine()
    good = alone.vote(NULLIFY, nullified(0, 1), 1)
    alone.hear(VoteMessage(Vote(good.kind, *good.position, 2, good.signature)), peer="2")
    assert [effect.peer for effect in alone.wanted(Blame)] == ["2"]
    assert alone.engine._tally.first(NULLIFY, 1, 2) is None


def test_refuses_a_proposal_of_another_than_the_leader() -> None:
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    alone.hear(Propose(Full(x), alone.vote(NOTARIZE, alone.position(x, 1), 2), ()), peer="2")
    assert [effect.peer for effect in alone.wanted(Blame)] == ["2"]


def test_refuses_a_proposal_whose_signature_is_false_before_its_quorums_are_looked_at() -> None:
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    forged = Vote(NOTARIZE, *alone.position(x, 1), 1, bytes(64))
    alone.hear(Propose(Full(x), forged, (alone.nullification(7),)))
    assert alone.view == 1
    assert len(alone.wanted(Blame)) == 1


def test_refuses_a_quorum_of_too_few() -> None:
    alone = LoneEngine()
    votes = [alone.vote(NULLIFY, nullified(0, 1), signer) for signer in (1, 2)]
    alone.hear(QuorumMessage(make_quorum(votes, alone.validators)), peer="3")
    assert [effect.peer for effect in alone.wanted(Blame)] == ["3"]
    assert alone.view == 1


def test_evidence_is_told_and_passed_on_once() -> None:
    alone = LoneEngine()
    positions = [Position(0, 1, 0, bytes([i]) * 32) for i in (1, 2, 3)]
    for position in positions:
        alone.hear(VoteMessage(alone.vote(NOTARIZE, position, 2)))
    found = make_evidence(*(alone.vote(NOTARIZE, position, 2) for position in positions[:2]))
    fresh = LoneEngine()
    fresh.hear(found)
    assert [effect.evidence for effect in fresh.wanted(EvidenceFound)] == [found]
    assert found in fresh.said()
    fresh.hear(found)
    assert not fresh.wanted(EvidenceFound)
    assert not alone.wanted(EvidenceFound), "the third vote is no news about validator 2"


def test_refuses_evidence_about_an_unknown_validator() -> None:
    alone = LoneEngine()
    one, other = (Vote(NOTARIZE, 0, 1, 0, bytes([i]) * 32, 9, bytes(64)) for i in (1, 2))
    alone.hear(Evidence(one, other), peer="3")
    assert [effect.peer for effect in alone.wanted(Blame)] == ["3"]
    assert not alone.wanted(EvidenceFound)


def test_refuses_an_unverified_vote_as_evidence() -> None:
    alone = LoneEngine()
    alone.hear(VoteMessage(alone.vote(NOTARIZE, Position(0, 1, 0, b"\1" * 32), 2)))
    alone.hear(VoteMessage(Vote(NOTARIZE, 0, 1, 0, b"\2" * 32, 2, bytes(64))))
    assert not alone.wanted(EvidenceFound)


def test_blocks_are_answered_from_memory_or_from_the_shells_disk() -> None:
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    block_hash = alone.position(x, 1).block_hash
    alone.hear(GetBlock(block_hash), peer="2")
    assert [effect.block_hash for effect in alone.wanted(ServeBlock)] == [block_hash]
    alone.hear_proposal(x, 1)
    alone.hear(GetBlock(block_hash), peer="2")
    assert BlockBody(x) in alone.said()
    alone.hear(GetBlocks(3, 9), peer="2")
    assert [(effect.from_height, effect.count) for effect in alone.wanted(ServeBlocks)] == [(3, 9)]


def test_quorums_are_answered_with_the_best_finalization_and_those_above_it() -> None:
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    alone.hear_quorum(3, alone.position(x, 1))
    for view in (2, 3, 4):
        alone.hear(QuorumMessage(alone.nullification(view)))
    alone.hear(GetQuorums(0, 3), peer="2")
    (answer,) = [message for message in alone.said() if isinstance(message, Quorums)]
    assert [(quorum.kind, quorum.view) for quorum in answer.quorums] == [(3, 1), (2, 3), (2, 4)]


def test_claimed_height_only_makes_it_ask() -> None:
    alone = LoneEngine()
    before = alone.engine.standing()
    alone.hear(Status(0, 10**9, 10**9, b"\7" * 32), peer="liar")
    assert alone.said() == [GetQuorums(0, 0)]
    assert alone.engine.standing() == before


def test_status_is_told_every_two_seconds_and_to_whoever_connects() -> None:
    alone = LoneEngine()
    alone.pass_time(2_000)
    alone.step(inputs.TimerFired(alone.now_ms, alone.time_ms, 0, 1, "wake"))
    assert [type(message) for message in alone.said()] == [Status]
    alone.step(inputs.PeerUp(alone.now_ms, alone.time_ms, "3"))
    assert Status in {type(message) for message in alone.said()}
