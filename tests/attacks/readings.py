"""Readings that no meter made, or made once and not twice."""

import json

from harness.world import key_of, seed_of

from attacks.book import Attempt, attack
from attacks.field import Field, code_of
from node.intake import CLOSE_TAG, READINGS_TAG
from node.wire import Close, DayClose, Readings
from state.crypto import sign, signed_bytes
from state.units import DAY_S

READ_DAY = 20_000  # 2024-10-04


def post(field: Field, index: int, batch: Readings) -> tuple[str, dict[str, int]]:
    """(`accepted` or the code of the refusal, what the node answered)"""
    body = {"readings": list(batch.raws), "signature": batch.signature.hex(), "key": batch.key.hex()}
    data = json.dumps(body).encode()
    client = field.clients[index]
    code = code_of(client, "/v1/readings", data, "application/json")
    return code, client.post("/v1/readings", data) if code == "accepted" else {}


def texts(field: Field, count: int) -> list[str]:
    """The next readings of the plant's meter."""
    meter = field.meter
    return [meter.text(READ_DAY * DAY_S + 600 * (meter.seq + 1)) for _ in range(count)]


def changed(raw: str, **fields: object) -> str:
    return json.dumps(json.loads(raw) | fields, separators=(",", ":"))


def held(field: Field, index: int) -> list[str]:
    return list(field.clients[index].get("/v1/devices/1/readings", day=READ_DAY)["readings"])


@attack("forged readings", "signed by another key, changed after signing, for another chain, in a stranger's name")
def forged(field: Field, attempt: Attempt) -> None:
    field.lawful_batch = field.meter.batch(texts(field, 6))
    if post(field, 0, field.lawful_batch)[0] != "accepted":
        attempt.succeeded.append("the meter's own readings were not taken")
    before = held(field, 0)
    raws = tuple(texts(field, 3))
    signed_by_mallory = sign(seed_of("mallory"), signed_bytes(READINGS_TAG, field.chain, raws))
    own_key = Readings(1, raws, key_of("mallory"), signed_by_mallory)
    in_its_name = Readings(1, raws, field.meter.key, signed_by_mallory)
    lawful = field.meter.batch(list(raws))
    richer = Readings(1, tuple(changed(raw, pwr_avg="900") for raw in raws), lawful.key, lawful.signature)
    elsewhere = sign(field.meter.seed, signed_bytes(READINGS_TAG, bytes(32), raws))
    other_chain = Readings(1, raws, field.meter.key, elsewhere)
    attempt.expect("node 0", post(field, 0, own_key)[0], "wrong_credential")
    attempt.expect("node 1", post(field, 1, in_its_name)[0], "reading_signature")
    attempt.expect("node 2", post(field, 2, richer)[0], "reading_signature")
    attempt.expect("node 0", post(field, 0, other_chain)[0], "reading_signature")
    close = Close(1, READ_DAY, 6, 6, bytes(32), bytes(32))
    false = DayClose(close, field.meter.key, sign(seed_of("mallory"), signed_bytes(CLOSE_TAG, field.chain, close)))
    attempt.expect("node 1", post_close(field, 1, false), "reading_signature")
    if held(field, 0) != before:
        attempt.succeeded.append("a forged reading is held")


def post_close(field: Field, index: int, signed: DayClose) -> str:
    close = signed.close
    values = [close.device, close.day, close.last_seq, close.count, close.head_hash.hex(), close.readings_root.hex()]
    body = {"close": values, "signature": signed.signature.hex(), "key": signed.key.hex()}
    return code_of(field.clients[index], "/v1/days", json.dumps(body).encode(), "application/json")


@attack(
    "replayed readings", "a batch again; its readings under new numbers; a gap; another text for a number that is held"
)
def replayed(field: Field, attempt: Attempt) -> None:
    batch = field.lawful_batch
    assert batch is not None
    before = held(field, 0)
    for index in field.running:
        code, answer = post(field, index, batch)
        if code == "accepted" and int(answer["accepted"]) == 0:
            attempt.expect(f"node {index}", "duplicates", "duplicates")
        else:
            attempt.expect(f"node {index}", f"{code} {answer}", "duplicates")
    meter = field.meter
    ahead = [changed(raw, seq=meter.seq + 50 + place) for place, raw in enumerate(batch.raws)]
    attempt.expect("node 0", post(field, 0, meter.batch(ahead))[0], "out_of_order", "batch_refused", "chain_break")
    other = [changed(raw, pwr_avg="900") for raw in batch.raws[:1]]
    attempt.expect("node 1", post(field, 1, meter.batch(other))[0], "reading_conflict", "reading_refused", "malformed")
    if held(field, 0) != before or len(before) != len(batch.raws):
        attempt.succeeded.append("a replayed reading is held")
