"""The demo stopped, gone on with, and failing: an exit code, a sentence, and no process left.

`WATTEST_FULL=1 python -m pytest tests/commands/test_demo.py` also plays it to its end twice, in about two minutes.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.processes import processes_of
from harness.world import ROOT

from node.client import NodeClient

Start = Callable[..., "Demo"]


class Demo:
    """A headless demo in a process of its own; `said` is its stderr so far."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        self.said = ""
        self.child = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "demo", "--headless", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, caption: str) -> None:
        assert self.child.stderr is not None
        while caption not in self.said:
            line = self.child.stderr.readline()
            assert line, self.said
            self.said += line

    def interrupt(self) -> int:
        self.child.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> int:
        self.out, rest = self.child.communicate(timeout=200)
        self.said += rest
        print(self.said)
        return self.child.returncode


@pytest.fixture
def start() -> Iterator[Start]:
    demos: list[Demo] = []

    def begin(*arguments: object, **environment: str) -> Demo:
        demos.append(Demo(*arguments, **environment))
        return demos[-1]

    yield begin
    for demo in demos:
        if demo.child.poll() is None:
            demo.child.kill()
            demo.child.communicate()


def test_a_demo_that_fails_ends_with_1_says_why_and_leaves_no_process(start: Start, tmp_path: Path) -> None:
    directory = tmp_path / "kept"
    demo = start("--keep", directory, WATTEST_CRASH_AT="commit:4")  # every validator dies in its second block
    assert demo.end() == 1
    assert not demo.out
    assert "The demo failed: The node of" in demo.said
    assert "ended with code 137" in demo.said
    assert "Traceback" not in demo.said
    assert "NodeEnded" in (directory / "failure.txt").read_text()
    assert f"The data stays in {directory}" in demo.said
    assert not processes_of(directory)


def test_a_demo_that_was_stopped_goes_on_with_its_network(start: Start, tmp_path: Path) -> None:
    directory = tmp_path / "kept"
    first = start("--keep", directory)
    while not (directory / "story.json").exists():
        assert first.child.poll() is None, first.end()
        time.sleep(0.05)
    network = json.loads((directory / "testnet.json").read_text())
    before = NodeClient(network["nodes"][0]["api"]).status()
    assert first.interrupt() == 130
    assert f"RESUME={directory}" in first.said
    assert not processes_of(directory)

    again = start("--resume", directory)
    again.until("4 validators run and agree on blocks")
    after = NodeClient(network["nodes"][0]["api"]).status()
    assert after["chain_id"] == before["chain_id"]
    assert int(after["height"]) >= int(before["height"]) > 0
    assert again.interrupt() == 130
    assert not processes_of(directory)


def test_refuses_to_go_on_with_what_was_left_before_its_plants(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert wattest("demo", "--headless", "--resume", tmp_path).code == 2
    (tmp_path / "testnet.json").write_text("{}")
    ran = wattest("demo", "--headless", "--resume", tmp_path)
    assert ran.code == 2
    assert "before its plants were accredited" in ran.err


def test_refuses_a_folder_that_is_not_empty(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "precious").touch()
    ran = wattest("demo", "--headless", "--keep", tmp_path)
    assert ran.code == 2
    assert "--resume" in ran.err


@pytest.mark.timeout(420)
@pytest.mark.skipif(not os.environ.get("WATTEST_FULL"), reason="WATTEST_FULL=1 plays the demo to its end twice")
def test_a_finished_demo_goes_on_to_its_end_and_tells_old_certificates_from_new(start: Start, tmp_path: Path) -> None:
    directory = tmp_path / "kept"
    first = start("--keep", directory)
    assert first.end() == 0
    assert "are born" in first.said
    again = start("--resume", directory)
    assert again.end() == 0
    assert "were born in an earlier run" in again.said
    assert "are born" not in again.said
    heights = [json.loads(demo.out)["height"] for demo in (first, again)]
    assert heights[1] > heights[0]
    assert not processes_of(directory)
