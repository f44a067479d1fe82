"""What a reader without state can check: that a header is final, from the validators of its epoch alone, and who the
validators of the next epoch are."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from consensus.validators import MAX_VALIDATORS, ValidatorSet
from consensus.votes import FINALIZE, Finalization, Quorum, Verify, check_quorum
from state.block import Header, header_hash, validators_hash
from state.codec import Wire
from state.errors import ConsensusRefusal
from state.units import Key


class Hop(Wire, frozen=True):
    """The last block of an epoch, final, and the vote keys that it hands over to. One for each epoch that has ended."""

    header: Header
    finalization: Quorum
    next_vote_keys: Annotated[tuple[Key, ...], Meta(min_length=1, max_length=MAX_VALIDATORS)]


def follow(hop: Hop, height: int | None, validators: ValidatorSet, chain: bytes, verify: Verify) -> ValidatorSet:
    """The validators that the epoch of `validators` hands over to; ConsensusRefusal unless the hop holds.

    `height` is that of the epoch's last block, None where an epoch never ends.
    """
    if hop.header.height != height:
        raise ConsensusRefusal(why=f"header {hop.header.height} does not end an epoch")
    verify_finalization(hop.header, hop.finalization, validators, chain, verify)
    if validators_hash(hop.next_vote_keys) != hop.header.next_validators_hash:
        raise ConsensusRefusal(why=f"the validators after height {height} are not those that its header names")
    try:
        return ValidatorSet(hop.next_vote_keys)
    except ValueError as error:
        raise ConsensusRefusal(why=f"the validators after height {height}: {error}") from None


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
