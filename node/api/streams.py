"""GET /v1/events: every final block from a height on, then what happens, as JSON over a WebSocket."""

import asyncio
from collections import Counter
from contextlib import suppress

from aiohttp import WSCloseCode, web

from node.api.calls import SERVICES, Call
from node.api.limits import Limits
from node.api.refusals import Busy, RequestRefusal
from node.feed import Subscription, TooSlow
from node.queries.chain import tip_height
from state.errors import NotHeld
from state.kept import base_of

SEND_TIMEOUT_S = 20  # a watcher that takes no byte for this long is gone or stuck
HEARTBEAT_S = 20
MAX_INCOMING = 1_024  # watchers have nothing to say


class Streams:
    """The open event streams: counted by address, closed together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: set[web.WebSocketResponse] = set()
        self._by_address: Counter[str] = Counter()

    def enter(self, stream: web.WebSocketResponse, address: str) -> None:
        """Busy where all places, or all places of the address, are taken."""
        if len(self._open) >= self._limits.streams:
            raise Busy(limit=self._limits.streams, what="event streams", retry_after_s=5)
        if self._by_address[address] >= self._limits.streams_per_address:
            raise Busy(limit=self._limits.streams_per_address, what="event streams of one address", retry_after_s=5)
        self._open.add(stream)
        self._by_address[address] += 1

    def leave(self, stream: web.WebSocketResponse, address: str) -> None:
        self._open.discard(stream)
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def __len__(self) -> int:
        return len(self._open)

    async def close(self) -> None:
        for stream in list(self._open):
            with suppress(OSError, asyncio.CancelledError):
                await stream.close(code=WSCloseCode.GOING_AWAY, message=b"the node stops")


STREAMS: web.AppKey[Streams] = web.AppKey("streams", Streams)


async def events(call: Call) -> web.StreamResponse:
    """Without `from`, the stream begins with the next block. NotHeld before what this node holds."""
    stream = web.WebSocketResponse(heartbeat=HEARTBEAT_S, compress=False, max_msg_size=MAX_INCOMING)
    if not stream.can_prepare(call.request):
        raise RequestRefusal(why="this is a WebSocket; ask with Upgrade: websocket")
    store = call.services.store
    first, held_from = call.get("from", tip_height(store) + 1), base_of(store).history_from
    if first < held_from:
        raise NotHeld(what="the events of block", id=first, held_from=held_from)
    streams, address, feed = call.request.app[STREAMS], call.request.remote or "", call.services.feed
    streams.enter(stream, address)
    subscription = feed.subscribe(first)
    call.services.metrics.streams.set(len(streams))
    try:
        await stream.prepare(call.request)
        await _pump(stream, subscription)
    finally:
        feed.unsubscribe(subscription)
        streams.leave(stream, address)
        call.request.app[SERVICES].metrics.streams.set(len(streams))
    return stream


async def _pump(stream: web.WebSocketResponse, subscription: Subscription) -> None:
    """Send until either side ends. Reading runs beside it, or a closed connection would go unnoticed."""
    sending = asyncio.create_task(_send(stream, subscription))
    listening = asyncio.create_task(_listen(stream))
    try:
        await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, listening):
            task.cancel()
        await asyncio.gather(sending, listening, return_exceptions=True)


async def _send(stream: web.WebSocketResponse, subscription: Subscription) -> None:
    try:
        async for message in subscription.messages():
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await stream.send_str(message.decode())
    except (TooSlow, TimeoutError):
        await stream.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too slow; come back with from=")
    except OSError:
        return  # the watcher is gone


async def _listen(stream: web.WebSocketResponse) -> None:
    async for _ in stream:
        await stream.close(code=WSCloseCode.POLICY_VIOLATION, message=b"this stream only sends")
