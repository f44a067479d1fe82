"""What the engine is told. The shell hands in one at a time, in the order in which they happened.

`now_ms` is the shell's monotonic clock (timers); `time_ms` its wall clock in ms since 1970 (block time, and the rule
that a block's time is at most 2 s ahead). The engine has no other clock.
"""

import msgspec

from consensus.messages import ConsensusMessage
from state.block import Block

Peer = str  # the shell's own name of a connection; the engine only hands it back

VIEW, WAKE = "view", "wake"  # the two timers of an engine


class Input(msgspec.Struct, frozen=True, gc=False):
    now_ms: int
    time_ms: int


class Start(Input, frozen=True):
    """Once, before everything else."""


class MessageReceived(Input, frozen=True):
    peer: Peer
    message: ConsensusMessage


class TimerFired(Input, frozen=True):
    """The timer of a `SetTimer`, at `now_ms >= at_ms`. One that was replaced meanwhile does no harm."""

    epoch: int
    view: int
    purpose: str


class BlockChecked(Input, frozen=True):
    """The answer to `CheckBlock`: whether execution on the parent's state gives exactly what the header says."""

    epoch: int
    view: int
    block_hash: bytes
    ok: bool


class BlockBuilt(Input, frozen=True):
    """The answer to `BuildBlock`; None when the shell could not build, and the view is given up."""

    epoch: int
    view: int
    block: Block | None


class BodyReceived(Input, frozen=True):
    """A block that the shell found by itself (its own disk, a compact proposal completed from the mempool)."""

    block: Block


class PeerUp(Input, frozen=True):
    """A peer connected or reconnected and may be sent to from now on."""

    peer: Peer


class WorkWaits(Input, frozen=True):
    """True: a first transaction or due deadline waits here while none did. False: nothing waits any more."""

    waiting: bool = True
