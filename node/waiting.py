"""What a node answers while it fetches its first state: how far it is, and to everything else that it cannot yet.

GET /v1/status, /livez, /readyz and /metrics as a whole node has them; any other path is refused with 503 `syncing`.
"""

from dataclasses import asdict
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from node.api.guard import refuse
from node.api.probes import METRICS_TYPE
from node.api.refusals import Syncing
from node.api.server import LISTENING
from node.config import ConfigError
from node.joining import Joining
from node.metrics import CHAIN_LABEL_DIGITS
from node.version import VERSION

MAX_BODY = 1_024  # nobody has anything to hand in yet


class Waiting:
    """`start` before the state is fetched, `stop` before the node itself takes the address."""

    def __init__(self, joining: Joining, chain: bytes, name: str, host: str, port: int) -> None:
        self._joining, self._chain, self._name = joining, chain, name
        self._address = (host, port)
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_get("/v1/status", self._status)
        app.router.add_get("/livez", self._alive)
        app.router.add_get("/readyz", self._not_ready)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_route("*", "/{path:.*}", self._refuse)
        self._runner = web.AppRunner(app, shutdown_timeout=1, **LISTENING)

    async def start(self) -> None:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, *self._address).start()
        except OSError as error:
            await self._runner.cleanup()
            address = f"{self._address[0]}:{self._address[1]}"
            raise ConfigError(
                why=f"the API cannot listen at {address} ({error.strerror}): stop what is there, or set node.api_listen"
            ) from None

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _status(self, request: web.Request) -> web.Response:
        progress = self._joining.progress
        shown: dict[str, Any] = {
            "schema": "status/1",
            "chain_id": self._chain.hex(),
            "name": self._name,
            "height": self._joining.own_height,
            "hash": None,
            "state_root": None,
            "time_ms": 0,
            "epoch": None,
            "view": None,
            "leader": None,
            "validators": [],
            "peers": progress.peers,
            "mempool": 0,
            "syncing": True,
            "version": VERSION,
            "node_index": None,
            "sync": {
                "stage": progress.stage,
                "target_height": progress.height,
                "entries": progress.entries,
                "of_entries": progress.of_entries,
                "bodies_from": None,
                "history_from": None,
            },
        }
        return web.Response(body=msgspec.json.encode(shown), content_type="application/json")

    async def _alive(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _not_ready(self, request: web.Request) -> web.Response:
        return web.Response(text="[-] not syncing\nfailed\n", status=503)

    async def _metrics(self, request: web.Request) -> web.Response:
        registry, label = CollectorRegistry(), self._chain.hex()[:CHAIN_LABEL_DIGITS]
        for name, (meaning, value) in _gauges(asdict(self._joining.progress)).items():
            Gauge(name, meaning, ["chain_id"], registry=registry).labels(label).set(value)
        return web.Response(body=generate_latest(registry), headers={"Content-Type": METRICS_TYPE})

    async def _refuse(self, request: web.Request) -> web.StreamResponse:
        found = self._joining.progress
        return refuse(Syncing(height=found.height, entries=found.entries, of_entries=found.of_entries))


def _gauges(progress: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """As docs/API.md lists them among the metrics of a node."""
    return {
        "wattest_statesync_syncing": ("1 while a snapshot of the state is fetched", 1),
        "wattest_statesync_entries": ("Entries of the snapshot that are here", progress["entries"]),
        "wattest_statesync_of_entries": ("Entries that the snapshot has", progress["of_entries"]),
        "wattest_statesync_dropped_peers": (
            "Times a peer was given up for lies, silence or slowness",
            progress["dropped"],
        ),
        "wattest_p2p_peers": ("Connected peers", progress["peers"]),
    }
