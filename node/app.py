"""The composition root: everything a node consists of, built from its home directory and run until it is told to stop.

keys, genesis, lock -> store -> ledger -> journals, engine -> mempool, peers -> runtime
"""

import asyncio
from collections.abc import Callable, Collection
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
from node.config import CERTIFIED, SNAPSHOT, Config, KeyNotNamed
from node.failures import KeyFileUnusable, KeystoreError
from node.faults import Clock, SystemClock, crash_point
from node.genesis import read_genesis
from node.home import DataDirectory
from node.journal import UNSETTLED, Journal
from node.keystore import key_path, list_keys, open_key_file, read_key_file
from node.ledger import Ledger
from node.listening import OwnKeyWatch
from node.log import open_log
from node.mempool import Mempool
from node.offering import Offering
from node.office import Office, Term
from node.peers import Peers
from node.remedies import Remedy, votes_unknown
from node.repair import replay, require_peers, rolled_back
from node.reserve import MIB, hold
from node.runtime import FinalBlock, Runtime
from node.signatures import SignatureCache
from node.signer import Signer
from node.staging import settle
from node.transport import NodeKey
from node.voting import NEXT_VOTE_KEY, VOTE_KEY, journal_of
from node.wire import GetEntries, GetHops, GetSnapshot
from state.crypto import verify
from state.errors import DiskFailed
from state.history import transaction_position
from state.overlay import Snapshot
from state.records import Validator
from state.store import Store, open_store

NODE_KEY = "node"
ESCROW = "escrow"
FEED_QUEUE = 1_024
RESTORED_S = 0.05
GONE_DELTAS = 20  # it has asked ten times by then


@dataclass(frozen=True)
class NodeKeys:
    """Seeds of 32 bytes. Without a vote key the node is an observer. `next_vote` is the one that it rotates to.

    `later` looks for a vote key that came after the start and is none of the public keys given to it; `escrow` for the
    secrets by public key that open sealed orders, those that came after the start among them.
    """

    node: bytes = field(repr=False)
    vote: bytes | None = field(repr=False, default=None)
    next_vote: bytes | None = field(repr=False, default=None)
    later: Callable[[Collection[bytes]], bytes | None] = field(repr=False, compare=False, default=lambda held: None)
    escrow: Callable[[], dict[bytes, bytes]] = field(repr=False, compare=False, default=dict)


class Part(Protocol):
    """Something that lives beside the loop: the HTTP API, the readings' intake."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class LedgerTip:
    """What the mempool sees of the ledger (`node.trial.Tip`)."""

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
        self.escrow_keys = keys.escrow
        self.clock: Clock = clock or SystemClock()
        self.genesis, self.chain = read_genesis(config.genesis)
        self.why_silent = ""  # why a validator does not vote
        self.left_behind = False  # it has ended, because nobody keeps the blocks that it needs: a state will do
        self.warnings: list[tuple[str, Remedy | None]] = []  # what the operator must know though the node runs
        self._store: Store | None = None
        self.data = DataDirectory(config)
        try:
            self._open(keys, log)
        except BaseException as error:
            if self._store is not None:
                self._store.close()
            self.data.__exit__(type(error), error, None)
            raise

    def _open(self, keys: NodeKeys, log: FilteringBoundLogger | None) -> None:
        config, threads = self.config, self.config.number("node.verify_threads")
        signatures = SignatureCache()
        settle(config.data)
        if not self.data.had_state and not self.data.moved:
            self.data.settle()
        self._store = open_store(config.data / "state", around_sync=crash_point)
        keep_blocks = config.number("node.keep_blocks")
        self.ledger = Ledger.open(self._store, self.genesis, self.chain, signatures, keep_blocks=keep_blocks)
        if self.data.was_killed:
            self.ledger.audit()
        signers = [Signer(seed) for seed in (keys.vote, keys.next_vote) if seed is not None]
        node_key = NodeKey(keys.node)
        index = _index_of(signers, self.ledger)
        _check_node_key(index, node_key, self.ledger.validators)
        self.log = log or open_log(config.home / "node.log")
        self.log = self.log.bind(node="observer" if index is None else index)
        self._warn_of_defaults()
        parameters = self.ledger.parameters
        self.timing = Timing(parameters.delta_ms, parameters.idle_interval_ms, parameters.min_interval_ms)
        self.office = Office.open(config, self.data, self.ledger, self.timing, signers, node_key.public)
        self.rolled_back = self._repair_store(self.office.seat_of(self.ledger.validators).journal)
        journal = self.office.seat_of(self.ledger.validators).journal
        torn = journal.torn and len(self.ledger.validators) > 1
        knows_its_votes = journal.header.valid_from_epoch != UNSETTLED
        self.listening = index is not None and knows_its_votes and (self.data.moved or torn)
        self.term = self.office.term(self.listening)
        if self.listening:
            seconds = 2 * self.timing.longest_ms // 1000
            why = (
                "its data were moved, copied or restored, or its journal was torn"
                if self.data.moved
                else "the end of its journal was torn"
            )
            self.warn(f"This validator first listens for {seconds} s whether its key votes elsewhere: {why}.")
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
            certified=config.text("node.catch_up") == CERTIFIED,
        )
        self._watch_own_key()
        self.offering = self._offer_snapshots()
        self.feed = FinalFeed()
        self.runtime.watchers.append(self.feed)
        self.parts: list[Part] = [self.offering]
        if not hold(config.data, config.number("node.reserve_mib") * MIB):
            self.log.warning("no_reserve", wanted_mib=config.number("node.reserve_mib"))

    def _offer_snapshots(self) -> Offering:
        offering = Offering(self.ledger, self.peers, self.log)
        self.runtime.handle(GetSnapshot, offering.asked_snapshot)
        self.runtime.handle(GetEntries, offering.asked_entries)
        self.runtime.handle(GetHops, offering.asked_hops)
        offering.failed = self.runtime.fail
        return offering

    # --- recovery

    def _warn_of_defaults(self) -> None:
        if set(self.config.origins.values()) == {"default"}:
            path, p2p = self.config.home / "config.toml", self.config.text("node.p2p_listen")
            self.warn(
                f"{path} is missing or sets nothing: every default is in force, other nodes reach this one at {p2p}, "
                f"its API is at {self.config.text('node.api_listen')}. If that is not meant, put the file back."
            )

    def _ask_when_to_vote(self, index: int) -> None:
        """This validator does not know its own votes."""
        validators = self.ledger.validators
        quorum = ValidatorSet(tuple(validator.vote_key for validator in validators)).quorum
        amnesia = Amnesia(index, len(validators), quorum, self.journal.header.epoch)
        self.runtime.amnesia = amnesia
        if self.journal.header.valid_from_epoch != UNSETTLED:
            return  # it was told already, and hears only whether it may vote sooner
        what, remedy = votes_unknown(
            self.journal.lost,
            self.journal.set_aside,
            self.ledger.parameters.epoch_length,
            amnesia.needed,
            self.data.vote_key_started,
        )
        self.why_silent = f"{what} {remedy.do}."
        self.log.error("votes_unknown", why=what, do=remedy.do, never=remedy.never)
        self.warnings.append((what, remedy))

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
        missing = rolled_back(self.ledger, journal)
        rest = f"the others up to {wanted} come from the other validators; until then nothing is served"
        self.warn(
            f"{self.config.data / 'state'} was at block {found}, its journal says {wanted}: blocks were lost. "
            f"{replayed} were executed again from the journal, {rest if missing else 'all of them'}."
        )
        return missing

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
            why = "the validator of this node key votes with a key that this node does not hold or could not open"
            do = "where keys/vote-next.json is the new one, give both keys one passphrase and restart the node"
            self.log.error("vote_key_missing", why=why, do=do)
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

        A moved validator ends by itself once it has listened long enough: opened again, it may vote. So does a node
        whose next blocks nobody keeps, where its operator takes proven states (`node.sync = snapshot`).
        """
        loop_task = asyncio.create_task(self.runtime.run())
        stop_task = asyncio.create_task(stop.wait())
        gone_task = asyncio.create_task(self._until_left_behind())
        started: list[Part] = []
        failure: BaseException | None = None
        try:
            await self.peers.start()
            if self.rolled_back:
                await self._until_restored(loop_task, stop_task, gone_task)
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
            ends = (loop_task, stop_task, gone_task)
            await asyncio.wait(ends, timeout=listen_s, return_when=asyncio.FIRST_COMPLETED)
            if loop_task.done():
                loop_task.result()
            self.left_behind = gone_task.done() and not stop_task.done()
            if not (self.left_behind or stop_task.done()):
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
            gone_task.cancel()
            await asyncio.gather(loop_task, stop_task, gone_task, return_exceptions=True)
            self.log.info("stopped", height=self.ledger.tip.height)
            self.close(failure)

    async def _until_restored(self, *ends: "asyncio.Task[Any]") -> None:
        """Until the store is again where it stood: nobody may see a balance that was overtaken long ago."""
        while self.rolled_back and not any(end.done() for end in ends):
            await asyncio.sleep(RESTORED_S)
            self.rolled_back = rolled_back(self.ledger, self.journal)
        if not self.rolled_back:
            self.log.info("store_restored", height=self.ledger.tip.height)

    async def _until_left_behind(self) -> None:
        """Until nobody kept the next blocks for a while; never where the operator wants every block executed here."""
        step_s, found = self.timing.delta_ms / 1000, 0
        while found < GONE_DELTAS or self.config.text("node.sync") != SNAPSHOT:
            await asyncio.sleep(step_s)
            found = found + 1 if self.runtime.blocks_gone else 0
        self.log.warning("left_behind", height=self.ledger.tip.height)

    def warn(self, what: str) -> None:
        """Something was amiss and is being mended: for whoever starts the node."""
        self.warnings.append((what, None))
        self.log.warning("warning", why=what)

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
            content = read_key_file(path)
            opened[name] = open_key_file(content, passphrase(path) if content.needs_passphrase else None, path).seed
    if NODE_KEY not in opened:
        raise KeyFileUnusable(
            why=f"{key_path(config.keys, NODE_KEY)} is missing; a new home gets it from `wattest init`"
        )

    def later(held: Collection[bytes]) -> bytes | None:
        path = key_path(config.keys, NEXT_VOTE_KEY)
        if not path.exists():
            return None
        content = read_key_file(path)
        public = bytes.fromhex(content.pubkey)
        if public in held or not Journal.exists(journal_of(config.data, public)):
            return None  # known, or still being made
        return open_key_file(content, passphrase(path) if content.needs_passphrase else None, path).seed

    escrow: dict[Path, tuple[bytes, bytes]] = {}

    def escrow_keys() -> dict[bytes, bytes]:
        """Also those that were replaced: orders that were sealed to them may still be shut."""
        for name, content in list_keys(config.keys):
            path = key_path(config.keys, name)
            if content.purpose == ESCROW and path not in escrow:
                key = open_key_file(content, passphrase(path) if content.needs_passphrase else None, path)
                escrow[path] = key.public, key.seed
        return dict(escrow.values())

    escrow_keys()  # a passphrase that does not fit is said now, and not when orders wait
    return NodeKeys(opened[NODE_KEY], opened.get(VOTE_KEY), opened.get(NEXT_VOTE_KEY), later, escrow_keys)


def _index_of(signers: list[Signer], ledger: Ledger) -> int | None:
    """The place of the vote key that is in office; a key may wait for it only where the set can change."""
    held = [signer.public for signer in signers]
    found = [validator.index for validator in ledger.validators if validator.vote_key in held]
    if signers and not found and not ledger.parameters.epoch_length:
        raise KeyNotNamed(why=f"the vote key {held[0].hex()[:16]} is no validator's of this genesis")
    return found[0] if found else None


def _check_node_key(index: int | None, key: NodeKey, validators: tuple[Validator, ...]) -> None:
    if index is not None and validators[index].node_key != key.public:
        raise KeyNotNamed(why=f"the node key {key.public.hex()[:16]} is not the one in the record of validator {index}")
    if index is None and any(validator.node_key == key.public for validator in validators):
        raise KeyFileUnusable(
            why="keys/vote.json is missing, and the node key is a validator's; an observer has its own"
        )
