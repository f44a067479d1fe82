"""Handlers of what meters and gateways send."""

from typing import Any

from node.api.calls import Answer, Call
from node.api.refusals import BadJson
from node.api.requests import fields, hex_field, integer_field, parse_json, read_body
from node.wire import Close
from state.errors import WattestError
from state.units import DAY_S

MAX_BATCH = 1_440  # a day of minutes
MAX_RAW_CHARS = 1_024
MAX_READINGS_BYTES = 2 * 1024 * 1024
MAX_CLOSE_BYTES = 4_096


async def post_readings(call: Call) -> Answer:
    """A signed batch of readings of one device; answered once they are on disk, all or none."""
    value = parse_json(await read_body(call.request, MAX_READINGS_BYTES))
    raws, signature, key = fields(value, ("readings", "signature", "key"))
    key, signature = hex_field(key, "key", 32, 32), hex_field(signature, "signature", 64, 64)
    try:
        taken = await call.services.take_readings(_raws(raws), key, signature)
    except WattestError as refusal:
        call.services.metrics.readings_refused.of(refusal.code).inc()
        raise
    call.services.metrics.readings.inc(taken.accepted)
    return {"accepted": taken.accepted, "duplicates": taken.duplicates}


def _raws(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_BATCH:
        raise BadJson(why=f"readings must be a list of 1 to {MAX_BATCH} texts")
    for text in value:
        if not isinstance(text, str) or not 1 <= len(text) <= MAX_RAW_CHARS or not text.isascii():
            raise BadJson(why=f"each reading must be an ASCII text of at most {MAX_RAW_CHARS} characters")
    return tuple(value)


async def post_day(call: Call) -> Answer:
    """A signed close of one device's UTC day: validators attest against it."""
    value = parse_json(await read_body(call.request, MAX_CLOSE_BYTES))
    close, signature, key = fields(value, ("close", "signature", "key"))
    if not isinstance(close, list) or len(close) != 6:
        raise BadJson(why="close must be [device, day, last_seq, count, head_hash, readings_root]")
    device, day, last_seq, count, head_hash, readings_root = close
    new = await call.services.take_close(
        Close(
            integer_field(device, "device", 2**32 - 1),
            integer_field(day, "day", 2**32 - 1),
            integer_field(last_seq, "last_seq", 2**53),
            integer_field(count, "count", DAY_S),
            hex_field(head_hash, "head_hash", 32, 32),
            hex_field(readings_root, "readings_root", 32, 32),
        ),
        hex_field(key, "key", 32, 32),
        hex_field(signature, "signature", 64, 64),
    )
    return {"accepted": int(new), "duplicates": int(not new)}
