"""Handlers of the search: one page as JSON, and everything that it matched as a stream."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from node.api.calls import Answer, Call
from node.api.parameters import NO_CURSOR, NO_PERIOD, write_cursor
from node.api.refusals import BadParameter, Busy
from node.queries.exports import FORMATS, Lines
from node.queries.groups import groups
from node.queries.ranges import Ranges
from node.queries.search import Filter, Found, Items, Orders, Position, find, page

DEFAULT_PAGE = 50
CHUNK_BYTES = 32 * 1024
CHUNK_LINES = 128  # written before the loop gets its turn, some 4 ms
EXPORTS = 4  # at a time: each holds the columns of its height
DAY_S = 86_400
RECENT = 8  # questions whose rows are kept for the next page, while no block comes


class Searches:
    """What the API keeps for searches: the columns, and the last questions."""

    def __init__(self, ranges: Ranges) -> None:
        self.ranges = ranges
        self.orders = Orders()
        self.exports = 0
        self._recent: OrderedDict[Filter, Found] = OrderedDict()

    async def found(self, call: Call, asked: Filter) -> Found:
        """The rows that fit at the tip. The first call after a start reads all ranges, in small steps."""
        behind = True
        while behind:
            behind = self.ranges.advance(call.store)
            await asyncio.sleep(0)
        known = self._recent.get(asked)
        if known is None or known.view.height != self.ranges.height:
            known = find(call.store, self.ranges.view(), asked)
            self._recent[asked] = known
            while len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        return known


SEARCHES: web.AppKey[Searches] = web.AppKey("searches", Searches)


def searches_of(call: Call) -> Searches:
    """Those of the height that is asked about."""
    return call.request.app[SEARCHES] if call.moment is None else call.moment.searches


async def search(call: Call) -> Answer:
    """Ranges of certificates, live and dead, by any combination of filters; with exact totals, sorted."""
    return await answer(call)


async def answer(call: Call) -> dict[str, Any]:
    searches = searches_of(call)
    found = await searches.found(call, filter_of(call))
    after = _position(call.given["cursor"]) if "cursor" in call.given else None
    descending = call.get("order", "up") == "down"
    limit = call.get("limit", DEFAULT_PAGE)
    rows, following = page(found, searches.orders, call.get("sort", "number"), descending, after, limit)
    items = Items(call.store, found.view)
    return {
        "height": found.view.height,
        "total": str(found.total),
        "quantity": str(found.quantity),
        "energy_wh": str(found.energy_wh),
        "certificates": [items.item(table, place) for table, place in rows],
        "cursor": write_cursor(following.to_bytes()) if following is not None else None,
    }


async def summary(call: Call) -> Answer:
    """What a search matched, added up `by` one property; a portfolio is the live ranges of its `holder`."""
    found = await searches_of(call).found(call, filter_of(call))
    made = groups(call.store, found, call["by"])
    return {
        "height": found.view.height,
        "by": call["by"],
        "total": str(found.total),
        "quantity": str(found.quantity),
        "energy_wh": str(found.energy_wh),
        "groups": [
            {
                "name": group.name,
                "total": str(group.ranges),
                "quantity": str(group.quantity),
                "energy_wh": str(group.energy_wh),
                "retire_until": str(group.retire_until),
            }
            for group in made
        ],
    }


async def export(call: Call) -> web.StreamResponse:
    """Everything that a search matched, by number, with EnergyTag's field names; `X-Total-Count` says how many."""
    searches = call.request.app[SEARCHES]
    if searches.exports >= EXPORTS:
        raise Busy(limit=EXPORTS, what="exports", retry_after_s=5)
    searches.exports += 1
    try:
        found = await searches_of(call).found(call, filter_of(call))
        return await _stream(call, found, call["format"])
    finally:
        searches.exports -= 1


async def _stream(call: Call, found: Found, form: str) -> web.StreamResponse:
    media, write = FORMATS[form]
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{media}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="certificates-{found.view.height}.{form}"',
            "X-Total-Count": str(found.total),
            "X-Ledger-Height": str(found.view.height),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
    )
    await response.prepare(call.request)
    for chunk in _chunks(write(Lines(call.store, found))):
        await response.write(chunk)  # waits while the reader is slow
        await asyncio.sleep(0)
    await response.write_eof()
    return response


def _chunks(lines: Iterator[bytes]) -> Iterator[bytes]:
    waiting, size = [], 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= CHUNK_BYTES or len(waiting) == CHUNK_LINES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def filter_of(call: Call) -> Filter:
    first, last = call.get("from"), call.get("to")
    if first is not None and last is not None and last < first:
        raise BadParameter(name="to", why=NO_PERIOD)
    return Filter(
        source=call.get("source", ""),
        technology=call.get("technology", ""),
        device=call.get("device"),
        zone=call.get("zone", ""),
        country=call.get("country", ""),
        scheme=call.get("scheme"),
        produced_from=None if first is None else first * DAY_S,
        produced_to=None if last is None else (last + 1) * DAY_S,
        status=call.get("status", ""),
        holder=call.get("holder"),
        statement=call.get("statement", b""),
    )


def _position(data: bytes) -> Position:
    try:
        return Position.from_bytes(data)
    except ValueError:
        raise BadParameter(name="cursor", why=NO_CURSOR) from None
