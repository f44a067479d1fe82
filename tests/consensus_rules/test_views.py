"""Traps of the view logic, each of which stopped or split some chain before."""

from harness.lone_engine import FINALIZE, NOTARIZE, NULLIFY, BuildBlock, CheckBlock, LoneEngine

from consensus import inputs
from consensus.effects import Blame, Commit, Fetch, Halt, SetTimer
from consensus.held import HeldQuorums
from consensus.inputs import VIEW
from consensus.messages import (
    Again,
    BlockBody,
    Blocks,
    Full,
    GetBlock,
    GetBlocks,
    GetQuorums,
    Propose,
    QuorumMessage,
    Quorums,
    VoteMessage,
)
from consensus.votes import nullified
from state.block import Block


def test_timer_that_was_queued_before_the_quorum_changes_nothing() -> None:
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    alone.hear_quorum(NOTARIZE, alone.position(x, 1))
    alone.pass_time(12_000)
    alone.fire(view=1)
    assert alone.votes() == []
    assert not [effect for effect in alone.wanted(SetTimer) if effect.purpose == VIEW]
    assert alone.view == 2


def test_timer_that_was_replaced_is_asked_for_again() -> None:
    alone = LoneEngine()
    alone.pass_time(11_999)
    alone.fire()
    assert alone.votes() == []
    assert [effect.at_ms for effect in alone.wanted(SetTimer) if effect.purpose == VIEW] == [12_000]
    alone.pass_time(1)
    alone.fire()
    assert alone.votes() == [(NULLIFY, 1)]


def test_timer_alone_never_advances_the_view() -> None:
    alone = LoneEngine()
    for _ in range(5):
        alone.pass_time(30_000)
        alone.fire()
    assert alone.view == 1


def test_node_that_nullified_still_builds_on_the_notarization() -> None:
    alone = LoneEngine(me=2)
    x = alone.block(alone.genesis, 1)
    alone.pass_time(12_000)
    alone.fire()
    alone.hear_proposal(x, 1)
    alone.hear(QuorumMessage(alone.quorum(NOTARIZE, alone.position(x, 1), (0, 1, 3))))
    assert alone.view == 2
    alone.pass_time(10_000)
    alone.checked(x)
    assert [effect.parent for effect in alone.wanted(BuildBlock)] == [x.header]


def test_leader_that_came_by_one_far_quorum_asks_and_then_builds() -> None:
    alone = LoneEngine()
    alone.hear(QuorumMessage(alone.nullification(3)))
    assert alone.view == 4
    assert GetQuorums(0, 0) in alone.said()
    alone.hear(Quorums(0, None, (alone.nullification(1), alone.nullification(2))))
    assert [effect.parent for effect in alone.wanted(BuildBlock)] == [alone.genesis]


def test_answer_of_a_full_page_is_followed_by_the_next_question() -> None:
    alone = LoneEngine()
    alone.hear(Quorums(0, None, tuple(alone.nullification(view) for view in range(1, 65))), peer="2")
    assert GetQuorums(0, 65) in alone.said()


def test_leader_that_missed_hundreds_of_nullifications_asks_for_page_after_page() -> None:
    """An outage of two hundred views, entered at its end by one far quorum. What was already learnt of the pages does
    not advance the view, and asking for the first page again and again would leave the gap open for ever."""
    alone, other = LoneEngine(), HeldQuorums(None)
    for view in range(1, 200):
        other.add(alone.nullification(view))
    alone.hear(QuorumMessage(alone.nullification(199)))
    assert alone.view == 200
    for _ in range(12):
        questions = [message for message in alone.said() if isinstance(message, GetQuorums)]
        if alone.wanted(BuildBlock) or not questions:
            break
        alone.hear(Quorums(0, None, other.page(questions[0].from_view)), peer="2")
    assert alone.wanted(BuildBlock), "it never knew on what to build"


def test_pages_that_lead_nowhere_are_not_asked_for_again_at_once() -> None:
    alone = LoneEngine()
    page = Quorums(0, None, tuple(alone.nullification(view) for view in range(1, 65)))
    asked = [message for _ in range(5) for message in alone.hear(page, peer="2") and alone.said()]
    assert sum(isinstance(message, GetQuorums) for message in asked) == 1


def test_notarised_block_is_not_proposed_again_within_an_epoch() -> None:
    """Only the epoch's last block may be its own parent."""
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    alone.hear_proposal(x, 1)
    alone.checked(x)
    alone.hear_quorum(NOTARIZE, alone.position(x, 1))
    alone.hear_proposal(x, 2, parent_view=1)
    assert alone.votes() == [(NULLIFY, 2)]


def test_batch_that_is_no_chain_is_not_committed_whatever_its_finalization() -> None:
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    stranger = alone.block(alone.block(alone.genesis, 1, b"other").header, 2)
    final = alone.quorum(FINALIZE, alone.position(stranger, 2, 1))
    alone.hear(Blocks((x, stranger), (), final), peer="2")
    assert alone.wanted(Commit) == []
    assert [blame.peer for blame in alone.wanted(Blame)] == ["2"]


def test_quorum_is_relayed_even_if_it_seems_redundant() -> None:
    """The other quorum of the same view, after the view is over: somebody may be waiting for just that one."""
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    alone.hear(QuorumMessage(alone.nullification(1)))
    alone.hear_quorum(NOTARIZE, alone.position(x, 1))
    assert QuorumMessage(alone.quorum(NOTARIZE, alone.position(x, 1))) in alone.said()


def test_late_answers_of_the_shell_fall_through() -> None:
    alone = LoneEngine(me=1)
    x = alone.block(alone.genesis, 1)
    assert alone.wanted(BuildBlock)
    alone.hear(QuorumMessage(alone.quorum(NULLIFY, nullified(0, 1), (0, 2, 3))))
    alone.built(1, x)
    assert alone.votes() == []
    alone.step(inputs.BlockChecked(0, alone.time_ms, 0, 1, b"\1" * 32, True))
    assert alone.votes() == []


def test_block_that_could_not_be_built_gives_up_the_view_at_once() -> None:
    alone = LoneEngine(me=1)
    alone.built(1, None)
    assert alone.votes() == [(NULLIFY, 1)]


def test_second_block_for_a_view_is_not_proposed() -> None:
    alone = LoneEngine(me=1)
    alone.built(1, alone.block(alone.genesis, 1))
    assert alone.votes() == [(NOTARIZE, 1)]
    alone.built(1, alone.block(alone.genesis, 1, b"other"))
    assert alone.votes() == []


def test_second_proposal_of_a_view_gets_no_vote() -> None:
    alone = LoneEngine()
    first, second = alone.block(alone.genesis, 1), alone.block(alone.genesis, 1, b"other")
    alone.hear_proposal(first, 1)
    alone.checked(first)
    alone.hear_proposal(second, 1)
    alone.checked(second)
    assert alone.votes() == []
    assert not alone.wanted(CheckBlock)


def test_ancestors_are_executed_before_a_block_that_builds_on_them() -> None:
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    y = alone.block(x.header, 2)
    alone.hear_quorum(NOTARIZE, alone.position(x, 1))
    alone.hear_proposal(y, 2, parent_view=1)
    assert [effect.request for effect in alone.wanted(Fetch)] == [GetBlock(y.header.parent_hash)]
    alone.hear(BlockBody(x))
    assert [effect.block for effect in alone.wanted(CheckBlock)] == [x]
    alone.checked(x)
    assert [effect.block for effect in alone.wanted(CheckBlock)] == [y]
    alone.checked(y)
    assert alone.votes() == [(NOTARIZE, 2)]


def test_body_that_nobody_asked_for_is_not_kept() -> None:
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    alone.hear(BlockBody(x))
    alone.hear_quorum(FINALIZE, alone.position(x, 1))
    assert not alone.wanted(Commit)


def test_body_with_other_transactions_is_not_taken_for_the_block() -> None:
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    alone.hear_quorum(FINALIZE, alone.position(x, 1))
    alone.hear(BlockBody(Block(x.header, (b"forged",))))
    assert not alone.wanted(Commit)
    alone.hear(BlockBody(x))
    assert [effect.block for effect in alone.wanted(Commit)] == [x]


def test_long_gap_is_asked_for_as_a_batch() -> None:
    alone = LoneEngine()
    chain = [alone.block(alone.genesis, 1)]
    for view in range(2, 7):
        chain.append(alone.block(chain[-1].header, view))
    alone.hear_quorum(FINALIZE, alone.position(chain[5], 6, parent_view=5))
    assert [effect.request for effect in alone.wanted(Fetch)] == [GetBlock(alone.position(chain[5], 6).block_hash)]
    alone.hear(BlockBody(chain[5]))
    assert [effect.request for effect in alone.wanted(Fetch)] == [GetBlocks(1, 5)]


def test_proposal_by_hash_alone_makes_the_body_be_fetched() -> None:
    alone = LoneEngine()
    x = alone.block(alone.genesis, 1)
    position = alone.position(x, 1)
    alone.hear(Propose(Again(position.block_hash), alone.vote(NOTARIZE, position, 1), ()))
    assert [effect.request for effect in alone.wanted(Fetch)] == [GetBlock(position.block_hash)]
    alone.hear(BlockBody(x))
    alone.checked(x)
    assert alone.votes() == [(NOTARIZE, 1)]


def test_proposal_whose_block_is_another_one_is_ignored() -> None:
    alone = LoneEngine()
    x, y = alone.block(alone.genesis, 1), alone.block(alone.genesis, 1, b"other")
    alone.hear(Propose(Full(y), alone.vote(NOTARIZE, alone.position(x, 1), 1), ()))
    assert not alone.wanted(CheckBlock)


def test_healed_link_makes_progress_with_peer_up() -> None:
    alone = LoneEngine()
    alone.pass_time(12_000)
    alone.fire()
    alone.step(inputs.PeerUp(alone.now_ms, alone.time_ms, "3"))
    assert alone.votes() == [(NULLIFY, 1)]
    assert not [effect for effect in alone.wanted(SetTimer) if effect.purpose == VIEW]


def test_work_shortens_a_running_timer_and_never_lengthens_one() -> None:
    alone = LoneEngine()
    alone.step(inputs.WorkWaits(0, alone.time_ms))
    assert [effect.at_ms for effect in alone.wanted(SetTimer) if effect.purpose == VIEW] == [2_200]
    alone.pass_time(100)
    alone.step(inputs.WorkWaits(alone.now_ms, alone.time_ms))
    assert not [effect for effect in alone.wanted(SetTimer) if effect.purpose == VIEW]


def test_nothing_is_done_after_a_halt() -> None:
    alone = LoneEngine()
    alone.hear(VoteMessage(alone.vote(NULLIFY, nullified(0, 1), 0)))
    assert [effect.code for effect in alone.wanted(Halt)] == [74]
    alone.pass_time(60_000)
    assert alone.fire() == []


def test_own_signature_in_a_foreign_quorum_halts_too() -> None:
    alone = LoneEngine()
    alone.hear(QuorumMessage(alone.quorum(NULLIFY, nullified(0, 1), (0, 1, 2))))
    assert [effect.code for effect in alone.wanted(Halt)] == [74]
