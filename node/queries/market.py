"""Auctions, their orders, their outcome, what is owed for it; posted lots; standing bids."""

from typing import Any

from contracts.events import OrderSettled
from contracts.obligation import held, owed, strikes_of
from contracts.receipt import next_words, price_words, result_words, seen_words
from node.queries.chain import events_of, time_of_tip
from node.queries.pages import Page, bounds, records, take
from node.queries.registry import output_dict
from node.queries.values import plain
from node.texts import Texts
from state.errors import Unknown
from state.keyspace import Space, auction_key, auction_order_key, obligation_key, output_key, space_end
from state.outputs import Listing, OrderOutput, Purse, holder_of
from state.records import Auction, Obligation, Pointer, StandingBid
from state.store import Store

MAX_ORDERS = 1_000  # shown with one auction; all of them in pages


def auctions_page(store: Store, status: str | None, cursor: bytes | None, limit: int) -> Page:
    def show(_: bytes, found: Auction) -> dict[str, Any] | None:
        return _bare(found) if status in (None, found.status) else None

    return records(store, Space.AUCTION, cursor, limit, show)


def auction_dict(store: Store, auction: int) -> dict[str, Any]:
    """With its live orders by number: offers and bids that were not cancelled, until the settlement spends them."""
    found = store.get(auction_key(auction))
    if not isinstance(found, Auction):
        raise Unknown(what="auction", id=auction)
    return {**_bare(found), "live_orders": _orders(store, auction)}


def orders_page(store: Store, auction: int, holder: int | None, cursor: bytes | None, limit: int) -> Page:
    """Live orders of an auction by number; with `holder` only his."""
    if not isinstance(store.get(auction_key(auction)), Auction):
        raise Unknown(what="auction", id=auction)

    def show(key: bytes, pointer: Any) -> dict[str, Any] | None:
        output = store.get(output_key(pointer.outpoint))
        if not isinstance(output, OrderOutput) or holder not in (None, holder_of(output)):
            return None
        return _order(store, key, pointer, output)

    return take(store.scan(*bounds(auction_order_key(auction, 0)[:5], cursor)), limit, show)


def receipts_of(store: Store, auction: int, participant: int | None, t: Texts) -> dict[str, Any]:
    """What every order of a settled auction is told, of one participant or of all; empty before the settlement.

    Made of the events of the settlement, so a node that began from a later snapshot answers NotHeld.
    """
    found = store.get(auction_key(auction))
    if not isinstance(found, Auction):
        raise Unknown(what="auction", id=auction)
    records = events_of(store, found.settled_height) if found.settled_height else ()
    told = [record.event for record in records if isinstance(record.event, OrderSettled)]
    owing = _owing(store, auction)
    return {
        "auction": auction,
        "title": found.title,
        "currency": found.currency,
        "status": found.status,
        "receipts": [
            _receipt(t, found, event, bool(owing) if event.side == "offer" else event.participant in owing)
            for event in told
            if event.auction == auction and participant in (None, event.participant)
        ],
    }


def _owing(store: Store, auction: int) -> set[int]:
    """Buyers who may still pay."""
    rows = store.scan(obligation_key(auction, 0), obligation_key(auction + 1, 0))
    return {found.buyer for _, found in rows if isinstance(found, Obligation) and not found.forfeit}


def _receipt(t: Texts, auction: Auction, told: OrderSettled, owing: bool) -> dict[str, Any]:
    shown = plain(told)
    for name in ("kind", "auction"):
        shown.pop(name)
    return {
        **shown,
        "result": t.said(result_words(auction, told)),
        "why_this_price": t.said(price_words(auction, told)),
        "who_could_see": t.said(seen_words(auction, told)),
        "what_is_next": t.said(next_words(auction, told, over=not owing)),
    }


def obligations_page(store: Store, buyer: int | None, cursor: bytes | None, limit: int) -> Page:
    """What buyers on margin owe; of one who left too many unpaid, until when he may not bid so."""
    now_s = time_of_tip(store)

    def show(_: bytes, found: Obligation) -> dict[str, Any] | None:
        return obligation_dict(store, found, now_s) if buyer in (None, found.buyer) else None

    return records(store, Space.OBLIGATION, cursor, limit, show)


def obligation_dict(store: Store, found: Obligation, now_s: int) -> dict[str, Any]:
    """`status`: due; paid, where the rest is being delivered; overdue; defaulted, where lots are going back."""
    left = owed(store, found)
    status = "defaulted" if found.forfeit else "paid" if not left else "overdue" if now_s >= found.due_at else "due"
    strikes = strikes_of(store, found.buyer, now_s)
    return {
        "auction": found.auction,
        "buyer": found.buyer,
        "currency": found.currency,
        "status": status,
        "value": str(found.value),
        "delivered": str(found.delivered),
        "margin": str(found.margin),
        "held": str(held(store, found).amount),
        "owed": str(left),
        "due_at": str(found.due_at),
        "pieces": found.pieces - found.first,
        "strikes": strikes.count if strikes is not None else 0,
    }


def listings_page(store: Store, holder: int | None, cursor: bytes | None, limit: int) -> Page:
    """Posted lots; with `holder` those that he posted or that were posted for him."""

    def show(_: bytes, pointer: Pointer) -> dict[str, Any] | None:
        output = store.get(output_key(pointer.outpoint))
        if not isinstance(output, Listing) or holder not in (None, output.lot.holder, output.to):
            return None
        return output_dict(store, pointer.outpoint, output)

    return records(store, Space.LISTING, cursor, limit, show)


def standing_bids_page(store: Store, holder: int | None, cursor: bytes | None, limit: int) -> Page:
    """Standing bids with what lies in their purses."""

    def show(_: bytes, found: StandingBid) -> dict[str, Any] | None:
        if holder not in (None, found.holder):
            return None
        purse = store.get(output_key(found.purse)) if found.purse else None
        shown = plain(found)
        shown.pop("kind")
        shown.pop("purse")
        return {**shown, "left": str(purse.funds.amount if isinstance(purse, Purse) else 0)}

    return records(store, Space.STANDING_BID, cursor, limit, show)


def _orders(store: Store, auction: int) -> list[dict[str, Any]]:
    low = auction_order_key(auction, 0)
    orders: list[dict[str, Any]] = []
    for key, pointer in store.scan(low, space_end(low[:5])):
        assert isinstance(pointer, Pointer)
        output = store.get(output_key(pointer.outpoint))
        if isinstance(output, OrderOutput):
            orders.append(_order(store, key, pointer, output))
        if len(orders) == MAX_ORDERS:
            break
    return orders


def _order(store: Store, key: bytes, pointer: Pointer, output: OrderOutput) -> dict[str, Any]:
    shown = output_dict(store, pointer.outpoint, output)
    shown.pop("envelope", None)  # half a kilobyte that says nothing; it stands in the order's own record
    return {"order": int.from_bytes(key[-4:], "big"), **shown}


def _bare(record: Auction) -> dict[str, Any]:
    shown = plain(record)
    shown.pop("kind", None)
    return shown
