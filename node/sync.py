"""Blocks from and for nodes that are behind.

What a late node asks, in which order and what it believes, the engine decides (`consensus/catchup.py`): a claimed
height is never believed, only a hash chain to a quorum of signatures. Here lies what needs the disk and the peers:
answers cut to one frame, and whom to ask next.
"""

from collections.abc import Sequence

from consensus.messages import MAX_BLOCKS, MAX_HEADERS, Blocks, Quorums
from consensus.votes import Quorum
from node.ledger import Ledger
from state.block import Block, Header
from state.codec import decode
from state.epochs import epoch_of, last_height
from state.units import MAX_BLOCK_BYTES, MAX_FRAME_BYTES

# The largest block may still join an answer that has not reached this; headers and the Finalization need 400 kB.
HEADER_BYTES = 400  # of a header with its framing, rounded up
ANSWER_BYTES = MAX_FRAME_BYTES - MAX_BLOCK_BYTES - 512 * 1024


def blocks_from(ledger: Ledger, from_height: int, count: int) -> Blocks | None:
    """Up to `count` blocks from `from_height`, and headers on to the first Finalization. None if there are none."""
    blocks: list[Block] = []
    size = 0
    # one answer is of one epoch, because one Finalization is; the epoch's last block always has its own
    last = last_height(epoch_of(from_height, ledger.parameters.epoch_length), ledger.parameters.epoch_length)
    count = min(count, MAX_BLOCKS, count if last is None else last - from_height + 1)
    while len(blocks) < count and size < ANSWER_BYTES:
        block = ledger.block_at(from_height + len(blocks))
        if block is None:
            break
        blocks.append(block)
        size += sum(map(len, block.transactions)) + HEADER_BYTES + 5 * len(block.transactions)
    if not blocks:
        return None
    headers: list[Header] = []
    height = blocks[-1].header.height
    while len(headers) <= MAX_HEADERS:
        finalization = ledger.finalization_at(height)
        if finalization is not None:
            return Blocks(tuple(blocks), tuple(headers), decode(Quorum, finalization))
        height += 1
        block = ledger.block_at(height)
        if block is None:
            return None  # the tip's own Finalization is on its way
        headers.append(block.header)
    return None


def boundary_of(ledger: Ledger, epoch: int) -> Quorums | None:
    """How a finished epoch ended, for a node that is still in it."""
    found = ledger.boundary(epoch)
    return None if found is None else Quorums(epoch, found[0], (decode(Quorum, found[1]),))


def peer_to_ask(peers: Sequence[tuple[str, int]], height: int, attempt: int) -> str | None:
    """Another peer at each attempt: `peers` are (name, height it claims). Those that say they have it come first.

    A peer that promises and does not deliver costs one attempt, no more.
    """
    willing = sorted(name for name, claimed in peers if claimed >= height)
    others = sorted(name for name, claimed in peers if claimed < height)
    order = willing + others
    return order[attempt % len(order)] if order else None
