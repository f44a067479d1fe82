"""One unit behind a gateway: from its raw posts to a signed chain, as pure bookkeeping over a log.

Whatever happens to a unit is a record; the state is what the records add up to, so a restarted gateway continues the
chain where it was. A reading of a new UTC day closes the day before it, and nothing is added to a closed day.
"""

from collections import deque
from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec.structs import replace

from state.codec import Wire
from state.errors import FutureReading, LateReading, UndeclaredChannel
from state.merkle import merkle_root
from state.units import DAY_S, U32, U64, Hash
from verifier.reading import NO_PREVIOUS, Reading, SignedReading, format_signed, reading_hash

FUTURE_S = 60  # stricter than a validator's own bound, so that what is signed here is not refused there
SHORTEST_S, LONGEST_S = 60, 3_600  # intervals that can be learnt from a stream

Place = Literal["next", "out_of_order", "second_value", "repeated"]

CHANNELS = {"wind": "wind_mm_s", "temperature": "temperature_centi_c", "insolation": "insolation_mwh_m2"}


class UnitSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of units.json. An interval of 0 is learnt; without `channels` every channel may be delivered."""

    device: U32
    interval_s: U32 = 0
    channels: tuple[Literal["wind", "temperature", "insolation"], ...] | None = None


class Base(Wire, frozen=True, tag="base"):
    """Where a unit's chain stood before the first record that is still kept."""

    unit: str
    seq: U64 = 0
    prev: Hash = NO_PREVIOUS
    day: U32 = 0
    open: bool = False  # whether `day` has readings and no close yet
    register_ws: U64 = 0  # energy so far in W s, of which the readings carry whole Wh
    interval_s: U32 = 0
    time_s: U64 = 0  # of the last reading
    sent_seq: U64 = 0
    sent_day: U32 = 0  # of the last close that a validator acknowledged


class Signed(Wire, frozen=True, tag="signed"):
    """A raw post that became the next reading of the chain."""

    unit: str
    seq: U64
    time_s: U64
    reading: Reading
    register_ws: U64
    interval_s: U32
    text: str


class Closed(Wire, frozen=True, tag="closed"):
    """The end of a day: `count` readings up to `last_seq`."""

    unit: str
    day: U32
    last_seq: U64
    count: U32
    head_hash: Hash
    readings_root: Hash


class Sent(Wire, frozen=True, tag="sent"):
    """A validator acknowledged everything up to here."""

    unit: str
    seq: U64
    day: U32


Record = Base | Signed | Closed | Sent


class Unit:
    """The chain of one unit. Methods that make records do not apply them: the caller applies, appends and waits."""

    def __init__(self, name: str, setting: UnitSetting, origin: int) -> None:
        self.name = name
        self.setting = setting
        self._origin = origin
        self._base = Base(name, interval_s=setting.interval_s)
        self.at = self._base  # where the chain stands now
        self._kept: deque[Signed | Closed] = deque()  # unsent, or of the open day
        self._durable = self._base  # how far the log is on disk: a reading that a crash can undo must not leave
        self._unsent = 0  # readings among them that no validator has acknowledged
        self._today: dict[int, set[Reading]] = {}  # by timestamp, of the open day
        self._texts: list[tuple[int, int, bytes]] = []  # time, seq and text of the open day's readings

    @property
    def waiting(self) -> int:
        return self._unsent

    # --- raw posts

    def require_acceptable(self, readings: Iterable[Reading], now_s: int) -> None:
        """Refuse the first of `readings` that could not be taken in its turn; nothing changes."""
        day, is_open = self.at.day, self.at.open or not self.at.seq
        for reading in readings:
            of_day = reading.timestamp // DAY_S
            if of_day < day or (of_day == day and not is_open):
                raise LateReading(day=of_day, device=self.setting.device)
            if reading.timestamp > now_s + FUTURE_S:
                raise FutureReading(timestamp=reading.timestamp, now=now_s)
            self._require_declared(reading)
            day, is_open = of_day, True

    def place(self, reading: Reading) -> Place:
        """Where an acceptable post stands to what came before it. Within the open day nothing depends on the order of
        arrival: the day is judged by time, and of several values for one time the smallest counts (decision 0022)."""
        held = self._today.get(reading.timestamp, ()) if self.at.open else ()
        if reading in held:
            return "repeated"
        if held:
            return "second_value"
        return "out_of_order" if self.at.seq and reading.timestamp < self.at.time_s else "next"

    def take(self, reading: Reading) -> list[Record]:
        """The records that an acceptable post makes: none for a repeated one, a close before the first of a day."""
        if self.place(reading) == "repeated":
            return []
        day = reading.timestamp // DAY_S
        records: list[Record] = []
        if self.at.open and day > self.at.day:
            records.append(self._close())
        records.append(self._sign(reading, day))
        return records

    def close_day(self) -> list[Record]:
        """The close of the open day, where nothing will follow that would close it."""
        return [self._close()] if self.at.open else []

    def _require_declared(self, reading: Reading) -> None:
        if self.setting.channels is None:
            return
        for channel, field in CHANNELS.items():
            if channel not in self.setting.channels and getattr(reading, field) is not None:
                raise UndeclaredChannel(unit=self.name, channel=channel)

    def _sign(self, reading: Reading, day: int) -> Signed:
        interval_s = self._interval(reading.timestamp)
        repeated = day == self.at.day and reading.timestamp in self._today
        # Of several values for one interval only one can be energy; the register takes the first.
        energy_ws = 0 if repeated else max(0, reading.power_w or 0) * interval_s
        register_ws = min(self.at.register_ws + energy_ws, 2**64 - 1)  # a counter never falls, not even at its end
        gives_power = register_ws > 0 or reading.power_w is not None  # a climate source has nothing to count
        register_wh = register_ws // 3_600 if interval_s and gives_power else None
        seq = self.at.seq + 1
        text = format_signed(
            SignedReading(self.setting.device, seq, self.at.prev, reading, register_wh, self._origin)
        ).decode("ascii")
        return Signed(self.name, seq, reading.timestamp, reading, register_ws, interval_s, text)

    def _interval(self, time_s: int) -> int:
        """Configured, or the shortest step between readings that divides a day."""
        if self.setting.interval_s:
            return self.setting.interval_s
        step, known = time_s - self.at.time_s, self.at.interval_s
        if not SHORTEST_S <= step <= LONGEST_S or DAY_S % step:
            return known
        return min(step, known) if known else step

    def _close(self) -> Closed:
        root = merkle_root([text for _, _, text in sorted(self._texts)])  # as `verifier.reading.readings_root` has it
        return Closed(self.name, self.at.day, self.at.seq, len(self._texts), self.at.prev, root)

    # --- the log

    def apply(self, record: Record) -> None:
        """What the record does to the chain: on its making, and again on a restart."""
        match record:
            case Base():
                self._base = self.at = record
            case Signed():
                if record.time_s // DAY_S > self.at.day or not self.at.open:
                    self._today, self._texts = {}, []
                self._texts.append((record.time_s, record.seq, record.text.encode()))
                self._today.setdefault(record.time_s, set()).add(record.reading)
                self._kept.append(record)
                self._unsent += record.seq > self.at.sent_seq
                self.at = _after(self.at, record)
            case Closed():
                self._today, self._texts = {}, []
                self._kept.append(record)
                self.at = _after(self.at, record)
            case Sent():
                self._unsent -= sum(
                    isinstance(kept, Signed) and self.at.sent_seq < kept.seq <= record.seq for kept in self._kept
                )
                self.at = _after(self.at, record)
                self._forget()

    def _forget(self) -> None:
        """Drop what was acknowledged and is not needed for the root of the open day."""
        while self._kept:
            kept = self._kept[0]
            match kept:
                case Signed():
                    needed = kept.seq > self.at.sent_seq or (self.at.open and kept.time_s // DAY_S == self.at.day)
                case Closed():
                    needed = kept.day > self.at.sent_day
            if needed:
                return
            self._base = _after(self._base, self._kept.popleft())

    def records(self) -> Iterable[Record]:
        """The shortest log that gives this state."""
        yield self._base
        yield from self._kept
        yield Sent(self.name, self.at.sent_seq, self.at.sent_day)

    # --- to the validators

    def made_durable(self, record: Record) -> None:
        """The log is on disk up to this record."""
        if isinstance(record, Signed):
            self._durable = replace(self._durable, seq=record.seq)
        elif isinstance(record, Closed):
            self._durable = replace(self._durable, day=record.day)

    def next_readings(self, limit: int) -> list[Signed]:
        """The oldest unacknowledged readings, up to the next unacknowledged close."""
        found: list[Signed] = []
        for kept in self._kept:
            match kept:
                case Signed() if self._durable.seq < kept.seq:
                    break
                case Signed() if kept.seq > self.at.sent_seq:
                    found.append(kept)
                case Closed() if kept.day > self.at.sent_day:
                    break
            if len(found) == limit:
                break
        return found

    def next_close(self) -> Closed | None:
        """The oldest unacknowledged close whose readings are all acknowledged."""
        for kept in self._kept:
            if isinstance(kept, Closed) and kept.day > self.at.sent_day:
                ready = kept.last_seq <= self.at.sent_seq and kept.day <= self._durable.day
                return kept if ready else None
        return None


def _after(at: Base, record: Signed | Closed | Sent) -> Base:
    match record:
        case Signed():
            return replace(
                at,
                seq=record.seq,
                prev=reading_hash(record.text.encode()),
                day=record.time_s // DAY_S,
                open=True,
                register_ws=record.register_ws,
                interval_s=record.interval_s,
                time_s=record.time_s,
            )
        case Closed():
            return replace(at, open=False)
        case Sent():
            return replace(at, sent_seq=max(at.sent_seq, record.seq), sent_day=max(at.sent_day, record.day))
