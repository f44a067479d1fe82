"""A whole network on this machine: made, started, used, stopped without a trace."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from harness.processes import processes_of

from cli.cast import CAST
from cli.processes import NodeEnded, Processes
from contracts.genesis import chain_id, load_json, parse_genesis
from node.config import load_config
from node.keystore import unlock

ROOT = Path(__file__).resolve().parents[2]


def test_init_makes_homes_that_belong_together(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    made = wattest("testnet", "init", tmp_path / "net", "-v", 4, "--json").json
    data = (tmp_path / "net" / "genesis.json").read_bytes()
    genesis = parse_genesis(data)
    assert chain_id(load_json(data)).hex() == made["chain_id"]
    addresses = set()
    for index, validator in enumerate(genesis.validators):
        home = tmp_path / "net" / f"node{index}"
        assert (home / "genesis.json").read_bytes() == data
        for purpose in ("vote", "node", "escrow", "governance"):
            key = unlock(home / "keys" / f"{purpose}.json")
            assert (key.public.hex(), key.chain) == (getattr(validator, f"{purpose}_key"), made["chain_id"])
        config = load_config(home)
        assert config.text("node.p2p_listen") == validator.address
        assert config.text("node.profile") == "demo"
        addresses |= {config.text("node.p2p_listen"), config.text("node.api_listen")}
    assert len(addresses) == 8, "no port is given twice"


def test_the_cast_has_usable_keys(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    made = wattest("testnet", "init", tmp_path / "net", "-v", 1, "--json").json
    wallets = tmp_path / "net" / "wallets"
    found = wattest("--home", wallets, "keys", "list", "--json").json["keys"]
    assert {key["name"] for key in found} == {member.key for member in CAST} | {"gateway"} == set(made["cast"])
    assert {key["keyring"] for key in found} == {"test"}
    settings = wattest("--home", wallets, "config", "show", "--json").json["settings"]
    assert settings["node"]["value"] == made["nodes"][0]["api"]


def test_base_port_fixes_the_ports(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for base in range(21_000, 31_000, 500):  # below the ports that the kernel hands out; one of them is free
        ran = wattest("testnet", "init", tmp_path / "net", "-v", 2, "--base-port", base, "--json")
        if ran.code == 0:
            break
    assert [node["api"] for node in ran.json["nodes"]] == [
        f"http://127.0.0.1:{base + 1}",
        f"http://127.0.0.1:{base + 3}",
    ]


def test_refuses_a_taken_port(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = wattest("testnet", "init", tmp_path / "net", "--base-port", taken.getsockname()[1])
    assert ran.code == 2
    assert "--base-port" in ran.err
    assert not (tmp_path / "net").exists()


def test_refuses_a_directory_that_is_not_empty(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "precious").touch()
    ran = wattest("testnet", "init", tmp_path)
    assert ran.code == 2
    assert "not empty" in ran.err


def test_refuses_to_start_what_is_no_network(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert wattest("testnet", "start", tmp_path).code == 2
    assert wattest("--home", tmp_path, "node", "start").code == 2


def test_a_child_that_ends_by_itself_is_noticed(tmp_path: Path) -> None:
    with Processes() as processes:
        processes.start_command(tmp_path, ["node", "start"])  # a home without a genesis
        child = processes.running[tmp_path]
        child.wait(30)
        with pytest.raises(NodeEnded, match="code 2"):
            processes.check()


def test_no_child_is_started_while_leaving(tmp_path: Path) -> None:
    with Processes() as processes:
        pass
    with pytest.raises(SystemExit):
        processes.start_command(tmp_path, ["node", "start"])
    assert not processes.running


def test_an_interrupt_while_a_child_is_born_leaves_none_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.processes._end_with_parent", lambda: os.kill(os.getppid(), signal.SIGINT))
    with Processes() as processes:
        with pytest.raises(KeyboardInterrupt):
            processes.start_command(tmp_path, ["node", "start"])
        assert len(processes.running) == 1, "the child is known when the interrupt comes"
    assert not processes_of(tmp_path)


def test_an_interrupt_in_a_hook_of_the_fork_is_not_lost(tmp_path: Path) -> None:
    """What such a hook raises Python prints and forgets; a process of its own, as nobody can take a hook away again."""
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from cli.processes import Processes\n"
        "with Processes() as processes:\n"
        "    os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "    processes.start_command(Path(sys.argv[1]), ['node', 'start'])\n"
        "    print('went on')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "KeyboardInterrupt" in ran.stderr
    assert "ignored" not in ran.stderr
    assert "went on" not in ran.stdout
    assert not processes_of(tmp_path)


def test_a_network_goes_on_without_the_one_that_ended(tmp_path: Path) -> None:
    said: list[str] = []
    homes = [tmp_path / name for name in "ab"]
    with Processes() as processes:
        for home in homes:
            home.mkdir()
            processes.start_command(home, ["node", "start"])  # homes without a genesis: both end with 2
        for child in list(processes.running.values()):
            child.wait(30)
        with pytest.raises(NodeEnded, match="b"):
            processes.watch(said.append)
    assert f"--home {homes[0]} node start" in said[1]


def test_one_validator_runs_and_leaves_nothing_behind(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The whole road: init, start, enrolled cast, a deposit, Ctrl-C."""
    net = tmp_path / "net"
    assert wattest("testnet", "init", net, "-v", 1).code == 0
    parent = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "testnet", "start", str(net), "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert parent.stdout is not None
        running = json.loads(parent.stdout.readline())
        assert running["schema"] == "testnet_running/1"
        children = subprocess.run(["pgrep", "-P", str(parent.pid)], capture_output=True, text=True).stdout.split()
        assert len(children) == 1
        line = ("--home", net / "wallets", "deposit", "10", "--to", "trader", "--reference", "r1", "--from", "payment")
        assert wattest(*line, "-y").code == 0
        shown = wattest("--home", net / "wallets", "participant", "show", "trader", "--json").json
        assert [output["amount"] for output in shown["outputs"]] == ["10000000"]
        refused = wattest("--home", net / "wallets", *line[2:], "-y")
        assert refused.code == 1, "the reference is used"
    finally:
        parent.send_signal(signal.SIGINT)
        _, err = parent.communicate(timeout=30)
    assert parent.returncode == 0, err
    assert "the data stays" in err
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    address = running["nodes"][0]["api"].removeprefix("http://").split(":")
    with socket.socket() as probe:
        assert probe.connect_ex((address[0], int(address[1]))) != 0, "no port is left behind"


def test_a_closed_terminal_leaves_nothing_behind(tmp_path: Path) -> None:
    """Textual alone would wait for ever for a terminal that takes no output any more."""
    script = (
        "import subprocess, sys\n"
        "from pathlib import Path\n"
        "from cli.processes import Processes\n"
        "from tui.app import run_dashboard\n"
        "with Processes() as processes:\n"
        "    child = subprocess.Popen(['sleep', '100'], start_new_session=True)\n"
        "    processes.running[Path()] = child\n"
        f"    processes.on_hangup = lambda: Path({str(tmp_path / 'left')!r}).write_text(str(child.returncode))\n"
        "    run_dashboard(['http://127.0.0.1:9'])\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", script], {**os.environ, "PYTHONPATH": str(ROOT)})
    seen = b""
    while b"Network" not in seen:  # the screen is drawn
        seen += os.read(terminal, 65_536)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 128 + signal.SIGHUP
    assert (tmp_path / "left").read_text() == str(-signal.SIGTERM)
