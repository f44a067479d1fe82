"""`wattest chain export` and `wattest audit`: from a node, from a file, and from the home of a stopped node."""

from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode
from harness.chain import genesis_and_chain

from node.config import render_config
from node.ledger import Ledger
from node.signatures import SignatureCache
from state.keyspace import Space, space_end
from state.store import open_store


@pytest.fixture
def traded(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    """Certificates were issued in two months, handed on and retired."""
    node.chain.issue(1, 2_900_000, day=16_163)
    node.chain.issue(1, 1_900_000, day=16_195, month=201_405)
    assert act("transfer", "--quantity", 2, "--to", "trader", "--from", "owner").code == 0
    assert act("retire", "--quantity", 1, "--from", "trader").code == 0


@pytest.fixture
def chain(act, traded: None, governance: str, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    file = tmp_path / "town.chain"
    ran = act("chain", "export", file, "--as", governance, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["bytes"] == file.stat().st_size
    return file


@pytest.fixture
def home(node: AnsweringNode, traded: None, tmp_path: Path) -> Path:
    """A stopped node that executed the same blocks."""
    home = tmp_path / "node"
    (home / "data").mkdir(parents=True)
    (home / "genesis.json").write_bytes(node.chain.genesis_text)
    (home / "config.toml").write_text(render_config({}))
    ledger = Ledger.open(open_store(home / "data" / "state"), *genesis_and_chain(node.chain.genesis_text))
    ledger.verifier.cache = SignatureCache()
    for height in range(1, node.chain.height + 1):
        block = node.chain.ledger.block_at(height)
        assert block is not None
        ledger.commit(block, node.chain.ledger.finalization_at(height) or b"", height)
    ledger.close()
    return home


def test_chain_of_a_running_node_adds_up(act, traded: None, governance: str) -> None:  # type: ignore[no-untyped-def]
    ran = act("audit", "--as", governance)
    assert ran.code == 0, ran.err
    assert "everything adds up" in ran.out
    value = act("audit", "--as", governance, "--json").json
    assert value["findings"] == []
    (plant,) = value["devices"]
    assert (plant["certificates"], plant["live"], plant["released"], plant["carried"]) == (8, 7, "8200000", "200000")
    assert [scheme for scheme in value["schemes"] if scheme["issued"]] == [
        {"scheme": 1, "name": "WIND-MWH", "issued": 8, "live": 7, "retired": 1, "expired": 0, "withdrawn": 0}
    ]
    assert value["money"] == [{"currency": "EUR", "paid in": 10**9, "paid out": 0, "held": 10**9}]


def test_file_is_audited_without_any_node(wattest, chain: Path) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("--node", "http://127.0.0.1:9", "audit", chain)
    assert ran.code == 0, ran.err
    assert "everything adds up" in ran.out


def test_finding_is_named_and_exit_6(wattest, chain: Path) -> None:  # type: ignore[no-untyped-def]
    data = bytearray(chain.read_bytes())
    data[len(data) * 2 // 3] ^= 1
    chain.write_bytes(data)
    ran = wattest("audit", chain, "--json")
    assert ran.code == 6
    assert ran.json["found"] >= 1
    assert "verification_failed" in ran.err


def test_cut_file_is_a_finding(wattest, chain: Path) -> None:  # type: ignore[no-untyped-def]
    chain.write_bytes(chain.read_bytes()[:-100])
    ran = wattest("audit", chain)
    assert ran.code == 6
    assert "[file_damaged]" in ran.out


def test_refuses_what_is_no_chain(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "other").write_bytes(b"PK\x03\x04")
    assert "[chain_file]" in wattest("audit", tmp_path / "other").err
    assert wattest("audit", tmp_path / "missing").code == 2
    assert wattest("audit", tmp_path / "other", "--data", tmp_path).code == 2
    assert wattest("audit", "--data", tmp_path).code == 2


# --- a stopped node


def test_data_of_a_stopped_node_is_compared_row_by_row(wattest, home: Path) -> None:  # type: ignore[no-untyped-def]
    before = snapshot(home)
    ran = wattest("audit", "--data", home, "--json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["rows_compared"] > 50
    assert snapshot(home) == before, "an audit changes no row"


def snapshot(home: Path) -> list[tuple[bytes, bytes]]:
    store = open_store(home / "data" / "state", create=False)
    rows = list(store.scan_raw(b"", b"\xff"))
    store.close()
    return rows


def test_lost_retirement_in_the_data_is_named(wattest, home: Path) -> None:  # type: ignore[no-untyped-def]
    store = open_store(home / "data" / "state", create=False)
    prefix = bytes((Space.STATEMENT,))
    (key, _), *_ = store.scan_raw(prefix, space_end(prefix))
    store.write({key: None})
    store.close()
    ran = wattest("audit", "--data", home)
    assert ran.code == 6
    assert "[retirement_lost]" in ran.out
    assert key[1:].hex() in ran.out


def test_running_node_is_left_alone(wattest, home: Path) -> None:  # type: ignore[no-untyped-def]
    store = open_store(home / "data" / "state", create=False)
    ran = wattest("audit", "--data", home)
    store.close()
    assert ran.code == 2
    assert "another process holds" in ran.err


def test_exported_data_is_the_chain_that_the_node_serves(wattest, home: Path, chain: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    again = tmp_path / "again.chain"
    assert wattest("chain", "export", again, "--data", home).code == 0
    assert again.read_bytes() == chain.read_bytes()
    store = open_store(home / "data" / "state", create=False)
    finalization = next(iter(store.scan_raw(b"\x86" + bytes(7) + b"\x05", b"\x86" + bytes(7) + b"\x06")))
    store.write({finalization[0]: finalization[1][:-1] + bytes((finalization[1][-1] ^ 1,))})
    store.close()
    ran = wattest("chain", "export", tmp_path / "forged.chain", "--data", home)
    assert ran.code == 6
    assert "finality_forged" in ran.err
    assert not list(tmp_path.glob("forged*"))


def test_a_node_gives_its_chain_to_auditors_and_authorities_only(act, traded: None) -> None:  # type: ignore[no-untyped-def]
    for options in ((), ("--as", "trader")):
        ran = act("audit", *options)
        assert ran.code == 1
        assert "[auditor_needed]" in ran.err
