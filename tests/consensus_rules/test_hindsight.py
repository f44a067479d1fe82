"""A key that votes on both sides of a partition: its votes meet when it is over, and then they are evidence."""

from typing import TypeVar

import pytest
from harness.lone_engine import CHAIN, FINALIZE, NOTARIZE, NULLIFY, LoneEngine

from consensus.effects import Blame, Effect, EvidenceFound
from consensus.engine import Engine
from consensus.evidence import contradict, make_evidence
from consensus.hindsight import KEPT_VIEWS, Hindsight
from consensus.inputs import MessageReceived, Start
from consensus.messages import ConsensusMessage, Evidence, VoteMessage
from consensus.records import Recovered
from consensus.timers import Timing
from consensus.votes import Position, Vote, nullified

E = TypeVar("E", bound=Effect)
TWICE = 2  # whose key votes on both sides


def far(view: int) -> Position:
    return Position(0, view, view - 1, view.to_bytes(32, "big"))


def gave_up(node: LoneEngine, view: int = 1, signer: int = TWICE) -> Vote:
    return node.vote(NULLIFY, nullified(0, view), signer)


def passed_on(node: LoneEngine) -> list[tuple[int, int, int]]:
    votes = [m.vote for m in node.said() if isinstance(m, VoteMessage)]
    return [(vote.kind, vote.view, vote.signer) for vote in votes]


def test_who_is_led_past_a_view_passes_on_who_gave_it_up_there() -> None:
    node = LoneEngine(me=0)
    node.hear(VoteMessage(gave_up(node)))
    node.hear_quorum(FINALIZE, far(40))
    assert (NULLIFY, 1, TWICE) in passed_on(node)


def test_who_is_led_past_a_view_passes_on_its_leaders_proposal_and_nobody_elses() -> None:
    node = LoneEngine(me=0)
    for signer in (1, 2):
        node.hear(VoteMessage(node.vote(NOTARIZE, far(1), signer)))
    node.hear_quorum(FINALIZE, far(40))
    assert passed_on(node) == [(NOTARIZE, 1, 1)]


def test_votes_of_a_view_whose_end_was_seen_are_not_passed_on() -> None:
    node = LoneEngine(me=0)
    node.hear(VoteMessage(gave_up(node)))
    node.hear_quorum(NOTARIZE, far(1))
    node.hear_quorum(FINALIZE, far(40))
    assert (NULLIFY, 1, TWICE) not in passed_on(node)


def test_own_votes_are_not_passed_on_once_their_view_is_final() -> None:
    node = LoneEngine(me=0)
    node.pass_time(60_000)
    node.fire()
    node.hear_quorum(FINALIZE, far(40))
    assert (NULLIFY, 1, 0) not in passed_on(node)


@pytest.mark.parametrize("seen", [FINALIZE, NULLIFY], ids=["finalized here", "nullified here"])
def test_a_late_vote_against_the_quorum_of_its_view_is_evidence(seen: int) -> None:
    node = LoneEngine(me=0)
    here = node.vote(FINALIZE, far(1), TWICE) if seen == FINALIZE else gave_up(node)
    there = gave_up(node) if seen == FINALIZE else node.vote(FINALIZE, far(1), TWICE)
    node.hear_quorum(seen, here.position)
    node.hear_quorum(FINALIZE, far(40))
    node.hear(VoteMessage(there))
    assert make_evidence(here, there) in node.said()
    assert [effect.evidence for effect in node.wanted(EvidenceFound)] == [make_evidence(here, there)]
    node.hear(VoteMessage(there))
    assert not node.said(), "told once"


def test_a_late_second_proposal_is_evidence_against_its_leader() -> None:
    node = LoneEngine(me=0)
    node.hear_quorum(NOTARIZE, far(1))
    node.hear_quorum(FINALIZE, far(40))
    node.hear_proposal(node.block(node.genesis, 1), 1)
    (found,) = node.wanted(EvidenceFound)
    assert (found.evidence.first.kind, found.evidence.first.signer) == (NOTARIZE, 1)


def test_a_quorum_against_what_its_signer_said_here_is_evidence_at_once() -> None:
    node = LoneEngine(me=0)
    node.hear(VoteMessage(gave_up(node)))
    node.hear_quorum(FINALIZE, far(1))
    (found,) = node.wanted(EvidenceFound)
    assert contradict(found.evidence.first, found.evidence.second)
    assert found.evidence.first.signer == TWICE


def test_a_late_vote_that_agrees_with_its_quorum_is_nothing() -> None:
    node = LoneEngine(me=0)
    node.hear_quorum(FINALIZE, far(1))
    node.hear_quorum(FINALIZE, far(40))
    node.hear(VoteMessage(node.vote(FINALIZE, far(1), TWICE)))
    node.hear(VoteMessage(node.vote(NULLIFY, nullified(0, 1), 0)))  # of one who is not in the quorum
    assert not node.wanted(EvidenceFound)


def test_refuses_a_forged_late_vote_and_blames_who_brought_it() -> None:
    node = LoneEngine(me=0)
    node.hear_quorum(FINALIZE, far(1))
    node.hear_quorum(FINALIZE, far(40))
    forged = Vote(NULLIFY, *nullified(0, 1), TWICE, gave_up(node, view=2).signature)
    node.hear(VoteMessage(forged), peer="3")
    assert not node.wanted(EvidenceFound)
    assert [effect.peer for effect in node.wanted(Blame)] == ["3"]


def test_late_evidence_from_a_peer_is_passed_on_once_for_each_signer() -> None:
    node = LoneEngine(me=0)
    node.hear_quorum(FINALIZE, far(40))
    for view in (1, 3):
        late = make_evidence(gave_up(node, view), node.vote(FINALIZE, far(view), TWICE))
        node.hear(late)
        assert [m for m in node.said() if isinstance(m, Evidence)] == ([late] if view == 1 else [])


def test_refuses_evidence_of_a_view_that_nobody_has_reached() -> None:
    node = LoneEngine(me=0)
    node.hear(make_evidence(gave_up(node, 900), node.vote(FINALIZE, far(900), TWICE)))
    assert not node.wanted(EvidenceFound)


def test_the_memory_of_ended_views_is_bounded() -> None:
    node, memory = LoneEngine(me=0), Hindsight()
    for view in range(1, KEPT_VIEWS + 2):
        memory.remember(node.quorum(FINALIZE, far(view)))
    assert memory.against(gave_up(node, 1)) is None
    assert memory.against(gave_up(node, 2)) is not None


# --- over the end of an epoch


def next_epoch(node: LoneEngine) -> Engine:
    """The engine of epoch 1 of the same validators, which remembers what `node` saw in epoch 0."""
    engine = Engine(
        chain=CHAIN,
        epoch=1,
        validators=node.validators,
        timing=Timing(),
        verify=node.keys.verify,
        recovered=Recovered(node.genesis, None, ()),
        signer=node.keys.signers[node.me],
        former=node.engine.remembered(),
    )
    engine.step(Start(0, 60_000))
    return engine


def hears(engine: Engine, message: ConsensusMessage, kind: type[E]) -> list[E]:
    found = engine.step(MessageReceived(10, 60_010, "3", message))
    return [effect for effect in found if isinstance(effect, kind)]


def test_a_vote_that_comes_after_the_end_of_its_epoch_is_evidence_too() -> None:
    node = LoneEngine(me=0)
    node.hear_quorum(FINALIZE, far(1))
    engine, late = next_epoch(node), gave_up(node)
    (found,) = hears(engine, VoteMessage(late), EvidenceFound)
    assert found.evidence == make_evidence(node.vote(FINALIZE, far(1), TWICE), late)
    assert not hears(engine, VoteMessage(late), EvidenceFound), "told once"


def test_evidence_of_the_epoch_before_is_passed_on_once() -> None:
    node = LoneEngine(me=0)
    engine, proof = next_epoch(node), make_evidence(gave_up(node), node.vote(FINALIZE, far(1), TWICE))
    assert [effect.evidence for effect in hears(engine, proof, EvidenceFound)] == [proof]
    assert not hears(engine, proof, EvidenceFound)


def test_a_lawful_vote_of_the_epoch_before_is_nothing() -> None:
    node = LoneEngine(me=0)
    node.hear_quorum(NOTARIZE, far(1))
    assert not hears(next_epoch(node), VoteMessage(gave_up(node)), EvidenceFound)


def test_refuses_a_forged_vote_of_the_epoch_before() -> None:
    node = LoneEngine(me=0)
    node.hear_quorum(FINALIZE, far(1))
    forged = Vote(NULLIFY, *nullified(0, 1), TWICE, gave_up(node, view=2).signature)
    engine = next_epoch(node)
    assert not hears(engine, VoteMessage(forged), EvidenceFound)
    assert [effect.peer for effect in hears(engine, VoteMessage(forged), Blame)] == ["3"]


def test_what_is_two_epochs_old_is_forgotten() -> None:
    """The next engine is handed what the last one remembers, and not what that was handed."""
    node = LoneEngine(me=0)
    node.hear_quorum(FINALIZE, far(1))
    assert next_epoch(node).remembered().judge(VoteMessage(gave_up(node)), CHAIN, node.keys.verify) is None
