"""Readings over MQTT 5, through a real broker: nothing lost and nothing twice, whoever dies in between."""

import asyncio
import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from harness.broker import RunningBroker
from harness.metering import DAY, NOW_S, Meter, Plant
from harness.mqtt import listener_of
from harness.net import Running, keys_of, make_homes, open_node
from harness.shared import shared_folder
from harness.world import key_of, seed_of
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import node.gateway as gateway_module
from node.api.readings import MAX_READINGS_BYTES
from node.gateway import Gateway, Units, open_spool
from node.gateway import listener_of as gateway_listener
from node.intake import Intake
from node.metrics import Metrics
from node.mqtt import Broker, Requester, Unanswered, parse_broker
from node.readings import ReadingStore
from node.start import parts
from node.unit import UnitSetting
from node.wire import DayClose, Readings
from state.errors import DecodeError, IntakeBusy
from state.store import LevelRows
from state.units import DAY_S


@pytest.fixture
def broker(tmp_path: Path) -> Any:
    with RunningBroker(tmp_path / "broker") as running:
        yield running


def body_of(batch: Readings) -> bytes:
    value = {"readings": list(batch.raws), "signature": batch.signature.hex(), "key": batch.key.hex()}
    return json.dumps(value).encode()


def close_of(signed: DayClose) -> bytes:
    close = signed.close
    values = [close.device, close.day, close.last_seq, close.count, close.head_hash.hex(), close.readings_root.hex()]
    return json.dumps({"close": values, "signature": signed.signature.hex(), "key": signed.key.hex()}).encode()


class Site:
    """A validator's intake behind a broker, and the meter of its plant."""

    def __init__(self, gateway: bool = False) -> None:
        self.plant = Plant(gateway)
        self.intake: Intake = self.plant.intake()
        self.meter: Meter = self.plant.meter()
        self.metrics = Metrics(self.plant.world.chain, 1)

    @asynccontextmanager
    async def listening(self, at: Broker) -> AsyncIterator[None]:
        listening = asyncio.Event()
        told = lambda connected: listening.set() if connected else None  # noqa: E731
        listener = listener_of(self.intake, at, self.metrics, "validator", told)
        task = asyncio.create_task(listener.run())
        try:
            await asyncio.wait_for(listening.wait(), 10)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def held(self) -> list[str]:
        return self.intake.store.day(self.plant.device, DAY)

    def refused(self, code: str) -> float:
        return float(self.metrics.readings_refused.of(code)._value.get())


async def persistent(requester: Requester, name: str, body: bytes) -> dict[str, Any]:
    """As a gateway does: again and again until somebody answers."""
    while True:
        try:
            return await requester.ask(name, body)
        except Unanswered:
            await asyncio.sleep(0.05)


async def test_a_batch_and_its_close_are_answered_once_they_are_held(broker: RunningBroker) -> None:
    site, at = Site(), parse_broker(broker.url)
    texts = site.meter.texts_of(DAY, 5)
    async with site.listening(at), Requester(at) as requester:
        answer = await requester.ask("readings", body_of(site.meter.batch(texts)))
        assert answer == {"schema": "accepted/1", "status": 200, "accepted": 5, "duplicates": 0}
        assert site.held() == texts
        answer = await requester.ask("days", close_of(site.meter.close(DAY)))
        assert answer["accepted"] == 1
        assert site.intake.store.head(site.plant.device).held_days == 1


async def test_the_same_batch_again_is_known(broker: RunningBroker) -> None:
    site, at = Site(), parse_broker(broker.url)
    body = body_of(site.meter.batch(site.meter.texts_of(DAY, 3)))
    async with site.listening(at), Requester(at) as requester:
        answers = [await requester.ask("readings", body) for _ in range(2)]
    assert [(answer["accepted"], answer["duplicates"]) for answer in answers] == [(3, 0), (0, 3)]
    assert len(site.held()) == 3


async def test_what_comes_while_the_node_is_away_waits_at_the_broker(broker: RunningBroker) -> None:
    site, at = Site(), parse_broker(broker.url)
    async with site.listening(at):
        pass
    async with aiomqtt.Client("localhost", broker.port, protocol=aiomqtt.ProtocolVersion.V5) as sender:
        await sender.publish("wattest/readings", body_of(site.meter.batch(site.meter.texts_of(DAY, 4))), qos=1)
    async with site.listening(at):
        await until(lambda: len(site.held()) == 4)


async def test_a_broker_killed_in_the_stream_loses_nothing_and_doubles_nothing(broker: RunningBroker) -> None:
    site, at = Site(), parse_broker(broker.url)
    batches = [site.meter.batch([text]) for text in site.meter.texts_of(DAY, 60)]

    async def killing() -> None:
        await until(lambda: len(site.held()) >= 20)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)

    async with site.listening(at), Requester(at, answer_s=2) as requester:
        killer = asyncio.create_task(killing())
        answers = [await persistent(requester, "readings", body_of(batch)) for batch in batches]
        await killer
    assert {answer["status"] for answer in answers} == {200}
    assert site.held() == [text for batch in batches for text in batch.raws]


async def test_a_node_killed_in_the_stream_loses_nothing_and_doubles_nothing(
    broker: RunningBroker, tmp_path: Path
) -> None:
    """SIGKILL while a batch is on its way; whatever was answered is on the disk, and the rest is sent again."""
    plant, at = Plant(), parse_broker(broker.url)
    meter = plant.meter()
    batches = [meter.batch([text]) for text in meter.texts_of(DAY, 40)]
    answered = 0

    def start() -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-m", "harness.mqtt_node", str(tmp_path / "rows"), broker.url]
        return subprocess.Popen(command, env=environment)

    process = start()
    try:
        async with Requester(at, answer_s=0.5) as requester:
            for batch in batches:
                sent = asyncio.create_task(persistent(requester, "readings", body_of(batch)))
                if answered == 20:
                    await asyncio.sleep(0.002)
                    process.kill()
                    process.wait(10)
                    process = start()
                assert (await sent)["status"] == 200
                answered += 1
    finally:
        process.kill()
        process.wait(10)
    rows = LevelRows(tmp_path / "rows", create=False)
    held = ReadingStore(rows)
    held.check()
    assert held.day(plant.device, DAY) == [text for batch in batches for text in batch.raws]
    rows.close()


async def test_a_broker_that_wants_a_password_and_speaks_tls(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    secrets, wrong = tmp_path / "credentials", tmp_path / "wrong"
    for file, text in ((secrets, "meters:open sesame"), (wrong, "meters:guess")):
        file.write_text(text + "\n")
        file.chmod(0o600)
    passwords = tmp_path / "passwords"
    passwords.write_text(mosquitto_password("meters", "open sesame"))
    settings = (f"password_file {passwords}", "allow_anonymous false")
    with RunningBroker(tmp_path / "broker", *settings, tls=(certificate, key)) as broker:
        site, at = Site(), parse_broker(broker.url, str(certificate), str(secrets))
        body = body_of(site.meter.batch(site.meter.texts_of(DAY, 2)))
        async with site.listening(at):
            async with Requester(at) as requester:
                assert (await requester.ask("readings", body))["accepted"] == 2
            for refused in (parse_broker(broker.url, str(certificate), str(wrong)), parse_broker(broker.url)):
                async with Requester(refused, answer_s=0.5) as requester:
                    with pytest.raises(Unanswered):
                        await requester.ask("readings", body)


async def test_a_node_takes_readings_off_its_broker(broker: RunningBroker, tmp_path: Path) -> None:
    """The whole node: what it refuses shows that it took it; its broker may be away when it starts."""
    home = make_homes(tmp_path, 1)[0]
    settings = (home / "config.toml").read_text()
    (home / "config.toml").write_text(settings.replace('# mqtt = ""', f'mqtt = "{broker.url}"'))
    broker.kill()
    node = open_node(home, keys_of(0))
    node.parts += parts(node)
    running = Running(node)
    await asyncio.sleep(0.1)
    await asyncio.to_thread(broker.start)
    meter = Meter(node.chain, 9, seed_of("reader"), key_of("reader"))
    try:
        async with Requester(parse_broker(broker.url), answer_s=0.3) as requester:
            answer = await persistent(requester, "readings", body_of(meter.batch(meter.texts_of(DAY, 1))))
        assert (answer["status"], answer["code"]) == (403, "no_credential")
    finally:
        await running.stop()


async def test_a_node_that_dies_before_the_disk_gets_it_again(broker: RunningBroker) -> None:
    """Cancelled while it writes: the broker has no acknowledgement yet and hands it to the node's next life."""
    site, at = Site(), parse_broker(broker.url)
    body = body_of(site.meter.batch(site.meter.texts_of(DAY, 4)))
    entered, accept = asyncio.Event(), site.intake.accept_batch

    async def dying(*arguments: Any) -> Any:
        entered.set()
        await asyncio.Event().wait()

    site.intake.accept_batch = dying  # type: ignore[method-assign, assignment]
    async with site.listening(at), aiomqtt.Client("localhost", broker.port) as sender:
        await sender.publish("wattest/readings", body, qos=1)
        await asyncio.wait_for(entered.wait(), 10)
    assert site.held() == []
    site.intake.accept_batch = accept  # type: ignore[method-assign, assignment]
    async with site.listening(at):
        await until(lambda: len(site.held()) == 4)


async def test_a_full_intake_makes_the_sender_wait(broker: RunningBroker) -> None:
    site, at = Site(), parse_broker(broker.url)
    body = body_of(site.meter.batch(site.meter.texts_of(DAY, 2)))
    accept, asked = site.intake.accept_batch, 0

    async def full(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked < 4:
            raise IntakeBusy(waiting=64)
        return await accept(*arguments)

    site.intake.accept_batch = full  # type: ignore[method-assign, assignment]
    async with site.listening(at), Requester(at) as requester:
        answer = await requester.ask("readings", body)
    assert answer["accepted"] == 2
    assert asked == 4


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b"{}", "bad_json"),
        (b'{"readings":[],"signature":"","key":""}', "bad_json"),
        (b" " * (MAX_READINGS_BYTES + 1), "malformed"),
    ],
)
async def test_refuses_what_is_no_batch_and_goes_on(broker: RunningBroker, body: bytes, code: str) -> None:
    site, at = Site(), parse_broker(broker.url)
    good = body_of(site.meter.batch(site.meter.texts_of(DAY, 1)))
    async with site.listening(at), Requester(at) as requester:
        refusal = await requester.ask("readings", body)
        assert (refusal["schema"], refusal["status"], refusal["code"]) == ("error/1", 400, code)
        assert (await requester.ask("readings", good))["accepted"] == 1


async def test_refuses_another_signature_and_counts_it(broker: RunningBroker) -> None:
    site, at = Site(), parse_broker(broker.url)
    batch = site.meter.batch(site.meter.texts_of(DAY, 1))
    forged = Readings(batch.device, batch.raws, batch.key, bytes(64))
    async with site.listening(at), Requester(at) as requester:
        assert (await requester.ask("readings", body_of(forged)))["code"] == "reading_signature"
    assert site.refused("reading_signature") == 1
    assert site.held() == []


async def test_takes_nothing_that_the_broker_may_lose(broker: RunningBroker) -> None:
    site, at = Site(), parse_broker(broker.url)
    texts = site.meter.texts_of(DAY, 2)
    async with site.listening(at), Requester(at) as requester:
        async with aiomqtt.Client("localhost", broker.port) as sender:
            await sender.publish("wattest/readings", body_of(site.meter.batch(texts[:1])), qos=0)
        answer = await requester.ask("readings", body_of(site.meter.batch(texts[1:])))
    assert answer["code"] == "out_of_order"


async def test_never_answers_where_others_listen_for_requests(broker: RunningBroker) -> None:
    site, at = Site(), parse_broker(broker.url)
    heard = []
    async with (
        site.listening(at),
        Requester(at) as requester,
        aiomqtt.Client("localhost", broker.port, protocol=aiomqtt.ProtocolVersion.V5) as sender,
    ):
        for topic in ("wattest/readings", "other/place", "wattest/answers/"):
            properties = Properties(PacketTypes.PUBLISH)
            properties.ResponseTopic = topic
            await sender.subscribe("other/#")
            await sender.publish("wattest/readings", b"{}", qos=1, properties=properties)
        assert (await requester.ask("readings", b"[]"))["code"] == "bad_json"
        heard = list(range(len(sender.messages)))
    assert heard == []
    assert site.refused("bad_json") == 4  # an answer on wattest/readings would have been a fifth


async def test_one_sender_waits_for_its_own_answers_only(broker: RunningBroker) -> None:
    site, at = Site(), parse_broker(broker.url)
    bodies = [body_of(site.meter.batch([text])) for text in site.meter.texts_of(DAY, 6)]
    async with site.listening(at), Requester(at) as first, Requester(at) as second:
        for index, body in enumerate(bodies):
            assert (await (first, second)[index % 2].ask("readings", body))["accepted"] == 1


async def test_without_a_node_no_answer_is_pretended(broker: RunningBroker) -> None:
    async with Requester(parse_broker(broker.url), answer_s=0.3) as requester:
        with pytest.raises(Unanswered, match="no node answered"):
            await requester.ask("readings", b"{}")


def test_an_address_says_host_port_prefix_and_security() -> None:
    assert parse_broker("mqtt://meters.example") == Broker("meters.example", 1883, "wattest")
    assert parse_broker("mqtts://a:1/plants/north") == Broker("a", 1, "plants/north", tls=True)


@pytest.mark.parametrize(
    "url", ["", "http://a", "mqtt://", "mqtt://a:99999", "mqtt://u:p@a", "mqtt://a/b?c", "mqtt://a/+/b", "mqtt://[a"]
)
def test_refuses_an_address_that_is_none(url: str) -> None:
    with pytest.raises(DecodeError):
        parse_broker(url)


def test_refuses_credentials_that_others_can_read(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("meter:secret\n")
    file.chmod(0o644)
    with pytest.raises(DecodeError, match="0600"):
        parse_broker("mqtt://a", credentials=str(file))
    file.chmod(0o600)
    assert parse_broker("mqtt://a", credentials=str(file)).password == "secret"


def self_signed(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "broker.pem", folder / "broker.key"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def mosquitto_password(name: str, password: str) -> str:
    """A line of its password file: PBKDF2 with SHA-512, as `mosquitto_passwd` writes it."""
    salt, rounds = b"twelve bytes", 101
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"{name}:$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


# --- the gateway between a broker of raw posts and validators behind one


RAW = {"timestamp": DAY * DAY_S, "id": 3, "pwr_avg": 514.24, "wind_spd": 6.87, "t": 4.3, "insolation": None}


@asynccontextmanager
async def gateway_between(broker: RunningBroker, site: Site, folder: Path, gateway: int) -> AsyncIterator[Gateway]:
    """Takes raw posts off the broker and forwards signed batches over it."""
    world = site.plant.world
    spool = open_spool(folder, world.chain)
    units = Units(gateway, {"3": UnitSetting(site.plant.device, 600)})
    between = Gateway(units, seed_of("reader"), world.chain, [broker.url], spool, lambda: NOW_S)
    listener = gateway_listener(between, parse_broker(broker.url), "gateway")
    tasks = [asyncio.create_task(between.run()), asyncio.create_task(listener.run())]
    try:
        yield between
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        spool.close()


async def test_raw_posts_go_over_the_broker_to_the_gateway_and_on_to_a_validator(
    broker: RunningBroker, tmp_path: Path
) -> None:
    site, at = Site(gateway=True), parse_broker(broker.url)
    posts = [RAW | {"timestamp": DAY * DAY_S + 600 * index} for index in range(12)]
    async with (
        site.listening(at),
        gateway_between(broker, site, tmp_path / "spool", site.plant.gateway) as gateway,
        Requester(at, answer_s=1) as unit,
    ):
        for post in posts:
            assert (await persistent(unit, "raw", json.dumps(post).encode()))["accepted"] == 1
        again = await persistent(unit, "raw", json.dumps(posts).encode())
        assert (again["accepted"], again["duplicates"]) == (0, 12)
        refusal = await persistent(unit, "raw", b'{"timestamp":1,"id":4}')
        assert (refusal["status"], refusal["code"]) == (404, "unknown_unit")
        await gateway.flush()
        await until(lambda: site.intake.store.head(site.plant.device).held_days == 1)
    assert len(site.held()) == 12


async def test_every_file_of_the_json_test_suite_is_refused_with_a_code(broker: RunningBroker, tmp_path: Path) -> None:
    """Over all topics in turn, hundreds on their way at once; and a good batch is taken after all of them."""
    site, at = Site(gateway=True), parse_broker(broker.url)
    files = sorted((shared_folder("vectors", "JSONTestSuite") / "test_parsing").glob("*.json"))
    assert len(files) == 318
    async with (
        site.listening(at),
        gateway_between(broker, site, tmp_path / "spool", site.plant.gateway),
        Requester(at) as sender,
    ):
        assert (await persistent(sender, "raw", b"x"))["code"] == "malformed"
        names = ("readings", "days", "raw")
        asked = [sender.ask(names[at % 3], path.read_bytes()) for at, path in enumerate(files)]
        for path, refusal in zip(files, await asyncio.gather(*asked), strict=True):
            assert 400 <= refusal["status"] < 500, (path.name, refusal)
            assert refusal["code"]
        meter = site.meter
        assert (await sender.ask("readings", body_of(meter.batch(meter.texts_of(DAY, 1)))))["accepted"] == 1


async def test_a_slow_validator_makes_the_gateway_and_its_units_wait(broker: RunningBroker, tmp_path: Path) -> None:
    """Nothing piles up in memory: the gateway has one batch on its way, and takes no more than its log may hold."""
    site, at = Site(gateway=True), parse_broker(broker.url)
    accept, going, most = site.intake.accept_batch, 0, 0
    slow = asyncio.Event()

    async def waiting(*arguments: Any) -> Any:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await slow.wait()
        going -= 1
        return await accept(*arguments)

    site.intake.accept_batch = waiting  # type: ignore[method-assign, assignment]
    posts = [json.dumps(RAW | {"timestamp": DAY * DAY_S + 600 * index}).encode() for index in range(20)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway_module, "MAX_UNSENT", 10)
        async with (
            site.listening(at),
            gateway_between(broker, site, tmp_path / "spool", site.plant.gateway) as gateway,
            Requester(at, answer_s=5) as unit,
        ):
            answers = [asyncio.create_task(persistent(unit, "raw", post)) for post in posts]
            await until(lambda: gateway.status()["units"][0]["waiting"] == 10)
            await asyncio.sleep(0.3)
            assert gateway.status()["units"][0]["waiting"] == 10
            assert sum(task.done() for task in answers) == 10
            slow.set()
            assert [(await task)["accepted"] for task in answers] == [1] * 20
            await until(lambda: len(site.held()) == 20)
    assert most == 1


async def until(condition: Any, timeout_s: float = 40) -> None:
    for _ in range(int(timeout_s / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {timeout_s} s")
