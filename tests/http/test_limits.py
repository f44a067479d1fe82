"""Buckets per address, caps on what runs at once."""

import asyncio
from dataclasses import replace

import pytest
from aiohttp import WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer
from harness.finalized import FinalizedWorld
from harness.served import Served

from node.api.limits import PROFILES, Bucket, Limits, Throttle
from node.api.server import make_app

TIGHT = Limits(reads_per_s=1, reads_burst=3, writes_per_s=1, writes_burst=2, bytes_per_s=100, bytes_burst=1_000)


def served_with(limits: Limits) -> Served:
    served = Served(FinalizedWorld())
    served.services = replace(served.services, limits=limits)
    return served


def test_bucket_fills_up_again() -> None:
    bucket = Bucket(per_s=2, burst=4, at=10.0)
    assert [bucket.take(1, 10.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert bucket.take(1, 10.5) == 0
    assert bucket.take(4, 100.0) == 0
    assert bucket.take(1, 100.0) == 0.5


def test_cost_above_the_burst_passes_a_full_bucket_once() -> None:
    bucket = Bucket(per_s=1, burst=10, at=0.0)
    assert bucket.take(1_000, 0.0) == 0
    assert bucket.take(1_000, 1.0) == 9


def test_addresses_have_their_own_buckets_and_silent_ones_are_forgotten() -> None:
    throttle = Throttle(TIGHT, lambda: 5.0)
    assert [throttle.read("a").retry_after_s for _ in range(4)] == [0, 0, 0, 1]
    assert throttle.read("b").retry_after_s == 0
    for number in range(13_000):
        throttle.read(f"address {number}")
    assert throttle.read("a").retry_after_s == 0
    assert len(throttle._buckets) <= 12_289


def test_profiles_of_demo_and_bench_allow_more() -> None:
    default, demo, bench = (PROFILES[name] for name in ("default", "demo", "bench"))
    assert default.reads_per_s < demo.reads_per_s < bench.reads_per_s
    assert default.bytes_per_s < demo.bytes_per_s < bench.bytes_per_s


async def test_refuses_reads_beyond_the_bucket_and_says_when_to_come_back() -> None:
    async with TestClient(TestServer(make_app(served_with(TIGHT).services))) as client:
        answers = [await client.get("/v1/status") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers.get("RateLimit-Remaining") for answer in answers[:3]] == ["2", "1", "0"]
        assert answers[0].headers["RateLimit-Limit"] == "3"
        assert answers[3].headers["Retry-After"] == "1"
        assert (await answers[3].json())["code"] == "rate_limited"
        assert (await client.get("/livez")).status == 200  # probes are not measured


async def test_refuses_bytes_beyond_the_bucket() -> None:
    async with TestClient(TestServer(make_app(served_with(TIGHT).services))) as client:
        headers = {"Content-Type": "application/msgpack"}
        answers = [await client.post("/v1/transactions", data=b"\x00" * 900, headers=headers) for _ in range(2)]
        assert [answer.status for answer in answers] == [400, 429]
        assert answers[1].headers["Retry-After"] == "8"


async def test_refuses_more_requests_at_once_than_it_serves() -> None:
    served = served_with(replace(PROFILES["bench"], requests_at_once=1))
    gate = asyncio.Event()

    async def slow(*_: object) -> dict[str, object]:
        await gate.wait()
        return {"profile_hash": ""}

    served.world.register("owner")
    served.world.device("owner")
    served.services = replace(served.services, profile=slow)
    async with TestClient(TestServer(make_app(served.services))) as client:
        first = asyncio.create_task(client.get("/v1/devices/1/profile?from=0&to=86400"))
        await asyncio.sleep(0.1)
        second = await client.get("/v1/status")
        gate.set()
        assert (second.status, (await second.json())["code"]) == (429, "overloaded")
        assert (await first).status == 200


@pytest.mark.parametrize("limits", [Limits(streams=1), Limits(streams_per_address=1)])
async def test_refuses_more_streams_than_it_serves(limits: Limits) -> None:
    async with TestClient(TestServer(make_app(served_with(limits).services))) as client:
        first = await client.ws_connect("/v1/events")
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/v1/events")
        assert refused.value.status == 429
        await first.close()
        await asyncio.sleep(0.05)
        again = await client.ws_connect("/v1/events")
        await again.close()


GARBAGE = {
    "zeros": b"\0" * 100 + b"\r\n\r\n",
    "headers": b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
    "line": b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_what_is_no_http_is_refused_without_a_trace_in_anybodys_log(
    client: TestClient, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """A flood of it would fill the disk with traces, each longer than what was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(GARBAGE[name])
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.0 400")
    assert not caplog.records
