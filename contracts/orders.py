"""What all orders of an auction share: their place in the book, what they lock, and how they are sealed.

A sealed order is a hash over everything it says and 32 random bytes. It binds its participant and auction, so a copy
under another name can never be opened; who does not open loses half of the stake (`contracts/settle.py`). Where
validators open it, it is the hash of an envelope that a quorum of them can look into (`contracts/sealing.py`).
"""

from msgspec.structs import replace

from contracts.attributes import check_wanted
from contracts.auction import MAX_ORDERS, PLACES
from contracts.context import Context
from contracts.escrow import BID as BID
from contracts.escrow import OFFER as OFFER
from state.crypto import H
from state.errors import BadField, LimitReached, MoneyDiffers, OwnOrder, PriceOutside
from state.keyspace import auction_key, auction_member_key, auction_order_key
from state.outputs import Funds, OrderOutput
from state.records import Auction, AuctionMember, Pointer
from state.units import MAX_PRICE, MAX_QUANTITY, Outpoint


def commitment(
    chain: bytes,
    auction: int,
    participant: int,
    side: str,
    quantity: int,
    limit: int,
    wanted: tuple[str, ...],
    salt: bytes,
) -> bytes:
    """What a sealed order shows of itself. `side` is offer or bid; an offer wants nothing."""
    return H("wattest/order", (chain, auction, participant, side, quantity, limit, wanted, salt))


def require_place(context: Context, auction: Auction, participant: int, side: str) -> None:
    """The auction and the participant have room for one more order; where one class is traded, on one side only."""
    if auction.orders >= MAX_ORDERS:
        raise LimitReached(limit=MAX_ORDERS, what=f"orders of auction {auction.id}")
    member = context.overlay.get(auction_member_key(auction.id, participant))
    if isinstance(member, AuctionMember):
        if member.side != side and not auction.terms.dimensions:
            raise OwnOrder(participant=participant, side=member.side, auction=auction.id)
        allowed = next(each for below, each in PLACES if auction.orders < below)
        if member.orders >= allowed:
            raise LimitReached(limit=allowed, what=f"orders of participant {participant} in auction {auction.id} now")


def enter_order(context: Context, auction: Auction, participant: int, side: str, point: Outpoint) -> Auction:
    """Book the order under the number that it was created with."""
    entered = replace(auction, orders=auction.orders + 1)
    context.overlay.put(auction_key(auction.id), entered)
    context.overlay.put(auction_order_key(auction.id, auction.orders), Pointer(point))
    key = auction_member_key(auction.id, participant)
    member = context.overlay.get(key)
    if isinstance(member, AuctionMember):
        context.overlay.put(key, replace(member, orders=member.orders + 1))
    else:
        context.overlay.put(key, AuctionMember(1, side))
    return entered


def put_order(context: Context, auction: Auction, order: OrderOutput) -> Outpoint:
    """Create an order in the place of another one: the number stays."""
    point = context.create(order)
    context.overlay.put(auction_order_key(auction.id, order.number), Pointer(point))
    return point


def check_words(auction: Auction, sealed: bool, quantity: int, limit: int, wanted: tuple[str, ...]) -> None:
    """A sealed book takes sealed orders and these say nothing; an open one takes open orders."""
    if sealed != auction.terms.sealed:
        raise BadField(field="commitment", why="its book is sealed" if auction.terms.sealed else "its book is open")
    if sealed and (quantity or limit or wanted):
        raise BadField(field="commitment", why="a sealed order says neither quantity nor limit nor what it wants")


def check_bid(auction: Auction, quantity: int, limit: int, wanted: tuple[str, ...]) -> None:
    if not 0 < quantity <= MAX_QUANTITY:
        raise BadField(field="quantity", why=f"1 to {MAX_QUANTITY}")
    if not 0 < limit <= MAX_PRICE or limit < auction.floor:
        raise PriceOutside(price=limit, floor=auction.floor, ceiling=auction.ceiling)
    if auction.terms.position_cap and quantity > auction.terms.position_cap:
        raise LimitReached(limit=auction.terms.position_cap, what=f"certificates per buyer in auction {auction.id}")
    check_wanted(auction.terms, wanted)


def check_offer(auction: Auction, size: int, quantity: int, limit: int) -> None:
    if quantity > size:
        raise BadField(field="quantity", why=f"at most the {size} certificates of the lot")
    if limit > auction.ceiling:
        raise PriceOutside(price=limit, floor=auction.floor, ceiling=auction.ceiling)


def locked(context: Context, points: tuple[Outpoint, ...], holder: int, currency: str, amount: int) -> int:
    """Check that the inputs hold `amount`; what comes back. No inputs are enough for nothing."""
    if not points:
        if amount:
            raise MoneyDiffers(inputs=0, needed=amount)
        return 0
    return context.money(points, holder, currency, amount) - amount


def lock(
    context: Context, points: tuple[Outpoint, ...], holder: int, currency: str, amount: int
) -> tuple[Funds | None, int]:
    """(`amount` out of the inputs, None where it is nothing; what the caller pays back)."""
    rest = locked(context, points, holder, currency, amount)
    for point in points:
        context.spend(point)
    return (Funds(holder, currency, amount) if amount else None), rest
