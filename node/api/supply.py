"""The running count of certificates that the API keeps, brought up to date when somebody asks."""

import asyncio

from aiohttp import web

from node.api.calls import Call
from node.queries.supply import Supply

SUPPLY: web.AppKey[Supply] = web.AppKey("supply", Supply)

STEP = 8  # blocks counted before the loop gets its turn: a full one takes some 5 ms


async def counted_supply(call: Call) -> Supply:
    """The count at the height that is asked about. The first call walks the events of all blocks, in small steps."""
    supply = call.request.app[SUPPLY] if call.moment is None else call.moment.supply
    behind = True
    while behind:
        behind = supply.advance(call.store, STEP)
        await asyncio.sleep(0)
    return supply
