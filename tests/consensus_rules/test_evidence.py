"""Which two votes prove a lie."""

import pytest
from harness.vote_keys import VoteKeys

from consensus.evidence import check_evidence, make_evidence
from consensus.messages import Evidence
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Vote, make_vote, nullified
from state.errors import ConsensusRefusal

CHAIN = bytes(32)
KEYS = VoteKeys(4, real=True)
A, B = Position(0, 5, 3, b"\x0a" * 32), Position(0, 5, 3, b"\x0b" * 32)
SAME_BLOCK = Position(0, 5, 2, b"\x0a" * 32)
NULL = nullified(0, 5)


def vote(kind: int, position: Position, signer: int = 2) -> Vote:
    return make_vote(CHAIN, kind, position, signer, KEYS.signers[signer].sign)


def check(evidence: Evidence, chain: bytes = CHAIN) -> None:
    check_evidence(evidence, KEYS.validators, chain, KEYS.verify)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (vote(NOTARIZE, A), vote(NOTARIZE, B)),
        (vote(NOTARIZE, A), vote(NOTARIZE, SAME_BLOCK)),
        (vote(FINALIZE, A), vote(FINALIZE, B)),
        (vote(NULLIFY, NULL), vote(FINALIZE, A)),
    ],
    ids=["two proposals", "two parents", "two finals", "nullify and finalize"],
)
def test_contradiction_is_evidence_whoever_saw_what_first(one: Vote, other: Vote) -> None:
    check(make_evidence(one, other))
    assert make_evidence(one, other) == make_evidence(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (vote(NOTARIZE, A), vote(NULLIFY, NULL)),
        (vote(NOTARIZE, A), vote(FINALIZE, A)),
        (vote(NOTARIZE, A), vote(FINALIZE, B)),
        (vote(NOTARIZE, A), vote(NOTARIZE, A)),
        (vote(NOTARIZE, A), vote(NOTARIZE, B, signer=1)),
        (vote(NULLIFY, NULL), vote(FINALIZE, Position(0, 6, 5, b"\x0a" * 32))),
        (vote(NOTARIZE, A), vote(NOTARIZE, Position(1, 5, 3, b"\x0b" * 32))),
    ],
    ids=["notarize and nullify", "notarize and finalize", "other finalize", "same", "two signers", "views", "epochs"],
)
def test_refuses_votes_that_do_not_contradict(one: Vote, other: Vote) -> None:
    with pytest.raises(ConsensusRefusal, match="contradict"):
        check(make_evidence(one, other))


def test_refuses_the_other_order() -> None:
    good = make_evidence(vote(NOTARIZE, A), vote(NOTARIZE, B))
    with pytest.raises(ConsensusRefusal, match="order"):
        check(Evidence(good.second, good.first))


def test_refuses_a_forged_vote() -> None:
    forged = Vote(NOTARIZE, *B, 2, vote(NOTARIZE, B, signer=1).signature)
    with pytest.raises(ConsensusRefusal, match="signed"):
        check(make_evidence(vote(NOTARIZE, A), forged))


def test_refuses_an_unknown_validator() -> None:
    one, other = (Vote(NOTARIZE, *position, 9, bytes(64)) for position in (A, B))
    with pytest.raises(ConsensusRefusal, match="signed"):
        check(make_evidence(one, other))


def test_refuses_evidence_of_another_chain() -> None:
    with pytest.raises(ConsensusRefusal, match="signed"):
        check(make_evidence(vote(NOTARIZE, A), vote(NOTARIZE, B)), chain=b"\1" * 32)
