"""What the engine wants done. `Engine.step` returns them in the order in which the shell performs them.

The driver rule: **at most one `Persist`, and it comes first.** Append its records to the journal, then, if `sync`,
fdatasync, and only then perform the rest; on any error of that write stop and send nothing. Then come the sends and
timers, then commits, building, checking and fetching. Answers to the last come back as inputs, at any later time.
Every effect names the epoch and view it was made in, so that the shell never reads the engine's fields back.
"""

import msgspec

from consensus.inputs import Peer
from consensus.messages import ConsensusMessage, Evidence, GetBlock, GetBlocks
from consensus.records import JournalRecord
from consensus.votes import Quorum
from state.block import Block, Header


class Effect(msgspec.Struct, frozen=True, gc=False):
    epoch: int
    view: int


class Persist(Effect, frozen=True):
    """Append to the journal, `state.codec.encode(record)` each. `sync` is False when only relayed quorums are in it."""

    records: tuple[JournalRecord, ...]
    sync: bool


class Send(Effect, frozen=True):
    """`to` None: every connected peer. A peer that is not connected is skipped; nothing is queued for it."""

    message: ConsensusMessage
    to: Peer | None = None


class SetTimer(Effect, frozen=True):
    """Hand in `TimerFired(epoch, view, purpose)` at `at_ms` or soon after; replaces the timer of the same purpose."""

    purpose: str
    at_ms: int


class Commit(Effect, frozen=True):
    """Store the block for good; its parent was committed before. Execution that differs from the header is exit 72.

    `finalization` is the block's own one if `finalization.block_hash == block_hash`, else that of a descendant. One
    batch holds body, state, meta (with `finalization.view`) and the finalization as the newest one, which a restart
    hands back in `Recovered`; it is also kept by height where it is the block's own. Then `consensus.records.prunable`
    says which journal records may go. Where it is the last block of an epoch the engine has ended with this effect:
    the shell makes the next one, on this block, with the validators that the block handed over to.
    """

    block_hash: bytes
    block: Block
    finalization: Quorum


class BuildBlock(Effect, frozen=True):
    """Build on the state after `parent` (committed, or checked by a `CheckBlock` before) and answer `BlockBuilt`.

    The header has version `state.block.VERSION`, this epoch, parent's height + 1, and `parent_hash`, `timestamp_ms`,
    `proposer` and `validators_hash` as given here.
    """

    parent: Header
    parent_hash: bytes
    timestamp_ms: int
    proposer: int
    validators_hash: bytes


class CheckBlock(Effect, frozen=True):
    """Execute on the state after the parent (committed or checked before), keep the result, answer `BlockChecked`.

    The engine has checked version, epoch, height, parent, proposer, time and validators_hash of a block it may vote
    for, and tx_root of every block; the shell compares state_root and next_validators_hash and the block's limits.
    """

    block_hash: bytes
    block: Block


class Fetch(Effect, frozen=True):
    """Send `request` to one peer, `attempt` counting up so that the shell takes another one each time.

    The answer, BlockBody or Blocks, is handed in as a `MessageReceived`.
    """

    request: GetBlock | GetBlocks
    attempt: int


class ServeBlocks(Effect, frozen=True):
    """Answer a GetBlocks from disk with `Blocks`, cut to fit a frame; nothing if there is none."""

    peer: Peer
    from_height: int
    count: int


class ServeBlock(Effect, frozen=True):
    """Answer a GetBlock for a committed block from disk with `BlockBody`; nothing if there is none."""

    peer: Peer
    block_hash: bytes


class ServeBoundary(Effect, frozen=True):
    """Tell a peer in the finished epoch `of_epoch` about its end: `Quorums` with boundary header and Finalization.

    Never left out, but asked for at most once in delta for each peer: dropping it left nodes behind for good.
    """

    peer: Peer
    of_epoch: int


class EvidenceFound(Effect, frozen=True):
    """A validator voted twice: to become an evidence transaction. Told once a signer and view."""

    evidence: Evidence


class Blame(Effect, frozen=True):
    """The peer sent what no honest peer sends: drop it."""

    peer: Peer
    why: str


class Halt(Effect, frozen=True):
    """Write a dump and exit with `code` (73 conflicting quorums, 74 own key seen elsewhere); the only effect then."""

    code: int
    why: str
