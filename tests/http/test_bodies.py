"""Bodies: what is not exactly what it should be is refused with a 4xx and a code, at no more than its length."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from harness.served import Served
from harness.shared import shared_folder

from node.api import requests
from node.api.refusals import BadJson
from node.api.requests import parse_json

KEY, SIGNATURE = "ab" * 32, "cd" * 64


def test_json_of_objects_strings_and_integers_is_read() -> None:
    assert parse_json(b'{"a": [1, -2, "x", true, null], "b": {}}') == {"a": [1, -2, "x", True, None], "b": {}}
    assert parse_json(json.dumps({"s": '[[[[[[[[[["deep inside a text"'}).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nul",
        b'{"a": 1, "a": 1}',
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1.5]",
        b"[1e9]",
        b"[1e999]",
        b"[" + b"9" * 5_000 + b"]",
        b"\xff\xfe",
        b'"\xed\xa0\x80"',
        b"[" * 9 + b"]" * 9,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'"' + b"\\" * 100_001,
        b'{"a": 1} {"b": 2}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_refuses_json_with_two_meanings_or_none(body: bytes) -> None:
    with pytest.raises(BadJson):
        parse_json(body)


async def test_readings_are_taken_once_and_then_known(served: Served, client: TestClient) -> None:
    body = {"readings": ["one", "two"], "signature": SIGNATURE, "key": KEY}
    first = await client.post("/v1/readings", json=body)
    again = await client.post("/v1/readings", json=body)
    assert (first.status, await first.json()) == (200, {"schema": "accepted/1", "accepted": 2, "duplicates": 0})
    assert await again.json() == {"schema": "accepted/1", "accepted": 0, "duplicates": 2}
    assert served.meters.batches[0] == ("one", "two")


async def test_day_close_is_taken_once_and_then_known(served: Served, client: TestClient) -> None:
    body = {"close": [1, 16162, 144, 144, "11" * 32, "22" * 32], "signature": SIGNATURE, "key": KEY}
    first = await client.post("/v1/days", json=body)
    again = await client.post("/v1/days", json=body)
    assert [(await answer.json())["accepted"] for answer in (first, again)] == [1, 0]
    assert served.meters.closes[0].head_hash == b"\x11" * 32


JSON_TYPE = {"Content-Type": "application/json"}
READINGS = json.dumps({"readings": ["x"], "signature": SIGNATURE, "key": KEY})


def readings(**changes: Any) -> str:
    return json.dumps({"readings": ["x"], "signature": SIGNATURE, "key": KEY, **changes})


REFUSED = [
    ("/v1/readings", READINGS, {}, 415, "wrong_media_type"),
    ("/v1/readings", READINGS, {"Content-Type": "text/plain"}, 415, "wrong_media_type"),
    ("/v1/readings", READINGS, {"Content-Type": "application/json; charset=latin-1"}, 415, "wrong_media_type"),
    ("/v1/readings", READINGS, {**JSON_TYPE, "Content-Encoding": "gzip"}, 415, "wrong_media_type"),
    ("/v1/readings", READINGS, {"Content-Type": "multipart/form-data; boundary=x"}, 415, "wrong_media_type"),
    ("/v1/readings", "[" * 100_000, JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", "{}", JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", "[]", JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", readings(more=1), JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", readings(readings=[]), JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", readings(readings=["x"] * 1_441), JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", readings(readings=[1]), JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", readings(readings=["x" * 1_025]), JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", readings(readings=["\u00e9"]), JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", readings(key="AB" * 32), JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", readings(key="ab" * 31), JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", readings(signature=7), JSON_TYPE, 400, "bad_json"),
    ("/v1/readings", readings(readings=["bad"]), JSON_TYPE, 400, "reading_refused"),
    ("/v1/days", '{"close": [1], "signature": "", "key": ""}', JSON_TYPE, 400, "bad_json"),
    (
        "/v1/days",
        json.dumps({"close": [True, 1, 1, 1, "00" * 32, "00" * 32], "signature": SIGNATURE, "key": KEY}),
        JSON_TYPE,
        400,
        "bad_json",
    ),
    ("/v1/days", " " * 5_000, JSON_TYPE, 413, "body_too_large"),
    ("/v1/transactions", b"", {"Content-Type": "application/msgpack"}, 400, "malformed"),
    ("/v1/transactions", b"\x92" * 1_000, {"Content-Type": "application/msgpack"}, 400, "malformed"),
    ("/v1/transactions", b"\x00" * 600_000, {"Content-Type": "application/msgpack"}, 413, "body_too_large"),
    ("/v1/transactions", '{"transaction": "zz"}', JSON_TYPE, 400, "bad_json"),
    ("/v1/transactions/batch", b"\x90", {"Content-Type": "application/msgpack"}, 400, "malformed"),
    ("/v1/transactions/batch", b"\xdd\xff\xff\xff\xff", {"Content-Type": "application/msgpack"}, 400, "malformed"),
    ("/v1/transactions/batch", "[]", JSON_TYPE, 415, "wrong_media_type"),
]


@pytest.mark.parametrize(("path", "body", "headers", "status", "code"), REFUSED, ids=lambda value: str(value)[:40])
async def test_refuses_a_body(
    client: TestClient, path: str, body: str | bytes, headers: dict[str, str], status: int, code: str
) -> None:
    response = await client.post(path, data=body, headers=headers, skip_auto_headers=["Content-Type"])
    answer = json.loads(await response.read())
    assert (response.status, answer["code"]) == (status, code), answer


async def test_refuses_a_body_that_drips(served: Served, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_TIMEOUT_S", 0.2)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    head = "POST /v1/days HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.read(500), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408")
    assert served.meters.closes == []


async def test_refuses_a_body_without_a_length(client: TestClient) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 100

    response = await client.post("/v1/days", data=chunks(), headers=JSON_TYPE)
    assert (response.status, (await response.json())["code"]) == (411, "length_required")


async def test_every_file_of_the_json_test_suite_is_refused_with_a_code(client: TestClient) -> None:
    """As a body of its own, as the only reading of a batch, and as one of three."""
    files = sorted((shared_folder("vectors", "JSONTestSuite") / "test_parsing").glob("*.json"))
    assert len(files) == 318
    for path in files:
        text = path.read_bytes().decode("utf-8", "replace")
        bodies = [path.read_bytes(), readings(readings=[text]).encode(), readings(readings=["{}", text, "{}"]).encode()]
        for where, body in [("/v1/readings", each) for each in bodies] + [("/v1/days", bodies[0])]:
            answer = await client.post(where, data=body, headers=JSON_TYPE)
            refusal = await answer.json()
            taken = body is not bodies[0] and answer.status == 200  # the played meter takes any ASCII text
            assert taken or (400 <= answer.status < 500 and refusal["code"]), (path.name, where, refusal)
