"""The readings' side of a running node: intake, fetching and judge joined to the loop, the peers and the mempool.

meters, gateways -> intake -> (gossip) -> peers          frames of peers -> intake | judge | answers
a complete day   -> judge  -> attestation -> peers       q equal ones -> issue -> mempool
"""

import asyncio
from functools import partial
from typing import Any

from contracts.context import BlockEnvironment
from node.app import LedgerTip, Node
from node.baselines import Baselines
from node.fetching import Fetching, answer
from node.gossip import IMPROPER, MALFORMED, Ignore, Sender
from node.intake import Accepted, Intake
from node.judge import Judge, Ports
from node.readings import ReadingStore
from node.runtime import FinalBlock
from node.wire import AttestationMsg, DayClose, Frame, GetReadings, Priority, Readings, encode_frame
from state.errors import DecodeError, WattestError
from state.overlay import Snapshot
from state.store import LevelRows

TICK_S = 0.1
MAX_FRAMES = 512  # of readings, closes and attestations that wait to be worked on; what is dropped is fetched later


class Measuring:
    """A part of the node (`node.app.Part`) and a watcher of its blocks (`node.runtime.Watcher`)."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tip = LedgerTip(node.ledger, node.clock)
        self._announce = node.runtime.announce
        self.store = ReadingStore(LevelRows(node.config.data / "readings"))
        self.intake = Intake(self.store, node.chain, self._committed, lambda: node.clock.wall_ms() // 1000)
        self.judge = Judge(self.store, Baselines(self.store), node.index, self._ports())
        self.fetching = Fetching(self.store, self._ask, node.clock.monotonic_ms)
        listeners = self.intake.listeners
        listeners.gossip = partial(self._broadcast, priority=Priority.BODIES)
        listeners.reading = self._show_reading
        listeners.day_held = self.judge.on_close
        listeners.gap = self.fetching.missed
        self._frames: asyncio.Queue[tuple[Sender, Frame]] = asyncio.Queue(MAX_FRAMES)
        self._asked = 0
        self._tasks: list[asyncio.Task[None]] = []
        for kind in (Readings, DayClose, AttestationMsg, GetReadings):
            node.runtime.handle(kind, self._received)
        node.runtime.watchers.append(self)

    async def start(self) -> None:
        await self.intake.start()
        for device, _ in self.store.heads():
            self.fetching.missed(device)
        self._tasks = [asyncio.create_task(work) for work in (self._work_off(), self.judge.run(), self._tick())]
        for task in self._tasks:
            task.add_done_callback(self._node.runtime.fail_with)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.intake.stop()
        self.store.shut()

    # --- blocks (node.runtime.Watcher)

    def committed(self, final: FinalBlock) -> None:
        self.judge.on_block()

    def live(self, kind: str, fields: dict[str, Any]) -> None:
        """A peer that comes back may hold what this node missed, and the other way round."""
        if kind == "peer" and fields["connected"]:
            for device, _ in self.store.heads():
                self.fetching.missed(device)

    # --- frames of peers

    def _received(self, sender: Sender, frame: Frame) -> None:
        if self._frames.full():
            raise Ignore("too many readings wait to be stored")
        self._frames.put_nowait((sender, frame))

    async def _work_off(self) -> None:
        while True:
            sender, frame = await self._frames.get()
            try:
                await self._handle(sender, frame)
            except DecodeError as error:
                self._node.peers.blame(sender.name, MALFORMED, str(error))
            except WattestError as error:
                if getattr(error, "senders_fault", True):
                    self._node.peers.blame(sender.name, IMPROPER, str(error))

    async def _handle(self, sender: Sender, frame: Frame) -> None:
        match frame:
            case Readings():
                await self.intake.on_readings(frame)
            case DayClose():
                await self.intake.on_day_close(frame)
            case AttestationMsg():
                self.judge.on_attestation(frame)
            case GetReadings():
                for part in await asyncio.to_thread(answer, self.store, frame):
                    self._node.peers.send(sender.name, encode_frame(part), Priority.BODIES)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.fetching.on_tick()
            await self.judge.on_tick()

    # --- what intake and judge ask for

    def _ports(self) -> Ports:
        node = self._node
        sign = node.signer.sign if node.signer is not None else _observers_sign_nothing
        return Ports(
            tip=self._view,
            send=partial(self._broadcast, priority=Priority.BODIES),
            submit=partial(submit, node),
            sign=sign,
            now_ms=node.clock.monotonic_ms,
            announce=lambda fields: self._announce(**fields),
            log=node.log.info,
        )

    def _committed(self) -> tuple[Snapshot, int]:
        return self._node.ledger.store, self._node.ledger.tip.header.timestamp_ms

    def _view(self) -> tuple[Snapshot, BlockEnvironment]:
        return self._node.ledger.store, self._tip.next_environment()

    def _broadcast(self, frame: Frame, priority: Priority) -> None:
        self._node.peers.broadcast(encode_frame(frame), priority, observers=True)

    def _ask(self, request: GetReadings) -> None:
        """One validator, another one each time."""
        peers = self._node.peers.connected_validators
        if peers:
            self._asked += 1
            peer = peers[self._asked % len(peers)].sender.name
            self._node.peers.send(peer, encode_frame(request), Priority.BODIES)

    def _show_reading(self, accepted: Accepted) -> None:
        last = accepted.last
        if last is not None:
            self._announce(
                "reading",
                device=accepted.device,
                count=accepted.accepted,
                seq=last.seq,
                timestamp=last.reading.timestamp,
                power_w=last.reading.power_w,
            )


async def submit(node: Node, raw: bytes) -> None:
    """A transaction of this node's own making; raises what the mempool refuses it with."""
    for result in await node.mempool.admit([raw]):
        if isinstance(result, WattestError):
            raise result


def _observers_sign_nothing(message: bytes) -> bytes:
    raise AssertionError("an observer attests nothing")
