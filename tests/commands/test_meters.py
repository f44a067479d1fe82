"""`wattest meter`: credentials of readings, and a meter that signs and sends from the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.answering_node import AnsweringNode, wallet_of
from harness.broker import RunningBroker
from harness.finalized import FinalizedWorld
from harness.metering import DAY, NOW_S
from harness.mqtt import listening
from harness.world import FAR, WIND, key_of

from node.keystore import generate_key, save_key
from state.transaction import MeterContent, Vote
from state.units import DAY_S

HEAD = "timestamp,id,pwr_avg,wind_spd,t,insolation\n"


class Bench:
    """A node that takes readings of one turbine, and a home with its meter's key."""

    def __init__(self, folder: Path, wattest: Any) -> None:
        self.world = FinalizedWorld()
        self.world.register("owner")
        self.device = self.world.device("owner", 1, WIND, profile=False)
        self.world.accredit(MeterContent(self.device, key_of("reader"), 0, FAR), by="owner")
        self.node = AnsweringNode(self.world).start()
        self.intake = self.node.take_in(NOW_S)
        self.home = wallet_of(folder / "home", self.world, "owner")
        key = generate_key("device", self.world.chain.hex(), self.world.seed("reader"))
        save_key(self.home / "keys", "reader", key, None, "test")
        chain = f'chain_id = "{self.world.chain.hex()}"'
        (self.home / "config.toml").write_text(f'[client]\nnode = "{self.node.url}"\n{chain}\nkeyring = "test"\n')
        self._wattest = wattest

    def __call__(self, *arguments: object, code: int = 0) -> Any:
        ran = self._wattest("--home", self.home, "--yes", "--json", "meter", *arguments)
        assert ran.code == code, ran.err
        return ran.json if code == 0 else json.loads(ran.err.splitlines()[-1])

    def held(self) -> int:
        return self.intake.store.head(self.device).last_seq


@pytest.fixture
def bench(tmp_path: Path, wattest: Any) -> Iterator[Bench]:
    made = Bench(tmp_path, wattest)
    yield made
    made.node.stop()


def record(folder: Path, first: int, count: int, name: str = "unit.csv") -> Path:
    path = folder / name
    rows = [f"{DAY * DAY_S + 600 * step},3,{100 + step}.5,7.1,4.5,\n" for step in range(first, first + count)]
    path.write_text(HEAD + "".join(rows))
    return path


def test_a_record_is_signed_sent_and_known_the_second_time(bench: Bench, tmp_path: Path) -> None:
    file = record(tmp_path, 0, 30)
    sent = bench("send", file, "--device", bench.device, "--batch", 8)
    assert (sent["accepted"], sent["duplicates"], sent["late"], sent["sent_seq"]) == (30, 0, 0, 30)
    assert bench.held() == 30
    again = bench("send", file, "--device", bench.device)
    assert (again["accepted"], again["duplicates"]) == (0, 30)
    more = bench("send", record(tmp_path, 20, 20, "more.csv"), "--device", bench.device, "--close-last")
    assert (more["accepted"], more["duplicates"], bench.held()) == (10, 10, 40)
    assert bench.intake.store.head(bench.device).held_days == 1
    late = bench("send", file, "--device", bench.device)
    assert (late["accepted"], late["late"]) == (0, 30)


def test_status_tells_sequence_hash_backlog_and_what_the_node_has(bench: Bench, tmp_path: Path) -> None:
    empty = bench("status", bench.device)
    assert (empty["seq"], empty["waiting"], empty["node"]["last_seq"]) == (0, 0, "0")
    bench("send", record(tmp_path, 0, 5), "--device", bench.device)
    status = bench("status", bench.device)
    assert (status["seq"], status["sent_seq"], status["waiting"]) == (5, 5, 0)
    assert status["hash"] == status["node"]["hash"] != "00" * 32


def test_one_reading_as_json_is_enough(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"timestamp": DAY * DAY_S, "id": 3, "pwr_avg": 1.5}))
    assert bench("send", file, "--device", bench.device)["sent_seq"] == 1


def test_a_dry_run_shows_the_messages_and_keeps_nothing(bench: Bench, tmp_path: Path) -> None:
    told = bench("send", record(tmp_path, 0, 10), "--device", bench.device, "--batch", 4, "--close-last", "--dry-run")
    assert [message["topic"] for message in told["messages"]] == ["readings", "readings", "readings", "days"]
    assert [message.get("readings") for message in told["messages"]] == [4, 4, 2, None]
    assert bench.held() == 0
    assert not (bench.home / "meters").exists()


def test_a_rate_is_kept(bench: Bench, tmp_path: Path) -> None:
    import time

    began = time.monotonic()
    bench("send", record(tmp_path, 0, 10), "--device", bench.device, "--rate", 25)
    assert time.monotonic() - began > 0.35


def test_list_and_show_tell_who_signs_and_until_when(bench: Bench) -> None:
    (listed,) = bench("list")["meters"]
    assert (listed["device"], listed["signs"], listed["key"], listed["term"]) == (
        bench.device,
        "its meter",
        key_of("reader").hex(),
        "valid",
    )
    assert bench("show", bench.device)["head"]["last_seq"] == "0"


def test_a_rotated_key_signs_and_the_old_one_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench("rotate", bench.device, "--key", "reader", "--new", "reader-2", "--from", "owner")
    assert len(bench("show", bench.device)["changes"]) == 1
    file = record(tmp_path, 0, 3)
    refusal = bench("send", file, "--device", bench.device, "--key", "reader", code=1)
    assert refusal["code"] == "wrong_credential"
    assert bench("status", bench.device)["waiting"] == 3
    assert bench("send", file, "--device", bench.device, "--key", "reader-2")["sent_seq"] == 3


def test_a_term_that_ended_is_shown_and_refused(bench: Bench, tmp_path: Path) -> None:
    bench("renew", bench.device, "--until", bench.world.time_ms // 1_000 + 100, "--from", "owner")
    world, number = bench.world, bench.world.count("proposal")
    names = {number: name for name, number in world.people.items()}
    for validator in world.validators[:3]:
        world.do(Vote(number, validator.index, True, ""), by=(names[validator.participant],))
    world.block(seconds=200)
    assert bench("list")["meters"][0]["term"] == "over"
    refusal = bench("send", record(tmp_path, 0, 1), "--device", bench.device, code=1)
    assert refusal["code"] == "credential_over"


def test_refuses_a_record_of_several_plants(bench: Bench, tmp_path: Path) -> None:
    file = record(tmp_path, 0, 2)
    file.write_text(file.read_text() + f"{DAY * DAY_S + 6_000},4,1.5,,,\n")
    assert "several plants, 3, 4" in bench("send", file, "--device", bench.device, code=2)["message"]


@pytest.mark.parametrize("text", ["", "timestamp,id\n1,2\n", HEAD, HEAD + "x,3,1,,,\n", HEAD + "1,3,nan,,,\n"])
def test_refuses_a_record_that_is_none(bench: Bench, tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text)
    assert bench("send", file, "--device", bench.device, code=2)["code"] == "record_unusable"


def test_without_a_node_the_backlog_stays_and_goes_out_later(bench: Bench, tmp_path: Path) -> None:
    away = ("--node", "http://127.0.0.1:9", "--timeout", 0)
    failure = bench("send", record(tmp_path, 0, 4), "--device", bench.device, *away, code=3)
    assert "4 readings wait in this home" in failure["message"]
    assert bench("status", bench.device)["waiting"] == 4
    assert bench("send", record(tmp_path, 4, 1), "--device", bench.device)["sent_seq"] == 5


def test_a_meter_sends_over_a_broker(bench: Bench, tmp_path: Path) -> None:
    with RunningBroker(tmp_path / "broker") as broker, listening(bench.intake, broker.url):
        sent = bench("send", record(tmp_path, 0, 12), "--device", bench.device, "--node", broker.url, "--close-last")
    assert sent["sent_seq"] == bench.held() == 12
    assert bench.intake.store.head(bench.device).held_days == 1


def test_refuses_a_broker_address_that_is_none(bench: Bench, tmp_path: Path) -> None:
    refusal = bench("send", record(tmp_path, 0, 1), "--device", bench.device, "--node", "mqtt://a/+", code=2)
    assert "cannot begin a topic" in refusal["message"]
