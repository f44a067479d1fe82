"""Nothing that a caller sends becomes a 5xx: every route is thrown at, with a seed that is printed."""

import random

import pytest
from aiohttp.test_utils import TestClient
from harness.served import Served

from node.api.routes import ROUTES
from state.codec import encode
from state.outputs import Bundle

ROUNDS = 6
TEXTS = [
    "", "0", "1", "7", "-1", "01", "1e3", "18446744073709551616", "9" * 40, "%00", "%ff%fe", "..%2f..", "é", "\u202e",
    "NaN", "true", "null", "{}", "[]", "' OR 1=1", "a" * 300, "0" * 64, "f" * 64, "0" * 32, "AAAA", "_" * 20,
    "WAT-FR-0000001-201404-000000002-53", "WAT-FR-0000001-201404-000000001/000000003-19", "2014-04-02", "9999-99-99",
]  # fmt: skip
HEADERS = [
    {"Content-Type": "application/json"},
    {"Content-Type": "application/msgpack"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    {},
]


def bodies(chance: random.Random, raw: bytes) -> bytes:
    spoilt = bytearray(raw)
    for _ in range(chance.randrange(1, 4)):
        spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
    return chance.choice(
        [
            b"",
            b"{}",
            b"[" * 5_000,
            b'{"readings": ["{}"], "signature": "", "key": ""}',
            b'{"close": [1, 2, 3, 4, "", ""], "signature": "", "key": ""}',
            chance.randbytes(chance.randrange(200)),
            encode([raw, bytes(spoilt)]),
            encode([[], 1, None]),
            bytes(spoilt),
            raw[: chance.randrange(len(raw))],
        ]
    )


@pytest.mark.parametrize("seed", range(2))
async def test_no_request_makes_the_node_fail(served: Served, client: TestClient, seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    point = served.world.outputs_of("owner", Bundle)[0]
    raw = served.world.transaction(served.world.retire_action("owner", point, 3, 3), by=("owner",)).raw
    for route in ROUTES:
        for _ in range(ROUNDS):
            path = route.path
            for parameter in route.where:
                path = path.replace(f"{{{parameter.name}}}", chance.choice(TEXTS) or "x")
            names = [parameter.name for parameter in route.query] + ["strange"]
            query = {name: chance.choice(TEXTS) for name in names if chance.random() < 0.5}
            method = route.method if chance.random() < 0.9 else chance.choice(["PUT", "HEAD", "OPTIONS", "PATCH"])
            body = bodies(chance, raw) if method != "GET" else None
            response = await client.request(
                method, path, params=query, data=body, headers=chance.choice(HEADERS), allow_redirects=False,
                skip_auto_headers=["Content-Type"],
            )  # fmt: skip
            await response.read()
            assert response.status < 500, (method, path, query, body)
    assert (await client.get("/v1/status")).status == 200


async def test_own_mistake_is_a_500_without_the_inside(served: Served, aiohttp_client) -> None:
    from dataclasses import replace

    from node.api.server import make_app

    def broken() -> None:
        raise RuntimeError("secret of the inside")

    client = await aiohttp_client(make_app(replace(served.services, live=broken)))
    response = await client.get("/v1/status")
    text = await response.text()
    assert response.status == 500
    assert '"internal"' in text
    assert "secret" not in text


async def test_a_store_that_cannot_be_read_is_told_to_the_node(served: Served, aiohttp_client) -> None:
    """Answering on would be guessing: the node ends, and its next start looks at every row."""
    from dataclasses import replace

    from node.api.server import make_app
    from state.errors import StoreMismatch

    def damaged() -> None:
        raise StoreMismatch(why="block checksum mismatch")

    told: list[BaseException] = []
    client = await aiohttp_client(make_app(replace(served.services, live=damaged, failed=told.append)))
    assert (await client.get("/v1/status")).status == 500
    assert [type(error) for error in told] == [StoreMismatch]
