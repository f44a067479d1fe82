"""bid: lock the full amount in an auction, to buy at a limit or better. The deposit is the guarantee."""

from contracts.auction import require_open
from contracts.context import Context
from contracts.deposit import format_price
from contracts.escrow import check_envelope, note_set
from contracts.events import BidPlaced, OrderSealed
from contracts.obligation import require_trusted, to_lock
from contracts.orders import BID, check_bid, check_words, enter_order, lock, require_place
from state.errors import BadField
from state.keyspace import auction_key
from state.outputs import Bid, SealedBid
from state.records import Auction
from state.spoken import Counted, Said
from state.transaction import PlaceBid
from state.units import MAX_AMOUNT


def check(context: Context, action: PlaceBid) -> None:
    context.require_signature(action.buyer)
    auction = require_open(context, action.auction)
    check_words(auction, bool(action.commitment), action.quantity, action.limit, action.wanted)
    check_envelope(context, auction, action.commitment, action.envelope)
    if not action.commitment:
        check_bid(auction, action.quantity, action.limit, action.wanted)
    if bool(action.stake) != bool(action.commitment) or action.stake > MAX_AMOUNT:
        raise BadField(field="stake", why="a sealed bid has one, an open one locks quantity times limit")
    require_trusted(context, auction.terms, action.buyer)
    context.money(action.inputs, action.buyer, auction.currency, needed(auction, action))
    require_place(context, auction, action.buyer, BID)


def apply(context: Context, action: PlaceBid) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    amount = needed(auction, action)
    funds, rest = lock(context, action.inputs, action.buyer, auction.currency, amount)
    assert funds is not None
    number = auction.orders
    if action.commitment:
        sealed = SealedBid(auction.id, action.buyer, action.commitment, funds, number, action.envelope)
        point = context.create(sealed)
        note_set(context, auction, action.envelope)
        context.announce(OrderSealed(auction.id, number, action.buyer, BID, point, amount))
    else:
        bid = Bid(auction.id, action.buyer, action.quantity, action.limit, funds, action.wanted, number=number)
        point = context.create(bid)
        context.announce(BidPlaced(auction.id, action.buyer, point, action.quantity, action.limit, action.wanted))
    context.pay(action.buyer, auction.currency, rest)
    enter_order(context, auction, action.buyer, BID, point)


def needed(auction: Auction, action: PlaceBid) -> int:
    return action.stake or to_lock(auction.terms, action.quantity * action.limit)


def describe(action: PlaceBid) -> Said:
    if action.commitment:
        stake = format_price(action.stake)
        return Said("seal a bid with a stake of {stake} in auction {auction}", stake=stake, auction=action.auction)
    count, limit = Counted(action.quantity, "certificate"), format_price(action.limit)
    wanted = " ".join(node for node in action.wanted if node)
    if not wanted:
        return Said(
            "bid for {count} at up to {price} each in auction {auction}",
            count=count,
            price=limit,
            auction=action.auction,
        )
    return Said(
        "bid for {count} of {wanted} at up to {price} each in auction {auction}",
        count=count,
        wanted=wanted,
        price=limit,
        auction=action.auction,
    )
