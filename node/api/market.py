"""Handlers of the market."""

from node.api.calls import Answer, Call
from node.api.registry import paged
from node.queries import market


async def auctions(call: Call) -> Answer:
    """Auctions, what they trade and how they ended; with `status`, only those."""
    return paged("auctions", market.auctions_page(call.store, call.get("status"), *call.page))


async def auction(call: Call) -> Answer:
    """One auction with its live orders."""
    return market.auction_dict(call.store, call["id"])
