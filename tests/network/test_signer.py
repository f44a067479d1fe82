"""The guard in front of the vote key: it signs no vote that contradicts an earlier one, whoever asks."""

import pytest

from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, make_vote, nullified, vote_bytes
from node.signer import ConflictingVote, Signer
from state.crypto import verify

CHAIN = bytes(32)
SEED = b"\x05" * 32


def position(view: int, block: int = 1) -> Position:
    return Position(0, view, view - 1, bytes([block]) * 32)


def test_a_vote_is_signed_and_may_be_signed_again() -> None:
    signer = Signer(SEED)
    message = vote_bytes(CHAIN, NOTARIZE, position(3))
    first = signer.sign_vote(message)
    assert verify(signer.public, message, first)
    assert signer.sign_vote(message) == first


def test_notarize_and_nullify_of_one_view_are_lawful() -> None:
    signer = Signer(SEED)
    signer.sign_vote(vote_bytes(CHAIN, NOTARIZE, position(3)))
    signer.sign_vote(vote_bytes(CHAIN, NULLIFY, nullified(0, 3)))


@pytest.mark.parametrize("kind", [NOTARIZE, FINALIZE])
def test_refuses_a_second_block_in_one_view(kind: int) -> None:
    signer = Signer(SEED)
    signer.sign_vote(vote_bytes(CHAIN, kind, position(3, block=1)))
    with pytest.raises(ConflictingVote):
        signer.sign_vote(vote_bytes(CHAIN, kind, position(3, block=2)))


def test_refuses_finalize_and_nullify_of_one_view_in_either_order() -> None:
    for first, second in [
        ((FINALIZE, position(3)), (NULLIFY, nullified(0, 3))),
        ((NULLIFY, nullified(0, 3)), (FINALIZE, position(3))),
    ]:
        signer = Signer(SEED)
        signer.sign_vote(vote_bytes(CHAIN, *first))
        with pytest.raises(ConflictingVote):
            signer.sign_vote(vote_bytes(CHAIN, *second))


def test_refuses_what_contradicts_the_journal_after_a_restart() -> None:
    before = Signer(SEED)
    vote = make_vote(CHAIN, NOTARIZE, position(3, block=1), 0, before.sign_vote)
    after = Signer(SEED)
    after.remember([vote])
    with pytest.raises(ConflictingVote):
        after.sign_vote(vote_bytes(CHAIN, NOTARIZE, position(3, block=2)))


def test_views_below_the_final_one_are_forgotten() -> None:
    signer = Signer(SEED)
    signer.sign_vote(vote_bytes(CHAIN, NOTARIZE, position(3, block=1)))
    signer.sign_vote(vote_bytes(CHAIN, NOTARIZE, position(4, block=1)))
    signer.forget_below(0, 3)
    with pytest.raises(ConflictingVote):
        signer.sign_vote(vote_bytes(CHAIN, NOTARIZE, position(4, block=2)))
    signer.sign_vote(vote_bytes(CHAIN, NOTARIZE, position(3, block=2)))  # the engine never asks for it again
