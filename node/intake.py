"""Intake: what a meter or gateway sends becomes part of a device's chain on disk, or is refused with a code.

A batch is taken whole or not at all, and acknowledged only after the synced write. The order of the checks: shape and
limits, the credential that the ledger's records name, its term, the signature, and then the chain (`node/chaining.py`).
Checks and writes run on one thread of their own, one batch at a time, so that the event loop keeps its pace and the
chain has one writer. What is new is handed on once to the other validators; what peers send out of order is parked
until the part before it came, or fetched (`node/fetching.py`).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from contracts.keys import key_changes
from node.chaining import Extension, check_close, complete, extend, parse_batch
from node.readings import Head, ReadingStore
from node.wire import Close, DayClose, Readings
from state.crypto import signed_bytes, verify
from state.errors import (
    BatchRefused,
    CloseDiffers,
    CredentialOver,
    DecodeError,
    IntakeBusy,
    NoCredential,
    OutOfOrder,
    ReadingSignature,
    StoreError,
    WrongCredential,
)
from state.keyspace import device_key, gateway_key, meter_key
from state.outputs import NEVER
from state.overlay import Snapshot
from state.records import Device, Gateway, Meter
from state.units import DAY_S
from verifier.reading import SignedReading, parse_signed
from verifier.source import is_source

READINGS_TAG = "wattest/readings"
CLOSE_TAG = "wattest/dayclose"

MAX_WAITING = 64  # batches before the writer: about two seconds of work; then the sender is told to wait
RECENT = 4_096  # signatures of what was stored lately: gossip brings everything once per peer
PARKED_PER_DEVICE = 64  # batches ahead of a gap; more of them are fetched when the gap is closed

T = TypeVar("T")


@dataclass(frozen=True)
class Credential:
    """Who may sign for a device: `origin` is the gateway's number, 0 for the meter's own key."""

    key: bytes
    origin: int
    before_s: int = NEVER  # it signs for readings and days before this second


@dataclass(frozen=True)
class Accepted:
    """`closed` are the days that are held completely since this arrived."""

    device: int
    accepted: int
    duplicates: int
    last: SignedReading | None = None
    closed: tuple[int, ...] = ()


def _ignore(*_: object) -> None:
    """Nobody listens."""


@dataclass
class Listeners:
    """Who is told, on the event loop: peers of what is new, streams of readings, the judge of complete days, the
    fetcher of gaps, the node of a disk that failed."""

    gossip: Callable[[Readings | DayClose], None] = _ignore
    reading: Callable[[Accepted], None] = _ignore
    day_held: Callable[[int, int], None] = _ignore
    gap: Callable[[int], None] = _ignore
    failed: Callable[[BaseException], None] = _ignore


@dataclass
class _Stored:
    """What the writer's thread did."""

    extension: Extension
    closed: list[int] = field(default_factory=list)


class Intake:
    """`ledger()` gives the committed state and its block time in ms; `clock()` this node's time in s."""

    def __init__(
        self,
        store: ReadingStore,
        chain: bytes,
        ledger: Callable[[], tuple[Snapshot, int]],
        clock: Callable[[], int],
    ) -> None:
        self.store = store
        self.listeners = Listeners()
        self._chain = chain
        self._ledger = ledger
        self._clock = clock
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="intake")
        self._waiting = 0
        self._recent: OrderedDict[bytes, None] = OrderedDict()
        self._parked: dict[int, dict[int, Readings]] = {}

    async def start(self) -> None:
        """Finish what a crash interrupted: closes whose readings are all there."""
        for device, _ in self.store.heads():
            for day in await self._on_writer(self._complete_closes, device):
                self.listeners.day_held(device, day)

    async def stop(self) -> None:
        """Let the writer finish what it began."""
        await asyncio.to_thread(self._writer.shutdown)

    # --- from meters and gateways

    async def accept_batch(self, raws: Sequence[str], key: bytes, signature: bytes) -> Accepted:
        """Store a signed batch of one device; ReadingRefusal or DecodeError refuses all of it."""
        if not raws:
            raise BatchRefused(why="it holds no reading")
        try:
            device = parse_signed(raws[0].encode()).device
        except UnicodeEncodeError:
            raise BatchRefused(why="reading 0 of it is not UTF-8") from None
        try:
            return await self._accept(Readings(device, tuple(raws), key, signature))
        except OutOfOrder:
            self.listeners.gap(device)  # another validator may hold what is missing here
            raise

    async def accept_close(self, close: Close, key: bytes, signature: bytes) -> bool:
        """Store a signed close; False if it was held already. It may come before its readings."""
        return await self._accept_close(DayClose(close, key, signature))

    # --- from peers

    async def on_readings(self, frame: Readings) -> None:
        """Gossip or an answer to a fetch; refusals are the sender's fault, a gap is not."""
        if frame.signature in self._recent:
            return
        try:
            await self._accept(frame, relayed=True)
        except OutOfOrder:
            # Refused for its place alone: the signature held, so only an accredited credential can fill the park.
            self._park(frame)
            self.listeners.gap(frame.device)

    async def on_day_close(self, frame: DayClose) -> None:
        if frame.signature in self._recent:
            return
        await self._accept_close(frame, relayed=True)
        if self.store.head(frame.close.device).held_seq < frame.close.last_seq:
            self.listeners.gap(frame.close.device)

    # --- letting go

    async def let_go(self, device: int, days: Sequence[int], keep: Callable[[int, int], None]) -> None:
        """Drop the readings of closed days; `keep` is called for each before, on the writer's thread."""

        def work() -> None:
            for day in days:
                keep(device, day)
                self.store.drop_day(device, day)

        await self._on_writer(work)

    # --- on the event loop

    async def _accept(self, batch: Readings, relayed: bool = False) -> Accepted:
        credential = self._credential(batch.device, batch.key, relayed)
        stored = await self._on_writer(self._store_batch, batch, credential, self._is_source(batch.device))
        extension = stored.extension
        self._remember(batch.signature)
        accepted = Accepted(
            batch.device, len(extension.new), extension.duplicates, extension.last, tuple(stored.closed)
        )
        if extension.new:
            self.listeners.gossip(batch)
            self.listeners.reading(accepted)
        for day in stored.closed:
            self.listeners.day_held(batch.device, day)
        await self._unpark(batch.device, extension.head.last_seq)
        return accepted

    async def _accept_close(self, signed: DayClose, relayed: bool = False) -> bool:
        close = signed.close
        credential = self._credential(close.device, signed.key, relayed)
        if close.day * DAY_S >= credential.before_s:
            raise WrongCredential(device=close.device, why="its key was replaced before that day")
        new, closed = await self._on_writer(self._store_close, signed)
        self._remember(signed.signature)
        if new:
            self.listeners.gossip(signed)
        for day in closed:
            self.listeners.day_held(close.device, day)
        return new

    def _credential(self, device: int, key: bytes, relayed: bool) -> Credential:
        """Of whoever signed: the current key, or from a peer also one that was current when the readings were made."""
        snapshot, time_ms = self._ledger()
        credential = credential_of(snapshot, time_ms, device)
        if credential.key != key:
            former = former_credential(snapshot, device, key) if relayed else None
            if former is not None:
                return former
            raise WrongCredential(device=device, why="the batch is signed by another key")
        return credential

    def _is_source(self, device: int) -> bool:
        record = self._ledger()[0].get(device_key(device))
        return isinstance(record, Device) and is_source(record.facts)

    async def _on_writer(self, work: Callable[..., T], *arguments: object) -> T:
        if self._waiting >= MAX_WAITING:
            raise IntakeBusy(waiting=self._waiting)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, work, *arguments)
        except StoreError as error:
            self.listeners.failed(error)
            raise
        finally:
            self._waiting -= 1

    def _remember(self, signature: bytes) -> None:
        self._recent[signature] = None
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    def _park(self, batch: Readings) -> None:
        parked = self._parked.setdefault(batch.device, {})
        first = parse_signed(batch.raws[0].encode()).seq
        if len(parked) < PARKED_PER_DEVICE or first in parked:
            parked[first] = batch

    async def _unpark(self, device: int, last_seq: int) -> None:
        """Take up what waited for the part that has just come."""
        parked = self._parked.get(device, {})
        ready = sorted(first for first in parked if first <= last_seq + 1)
        for batch in [parked.pop(first) for first in ready]:
            await self.on_readings(batch)
        if not parked:
            self._parked.pop(device, None)

    # --- on the writer's thread

    def _store_batch(self, batch: Readings, credential: Credential, weather_only: bool) -> _Stored:
        parsed = parse_batch(batch.raws)
        first, last = parsed[0], parsed[-1]
        if weather_only and any(each.reading.power_w is not None or each.register_wh is not None for each in parsed):
            raise BatchRefused(why="a climate source gives no power")
        if first.device != batch.device:
            raise BatchRefused(why="it holds readings of another device than it names")
        if first.origin != credential.origin:
            raise WrongCredential(device=batch.device, why=f"the readings name origin {first.origin}")
        if not verify(batch.key, signed_bytes(READINGS_TAG, self._chain, batch.raws), batch.signature):
            raise ReadingSignature(what="readings", device=batch.device)
        if last.reading.timestamp >= credential.before_s:
            raise WrongCredential(device=batch.device, why="its key was replaced before these readings")
        head = self.store.head(batch.device)
        extension = extend(
            head,
            batch,
            parsed,
            lambda seq: self.store.raw(batch.device, seq),
            self._closes_around(batch.device, head.last_seq + 1, last.seq),
            self._clock(),
        )
        if not extension.new:
            return _Stored(extension)
        self.store.append(batch, extension.new, extension.head)
        return _Stored(extension, self._complete_closes(batch.device))

    def _closes_around(self, device: int, first_seq: int, last_seq: int) -> list[DayClose]:
        before = self.store.close_before(device, first_seq)
        return ([] if before is None else [before]) + self.store.closes(device, first_seq - 1, last_seq)

    def _store_close(self, signed: DayClose) -> tuple[bool, list[int]]:
        close, head = signed.close, self.store.head(signed.close.device)
        if not verify(signed.key, signed_bytes(CLOSE_TAG, self._chain, close), signed.signature):
            raise ReadingSignature(what="day close", device=close.device)
        same_day = self.store.close_of(close.device, close.day)
        before = self.store.close_before(close.device, close.last_seq)
        behind = self.store.close_from(close.device, close.last_seq)
        if not check_close(close, head, same_day, before, behind, self._clock()):
            return False, []
        held = self._completed(close, head)  # refused before it is stored, where the readings are here already
        self.store.add_close(signed, held or head)
        if held is None:
            return True, []
        return True, [close.day, *self._complete_closes(close.device)]

    def _complete_closes(self, device: int) -> list[int]:
        """Days that became complete, in order. A close that does not fit the readings that came for it is dropped."""
        days = []
        head = self.store.head(device)
        while (signed := self.store.close_from(device, head.held_seq + 1)) is not None:
            try:
                held = self._completed(signed.close, head)
            except CloseDiffers:
                self.store.drop_close(signed)
                continue
            if held is None:
                break
            self.store.put_head(device, held)
            head = held
            days.append(signed.close.day)
        return days

    def _completed(self, close: Close, head: Head) -> Head | None:
        if head.last_seq < close.last_seq:
            return complete(close, head, (), None)
        texts = self.store.day(close.device, close.day)
        return complete(close, head, texts, self.store.raw(close.device, close.last_seq))


def credential_of(snapshot: Snapshot, time_ms: int, device: int) -> Credential:
    """The key that the ledger's records name for a device now; NoCredential or CredentialOver where there is none."""
    record, meter = snapshot.get(device_key(device)), snapshot.get(meter_key(device))
    if not isinstance(record, Device):
        raise NoCredential(device=device, why="there is no such device")
    if not isinstance(meter, Meter):
        raise NoCredential(device=device, why="it has no meter")
    _require_term(f"device {device}", record.until, time_ms)
    _require_term(f"the meter of device {device}", meter.until, time_ms)
    if not meter.gateway:
        return Credential(meter.key, 0)
    gateway = snapshot.get(gateway_key(meter.gateway))
    if not isinstance(gateway, Gateway):
        raise NoCredential(device=device, why=f"there is no gateway {meter.gateway}")
    _require_term(f"gateway {meter.gateway}", gateway.until, time_ms)
    return Credential(gateway.key, meter.gateway)


def former_credential(snapshot: Snapshot, device: int, key: bytes) -> Credential | None:
    """A replaced key of the device's meter or gateway, for what was read before the change: a node that was away
    fetches it from its peers."""
    meter = snapshot.get(meter_key(device))
    if not isinstance(meter, Meter):
        return None
    kind, subject = ("gateway", meter.gateway) if meter.gateway else ("meter", device)
    for change in key_changes(snapshot, kind, subject):
        if change.former == key:
            return Credential(key, meter.gateway, change.at)
    return None


def _require_term(what: str, until: int, time_ms: int) -> None:
    if time_ms >= until * 1000:
        raise CredentialOver(what=what, until=until, now=time_ms // 1000)


def closed_by(values: Sequence[object]) -> Close:
    """The close of a posted JSON array `[device, day, last_seq, count, head_hash hex, readings_root hex]`."""
    match values:
        case [int() as device, int() as day, int() as last_seq, int() as count, str() as head, str() as root]:
            numbers = ((device, 32), (day, 32), (last_seq, 64), (count, 32))
            if any(isinstance(value, bool) or not 0 <= value < 2**bits for value, bits in numbers):
                raise DecodeError(why="a number of the close is out of its range")
            try:
                close = Close(device, day, last_seq, count, bytes.fromhex(head), bytes.fromhex(root))
            except ValueError:
                raise DecodeError(why="a hash of the close is not hexadecimal") from None
            if len(close.head_hash) != 32 or len(close.readings_root) != 32:
                raise DecodeError(why="a hash of the close has not 32 bytes")
            return close
        case _:
            raise DecodeError(why="a close is [device, day, last_seq, count, head_hash, readings_root]")
