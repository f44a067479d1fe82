"""A node made of answers alone: what the dashboard asks for over HTTP, from a list of recorded messages."""

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

from tui.rehearsal import last_block, names, status

GENESIS = json.dumps({"parameters": {"registry_code": "WAT"}})


class FakeNode:
    """Serves on a free port of loopback. `tell` sends a message to all watchers; `die` closes everything at once."""

    def __init__(self, index: int, messages: list[dict[str, Any]]) -> None:
        self.index = index
        self.messages = list(messages)
        self.asked_from: list[int] = []
        self.url = ""
        self.silent = False  # accepts connections and never answers
        self._watchers: list[web.WebSocketResponse] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/status", self._status)
        app.router.add_get("/v1/events", self._events)
        app.router.add_get("/v1/genesis", self._genesis)
        app.router.add_get("/v1/blocks/{height}", self._block)
        app.router.add_get("/v1/transactions/{txid}", self._transaction)
        for kind in ("schemes", "participants", "devices"):
            app.router.add_get(f"/v1/{kind}", self._list)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{port}"

    async def tell(self, *messages: dict[str, Any]) -> None:
        self.messages += messages
        for watcher in self._watchers:
            for message in messages:
                await watcher.send_str(json.dumps(message))

    async def die(self) -> None:
        if self._runner is not None:
            for watcher in self._watchers:
                await watcher.close()
            await self._runner.cleanup()
            self._runner = None

    async def _status(self, request: web.Request) -> web.Response:
        if self.silent:
            await asyncio.sleep(60)
        blocks = [message for message in self.messages if message["kind"] == "block"]
        return web.json_response(status(self.index, last_block(blocks) if blocks else None))

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        first = int(request.query["from"])
        self.asked_from.append(first)
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        for message in self.messages:
            if message["kind"] != "block" or message["height"] >= first:
                await stream.send_str(json.dumps(message))
        self._watchers.append(stream)
        async for received in stream:
            if received.type == WSMsgType.CLOSE:
                break
        return stream

    async def _genesis(self, request: web.Request) -> web.Response:
        return web.json_response({"genesis": GENESIS})

    async def _list(self, request: web.Request) -> web.Response:
        kind = request.path.rsplit("/", 1)[1]
        return web.json_response({kind: names()[kind], "cursor": None})

    async def _block(self, request: web.Request) -> web.Response:
        height = int(request.match_info["height"])
        block = next(m for m in self.messages if m["kind"] == "block" and m["height"] == height)
        txids = [event["txid"] for event in block["events"]]
        return web.json_response(
            {"height": height, "timestamp_ms": block["time_ms"], "hash": block["hash"], "transactions": txids}
        )

    async def _transaction(self, request: web.Request) -> web.Response:
        txid = request.match_info["txid"]
        blocks = [message for message in self.messages if message["kind"] == "block"]
        events = [event for block in blocks for event in block["events"] if event["txid"] == txid]
        return web.json_response(
            {"txid": txid, "status": "final", "actions": ["bid for 30 in auction 2"], "events": events}
        )
