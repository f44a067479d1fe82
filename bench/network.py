"""Four validator processes on this machine under load: homes, generator, and what is read off them afterwards.

The homes begin with the load's preparation: blocks that the validators' own keys made final. They are written once and
copied, and the nodes check them at their start like any ledger of their own.

Nothing watches the nodes while they work but one status request now and then: when a block was durable on a node is
read from the node's own log (`final`, written after the synced batch), and CPU seconds from /proc.
"""

import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Self

from bench.load import VALIDATORS, Load, secret
from cli.processes import Processes
from cli.testnet import make_testnet, reference_genesis
from consensus.records import HeldQuorum
from node.client import NodeClient
from node.config import load_config
from node.genesis import read_genesis
from node.home import DataDirectory
from node.journal import Journal
from node.ledger import Ledger
from state.codec import encode
from state.history import where
from state.store import open_store

READY_S = 60.0
POLL_S = 0.1
PATIENCE_S = 120.0  # without a final block, before a run is given up
WAITING_LIMIT = 6_000  # transactions in a node's mempool above which its generator pauses
PAGE_BLOCKS = 20
SAMPLE = 50  # transactions whose whole record is asked for, beside the lists of the blocks


class RunVoid(Exception):
    """Something happened that would flatter or spoil the figures; there are none."""


@dataclass(frozen=True)
class Phase:
    """What one burst of load did. Times are wall seconds from the first request."""

    transactions: int
    first_height: int
    last_height: int
    seconds: float  # to the moment at which the last block was durable on the last node
    blocks: int
    block_bytes: int  # median of the full bodies
    node_cpu_s: float  # user + system of all four nodes
    generator_cpu_s: float
    syncs: int  # of stores and journals, all four nodes
    answers: Counter[str]
    resident_mib: int  # of the largest node, at the end

    @property
    def tx_per_s(self) -> float:
        return self.transactions / self.seconds

    @property
    def tx_per_cpu_s(self) -> float:
        """Per CPU second of the whole network: each transaction is checked by all of its validators."""
        return self.transactions / self.node_cpu_s

    @property
    def node_us_per_tx(self) -> float:
        """CPU microseconds that one node spends for one transaction."""
        return self.node_cpu_s / self.transactions / VALIDATORS * 1e6

    @property
    def cores_used(self) -> float:
        """What the nodes got of the machine; below its cores, others were at work on it or the nodes waited."""
        return self.node_cpu_s / self.seconds


class Network:
    """A context manager: four nodes that run until it is left."""

    prepared: type[Load] = Load

    def __init__(self, directory: Path, holders: int, bundles: int) -> None:
        self.directory = directory
        made = make_testnet(directory, VALIDATORS, reference_genesis(None), profile="bench", seed=secret)
        self.homes = [directory / node["home"] for node in made["nodes"]]
        self.clients = [NodeClient(node["api"], timeout_s=60.0) for node in made["nodes"]]
        self.load = self._prepare(holders, bundles)
        self.sent: list[str] = []
        self._processes = Processes()
        self._pids: list[int] = []

    def _prepare(self, holders: int, bundles: int) -> Load:
        """One ledger on disk, copied into every home; each journal begins with the Finalization of its tip."""
        store = open_store(self.homes[0] / "data" / "state")
        load = self.prepared(holders, bundles, read_genesis(self.directory / "genesis.json"), store, step_ms=1)
        self._made_ready(load)
        load.ledger.close()
        _, finalization = load.preparation[-1]
        for index, home in enumerate(self.homes):
            if index:
                shutil.copytree(self.homes[0] / "data" / "state", home / "data" / "state")
            vote_key = load.ledger.validators[index].vote_key
            journal = Journal.open(home / "data" / "journal", load.chain, vote_key)  # begun with the home
            journal.append([encode(HeldQuorum(finalization))])
            journal.sync()
            journal.close()
            with DataDirectory(load_config(home), working=False) as data:
                data.settle()  # or they would listen for their own votes first, as after a move
        return load

    def _made_ready(self, load: Load) -> None:
        """Further blocks before the nodes begin, for who needs them."""

    def __enter__(self) -> Self:
        self._processes.__enter__()
        try:
            self._pids = [self._processes.start_node(home) for home in self.homes]
            for client in self.clients:
                self._processes.wait_ready(client, READY_S)
            self._wait_connected()
        except BaseException as error:
            self._processes.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self.clients:
            client.close()
        self._processes.__exit__(kind, error, trace)

    def _wait_connected(self) -> None:
        deadline = time.monotonic() + READY_S
        while any(client.status()["peers"] < VALIDATORS - 1 for client in self.clients):
            if time.monotonic() > deadline:
                raise RunVoid("the nodes do not find each other")
            time.sleep(POLL_S)

    # --- load

    def run(self, raws: Sequence[bytes], batch: int) -> Phase:
        """Hand in every transaction once, to one node each, and wait until all are final and durable everywhere."""
        first_height = max(int(client.status()["height"]) for client in self.clients) + 1
        syncs = self._syncs()
        batches = Queue[Sequence[bytes]]()
        for start in range(0, len(raws), batch):
            batches.put(raws[start : start + batch])
        generators = [Generator(client, batches) for client in self.clients]
        cpu, own_cpu = self._cpu_s(), time.process_time()
        started = time.time()
        for generator in generators:
            generator.start()
        for generator in generators:
            generator.join()
        for generator in generators:
            if generator.failure is not None:
                raise RunVoid(f"the generator failed: {generator.failure}")
            self.sent += generator.txids
        answers = sum((generator.answers for generator in generators), Counter[str]())
        if answers != {"accepted": len(raws)}:
            raise RunVoid(f"answers other than accepted: {dict(answers)}")
        commits = self._wait_final(first_height, len(raws))
        last_height = max(commits)
        cpu, own_cpu, syncs = self._cpu_s() - cpu, time.process_time() - own_cpu, self._syncs() - syncs
        sizes = sorted(self._block_bytes(first_height, last_height))
        return Phase(
            transactions=len(raws),
            first_height=first_height,
            last_height=last_height,
            seconds=max(commits.values()) - started,
            blocks=len(sizes),
            block_bytes=sizes[len(sizes) // 2],
            node_cpu_s=cpu,
            generator_cpu_s=own_cpu,
            syncs=syncs,
            answers=answers,
            resident_mib=max(_resident_kib(pid) for pid in self._pids) // 1024,
        )

    def _wait_final(self, first_height: int, expected: int) -> dict[int, float]:
        """Height -> wall time at which the last of the nodes had it on disk, once `expected` transactions are final."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self._processes.check()
            logs = [final_blocks(home / "node.log", first_height) for home in self.homes]
            counts = [sum(count for _, count in log.values()) for log in logs]
            if any(count > expected for count in counts):
                raise RunVoid(f"{counts} transactions became final, {expected} were sent")
            if all(count == expected for count in counts):
                last = max(height for height, (_, count) in logs[0].items() if count)
                return {height: max(log[height][0] for log in logs) for height in range(first_height, last + 1)}
            if time.monotonic() > deadline:
                raise RunVoid(f"only {counts} of {expected} transactions became final")
            time.sleep(POLL_S)

    def _block_bytes(self, first: int, last: int) -> list[int]:
        blocks = self._blocks(self.clients[0], first, last)
        return [int(block["bytes"]) for block in blocks if block["transactions"]]

    def _blocks(self, client: NodeClient, first: int, last: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for low in range(first, last + 1, PAGE_BLOCKS):
            found += client.get("/v1/blocks", **{"from": low}, count=min(PAGE_BLOCKS, last - low + 1))["blocks"]
        return found

    def _syncs(self) -> int:
        lines = b"".join(client.get_bytes("/metrics") for client in self.clients).decode().splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith("wattest_storage_syncs_total{"))

    def _cpu_s(self) -> float:
        """User and system time of all nodes so far."""
        ticks = 0
        for pid in self._pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    # --- checks

    def check_statuses(self, phases: Sequence[Phase]) -> None:
        """Every node lists every transaction exactly once in the same final blocks; a sample is asked for by its id."""
        listed = [self._listed(client, phases) for client in self.clients]
        if any(other != listed[0] for other in listed):
            raise RunVoid("the nodes do not list the same final blocks")
        _, txids = listed[0]
        if Counter(txids) != Counter(self.sent):
            raise RunVoid(f"{len(txids)} transactions are final, {len(self.sent)} were sent, or they are not the same")
        step = max(1, len(self.sent) // SAMPLE)
        for number, txid in enumerate(self.sent[::step]):
            status = self.clients[number % VALIDATORS].transaction(txid)["status"]
            if status != "final":
                raise RunVoid(f"transaction {txid} is {status}")

    def _listed(self, client: NodeClient, phases: Sequence[Phase]) -> tuple[list[str], list[str]]:
        hashes: list[str] = []
        txids: list[str] = []
        for block in self._blocks(client, phases[0].first_height, phases[-1].last_height):
            hashes.append(f"{block['hash']} {block['state_root']}")
            txids += block["transactions"]
        return hashes, txids

    def check_owners(self) -> None:
        """Ask for what every participant holds, and compare with where the last transfers put each certificate."""
        held: dict[str, tuple[int, int]] = {}
        for number, participant in enumerate(self.load.participants):
            for output in self.clients[number % VALIDATORS].outputs(participant, "bundle"):
                held[output["outpoint"]] = (participant, int(output["start"]))
        expected = {
            self.load.outpoint_of(serial).hex(): (self.load.holder_of(serial), serial)
            for serial in range(1, self.load.certificates + 1)
        }
        if held != expected:
            raise RunVoid("the participants do not hold what the transfers gave them")

    def check_disks(self, phases: Sequence[Phase]) -> str:
        """Kill the nodes and open what they left: all counted blocks there, one state, every certificate in its place.

        The state root that all four have at the last counted height, in hex.
        """
        for home in self.homes:
            if home in self._processes.running:
                self._processes.kill_node(home)
        roots = set()
        for home in self.homes:
            ledger = Ledger.open(open_store(home / "data" / "state", create=False), self.load.genesis, self.load.chain)
            block = ledger.block_at(phases[-1].last_height)
            if block is None:
                raise RunVoid(f"{home.name} lost block {phases[-1].last_height} when it was killed")
            roots.add(block.header.state_root.hex())
            ledger.audit()
            self._check_places(home.name, ledger)
            ledger.close()
        if len(roots) != 1:
            raise RunVoid("the nodes ended in different states")
        return roots.pop()

    def _check_places(self, name: str, ledger: Ledger) -> None:
        for serial in range(1, self.load.certificates + 1):
            found = where(ledger.store, 1, serial)
            if found is None or (found.status, found.holder) != ("active", self.load.holder_of(serial)):
                raise RunVoid(f"certificate {serial} is not where it belongs on {name}: {found}")


class Generator(threading.Thread):
    """Hands one node batch after batch, as fast as the node takes them in, until there are no more."""

    def __init__(self, client: NodeClient, batches: Queue[Sequence[bytes]]) -> None:
        super().__init__(daemon=True)
        self._client, self._batches = client, batches
        self.txids: list[str] = []
        self.answers: Counter[str] = Counter()
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            asked = time.monotonic()
            while True:
                if time.monotonic() - asked > POLL_S:
                    while int(self._client.status()["mempool"]) > WAITING_LIMIT:
                        time.sleep(POLL_S)
                    asked = time.monotonic()
                for result in self._client.submit_batch(list(self._batches.get_nowait())):
                    self.answers[result.get("code", "accepted")] += 1
                    self.txids.append(result.get("txid", ""))
        except Empty:
            pass
        except Exception as failure:  # it is the main thread's to say so
            self.failure = failure


def _resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def final_blocks(log: Path, first_height: int) -> dict[int, tuple[float, int]]:
    """Height -> (wall time at which the block was durable here, its transactions), from a node's log."""
    found: dict[int, tuple[float, int]] = {}
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if '"final"' not in line:
                continue
            entry = json.loads(line)
            if entry["event"] == "final" and entry["height"] >= first_height:
                at = datetime.fromisoformat(entry["timestamp"]).timestamp()
                found[entry["height"]] = (at, entry["transactions"])
    return found
