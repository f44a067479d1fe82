"""Leading a view: what to build on, when, and the one proposal that comes of it."""

from consensus.clock import Clock
from consensus.effects import BuildBlock
from consensus.follower import Follower
from consensus.held import HeldQuorums
from consensus.messages import Again, Full, Propose
from consensus.outbox import Outbox
from consensus.proposals import Proposals
from consensus.timers import Timing
from consensus.validators import ValidatorSet
from consensus.votes import Position, Vote
from state.block import Block, Header


class Leading:
    """Asks for at most one block in each view; the engine knows whether this node may lead it at all."""

    def __init__(
        self,
        validators: ValidatorSet,
        timing: Timing,
        held: HeldQuorums,
        proposals: Proposals,
        follower: Follower,
        clock: Clock,
        out: Outbox,
        last_height: int | None,
    ) -> None:
        self._validators, self._timing = validators, timing
        self._held, self._proposals, self._follower = held, proposals, follower
        self._clock, self._out, self._last_height = clock, out, last_height
        self._building: int | None = None  # the parent's view, once a block was asked for in the current view

    def enter_view(self) -> None:
        self._building = None

    def again(self, view: int) -> tuple[Position, Block] | None:
        """The last block of the epoch at its place in this view, if it is notarised: nothing is built on it.

        It is not final yet either, or this engine would have ended.
        """
        parent_view = self._held.open_parent(view)
        parent_hash = None if parent_view is None else self._proposals.parent_hash(parent_view)
        held = None if parent_hash is None else self._follower.bodies.get(parent_hash)
        if parent_view is None or parent_hash is None or held is None:
            return None
        if held.block.header.height != self._last_height or not self._follower.executed(parent_hash):
            return None
        return Position(self._out.epoch, view, parent_view, parent_hash), held.block

    def try_build(self, view: int, work_waits: bool) -> bool:
        """Ask for a block once the parent is known and executed and its time has come. False: the view is lost."""
        if self._building is not None:
            return True
        parent_view = self._held.open_parent(view)
        parent_hash = None if parent_view is None else self._proposals.parent_hash(parent_view)
        if parent_view is None or parent_hash is None:
            self._follower.ask_quorums(None, self._held.final_view)  # the view was entered by one far quorum
            return True
        executed = self._follower.executed(parent_hash)
        parent = self._follower.bodies.header(parent_hash)
        if not executed or parent is None:
            return executed is not False
        due_ms = self._clock.entered_ms + hold_back_ms(parent, self._clock.entered_time_ms, self._timing, work_waits)
        if self._clock.now_ms < due_ms:
            self._clock.wake_at(due_ms)
            return True
        self._building = parent_view
        time_ms, leader = block_time_ms(parent, self._clock.time_ms), self._validators.leader(view)
        self._out.ask(BuildBlock(self._out.epoch, view, parent, parent_hash, time_ms, leader, self._validators.hash))
        return True

    def built(self, view: int, block: Block) -> Position | None:
        """The position of the block that was asked for, which was executed while it was built; None if none was."""
        if self._building is None:
            return None
        block_hash = self._follower.bodies.add(block)
        assert block_hash is not None, "an own block has the body of its header"
        self._follower.on_checked(block_hash, ok=True)
        return Position(self._out.epoch, view, self._building, block_hash)

    def proposal(self, block: Block, vote: Vote) -> Propose:
        """The proposal of a block whose NOTARIZE vote was made, with the quorums that allow its parent."""
        repeated = self._proposals.parent_hash(vote.parent_view) == vote.block_hash
        content = Again(vote.block_hash) if repeated else Full(block)
        return Propose(content, vote, self._held.just(vote.parent_view, vote.view))


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
