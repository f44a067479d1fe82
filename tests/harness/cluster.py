"""Validators as processes of their own, joined by links that tests cut, and watched from outside by their own log.

Nothing is asked of a node that a stranger could not ask: its log lines, its HTTP API, and after its end its ledger.
"""

import json
import os
import random
import signal
import socket
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from harness.links import Links
from harness.namespaces import Namespaces
from harness.net import Process, keys_of, make_home
from harness.world import genesis_json

from node.client import NodeClient
from node.config import Value, load_config
from node.genesis import read_genesis
from node.ledger import Ledger
from state.block import Block
from state.store import open_store

TIMING = {"idle_interval_ms": 1_000, "min_interval_ms": 100, "delta_ms": 500}
POLL_S = 0.05
READY_S = 300.0  # on a machine that many share


def gate_s(validators: int, delta_ms: int = 500, idle_interval_ms: int = 1_000) -> float:
    """The longest that finality may take to come back after the last fault: (f+1) T_max + 16 delta."""
    f = (validators - 1) // 3
    return ((f + 1) * (idle_interval_ms + 32 * delta_ms) + 16 * delta_ms) / 1_000


class Tail:
    """The lines that a node logs, each read once."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0
        self.height = 0
        self.starts = 0

    def read(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            with suppress(ValueError):  # a killed node may leave a torn line
                entry = json.loads(line)
                if entry["event"] == "final":
                    self.height = int(entry["height"])
                self.starts += entry["event"] == "started"


class Cluster:
    """`count` validators, and as machine `count`, where asked, a second one with the keys of validator `clone`."""

    def __init__(
        self,
        directory: Path,
        count: int,
        epoch_length: int = 64,
        clone: int | None = None,
        idle_ms: int = 1_000,
        netns: bool = False,
    ) -> None:
        self.count, self.clone = count, clone
        ports = quiet_ports(2 * count + 2)
        genesis = json.loads(genesis_json(count, **{**TIMING, "idle_interval_ms": idle_ms}, epoch_length=epoch_length))
        genesis["timestamp_ms"] = int(time.time() * 1000) - 1_000
        machines = count if clone is None else count + 1
        self.links = Namespaces(machines) if netns else Links(machines, ports[: 2 * count : 2])
        for index, validator in enumerate(genesis["validators"]):
            validator["address"] = f"{self.links.host(index)}:{ports[2 * index]}"
        self.homes: list[Path] = []
        for machine in range(machines):
            owner = machine if machine < count else clone
            assert owner is not None
            others = [b for b in range(count) if b not in (machine, owner)]
            settings: dict[str, Value] = {"profile": "bench"}
            if isinstance(self.links, Links):
                settings["peers"] = tuple(f"{b}@{self.links.address(machine, b)}" for b in others)
            home = directory / f"node{machine}"
            p2p, api = ports[2 * machine : 2 * machine + 2]
            for name, port in (("p2p_listen", p2p), ("api_listen", api)):
                settings[name] = f"{self.links.host(machine)}:{port}"
            make_home(home, genesis, p2p, api, keys_of(owner), **settings)
            self.homes.append(home)
        self.nodes: dict[int, Process] = {}
        self.paused: set[int] = set()
        self._starts: dict[int, int] = {}  # how often each had started before it was started last
        self.tails = [Tail(home / "node.log") for home in self.homes]
        self.clients = [NodeClient(_api_of(home), timeout_s=5.0) for home in self.homes]
        _, self.chain = read_genesis(self.homes[0] / "genesis.json")
        self._compared = -1  # the height up to which all nodes were seen to agree

    # --- processes

    def start(self, *machines: int, under: Collection[str] = (), program: str = "cli.main", **environment: str) -> None:
        self.heights()
        for machine in machines:
            self._starts[machine] = self.tails[machine].starts
            self.nodes[machine] = Process(
                self.homes[machine], under=(*self.links.under(machine), *under), whole=program, **environment
            )

    def kill(self, *machines: int) -> None:
        for machine in machines:
            self.nodes[machine].kill()

    def pause(self, *machines: int) -> None:
        for machine in machines:
            os.kill(self.nodes[machine].pid, signal.SIGSTOP)
            self.paused.add(machine)

    def resume(self) -> None:
        for machine in self.paused:
            os.kill(self.nodes[machine].pid, signal.SIGCONT)
        self.paused.clear()

    def runs(self, machine: int) -> bool:
        return machine in self.nodes and self.nodes[machine].alive and machine not in self.paused

    def stop(self) -> dict[int, int]:
        """End every process; its exit code by machine."""
        self.resume()
        for node in self.nodes.values():
            if node.alive:
                os.kill(node.pid, signal.SIGTERM)
        codes = {machine: node.wait(30) for machine, node in self.nodes.items()}
        self.links.close()
        return codes

    # --- what is seen of them

    def heights(self) -> list[int]:
        for tail in self.tails:
            tail.read()
        return [tail.height for tail in self.tails]

    def await_heights(self, above: int, machines: Iterable[int], timeout_s: float) -> float | None:
        """Seconds until every one of `machines` has a final block above that height; None if one has none in time."""
        began, waiting = time.monotonic(), set(machines)
        while True:
            heights = self.heights()
            waiting = {machine for machine in waiting if heights[machine] <= above}
            passed = time.monotonic() - began
            if not waiting:
                return passed
            if passed > timeout_s:
                return None
            dead = [machine for machine in waiting if not self.nodes[machine].alive]
            assert not dead, f"node {dead} ended: {(self.homes[dead[0]] / 'stderr').read_text()}"
            time.sleep(POLL_S)

    def await_started(self) -> float:
        """Seconds until every process that was started has opened its home and listens."""
        began = time.monotonic()
        while True:
            self.heights()
            if all(self.tails[machine].starts > starts for machine, starts in self._starts.items()):
                return time.monotonic() - began
            dead = [machine for machine in self._starts if not self.nodes[machine].alive]
            assert not dead, f"node {dead} ended: {(self.homes[dead[0]] / 'stderr').read_text()}"
            assert time.monotonic() < began + READY_S, f"not started within {READY_S} s: {self._starts}"
            time.sleep(POLL_S)

    def await_ready(self) -> None:
        took = self.await_heights(1, self.nodes, READY_S)
        assert took is not None, f"the network did not begin: heights {self.heights()}"

    def forks(self) -> int:
        """How many heights two running nodes disagree about, of those that no earlier call saw."""
        running = [machine for machine in self.nodes if self.runs(machine)]
        top = min(self.tails[machine].height for machine in running)
        found = 0
        while self._compared < top:
            count = min(64, top - self._compared)
            chains = []
            for machine in running:
                blocks = self.clients[machine].get("/v1/blocks", **{"from": self._compared + 1, "count": count})[
                    "blocks"
                ]
                chains.append([block["hash"] for block in blocks][:count])
            assert all(len(chain) == count for chain in chains), [len(chain) for chain in chains]
            found += sum(len(set(hashes)) > 1 for hashes in zip(*chains, strict=True))
            self._compared += count
        return found

    def blocks(self, machine: int) -> list[Block]:
        """Every final block of a stopped node, after its whole state was checked."""
        ledger = self.ledger(machine)
        try:
            ledger.audit()
            found = [ledger.block_at(height) for height in range(ledger.tip.height + 1)]
            return [block for block in found if block is not None]
        finally:
            ledger.close()

    def ledger(self, machine: int) -> Ledger:
        genesis, chain = read_genesis(self.homes[machine] / "genesis.json")
        return Ledger.open(open_store(self.homes[machine] / "data" / "state", create=False), genesis, chain)


def _api_of(home: Path) -> str:
    return load_config(home, environment={}).text("node.api_listen")


def quiet_ports(count: int) -> list[int]:
    """Free ports below those that the system gives to dialling sockets: a node must find its own again after a kill."""
    found: list[int] = []
    while len(found) < count:
        port = random.randint(12_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found
