"""What one action did to outputs: the raw material of history and of every index that is derived from blocks."""

import msgspec

from state.outputs import Output
from state.units import Outpoint


class Movement(msgspec.Struct):
    """Outputs that one action spent and created, each with its outpoint. `kind` is the action's tag, or `expire`.

    A sweep at the start of a block has no transaction: its `txid` is 32 zero bytes with the height in the last eight.
    """

    txid: bytes
    action_index: int
    kind: str
    spent: list[tuple[Outpoint, Output]] = msgspec.field(default_factory=list)
    created: list[tuple[Outpoint, Output]] = msgspec.field(default_factory=list)
