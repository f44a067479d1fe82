"""Where settings come from, and how they are changed."""

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text('[client]\n# mine\nnode = "http://file:1"\nkey = "me"\n')
    return tmp_path


def origins(ran) -> dict[str, tuple[object, str]]:  # type: ignore[no-untyped-def]
    return {name: (item["value"], item["origin"]) for name, item in ran.json["settings"].items()}


def test_flag_wins_over_variable_over_file_over_default(wattest, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    line = ("--home", home, "config", "show", "--origin", "--json")
    assert origins(wattest(*line))["node"] == ("http://file:1", str(home / "config.toml"))
    monkeypatch.setenv("WATTEST_NODE", "http://variable:1")
    assert origins(wattest(*line))["node"] == ("http://variable:1", "environment WATTEST_NODE")
    assert origins(wattest(*line, "--node", "http://flag:1"))["node"] == ("http://flag:1", "flag --node")
    assert origins(wattest(*line))["keyring"] == ("file", "default")


def test_flags_of_commands_have_their_variable_too(wattest, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("WATTEST_KEYS_ADD_KEYRING", "test")
    assert wattest("--home", home, "keys", "add", "x").code == 0


def test_set_changes_one_line_and_keeps_the_others(wattest, home: Path) -> None:  # type: ignore[no-untyped-def]
    assert wattest("--home", home, "config", "set", "client.node", "http://new:2").code == 0
    assert wattest("--home", home, "config", "set", "node.peers", "0@10.0.0.7:1,1@10.0.0.8:1").code == 0
    assert wattest("--home", home, "config", "set", "node.verify_threads", "2").code == 0
    assert (home / "config.toml").read_text() == (
        '[client]\n# mine\nnode = "http://new:2"\nkey = "me"\n\n'
        '[node]\npeers = ["0@10.0.0.7:1", "1@10.0.0.8:1"]\nverify_threads = 2\n'
    )
    shown = origins(wattest("--home", home, "config", "show", "--json"))
    assert shown["node.verify_threads"] == (2, "file")


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("client.nod", "x", "client.node"),
        ("node.api_listen", "nowhere", "HOST:PORT"),
        ("node.verify_threads", "many", "many"),
        ("node.profile", "fast", "bench"),
    ],
)
def test_refuses_settings_that_would_not_work(wattest, home: Path, name: str, value: str, hint: str) -> None:  # type: ignore[no-untyped-def]
    before = (home / "config.toml").read_text()
    ran = wattest("--home", home, "config", "set", name, value)
    assert ran.code == 2
    assert hint in ran.err
    assert (home / "config.toml").read_text() == before


@pytest.mark.parametrize("text", ["[client", "[client]\nnode = 5\n", "\xff"])
def test_refuses_configuration_that_is_none(wattest, home: Path, text: str) -> None:  # type: ignore[no-untyped-def]
    (home / "config.toml").write_bytes(text.encode("latin-1"))
    ran = wattest("--home", home, "keys", "list")
    assert ran.code == 2
    assert "config.toml" in ran.err


def test_refuses_chain_id_that_is_none(wattest) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("keys", "add", "x", "--keyring", "test", "--chain-id", "12")
    assert ran.code == 2
    assert "64 hexadecimal digits" in ran.err


@pytest.mark.parametrize(
    "line",
    ["status", "certificate list --from owner", "participant list", "auction list", "proposal list", "validator list"],
)
def test_refuses_to_read_from_a_node_of_another_network(act, line: str) -> None:  # type: ignore[no-untyped-def]
    assert act(*line.split()).code == 0
    ran = act("--chain-id", "11" * 32, *line.split())
    assert (ran.code, ran.out) == (1, "")
    assert "wrong_network" in ran.err
    assert "11" * 32 in ran.err
