"""Proposals: the first one of each view, and whether it may be voted for. Only validity counts here, never doubt."""

from typing import assert_never

from consensus.clock import Clock
from consensus.follower import Follower
from consensus.held import HeldQuorums
from consensus.messages import Again, Compact, Full, GetBlock
from consensus.validators import ValidatorSet
from consensus.votes import Position
from state.block import VERSION, Block, Header, header_hash

MAX_AHEAD_MS = 2_000  # how far a block's time may lie ahead of the voter's clock


class Proposals:
    """`base_hash` is the parent of blocks whose parent_view is 0; None once something of the epoch is final.

    `last_height` is that of the epoch's last block, which may be proposed again and not be built on.
    """

    def __init__(
        self,
        validators: ValidatorSet,
        held: HeldQuorums,
        follower: Follower,
        clock: Clock,
        base_hash: bytes | None,
        last_height: int | None,
    ) -> None:
        self._validators, self._held, self._follower, self._clock = validators, held, follower, clock
        self._base_hash, self._last_height = base_hash, last_height
        self._first: dict[int, Position] = {}  # view -> first validly signed proposal

    def keep(self, position: Position, content: Full | Compact | Again) -> None:
        """Remember a proposal that its leader signed; a later one of the same view changes nothing."""
        match content:
            case Full(block=block):
                if header_hash(block.header) != position.block_hash:
                    return
                self._follower.bodies.add(block)
            case Compact() | Again():
                pass  # the body is looked up, and fetched if need be, by the hash that the leader signed
            case _:
                assert_never(content)
        self._first.setdefault(position.view, position)

    def get(self, view: int) -> Position | None:
        return self._first.get(view)

    def block(self, position: Position) -> Block:
        """The body of a proposal that was found valid."""
        held = self._follower.bodies.get(position.block_hash)
        assert held is not None, "a valid block has a body"
        return held.block

    def forget(self, final_view: int) -> None:
        self._first = {view: position for view, position in self._first.items() if view > final_view}

    def parent_hash(self, parent_view: int) -> bytes | None:
        """The block that a parent_view stands for; None while no quorum for it is held."""
        quorum = self._held.certified(parent_view)
        if quorum is not None:
            return quorum.block_hash
        return self._base_hash if parent_view == 0 else None

    def valid(self, position: Position) -> bool | None:
        """Whether the block may be notarised; None while something that was asked for is still missing."""
        allowed = self._parent_allowed(position)
        if not allowed:
            return allowed
        if position.block_hash == self.parent_hash(position.parent_view):
            return self._valid_again(position.block_hash)
        held = self._follower.bodies.get(position.block_hash)
        if held is None:
            self._follower.request(GetBlock(position.block_hash))
            return None
        header = held.block.header
        if header.parent_hash != self.parent_hash(position.parent_view):
            return False
        parent = self._follower.bodies.header(header.parent_hash)
        if parent is None:
            self._follower.request(GetBlock(header.parent_hash))
            return None
        if not self._follows(header, parent, position):
            return False
        too_early_ms = header.timestamp_ms - (self._clock.time_ms + MAX_AHEAD_MS)
        if too_early_ms > 0:
            self._clock.wake_at(self._clock.now_ms + too_early_ms)
            return None
        return self._follower.executed(position.block_hash)

    def _valid_again(self, block_hash: bytes) -> bool | None:
        """A block as its own parent: lawful for the last one of the epoch. Who proposed it first does not matter."""
        header = self._follower.bodies.header(block_hash)
        if header is None:
            self._follower.request(GetBlock(block_hash))
            return None
        return self._follower.executed(block_hash) if header.height == self._last_height else False

    def _parent_allowed(self, position: Position) -> bool | None:
        """The parent is notarised, or the base of the epoch, and every view between is nullified; None: not known."""
        if not self._held.final_view <= position.parent_view < position.view:
            return False
        known = self.parent_hash(position.parent_view) is not None
        if known and self._held.all_nullified(position.parent_view, position.view):
            return True
        self._follower.ask_quorums(None, self._held.final_view)
        return None

    def _follows(self, header: Header, parent: Header, position: Position) -> bool:
        """Whether a header is a lawful successor within the epoch, the voter's clock and execution apart.

        The last block of an epoch has none: it is proposed again (`_valid_again`) until it is final.
        """
        return (
            header.version == VERSION
            and parent.height != self._last_height
            and header.epoch == position.epoch
            and header.height == parent.height + 1
            and header.proposer == self._validators.leader(position.view)
            and header.timestamp_ms > parent.timestamp_ms
            and header.validators_hash == self._validators.hash
        )
