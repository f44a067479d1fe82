"""What time does by itself, at the start of a block: certificates expire, auctions close, deliveries go on.

Validity never waits for this sweep: an expired output is no valid input from its second on, swept or not. It is
bounded, so a flood of expiries costs later blocks, never one.
"""

from itertools import islice

from contracts.auction import OPENING, advance
from contracts.context import BlockEnvironment, BlockOutput, Context
from contracts.delivery import deliver_page
from contracts.events import Expired
from contracts.keys import next_due_ms, recover_due
from contracts.obligation import deliver_paid, lapsed, release_unpaid
from contracts.open_shares import open_served, walks_due
from contracts.security import forfeit_due, next_term_ms
from contracts.sessions import next_session_ms, open_sessions
from state.keyspace import (
    Space,
    auction_close_key,
    auction_key,
    auction_waiting_key,
    delivery_key,
    expiry_key,
    listing_key,
    obligation_work_key,
    space_end,
)
from state.outputs import Bundle, Delivery, Listing, Offer, Pending, Reserved, SealedOffer
from state.overlay import Overlay, Snapshot
from state.records import Auction, Counter, Pointer
from state.units import PAGE_PIECES, SWEEP_LIMIT, Outpoint

_NO_POINT = bytes(34)


def sweep(overlay: Overlay, environment: BlockEnvironment, output: BlockOutput) -> None:
    """Everything that is due at the block's time, before its first transaction."""
    txid = bytes(24) + environment.height.to_bytes(8, "big")
    context = Context(overlay, environment, txid, ())
    context.enter(0, "expire")
    _expire(context)
    recover_due(context)
    forfeit_due(context)
    context.enter(0, "open")
    open_served(context)
    context.enter(0, "close")
    _close_auctions(context)
    open_sessions(context)
    context.enter(0, "deliver")
    done = deliver_page(context, PAGE_PIECES)
    done += deliver_paid(context, PAGE_PIECES - done)
    context.enter(0, "release")
    release_unpaid(context, PAGE_PIECES - done)
    context.finish(limited=False)
    output.events.extend(context.events)
    output.movements.extend(movement for movement in context.movements if movement.spent or movement.created)


def due_at_ms(state: Snapshot) -> int | None:
    """When the next block has something to sweep; None while nothing waits. A block is then worth building."""
    times = []
    for prefix in (bytes((Space.EXPIRY,)), bytes((Space.AUCTION_CLOSE,))):
        for key, _ in state.scan(prefix, space_end(prefix)):
            times.append(int.from_bytes(key[1:9], "big") * 1000)
            break
    times += [
        due_ms for due_ms in (next_due_ms(state), next_term_ms(state), next_session_ms(state)) if due_ms is not None
    ]
    for low in (delivery_key(0), obligation_work_key(0, 0)):
        if next(iter(state.scan(low, space_end(low[:1]))), None) is not None:
            times.append(0)
    if walks_due(state):
        times.append(0)
    return min(times) if times else None


def closed_auctions(state: Snapshot) -> list[Auction]:
    """Auctions that wait for their settlement, oldest first."""
    low = auction_waiting_key(0)
    numbers = [entry.value for _, entry in state.scan(low, space_end(low[:1])) if isinstance(entry, Counter)]
    found = [state.get(auction_key(number)) for number in numbers]
    return [entry for entry in found if isinstance(entry, Auction)]


def opening_auctions(state: Snapshot) -> list[Auction]:
    """Auctions whose sealed orders are being opened, the one that ends first before the others."""
    low = auction_close_key(0, 0)
    numbers = [entry.value for _, entry in state.scan(low, space_end(low[:1])) if isinstance(entry, Counter)]
    found = [state.get(auction_key(number)) for number in numbers]
    return [entry for entry in found if isinstance(entry, Auction) and entry.status == OPENING]


def _expire(context: Context) -> None:
    """At most SWEEP_LIMIT outputs past `retire_until`, in (time, outpoint) order."""
    low, high = expiry_key(0, _NO_POINT), expiry_key(context.environment.time_s + 1, _NO_POINT)
    points: list[Outpoint] = []
    for _, pointer in islice(context.overlay.scan(low, high), SWEEP_LIMIT):
        assert isinstance(pointer, Pointer)
        points.append(pointer.outpoint)
    for point in points:
        dead = context.spend(point)
        match dead:
            case Bundle():
                lot = dead
            case Pending():
                lot = dead.lot
            case Listing():
                lot = dead.lot
                context.overlay.delete(listing_key(point))
            case Offer() | SealedOffer():
                lot = dead.lot
                if dead.bond is not None:
                    context.create(dead.bond)
            case Delivery():
                lot = dead.lot
                context.pay(dead.buyer, dead.payment.currency, dead.payment.amount)
            case Reserved():
                lot = dead.lot
                lapsed(context, dead)
            case _:
                raise AssertionError("only certificates expire")
        context.announce(Expired(lot.holder, lot.device, lot.issuance, lot.start, lot.end))


def _close_auctions(context: Context) -> None:
    environment = context.environment
    low, high = auction_close_key(0, 0), auction_close_key(environment.time_s + 1, 0)
    for key, number in list(context.overlay.scan(low, high)):
        assert isinstance(number, Counter)
        auction = context.record(auction_key(number.value), Auction, "auction", number.value)
        if advance(context, auction):
            context.overlay.delete(key)
