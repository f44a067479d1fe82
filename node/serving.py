"""The public side of a running node: its HTTP API, its event stream and its metrics."""

import asyncio
import json
from collections.abc import Sequence
from functools import partial

from aiohttp import web

from node.api.calls import Route
from node.api.limits import PROFILES
from node.api.routes import PAGES, ROUTES
from node.api.server import serve
from node.api.services import Live, Peer, Services, Standing
from node.app import Node
from node.config import ConfigError, parse_address
from node.feed import Feed
from node.metering import Metering
from node.metrics import Metrics
from node.past import past_in
from node.peers import Traffic
from node.queries.chain import block_message
from node.queries.ranges import Ranges
from node.queries.statements import emissions_of
from node.readings import Head
from node.version import VERSION
from node.wire import DayClose, Readings


class Serving:
    """A part of the node (`node.app.Part`)."""

    def __init__(self, node: Node, metering: Metering) -> None:
        self._node = node
        self._metering = metering
        self._host, self._port = parse_address(node.config.text("node.api_listen"))
        self._feed = Feed(partial(block_message, node.ledger.store))
        self.metrics = Metrics(node.chain, len(node.ledger.validators))
        self._ranges = Ranges()
        told = node.config.text("node.past") == "on"
        self._past = past_in(node.config.data, node.ledger.store, node.genesis, node.chain) if told else None
        self._pages = config_address(node.config.text("node.pages_listen"))
        self._runners: list[web.AppRunner] = []
        node.runtime.watchers += [self.metrics, self._feed, self._ranges]

    async def start(self) -> None:
        services = self._services()
        await self._listen(services, "api", (self._host, self._port), ROUTES)
        if self._pages is not None:
            await self._listen(services, "pages", self._pages, PAGES)

    async def _listen(self, services: Services, what: str, address: tuple[str, int], routes: tuple[Route, ...]) -> None:
        host, port = address
        try:
            self._runners.append(await serve(services, host, port, routes))
        except OSError as error:
            raise ConfigError(
                why=f"nothing can listen at {host}:{port} ({error.strerror}): stop what is there, or set "
                f"node.{what}_listen"
            ) from None

    async def stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        if self._past is not None:
            await asyncio.to_thread(self._past.close)

    def _services(self) -> Services:
        node, metering = self._node, self._metering
        return Services(
            store=node.ledger.store,
            chain=node.chain,
            genesis=canonical_json(node.config.genesis.read_bytes()),
            node_index=lambda: node.index,
            version=VERSION,
            public_url=node.config.text("node.public_url") or _url(self._pages or (self._host, self._port)),
            public_urls=node.genesis.public_urls,
            emissions=emissions_of(node.genesis),
            feed=self._feed,
            metrics=self.metrics,
            ranges=self._ranges,
            live=self._live,
            admit=node.mempool.admit,
            standing=self._standing,
            take_readings=metering.intake.accept_batch,
            take_close=metering.intake.accept_close,
            readings_of_day=self._readings_of_day,
            head_of_device=self._head_of_device,
            evidence_of_day=self._evidence_of_day,
            profile=metering.judge.profile,
            curve=metering.judge.curve,
            past=self._past,
            limits=PROFILES[node.config.text("node.profile")],
            failed=node.runtime.fail,
        )

    def _live(self) -> Live:
        node = self._node
        standing = node.engine.standing()
        connected = {connection.sender.index: connection.sender.name for connection in node.peers.connected_validators}
        peers = tuple(
            self._peer(validator.index, connected.get(validator.index))
            for validator in node.ledger.validators
            if validator.index != node.index
        )
        syncing = any(peer.height > node.ledger.tip.height + 2 for peer in peers if peer.connected)
        return Live(
            view=standing.view,
            leader=standing.view % len(node.ledger.validators),
            peers=peers,
            mempool=len(node.mempool),
            syncing=syncing,
            stage="stuck" if syncing and node.runtime.blocks_gone else "blocks" if syncing else "following",
            snapshot_chunks=node.offering.chunks,
            byzantine=len(node.runtime.byzantine),
            syncs=node.ledger.store.syncs + node.journal.syncs,
            refused={**node.peers.refused, "dropped": node.peers.dropped},
        )

    def _peer(self, index: int, name: str | None) -> Peer:
        """`name` is that of its connection, if there is one."""
        traffic = self._node.peers.traffic.get(index, Traffic())
        height = self._node.runtime.claimed_height(name) if name is not None else 0
        return Peer(index, name is not None, height, traffic.received, traffic.sent)

    def _standing(self, txid: bytes) -> Standing | None:
        if self._node.mempool.get(txid) is not None:
            return Standing("waiting")
        refusal = self._node.mempool.refusal(txid)
        return None if refusal is None else Standing("refused", refusal)

    def _readings_of_day(self, device: int, day: int) -> Sequence[str]:
        return self._metering.store.day(device, day)

    def _head_of_device(self, device: int) -> tuple[Head, int]:
        store = self._metering.store
        return store.head(device), store.dropped_days(device)

    def _evidence_of_day(self, device: int, day: int) -> tuple[DayClose | None, Sequence[Readings]]:
        store = self._metering.store
        return store.close_of(device, day), store.batches_of_day(device, day)


def config_address(text: str) -> tuple[str, int] | None:
    return parse_address(text) if text else None


def _url(address: tuple[str, int]) -> str:
    host, port = address
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def canonical_json(genesis: bytes) -> bytes:
    """The text whose hash is the chain id."""
    text = json.dumps(json.loads(genesis), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.encode("ascii")
