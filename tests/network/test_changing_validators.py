"""The walk of docs/OPERATING.md section 9 with real processes and the commands that operators type: a fifth validator
joins a running network of four, a third rotates its vote key without a restart, one of the first four leaves.

Transactions flow all the time. A certificate that was issued before is retired after, and its proof leads from the
genesis through every change.
"""

import asyncio
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from harness.live import LiveWorld
from harness.net import Process, Running, free_ports, make_home, make_homes, open_node, registration
from harness.world import seed_of

from cli.main import run
from node.app import NodeKeys
from node.client import NodeClient
from node.config import load_config
from node.keystore import generate_key, save_key
from state.errors import WattestError
from state.outputs import Bundle

LENGTH = 32
QUICK = {"epoch_length": LENGTH, "idle_interval_ms": 250, "min_interval_ms": 50, "delta_ms": 500}


def wattest(home: Path, *arguments: str) -> dict[str, Any]:
    """What the command answers with --json; AssertionError with what it said where it fails."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["--home", str(home), *arguments, "--json"])
    assert code == 0, f"wattest {' '.join(arguments)}: {code}\n{out.getvalue()}{err.getvalue()}"
    answer = json.loads(out.getvalue())
    assert isinstance(answer, dict)
    return answer


class People:
    """Somebody registers at one of the nodes all the time."""

    def __init__(self, chain: bytes, clients: list[NodeClient]) -> None:
        self.chain, self.clients = chain, clients
        self.sent: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def _live(self) -> None:
        number = 0
        while not self._stop.wait(0.15):
            number += 1
            raw = registration(self.chain, f"person {number}")
            self.sent.append(self.clients[number % len(self.clients)].submit(raw))

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


class Consortium:
    """Four validators in processes of their own, and whoever joins them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.homes = make_homes(directory, 4, **QUICK)
        self.genesis = json.loads((self.homes[0] / "genesis.json").read_text())
        for index, home in enumerate(self.homes):
            key = generate_key("governance", seed=seed_of(f"governance_key{index}"))
            save_key(home / "keys", "governance", key, None, "test")
            wattest(home, "config", "set", "client.node", f"http://{_api(home)}")
        self.processes = [Process(home, whole="cli.main") for home in self.homes]
        self.clients = [NodeClient(_api(home), timeout_s=10.0) for home in self.homes]

    def join(self, name: str) -> Path:
        """A home made, begun and started by the commands of docs/OPERATING.md; the node follows as an observer."""
        p2p, api = free_ports(2)
        home = self.directory / "fifth"
        genesis = str(self.homes[0] / "genesis.json")
        address = f"127.0.0.1:{p2p}"
        told = ("--validator", name, "--country", "FR", "--address", address, "--keyring", "test")
        wattest(home, "init", "--genesis", genesis, *told)
        for key, value in (("node.p2p_listen", address), ("node.api_listen", f"127.0.0.1:{api}")):
            wattest(home, "config", "set", key, value)
        wattest(home, "config", "set", "node.reserve_mib", "1")
        wattest(home, "config", "set", "client.node", self.clients[0].url)
        wattest(home, "participant", "register", "--from", "governance", "--name", name, "--country", "FR", "--yes")
        wattest(home, "node", "begin-votes", "--yes")
        self.processes.append(Process(home, whole="cli.main"))
        self.clients.append(NodeClient(f"127.0.0.1:{api}", timeout_s=10.0))
        wattest(home, "validator", "propose", "--name", name, "--address", address, "--yes")
        self.homes.append(home)
        return home

    def approve(self) -> None:
        """The newest proposal, by one organisation in office after the other until it is enacted."""
        newest = max(item["id"] for item in wattest(self.homes[0], "proposal", "list")["proposals"])
        for index, home in enumerate(self.homes):
            if wattest(home, "proposal", "show", str(newest))["status"] == "enacted":
                return
            if index < 4 or len(self.names()) > 4:
                wattest(home, "validator", "approve", str(newest), "--yes")
        assert wattest(self.homes[0], "proposal", "show", str(newest))["status"] == "enacted"

    def names(self) -> list[str]:
        return [item["name"] for item in wattest(self.homes[0], "validator", "list")["validators"]]

    def until(self, condition: Callable[[], bool], seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            for process in self.processes:
                assert process.alive, (process.home / "stderr").read_text()
            assert time.monotonic() < deadline, f"not in time; heights {[p.height() for p in self.processes]}"
            time.sleep(0.2)

    def stop(self) -> None:
        for process in self.processes:
            if process.alive:
                process.terminate()


def _api(home: Path) -> str:
    return load_config(home, environment={}).text("node.api_listen")


@pytest.fixture
def consortium(tmp_path: Path) -> Iterator[Consortium]:
    made = Consortium(tmp_path)
    yield made
    made.stop()


def change_everything(consortium: Consortium) -> None:
    """Joins, rotates and leaves by commands. One change is made at the end of each epoch, so two of them wait."""
    consortium.join("Fifth Grid")
    consortium.approve()
    wattest(consortium.homes[2], "validator", "rotate-key", "--keyring", "test", "--yes")
    consortium.approve()
    wattest(consortium.homes[0], "validator", "remove", "Organisation 1", "--yes")
    consortium.approve()
    assert wattest(consortium.homes[0], "validator", "list")["waiting"], "nothing waits for the end of an epoch"

    consortium.until(lambda: consortium.names() == ["Organisation 0", "Organisation 2", "Organisation 3", "Fifth Grid"])
    public = json.loads((consortium.homes[2] / "keys" / "vote-next.json").read_text())["pubkey"]
    assert wattest(consortium.homes[0], "validator", "list")["validators"][1]["vote_key"] == public


@pytest.mark.timeout(300)
async def test_operators_change_a_running_network_by_commands_and_nobody_notices(
    consortium: Consortium, tmp_path: Path
) -> None:
    keys = NodeKeys(seed_of("onlooker"))
    p2p, api = free_ports(2)
    home = make_home(tmp_path / "onlooker", consortium.genesis, p2p, api, keys)
    onlooker = Running(open_node(home, keys))
    people: People | None = None
    try:
        await onlooker.height(2, 150)
        people = People(onlooker.node.chain, [consortium.clients[0], consortium.clients[3]])
        world = LiveWorld(onlooker.node, asyncio.get_running_loop())
        await asyncio.to_thread(_issue, world)
        await asyncio.to_thread(change_everything, consortium)
        await asyncio.to_thread(_retire, world)
        await asyncio.to_thread(_goes_on, consortium)
        people.stop()
        assert len(people.sent) > 50
        await asyncio.to_thread(_all_final, consortium, people.sent)
        await asyncio.to_thread(_proof_holds, consortium, tmp_path)
    finally:
        if people is not None:
            people.stop()
        await onlooker.stop()
    assert onlooker.node.ledger.epoch >= 3


def _issue(world: LiveWorld) -> None:
    world.register("plant")
    assert world.issue(world.device("plant"), 9_400_000) is not None


def _retire(world: LiveWorld) -> None:
    world.until(lambda: True, "the tip of today")
    lot = world.outputs_of("plant", Bundle)[0]
    world.do(world.retire_action("plant", lot, 1, 8), by=("plant",))


def _goes_on(consortium: Consortium) -> None:
    """Everybody of the new set signs, among them the new key and the new validator; who left only follows."""
    height = max(int(client.status()["height"]) for client in consortium.clients)

    def all_sign() -> bool:
        status = consortium.clients[0].status()
        return all(int(each["last_signed_height"]) > height for each in status["validators"])

    consortium.until(all_sign)
    assert consortium.clients[1].status()["node_index"] is None
    consortium.until(lambda: int(consortium.clients[1].status()["height"]) > height)
    hashes = {client.get(f"/v1/blocks/{height}")["hash"] for client in consortium.clients}
    assert len(hashes) == 1


def _all_final(consortium: Consortium, txids: list[str]) -> None:
    for client in consortium.clients:
        for txid in txids:
            try:
                client.wait_final(txid, 30)
            except WattestError as error:
                raise AssertionError(f"lost at {client.url}: {error}") from None


def _proof_holds(consortium: Consortium, tmp_path: Path) -> None:
    """By the node that left, against the genesis that everybody began with."""
    (statement,) = wattest(consortium.homes[1], "statement", "list")["statements"]
    file, genesis = tmp_path / "statement.proof", str(consortium.homes[0] / "genesis.json")
    wattest(consortium.homes[1], "statement", "export", statement["id"], "--out", str(file))
    proven = wattest(tmp_path / "reader", "statement", "verify", str(file), "--genesis", genesis)
    assert proven["verified"] is True
