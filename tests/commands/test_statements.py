"""A retirement proven without any node."""

from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode
from harness.world import genesis_json


@pytest.fixture
def proof(act, node: AnsweringNode, tmp_path: Path) -> tuple[Path, Path]:  # type: ignore[no-untyped-def]
    """The exported proof file of a retirement, and the genesis of its network."""
    retired = act("retire", "--quantity", 2, "--from", "owner", "--beneficiary", "Bakery Dupont", "--json").json
    file, genesis = tmp_path / "statement.proof", tmp_path / "genesis.json"
    assert act("statement", "export", retired["events"][0]["statement"], "--out", file).code == 0
    genesis.write_bytes(node.chain.genesis_text)
    return file, genesis


def test_proof_verifies_with_the_genesis_that_is_trusted(wattest, proof) -> None:  # type: ignore[no-untyped-def]
    file, genesis = proof
    ran = wattest("statement", "verify", file, "--genesis", genesis, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["verified"] is True
    assert "Bakery Dupont" in wattest("statement", "verify", file, "--genesis", genesis).out


def test_without_a_genesis_the_reader_is_told_to_compare(wattest, proof) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("statement", "verify", proof[0])
    assert ran.code == 0
    assert "compare the chain id" in ran.err


def test_genesis_of_the_home_is_trusted(wattest, proof) -> None:  # type: ignore[no-untyped-def]
    file, genesis = proof
    assert wattest("--home", genesis.parent, "statement", "verify", file).err == ""


def test_refuses_proof_of_another_network(wattest, proof, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    other = tmp_path / "other.json"
    other.write_bytes(genesis_json(idle_interval_ms=9_000))
    ran = wattest("statement", "verify", proof[0], "--genesis", other)
    assert ran.code == 6


def test_refuses_every_touched_byte(wattest, proof) -> None:  # type: ignore[no-untyped-def]
    file, genesis = proof
    data = file.read_bytes()
    for position in range(0, len(data), max(1, len(data) // 40)):
        file.write_bytes(data[:position] + bytes((data[position] ^ 1,)) + data[position + 1 :])
        assert wattest("statement", "verify", file, "--genesis", genesis).code == 6, position
