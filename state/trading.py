"""Records of those who trade: their place in an auction, standing bids, what they owe and did not pay."""

from typing import Annotated

from msgspec import Meta

from state.codec import Wire
from state.units import U32, U64, Code, Outpoint


class Wanted(Wire, frozen=True):
    """An attribute by name and node."""

    dimension: Code
    node: Code


class AuctionMember(Wire, frozen=True, tag="auction_member"):
    """How many orders a participant placed in an auction; of one class all on one side: nobody trades with himself."""

    orders: U32
    side: Code  # offer | bid, of the first one


class StandingBid(Wire, frozen=True, tag="standing_bid"):
    """A bid that is placed in every auction of a scheme while its purse lasts."""

    id: U32
    holder: U32
    scheme: U32
    currency: Code
    wanted: Annotated[tuple[Wanted, ...], Meta(max_length=5)]
    quantity: U64  # of each session
    limit: U64  # millionths per certificate
    purse: Annotated[bytes, Meta(max_length=34)]  # outpoint of the money, empty while there is none outside auctions


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
