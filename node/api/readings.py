"""Handlers of what meters and gateways send, by HTTP POST and over a broker."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from node.api.calls import Answer, Call
from node.api.refusals import BadJson
from node.api.requests import fields, hex_field, integer_field, parse_json, read_body
from node.api.services import Taken
from node.metrics import Metrics
from node.wire import Close, DayClose, Readings
from state.errors import WattestError
from state.units import DAY_S

MAX_BATCH = 1_440  # a day of minutes
MAX_RAW_CHARS = 1_024
MAX_READINGS_BYTES = 2 * 1024 * 1024
MAX_CLOSE_BYTES = 4_096

TakeReadings = Callable[[Sequence[str], bytes, bytes], Awaitable[Taken]]
TakeClose = Callable[[Close, bytes, bytes], Awaitable[bool]]


async def post_readings(call: Call) -> Answer:
    """A signed batch of readings of one device; answered once they are on disk, all or none."""
    body = await read_body(call.request, MAX_READINGS_BYTES)
    return await take_readings(body, call.services.take_readings, call.services.metrics)


async def post_day(call: Call) -> Answer:
    """A signed close of one device's UTC day: validators attest against it."""
    body = await read_body(call.request, MAX_CLOSE_BYTES)
    return await take_close(body, call.services.take_close, call.services.metrics)


# --- the same bodies, however they came: as a POST or over a broker


async def take_readings(body: bytes, take: TakeReadings, metrics: Metrics) -> dict[str, Any]:
    """The answer once the batch is durable; every refusal is counted by its code."""
    try:
        raws, signature, key = fields(parse_json(body), ("readings", "signature", "key"))
        key, signature = hex_field(key, "key", 32, 32), hex_field(signature, "signature", 64, 64)
        taken = await take(_raws(raws), key, signature)
    except WattestError as refusal:
        metrics.readings_refused.of(refusal.code).inc()
        raise
    metrics.readings.inc(taken.accepted)
    return {"accepted": taken.accepted, "duplicates": taken.duplicates}


async def take_close(body: bytes, take: TakeClose, metrics: Metrics) -> dict[str, Any]:
    try:
        close, signature, key = fields(parse_json(body), ("close", "signature", "key"))
        new = await take(_close(close), hex_field(key, "key", 32, 32), hex_field(signature, "signature", 64, 64))
    except WattestError as refusal:
        metrics.readings_refused.of(refusal.code).inc()
        raise
    return {"accepted": int(new), "duplicates": int(not new)}


def batch_body(batch: Readings) -> dict[str, Any]:
    """What was posted, for whoever wants to check it."""
    return {"readings": list(batch.raws), "signature": batch.signature.hex(), "key": batch.key.hex()}


def close_body(signed: DayClose) -> dict[str, Any]:
    close = signed.close
    values = [close.device, close.day, close.last_seq, close.count, close.head_hash.hex(), close.readings_root.hex()]
    return {"close": values, "signature": signed.signature.hex(), "key": signed.key.hex()}


def _raws(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_BATCH:
        raise BadJson(why=f"readings must be a list of 1 to {MAX_BATCH} texts")
    for text in value:
        if not isinstance(text, str) or not 1 <= len(text) <= MAX_RAW_CHARS or not text.isascii():
            raise BadJson(why=f"each reading must be an ASCII text of at most {MAX_RAW_CHARS} characters")
    return tuple(value)


def _close(close: Any) -> Close:
    if not isinstance(close, list) or len(close) != 6:
        raise BadJson(why="close must be [device, day, last_seq, count, head_hash, readings_root]")
    device, day, last_seq, count, head_hash, readings_root = close
    return Close(
        integer_field(device, "device", 2**32 - 1),
        integer_field(day, "day", 2**32 - 1),
        integer_field(last_seq, "last_seq", 2**53),
        integer_field(count, "count", DAY_S),
        hex_field(head_hash, "head_hash", 32, 32),
        hex_field(readings_root, "readings_root", 32, 32),
    )
