"""offer: lock certificates in an auction, for sale at a limit or better. Sealed: with a bond, and the limit unread."""

from contracts.auction import require_class, require_open
from contracts.context import Context
from contracts.deposit import format_price
from contracts.escrow import check_envelope, note_set
from contracts.events import Offered, OrderSealed
from contracts.orders import OFFER, check_offer, check_words, enter_order, lock, locked, require_place
from contracts.transfer import moved_bundle, require_inside, require_tradable
from state.errors import CertificateExpired
from state.keyspace import auction_key, device_key
from state.outputs import Bundle, Offer, SealedOffer
from state.records import Auction, Device
from state.spoken import Counted, Said
from state.transaction import PlaceOffer


def check(context: Context, action: PlaceOffer) -> None:
    context.require_signature(action.seller)
    auction = require_open(context, action.auction)
    bundle = context.bundle(action.outpoint, action.seller)
    require_inside(bundle, action.start, action.end)
    require_tradable(context, bundle, action.outpoint)
    until = auction.closes_at + auction.terms.opening_s + auction.terms.pay_s
    if bundle.trade_until <= until:
        raise CertificateExpired(outpoint=action.outpoint, what="traded", until=bundle.trade_until, now=until)
    require_class(context, auction, bundle, _device(context, bundle))
    check_words(auction, bool(action.commitment), action.quantity, action.limit, ())
    check_envelope(context, auction, action.commitment, action.envelope)
    size = action.end - action.start + 1
    check_offer(auction, size, action.quantity, action.limit)
    locked(context, action.inputs, action.seller, auction.currency, auction.terms.bond * size)
    require_place(context, auction, action.seller, OFFER)


def apply(context: Context, action: PlaceOffer) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    bundle = context.spend(action.outpoint)
    assert isinstance(bundle, Bundle)
    if bundle.start < action.start:
        context.create(moved_bundle(bundle, bundle.holder, bundle.start, action.start - 1))
    if action.end < bundle.end:
        context.create(moved_bundle(bundle, bundle.holder, action.end + 1, bundle.end))
    lot = moved_bundle(bundle, bundle.holder, action.start, action.end)
    place = require_class(context, auction, lot, _device(context, lot))
    size = action.end - action.start + 1
    bond, rest = lock(context, action.inputs, action.seller, auction.currency, auction.terms.bond * size)
    if action.commitment:
        sealed = SealedOffer(auction.id, lot, place, action.commitment, bond, auction.orders, action.envelope)
        point = context.create(sealed)
        note_set(context, auction, action.envelope)
        stake = bond.amount if bond is not None else 0
        context.announce(OrderSealed(auction.id, auction.orders, action.seller, OFFER, point, stake))
    else:
        offered = action.quantity or size
        point = context.create(Offer(auction.id, lot, action.limit, offered, place, number=auction.orders))
        last = action.start + offered - 1
        context.announce(Offered(auction.id, action.seller, point, lot.device, action.start, last, action.limit))
    context.pay(action.seller, auction.currency, rest)
    enter_order(context, auction, action.seller, OFFER, point)


def describe(action: PlaceOffer) -> Said:
    count = action.end - action.start + 1
    if action.commitment:
        return Said(
            "seal an offer of up to {count} ({start}..{end}) in auction {auction}",
            count=Counted(count, "certificate"),
            start=action.start,
            end=action.end,
            auction=action.auction,
        )
    return Said(
        "offer {count} ({start}..{end}) at {price} or more each in auction {auction}",
        count=Counted(action.quantity or count, "certificate"),
        start=action.start,
        end=action.end,
        price=format_price(action.limit),
        auction=action.auction,
    )


def _device(context: Context, bundle: Bundle) -> Device:
    return context.record(device_key(bundle.device), Device, "device", bundle.device)
