"""`wattest gateway` as an operator starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.world import ROOT, seed_of

from node.keystore import generate_key, save_key

CHAIN = "11" * 32
READING = {"timestamp": 1_388_534_400, "id": "3", "pwr_avg": 1.5, "wind_spd": 3, "t": 4, "insolation": None}


class Command:
    def __init__(self, home: Path) -> None:
        self.home = home
        save_key(home / "keys", "gateway", generate_key("gateway", CHAIN, seed_of("reader")), None, "test")
        (home / "units.json").write_text('{"gateway": 1, "units": {"3": {"device": 1, "interval_s": 600}}}')
        self.children: list[subprocess.Popen[str]] = []

    def start(self, listen: str = "127.0.0.1:0", *more: str) -> subprocess.Popen[str]:
        arguments = ["gateway", "--home", str(self.home), "--chain-id", CHAIN, "--node", "http://127.0.0.1:9", "--json"]
        arguments += ["--listen", listen, "--units", str(self.home / "units.json"), *more]
        child = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.children.append(child)
        return child

    def stop(self) -> None:
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.communicate()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    made = Command(tmp_path)
    try:
        yield made
    finally:
        made.stop()


def listening(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, child.communicate()[1]
    return f"http://127.0.0.1:{json.loads(line)['port']}"


def ask(url: str, body: object | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
        value: dict[str, Any] = json.load(answer)
        return value


def test_a_killed_gateway_goes_on_with_what_it_acknowledged(command: Command) -> None:
    child = command.start()
    url = listening(child)
    assert ask(f"{url}/readings", READING)["accepted"] == 1
    child.kill()
    child.wait()
    child = command.start()
    url = listening(child)
    assert ask(f"{url}/readings", READING)["duplicates"] == 1
    unit = ask(f"{url}/status")["units"][0]
    assert (unit["seq"], unit["sent_seq"], unit["waiting"]) == (1, 0, 1)
    child.send_signal(signal.SIGTERM)
    assert child.wait(20) == 0


def test_a_second_gateway_on_the_same_log_is_refused(command: Command) -> None:
    listening(command.start())
    child = command.start()
    assert child.wait(20) == 2
    assert "another gateway holds" in child.communicate()[1]


def test_a_taken_port_is_told(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        child = command.start(f"127.0.0.1:{taken.getsockname()[1]}")
        assert child.wait(20) == 2
        assert "another gateway" in child.communicate()[1]


def test_a_malformed_listener_is_a_usage_error(command: Command) -> None:
    child = command.start("nowhere")
    assert child.wait(20) == 2


def test_an_unknown_unit_is_answered_with_its_code(command: Command) -> None:
    url = listening(command.start())
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(url, READING | {"id": "9"})
    assert caught.value.code == 404
    assert json.load(caught.value)["code"] == "unknown_unit"


def test_the_only_gateway_key_of_the_home_needs_no_name(command: Command) -> None:
    child = command.start()
    assert listening(child)
    command.stop()
    save_key(command.home / "keys", "second", generate_key("gateway", CHAIN, seed_of("second")), None, "test")
    _, err = (refused := command.start()).communicate(timeout=30)
    assert refused.returncode == 2
    assert "gateway, second" in err
