"""Blocks from a peer that is ahead: checked as a chain up to a Finalization before any of them is executed.

One Finalization makes all its ancestors final by hash, so a late node needs no votes of the past. A claimed height is
never believed: only a hash chain from the own last block to a quorum of signatures is.
"""

from consensus.light import verify_finalization
from consensus.messages import Blocks
from consensus.validators import ValidatorSet
from consensus.votes import Verify
from state.block import Header, header_hash, tx_root
from state.errors import ConsensusRefusal


def check_blocks(
    batch: Blocks, committed: Header, validators: ValidatorSet, chain: bytes, verify: Verify
) -> tuple[bytes, ...]:
    """The hashes of the batch's blocks; ConsensusRefusal unless they are final successors of `committed`.

    The caller has seen that the batch begins right after `committed`.
    """
    hashes: list[bytes] = []
    parent, parent_hash = committed, header_hash(committed)
    for block in batch.blocks:
        header = block.header
        if header.parent_hash != parent_hash or header.height != parent.height + 1:
            raise ConsensusRefusal(why=f"block {header.height} does not follow the one before it")
        if tx_root(block.transactions) != header.tx_root:
            raise ConsensusRefusal(why=f"the body of block {header.height} is not that of its header")
        parent, parent_hash = header, header_hash(header)
        hashes.append(parent_hash)
    if not hashes:
        raise ConsensusRefusal(why="a batch without blocks")
    verify_finalization(parent, batch.finalization, validators, chain, verify, batch.headers)
    return tuple(hashes)
