"""A disk that fails or is full: the node ends with 70 at once, says so, and nothing is tried again or lost."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness.machine import may_mount, may_trace, need
from harness.net import Process, keys_of, make_homes, running
from harness.world import ROOT

from cli.main import run
from node.config import load_config
from node.genesis import read_genesis
from node.ledger import Ledger
from node.reserve import MIB, free, hold
from node.running import run_node
from state.errors import DiskFailed
from state.store import open_store

# A node on a disk of its own with little room left; it is started as often as a script of commands says.
FULL_DISK = """
cp -a {home}/data {home}/begun && mount -t tmpfs -o size=8m tmpfs {home}/data && cp -a {home}/begun/. {home}/data/
finals() {{ grep -c '"event": "final"' {home}/node.log; }}
until_it_ends() {{ timeout 45 {python} -m node.running {home}; echo "$1 $?"; }}
for_three_blocks() {{
    before=$(finals)
    {python} -m node.running {home} & pid=$!
    for tick in $(seq 400); do
        kill -0 $pid 2>/dev/null && [ $(finals) -lt $((before + 3)) ] || break
        sleep 0.1
    done
    kill -TERM $pid 2>/dev/null; wait $pid; echo "$1 $?"
}}
touch {home}/node.log
for_three_blocks first
test -f {home}/data/reserve && echo "reserve held"
left=$(df -k --output=avail {home}/data | tail -1)
head -c $(( (left - 40) * 1024 )) /dev/zero > {home}/data/filler
until_it_ends filling
head -c 100000000 /dev/zero > {home}/data/filler2 2>/dev/null
until_it_ends full
{python} -m cli.main --home {home} node free-reserve
for_three_blocks freed
"""


def test_the_reserve_is_held_once_and_given_back(tmp_path: Path) -> None:
    assert hold(tmp_path, 2 * MIB)
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= 2 * MIB
    assert hold(tmp_path, 2 * MIB)
    assert free(tmp_path) >= 2 * MIB
    assert free(tmp_path) == 0
    assert not (tmp_path / "reserve").exists()


def test_a_smaller_reserve_gives_back_the_difference(tmp_path: Path) -> None:
    assert hold(tmp_path, 2 * MIB)
    assert hold(tmp_path, MIB)
    assert (tmp_path / "reserve").stat().st_size == MIB
    assert hold(tmp_path, 0)
    assert not (tmp_path / "reserve").exists()


def test_the_reserve_is_never_made_of_the_last_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.reserve.shutil.disk_usage", lambda path: _Usage(2 * MIB - 1))
    assert not hold(tmp_path, MIB)
    assert not (tmp_path / "reserve").exists()


class _Usage:
    def __init__(self, free_bytes: int) -> None:
        self.free = free_bytes


def test_a_disk_that_breaks_under_the_reserve_is_a_broken_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("node.reserve.os.posix_fallocate", broken)
    with pytest.raises(DiskFailed, match="Input/output error"):
        hold(tmp_path, MIB)


async def test_a_node_holds_its_reserve_and_frees_it_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home,) = make_homes(tmp_path, 1)
    async with running([home]) as nodes:
        await nodes[0].height(1)
    assert (home / "data" / "reserve").stat().st_size == MIB
    freed = []
    for _ in range(2):
        assert run(["--home", str(home), "node", "free-reserve", "--json"]) == 0
        freed.append(int(json.loads(capsys.readouterr().out)["freed_bytes"]))
    assert freed[0] >= MIB
    assert freed[1] == 0


def test_an_error_of_the_system_is_the_disks_whoever_meets_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home,) = make_homes(tmp_path, 1)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(home / "data"))

    monkeypatch.setattr("node.home.DataDirectory.settle", full)
    assert run_node(load_config(home, environment={}), keys_of(0)) == 70
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("call", [2, 9])
def test_one_failed_sync_ends_the_node_though_the_next_would_succeed(tmp_path: Path, call: int) -> None:
    need("strace", may_trace())
    (home,) = make_homes(tmp_path, 1)
    told = tmp_path / "calls"
    tracer = ["strace", "-f", "--seccomp-bpf", "-o", str(told), "-e", "trace=fdatasync"]
    tracer += ["-e", f"inject=fdatasync:error=EIO:when={call}"]
    node = Process(home, under=tracer)
    assert node.wait() == 70
    assert "disk" in (home / "stderr").read_text()
    calls = [line for line in told.read_text().splitlines() if "fdatasync" in line]
    failed = next(number for number, line in enumerate(calls) if "INJECTED" in line)
    assert len(calls) == failed + 1, "something was synced after the failure"

    height = node.height()
    again = Process(home)
    again.await_height(height + 2)
    assert again.terminate() == 0
    _audit(home)


@pytest.mark.timeout(240)
def test_a_full_disk_stops_the_node_and_the_reserve_lets_it_recover(tmp_path: Path) -> None:
    need("tmpfs", may_mount())
    (home,) = make_homes(tmp_path, 1, idle_interval_ms=100)
    ran = subprocess.run(
        ["unshare", "-m", "bash", "-c", FULL_DISK.format(home=home, python=sys.executable)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    said = ran.stdout.splitlines()
    assert said[:2] == ["first 0", "reserve held"], ran.stdout + ran.stderr
    assert "filling 70" in said, ran.stdout + ran.stderr
    assert "full 70" in said
    assert said[-1] == "freed 0", ran.stdout + ran.stderr
    assert "bytes are free again" in ran.stdout


def _audit(home: Path) -> None:
    genesis, chain = read_genesis(home / "genesis.json")
    ledger = Ledger.open(open_store(home / "data" / "state", create=False), genesis, chain)
    ledger.audit()
    ledger.close()
