"""Readings a second into a validator's intake, by HTTP POST and over MQTT 5 side by side, and what a slow node does.

python -m bench.intake [--quick]          one JSON line for each measurement

The same signed batches of the same devices go through the same parsing, checks and synced writes; each device has one
batch on its way, as a gateway has. Server, senders and disk share one process; the broker is a mosquitto of its own,
whose CPU time is told beside. The last line stands for back-pressure: a node that takes 20 ms a batch, and a sender
that waits for nothing; what the node holds in memory is bounded by what it has not acknowledged.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import aiomqtt
from aiohttp import web

from node.api.readings import MAX_READINGS_BYTES, batch_body, take_readings
from node.intake import READINGS_TAG, Intake
from node.log import open_log
from node.metrics import Metrics
from node.mqtt import RECEIVE_MAX, Listener, Requester, parse_broker
from node.readings import ReadingStore
from node.subscribing import refusal_answer, taken
from node.wire import Readings
from state.crypto import public_key, sign, signed_bytes
from state.keyspace import device_key, meter_key
from state.outputs import NEVER
from state.overlay import Snapshot
from state.records import Device, DeviceFacts, Meter
from state.store import LevelRows, MemoryStore, encode_entry
from verifier.reading import NO_PREVIOUS, Reading, SignedReading, format_signed, reading_hash

ROOT = Path(__file__).resolve().parent.parent
CHAIN = bytes(32)
SEED = bytes(range(32))
START_S = 1_388_534_400
DEVICES = 8
SLOW_S = 0.02
FLOOD = 200

FACTS = DeviceFacts(
    name="Turbine",
    gsrn="",
    country="DE",
    zone="",
    location="",
    fuel="F01050200",
    technology="T020001",
    capacity_w=2_000_000,
    commissioned_day=16_000,
    interval_s=600,
    channels=3,
    latitude_udeg=48_000_000,
    longitude_udeg=5_000_000,
    coordinates_estimated=False,
    tilt_udeg=-1,
    azimuth_udeg=-1,
    hub_height_cm=8_000,
    insolation_source="none",
    support="",
)

Send = Callable[[bytes], Awaitable[dict[str, Any]]]


def main(quick: bool) -> None:
    for size, batches in ((1, 60 if quick else 600), (144, 20 if quick else 200)):
        lines = {way: asyncio.run(_measure(way, size, batches)) for way in ("http", "mqtt")}
        for line in lines.values():
            print(json.dumps(line), flush=True)
        ratio = lines["mqtt"]["readings_per_s"] / lines["http"]["readings_per_s"]
        print(json.dumps({"batch": size, "mqtt_of_http": round(ratio, 2)}), flush=True)
    print(json.dumps(asyncio.run(_slow(FLOOD if quick else 2 * FLOOD))), flush=True)


async def _measure(way: str, size: int, batches: int) -> dict[str, Any]:
    bodies = [_bodies(device, size, batches) for device in range(1, DEVICES + 1)]
    with tempfile.TemporaryDirectory() as folder, _broker(Path(folder)) as url:
        intake = _intake(Path(folder))
        before = _broker_cpu()
        wall, cpu = time.perf_counter(), time.process_time()
        await (_over_http if way == "http" else _over_mqtt)(intake, url, bodies)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        broker_cpu = _broker_cpu() - before
        held = sum(head.last_seq for _, head in intake.store.heads())
        assert held == DEVICES * size * batches, f"{held} readings are held"
        await intake.stop()
        intake.store.shut()
    return {
        "way": way,
        "batch": size,
        "readings": held,
        "readings_per_s": round(held / wall),
        "messages_per_s": round(held / size / wall),
        "cpu_us_a_reading": round(cpu / held * 1e6, 1),
        "broker_cpu_us_a_reading": round(broker_cpu / held * 1e6, 1),
    }


async def _over_http(intake: Intake, _: str, bodies: list[list[bytes]]) -> None:
    metrics = Metrics(CHAIN, 1)

    async def post(request: web.Request) -> web.Response:
        return web.json_response(await take_readings(await request.read(), intake.accept_batch, metrics))

    app = web.Application(client_max_size=MAX_READINGS_BYTES)
    app.router.add_post("/v1/readings", post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/readings"
    async with aiohttp.ClientSession() as session:

        async def send(body: bytes) -> dict[str, Any]:
            async with session.post(url, data=body) as answer:
                value: dict[str, Any] = await answer.json()
                return value

        await asyncio.gather(*(_device(send, each) for each in bodies))
    await runner.cleanup()


async def _over_mqtt(intake: Intake, url: str, bodies: list[list[bytes]]) -> None:
    async with _listening(intake, url), Requester(parse_broker(url)) as requester:

        async def send(body: bytes) -> dict[str, Any]:
            return await requester.ask("readings", body)

        await asyncio.gather(*(_device(send, each) for each in bodies))


async def _device(send: Send, bodies: list[bytes]) -> None:
    for body in bodies:
        answer = await send(body)
        assert answer.get("accepted"), answer


async def _slow(count: int) -> dict[str, Any]:
    """A sender that never waits, against a node that takes its time."""
    bodies = _bodies(1, 144, count)
    with tempfile.TemporaryDirectory() as folder, _broker(Path(folder)) as url:
        intake = _intake(Path(folder))
        accept, most, arrived = intake.accept_batch, 0, asyncio.Event()
        async with _listening(intake, url) as listener:

            async def slowly(*arguments: Any) -> Any:
                nonlocal most
                most = max(most, listener.waiting)
                await asyncio.sleep(SLOW_S)
                answer = await accept(*arguments)
                if answer.last is not None and answer.last.seq == 144 * count:
                    arrived.set()
                return answer

            intake.accept_batch = slowly  # type: ignore[method-assign, assignment]
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            at = parse_broker(url)
            async with aiomqtt.Client(at.host, at.port) as sender:
                for body in bodies:
                    await sender.publish("wattest/readings", body, qos=1)
                sent_at = intake.store.head(1).last_seq
                await asyncio.wait_for(arrived.wait(), 120)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        await intake.stop()
        intake.store.shut()
    return {
        "slow_ms_a_batch": int(SLOW_S * 1_000),
        "batches": count,
        "megabytes_sent": round(sum(map(len, bodies)) / 1e6, 1),
        "held_when_all_was_sent": sent_at,
        "messages_waiting_at_the_node_at_most": most,
        "bound": RECEIVE_MAX,
        "memory_grown_mb": round(grown / 1_000, 1),
        "lost": 0,
    }


# --- what both ways share


def _intake(folder: Path) -> Intake:
    state = _ledger()
    return Intake(
        ReadingStore(LevelRows(folder / "readings")), CHAIN, lambda: (state, START_S * 1_000), lambda: START_S + 10**9
    )


def _ledger() -> Snapshot:
    store = MemoryStore()
    rows: dict[bytes, bytes | None] = {}
    for device in range(1, DEVICES + 1):
        rows[device_key(device)] = encode_entry(Device(device, 1, 1, FACTS, NEVER, 1, b"", 0, 0))
        rows[meter_key(device)] = encode_entry(Meter(device, public_key(SEED), 0, NEVER))
    store.write(rows)
    return store


def _bodies(device: int, size: int, batches: int) -> list[bytes]:
    """Signed batches of one chain, made before the clock runs."""
    prev, register, found = NO_PREVIOUS, 0, []
    for number in range(batches):
        texts = []
        for seq in range(number * size + 1, (number + 1) * size + 1):
            register += 84_000
            reading = Reading(START_S + 600 * seq, 504_000 + seq % 997, 7_120, 430, None)
            raw = format_signed(SignedReading(device, seq, prev, reading, register, 0))
            prev = reading_hash(raw)
            texts.append(raw.decode())
        signature = sign(SEED, signed_bytes(READINGS_TAG, CHAIN, texts))
        found.append(json.dumps(batch_body(Readings(device, tuple(texts), public_key(SEED), signature))).encode())
    return found


class _listening:  # noqa: N801 - used as a context
    def __init__(self, intake: Intake, url: str) -> None:
        metrics = Metrics(CHAIN, 1)

        async def readings(body: bytes) -> dict[str, Any]:
            return taken(await take_readings(body, intake.accept_batch, metrics))

        self._connected = asyncio.Event()
        self.listener = Listener(
            parse_broker(url), "bench", {"readings": readings}, refusal_answer, MAX_READINGS_BYTES, open_log(None),
            lambda connected: self._connected.set() if connected else None,
        )  # fmt: skip

    async def __aenter__(self) -> Listener:
        self._task = asyncio.create_task(self.listener.run())
        await asyncio.wait_for(self._connected.wait(), 10)
        return self.listener

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


_pids: list[int] = []


@contextmanager
def _broker(folder: Path) -> Iterator[str]:
    """A mosquitto that `tools/broker` finds; its settings are those that docs/OPERATING.md names."""
    found = subprocess.run([ROOT / "tools" / "broker"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    libraries = ROOT / ".venv" / "broker" / "usr" / "lib" / f"{os.uname().machine}-linux-gnu"
    port = _free_port()
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true", "max_queued_messages 100000"]
    (folder / "mosquitto.conf").write_text("\n".join([*lines, *(["user root"] if os.geteuid() == 0 else [])]) + "\n")
    environment = os.environ | {"LD_LIBRARY_PATH": str(libraries)}
    command = [found, "-c", str(folder / "mosquitto.conf")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _pids.append(process.pid)
    time.sleep(0.3)
    try:
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _broker_cpu() -> float:
    """Seconds of the running broker."""
    fields = Path(f"/proc/{_pids[-1]}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])
