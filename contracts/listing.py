"""list and buy: a lot at a posted price, whole or in part, to whoever comes first or to one participant alone.

A lot for one participant is a deal that the seller proposes and the buyer accepts by paying; no auction is needed.
Delivery versus payment: certificates and money move in the buyer's transaction or not at all.
"""

from contracts.context import Context
from contracts.deposit import require_currency
from contracts.events import Bought, Listed
from contracts.transfer import moved_bundle, require_inside, require_tradable
from state.errors import BadField, CertificateExpired, Locked, NotYours, OwnLot, PriceOutside
from state.keyspace import issuance_key, listing_key, scheme_key
from state.outputs import Bundle, Listing, quantity
from state.records import Issuance, Pointer, Scheme
from state.spoken import Counted, Said, format_money
from state.transaction import Buy, ListLot
from state.units import MAX_PRICE, MAX_QUANTITY, Outpoint


def check_list(context: Context, action: ListLot) -> None:
    context.require_signature(action.seller)
    bundle = context.bundle(action.outpoint, action.seller)
    require_inside(bundle, action.start, action.end)
    require_tradable(context, bundle, action.outpoint)
    require_currency(action.currency)
    issuance = context.record(issuance_key(bundle.issuance), Issuance, "issuance", bundle.issuance)
    scheme = context.record(scheme_key(issuance.scheme), Scheme, "scheme", issuance.scheme)
    if scheme.currency != action.currency:
        raise BadField(field="currency", why=f"scheme {scheme.name} trades in {scheme.currency}")
    if not 0 < action.price <= MAX_PRICE:
        raise PriceOutside(price=action.price, floor=1, ceiling=MAX_PRICE)
    if action.end - action.start >= MAX_QUANTITY:
        raise BadField(field="end", why=f"at most {MAX_QUANTITY} certificates in one lot")
    if not context.environment.before(action.until):
        raise BadField(field="until", why="it lies in the past")
    if action.to:
        context.participant(action.to)
        if action.to == action.seller:
            raise OwnLot(participant=action.seller)


def apply_list(context: Context, action: ListLot) -> None:
    bundle = context.spend(action.outpoint)
    assert isinstance(bundle, Bundle)
    if bundle.start < action.start:
        context.create(moved_bundle(bundle, bundle.holder, bundle.start, action.start - 1))
    if action.end < bundle.end:
        context.create(moved_bundle(bundle, bundle.holder, action.end + 1, bundle.end))
    lot = moved_bundle(bundle, bundle.holder, action.start, action.end)
    point = _post(context, Listing(lot, action.price, action.currency, action.to, action.until))
    context.announce(
        Listed(
            action.seller,
            point,
            lot.device,
            action.start,
            action.end,
            action.price,
            action.currency,
            action.to,
            action.until,
        )
    )


def describe_list(action: ListLot) -> Said:
    whom = Said("participant {number}", number=action.to) if action.to else Said("anybody")
    return Said(
        "post {count} ({start}..{end}) at {price} each for {whom}",
        count=Counted(action.end - action.start + 1, "certificate"),
        start=action.start,
        end=action.end,
        price=format_money(action.price, action.currency),
        whom=whom,
    )


def check_buy(context: Context, action: Buy) -> None:
    context.require_signature(action.buyer)
    listing = _listing(context, action.listing)
    lot = listing.lot
    if lot.holder == action.buyer:
        raise OwnLot(participant=action.buyer)
    if listing.to not in (0, action.buyer):
        raise NotYours(outpoint=action.listing, holder=listing.to, claimed=action.buyer)
    if not context.environment.before(listing.until):
        now = context.environment.time_s
        raise CertificateExpired(outpoint=action.listing, what="bought", until=listing.until, now=now)
    require_tradable(context, lot, action.listing)
    if not 0 < action.quantity <= quantity(lot):
        raise BadField(field="quantity", why=f"1 to {quantity(lot)}, what is left of the lot")
    context.money(action.inputs, action.buyer, listing.currency, action.quantity * listing.price)


def apply_buy(context: Context, action: Buy) -> None:
    listing = _listing(context, action.listing)
    lot, price = listing.lot, action.quantity * listing.price
    total = context.money(action.inputs, action.buyer, listing.currency, price)
    taken_down(context, action.listing)
    for point in action.inputs:
        context.spend(point)
    last = lot.start + action.quantity - 1
    context.create(moved_bundle(lot, action.buyer, lot.start, last))
    if last < lot.end:
        left = moved_bundle(lot, lot.holder, last + 1, lot.end)
        _post(context, Listing(left, listing.price, listing.currency, listing.to, listing.until))
    context.pay(lot.holder, listing.currency, price)
    context.pay(action.buyer, listing.currency, total - price)
    context.announce(
        Bought(
            lot.holder,
            action.buyer,
            lot.device,
            lot.issuance,
            lot.start,
            last,
            listing.currency,
            price,
        )
    )


def describe_buy(action: Buy) -> Said:
    count = Counted(action.quantity, "certificate")
    return Said("buy {count} of the posted lot {lot}", count=count, lot=f"{action.listing.hex()[:16]}…")


def taken_down(context: Context, point: Outpoint) -> Listing:
    """Spend a posted lot: sold, taken back or expired."""
    listing = context.spend(point)
    assert isinstance(listing, Listing)
    context.overlay.delete(listing_key(point))
    return listing


def _post(context: Context, listing: Listing) -> Outpoint:
    point = context.create(listing)
    context.overlay.put(listing_key(point), Pointer(point))
    return point


def _listing(context: Context, point: Outpoint) -> Listing:
    found = context.order(point)
    if not isinstance(found, Listing):
        raise Locked(outpoint=point, kind=str(found.__struct_config__.tag))
    return found
