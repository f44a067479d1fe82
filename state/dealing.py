"""The actions of the market: auctions and their orders, posted lots, standing bids. Meaning: `contracts/`."""

from typing import Annotated

from msgspec import Meta

from state.codec import Wire
from state.escrow import PAGE_ORDERS, Envelope, Share
from state.records import AuctionClass, AuctionTerms, Wanted
from state.units import U16, U32, U64, Code, Hash, Name, OptionalKey, Outpoint

Inputs = Annotated[tuple[Outpoint, ...], Meta(min_length=1, max_length=256)]
MoreInputs = Annotated[tuple[Outpoint, ...], Meta(max_length=256)]
Nodes = Annotated[tuple[Code, ...], Meta(max_length=5)]  # one node of each dimension of the auction; empty = any


class OpenAuction(Wire, frozen=True, tag="open_auction"):
    operator: U32
    title: Name
    lot_class: AuctionClass
    currency: Code
    floor: U64
    ceiling: U64
    closes_at: U64
    terms: AuctionTerms = AuctionTerms()


class PlaceOffer(Wire, frozen=True, tag="offer"):
    """Lock `[start, end]` of a bundle for sale at `limit` or more per certificate.

    Sealed: `commitment` instead of quantity and limit, which are 0 here, and `inputs` for the bond. Where validators
    open it: `envelope`, and the commitment is its hash.
    """

    auction: U32
    seller: U32
    outpoint: Outpoint
    start: U64
    end: U64
    limit: U64
    quantity: U64 = 0  # how many of the range are for sale, 0 = all
    commitment: OptionalKey = b""
    inputs: MoreInputs = ()
    envelope: Envelope | None = None


class PlaceBid(Wire, frozen=True, tag="bid"):
    """Lock `quantity * limit` of money to buy at `limit` or less per certificate of any class that is `wanted`.

    Sealed: `commitment` and `stake` instead of quantity, limit and wanted, which are 0 and empty here. Where validators
    open it: `envelope`, and the commitment is its hash.
    """

    auction: U32
    buyer: U32
    quantity: U64
    limit: U64
    inputs: Inputs
    wanted: Nodes = ()
    commitment: OptionalKey = b""
    stake: U64 = 0
    envelope: Envelope | None = None


class Replace(Wire, frozen=True, tag="replace"):
    """An own order becomes another one in place: it keeps its number, and no moment without an order passes.

    Of an offer quantity and limit change, of a bid also what is wanted and the stake; `inputs` is money on top of what
    is locked. Of a sealed order only the commitment and the stake can be seen to change.
    """

    holder: U32
    outpoint: Outpoint
    quantity: U64
    limit: U64
    wanted: Nodes
    commitment: OptionalKey
    stake: U64
    inputs: MoreInputs
    envelope: Envelope | None = None


class Reveal(Wire, frozen=True, tag="reveal"):
    """What a sealed order says. A machine action: the commitment binds its participant, so anybody may send it."""

    auction: U32
    order: U32  # its number
    quantity: U64
    limit: U64
    wanted: Nodes
    salt: Annotated[bytes, Meta(min_length=31, max_length=32)]  # 31 bytes of an order that has an envelope


class OpenShares(Wire, frozen=True, tag="open_shares"):
    """A validator's shares of the orders of one page, by number. Signed by its vote key.

    The validator is the one at this place among those of the epoch in which the orders were sealed.
    """

    auction: U32
    epoch: U64
    validator: U16
    page: U32
    shares: Annotated[tuple[Share, ...], Meta(min_length=1, max_length=PAGE_ORDERS)]


class VoidAuction(Wire, frozen=True, tag="void"):
    """An auction that found no valid settlement in time: everything goes back. A machine action."""

    auction: U32


class Pay(Wire, frozen=True, tag="pay"):
    """A buyer on margin pays what he owes in an auction, or a part of it.

    With money of the ledger: `inputs`. Or at the bank: an accredited payment operator signs that `amount` came in, with
    a reference that it uses once.
    """

    auction: U32
    buyer: U32
    amount: U64
    inputs: MoreInputs
    operator: U32 = 0
    reference: Name = ""


class Default(Wire, frozen=True, tag="default"):
    """A buyer on margin did not pay in time: lots go back, his margin to their sellers. A machine action."""

    auction: U32
    buyer: U32


class ListLot(Wire, frozen=True, tag="list"):
    """Post `[start, end]` of a bundle at a fixed price, for anybody or for one participant."""

    seller: U32
    outpoint: Outpoint
    start: U64
    end: U64
    price: U64
    currency: Code
    to: U32  # 0 = anybody
    until: U64  # s


class Buy(Wire, frozen=True, tag="buy"):
    """Take `quantity` certificates of a posted lot, from its first number on, and pay: both legs or neither."""

    buyer: U32
    listing: Outpoint
    quantity: U64
    inputs: Inputs


class PlaceStandingBid(Wire, frozen=True, tag="standing_bid"):
    """Bid in every auction of a scheme, from a purse, while the money lasts."""

    buyer: U32
    scheme: U32
    wanted: Annotated[tuple[Wanted, ...], Meta(max_length=5)]
    quantity: U64  # of each session
    limit: U64
    purse: U64  # millionths
    inputs: Inputs


class EndStandingBid(Wire, frozen=True, tag="end_standing_bid"):
    """No further sessions; what lies in the purse comes back."""

    buyer: U32
    scheme: U32
    number: U32


class Cancel(Wire, frozen=True, tag="cancel"):
    """Take back an own order while the auction is open, or an own posted lot at any time."""

    holder: U32
    outpoint: Outpoint


class Settle(Wire, frozen=True, tag="settle"):
    """Prices per class; fills, pieces and payments follow from them by fixed rules and must hash to `result_root`."""

    auction: U32
    prices: Annotated[tuple[U64, ...], Meta(max_length=128)]  # of the classes that hold lots, in rising order
    result_root: Hash
