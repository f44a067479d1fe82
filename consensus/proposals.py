"""What makes a proposed header acceptable before anybody executes its block, and when a leader's time has come."""

from consensus.timers import Timing
from state.block import VERSION, Header

MAX_AHEAD_MS = 2_000  # how far a block's time may lie ahead of the voter's clock


def follows(header: Header, parent: Header, parent_hash: bytes, proposer: int, validators_hash: bytes) -> bool:
    """Whether a header is a lawful successor of its parent in the parent's epoch, time against the voter's clock apart.

    The epoch's last block, where the next header takes the next epoch and its validators, comes in with epoch changes.
    """
    return (
        header.version == VERSION
        and header.height == parent.height + 1
        and header.parent_hash == parent_hash
        and header.proposer == proposer
        and header.timestamp_ms > parent.timestamp_ms
        and header.validators_hash == validators_hash
    )


def hold_back_ms(parent: Header, entered_time_ms: int, timing: Timing, work_waits: bool) -> int:
    """How long after it entered the view a leader waits before it builds, in ms.

    Counted from the parent's time, so that blocks keep their rhythm; never longer than the interval itself, or a leader
    with a slow clock would sleep through its view.
    """
    interval = timing.wait_ms(work_waits)
    return max(0, min(parent.timestamp_ms + interval - entered_time_ms, interval))


def block_time_ms(parent: Header, time_ms: int) -> int:
    """The time of a new block: the leader's clock, but always after the parent."""
    return max(time_ms, parent.timestamp_ms + 1)
