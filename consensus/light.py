"""What a reader without state can check: that a header is final, from the validators of its epoch alone."""

from collections.abc import Sequence

from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, Finalization, Verify, check_quorum
from state.block import Header, header_hash
from state.errors import ConsensusRefusal


def verify_finalization(
    header: Header,
    finalization: Finalization,
    validators: ValidatorSet,
    chain: bytes,
    verify: Verify,
    descendants: Sequence[Header] = (),
) -> None:
    """ConsensusRefusal unless `finalization` makes `header` final.

    `descendants` are the headers after it, oldest first, down to the finalised one; empty when it has a Finalization of
    its own. All lie in the epoch of `validators`.
    """
    last_hash = header_hash(header)
    for above, below in zip((header, *descendants), descendants, strict=False):
        if below.parent_hash != last_hash or below.height != above.height + 1:
            raise ConsensusRefusal(why=f"header {below.height} does not follow the one before it")
        last_hash = header_hash(below)
    for each in (header, *descendants):
        if each.epoch != finalization.epoch or each.validators_hash != validators.hash:
            raise ConsensusRefusal(why=f"header {each.height} is of other validators")
    if finalization.kind != FINALIZE or finalization.block_hash != last_hash:
        raise ConsensusRefusal(why="the Finalization is of another block")
    check_quorum(finalization, validators, chain, verify)
