"""Raw posts into a gateway, and what arrives at a validator."""

import asyncio
import json
import os
import random
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from harness.metering import DAY, NOW_S, Plant, record_of
from harness.shared import shared_folder
from harness.validator import ReadingsApi
from harness.world import WIND, seed_of
from msgspec.structs import replace

import node.gateway as gateway_module
from node.gateway import Gateway, Units, gateway_app, open_spool, parse_posts, read_units
from node.intake import Intake
from node.spool import Spool, _framed, read_records
from node.unit import Signed, Unit, UnitSetting
from state.errors import DecodeError, StoreError, StoreMismatch
from state.units import DAY_S
from verifier.device import facts_of_record
from verifier.intake import read_day
from verifier.reading import Reading, parse_signed

SEED = {"timestamp": DAY * DAY_S, "id": 3, "pwr_avg": 514.24, "wind_spd": 6.87, "t": 4.3, "insolation": None}


class Site:
    """A gateway with one unit, `3`, in front of a validator that may be away."""

    def __init__(self, folder: Path, **setting: Any) -> None:
        self.plant = Plant(gateway=True)
        self.intake: Intake = self.plant.intake()
        self.api = ReadingsApi(self.intake)
        self.folder = folder
        self.units = Units(self.plant.gateway, {"3": UnitSetting(self.plant.device, **setting)})
        self.gateway: Gateway
        self.client: TestClient[Any, Any]

    @asynccontextmanager
    async def running(self, forward: bool = True, resend: bool = False) -> AsyncIterator["Site"]:
        """The gateway process from start to kill: nothing is flushed on the way out."""
        spool = open_spool(self.folder, self.plant.world.chain)
        nodes = [self.api.url]
        chain, seed = self.plant.world.chain, seed_of("reader")
        self.gateway = Gateway(self.units, seed, chain, nodes, spool, lambda: NOW_S, resend)
        task = asyncio.create_task(self.gateway.run()) if forward else None
        async with TestClient(TestServer(gateway_app(self.gateway))) as self.client:
            try:
                yield self
            finally:
                if task is not None:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                spool.close()

    async def post(self, *seeds: dict[str, Any], status: int = 200) -> dict[str, Any]:
        body = seeds[0] if len(seeds) == 1 else list(seeds)
        async with self.client.post("/", json=body) as answer:
            value: dict[str, Any] = await answer.json()
            assert answer.status == status, value
            return value

    async def settled(self) -> None:
        """Wait until the validator has everything."""
        for _ in range(400):
            unit = self.gateway.status()["units"][0]
            if not unit["waiting"] and (unit["open"] or unit["closed_day_sent"] == unit["day"]):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(self.gateway.status())

    def held(self, day: int = DAY) -> list[str]:
        return self.intake.store.day(self.plant.device, day)


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(gateway_module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(gateway_module, "LONGEST_PAUSE_S", 0.05)
    monkeypatch.setattr(gateway_module, "GATHER_S", 0.02)
    made = Site(tmp_path, interval_s=600)
    async with made.api.server:
        yield made


def at(slot: int, power: object = 500, day: int = DAY, **changes: Any) -> dict[str, Any]:
    return SEED | {"timestamp": day * DAY_S + slot * 600, "pwr_avg": power} | changes


# --- what it does


async def test_a_raw_post_is_signed_by_the_gateways_own_credential_and_reaches_the_validator(site: Site) -> None:
    async with site.running():
        answer = await site.post(SEED)
        assert (answer["accepted"], answer["duplicates"]) == (1, 0)
        await site.settled()
    signed = parse_signed(site.held()[0].encode())
    assert signed.origin == site.plant.gateway
    assert signed.seq == 1
    assert signed.reading.power_w == 514_240
    assert signed.reading.insolation_mwh_m2 is None
    assert signed.register_wh == 514_240 // 6


@pytest.mark.parametrize("spelling", [514, "514.24", 514.24, 514.240001, "514.2409"])
async def test_integers_and_decimals_are_quantised_alike_without_floats(site: Site, spelling: object) -> None:
    async with site.running():
        await site.post(at(0, spelling))
        await site.settled()
    assert parse_signed(site.held()[0].encode()).reading.power_w == (514_000 if spelling == 514 else 514_240)


async def test_absent_channels_may_be_left_out(site: Site) -> None:
    async with site.running():
        await site.post({"timestamp": DAY * DAY_S, "id": "3", "pwr_avg": 1})
        await site.settled()
    reading = parse_signed(site.held()[0].encode()).reading
    assert (reading.power_w, reading.wind_mm_s, reading.temperature_centi_c) == (1_000, None, None)


async def test_an_array_is_taken_whole(site: Site) -> None:
    async with site.running():
        answer = await site.post(*[at(slot) for slot in range(1_440)])
        assert answer["accepted"] == 1_440
        await site.settled()
    assert len(site.held(DAY)) == len(site.held(DAY + 9)) == 144
    assert site.intake.store.head(site.plant.device).held_days == 9


async def test_a_repeated_post_is_no_second_reading(site: Site) -> None:
    async with site.running():
        await site.post(at(0), at(1))
        again = await site.post(at(1))
        assert (again["accepted"], again["duplicates"]) == (0, 1)
        await site.settled()
    assert len(site.held()) == 2


async def test_two_values_for_one_time_both_reach_the_verifier_and_count_once_in_the_register(site: Site) -> None:
    async with site.running():
        await site.post(at(0, 600), at(0, 300), at(1, 60))
        await site.settled()
    registers = [parse_signed(text.encode()).register_wh for text in site.held()]
    assert registers == [100_000, 100_000, 110_000]


async def test_the_answer_names_what_came_out_of_order_or_for_a_second_time(site: Site) -> None:
    async with site.running():
        answer = await site.post(at(4), at(2), at(2), at(4, 300), at(5))
        assert answer == {
            "schema": "gateway_accepted/1",
            "accepted": 4,
            "duplicates": 1,
            "out_of_order": 1,
            "second_values": 1,
        }
        again = await site.post(at(4), at(2), at(2), at(4, 300), at(5))
        assert (again["accepted"], again["duplicates"]) == (0, 5)
        await site.settled()
    assert len(site.held()) == 4


@pytest.mark.parametrize("seed", range(5))
async def test_a_day_is_judged_alike_in_any_order_of_arrival(site: Site, seed: int) -> None:
    """Decision 0022: a doubled hour with other values, as in unit 3's own record, and every post said again."""
    posts = [at(slot, 500 + slot) for slot in range(144)] + [at(slot, 400) for slot in range(12, 18)]
    shuffled = posts * 2
    random.Random(seed).shuffle(shuffled)
    async with site.running():
        places: Counter[str] = Counter()
        for post in shuffled:
            places.update({name: count for name, count in (await site.post(post)).items() if name != "schema"})
        await site.post(at(144))
        await _until(lambda: site.intake.store.head(site.plant.device).held_days == 1)
    assert (places["accepted"], places["duplicates"], places["second_values"]) == (150, 150, 6)
    readings = [parse_signed(text.encode()).reading for text in site.held()]
    assert len(readings) == 150  # nothing is lost
    facts = facts_of_record(WIND)
    arrived = read_day(facts, DAY, readings)
    in_order = read_day(facts, DAY, [parse_posts(json.dumps(post).encode())[0].reading for post in posts])
    assert arrived.power_w.tolist() == in_order.power_w.tolist()
    assert arrived.power_w[12:18].tolist() == [400_000] * 6
    assert arrived.energy_wh == in_order.energy_wh
    assert arrived.notes == in_order.notes == ("conflict",)


async def test_the_first_reading_of_the_next_day_closes_the_day(site: Site) -> None:
    async with site.running():
        await site.post(*[at(slot) for slot in range(144)])
        await site.settled()
        assert site.intake.store.close_of(site.plant.device, DAY) is None
        await site.post(at(144))
        await site.settled()
        await _until(lambda: site.intake.store.head(site.plant.device).held_days == 1)
    assert site.intake.store.head(site.plant.device).held_day == DAY


async def test_flush_closes_the_last_day(site: Site) -> None:
    async with site.running():
        await site.post(at(0))
        async with site.client.post("/flush?unit=3") as answer:
            assert (await answer.json())["closed"] == 1
        async with site.client.post("/flush") as answer:
            assert (await answer.json())["closed"] == 0
        await site.settled()
        refused = await site.post(at(1), status=409)
        assert refused["code"] == "late"
    assert site.intake.store.head(site.plant.device).held_days == 1


async def test_interval_is_learnt_from_the_stream(tmp_path: Path) -> None:
    site = Site(tmp_path)
    async with site.api.server, site.running():
        await site.post(at(0, 600), at(3, 600), at(4, 600))
        await site.settled()
    registers = [parse_signed(text.encode()).register_wh for text in site.held()]
    assert registers == [None, 300_000, 400_000]


async def test_a_restart_continues_the_chain(site: Site) -> None:
    async with site.running():
        await site.post(*[at(slot) for slot in range(50)])
        await site.settled()
    for start in (50, 100):
        async with site.running():
            await site.post(*[at(slot) for slot in range(start - 5, start + 44)])
            await site.settled()
    async with site.running():
        await site.post(at(144))
        await _until(lambda: site.intake.store.head(site.plant.device).held_days == 1)
    assert [parse_signed(text.encode()).seq for text in site.held()] == list(range(1, len(site.held()) + 1))


async def test_what_was_acknowledged_before_a_crash_is_forwarded_after_it(site: Site) -> None:
    async with site.running(forward=False):
        await site.post(*[at(slot) for slot in range(145)])
    assert site.held() == []
    async with site.running():
        await site.settled()
        await _until(lambda: site.intake.store.head(site.plant.device).held_days == 1)
    assert len(site.held()) == 144


async def test_nothing_leaves_before_it_is_on_disk(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash in between would let the gateway sign another reading under a number that a validator holds."""
    async with site.running():
        may_write = threading.Event()
        spool = site.gateway._spool
        real = spool._write
        monkeypatch.setattr(spool, "_write", lambda data: (may_write.wait(5), real(data)))
        first = asyncio.create_task(site.post(at(0)))
        await _until(lambda: site.gateway.status()["units"][0]["seq"] == 1)
        site.gateway._work["3"].set()  # woken by something else
        await asyncio.sleep(0.1)
        assert site.held() == []
        assert not first.done()
        may_write.set()
        await first
        await site.settled()
    assert len(site.held()) == 1


async def test_a_validator_that_is_away_loses_nothing(site: Site) -> None:
    site.api.down = True
    async with site.running():
        await site.post(*[at(slot) for slot in range(20)])
        await asyncio.sleep(0.1)
        assert site.gateway.status()["units"][0]["trouble"]["code"] == "http_503"
        site.api.down = False
        await site.settled()
        assert site.gateway.status()["units"][0]["trouble"] is None
    assert len(site.held()) == 20


async def test_a_fast_stream_is_gathered_into_batches(site: Site) -> None:
    async with site.running():
        for slot in range(144):
            await site.post(at(slot))
        await site.settled()
    assert len(site.held()) == sum(site.api.batches) == 144
    assert len(site.api.batches) < 72


async def test_a_lost_acknowledgement_is_no_second_reading(site: Site) -> None:
    site.api.deaf = True
    async with site.running():
        await site.post(*[at(slot) for slot in range(20)])
        await _until(lambda: len(site.api.batches) > 1)
        site.api.deaf = False
        await site.settled()
    assert len(site.held()) == 20


async def test_a_unit_that_is_not_accredited_yet_waits(site: Site) -> None:
    device = site.units.units["3"].device
    site.units = Units(site.plant.gateway, {"3": UnitSetting(device + 1, 600)})
    async with site.running():
        await site.post(at(0))
        await _until(lambda: site.gateway.status()["units"][0]["trouble"])
        assert site.gateway.status()["units"][0]["trouble"]["code"] == "no_credential"
        assert site.gateway.status()["units"][0]["waiting"] == 1


async def test_the_log_is_shortened_without_losing_the_chain(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site.running():
        await site.post(*[at(slot) for slot in range(1_000)])
        await site.settled()
        size = (await asyncio.to_thread(_log, site)).stat().st_size
    monkeypatch.setattr(gateway_module, "REWRITE_BYTES", 1_000)
    async with site.running():
        assert _log(site).stat().st_size < size / 3
        await site.post(at(1_000))
        await site.settled()
    async with site.running():
        await site.post(at(1_000), at(1_001))
        await site.settled()
    assert site.intake.store.head(site.plant.device).last_seq == 1_002


async def test_real_units_with_their_own_defects_pass(site: Site) -> None:
    rows = record_of("unit3_wind_lhb_2014", 17_286)
    async with site.running():
        for start in range(10_080, len(rows), 1_440):  # the weeks around the doubled hour of 30 March
            await site.post(*rows[start : start + 1_440])
        await site.settled()
    assert site.intake.store.head(site.plant.device).last_seq == len(rows) - 10_080
    doubled = [parse_signed(text.encode()).reading.timestamp for text in site.held(16_159)]
    assert len(doubled) - len(set(doubled)) == 6


# --- what it refuses, always with a code and nothing kept


@pytest.mark.parametrize(
    ("status", "code", "body"),
    [
        (404, "unknown_unit", json.dumps(SEED | {"id": 9})),
        (409, "future", json.dumps(SEED | {"timestamp": NOW_S + 61})),
        (400, "malformed", json.dumps(SEED).replace("514.24", "NaN")),
        (400, "malformed", json.dumps(SEED).replace("514.24", "Infinity")),
        (400, "malformed", json.dumps(SEED)[:-1] + ',"id":3}'),
        (400, "malformed", "[" * 100_000),
        (400, "malformed", '{"a":' * 20 + "1" + "}" * 20),
        (400, "malformed", '{"id":"\ud800"}'),
        (400, "malformed", ""),
        (400, "reading_refused", json.dumps(SEED | {"pwr_avg": "1e3"})),
        (400, "reading_refused", json.dumps(SEED | {"pwr_avg": True})),
        (400, "reading_refused", json.dumps(SEED | {"pwr_avg": [1]})),
        (400, "reading_refused", json.dumps(SEED | {"timestamp": "01"})),
        (400, "reading_refused", json.dumps(SEED | {"timestamp": 1.5})),
        (400, "reading_refused", json.dumps(SEED | {"extra": 1})),
        (400, "reading_refused", json.dumps({"id": 3, "pwr_avg": 1})),
        (400, "reading_refused", json.dumps(SEED | {"id": None})),
        (400, "reading_refused", json.dumps([[SEED]])),
        (400, "reading_refused", "null"),
        (400, "batch_refused", "[]"),
        (400, "batch_refused", json.dumps([SEED] * 1_441)),
        (413, "http_413", "[" + " " * 600_000 + "]"),
    ],
)
async def test_refuses_bad_posts(site: Site, status: int, code: str, body: str) -> None:
    async with site.running(forward=False):
        async with site.client.post("/readings", data=body.encode("utf-8", "surrogatepass")) as answer:
            refusal = await answer.json()
            assert (answer.status, refusal["code"]) == (status, code), refusal
        assert site.gateway.status()["units"][0]["seq"] == 0


async def test_refuses_an_array_whole_for_one_bad_element(site: Site) -> None:
    async with site.running(forward=False):
        refusal = await site.post(at(0), at(1, "x"), at(2), status=400)
        assert refusal["code"] == "reading_refused"
        refusal = await site.post(at(200), at(1), status=409)
        assert refusal["code"] == "late"
        assert site.gateway.status()["units"][0]["seq"] == 0


async def test_refuses_a_day_that_is_over(site: Site) -> None:
    async with site.running(forward=False):
        await site.post(at(0), at(144))
        assert (await site.post(at(1), status=409))["code"] == "late"


async def test_refuses_a_channel_that_the_unit_does_not_have(tmp_path: Path) -> None:
    site = Site(tmp_path, interval_s=600, channels=("wind", "temperature"))
    async with site.api.server, site.running(forward=False):
        assert (await site.post(SEED | {"insolation": 0}, status=400))["code"] == "undeclared_channel"
        await site.post(SEED)


async def test_too_much_waiting_is_told_to_the_sender(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "MAX_UNSENT", 10)
    async with site.running(forward=False):
        await site.post(*[at(slot) for slot in range(10)])
        async with site.client.post("/", json=at(10)) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "1"
            assert (await answer.json())["code"] == "spool_full"


async def test_refuses_encoded_bodies_and_unknown_paths(site: Site) -> None:
    async with site.running(forward=False):
        async with site.client.post("/", data=b"x", headers={"Content-Encoding": "gzip"}) as answer:
            assert 400 <= answer.status < 500
        async with site.client.post("/elsewhere", json=SEED) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "http_404")
        async with site.client.get("/") as answer:
            assert answer.status == 405
        async with site.client.post("/flush?unit=9") as answer:
            assert answer.status == 404


def _suite() -> list[Path]:
    files = sorted((shared_folder("vectors", "JSONTestSuite") / "test_parsing").glob("*.json"))
    assert len(files) == 318
    return files


async def test_json_abuse_is_never_taken_and_never_an_internal_error(site: Site) -> None:
    files = _suite()
    async with site.running(forward=False), aiohttp.ClientSession() as session:
        targets = [str(site.client.make_url("/")), site.api.url + "/v1/readings", site.api.url + "/v1/days"]
        for path in files:
            body = path.read_bytes()
            for target in targets:
                async with session.post(target, data=body) as answer:
                    refusal = await answer.json()
                    assert 400 <= answer.status < 500, (path.name, target, refusal)
                    assert refusal["code"]


async def test_json_abuse_inside_a_batch_is_refused(site: Site) -> None:
    texts = [path.read_bytes().decode("utf-8", "replace") for path in _suite()]
    async with site.running(forward=False):
        for text in texts:
            body = {"readings": [text], "key": "00" * 32, "signature": "00" * 64}
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{site.api.url}/v1/readings", json=body) as got,
            ):
                assert 400 <= got.status < 500, text[:80]


# --- units.json and the log


def test_units_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "units.json"
    path.write_text('{"gateway": 1, "units": {"3": {"device": 7, "interval_s": 600, "channels": ["wind"]}}}')
    units = read_units(path)
    assert units.units["3"] == UnitSetting(7, 600, ("wind",))


@pytest.mark.parametrize(
    "text", ["", "{}", '{"gateway":1,"units":{"3":{}}}', '{"gateway":1,"units":{"3":{"device":1,"more":2}}}']
)
def test_refuses_a_units_file_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "units.json"
    path.write_text(text)
    with pytest.raises(DecodeError, match=r"units\.json"):
        read_units(path)


async def test_a_torn_end_of_the_log_is_cut_and_damage_before_it_is_not_hidden(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "log")
    await spool.append([b"one", b"two"])
    spool.close()
    whole = (tmp_path / "log").read_bytes()
    for torn in (whole + b"\0\0\0\5", whole + b"\0" * 40, whole + b"\0\0\0\3\1\2\3\4abc"):
        (tmp_path / "log").write_bytes(torn)
        spool = Spool(tmp_path / "log")
        assert spool.records == [b"one", b"two"]
        spool.close()
        assert (tmp_path / "log").read_bytes() == whole
    (tmp_path / "log").write_bytes(whole.replace(b"one", b"one"[::-1]))
    with pytest.raises(StoreError, match="damaged at byte 0"):
        Spool(tmp_path / "log")


@pytest.mark.parametrize("byte", range(8 + len(b"one")))
def test_a_log_damaged_before_its_end_is_refused_whichever_byte_it_is(tmp_path: Path, byte: int) -> None:
    """A length that points behind the end looks like a torn record: the sound ones behind it must not be cut off."""
    whole = b"".join(map(_framed, (b"one", b"two", b"three")))
    for bit in range(8):
        data = bytearray(whole)
        data[byte] ^= 1 << bit
        with pytest.raises(StoreMismatch, match="damaged at byte 0"):
            read_records(bytes(data), tmp_path)


def test_a_damaged_log_is_left_as_it_is(tmp_path: Path) -> None:
    damaged = b"\x7f" + b"".join(map(_framed, (b"one", b"two")))[1:]
    (tmp_path / "log").write_bytes(damaged)
    with pytest.raises(StoreMismatch, match="Put back a copy"):
        Spool(tmp_path / "log")
    assert (tmp_path / "log").read_bytes() == damaged


async def test_a_gateway_hands_in_again_what_its_log_holds_where_a_validator_lost_its_readings(site: Site) -> None:
    async with site.running():
        await site.post(at(0), at(1), at(0, day=DAY + 1))
        await site.settled()
    before = site.held() + site.held(DAY + 1)
    site.intake = site.api.intake = site.plant.intake()
    async with site.running():
        await site.post(at(1, day=DAY + 1))
        await asyncio.sleep(0.1)
        assert site.gateway.status()["units"][0]["trouble"]["code"] == "out_of_order"
    assert not site.held()
    async with site.running(resend=True):
        await site.settled()
    assert site.held() + site.held(DAY + 1)[:1] == before
    assert len(site.held(DAY + 1)) == 2
    assert site.intake.store.close_of(site.plant.device, DAY) is not None


async def test_appends_that_come_together_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "log")
    writes: list[bytes] = []
    real = spool._write
    monkeypatch.setattr(spool, "_write", lambda data: (writes.append(data), real(data)))
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    await asyncio.gather(*(spool.append([b"%d" % number]) for number in range(100)))
    assert len(writes) == len(synced) < 5
    spool.close()
    assert Spool(tmp_path / "log").records == [b"%d" % number for number in range(100)]


def _log(site: Site) -> Path:
    return next(site.folder.glob("*.log"))


async def _until(condition: Any) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def test_refuses_two_units_that_are_one_device(tmp_path: Path) -> None:
    file = tmp_path / "units.json"
    file.write_text('{"gateway": 1, "units": {"3": {"device": 7}, "4": {"device": 7}}}')
    with pytest.raises(DecodeError, match="units 3 and 4 both are device 7"):
        read_units(file)


def test_a_unit_that_never_gave_power_has_no_register() -> None:
    unit = Unit("6", UnitSetting(6, 3_600), 0)
    weather = Reading(DAY * DAY_S, insolation_mwh_m2=400_000)
    texts = []
    for hour in range(3):
        power = 5_000 if hour == 2 else None  # then it is no climate source
        for record in unit.take(replace(weather, timestamp=weather.timestamp + hour * 3_600, power_w=power)):
            unit.apply(record)
            texts += [parse_signed(record.text.encode())] if isinstance(record, Signed) else []
    assert [each.register_wh for each in texts] == [None, None, 5_000]
