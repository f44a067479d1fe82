"""What validators say to each other: canonical MessagePack arrays, one WebSocket binary message each.

`state.codec.decode(ConsensusMessage, data)` gives any of them. Limits stand in the types, so that an oversize list is
refused while it is decoded and before a signature is looked at. A frame is at most 4 MiB (`MAX_FRAME_BYTES`): whoever
answers GetBlocks cuts the batch to fit.
"""

from typing import Annotated

from msgspec import Meta

from consensus.votes import Quorum, Vote
from state.block import Block, Header
from state.codec import Wire
from state.units import MAX_BLOCK_ACTIONS, U64, Hash

MAX_JUST = 64  # quorums in one proposal or answer: above it the receiver asks for the rest
MAX_BLOCKS = 64  # blocks in one answer
MAX_HEADERS = 1_024  # headers from the last block of an answer to the next Finalization, about 300 kB

ShortId = Annotated[bytes, Meta(min_length=8, max_length=8)]


class Full(Wire, frozen=True, tag="full"):
    """The whole block: the only form that is sent so far."""

    block: Block


class Compact(Wire, frozen=True, tag="compact"):
    """The header and the first 8 bytes of each transaction id; what the receiver lacks it asks for by id."""

    header: Header
    short_ids: Annotated[tuple[ShortId, ...], Meta(max_length=MAX_BLOCK_ACTIONS)]


class Again(Wire, frozen=True, tag="again"):
    """A block that was proposed before: how the last block of an epoch is repeated until it is final."""

    block_hash: Hash


class Propose(Wire, frozen=True, tag="propose"):
    """The leader's block, its NOTARIZE vote (which is the proposal's signature), and why the parent is allowed.

    `just` holds the Notarization or Finalization of the parent (none when parent_view is 0) and the Nullification of
    every view between, so that whoever receives the proposal can judge it.
    """

    content: Full | Compact | Again
    vote: Vote
    just: Annotated[tuple[Quorum, ...], Meta(max_length=MAX_JUST)]


class VoteMessage(Wire, frozen=True, tag="vote"):
    vote: Vote


class QuorumMessage(Wire, frozen=True, tag="quorum"):
    quorum: Quorum


class GetQuorums(Wire, frozen=True, tag="get_quorums"):
    """Asks for the best Finalization and the quorums from `from_view` up."""

    epoch: U64
    from_view: U64


class Quorums(Wire, frozen=True, tag="quorums"):
    """Best Finalization and quorums above it, oldest first; for a finished epoch its last header and Finalization."""

    epoch: U64
    boundary: Header | None
    quorums: Annotated[tuple[Quorum, ...], Meta(max_length=MAX_JUST)]


class GetBlocks(Wire, frozen=True, tag="get_blocks"):
    from_height: U64
    count: Annotated[int, Meta(ge=1, le=MAX_BLOCKS)]


class Blocks(Wire, frozen=True, tag="blocks"):
    """Consecutive blocks, and what proves that the last of them is final.

    `headers` lead from the block after the last one to the block of `finalization`; they are empty when the last block
    has a Finalization of its own, which most blocks have.
    """

    blocks: Annotated[tuple[Block, ...], Meta(max_length=MAX_BLOCKS)]
    headers: Annotated[tuple[Header, ...], Meta(max_length=MAX_HEADERS)]
    finalization: Quorum


class GetBlock(Wire, frozen=True, tag="get_block"):
    block_hash: Hash


class BlockBody(Wire, frozen=True, tag="block"):
    block: Block


class Status(Wire, frozen=True, tag="status"):
    """Where the sender says it stands: a reason to ask for proof, never a proof."""

    epoch: U64
    view: U64
    height: U64
    block_hash: Hash


class Evidence(Wire, frozen=True, tag="evidence"):
    """Two signed votes of one validator that no honest one signs both; `consensus.evidence` checks it."""

    first: Vote
    second: Vote


ConsensusMessage = (
    Propose
    | VoteMessage
    | QuorumMessage
    | GetQuorums
    | Quorums
    | GetBlocks
    | Blocks
    | GetBlock
    | BlockBody
    | Status
    | Evidence
)


def epoch_of(message: ConsensusMessage) -> int | None:
    """The epoch that a message speaks about; None for those that speak about blocks or prove themselves anywhere."""
    match message:
        case Propose(vote=vote) | VoteMessage(vote=vote):
            return vote.epoch
        case QuorumMessage(quorum=quorum):
            return quorum.epoch
        case GetQuorums(epoch=epoch) | Quorums(epoch=epoch) | Status(epoch=epoch):
            return epoch
    return None
