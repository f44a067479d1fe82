"""Blocks from and for nodes that are behind.

What a late node asks, in which order and what it believes, the engine decides (`consensus/catchup.py`): a claimed
height is never believed, only a hash chain to a quorum of signatures. Here lies what needs the disk and the peers:
answers cut to one frame, and whom to ask next.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
        header = ledger.header_at(height)
        if header is None:
            return None  # the tip's own Finalization is on its way
        headers.append(header)
    return None


def boundary_of(ledger: Ledger, epoch: int) -> Quorums | None:
    """How a finished epoch ended, for a node that is still in it."""
    found = ledger.boundary(epoch)
    return None if found is None else Quorums(epoch, found[0], (decode(Quorum, found[1]),))


@dataclass(frozen=True)
class Source:
    """A peer that blocks may be asked of: the height that it claims, and the lowest of which it has the body."""

    name: str
    claimed: int
    bodies_from: int = 0


def peer_to_ask(sources: Sequence[Source], height: int, attempt: int, turn: int = 0) -> str | None:
    """Another peer at each attempt and at each `turn`, those first that say they have it.

    So a peer that promises and does not deliver costs one attempt, and one that delivers as little as it can is asked
    no more often than the others.
    """
    able = [source for source in sources if source.bodies_from <= height]
    willing = sorted(source.name for source in able if source.claimed >= height)
    if willing and attempt < len(willing):
        return willing[(turn + attempt) % len(willing)]
    order = willing + sorted(source.name for source in able if source.claimed < height)
    return order[(turn + attempt) % len(order)] if order else None
