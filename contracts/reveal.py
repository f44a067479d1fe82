"""reveal: a sealed order is opened after the close. Anybody may send it: the commitment binds its participant.

Where a quorum of validators opens orders this is the way beside them, by the 31 bytes that the envelope was made from.
It is made again here as well: an order that validators cannot open has no second way.
"""

from contracts.attributes import check_wanted, nodes_of
from contracts.auction import OPENING
from contracts.context import Context
from contracts.deposit import format_price
from contracts.escrow import keys_of, order_context
from contracts.events import OrderOpened
from contracts.orders import BID, OFFER, commitment, put_order
from contracts.sealing import Said as SealedText
from contracts.sealing import reopened
from state.errors import AuctionPhase, BadField, OpeningWrong, Unknown
from state.escrow import Envelope, EscrowSet
from state.keyspace import auction_key, auction_order_key, escrow_set_key, output_key
from state.outputs import Bid, Offer, SealedBid, SealedOffer, holder_of, quantity
from state.records import Auction, Pointer
from state.spoken import Counted, Said
from state.transaction import Reveal
from state.units import MAX_PRICE, MAX_QUANTITY, Outpoint


def check(context: Context, action: Reveal) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    if auction.status != OPENING:
        raise AuctionPhase(auction=auction.id, phase=auction.status, needed="one whose orders are being opened")
    _, order = _sealed(context, action)
    why = problem(auction, order, action.quantity, action.limit, action.wanted)
    if not _is_what_was_sealed(context, auction, order, action, why):
        raise OpeningWrong(auction=auction.id, order=action.order, why="it is not what was sealed")
    if why:
        raise OpeningWrong(auction=auction.id, order=action.order, why=why)


def apply(context: Context, action: Reveal) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    point, order = _sealed(context, action)
    open_order(context, auction, point, order, action.quantity, action.limit, action.wanted, action.salt)


def describe(action: Reveal) -> Said:
    return Said(
        "open order {order} of auction {auction}: {count} at {price}",
        order=action.order,
        auction=action.auction,
        count=Counted(action.quantity, "certificate"),
        price=format_price(action.limit),
    )


# --- whoever opens it


def problem(auction: Auction, order: SealedBid | SealedOffer, wants: int, limit: int, wanted: tuple[str, ...]) -> str:
    """Why an order that says this cannot be opened; empty where it can."""
    if not 0 < wants <= MAX_QUANTITY or limit > MAX_PRICE:
        return "its quantity or limit is out of bounds"
    if isinstance(order, SealedOffer) and (wants > quantity(order.lot) or wanted):
        return "it offers what is not in its lot"
    try:
        check_wanted(auction.terms, wanted)
    except BadField as refusal:
        return str(refusal.params["why"])
    return ""


def open_order(
    context: Context,
    auction: Auction,
    point: Outpoint,
    order: SealedBid | SealedOffer,
    wants: int,
    limit: int,
    wanted: tuple[str, ...],
    salt: bytes,
) -> None:
    """In the place of the sealed order there is one that everybody reads."""
    context.spend(point)
    opened: Bid | Offer
    match order:
        case SealedBid():
            side = BID
            opened = Bid(auction.id, order.holder, wants, limit, order.funds, wanted, salt, number=order.number)
        case SealedOffer():
            side = OFFER
            opened = Offer(auction.id, order.lot, limit, wants, order.place, order.bond, salt, order.number)
    outpoint = put_order(context, auction, opened)
    context.announce(OrderOpened(auction.id, order.number, holder_of(order), side, outpoint, wants, limit, wanted))


# --- looking


def _is_what_was_sealed(
    context: Context, auction: Auction, order: SealedBid | SealedOffer, action: Reveal, why: str
) -> bool:
    if order.envelope is not None:
        return not why and _reopens(context, auction, order, order.envelope, action)
    side = BID if isinstance(order, SealedBid) else OFFER
    said = (action.quantity, action.limit, action.wanted)
    chain = context.environment.chain
    return commitment(chain, auction.id, holder_of(order), side, *said, action.salt) == order.commitment


def _reopens(
    context: Context, auction: Auction, order: SealedBid | SealedOffer, envelope: Envelope, action: Reveal
) -> bool:
    """What is revealed must be sealed by it, byte for byte; the tags alone would let a bad box be a choice."""
    key = escrow_set_key(auction.id, envelope.epoch)
    keys = keys_of(context.record(key, EscrowSet, "escrow set", envelope.epoch))
    found = reopened(envelope, order_context(context.environment.chain, order), keys, action.salt)
    said = SealedText(action.quantity, action.limit, nodes_of(auction.terms, action.wanted))
    return found is not None and found[0] == said


def _sealed(context: Context, action: Reveal) -> tuple[Outpoint, SealedBid | SealedOffer]:
    pointer = context.overlay.get(auction_order_key(action.auction, action.order))
    if not isinstance(pointer, Pointer):
        raise Unknown(what=f"order of auction {action.auction}", id=action.order)
    order = context.overlay.get(output_key(pointer.outpoint))
    if not isinstance(order, SealedBid | SealedOffer):
        raise OpeningWrong(auction=action.auction, order=action.order, why="it is open or was taken back")
    return pointer.outpoint, order
