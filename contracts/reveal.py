"""reveal: a sealed order is opened after the close. Anybody may send it: the commitment binds its participant."""

from contracts.attributes import check_wanted
from contracts.auction import OPENING
from contracts.context import Context
from contracts.deposit import format_price
from contracts.events import OrderOpened
from contracts.orders import BID, OFFER, commitment, put_order
from state.errors import AuctionPhase, BadField, OpeningWrong, Unknown
from state.keyspace import auction_key, auction_order_key, output_key
from state.outputs import Bid, Offer, SealedBid, SealedOffer, holder_of, quantity
from state.records import Auction, Pointer
from state.spoken import counted
from state.transaction import Reveal
from state.units import MAX_PRICE, MAX_QUANTITY, Outpoint


def check(context: Context, action: Reveal) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    if auction.status != OPENING:
        raise AuctionPhase(auction=auction.id, phase=auction.status, needed="one whose orders are being opened")
    _, order = _sealed(context, action)
    side = BID if isinstance(order, SealedBid) else OFFER
    found = commitment(
        context.environment.chain,
        auction.id,
        holder_of(order),
        side,
        action.quantity,
        action.limit,
        action.wanted,
        action.salt,
    )
    if found != order.commitment:
        raise OpeningWrong(auction=auction.id, order=action.order, why="it is not what was sealed")
    if not 0 < action.quantity <= MAX_QUANTITY or action.limit > MAX_PRICE:
        raise OpeningWrong(auction=auction.id, order=action.order, why="its quantity or limit is out of bounds")
    if isinstance(order, SealedOffer) and (action.quantity > quantity(order.lot) or action.wanted):
        raise OpeningWrong(auction=auction.id, order=action.order, why="it offers what is not in its lot")
    try:
        check_wanted(auction.terms, action.wanted)
    except BadField as refusal:
        raise OpeningWrong(auction=auction.id, order=action.order, why=str(refusal.params["why"])) from None


def apply(context: Context, action: Reveal) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    point, order = _sealed(context, action)
    context.spend(point)
    opened: Bid | Offer
    match order:
        case SealedBid():
            opened = Bid(
                auction.id,
                order.holder,
                action.quantity,
                action.limit,
                order.funds,
                action.wanted,
                action.salt,
                number=action.order,
            )
        case SealedOffer():
            opened = Offer(
                auction.id,
                order.lot,
                action.limit,
                action.quantity,
                order.place,
                order.bond,
                action.salt,
                action.order,
            )
    outpoint = put_order(context, auction, opened)
    side = BID if isinstance(order, SealedBid) else OFFER
    context.announce(
        OrderOpened(
            auction.id,
            action.order,
            holder_of(order),
            side,
            outpoint,
            action.quantity,
            action.limit,
            action.wanted,
        )
    )


def describe(action: Reveal) -> str:
    return (
        f"open order {action.order} of auction {action.auction}: {counted(action.quantity, 'certificate')} "
        f"at {format_price(action.limit)}"
    )


def _sealed(context: Context, action: Reveal) -> tuple[Outpoint, SealedBid | SealedOffer]:
    pointer = context.overlay.get(auction_order_key(action.auction, action.order))
    if not isinstance(pointer, Pointer):
        raise Unknown(what=f"order of auction {action.auction}", id=action.order)
    order = context.overlay.get(output_key(pointer.outpoint))
    if not isinstance(order, SealedBid | SealedOffer):
        raise OpeningWrong(auction=action.auction, order=action.order, why="it is open or was taken back")
    return pointer.outpoint, order
