"""The readings' side of a node: intake, fetching and judge joined to its peers, its mempool and its ledger.

Everything that arrives from peers goes through one queue and one task, in order, so that a close does not overtake
the readings that came before it. Callables for the HTTP API: `intake.accept_batch`, `intake.accept_close`,
`store.day`, `judge.profile`.
"""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from contracts.context import BlockEnvironment
from node.baselines import Baselines
from node.fetching import Fetching, answer
from node.gossip import IMPROPER, Ignore, Sender
from node.intake import Accepted, Intake
from node.judge import Judge, Ports
from node.reached import ReachedFile
from node.readings import FOLDER, ReadingStore
from node.wire import (
    AttestationMsg,
    DayClose,
    Frame,
    GetReadings,
    Priority,
    Readings,
    encode_frame,
)
from state.errors import (
    BatchRefused,
    DecodeError,
    ReadingRefusal,
    ReadingSignature,
    StoreMismatch,
    WattestError,
)
from state.keyspace import Space, space_end
from state.overlay import Snapshot
from state.records import Meter
from state.store import LevelRows

if TYPE_CHECKING:
    from node.app import Node
    from node.runtime import FinalBlock

TICK_S = 0.2
MAX_ARRIVED = 2_048  # frames of readings and closes that wait for intake; beyond it they are fetched later
SHOWN = 3  # devices that a message names
MAX_ASKED = 64  # requests of peers that wait for an answer


class Metering:
    """A `Part` of the node and a watcher of its runtime."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._runtime, self._peers, self._ledger = node.runtime, node.peers, node.ledger
        self.store = ReadingStore(LevelRows(node.config.data / FOLDER))
        self._reached = ReachedFile(node.config.data / "readings-reached")
        self._moved: set[int] = set()  # devices whose chain is ahead of what the file says
        try:
            self._check_readings()
        except BaseException:
            self.store.shut()
            raise
        self.intake = Intake(
            self.store,
            node.chain,
            lambda: (self._ledger.store, self._ledger.tip.header.timestamp_ms),
            lambda: node.clock.wall_ms() // 1_000,
        )
        self.fetching = Fetching(self.store, self._ask, node.clock.monotonic_ms)
        self.judge = Judge(
            self.store,
            Baselines(self.store),
            node.index,
            Ports(
                tip=self._tip,
                send=lambda message: self._broadcast(message, Priority.QUORUMS),
                submit=self._submit,
                sign=self._sign,
                now_ms=node.clock.monotonic_ms,
                announce=lambda fields: self._runtime.announce(fields.pop("kind"), **fields),
                fetch=self.fetching.missed,
                log=node.log.info,
            ),
        )
        self._arrived: asyncio.Queue[tuple[Sender, Readings | DayClose]] = asyncio.Queue(MAX_ARRIVED)
        self._asked: asyncio.Queue[tuple[Sender, GetReadings]] = asyncio.Queue(MAX_ASKED)
        self._turn = 0  # which peer is asked next
        self._tasks: list[asyncio.Task[None]] = []
        self._connect()

    def _connect(self) -> None:
        listeners = self.intake.listeners
        listeners.gossip = lambda frame: self._broadcast(frame, Priority.BODIES)
        listeners.reading = self._announce_readings
        listeners.day_held = self._day_held
        listeners.gap = self.fetching.missed
        listeners.failed = self._runtime.fail
        self._runtime.handle(Readings, self._take)
        self._runtime.handle(DayClose, self._take)
        self._runtime.handle(GetReadings, self._take_request)
        self._runtime.handle(AttestationMsg, self._take_attestation)
        self._runtime.watchers.append(self)

    def _check_readings(self) -> None:
        """Nothing is judged by readings that lack what they had: they come again from peers, or the node ends here."""
        self.store.check()
        heads = self.store.heads()
        lost = self._reached.lost(heads)
        for device, head in heads:
            self._reached.note(device, head)
        if not lost:
            return
        path, what = self._node.config.data / FOLDER, "; ".join(map(str, lost[:SHOWN]))
        what += f"; and {len(lost) - SHOWN} more devices" if len(lost) > SHOWN else ""
        if len(self._ledger.validators) == 1 and self._node.index is not None:
            raise StoreMismatch(why=f"readings were lost from {path}: {what}", path=str(path))
        self._node.warn(f"Readings were lost from {path}: {what}. They are fetched again from the other validators.")

    # --- Part

    async def start(self) -> None:
        await self.intake.start()
        self._miss_everything()
        work = (self._take_in(), self._give_out(), self._tick(), self.judge.run())
        self._tasks = [asyncio.create_task(self._watched(each)) for each in work]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.intake.stop()
        self._note_reached()
        self.store.shut()

    # --- Watcher

    def committed(self, final: "FinalBlock") -> None:
        self.judge.take_seat(self._node.index)
        self.judge.on_block()

    def live(self, kind: str, fields: dict[str, Any]) -> None:
        if kind == "peer" and fields.get("connected"):
            self._miss_everything()

    def _miss_everything(self) -> None:
        """A node that was away cannot know what it missed: it asks for every device that has a meter."""
        low = bytes((Space.METER,))
        for _, meter in self._ledger.store.scan(low, space_end(low)):
            if isinstance(meter, Meter):
                self.fetching.missed(meter.device)

    # --- from peers, on the loop

    def _take(self, sender: Sender, frame: Readings | DayClose) -> None:
        if self._arrived.full():
            self.fetching.missed(frame.device if isinstance(frame, Readings) else frame.close.device)
            raise Ignore("too many readings wait for intake")
        self._arrived.put_nowait((sender, frame))

    def _take_request(self, sender: Sender, frame: GetReadings) -> None:
        if self._asked.full():
            raise Ignore("too many requests for readings wait")
        self._asked.put_nowait((sender, frame))

    def _take_attestation(self, sender: Sender, frame: AttestationMsg) -> None:
        try:
            new = self.judge.on_attestation(frame)
        except ReadingSignature as refusal:
            self._peers.blame(sender.name, IMPROPER, str(refusal))
            return
        if new:
            self._broadcast(frame, Priority.QUORUMS)

    # --- tasks

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        """A disk that fails, or a broken invariant, ends the node and not just a task of it."""
        try:
            await work
        except Exception as error:
            self._runtime.fail(error)

    async def _take_in(self) -> None:
        while True:
            sender, frame = await self._arrived.get()
            try:
                if isinstance(frame, Readings):
                    await self.intake.on_readings(frame)
                else:
                    await self.intake.on_day_close(frame)
            except (ReadingRefusal, DecodeError) as refusal:
                self._refused(sender, refusal)

    def _refused(self, sender: Sender, refusal: WattestError) -> None:
        """Only what is wrong whatever the ledger says is held against a peer: it may be ahead of this node."""
        self._node.log.info("reading_refused", peer=sender.name, code=refusal.code, why=str(refusal))
        malformed = type(refusal) is ReadingRefusal or isinstance(refusal, BatchRefused | DecodeError)
        if malformed or isinstance(refusal, ReadingSignature):
            self._peers.blame(sender.name, IMPROPER, str(refusal))

    async def _give_out(self) -> None:
        while True:
            sender, request = await self._asked.get()
            for frame in await asyncio.to_thread(answer, self.store, request):
                self._peers.send(sender.name, encode_frame(frame), Priority.BODIES)
                await asyncio.sleep(0)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._note_reached()
            for device in self.judge.devices_behind():
                self.fetching.missed(device)
            self.fetching.on_tick()
            await self.judge.on_tick()

    def _note_reached(self) -> None:
        while self._moved:
            device = self._moved.pop()
            self._reached.note(device, self.store.head(device))
        self._reached.write()

    def _day_held(self, device: int, day: int) -> None:
        self._moved.add(device)
        self.judge.on_close(device, day)

    # --- outward

    def _broadcast(self, frame: Frame, priority: Priority) -> None:
        self._peers.broadcast(encode_frame(frame), priority)

    def _ask(self, request: GetReadings) -> None:
        connections = self._peers.connected_validators
        if connections:
            self._turn += 1
            to = connections[self._turn % len(connections)].sender.name
            self._peers.send(to, encode_frame(request), Priority.BODIES)

    async def _submit(self, raw: bytes) -> None:
        result = (await self._node.mempool.admit([raw]))[0]
        if isinstance(result, WattestError):
            raise result

    def _tip(self) -> tuple[Snapshot, BlockEnvironment]:
        tip = self._ledger.tip
        time_ms = max(self._node.clock.wall_ms(), tip.header.timestamp_ms + 1)
        return self._ledger.store, self._ledger.environment(tip.hash, time_ms)

    def _announce_readings(self, accepted: Accepted) -> None:
        last = accepted.last
        assert last is not None
        self._moved.add(accepted.device)
        reading = last.reading
        self._runtime.announce(
            "reading",
            device=accepted.device,
            count=accepted.accepted,
            seq=last.seq,
            timestamp=reading.timestamp,
            power_w=reading.power_w,
            wind_mm_s=reading.wind_mm_s,
            temperature_centi_c=reading.temperature_centi_c,
            insolation_mwh_m2=reading.insolation_mwh_m2,
        )

    def _sign(self, message: bytes) -> bytes:
        """With the vote key that is in office now."""
        assert self._node.index is not None, "an observer attests nothing"
        assert self._node.signer is not None
        return self._node.signer.sign(message)
