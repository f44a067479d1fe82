"""standing_bid and end_standing_bid: a bid that is placed in every auction of a scheme while its purse lasts.

So that a small buyer needs one command. It is public from the day it is placed. It joins at the close of each auction
that can tell what it asks for, with as much as the purse pays for; what a session leaves unspent lies in the purse
again when the next one closes.
"""

from msgspec.structs import replace

from contracts.attributes import DIMENSIONS, nodes_for
from contracts.context import Context
from contracts.deposit import format_price
from contracts.events import BidPlaced, StandingBidEnded, StandingBidPlaced
from contracts.register import require_line
from state.errors import BadField, LimitReached, NotYours, PriceOutside
from state.keyspace import (
    auction_key,
    auction_order_key,
    output_key,
    scheme_key,
    space_end,
    standing_bid_key,
)
from state.outputs import Bid, Funds, Purse
from state.overlay import Snapshot
from state.records import Auction, Pointer, Scheme, StandingBid
from state.spoken import Counted, Said
from state.transaction import EndStandingBid, PlaceStandingBid
from state.units import MAX_AMOUNT, MAX_PRICE, MAX_QUANTITY

MAX_OF_SCHEME = 500  # they all join at one close: a part of the orders that an auction may have
MAX_OF_BUYER = 4  # of one scheme


def check_place(context: Context, action: PlaceStandingBid) -> None:
    context.require_signature(action.buyer)
    scheme = context.record(scheme_key(action.scheme), Scheme, "scheme", action.scheme)
    if not 0 < action.quantity <= MAX_QUANTITY:
        raise BadField(field="quantity", why=f"1 to {MAX_QUANTITY}")
    if not 0 < action.limit <= MAX_PRICE:
        raise PriceOutside(price=action.limit, floor=0, ceiling=MAX_PRICE)
    if not action.limit <= action.purse <= MAX_AMOUNT:
        raise BadField(field="purse", why="it pays for one certificate at least")
    names = [wanted.dimension for wanted in action.wanted]
    if names != sorted(set(names) & set(DIMENSIONS), key=DIMENSIONS.index):
        raise BadField(field="wanted", why=f"each at most once, in this order: {', '.join(DIMENSIONS)}")
    for wanted in action.wanted:
        require_line(wanted.dimension, wanted.node)
    found = standing_bids(context.overlay, action.scheme)
    if len(found) >= MAX_OF_SCHEME:
        raise LimitReached(limit=MAX_OF_SCHEME, what=f"standing bids of scheme {action.scheme}")
    if sum(bid.holder == action.buyer for bid in found) >= MAX_OF_BUYER:
        raise LimitReached(limit=MAX_OF_BUYER, what=f"standing bids of participant {action.buyer}")
    context.money(action.inputs, action.buyer, scheme.currency, action.purse)


def apply_place(context: Context, action: PlaceStandingBid) -> None:
    scheme = context.record(scheme_key(action.scheme), Scheme, "scheme", action.scheme)
    total = context.money(action.inputs, action.buyer, scheme.currency, action.purse)
    for point in action.inputs:
        context.spend(point)
    number = context.next_number("standing_bid")
    purse = context.create(Purse(number, Funds(action.buyer, scheme.currency, action.purse)))
    context.pay(action.buyer, scheme.currency, total - action.purse)
    context.overlay.put(
        standing_bid_key(scheme.id, number),
        StandingBid(
            number,
            action.buyer,
            scheme.id,
            scheme.currency,
            action.wanted,
            action.quantity,
            action.limit,
            purse,
        ),
    )
    context.announce(StandingBidPlaced(number, action.buyer, scheme.id, action.quantity, action.limit, action.purse))


def describe_place(action: PlaceStandingBid) -> Said:
    count, price, purse = (
        Counted(action.quantity, "certificate"),
        format_price(action.limit),
        format_price(action.purse),
    )
    wanted = " ".join(wanted.node for wanted in action.wanted)
    if not wanted:
        return Said(
            "bid for {count} at up to {price} each in every auction of scheme {scheme}, from a purse of {purse}",
            count=count,
            price=price,
            scheme=action.scheme,
            purse=purse,
        )
    return Said(
        "bid for {count} of {wanted} at up to {price} each in every auction of scheme {scheme}, "
        "from a purse of {purse}",
        count=count,
        wanted=wanted,
        price=price,
        scheme=action.scheme,
        purse=purse,
    )


def check_end(context: Context, action: EndStandingBid) -> None:
    context.require_signature(action.buyer)
    key = standing_bid_key(action.scheme, action.number)
    found = context.record(key, StandingBid, "standing bid", action.number)
    if found.holder != action.buyer:
        raise NotYours(outpoint=found.purse, holder=found.holder, claimed=action.buyer)


def apply_end(context: Context, action: EndStandingBid) -> None:
    key = standing_bid_key(action.scheme, action.number)
    found = context.record(key, StandingBid, "standing bid", action.number)
    left = _emptied(context, found)
    context.pay(found.holder, found.currency, left)
    context.overlay.delete(key)
    context.announce(StandingBidEnded(found.id, found.holder, left))


def describe_end(action: EndStandingBid) -> Said:
    return Said("end standing bid {number} of scheme {scheme}", number=action.number, scheme=action.scheme)


def standing_bids(state: Snapshot, scheme: int) -> list[StandingBid]:
    low = standing_bid_key(scheme, 0)
    return [entry for _, entry in state.scan(low, space_end(low[:5])) if isinstance(entry, StandingBid)]


# --- in an auction


def join_auction(context: Context, auction: Auction, most: int) -> Auction:
    """Place the standing bids of the auction's scheme, oldest first; the auction with its new orders."""
    for standing in standing_bids(context.overlay, auction.lot_class.scheme):
        purse = context.overlay.get(output_key(standing.purse)) if standing.purse else None
        nodes = nodes_for(auction.terms, _common(auction), standing.wanted)
        if not isinstance(purse, Purse) or nodes is None or auction.orders >= most:
            continue
        quantity = min(standing.quantity, purse.funds.amount // standing.limit)
        if auction.terms.position_cap:
            quantity = min(quantity, auction.terms.position_cap)
        if quantity and standing.limit >= auction.floor and standing.currency == auction.currency:
            auction = _join(context, auction, standing, quantity, tuple(nodes))
    return auction


def _join(context: Context, auction: Auction, standing: StandingBid, quantity: int, nodes: tuple[str, ...]) -> Auction:
    left, locked = _emptied(context, standing), quantity * standing.limit
    funds = Funds(standing.holder, standing.currency, locked)
    wanted = nodes if any(nodes) else ()
    number = auction.orders
    bid = Bid(
        auction.id,
        standing.holder,
        quantity,
        standing.limit,
        funds,
        wanted,
        standing=standing.id,
        number=number,
    )
    point = context.create(bid)
    _fill(context, standing, left - locked)
    context.overlay.put(auction_order_key(auction.id, number), Pointer(point))
    context.announce(BidPlaced(auction.id, standing.holder, point, quantity, standing.limit, wanted))
    joined = replace(auction, orders=number + 1)
    context.overlay.put(auction_key(auction.id), joined)
    return joined


def returned(context: Context, bid: Bid, amount: int) -> None:
    """Money that a bid did not spend: into the purse that it came from, as long as there is one."""
    standing = _of(context, bid) if bid.standing else None
    if standing is None:
        context.pay(bid.holder, bid.funds.currency, amount)
    elif amount:
        _fill(context, standing, _emptied(context, standing) + amount)


def _of(context: Context, bid: Bid) -> StandingBid | None:
    auction = context.record(auction_key(bid.auction), Auction, "auction", bid.auction)
    found = context.overlay.get(standing_bid_key(auction.lot_class.scheme, bid.standing))
    return found if isinstance(found, StandingBid) else None


def _emptied(context: Context, standing: StandingBid) -> int:
    """Take all money out of the purse."""
    if not standing.purse:
        return 0
    purse = context.spend(standing.purse)
    assert isinstance(purse, Purse)
    return purse.funds.amount


def _fill(context: Context, standing: StandingBid, amount: int) -> None:
    purse = b""
    if amount:
        purse = context.create(Purse(standing.id, Funds(standing.holder, standing.currency, amount)))
    key = standing_bid_key(standing.scheme, standing.id)
    context.overlay.put(key, replace(standing, purse=purse))


def _common(auction: Auction) -> dict[str, str]:
    """What all lots of the auction have in common."""
    lot_class = auction.lot_class
    one_month = lot_class.month_from == lot_class.month_to and lot_class.month_to
    return {
        "technology": lot_class.technology,
        "zone": lot_class.zone,
        "device": str(lot_class.device or ""),
        "period": str(one_month or ""),
    }
