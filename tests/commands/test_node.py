"""`wattest node start`: which keys a home needs."""

from pathlib import Path

import pytest


def test_a_home_without_a_vote_key_starts_as_an_observer(  # type: ignore[no-untyped-def]
    wattest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wattest("testnet", "init", tmp_path / "net", "-v", 1)
    home = tmp_path / "net" / "node0"
    (home / "keys" / "vote.json").unlink()
    started: list[tuple[Path, dict[str, str | None]]] = []
    monkeypatch.setattr("node.start.run", lambda home, passphrase, flags: started.append((home, flags)) or 0)
    with pytest.raises(SystemExit) as ended:  # with the node's own exit code
        wattest("--home", home, "node", "start", "--sync", "snapshot")
    assert ended.value.code == 0
    assert started == [(home, {"node.sync": "snapshot", "node.catch_up": None})]


def test_refuses_a_way_to_begin_that_there_is_not(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    wattest("testnet", "init", tmp_path / "net", "-v", 1)
    assert wattest("--home", tmp_path / "net" / "node0", "node", "start", "--sync", "magic").code == 2


def test_refuses_a_home_without_a_genesis(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    wattest("--home", tmp_path / "wallet", "init")
    ran = wattest("--home", tmp_path / "wallet", "node", "start")
    assert ran.code == 2
    assert "wattest init" in ran.err
