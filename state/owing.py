"""Records of what buyers on margin owe, and of who did not pay (`contracts/obligation.py`)."""

from state.codec import Wire
from state.units import U32, U64, Code, Outpoint


class Obligation(Wire, frozen=True, tag="obligation"):
    """What a buyer owes in one auction for pieces that are reserved for him; gone when all are delivered or released.

    In `guarantee` lies `margin` and what was paid in, less what was delivered.
    """

    auction: U32
    buyer: U32
    currency: Code
    value: U64  # millionths, of all pieces; without those that expired while they waited
    delivered: U64  # of it
    margin: U64  # locked at the settlement
    guarantee: Outpoint
    first: U32  # piece that is delivered next
    pieces: U32  # numbers 0..pieces-1 were given out; after a default those from here on are released
    due_at: U64  # s
    unpaid: U64 = 0  # after a default: the value of what was not paid
    forfeit: U64 = 0  # after a default: what of the margin goes to the sellers, 0 before


class Strikes(Wire, frozen=True, tag="strikes"):
    """How often a participant did not pay what he owed, and when he did so last."""

    participant: U32
    count: U32
    last_at: U64  # s
