"""bid: lock the full amount in an auction, to buy at a limit or better. The deposit is the guarantee."""

from contracts.auction import require_open
from contracts.context import Context
from contracts.deposit import format_price
from contracts.events import BidPlaced
from contracts.offer import enter_order, require_place
from state.errors import BadField, PriceOutside
from state.keyspace import auction_key
from state.outputs import Bid, Funds
from state.records import Auction
from state.transaction import PlaceBid
from state.units import MAX_PRICE, MAX_QUANTITY


def check(context: Context, action: PlaceBid) -> None:
    context.require_signature(action.buyer)
    auction = require_open(context, action.auction)
    if not 0 < action.quantity <= MAX_QUANTITY:
        raise BadField(field="quantity", why=f"1 to {MAX_QUANTITY}")
    if not 0 < action.limit <= MAX_PRICE or action.limit < auction.floor:
        raise PriceOutside(price=action.limit, floor=auction.floor, ceiling=auction.ceiling)
    context.money(action.inputs, action.buyer, auction.currency, action.quantity * action.limit)
    require_place(context, auction, action.buyer, "bid")


def apply(context: Context, action: PlaceBid) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    locked = action.quantity * action.limit
    total = context.money(action.inputs, action.buyer, auction.currency, locked)
    for point in action.inputs:
        context.spend(point)
    funds = Funds(action.buyer, auction.currency, locked)
    order = context.create(Bid(auction.id, action.buyer, action.quantity, action.limit, funds))
    context.pay(action.buyer, auction.currency, total - locked)
    enter_order(context, auction, action.buyer, "bid", order)
    context.announce(BidPlaced(auction.id, action.buyer, order, action.quantity, action.limit))


def describe(action: PlaceBid) -> str:
    return (
        f"bid for {action.quantity} certificates at up to {format_price(action.limit)} each in auction {action.auction}"
    )
