"""Handlers of the chain itself: status, blocks, transactions, the network's records."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from contracts.transition import DecodedTx
from node.api.calls import Answer, Call
from node.api.refusals import refusal_dict
from node.api.requests import JSON, MSGPACK, fields, hex_field, media_type, parse_json, read_body
from node.api.supply import counted_supply
from node.queries import chain, registry
from node.queries.ends import with_its_end
from node.texts import DEFAULT, texts
from state.errors import DecodeError, WattestError
from state.history import transaction_position
from state.kept import base_of
from state.units import MAX_TX_BYTES

MAX_BATCH = 1_000
MAX_BATCH_BYTES = 4 * 1024 * 1024

_batch_decoder = msgspec.msgpack.Decoder(
    Annotated[list[Annotated[bytes, Meta(max_length=MAX_TX_BYTES)]], Meta(min_length=1, max_length=MAX_BATCH)]
)


async def status(call: Call) -> Answer:
    """Where this node stands: chain, tip, view, validators, peers, mempool."""
    services, store = call.services, call.store
    meta, live, base = chain.meta_of(store), services.live(), base_of(store)
    tip = chain.header_at(store, meta.height)
    validators = chain.validators_of(store)
    signed = chain.last_signed(store, len(validators))
    peers = {peer.index: peer for peer in live.peers}
    return {
        "chain_id": meta.chain.hex(),
        "name": chain.parameters_of(store).name,
        "height": meta.height,
        "hash": meta.hash.hex(),
        "state_root": meta.state_root.hex(),
        "time_ms": tip.timestamp_ms,
        "epoch": meta.epoch,
        "view": live.view,
        "leader": live.leader,
        "validators": [
            {
                "index": found.index,
                "name": found.name,
                "address": found.address,
                "participant": found.participant,
                "last_signed_height": signed[found.index],
                "connected": found.index in peers and peers[found.index].connected,
                "height": peers[found.index].height if found.index in peers else None,
            }
            for found in validators
        ],
        "peers": live.connected,
        "mempool": live.mempool,
        "syncing": live.syncing,
        "version": services.version,
        "public_url": services.public_url,
        "node_index": services.node_index(),
        "sync": {
            "stage": live.stage,
            "target_height": max(live.best_height, meta.height),
            "entries": None,
            "of_entries": None,
            "bodies_from": base.bodies_from,
            "history_from": base.history_from,
        },
    }


async def genesis(call: Call) -> Answer:
    """The genesis that this network began with, as text whose hash is the chain id."""
    return {"chain_id": call.services.chain.hex(), "genesis": call.services.genesis.decode()}


async def blocks(call: Call) -> Answer:
    """Final blocks upward from a height, or the newest ones."""
    shown = []
    for height in chain.heights(call.store, call.get("from"), call.get("count", 20)):
        shown.append(chain.block_dict(call.store, height))
        await asyncio.sleep(0)  # a full block takes some 10 ms
    return {"blocks": shown}


async def block(call: Call) -> Answer:
    """One final block by height or hash: header, proposer, who signed it, transaction ids."""
    return chain.block_dict(call.store, chain.block_height(call.store, call["block"]))


async def transaction(call: Call) -> Answer:
    """A transaction: waiting, final, refused or unknown; once final, what it does in words and what happened."""
    txid = call["txid"]
    if transaction_position(call.store, txid) is not None:
        told = chain.transaction_dict(call.store, txid, texts(call.get("lang") or DEFAULT))
        return {**_unsettled(txid, "final"), **told}
    standing = call.services.standing(txid)
    if standing is None:
        return _unsettled(txid, "unknown")
    shown = _unsettled(txid, standing.status)
    if standing.refusal is None:
        return shown
    return {**shown, **refusal_dict(with_its_end(call.store, standing.refusal))}


def _unsettled(txid: bytes, status: str) -> dict[str, Any]:
    return {
        "txid": txid.hex(),
        "status": status,
        "height": None,
        "index": None,
        "time_ms": None,
        "signers": [],
        "actions": [],
        "content": [],
        "events": [],
        "code": None,
        "message": None,
        "params": {},
        "action_index": None,
    }


async def submit(call: Call) -> Answer:
    """Hand in one signed transaction; the answer does not wait for a block."""
    raw = await _raw_transaction(call)
    (result,) = await _admit(call, [raw])
    if isinstance(result, WattestError):
        raise result
    return {"txid": result.txid.hex()}


async def _raw_transaction(call: Call) -> bytes:
    body = await read_body(call.request, 2 * MAX_TX_BYTES + 64)
    if media_type(call.request, (MSGPACK, JSON)) != JSON:
        return body
    (text,) = fields(parse_json(body), ("transaction",))
    return hex_field(text, "transaction", 1, MAX_TX_BYTES)


async def submit_batch(call: Call) -> Answer:
    """Hand in up to 1,000 signed transactions; one result each, in order."""
    body = await read_body(call.request, MAX_BATCH_BYTES)
    try:
        raws = _batch_decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DecodeError(why=str(error)[:200]) from None
    results = await _admit(call, raws)
    return {"results": [_result(result) for result in results]}


async def _admit(call: Call, raws: Sequence[bytes]) -> Sequence[DecodedTx | WattestError]:
    results = await call.services.admit(raws)
    call.services.metrics.mempool_failed_txs.inc(sum(isinstance(result, WattestError) for result in results))
    return [with_its_end(call.store, result) if isinstance(result, WattestError) else result for result in results]


def _result(result: DecodedTx | WattestError) -> dict[str, Any]:
    return refusal_dict(result) if isinstance(result, WattestError) else {"txid": result.txid.hex()}


async def schemes(call: Call) -> Answer:
    """What certificates there can be here: unit, face value, expiry, rules."""
    return {"schemes": registry.schemes_list(call.store)}


async def validators(call: Call) -> Answer:
    """The validators of the epoch and their public keys, when it ends, and which changes wait for that."""
    return registry.validators_dict(call.store, chain.tip_height(call.store))


async def supply(call: Call) -> Answer:
    """Certificates of each scheme: issued = live + retired + expired."""
    counted = await counted_supply(call)
    return {"height": counted.height, "schemes": counted.show(call.store)}
