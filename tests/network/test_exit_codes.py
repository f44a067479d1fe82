"""A node that cannot go on ends with a code for its supervisor and a sentence for its operator."""

import json
import socket
from pathlib import Path

import pytest
from harness.net import keys_of, make_homes, running

from consensus.effects import Halt
from node.app import Node, load_keys
from node.config import ConfigError, load_config, parse_address
from node.failures import KeystoreError
from node.running import exit_code, run_node
from node.voting import export_votes
from state.errors import (
    DiskFailed,
    ExecutionDiffers,
    GenesisInvalid,
    StoreError,
    StoreMismatch,
    VotesElsewhere,
    VoteStateLost,
)


def ended(home: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and last words of a node that must end by itself."""
    config = load_config(home, environment={})
    code = run_node(config, keys_of(0))
    return code, capsys.readouterr().err


async def used(home: Path) -> None:
    async with running([home]) as nodes:
        await nodes[0].height(2)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_homes(tmp_path, 1)[0]


@pytest.fixture
async def used_home(home: Path) -> Path:
    await used(home)
    return home


def test_ends_with_2_where_the_port_is_taken(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(parse_address(load_config(home, environment={}).text("node.p2p_listen")))
        taken.listen()
        code, said = ended(home, capsys)
    assert code == 2
    assert "is another node running there" in said
    assert "WATTEST_P2P_LISTEN" in said


def test_ends_with_2_where_the_genesis_is_missing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "genesis.json").unlink()
    code, said = ended(home, capsys)
    assert code == 2
    assert "testnet init" in said


def test_ends_with_2_on_a_genesis_with_a_key_twice(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (home / "genesis.json").read_text()
    (home / "genesis.json").write_text('{"format": 1, ' + text[1:])
    code, said = ended(home, capsys)
    assert code == 2
    assert "genesis.json" in said
    assert "twice" in said


def test_ends_with_2_on_the_reference_genesis(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    genesis = json.loads((home / "genesis.json").read_text())
    (home / "genesis.json").write_text(json.dumps({**genesis, "validators": []}))
    code, said = ended(home, capsys)
    assert code == 2
    assert "network needs its own" in said


def test_has_no_keys_without_the_node_key(home: Path) -> None:
    (home / "keys" / "node.json").unlink()
    with pytest.raises(KeystoreError, match="wattest init") as refused:
        load_keys(load_config(home, environment={}))
    assert exit_code(refused.value) == 4


def test_keys_of_a_home_are_read_back(home: Path) -> None:
    assert load_keys(load_config(home, environment={})) == keys_of(0)


async def test_ends_with_71_where_the_state_is_damaged(used_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (used_home / "data" / "state").glob("*.log"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
    code, said = ended(used_home, capsys)
    assert code == 71
    assert "state is damaged" in said
    assert "do:    mv " in said


async def test_ends_with_71_where_the_votes_were_exported(used_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_votes(load_config(used_home, environment={}), used_home / "votes.json")
    code, said = ended(used_home, capsys)
    assert code == 71
    assert "import them where the validator lives now" in said


@pytest.mark.parametrize("code", [73, 74])
def test_ends_with_the_code_of_a_halt_and_leaves_a_dump(
    home: Path, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    config = load_config(home, environment={})

    def halting(node: Node) -> list[object]:
        node.engine.step = lambda given: [Halt(0, 1, code, "two quorums of view 1")]  # type: ignore[method-assign]
        return []

    assert run_node(config, keys_of(0), halting) == code  # type: ignore[arg-type]
    assert "two quorums of view 1" in capsys.readouterr().err
    (dump,) = (home / "data").glob(f"dump-*-{code}.json")
    content = json.loads(dump.read_text())
    assert (content["code"], content["height"], content["validator"]) == (code, 0, 0)


def test_each_failure_has_its_code() -> None:
    codes = {
        DiskFailed(why=""): 70,
        StoreError(why=""): 70,
        StoreMismatch(why=""): 71,
        VoteStateLost(why=""): 71,
        VotesElsewhere(why=""): 71,
        ExecutionDiffers(height=1, block="", why=""): 72,
        ConfigError(why=""): 2,
        GenesisInvalid(why=""): 2,
        KeystoreError(why=""): 4,
    }
    assert {error: exit_code(error) for error in codes} == codes
