"""The composition root: everything a node consists of, built from its home directory and run until it is told to stop.

    keys, genesis, lock -> store -> ledger -> journals, engine -> mempool, peers -> runtime

Exit codes: 0 stopped, 2 configuration, 4 keys, and those after which an operator must look (assurance.md section 9):
70 disk, 71 store mismatch or lost votes, 72 execution differs from a final block, 73 conflicting quorums, 74 own key
seen elsewhere. On the last three a dump is written, and a supervisor must not restart the node.
"""

import asyncio
import gc
import json
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from structlog.typing import FilteringBoundLogger

from consensus.engine import Engine
from consensus.records import OwnVote
from consensus.timers import Timing
from consensus.validators import ValidatorSet
from consensus.votes import Quorum
from contracts.context import BlockEnvironment
from node.amnesia import Amnesia
from node.config import Config, ConfigError, load_config
from node.failures import KeystoreError
from node.faults import Clock, SystemClock, crash_point
from node.genesis import read_genesis
from node.home import DataDirectory
from node.journal import UNSETTLED, Journal
from node.keystore import key_path, read_key_file, unlock
from node.ledger import Ledger
from node.listening import OwnKeyWatch
from node.log import open_log
from node.mempool import Mempool
from node.office import Office, Term
from node.peers import Peers
from node.repair import replay, require_peers, rolled_back
from node.reserve import MIB, hold
from node.runtime import FinalBlock, Runtime
from node.signatures import SignatureCache
from node.signer import Signer
from node.transport import NodeKey
from node.voting import NEXT_VOTE_KEY, VOTE_KEY, explain, journal_of
from state.crypto import verify
from state.errors import DiskFailed, GenesisInvalid, WattestError
from state.history import transaction_position
from state.overlay import Snapshot
from state.records import Validator
from state.store import open_store

NODE_KEY = "node"
DUMP_FROM = 72  # exit codes that leave a dump
FEED_QUEUE = 1_024
COLLECT_AFTER = 100_000  # new containers: some 10 MB, about two full blocks
RESTORED_S = 0.05


@dataclass(frozen=True)
class NodeKeys:
    """Seeds of 32 bytes. Without a vote key the node is an observer. `next_vote` is the one that it rotates to.

    `later` looks for a vote key that came after the start and is none of the public keys given to it.
    """

    node: bytes = field(repr=False)
    vote: bytes | None = field(repr=False, default=None)
    next_vote: bytes | None = field(repr=False, default=None)
    later: Callable[[Collection[bytes]], bytes | None] = field(repr=False, compare=False, default=lambda held: None)


class Part(Protocol):
    """Something that lives beside the loop: the HTTP API, the readings' intake."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class LedgerTip:
    """What the mempool sees of the ledger (`node.mempool.Tip`)."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    @property
    def state(self) -> Snapshot:
        return self._ledger.store

    def next_environment(self) -> BlockEnvironment:
        tip = self._ledger.tip
        return self._ledger.environment(tip.hash, max(self._clock.wall_ms(), tip.header.timestamp_ms + 1))

    def is_final(self, txid: bytes) -> bool:
        return transaction_position(self._ledger.store, txid) is not None


class FinalFeed:
    """Final blocks for who reads them in order; a reader that lets its queue run over is dropped (None ends it)."""

    def __init__(self) -> None:
        self._queues: list[asyncio.Queue[FinalBlock | None]] = []

    def subscribe(self) -> asyncio.Queue[FinalBlock | None]:
        queue: asyncio.Queue[FinalBlock | None] = asyncio.Queue(FEED_QUEUE)
        self._queues.append(queue)
        return queue

    def committed(self, final: FinalBlock) -> None:
        for queue in list(self._queues):
            try:
                queue.put_nowait(final)
            except asyncio.QueueFull:
                self._queues.remove(queue)
                queue.get_nowait()
                queue.put_nowait(None)

    def live(self, kind: str, fields: dict[str, Any]) -> None:
        pass


class Node:
    """One node, opened but not yet running. `index` is its place among the validators, None for an observer."""

    def __init__(
        self,
        config: Config,
        keys: NodeKeys,
        *,
        clock: Clock | None = None,
        log: FilteringBoundLogger | None = None,
    ) -> None:
        self.config = config
        self._later_key = keys.later
        self.clock: Clock = clock or SystemClock()
        self.genesis, self.chain = read_genesis(config.genesis)
        self.data = DataDirectory(config)
        try:
            self._open(keys, log)
        except BaseException as error:
            self.data.__exit__(type(error), error, None)
            raise

    def _open(self, keys: NodeKeys, log: FilteringBoundLogger | None) -> None:
        config, threads = self.config, self.config.number("node.verify_threads")
        signatures = SignatureCache()
        self.why_silent = ""
        store = open_store(config.data / "state", around_sync=crash_point)
        self.ledger = Ledger.open(store, self.genesis, self.chain, signatures)
        if self.data.was_killed:
            self.ledger.audit()
        signers = [Signer(seed) for seed in (keys.vote, keys.next_vote) if seed is not None]
        node_key = NodeKey(keys.node)
        index = _index_of(signers, self.ledger)
        _check_node_key(index, node_key, self.ledger.validators)
        self.log = log or open_log(config.home / "node.log")
        self.log = self.log.bind(node="observer" if index is None else index)
        parameters = self.ledger.parameters
        self.timing = Timing(parameters.delta_ms, parameters.idle_interval_ms, parameters.min_interval_ms)
        self.office = Office.open(config, self.data, self.ledger, self.timing, signers, node_key.public)
        self.rolled_back = self._repair_store(self.office.seat_of(self.ledger.validators).journal)
        journal = self.office.seat_of(self.ledger.validators).journal
        torn = journal.torn and len(self.ledger.validators) > 1
        knows_its_votes = journal.header.valid_from_epoch != UNSETTLED
        self.listening = index is not None and knows_its_votes and (self.data.moved or torn)
        self.term = self.office.term(self.listening)
        self.mempool = Mempool(LedgerTip(self.ledger, self.clock), signatures, threads)
        self.peers = Peers(
            node_key,
            self.chain,
            self.ledger.validators,
            config.text("node.p2p_listen"),
            self.clock,
            self.log,
            self._overridden(),
        )
        self.runtime = Runtime(
            term=self.term,
            ledger=self.ledger,
            mempool=self.mempool,
            peers=self.peers,
            end_epoch=self._end_epoch,
            hand_over=self._hand_over,
            clock=self.clock,
            log=self.log,
        )
        self._watch_own_key()
        self.feed = FinalFeed()
        self.runtime.watchers.append(self.feed)
        self.parts: list[Part] = []
        if not hold(config.data, config.number("node.reserve_mib") * MIB):
            self.log.warning("no_reserve", wanted_mib=config.number("node.reserve_mib"))

    # --- recovery

    def _ask_when_to_vote(self, index: int) -> None:
        """This validator does not know its own votes."""
        validators = self.ledger.validators
        quorum = ValidatorSet(tuple(validator.vote_key for validator in validators)).quorum
        amnesia = Amnesia(index, len(validators), quorum, self.journal.header.epoch)
        self.runtime.amnesia = amnesia
        if self.journal.header.valid_from_epoch != UNSETTLED:
            return  # it was told already, and hears only whether it may vote sooner
        self.why_silent = explain(self.journal, self.ledger.parameters.epoch_length, amnesia.needed)
        self.log.error("votes_unknown", why=self.why_silent)

    def _repair_store(self, journal: Journal) -> bool:
        """Whether blocks are missing that this node had: it fetches them before it serves anything."""
        if not rolled_back(self.ledger, journal):
            return False
        found = self.ledger.tip.height
        self.ledger.audit()
        replayed = replay(self.ledger, journal)
        wanted = journal.stored.height
        self.log.error("store_rolled_back", found=found, wanted=wanted, replayed=replayed)
        require_peers(self.ledger, journal)
        return rolled_back(self.ledger, journal)

    # --- the epoch

    @property
    def engine(self) -> Engine:
        return self.term.engine

    @property
    def index(self) -> int | None:
        """This node's place among the validators of the epoch."""
        return self.term.index

    @property
    def signer(self) -> Signer | None:
        """The vote key in office, or the one that waits for it."""
        return self.term.seat.signer

    @property
    def journal(self) -> Journal:
        return self.term.seat.journal

    def _end_epoch(self) -> Term:
        """The last block of an epoch is stored: another engine, perhaps with another key, or none."""
        before, self.term = self.term, self.office.term(self.listening)
        self._watch_own_key()
        self.log = self.runtime.log = self.log.bind(node="observer" if self.index is None else self.index)
        self.log.info("epoch", epoch=self.ledger.epoch, seat_before=before.index, seat=self.index)
        if self.index is None and any(v.node_key == self.peers.key.public for v in self.ledger.validators):
            self.log.error("vote_key_missing", why="the validator of this node key votes with a key that is not here")
        return self.term

    def _hand_over(self, finalization: Quorum) -> None:
        """An epoch ends. A vote key that was made since the start is taken up now, for it may be in office next."""
        try:
            seed = self._later_key(self.office.vote_keys)
        except KeystoreError as error:
            self.log.error("next_vote_key_unusable", why=str(error))
        else:
            if seed is not None:
                signer = Signer(seed)
                self.office.add(signer)
                self.log.info("next_vote_key", public=signer.public)
        self.office.hand_over(finalization)

    def _watch_own_key(self) -> None:
        """A moved validator listens for votes of its key before it makes any; one that forgot them asks."""
        self.runtime.amnesia = None
        if self.index is None or self.signer is None:
            return
        if self.listening:
            votes = [record.vote for record in self.term.seat.records if isinstance(record, OwnVote)]
            self.runtime.own_key = OwnKeyWatch(self.chain, self.signer.public, self.index, votes, verify)
        if self.journal.header.valid_from_epoch > self.ledger.epoch:
            self._ask_when_to_vote(self.index)

    def _overridden(self) -> dict[bytes, str]:
        """Addresses from the configuration by node key: its indexes are those of the genesis."""
        validators = self.genesis.validators
        given = self.config.peer_addresses().items()
        return {bytes.fromhex(validators[i].node_key): address for i, address in given if i < len(validators)}

    # --- life

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; raises what the node had to stop for. Nothing is left open afterwards.

        A moved validator ends by itself once it has listened long enough: opened again, it may vote.
        """
        loop_task = asyncio.create_task(self.runtime.run())
        stop_task = asyncio.create_task(stop.wait())
        started: list[Part] = []
        failure: BaseException | None = None
        try:
            await self.peers.start()
            if self.rolled_back:
                await self._until_restored(loop_task, stop_task)
            for part in self.parts if not self.rolled_back else ():
                await part.start()
                started.append(part)
            self.log.info(
                "started",
                chain=self.chain,
                height=self.ledger.tip.height,
                p2p=self.peers.listen_address,
                listening=self.listening,
            )
            if not self.listening:
                self.data.settle()
            listen_s = 2 * self.timing.longest_ms / 1000 if self.listening else None
            await asyncio.wait((loop_task, stop_task), timeout=listen_s, return_when=asyncio.FIRST_COMPLETED)
            if loop_task.done():
                loop_task.result()
            if not stop_task.done():
                self.data.settle()  # nobody else votes with this key
        except BaseException as error:
            failure = error
            raise
        finally:
            for part in reversed(started):
                await part.stop()
            await self.peers.stop()
            loop_task.cancel()
            stop_task.cancel()
            await asyncio.gather(loop_task, stop_task, return_exceptions=True)
            self.log.info("stopped", height=self.ledger.tip.height)
            self.close(failure)

    async def _until_restored(self, *ends: "asyncio.Task[Any]") -> None:
        """Until the store is again where it stood: nobody may see a balance that was overtaken long ago."""
        while self.rolled_back and not any(end.done() for end in ends):
            await asyncio.sleep(RESTORED_S)
            self.rolled_back = rolled_back(self.ledger, self.journal)
        if not self.rolled_back:
            self.log.info("store_restored", height=self.ledger.tip.height)

    def close(self, failure: BaseException | None = None) -> None:
        """Give everything back. After a failure the directory stays marked as not stopped in order."""
        self.mempool.close()
        try:
            if failure is None:
                self.office.finish()
        except DiskFailed as error:
            failure = error
            raise
        finally:
            self.office.close()
            self.ledger.close()
            self.data.__exit__(type(failure) if failure else None, failure, None)

    def subscribe(self) -> "asyncio.Queue[FinalBlock | None]":
        """Blocks as they become final from now on; None when the reader was too slow."""
        return self.feed.subscribe()


# --- opening


def load_keys(config: Config, passphrase: Callable[[Path], bytes | None] = lambda path: None) -> NodeKeys:
    """The node key and, for a validator, the vote keys of a home. `passphrase` is asked for a sealed file."""
    opened: dict[str, bytes] = {}
    for name in (NODE_KEY, VOTE_KEY, NEXT_VOTE_KEY):
        path = key_path(config.keys, name)
        if path.exists():
            opened[name] = unlock(path, passphrase(path)).seed
    if NODE_KEY not in opened:
        raise KeystoreError(why=f"{config.keys} holds no key named {NODE_KEY}; `wattest init` makes one")

    def later(held: Collection[bytes]) -> bytes | None:
        path = key_path(config.keys, NEXT_VOTE_KEY)
        if not path.exists():
            return None
        public = bytes.fromhex(read_key_file(path).pubkey)
        if public in held or not Journal.exists(journal_of(config.data, public)):
            return None  # known, or still being made
        return unlock(path, passphrase(path)).seed

    return NodeKeys(opened[NODE_KEY], opened.get(VOTE_KEY), opened.get(NEXT_VOTE_KEY), later)


def _index_of(signers: list[Signer], ledger: Ledger) -> int | None:
    """The place of the vote key that is in office; a key may wait for it only where the set can change."""
    held = [signer.public for signer in signers]
    found = [validator.index for validator in ledger.validators if validator.vote_key in held]
    if signers and not found and not ledger.parameters.epoch_length:
        raise ConfigError(why=f"the vote key {held[0].hex()[:16]} is no validator's of this genesis")
    return found[0] if found else None


def _check_node_key(index: int | None, key: NodeKey, validators: tuple[Validator, ...]) -> None:
    if index is not None and validators[index].node_key != key.public:
        raise ConfigError(why=f"the node key {key.public.hex()[:16]} is not the one in the record of validator {index}")
    if index is None and any(validator.node_key == key.public for validator in validators):
        raise ConfigError(why="the node key is a validator's, but its vote key is missing; an observer needs its own")


# --- the process


def run_node(config: Config, keys: NodeKeys, parts: Callable[[Node], list[Part]] = lambda node: []) -> int:
    """Run the node of a home until SIGTERM or SIGINT; its exit code. What went wrong is said on stderr."""
    node: Node | None = None
    try:
        while True:
            node = Node(config, keys, log=open_log(config.home / "node.log"))
            node.parts += parts(node)
            if node.why_silent:
                print(f"warning: {node.why_silent}.", file=sys.stderr)  # noqa: T201
            if asyncio.run(_until_signal(node)) or not node.listening:
                return 0
    except (WattestError, OSError) as raised:
        error = raised if isinstance(raised, WattestError) else _disk_failed(raised)
        code = exit_code(error)
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the operator reads it, the log keeps it
        if node is not None:
            node.log.error("node_stopped", code=code, why=str(error))
            if code >= DUMP_FROM:
                write_dump(node, code, str(error))
        return code


def _disk_failed(error: OSError) -> DiskFailed:
    """What the system said of a file. Sockets have answered for themselves long before."""
    where = f" at {error.filename}" if error.filename else ""
    return DiskFailed(why=f"{error.strerror or error}{where}")


async def _until_signal(node: Node) -> bool:
    """Whether a signal ended it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tune_collector()
    await node.run(stop)
    return stop.is_set()


def tune_collector() -> None:
    """What is loaded by now stays, and later collections need not walk it. They may also come rarely: all that travels
    is free of cycles, and a block alone makes more containers than a hundred default thresholds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)


def exit_code(error: WattestError) -> int:
    if isinstance(error, KeystoreError):
        return 4
    if isinstance(error, ConfigError | GenesisInvalid):
        return 2
    return int(getattr(error, "exit_code", 1))


def write_dump(node: Node, code: int, why: str) -> None:
    """One file with what an engineer needs first: where the engine stood, its votes and quorums, the stored tip."""
    standing = node.engine.standing()
    dump: Mapping[str, Any] = {
        "schema": "dump/1",
        "code": code,
        "why": why,
        "chain": node.chain.hex(),
        "validator": node.index,
        "epoch": standing.epoch,
        "view": standing.view,
        "final_view": standing.final_view,
        "height": node.ledger.tip.height,
        "block_hash": node.ledger.tip.hash.hex(),
        "state_root": node.ledger.tip.header.state_root.hex(),
        "own_votes": [_shown(vote) for vote in standing.own_votes],
        "quorums": [_shown(quorum) for quorum in standing.quorums],
    }
    path = node.config.data / f"dump-{int(time.time())}-{code}.json"
    path.write_text(json.dumps(dump, indent=1))


def _shown(value: Any) -> dict[str, Any]:
    names = ("kind", "epoch", "view", "parent_view", "block_hash", "signer", "bitmap")
    found = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return {name: item.hex() if isinstance(item, bytes) else item for name, item in found.items()}


def main() -> int:
    """`python -m node.app HOME`: a bare node whose keys are of the test keyring, for tests and experiments."""
    config = load_config(Path(sys.argv[1]))
    try:
        keys = load_keys(config)
    except WattestError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return exit_code(error)
    return run_node(config, keys)


if __name__ == "__main__":
    sys.exit(main())
