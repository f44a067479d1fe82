"""Handlers of the market."""

from node.api.calls import Answer, Call
from node.api.registry import paged
from node.queries import market
from node.texts import DEFAULT, texts


async def auctions(call: Call) -> Answer:
    """Auctions, what they trade and how they ended; with `status`, only those."""
    return paged("auctions", market.auctions_page(call.store, call.get("status"), *call.page))


async def auction(call: Call) -> Answer:
    """One auction with its live orders, the first 1,000 of them."""
    return market.auction_dict(call.store, call["id"])


async def orders(call: Call) -> Answer:
    """Live orders of an auction by number, in pages; with `participant`, of one."""
    return paged("orders", market.orders_page(call.store, call["id"], call.get("participant"), *call.page))


async def receipts(call: Call) -> Answer:
    """What every order of a settled auction was told, in numbers and in words; with `participant`, of one."""
    return market.receipts_of(call.store, call["id"], call.get("participant"), texts(call.get("lang") or DEFAULT))


async def listings(call: Call) -> Answer:
    """Lots at a posted price; with `participant`, those that he posted or that were posted for him."""
    return paged("listings", market.listings_page(call.store, call.get("participant"), *call.page))


async def standing_bids(call: Call) -> Answer:
    """Bids that are placed in every auction of their scheme; with `participant`, of one."""
    return paged("standing_bids", market.standing_bids_page(call.store, call.get("participant"), *call.page))


async def obligations(call: Call) -> Answer:
    """What buyers on margin owe for reserved certificates, and until when; with `participant`, of one buyer."""
    return paged("obligations", market.obligations_page(call.store, call.get("participant"), *call.page))
