"""Handlers for machines that watch the node: is it alive, is it ready, its metrics, what the API offers."""

from typing import Any

from aiohttp import web

from node.api.calls import Answer, Call
from node.api.openapi import openapi_document
from node.api.supply import counted_supply
from node.queries.chain import header_at, meta_of, validators_of
from node.queries.market import auctions_page
from state.errors import NotHeld

TEXT = "text/plain"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def livez(call: Call) -> Answer:
    """200 while the process answers and its store can be read."""
    return _probe(call, {"store": chain_holds(call)})


async def readyz(call: Call) -> Answer:
    """200 while this node has peers, is in step with them and has a young tip; 503 otherwise."""
    live, wanted, meta = call.services.live(), call.services.readiness, meta_of(call.store)
    alone = len(validators_of(call.store)) == 1
    age_s = (call.services.now_ms() - header_at(call.store, meta.height).timestamp_ms) // 1_000
    return _probe(
        call,
        {
            f"peers {live.connected} >= {wanted.min_connected_peers}": alone
            or live.connected >= wanted.min_connected_peers,
            f"blocks behind {max(0, live.best_height - meta.height)} <= {wanted.max_blocks_behind}": (
                live.best_height - meta.height <= wanted.max_blocks_behind
            ),
            f"tip age {age_s} s <= {wanted.max_tip_age_s} s": age_s <= wanted.max_tip_age_s,
            "not syncing": not live.syncing,
        },
    )


def chain_holds(call: Call) -> bool:
    return meta_of(call.store).chain == call.services.chain


def _probe(call: Call, checks: dict[str, bool]) -> web.Response:
    good = all(checks.values())
    lines = [f"[{'+' if held else '-'}] {name}" for name, held in checks.items()] if call.get("verbose") else []
    lines.append("ok" if good else "failed")
    return web.Response(text="\n".join(lines) + "\n", status=200 if good else 503, content_type=TEXT)


async def metrics(call: Call) -> Answer:
    """Prometheus metrics; gauges of the running node are read at this moment."""
    metrics, live, store = call.services.metrics, call.services.live(), call.store
    metrics.height.set(meta_of(store).height)
    metrics.view.set(live.view)
    metrics.peers.set(live.connected)
    metrics.mempool_size.set(live.mempool)
    for peer in live.peers:
        metrics.traffic(peer.index, peer.received_bytes, peer.sent_bytes)
    metrics.blocksync_syncing.set(int(live.syncing))
    metrics.snapshot_chunks.set(live.snapshot_chunks)
    metrics.byzantine_validators.set(live.byzantine)
    metrics.synced(live.syncs)
    metrics.refused(live.refused)
    metrics.auctions_open.set(len(auctions_page(store, "open", None, 200)[0]))
    for line in await _supply(call):
        face_value = int(line["face_value"])
        metrics.issued_wh.of(line["name"]).set(int(line["issued"]) * face_value)
        metrics.live_wh.of(line["name"]).set(int(line["live"]) * face_value)
        metrics.retired_wh.of(line["name"]).set(int(line["retired"]) * face_value)
        metrics.expired_wh.of(line["name"]).set(int(line["expired"]) * face_value)
    return web.Response(body=metrics.render(), headers={"Content-Type": METRICS_TYPE})


async def _supply(call: Call) -> list[dict[str, Any]]:
    """Nothing where this node began from a snapshot: half a count would look like a whole one."""
    try:
        return (await counted_supply(call)).show(call.store)
    except NotHeld:
        return []


async def openapi(call: Call) -> Answer:
    """This API as an OpenAPI 3.1 document."""
    return web.Response(body=openapi_document(call.services.version), content_type="application/json")
