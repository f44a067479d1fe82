"""Networks of real nodes: homes on disk, sockets on the loopback, in this process or in processes of their own."""

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from harness.world import ROOT, genesis_json, key_of, seed_of

from node.app import Node, NodeKeys, load_keys
from node.config import Value, load_config, render_config
from node.keystore import generate_key, save_key
from node.log import open_log
from node.voting import begin_votes
from state.crypto import exchange_key, sign
from state.transaction import Action, Body, Register, Transaction, encode_transaction, signing_bytes

# Tests wait for blocks, so heartbeats come fast; delta stays large enough for a loaded machine.
FAST = {"idle_interval_ms": 400, "min_interval_ms": 50, "delta_ms": 500}


def free_ports(count: int) -> list[int]:
    """All held at once, so that none is given twice."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def keys_of(index: int) -> NodeKeys:
    secret = seed_of(f"escrow_key{index}")
    escrow = {exchange_key(secret): secret}
    return NodeKeys(seed_of(f"node_key{index}"), seed_of(f"vote_key{index}"), escrow=lambda: escrow)


def make_homes(directory: Path, count: int, scheme: dict[str, object] | None = None, **parameters: int) -> list[Path]:
    """A network of `count` validators: DIR/node0 .. with genesis, configuration and unsealed keys."""
    genesis = json.loads(genesis_json(count, scheme, **{**FAST, **parameters}))
    genesis["timestamp_ms"] = int(time.time() * 1000) - 1_000
    ports = free_ports(2 * count)
    for index, validator in enumerate(genesis["validators"]):
        validator["address"] = f"127.0.0.1:{ports[2 * index]}"
    return [
        make_home(directory / f"node{index}", genesis, ports[2 * index], ports[2 * index + 1], keys_of(index))
        for index in range(count)
    ]


def make_home(home: Path, genesis: dict[str, Any], p2p: int, api: int, keys: NodeKeys, **node_settings: Value) -> Path:
    home.mkdir(parents=True)
    (home / "genesis.json").write_text(json.dumps(genesis))
    settings: dict[str, Value] = {"node.p2p_listen": f"127.0.0.1:{p2p}", "node.api_listen": f"127.0.0.1:{api}"}
    settings |= {"node.keyring": "test", "node.reserve_mib": 1}
    settings |= {f"node.{name}": value for name, value in node_settings.items()}
    (home / "config.toml").write_text(render_config(settings))
    for purpose, seed in (("node", keys.node), ("vote", keys.vote)):
        if seed is not None:
            save_key(home / "keys", purpose, generate_key(purpose, seed=seed), None, "test")
    for seed in keys.escrow().values():
        save_key(home / "keys", "escrow", generate_key("escrow", seed=seed), None, "test")
    if keys.vote is not None:
        begin_votes(load_config(home, environment={}))
    return home


def open_node(home: Path, keys: NodeKeys) -> Node:
    return Node(load_config(home, environment={}), keys, log=open_log(home / "node.log", "debug"))


class Running:
    """A node that runs on this process' loop."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(node.run(self._stop))

    async def stop(self) -> None:
        self._stop.set()
        await self.task

    async def height(self, wanted: int, timeout_s: float = 60.0) -> None:
        """Wait until the node's tip is at least there; what the node died of is raised here."""
        async with asyncio.timeout(timeout_s):
            while self.node.ledger.tip.height < wanted:
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(homes: Sequence[Path]) -> Any:
    """All nodes of the homes in this process."""
    nodes = [Running(open_node(home, load_keys(load_config(home, environment={})))) for home in homes]
    try:
        yield nodes
    finally:
        for node in nodes:
            if not node.task.done():
                with suppress(Exception):
                    await node.stop()


class Process:
    """A node in a process of its own: `python -m node.running HOME`, or all of `wattest node start`."""

    def __init__(
        self, home: Path, largest_file: int = 0, under: Sequence[str] = (), whole: str = "", **environment: str
    ) -> None:
        """`under`: a command that runs it, such as a tracer. `whole`: with API, readings and accusations, by the
        commands of that module."""
        self.home = home
        node = [whole, "--home", str(home), "node", "start"] if whole else ["node.running", str(home)]

        def limit() -> None:
            if largest_file:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

        self._child = subprocess.Popen(
            [*under, sys.executable, "-m", *node],
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment},
            stdin=subprocess.DEVNULL,
            stderr=(home / "stderr").open("ab"),
            preexec_fn=limit,
        )

    @property
    def pid(self) -> int:
        return self._child.pid

    def kill(self) -> int:
        self._child.kill()
        return self._child.wait()

    def terminate(self) -> int:
        self._child.terminate()
        return self._child.wait(timeout=60)

    def wait(self, timeout_s: float = 120.0) -> int:
        """Its exit code, once it ends by itself."""
        return self._child.wait(timeout=timeout_s)

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def finals(self) -> list[dict[str, Any]]:
        """Log lines of final blocks, oldest first, over all runs of this home."""
        return [entry for entry in self.logged() if entry["event"] == "final"]

    def logged(self) -> list[dict[str, Any]]:
        lines = (self.home / "node.log").read_text().splitlines() if (self.home / "node.log").exists() else []
        found = []
        for line in lines:
            with suppress(ValueError):  # the last line of a killed node may be torn
                found.append(json.loads(line))
        return found

    def height(self) -> int:
        finals = self.finals()
        return int(finals[-1]["height"]) if finals else 0

    def await_event(self, event: str, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not any(entry["event"] == event for entry in self.logged()):
            assert self.alive, (self.home / "stderr").read_text()
            assert time.monotonic() < deadline, f"{self.home.name} never logged {event}"
            time.sleep(0.05)

    def await_height(self, wanted: int, timeout_s: float = 120.0) -> None:
        deadline = time.monotonic() + timeout_s
        while self.height() < wanted:
            assert self.alive, (self.home / "stderr").read_text()
            assert time.monotonic() < deadline, f"{self.home.name} is at {self.height()}, not at {wanted}"
            time.sleep(0.05)


async def until(process: Process, condition: Callable[[], bool], timeout_s: float = 90.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            assert process.alive, (process.home / "stderr").read_text()
            await asyncio.sleep(0.05)


def signed(chain: bytes, signer: str, *actions: Action, salt: int = 0, expiry_height: int = 5_000) -> bytes:
    """Raw transaction of the named person."""
    body = Body(chain, (key_of(signer),), tuple(actions), expiry_height, salt.to_bytes(8, "big"))
    return encode_transaction(Transaction(body, (sign(seed_of(signer), signing_bytes(body)),)))


def registration(chain: bytes, name: str) -> bytes:
    """The cheapest transaction there is: a person registers."""
    return signed(chain, name, Register(key_of(name), name, "FR", b""))
