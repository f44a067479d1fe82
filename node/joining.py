"""Before a node opens its state: fetch a whole one from a peer, where the operator wants that (`node.sync = snapshot`).

    ask for a snapshot -> hops from the genesis to its epoch -> its header is final -> entries, chunk by chunk
    -> their sum is the header's state root -> the journal learns the Finalization -> the new state is swapped in

Nothing of it rests on the peer: hops and header are proven by signatures of validators that the genesis leads to, the
entries by the state root in that header. A single chunk proves nothing, so all of them come from one peer, and where
anything is wrong everything from that peer is thrown away, the peer is banned, and another one is asked. A peer that is
silent, slow, or sends less than it could loses its turn.

There is no engine yet and no vote is made. Questions of others for a state are answered with "none".
"""

import asyncio
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from time import monotonic
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from consensus.validators import ValidatorSet
from contracts.genesis import Genesis, genesis_state
from contracts.membership import validators_in
from node.attempt import Attempt, ChunksLost, size_of
from node.config import Config
from node.faults import Clock, SystemClock, reach
from node.gossip import BAN_AT, Ignore, Reject, Sender, check_frame
from node.home import unsettle
from node.hops import Trust
from node.ledger import genesis_block
from node.peers import Peers
from node.staging import CURRENT, Staging, settle, swap_in
from node.transport import NodeKey
from node.voting import journal_of, learn_final
from node.wire import (
    MAX_CHUNKS,
    Entries,
    Frame,
    GetSnapshot,
    Hops,
    NoSnapshot,
    Priority,
    Snapshot,
    encode_frame,
)
from state.crypto import verify
from state.errors import ConsensusRefusal
from state.store import MemoryStore, open_store

ANSWER_S = 10.0  # for each answer: half a MiB in ten seconds is the slowest peer that is of use
LOOK_S = 20.0  # a node that has a state does not wait longer for somebody to offer a newer one
AGAIN_S = 1.0
BACK_S = 10.0  # a peer whose connection ended may be back by then, and goes on where it was
RESUMES = 3  # in a row without a chunk between
QUEUE = 64

Answer = TypeVar("Answer", Snapshot, Entries, Hops)


class PeerFailed(Exception):
    """This peer is of no use now; nothing is held against it."""


class ConnectionEnded(PeerFailed):
    """It may come back."""


@dataclass(frozen=True)
class Progress:
    """For operators. `stage`: looking, proving, fetching, installing, done."""

    stage: str = "looking"
    peer: int | None = None
    height: int = 0
    entries: int = 0
    of_entries: int = 0
    peers: int = 0
    dropped: int = 0  # peers that lied or failed, counted each time


@dataclass(frozen=True)
class Own:
    """What this home has already: (epoch, view, height) of its state, and its keys."""

    tip: tuple[int, int, int]
    vote_keys: tuple[bytes, ...]


class Joining:
    """`run` once; it owns its connections and the folder of the new state. Listener of its peers."""

    def __init__(
        self,
        config: Config,
        genesis: Genesis,
        chain: bytes,
        node_key: NodeKey,
        vote_keys: tuple[bytes, ...],
        log: FilteringBoundLogger,
        clock: Clock | None = None,
        gone: bool = False,
    ) -> None:
        """`gone`: of the blocks above the state that is here it was found that nobody keeps them."""
        self._gone = gone
        self._config, self._genesis, self._chain, self._log = config, genesis, chain, log
        validators = validators_in(genesis_state(genesis, MemoryStore()))
        vote_keys = tuple(validator.vote_key for validator in validators)
        self._trust = Trust(chain, vote_keys, genesis.parameters.epoch_length, verify)
        self._others = [validator for validator in validators if validator.node_key != node_key.public]
        enough = ValidatorSet(tuple(validator.vote_key for validator in validators)).f + 1
        self._needed = min(enough, len(self._others))  # so many without a snapshot, and one of them is honest
        settle(config.data)
        self._own = Own(_tip(config), vote_keys)
        listen = config.text("node.p2p_listen")
        addresses = {
            bytes.fromhex(genesis.validators[index].node_key): address
            for index, address in config.peer_addresses().items()
            if index < len(genesis.validators)
        }
        self.peers = Peers(node_key, chain, validators, listen, clock or SystemClock(), log, addresses)
        self.peers.listener = self
        self._count = len(validators)
        self._source: str | None = None
        self._answers: asyncio.Queue[Frame | None] = asyncio.Queue(QUEUE)
        self._arrived = asyncio.Event()
        self._failures: Counter[str] = Counter()
        self._none: set[str] = set()  # peers that have nothing newer
        self._later: set[str] = set()  # that had none when they were asked
        self.progress = Progress()

    @property
    def own_height(self) -> int:
        """Of the state that this home has already."""
        return self._own.tip[2]

    async def run(self) -> bool:
        """Whether a newer state was installed. False: nobody has one, and blocks will do."""
        if not self._others:
            return False
        await self.peers.start()
        began_s = monotonic()
        try:
            while True:
                source = await self._next_source()
                if monotonic() - began_s > LOOK_S and len(self._none | self._later) >= self._needed:
                    # the chain may stand still because this very node is missing: nobody will have one then
                    self._log.warning("no_snapshot_offered", waited_s=LOOK_S)
                    return False
                if source is None:
                    if len(self._none) >= self._needed:
                        self._log.info("no_snapshot", asked=len(self._none))
                        return False
                    if self._own.tip[2] and monotonic() - began_s > LOOK_S:
                        self._log.warning("no_snapshot_offered", waited_s=LOOK_S)
                        return False
                elif await self._try(source):
                    return True
        finally:
            await self.peers.stop()

    async def _next_source(self) -> str | None:
        """A connected validator that was of trouble least often; waits a moment where there is none to ask."""
        names = [c.sender.name for c in self.peers.connected_validators if c.sender.name not in self._none]
        self._show(peers=len(self.peers.connected_validators))
        source = min(names, key=lambda name: (self._failures[name], name), default=None)
        if source is None or self._failures[source]:
            await asyncio.sleep(AGAIN_S if source else AGAIN_S / 5)
        return source

    async def _try(self, source: str) -> bool:
        """Everything from this one peer; whether it is installed. Afterwards nothing of a failed attempt is left."""
        self._source, self._answers = source, asyncio.Queue(QUEUE)
        staging: Staging | None = None
        try:
            attempt = Attempt(self.own_height, self._trust, self._gone)
            if not await self._offer(source, attempt):
                return False
            staging = Staging(self._config.data)
            await self._fetch(source, attempt, staging)
            self._show(stage="installing")
            first, length = genesis_block(self._genesis)[0], self._genesis.parameters.epoch_length
            await asyncio.to_thread(staging.finish, self._chain, first, length, attempt.offer, self._trust.hops)
            self._install(attempt.offer)
        except ConsensusRefusal as lie:
            self._drop(source, str(lie), banned=True)
        except (PeerFailed, TimeoutError) as failure:
            self._drop(source, str(failure) or f"it did not answer within {ANSWER_S:g} s", banned=False)
        except asyncio.CancelledError:
            staging = None  # a thread may still write to it; `settle` throws it away at the next start
            raise
        else:
            return True
        finally:
            self._source = None
            if staging is not None:
                staging.discard()
        return False

    def _drop(self, source: str, why: str, banned: bool) -> None:
        self._failures[source] += 1
        self._show(stage="looking", peer=None, entries=0, of_entries=0, dropped=self.progress.dropped + 1)
        self._log.warning("snapshot_dropped", peer=source, banned=banned, why=why)
        if banned:
            self.peers.blame(source, BAN_AT, why)

    # --- the steps

    async def _offer(self, source: str, attempt: Attempt) -> bool:
        """A header that is final by validators that the genesis leads to; False where the peer has nothing newer."""
        offer = await self._ask(source, attempt.ask(), Snapshot)
        if offer is None:
            self._none.add(source)
            return False
        self._show(stage="proving", peer=self._index(source), height=offer.header.height)
        attempt.offered(offer)
        while (question := attempt.next_hops()) is not None:
            for hop in attempt.hops_of(await self._ask(source, question, Hops)):
                self._trust.follow(hop)
                await asyncio.sleep(0)  # a hop is up to 171 signatures
        attempt.require_final()
        return True

    async def _fetch(self, source: str, attempt: Attempt, staging: Staging) -> None:
        self._show(stage="fetching", of_entries=attempt.offer.entries)
        expected = resumes = 0
        while True:
            try:
                if expected == 0:
                    self._send(source, attempt.next_entries())
                    expected = MAX_CHUNKS
                chunk = await self._answer(Entries)
                if chunk is None:
                    raise PeerFailed("it let its snapshot go")
                if not attempt.take(chunk):
                    continue
            except (ConnectionEnded, ChunksLost) as ended:
                resumes, expected = resumes + 1, 0
                if resumes > RESUMES:
                    raise PeerFailed(str(ended)) from ended
                await self._back(source)
                continue
            resumes = 0
            self._require_room(size_of(chunk))
            expected -= 1
            await asyncio.to_thread(staging.add, chunk.keys, chunk.values)
            reach("chunk")
            self._show(entries=attempt.entries)
            if chunk.last:
                return

    async def _back(self, source: str) -> None:
        """Wait until the peer is connected again. It keeps its snapshot for a while, and no other has the same."""
        self._log.info("snapshot_interrupted", peer=source, entries=self.progress.entries)
        async with asyncio.timeout(BACK_S):
            while source not in [connection.sender.name for connection in self.peers.connected_validators]:
                self._arrived.clear()
                await self._arrived.wait()
        self._answers = asyncio.Queue(QUEUE)

    def _require_room(self, size: int) -> None:
        free = shutil.disk_usage(self._config.data).free
        if size * 4 > free:
            raise PeerFailed(f"the disk has {free} bytes left")

    def _install(self, offer: Snapshot) -> None:
        for key in self._own.vote_keys:
            directory = journal_of(self._config.data, key)
            learn_final(directory, self._chain, key, self._own.tip, offer.finalization, lambda: unsettle(self._config))
        swap_in(self._config.data)
        self._show(stage="done")
        self._log.info(
            "snapshot_installed",
            height=offer.header.height,
            entries=offer.entries,
            epochs=len(self._trust.hops),
            dropped=self.progress.dropped,
        )

    # --- asking

    async def _ask(self, source: str, question: Frame, kind: type[Answer]) -> Answer | None:
        self._send(source, question)
        return await self._answer(kind)

    async def _answer(self, kind: type[Answer]) -> Answer | None:
        """The next answer of that kind; None for "none" and "gone". PeerFailed where the peer is not there any more."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                frame = await self._answers.get()
                if frame is None:
                    raise ConnectionEnded("its connection ended")
                if isinstance(frame, NoSnapshot):
                    if frame.why == "later":
                        self._later.add(self._source or "")
                        raise PeerFailed("it has none to offer now")
                    return None
                if isinstance(frame, kind):
                    return frame

    def _send(self, source: str, question: Frame) -> None:
        if not self.peers.send(source, encode_frame(question), Priority.QUORUMS, asks=True):
            raise ConnectionEnded("it is not connected")

    # --- Listener

    def frame_received(self, sender: Sender, frame: Frame) -> None:
        check_frame(frame, sender, self._count)
        if isinstance(frame, GetSnapshot):
            self.peers.send(sender.name, encode_frame(NoSnapshot("none")), Priority.BODIES)
        elif isinstance(frame, Snapshot | NoSnapshot | Entries | Hops) and sender.name == self._source:
            try:
                self._answers.put_nowait(frame)
            except asyncio.QueueFull:
                raise Reject("more chunks of a snapshot than were asked for") from None
        elif isinstance(frame, Entries):
            raise Ignore("a chunk that comes too late")

    def peer_up(self, sender: Sender) -> None:
        self._none.discard(sender.name)
        self._arrived.set()

    def peer_down(self, sender: Sender) -> None:
        if sender.name == self._source and not self._answers.full():
            self._answers.put_nowait(None)

    # --- telling

    def _index(self, name: str) -> int | None:
        return next((c.sender.index for c in self.peers.connected_validators if c.sender.name == name), None)

    def _show(self, **changes: object) -> None:
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]


def _tip(config: Config) -> tuple[int, int, int]:
    """Of the state that is there: zeros where there is none. StoreError where it cannot be opened."""
    path = config.data / CURRENT
    if not path.exists():
        return (0, 0, 0)
    store = open_store(path, create=False)
    try:
        meta = store.meta()
        return (0, 0, 0) if meta is None else (meta.epoch, meta.view, meta.height)
    finally:
        store.close()
