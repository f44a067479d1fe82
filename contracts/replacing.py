"""replace: an order becomes another one without a moment in which there is none. It keeps its number in the book."""

from contracts.auction import require_open
from contracts.context import Context
from contracts.deposit import format_price
from contracts.escrow import check_envelope, note_set
from contracts.events import Replaced
from contracts.obligation import require_trusted, to_lock
from contracts.orders import check_bid, check_offer, check_words, put_order
from state.errors import BadField, Locked, MoneyDiffers, NotYours
from state.keyspace import auction_key
from state.outputs import Bid, Funds, Offer, OrderOutput, SealedBid, SealedOffer, holder_of, quantity
from state.records import Auction
from state.spoken import Counted, Said
from state.transaction import Replace
from state.units import MAX_AMOUNT


def check(context: Context, action: Replace) -> None:
    context.require_signature(action.holder)
    order = context.order(action.outpoint)
    if not isinstance(order, OrderOutput):
        raise Locked(outpoint=action.outpoint, kind=str(order.__struct_config__.tag))
    if holder_of(order) != action.holder:
        raise NotYours(outpoint=action.outpoint, holder=holder_of(order), claimed=action.holder)
    auction = require_open(context, order.auction)
    check_words(auction, bool(action.commitment), action.quantity, action.limit, action.wanted)
    check_envelope(context, auction, action.commitment, action.envelope)
    if isinstance(order, Bid | SealedBid):
        require_trusted(context, auction.terms, action.holder)
    match order:
        case Offer():
            check_offer(auction, quantity(order.lot), action.quantity, action.limit)
        case Bid():
            check_bid(auction, action.quantity, action.limit, action.wanted)
    if isinstance(order, Offer | SealedOffer) and (action.wanted or action.stake or action.inputs):
        raise BadField(field="replace", why="an offer keeps its lot and its bond; it wants nothing")
    if isinstance(order, SealedBid) != bool(action.stake) or action.stake > MAX_AMOUNT:
        raise BadField(field="stake", why="a sealed bid has one, an open one locks quantity times limit")
    _money(context, auction, action, order)


def apply(context: Context, action: Replace) -> None:
    order = context.order(action.outpoint)
    assert isinstance(order, OrderOutput)
    auction = context.record(auction_key(order.auction), Auction, "auction", order.auction)
    amount, rest = _money(context, auction, action, order)
    for point in (action.outpoint, *action.inputs):
        context.spend(point)
    point = put_order(context, auction, _changed(order, action, Funds(action.holder, auction.currency, amount)))
    note_set(context, auction, action.envelope)
    context.pay(action.holder, auction.currency, rest)
    context.announce(
        Replaced(auction.id, action.holder, action.outpoint, point, action.quantity, action.limit, action.wanted)
    )


def describe(action: Replace) -> Said:
    order = f"{action.outpoint.hex()[:16]}…"
    if action.commitment:
        return Said("replace the sealed order {order} by another one", order=order)
    price = format_price(action.limit)
    if not action.quantity:
        return Said("replace order {order}: all certificates at {price} each", order=order, price=price)
    count = Counted(action.quantity, "certificate")
    return Said("replace order {order}: {count} at {price} each", order=order, count=count, price=price)


def _changed(order: OrderOutput, action: Replace, funds: Funds) -> OrderOutput:
    match order:
        case Offer():
            offered = action.quantity or quantity(order.lot)
            return Offer(order.auction, order.lot, action.limit, offered, order.place, number=order.number)
        case SealedOffer():
            sealed = (action.commitment, order.bond, order.number, action.envelope)
            return SealedOffer(order.auction, order.lot, order.place, *sealed)
        case Bid():
            return Bid(
                order.auction,
                order.holder,
                action.quantity,
                action.limit,
                funds,
                action.wanted,
                number=order.number,
            )
        case SealedBid():
            return SealedBid(order.auction, order.holder, action.commitment, funds, order.number, action.envelope)


def _money(context: Context, auction: Auction, action: Replace, order: OrderOutput) -> tuple[int, int]:
    """(what the bid locks from now on, what comes back)."""
    if isinstance(order, Offer | SealedOffer):
        return 0, 0
    have = order.funds.amount
    if action.inputs:
        have += context.money(action.inputs, action.holder, auction.currency, 0)
    needed = action.stake or to_lock(auction.terms, action.quantity * action.limit)
    if have < needed:
        raise MoneyDiffers(inputs=have, needed=needed)
    return needed, have - needed
