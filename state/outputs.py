"""Value: outputs that are spent exactly once.

An output's *type* is the status of what it holds: a Bundle is active, an Offer locked, a Delivery reserved; what is
retired, expired or paid out has no output any more. Holders are ledger ids (u32), so a key rotation moves nothing.
A range of certificates `[start, end]` is inclusive, its quantity is derived and never stored.
"""

from typing import Annotated

from msgspec import Meta

from state.codec import Wire
from state.escrow import Envelope
from state.units import U16, U32, U64, Code, Hash, OptionalKey, Outpoint

NEVER = 2**64 - 1  # an output without certificates never expires


class Bundle(Wire, frozen=True, tag="bundle"):
    """One contiguous range of certificates of one issuance, free to move."""

    holder: U32
    issuance: U64
    device: U32
    start: U64
    end: U64
    trade_until: U64  # s; transfer and lock are refused from then on
    retire_until: U64  # s; from then on it is no valid input at all
    transfers: U16  # how often it changed hands, for schemes with `max_transfers`


class Funds(Wire, frozen=True, tag="funds"):
    """A claim on a deposit held by an accredited payment operator, in millionths of the currency unit."""

    holder: U32
    currency: Code
    amount: U64


class Offer(Wire, frozen=True, tag="offer"):
    """A sell order: a lot of certificates locked in an auction until it settles, is cancelled or voided."""

    auction: U32
    lot: Bundle
    limit: U64  # lowest price per certificate, millionths
    quantity: U64 = 0  # how many of the lot are for sale, from its first number on; 0 = all
    place: U16 = 0  # of its class in the auction (`contracts/attributes.py`)
    bond: Funds | None = None  # of an order that was sealed
    salt: OptionalKey = b""  # that it was sealed with
    number: U32 = 0  # in the auction


class Bid(Wire, frozen=True, tag="bid"):
    """A buy order with at least `quantity * limit` of money locked in it."""

    auction: U32
    holder: U32
    quantity: U64
    limit: U64  # highest price per certificate, millionths
    funds: Funds
    wanted: Annotated[tuple[Code, ...], Meta(max_length=5)] = ()  # one node of each dimension; empty = any class
    salt: OptionalKey = b""  # that it was sealed with
    standing: U32 = 0  # the standing bid that placed it
    number: U32 = 0  # in the auction


class SealedOffer(Wire, frozen=True, tag="sealed_offer"):
    """A sell order that nobody can read before the close: the lot is public, quantity and limit are not."""

    auction: U32
    lot: Bundle
    place: U16
    commitment: Hash
    bond: Funds | None
    number: U32
    envelope: Envelope | None = None  # where a quorum of validators opens it
    spoilt: bool = False  # it was looked into and cannot be opened: its own fault


class SealedBid(Wire, frozen=True, tag="sealed_bid"):
    """A buy order that nobody can read before the close: only its stake is public, and may overstate it."""

    auction: U32
    holder: U32
    commitment: Hash
    funds: Funds
    number: U32
    envelope: Envelope | None = None  # where a quorum of validators opens it
    spoilt: bool = False  # it was looked into and cannot be opened: its own fault


class Listing(Wire, frozen=True, tag="listing"):
    """A posted lot: at this price, whole or in part, to whoever comes first or to one participant."""

    lot: Bundle
    price: U64  # millionths per certificate
    currency: Code
    to: U32  # 0 = anybody
    until: U64  # s; not to be bought from then on


class Purse(Wire, frozen=True, tag="purse"):
    """Money of a standing bid, for the sessions to come."""

    standing: U32
    funds: Funds


class Delivery(Wire, frozen=True, tag="delivery"):
    """One piece of a settled auction, reserved: the seller's lot and the buyer's money, swapped in a later block."""

    auction: U32
    lot: Bundle
    buyer: U32
    payment: Funds
    fee: U64 = 0  # of the payment, to the market operator


class Reserved(Wire, frozen=True, tag="reserved"):
    """One piece of an auction that its buyer has not paid yet: still the seller's, and bound for him."""

    auction: U32
    number: U32  # in the buyer's obligation
    lot: Bundle
    buyer: U32
    amount: U64  # millionths, its price
    fee: U64  # of it, to the market operator


class Guarantee(Wire, frozen=True, tag="guarantee"):
    """Money of a buyer on margin: what secures his obligation, and what he paid in."""

    auction: U32
    funds: Funds


class Pending(Wire, frozen=True, tag="pending"):
    """Certificates handed over to somebody who has not accepted them yet; until then they are the sender's."""

    lot: Bundle
    to: U32
    until: U64  # s; not to be accepted from then on


class PayoutRequest(Wire, frozen=True, tag="payout_request"):
    """Money that its holder asked a payment operator to pay out at the bank, until the operator says that it has."""

    operator: U32
    funds: Funds
    until: U64  # s; from then on the holder may take it back


class Security(Wire, frozen=True, tag="security"):
    """Money pledged for a device: it pays for what was certified in error and not made up for."""

    device: U32
    funds: Funds
    notice_at: U64  # s, when its owner asked for it back; 0 = not asked


Output = (
    Bundle
    | Funds
    | Offer
    | Bid
    | SealedOffer
    | SealedBid
    | Listing
    | Purse
    | Delivery
    | Reserved
    | Guarantee
    | Pending
    | PayoutRequest
    | Security
)
OrderOutput = Offer | Bid | SealedOffer | SealedBid


def quantity(bundle: Bundle) -> int:
    return bundle.end - bundle.start + 1


def holder_of(output: Output) -> int:
    """The participant that the output belongs to until its next movement."""
    if type(output) is Bundle:  # nearly all are, and this is asked for every output that moves
        return output.holder
    match output:
        case Bundle() | Funds() | Bid() | SealedBid():
            return output.holder
        case Offer() | SealedOffer() | Listing() | Delivery() | Reserved() | Pending():
            return output.lot.holder
        case Security() | Purse() | Guarantee() | PayoutRequest():
            return output.funds.holder


def retire_until(output: Output) -> int:
    """Seconds of block time from which the output's certificates are dead; NEVER where it holds none."""
    if type(output) is Bundle:
        return output.retire_until
    match output:
        case Bundle():
            return output.retire_until
        case Offer() | SealedOffer() | Listing() | Delivery() | Reserved() | Pending():
            return output.lot.retire_until
        case Funds() | Bid() | SealedBid() | Purse() | Guarantee() | PayoutRequest() | Security():
            return NEVER


def outpoint(txid: bytes, index: int) -> Outpoint:
    """txid(32) ‖ index u16: the index runs on over all actions of a transaction."""
    return txid + index.to_bytes(2, "big")
