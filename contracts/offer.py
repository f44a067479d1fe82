"""offer: lock certificates in an auction, for sale at a limit or better."""

from msgspec.structs import replace

from contracts.auction import MAX_ORDERS, PLACES, require_class, require_open
from contracts.context import Context
from contracts.deposit import format_price
from contracts.events import Offered
from contracts.transfer import moved_bundle, require_inside, require_tradable
from state.errors import CertificateExpired, LimitReached, OwnOrder, PriceOutside
from state.keyspace import auction_key, auction_member_key, auction_order_key, device_key
from state.outputs import Bundle, Offer
from state.records import Auction, AuctionMember, Device, Pointer
from state.transaction import PlaceOffer
from state.units import Outpoint


def check(context: Context, action: PlaceOffer) -> None:
    context.require_signature(action.seller)
    auction = require_open(context, action.auction)
    bundle = context.bundle(action.outpoint, action.seller)
    require_inside(bundle, action.start, action.end)
    require_tradable(context, bundle, action.outpoint)
    if bundle.trade_until <= auction.closes_at:
        raise CertificateExpired(
            outpoint=action.outpoint, what="traded", until=bundle.trade_until, now=auction.closes_at
        )
    require_class(context, auction, bundle, context.record(device_key(bundle.device), Device, "device", bundle.device))
    if action.limit > auction.ceiling:
        raise PriceOutside(price=action.limit, floor=auction.floor, ceiling=auction.ceiling)
    require_place(context, auction, action.seller, "offer")


def apply(context: Context, action: PlaceOffer) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    bundle = context.spend(action.outpoint)
    assert isinstance(bundle, Bundle)
    if bundle.start < action.start:
        context.create(moved_bundle(bundle, bundle.holder, bundle.start, action.start - 1))
    if action.end < bundle.end:
        context.create(moved_bundle(bundle, bundle.holder, action.end + 1, bundle.end))
    lot = moved_bundle(bundle, bundle.holder, action.start, action.end)
    point = context.create(Offer(auction.id, lot, action.limit))
    enter_order(context, auction, action.seller, "offer", point)
    context.announce(Offered(auction.id, action.seller, point, lot.device, action.start, action.end, action.limit))


def describe(action: PlaceOffer) -> str:
    count = action.end - action.start + 1
    at = format_price(action.limit)
    return f"offer {count} certificates ({action.start}..{action.end}) at {at} or more each in auction {action.auction}"


# --- what both sides share


def require_place(context: Context, auction: Auction, participant: int, side: str) -> None:
    """The auction and the participant have room for one more order, and it is on the participant's side."""
    if auction.orders >= MAX_ORDERS:
        raise LimitReached(limit=MAX_ORDERS, what=f"orders of auction {auction.id}")
    member = context.overlay.get(auction_member_key(auction.id, participant))
    if isinstance(member, AuctionMember):
        if member.side != side:
            raise OwnOrder(participant=participant, side=member.side, auction=auction.id)
        allowed = next(each for below, each in PLACES if auction.orders < below)
        if member.orders >= allowed:
            raise LimitReached(limit=allowed, what=f"orders of participant {participant} in auction {auction.id} now")


def enter_order(context: Context, auction: Auction, participant: int, side: str, point: Outpoint) -> None:
    """Give the order its number in the auction."""
    context.overlay.put(auction_key(auction.id), replace(auction, orders=auction.orders + 1))
    context.overlay.put(auction_order_key(auction.id, auction.orders), Pointer(point))
    key = auction_member_key(auction.id, participant)
    member = context.overlay.get(key)
    count = member.orders if isinstance(member, AuctionMember) else 0
    context.overlay.put(key, AuctionMember(count + 1, side))
