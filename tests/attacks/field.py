"""The field: four validators as processes of their own, and people who already hold something on their ledger.

The ledger is prepared in this process as blocks that the validators' own keys made final, and copied into every home.
Mallory is registered like anybody; the plant owner, the trader and the consumer are the victims.
"""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import TracebackType
from typing import Self

from harness.finalized import FinalizedWorld
from harness.metering import Meter
from harness.net import free_ports, keys_of, make_home
from harness.world import DAY, FAR, genesis_json, key_of, seed_of

from cli.processes import Processes
from consensus.records import HeldQuorum
from contracts.transition import DecodedTx
from node.client import NodeClient
from node.config import load_config
from node.failures import RefusedByNode
from node.home import DataDirectory
from node.journal import Journal
from node.transport import NodeKey
from node.wire import Readings
from state.codec import encode
from state.outputs import Bundle
from state.store import open_store
from state.transaction import Action, MeterContent, Piece, Propose, RoleContent, Transfer

VALIDATORS = 4
BACK_MS = 600_000  # how long ago the ledger began: each block of the preparation is one second of it
EPOCH_LENGTH = 5_000  # longer than any run: evidence waits for the boundary in the committed queue
TIMES = {"idle_interval_ms": 250, "min_interval_ms": 50, "delta_ms": 300}
READY_S = 60.0
LIVES = 5_000  # blocks
READER = "reader"  # the key of the plant's meter


class Field:
    """A context manager: the network runs until it is left. `world` is the ledger's beginning, for reading."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lawful_batch: Readings | None = None  # what the meter itself sent, for those who send it again
        ports = free_ports(2 * VALIDATORS)
        self.genesis = json.loads(genesis_json(VALIDATORS, epoch_length=EPOCH_LENGTH, **TIMES))
        self.genesis["timestamp_ms"] = int(time.time() * 1_000) - BACK_MS
        for index, validator in enumerate(self.genesis["validators"]):
            validator["address"] = f"127.0.0.1:{ports[2 * index]}"
        # the request rates of the last one are those of a public node, the others must not slow the attacks down
        profiles = ["demo"] * (VALIDATORS - 1) + ["default"]
        self.homes = [
            make_home(
                directory / f"node{i}", self.genesis, ports[2 * i], ports[2 * i + 1], keys_of(i), profile=profiles[i]
            )
            for i in range(VALIDATORS)
        ]
        self.clients = [NodeClient(f"http://127.0.0.1:{ports[2 * i + 1]}") for i in range(VALIDATORS)]
        self.world = self._prepared()
        self.chain = self.world.chain
        self._processes = Processes()

    def _prepared(self) -> FinalizedWorld:
        store = open_store(self.homes[0] / "data" / "state")
        world = FinalizedWorld(store=store, genesis=json.dumps(self.genesis).encode())
        world.time_ms = self.genesis["timestamp_ms"]
        self._populate(world)
        tip = world.ledger.tip
        finalization = world.finalization(tip.hash, tip.height)
        world.ledger.close()
        for index, home in enumerate(self.homes):
            if index:
                shutil.copytree(self.homes[0] / "data" / "state", home / "data" / "state")
            journal = Journal.open(home / "data" / "journal", world.chain, key_of(f"vote_key{index}"))
            journal.append([encode(HeldQuorum(finalization))])
            journal.sync()
            journal.close()
            with DataDirectory(load_config(home), working=False) as data:
                data.settle()  # or they would listen for their own votes first, as after a move
        return world

    def _populate(self, world: FinalizedWorld) -> None:
        """Certificates: plant 1..8, mallory 9..12, consumer 13..16 with the first two retired, trader 17..20."""
        world.operators()
        for name in ("plant", "trader", "consumer", "mallory"):
            world.register(name)
        device = world.device("plant")
        world.accredit(MeterContent(device, key_of(READER), 0, FAR), by="plant")
        whole = world.issue(device, 20_400_000)
        assert whole is not None
        people = world.people
        pieces = (
            Piece(people["plant"], 1, 4),
            Piece(people["plant"], 5, 8),
            Piece(people["mallory"], 9, 12),
            Piece(people["consumer"], 13, 14),
            Piece(people["consumer"], 15, 16),
            Piece(people["trader"], 17, 20),
        )
        self.final = world.transaction(Transfer(people["plant"], (whole,), pieces, None), by=("plant",), lives=LIVES)
        world.block(self.final)
        self.offered, self.kept = world.outputs_of("plant", Bundle)
        (self.mallorys,) = world.outputs_of("mallory", Bundle)
        self.retired, self.unretired = world.outputs_of("consumer", Bundle)
        retire = world.retire_action("consumer", self.retired, 13, 14)
        self.statement = retire.statement_hash[:16].hex()
        world.do(retire, by=("consumer",))
        self.money = [world.fund("mallory", 50), world.fund("mallory", 50)]
        world.do(Propose(people["mallory"], RoleContent(people["mallory"], "payment_operator", FAR)), by=("mallory",))
        self.proposal = world.count("proposal")
        self.later = world.auction(seconds=BACK_MS // 1_000 + 3_600)
        self.bidders = world.fund("trader", 100)
        self.days = {
            "two": world.attested(device, DAY + 1, 9_000_000, signers=range(2)),
            "again": world.attested(device, DAY, 9_000_000),
            "too much": world.attested(device, DAY + 2, 90_000_000),
        }
        self.issues = {name: world.issue_action(device, (day,)) for name, day in self.days.items()}
        self.meter = Meter(world.chain, device, seed_of(READER), key_of(READER))

    # --- life

    def __enter__(self) -> Self:
        self._processes.__enter__()
        try:
            for home in self.homes:
                self._processes.start_node(home)
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
                raise TimeoutError("the nodes do not find each other")
            time.sleep(0.1)

    def start(self, home: Path) -> None:
        self._processes.start_node(home)

    def stop(self, home: Path) -> None:
        if home in self._processes.running:
            self._processes.stop_node(home)

    def exit_code(self, home: Path, within_s: float) -> int | None:
        """What the process of a home ended with by itself; None while it runs."""
        child = self._processes.running.get(home)
        deadline = time.monotonic() + within_s
        while child is not None and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if child is None or child.poll() is None:
            return None
        del self._processes.running[home]  # its end is known and was meant
        return int(child.returncode)

    @property
    def running(self) -> list[int]:
        """Indexes of the validators whose process runs."""
        alive = {home for home, child in self._processes.running.items() if child.poll() is None}
        return [index for index, home in enumerate(self.homes) if home in alive]

    # --- what an attacker works with

    def id(self, name: str) -> int:
        return self.world.people[name]

    def address(self, index: int) -> str:
        return str(self.genesis["validators"][index]["address"])

    def node_key(self, index: int) -> bytes:
        return NodeKey(seed_of(f"node_key{index}")).public

    def transaction(self, *actions: Action, by: tuple[str, ...] = (), chain: bytes | None = None) -> DecodedTx:
        """Signed by the named people; it outlives the run."""
        return self.world.transaction(*actions, by=by, chain=chain, lives=LIVES)

    def height(self) -> int:
        return max(int(self.clients[index].status()["height"]) for index in self.running)

    def post(self, index: int, transaction: DecodedTx | bytes) -> str:
        """Hand a transaction to a node: its refusal's code, or `accepted`."""
        raw = transaction if isinstance(transaction, bytes) else transaction.raw
        return code_of(self.clients[index], "/v1/transactions", raw, "application/msgpack")

    def post_at_once(self, *transactions: DecodedTx) -> list[str]:
        """Each to a node of its own, all at the same moment; the codes in their order."""
        barrier = Barrier(len(transactions))

        def post(index: int) -> str:
            barrier.wait()
            return self.post(index, transactions[index])

        with ThreadPoolExecutor(len(transactions)) as threads:
            return list(threads.map(post, range(len(transactions))))

    def settled(self, txid: bytes, within_s: float = 20.0) -> str:
        """`final`, or the code with which every node dropped a transaction that had once been accepted."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            answers = [self.clients[index].transaction(txid.hex()) for index in self.running]
            if any(answer["status"] == "final" for answer in answers):
                return "final"
            if any(answer["status"] == "refused" for answer in answers):
                return next(str(answer["code"]) for answer in answers if answer["status"] == "refused")
            time.sleep(0.05)
        return "unknown"

    def counted(self, index: int, metric: str, **labels: str) -> int:
        """The value of a counter of a node's metrics, 0 before it counts anything."""
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        for line in self.clients[index].get_bytes("/metrics").decode().splitlines():
            if line.startswith(metric) and all(each in line for each in wanted):
                return int(float(line.split()[-1]))
        return 0


def code_of(client: NodeClient, path: str, body: bytes, content_type: str) -> str:
    """The code of a refused POST, or `accepted`."""
    try:
        client.post(path, body, content_type)
    except RefusedByNode as refusal:
        return refusal.reason
    return "accepted"
