"""Readings from the command line: a record becomes posts of a plant, or a signed chain of a meter."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cli.readings import send_signed, sign_rows
from node.intake import CLOSE_TAG, READINGS_TAG
from node.keystore import PrivateKey, generate_key
from node.recordfile import read_rows, seed_json
from state.crypto import signed_bytes, verify
from state.errors import RecordUnusable
from verifier.reading import NO_PREVIOUS, parse_seed, parse_signed, reading_hash, readings_root

CHAIN = bytes(range(32))
HEAD = "timestamp,id,pwr_avg,wind_spd,t,insolation\n"
DAY = 1_467_331_200  # 2016-07-01
ROWS = "".join(f"{DAY + 900 * step},1,{step}.125,,14.5,0.{step:02}\n" for step in range(0, 192, 16))


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "unit1.csv.gz"
    path.write_bytes(gzip.compress((HEAD + ROWS).encode()))
    return path


class Node:
    """Keeps what a node would be sent; everything is taken."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, bytes, bytes]] = []

    def post_readings(self, readings: list[str], signature: bytes, public: bytes) -> dict[str, int]:
        self.calls.append(("readings", list(readings), signature, public))
        return {"accepted": len(readings), "duplicates": 0}

    def post_day(self, close: list[Any], signature: bytes, public: bytes) -> dict[str, int]:
        self.calls.append(("day", close, signature, public))
        return {"accepted": 1, "duplicates": 0}


@pytest.fixture
def key() -> PrivateKey:
    return generate_key("device")


def sent(record: Path, key: PrivateKey) -> tuple[Node, dict[str, int]]:
    node = Node()
    records = sign_rows(7, read_rows(record), 0, 900)
    return node, send_signed(node, CHAIN, key, 7, records)  # type: ignore[arg-type]


def test_refuses_a_record_whose_packing_is_damaged(record: Path) -> None:
    data = bytearray(record.read_bytes())
    data[14:24] = bytes(10)
    record.write_bytes(data)
    with pytest.raises(RecordUnusable, match="is no record of readings"):
        list(read_rows(record))


def test_refuses_a_record_that_unpacks_to_more_than_is_read(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.recordfile.MOST_BYTES", 100)
    with pytest.raises(RecordUnusable, match="it holds more than"):
        list(read_rows(record))


def test_numbers_of_a_record_are_posted_as_they_stand(record: Path) -> None:
    first = next(read_rows(record))
    assert seed_json(first) == f'{{"timestamp":{DAY},"id":"1","pwr_avg":0.125,"t":14.5,"insolation":0.00}}'
    reading = parse_seed(seed_json(first).encode()).reading
    assert (reading.power_w, reading.wind_mm_s, reading.temperature_centi_c) == (125, None, 1450)


def test_signed_chain_has_no_gap_and_each_day_its_close(record: Path, key: PrivateKey) -> None:
    node, counts = sent(record, key)
    assert counts == {"accepted": 12, "duplicates": 0, "days": 2}
    assert [kind for kind, *_ in node.calls] == ["readings", "day", "readings", "day"]
    previous, seq = NO_PREVIOUS, 0
    for kind, content, signature, public in node.calls:
        if kind == "readings":
            assert verify(public, signed_bytes(READINGS_TAG, CHAIN, tuple(content)), signature)
            for text in content:
                signed = parse_signed(text.encode())
                assert (signed.device, signed.seq, signed.prev, signed.origin) == (7, seq + 1, previous, 0)
                previous, seq = reading_hash(text.encode()), signed.seq
            texts = content
        else:
            device, day, last_seq, count, head, root = content
            assert (device, last_seq, count) == (7, seq, 6)
            assert day == parse_signed(texts[0].encode()).reading.timestamp // 86_400
            assert (head, root) == (previous.hex(), readings_root(text.encode() for text in texts).hex())
            close = (device, day, last_seq, count, bytes.fromhex(head), bytes.fromhex(root))
            assert verify(public, signed_bytes(CLOSE_TAG, CHAIN, close), signature)


def test_the_same_record_makes_the_same_texts(record: Path, key: PrivateKey) -> None:
    assert [call[1] for call in sent(record, key)[0].calls] == [call[1] for call in sent(record, key)[0].calls]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "timestamp,id\n1,2\n",
        HEAD + "1,1,NaN,,,\n",
        HEAD + "1,1,1e3,,,\n",
        HEAD + ",1,1,,,\n",
        HEAD + "1,1,1,,,,9\n",
        HEAD + "1.5,1,1,,\n",
    ],
)
def test_refuses_records_that_are_not_in_the_form(wattest, tmp_path: Path, text: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "bad.csv"
    path.write_text(text)
    ran = wattest("reading", "replay", path, "--gateway", "http://127.0.0.1:1")
    assert ran.code == 2
    assert "bad.csv" in ran.err


def test_refuses_to_replay_nowhere_or_everywhere(wattest, record: Path) -> None:  # type: ignore[no-untyped-def]
    assert wattest("reading", "replay", record).code == 2
    assert wattest("reading", "replay", record, "--gateway", "http://x", "--device", 1).code == 2


def test_refuses_when_the_gateway_is_gone(wattest) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("reading", "post", json.dumps({"timestamp": 1, "id": "1"}), "--gateway", "http://127.0.0.1:1")
    assert ran.code == 3
