"""Proof that a validator voted twice. Anybody checks it from the two votes and the validators of their epoch."""

from consensus.messages import Evidence
from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, NULLIFY, Verify, Vote, vote_holds
from state.codec import encode
from state.errors import ConsensusRefusal


def contradict(first: Vote, second: Vote) -> bool:
    """Whether no honest validator signs both: one kind for two positions, or NULLIFY and FINALIZE of one view.

    NOTARIZE and NULLIFY of one view are lawful together: a proposal was good, and its view still came to nothing.
    """
    if first.signer != second.signer or first.view != second.view or first.epoch != second.epoch:
        return False
    if first.kind == second.kind:
        return first.block_hash != second.block_hash or first.parent_view != second.parent_view
    return first.kind + second.kind == NULLIFY + FINALIZE  # no other two kinds add up to that


def make_evidence(one: Vote, other: Vote) -> Evidence:
    """The two votes in the order of their bytes, so that everybody who saw them makes the same evidence."""
    first, second = sorted((one, other), key=encode)
    return Evidence(first, second)


def check_evidence(evidence: Evidence, validators: ValidatorSet, chain: bytes, verify: Verify) -> None:
    """ConsensusRefusal unless both votes are signed by one of `validators` (the set of their epoch) and contradict."""
    if not contradict(evidence.first, evidence.second):
        raise ConsensusRefusal(why="the two votes do not contradict each other")
    if make_evidence(evidence.first, evidence.second) != evidence:
        raise ConsensusRefusal(why="the two votes are not in the order of their bytes")
    for vote in (evidence.first, evidence.second):
        if not vote_holds(vote, validators, chain, verify):
            raise ConsensusRefusal(why="one of the two votes is not signed by a validator of its epoch")
