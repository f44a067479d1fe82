"""Auctions: their class, their live orders, their outcome."""

from typing import Any

from node.queries.pages import Page, records
from node.queries.registry import output_dict
from node.queries.values import plain
from state.errors import Unknown
from state.keyspace import Space, auction_key, auction_order_key, output_key, space_end
from state.outputs import Bid, Offer
from state.records import Auction, Pointer
from state.store import Store

MAX_ORDERS = 1_000  # shown with one auction


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


def _orders(store: Store, auction: int) -> list[dict[str, Any]]:
    low = auction_order_key(auction, 0)
    orders: list[dict[str, Any]] = []
    for key, pointer in store.scan(low, space_end(low[:5])):
        assert isinstance(pointer, Pointer)
        output = store.get(output_key(pointer.outpoint))
        if isinstance(output, Offer | Bid):
            number = int.from_bytes(key[-4:], "big")
            orders.append({"order": number, **output_dict(store, pointer.outpoint, output)})
        if len(orders) == MAX_ORDERS:
            break
    return orders


def _bare(record: Auction) -> dict[str, Any]:
    shown = plain(record)
    shown.pop("kind", None)
    return shown
