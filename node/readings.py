"""Every reading that this node acknowledged, verbatim, with the signatures that prove where it came from.

A device's readings form one chain: `seq` runs from 1 without a gap and each text names the hash of the one before.
They are kept as they arrived, in signed batches, because a batch is what a peer can check; an index by day and time
leads from a day to its texts. A signed close fixes what a UTC day consists of.

    key after its letter                    value
    b  device u32, seq u64                  Kept: a signed batch, under the first seq that was new in it
    r  device u32, day u32, time u64, seq   first seq of the batch that holds the reading
    h  device u32                           Head: where the chain stands
    c  device u32, last seq u64             DayClose: held, its readings perhaps not yet
    d  device u32, day u32                  last seq of the day's close
    p  device u32, profile hash             bytes of a baseline profile
    x  device u32, day u32                  how many readings of the day were let go (`node/retaining.py`)

The close of a day that was let go stays: whoever brings its readings back can prove them by it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from node.wire import DayClose, Readings
from state.codec import Wire, decode, encode
from state.errors import DecodeError, StoreMismatch
from state.store import Rows
from state.units import DAY_S, U32, U64, Hash
from verifier.reading import NO_PREVIOUS, parse_signed

FOLDER = "readings"  # of the data directory

T = TypeVar("T", bound=Wire)


class Head(Wire, frozen=True):
    """Where a device's chain stands. `held_*` is the newest close whose readings are held completely."""

    last_seq: U64 = 0
    hash: Hash = NO_PREVIOUS
    day: U32 = 0  # of the last reading
    register_wh: U64 | None = None  # the last one delivered
    held_seq: U64 = 0
    held_day: U32 = 0
    held_days: U32 = 0  # how many closed days are held completely


class Entry(Wire, frozen=True):
    """The place of one reading on its way into the store."""

    seq: U64
    timestamp: U64


class ReadingStore:
    """One writer (intake's thread), any number of readers."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    # --- writing: one synced batch each

    def append(self, batch: Readings, new: Sequence[Entry], head: Head) -> None:
        """Make `new`, the tail of `batch`, and the head after it durable. Returns only once it is."""
        first = new[0].seq
        kept = Kept(first - (len(batch.raws) - len(new)), batch)
        rows: dict[bytes, bytes | None] = {
            _batch_key(batch.device, first): encode(kept),
            _head_key(batch.device): encode(head),
        }
        pointer = _u64(first)
        for entry in new:
            rows[_reading_key(batch.device, entry.timestamp, entry.seq)] = pointer
        self._rows.write(rows, sync=True)

    def add_close(self, signed: DayClose, head: Head) -> None:
        close = signed.close
        self._rows.write(
            {
                _close_key(close.device, close.last_seq): encode(signed),
                _day_key(close.device, close.day): _u64(close.last_seq),
                _head_key(close.device): encode(head),
            },
            sync=True,
        )

    def put_head(self, device: int, head: Head) -> None:
        self._rows.write({_head_key(device): encode(head)}, sync=True)

    def drop_close(self, signed: DayClose) -> None:
        """A close that came before its readings and turned out not to fit them."""
        close = signed.close
        self._rows.write({_close_key(close.device, close.last_seq): None, _day_key(close.device, close.day): None})

    def drop_day(self, device: int, day: int) -> None:
        """Let the readings of a closed day go; batches that hold readings of other days stay until those go too."""
        rows: dict[bytes, bytes | None] = {}
        firsts: set[int] = set()
        for key, pointer in self._rows.scan_raw(_time_key(device, day * DAY_S), _time_key(device, (day + 1) * DAY_S)):
            rows[key] = None
            firsts.add(_int(pointer))
        if not rows:
            return
        count = len(rows)
        for first in firsts:
            kept = self._kept(device, first)
            days = {parse_signed(raw.encode()).reading.timestamp // DAY_S for raw in kept.batch.raws}
            if all(other == day or self.dropped(device, other) for other in days):
                rows[_batch_key(device, first)] = None
        rows[_dropped_key(device, day)] = _u32(count)
        self._rows.write(rows, sync=True)

    def put_profile(self, device: int, profile_hash: bytes, profile: bytes) -> None:
        self._rows.write({_profile_key(device, profile_hash): profile}, sync=True)

    # --- reading

    def head(self, device: int) -> Head:
        data = self._rows.get_raw(_head_key(device))
        return Head() if data is None else _decoded(Head, data)

    def heads(self) -> list[tuple[int, Head]]:
        """Every device that has any reading or close, by device."""
        return [(_int(key[1:]), _decoded(Head, data)) for key, data in self._rows.scan_raw(b"h", b"i")]

    def check(self) -> None:
        """Read every row once, a second per million readings: damage lies unseen in rows that nobody asks for.

        StoreMismatch where a chain lacks a reading that its head counts.
        """
        counted: Counter[int] = Counter()
        for key, _ in self._rows.scan_raw(b"r", b"s"):
            counted[_int(key[1:5])] += 1
        for low, high in ((b"\x00", b"r"), (b"s", b"\xff")):
            for _ in self._rows.scan_raw(low, high):
                pass
        for key, data in self._rows.scan_raw(b"x", b"y"):
            counted[_int(key[1:5])] += _int(data)
        heads = dict(self.heads())
        for device in sorted(counted.keys() | heads.keys()):
            wanted = heads.get(device, Head()).last_seq
            if counted[device] != wanted:
                raise StoreMismatch(
                    why=f"device {device} has {counted[device]} readings, its chain counts {wanted}", path=FOLDER
                )

    def raw(self, device: int, seq: int) -> str | None:
        """The text of one reading."""
        kept = self._batch_with(device, seq)
        return None if kept is None else kept.batch.raws[seq - kept.first_seq]

    def day(self, device: int, day: int) -> list[str]:
        """The texts of a UTC day in (timestamp, seq) order: the order of its root."""
        return self.between(device, day * DAY_S, (day + 1) * DAY_S)

    def between(self, device: int, start_s: int, end_s: int) -> list[str]:
        """The texts with start_s <= timestamp < end_s, in (timestamp, seq) order; `start_s` begins a day or not."""
        low, high = _time_key(device, start_s), _time_key(device, end_s)
        batches: dict[bytes, Kept] = {}
        found = []
        for key, pointer in self._rows.scan_raw(low, high):
            kept = batches.get(pointer)
            if kept is None:
                kept = batches[pointer] = self._kept(device, _int(pointer))
            found.append(kept.batch.raws[_int(key[-8:]) - kept.first_seq])
        return found

    def batches_of_day(self, device: int, day: int) -> list[Readings]:
        """The signed batches that hold the day, by seq: what a peer needs to take it over."""
        low, high = _time_key(device, day * DAY_S), _time_key(device, (day + 1) * DAY_S)
        firsts = {_int(pointer) for _, pointer in self._rows.scan_raw(low, high)}
        return [self._kept(device, first).batch for first in sorted(firsts)]

    def dropped(self, device: int, day: int) -> bool:
        """Whether the day's readings were here and were let go."""
        return self._rows.get_raw(_dropped_key(device, day)) is not None

    def dropped_days(self, device: int) -> int:
        return sum(1 for _ in self._rows.scan_raw(_dropped_key(device, 0), _dropped_key(device, 2**32 - 1)))

    def next_day(self, device: int, day: int) -> int | None:
        """The first day at or after `day` that has a reading."""
        prefix = b"r" + _u32(device)
        for key, _ in self._rows.scan_raw(prefix + _u32(day), prefix + b"\xff" * 21):
            return _int(key[5:9])
        return None

    def close_of(self, device: int, day: int) -> DayClose | None:
        pointer = self._rows.get_raw(_day_key(device, day))
        if pointer is None:
            return None
        data = self._rows.get_raw(_close_key(device, _int(pointer)))
        if data is None:
            raise StoreMismatch(why=f"the close of day {day} of device {device} is missing", path=FOLDER)
        return _decoded(DayClose, data)

    def close_before(self, device: int, seq: int) -> DayClose | None:
        """The close with the largest last_seq < seq."""
        return self._first(_close_key(device, 0), _close_key(device, seq), reverse=True)

    def close_from(self, device: int, seq: int) -> DayClose | None:
        """The close with the smallest last_seq >= seq."""
        return self._first(_close_key(device, seq), _close_key(device, 2**64 - 1))

    def closes(self, device: int, after_seq: int, up_to_seq: int) -> list[DayClose]:
        """Closes with after_seq < last_seq <= up_to_seq, in seq order."""
        low, high = _close_key(device, after_seq + 1), _close_key(device, up_to_seq + 1)
        return [_decoded(DayClose, data) for _, data in self._rows.scan_raw(low, high)]

    def last_closes(self, device: int, up_to_seq: int, count: int) -> list[DayClose]:
        """The newest `count` closes with last_seq <= up_to_seq, in seq order."""
        found: list[DayClose] = []
        for _, data in self._rows.scan_raw(_close_key(device, 0), _close_key(device, up_to_seq + 1), reverse=True):
            found.append(_decoded(DayClose, data))
            if len(found) == count:
                break
        return found[::-1]

    def profile(self, device: int, profile_hash: bytes) -> bytes | None:
        return self._rows.get_raw(_profile_key(device, profile_hash))

    def shut(self) -> None:
        self._rows.close()

    def _first(self, low: bytes, high: bytes, reverse: bool = False) -> DayClose | None:
        for _, data in self._rows.scan_raw(low, high, reverse=reverse):
            return _decoded(DayClose, data)
        return None

    def _batch_with(self, device: int, seq: int) -> "Kept | None":
        """The stored batch that covers `seq`."""
        for _, data in self._rows.scan_raw(_batch_key(device, 0), _batch_key(device, seq + 1), reverse=True):
            kept = _kept(data)
            return kept if seq < kept.first_seq + len(kept.batch.raws) else None
        return None

    def _kept(self, device: int, key_seq: int) -> "Kept":
        data = self._rows.get_raw(_batch_key(device, key_seq))
        if data is None:
            raise StoreMismatch(why=f"readings {key_seq} onwards of device {device} are missing", path=FOLDER)
        return _kept(data)


class Kept(Wire, frozen=True):
    """A batch as stored: readings sent twice may stand before the new ones, under one signature."""

    first_seq: U64  # of the first text in the batch
    batch: Readings


def _kept(data: bytes) -> Kept:
    try:
        return _kept_decoder.decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreMismatch(why=f"a batch of readings is none ({error})", path=FOLDER) from None


def _decoded(kind: type[T], data: bytes) -> T:
    try:
        return decode(kind, data)
    except DecodeError as error:
        raise StoreMismatch(why=f"a row of the readings is no {kind.__name__} ({error})", path=FOLDER) from None


# Rows that this node wrote itself need no proof that they are canonical; days of single readings are read often.
_kept_decoder: msgspec.msgpack.Decoder[Kept] = msgspec.msgpack.Decoder(Kept)


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _int(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _batch_key(device: int, seq: int) -> bytes:
    return b"b" + _u32(device) + _u64(seq)


def _time_key(device: int, time_s: int) -> bytes:
    return b"r" + _u32(device) + _u32(time_s // DAY_S) + _u64(time_s)


def _reading_key(device: int, time_s: int, seq: int) -> bytes:
    return _time_key(device, time_s) + _u64(seq)


def _head_key(device: int) -> bytes:
    return b"h" + _u32(device)


def _close_key(device: int, last_seq: int) -> bytes:
    return b"c" + _u32(device) + _u64(last_seq)


def _day_key(device: int, day: int) -> bytes:
    return b"d" + _u32(device) + _u32(day)


def _dropped_key(device: int, day: int) -> bytes:
    return b"x" + _u32(device) + _u32(day)


def _profile_key(device: int, profile_hash: bytes) -> bytes:
    return b"p" + _u32(device) + profile_hash
