"""What happened in the market: the events of auctions, orders, posted lots and standing bids."""

from state.codec import Wire
from state.units import U32, U64, Code, Name, Outpoint


class AuctionOpened(Wire, frozen=True, tag="auction_opened"):
    auction: U32
    operator: U32
    title: Name
    scheme: U32
    technology: Code
    currency: Code
    closes_at: U64
    opens_at: U64 = 0  # s, 0 = at once
    sealed: bool = False
    dimensions: tuple[Code, ...] = ()  # what bids choose by


class Offered(Wire, frozen=True, tag="offered"):
    auction: U32
    seller: U32
    outpoint: Outpoint
    device: U32
    start: U64
    end: U64
    limit: U64


class BidPlaced(Wire, frozen=True, tag="bid_placed"):
    auction: U32
    buyer: U32
    outpoint: Outpoint
    quantity: U64
    limit: U64
    wanted: tuple[Code, ...] = ()


class OrderSealed(Wire, frozen=True, tag="order_sealed"):
    """An order that nobody can read yet; `amount` is its stake or bond."""

    auction: U32
    order: U32
    participant: U32
    side: Code  # offer | bid
    outpoint: Outpoint
    amount: U64


class OpeningBegan(Wire, frozen=True, tag="opening_began"):
    auction: U32
    until: U64  # s


class OrderOpened(Wire, frozen=True, tag="order_opened"):
    """What a sealed order says. From here on everybody can read it."""

    auction: U32
    order: U32
    participant: U32
    side: Code
    outpoint: Outpoint
    quantity: U64
    limit: U64
    wanted: tuple[Code, ...]


class SharesGiven(Wire, frozen=True, tag="shares_given"):
    """A validator gave its shares of a page of sealed orders; `shares` counts those that it could open."""

    auction: U32
    epoch: U64
    participant: U32  # the organisation behind the validator
    page: U32
    shares: U32


class OrderSpoilt(Wire, frozen=True, tag="order_spoilt"):
    """A sealed order that is void: `why` is box where it was not sealed right, content where it says nonsense."""

    auction: U32
    order: U32
    participant: U32
    outpoint: Outpoint
    why: Code


class Replaced(Wire, frozen=True, tag="replaced"):
    """An order became another one; of sealed ones neither quantity nor limit is known."""

    auction: U32
    holder: U32
    former: Outpoint
    outpoint: Outpoint
    quantity: U64
    limit: U64
    wanted: tuple[Code, ...]


class Cancelled(Wire, frozen=True, tag="cancelled"):
    auction: U32
    holder: U32
    outpoint: Outpoint


class AuctionClosed(Wire, frozen=True, tag="auction_closed"):
    auction: U32
    orders: U32


class Settled(Wire, frozen=True, tag="settled"):
    auction: U32
    price: U64
    quantity: U64
    technology: Code
    currency: Code
    buyers: U32
    sellers: U32
    fees: U64 = 0  # millionths, to the market operator
    forfeited: U64 = 0


class ClassSettled(Wire, frozen=True, tag="class_settled"):
    """One class of a settled auction. `thin`: fewer than three participants traded in it."""

    auction: U32
    label: Name
    price: U64
    quantity: U64
    unmatched: U64
    participants: U32
    thin: bool


class OrderSettled(Wire, frozen=True, tag="order_settled"):
    """What became of one order: the receipt is made of it. `why` is one of `contracts/screening.py`."""

    auction: U32
    order: U32
    participant: U32
    side: Code
    wanted: Name  # in words: of a bid its filter, of an offer its class
    quantity: U64
    limit: U64
    filled: U64
    price: U64  # of the cheapest class, also where it got nothing
    amount: U64
    fee: U64
    forfeited: U64
    why: Code
    owed: U64 = 0  # of the amount what is not paid yet: by this bid, or for this offer
    due_at: U64 = 0  # s
    standing: U32 = 0  # the standing bid that it joined by


class ObligationMade(Wire, frozen=True, tag="obligation_made"):
    """A buyer on margin owes the rest for certificates that are reserved for him."""

    auction: U32
    buyer: U32
    currency: Code
    amount: U64
    margin: U64
    owed: U64
    pieces: U32
    due_at: U64  # s


class PaidIn(Wire, frozen=True, tag="paid_in"):
    """Money for an obligation; `operator` and `reference` where it came in at a bank."""

    auction: U32
    buyer: U32
    currency: Code
    amount: U64
    owed: U64  # still
    operator: U32
    reference: Name


class ObligationMet(Wire, frozen=True, tag="obligation_met"):
    """Everything that a buyer on margin won in an auction is paid and delivered."""

    auction: U32
    buyer: U32
    currency: Code
    amount: U64


class Defaulted(Wire, frozen=True, tag="defaulted"):
    """A buyer did not pay in time: `forfeited` of his margin goes to the sellers of what he left."""

    auction: U32
    buyer: U32
    currency: Code
    owed: U64
    forfeited: U64
    strikes: U32


class Released(Wire, frozen=True, tag="released"):
    """Certificates that were reserved for a buyer who did not pay are their seller's to use again."""

    auction: U32
    seller: U32
    buyer: U32
    device: U32
    issuance: U64
    start: U64
    end: U64


class Voided(Wire, frozen=True, tag="voided"):
    """An auction that found no settlement: every order went back."""

    auction: U32
    orders: U32


class Listed(Wire, frozen=True, tag="listed"):
    seller: U32
    outpoint: Outpoint
    device: U32
    start: U64
    end: U64
    price: U64
    currency: Code
    to: U32
    until: U64


class Bought(Wire, frozen=True, tag="bought"):
    """Certificates of a posted lot against money, both at once."""

    seller: U32
    buyer: U32
    device: U32
    issuance: U64
    start: U64
    end: U64
    currency: Code
    amount: U64


class StandingBidPlaced(Wire, frozen=True, tag="standing_bid_placed"):
    standing: U32
    buyer: U32
    scheme: U32
    quantity: U64
    limit: U64
    amount: U64


class StandingBidEnded(Wire, frozen=True, tag="standing_bid_ended"):
    standing: U32
    buyer: U32
    amount: U64


class Delivered(Wire, frozen=True, tag="delivered"):
    auction: U32
    seller: U32
    buyer: U32
    device: U32
    issuance: U64
    start: U64
    end: U64
    currency: Code
    amount: U64
