"""`wattest keys`: no secret is an argument, one passphrase a command."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Pipe(io.TextIOWrapper):
    """Standard input that is no terminal."""

    def __init__(self, text: str) -> None:
        super().__init__(io.BytesIO(text.encode()))


def test_add_list_show(wattest, private) -> None:  # type: ignore[no-untyped-def]
    made = wattest("keys", "add", "trader", "--passphrase-file", private("pw"), "--json").json
    assert made["purpose"] == "wallet"
    assert wattest("keys", "list", "--json").json["keys"] == [
        {
            "name": "trader",
            "purpose": "wallet",
            "keyring": "file",
            "public_key": made["public_key"],
            "chain_id": "",
        }
    ]
    assert made["public_key"] in wattest("keys", "show", "trader").out


def test_passphrase_from_a_descriptor(wattest, private) -> None:  # type: ignore[no-untyped-def]
    with private("pw").open() as file:
        assert wattest("keys", "add", "trader", "--passphrase-fd", file.fileno()).code == 0
    assert wattest("keys", "export", "trader", "--json").json["schema"] == "key_file/1"


def test_export_and_import_keep_the_key_sealed(wattest, private, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    secret = private("pw")
    public = wattest("keys", "add", "trader", "--passphrase-file", secret, "--json").json["public_key"]
    exported = tmp_path / "exported"
    exported.write_text(wattest("keys", "export", "trader").out)
    assert "argon2id" in exported.read_text()
    line = ("--home", tmp_path / "other", "keys", "import", "mine", "--file", exported, "--passphrase-file", secret)
    assert wattest(*line, "--json").json["public_key"] == public


def test_seed_comes_in_by_stdin_only(wattest, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("sys.stdin", Pipe("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n"))
    made = wattest("keys", "import", "vector", "--seed-stdin", "--keyring", "test", "--json").json
    assert made["public_key"] == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"  # RFC 8032 test 1


def test_passwd_changes_the_passphrase(wattest, private, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    old, new = private("old"), private("new")
    wattest("keys", "add", "trader", "--passphrase-file", old)
    monkeypatch.setattr("sys.stdin", Pipe("new\n"))
    assert wattest("keys", "passwd", "trader", "--passphrase-file", old).code == 0
    monkeypatch.setattr("sys.stdin", Pipe("again\n"))
    assert wattest("keys", "passwd", "trader", "--passphrase-file", new).code == 0


def test_variable_serves_the_test_keyring_only(wattest, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("WATTEST_PASSPHRASE", "pw")
    monkeypatch.setattr("cli.session._terminal", lambda: False)
    ran = wattest("keys", "add", "trader")
    assert ran.code == 4
    assert "test keyring only" in ran.err


def test_refuses_passphrase_file_that_others_can_read(wattest, private) -> None:  # type: ignore[no-untyped-def]
    secret = private("pw")
    secret.chmod(0o644)
    ran = wattest("keys", "add", "trader", "--passphrase-file", secret)
    assert ran.code == 4
    assert "0600" in ran.err


def test_refuses_to_overwrite_before_asking_for_anything(wattest) -> None:  # type: ignore[no-untyped-def]
    assert wattest("keys", "add", "x", "--keyring", "test").code == 0
    ran = wattest("keys", "add", "x")
    assert ran.code == 4
    assert "never overwritten" in ran.err


def test_refuses_unknown_key_and_names_the_nearest(wattest) -> None:  # type: ignore[no-untyped-def]
    wattest("keys", "add", "trader", "--keyring", "test")
    ran = wattest("keys", "show", "tradr")
    assert ran.code == 4
    assert "did you mean 'trader'" in ran.err


def test_refuses_when_nobody_can_be_asked(tmp_path: Path) -> None:
    """A real process without a terminal ends with code 4 instead of waiting."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "--home", str(tmp_path), "--json", "keys", "add", "trader"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "nobody can be asked" in json.loads(done.stderr)["message"]


def test_init_makes_a_home_and_a_validators_entry(wattest, tmp_path: Path, private) -> None:  # type: ignore[no-untyped-def]
    home = tmp_path / "home"
    line = ("--home", home, "init", "--validator", "Grid Operator", "--address", "10.0.0.7:27656", "--country", "DK")
    made = wattest(*line, "--keyring", "test", "--json").json
    entry = made["validator"]
    assert entry["name"] == "Grid Operator"
    assert {name for name in entry if name.endswith("_key")} == {
        "vote_key",
        "node_key",
        "escrow_key",
        "governance_key",
    }
    assert sorted(path.stem for path in (home / "keys").iterdir()) == ["escrow", "governance", "node", "vote"]
    assert wattest(*line).code == 2


def test_init_takes_a_genesis_and_binds_the_wallet_to_its_network(wattest, node, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    genesis = tmp_path / "genesis.json"
    genesis.write_bytes(node.chain.genesis_text)
    home = tmp_path / "home"
    assert wattest("--home", home, "init", "--genesis", genesis).code == 0
    settings = wattest("--home", home, "config", "show", "--json").json["settings"]
    assert settings["chain_id"]["value"] == node.chain.chain.hex()


def test_init_refuses_the_reference_genesis(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("--home", tmp_path / "home", "init", "--genesis", ROOT / "genesis.json")
    assert ran.code == 2 or ran.code == 1
    assert "reference genesis" in ran.err
    assert not (tmp_path / "home").exists()
