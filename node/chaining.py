"""Whether readings and closes continue a device's chain: pure rules over what is held and what arrives.

The answer depends on the chain alone, never on who brought a batch or when, so that validators that were told in
another order still hold the same days:

- `seq` goes up by exactly one and `prev` is the hash of the text before; the days of a chain never go back.
- What is held already is a duplicate if the text is the same, else a conflict: the credential signed two histories.
- A close names the last seq of its day. Readings of that day behind it are late.
- A close is complete when the chain reaches its last seq, every close before it is complete, and the texts of the
  day, all of them and no others, give its head hash and its root.
"""

import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from node.readings import Entry, Head
from node.wire import Close, DayClose, Readings
from state.codec import Wire
from state.errors import (
    BatchRefused,
    ChainBreak,
    CloseConflict,
    CloseDiffers,
    FutureReading,
    LateReading,
    OutOfOrder,
    ReadingConflict,
    RegisterFell,
)
from state.merkle import merkle_root
from state.units import DAY_S
from verifier.reading import SignedReading, parse_signed, reading_hash
from verifier.register import name_fall

MAX_BATCH_READINGS = 1_440  # a day of minutes
FUTURE_S = 300  # a reading may be this much ahead of the node's clock: meters and nodes are not synchronised
YIELD_EVERY = 32  # readings parsed at a stretch, about a millisecond, before other threads may run


class Extension(Wire, frozen=True):
    """What a batch adds: the tail of its texts that is new, and the head behind it. Nothing where all is held."""

    new: tuple[Entry, ...]
    duplicates: int
    head: Head
    last: SignedReading  # the last reading of the batch


def parse_batch(raws: Sequence[str]) -> list[SignedReading]:
    """1..1,440 readings of one device with consecutive seq, or the refusal of the first that is wrong."""
    if not 1 <= len(raws) <= MAX_BATCH_READINGS:
        raise BatchRefused(why=f"it has {len(raws)} readings, 1 to {MAX_BATCH_READINGS} are allowed")
    parsed: list[SignedReading] = []
    for index, raw in enumerate(raws):
        if index % YIELD_EVERY == YIELD_EVERY - 1:
            time.sleep(0)  # gives up the interpreter lock: consensus shares this process
        try:
            signed = parse_signed(raw.encode())
        except UnicodeEncodeError:
            raise BatchRefused(why=f"reading {index} of it is not UTF-8") from None
        if parsed and signed.device != parsed[0].device:
            raise BatchRefused(why="it holds readings of more than one device")
        if parsed and signed.origin != parsed[0].origin:
            raise BatchRefused(why="it holds readings of more than one origin")
        if parsed and signed.seq != parsed[-1].seq + 1:
            raise OutOfOrder(seq=signed.seq, device=signed.device, last_seq=parsed[-1].seq)
        parsed.append(signed)
    return parsed


def extend(
    head: Head,
    batch: Readings,
    parsed: Sequence[SignedReading],
    held_text: Callable[[int], str | None],
    closes: Sequence[DayClose],
    now_s: int,
) -> Extension:
    """What `batch` adds behind `head`, or the refusal of its first reading that may not be added.

    `held_text(seq)` gives texts up to the head; `closes` are those with the largest last_seq before the batch's first
    new seq and all up to its last, in seq order. `now_s` is this node's clock.
    """
    device, first = batch.device, parsed[0].seq
    if first > head.last_seq + 1 or first == 0:
        raise OutOfOrder(seq=first, device=device, last_seq=head.last_seq)
    duplicates = min(len(parsed), head.last_seq + 1 - first)
    for signed, raw in zip(parsed[:duplicates], batch.raws, strict=False):
        held = held_text(signed.seq)
        if held is not None and held != raw:  # what was let go cannot be compared any more, and changes nothing
            raise ReadingConflict(seq=signed.seq, device=device, last_seq=head.last_seq)
    entries = []
    closed = _ClosedDays(closes)
    for signed, raw in zip(parsed[duplicates:], batch.raws[duplicates:], strict=True):
        _require_next(head, device, signed, now_s)
        day = signed.reading.timestamp // DAY_S
        if day < head.day or day <= closed.last_day_before(signed.seq):
            raise LateReading(day=day, device=device)
        register = head.register_wh if signed.register_wh is None else signed.register_wh
        head = replace(head, last_seq=signed.seq, hash=reading_hash(raw.encode()), day=day, register_wh=register)
        entries.append(Entry(signed.seq, signed.reading.timestamp))
    return Extension(tuple(entries), duplicates, head, parsed[-1])


def _require_next(head: Head, device: int, signed: SignedReading, now_s: int) -> None:
    if signed.prev != head.hash:
        raise ChainBreak(seq=signed.seq, device=device)
    if signed.reading.timestamp > now_s + FUTURE_S:
        raise FutureReading(timestamp=signed.reading.timestamp, now=now_s)
    before = head.register_wh
    if before is not None and signed.register_wh is not None and signed.register_wh < before:
        how = name_fall(before, signed.register_wh)
        raise RegisterFell(device=device, before_wh=before, register_wh=signed.register_wh, seq=signed.seq, how=how)


class _ClosedDays:
    """Walks the closes along with the readings."""

    def __init__(self, closes: Sequence[DayClose]) -> None:
        self._closes = list(closes)
        self._day = -1

    def last_day_before(self, seq: int) -> int:
        while self._closes and self._closes[0].close.last_seq < seq:
            self._day = self._closes.pop(0).close.day
        return self._day


# --- closes


def check_close(
    close: Close, head: Head, same_day: DayClose | None, before: DayClose | None, behind: DayClose | None, now_s: int
) -> bool:
    """Whether a close is new (True) or held already (False); refused where it contradicts the closes around it.

    `same_day` is the close held of that day, `before` the one with the largest smaller last_seq, `behind` the one with
    the smallest last_seq that is not smaller.
    """
    if same_day is not None:
        if same_day.close == close:
            return False
        raise CloseConflict(day=close.day, device=close.device)
    if close.day * DAY_S > now_s + FUTURE_S:
        raise FutureReading(timestamp=close.day * DAY_S, now=now_s)
    if not 1 <= close.count <= close.last_seq:
        raise CloseDiffers(day=close.day, device=close.device, why="it counts no reading, or more than there are")
    if before is not None and before.close.day >= close.day:
        raise CloseDiffers(day=close.day, device=close.device, why="an earlier part of the chain closed a later day")
    if behind is not None and (behind.close.day <= close.day or behind.close.last_seq == close.last_seq):
        raise CloseDiffers(day=close.day, device=close.device, why="a later part of the chain closed an earlier day")
    if close.last_seq <= head.held_seq or (head.held_days and close.day <= head.held_day):
        raise CloseDiffers(day=close.day, device=close.device, why="the days up to there are closed and complete")
    return True


def complete(close: Close, head: Head, day_texts: Sequence[str], last_text: str | None) -> Head | None:
    """The head with this close held completely, None while something is missing, CloseDiffers where it cannot fit.

    `day_texts` are all texts of the day in (timestamp, seq) order, those behind the close included; `last_text` is the
    text of its last seq.
    """
    first_seq = close.last_seq - close.count + 1
    if first_seq <= head.held_seq:
        raise CloseDiffers(day=close.day, device=close.device, why="it counts readings of the day before")
    if head.last_seq < close.last_seq or last_text is None:
        return None
    if len(day_texts) != close.count:
        raise CloseDiffers(
            day=close.day, device=close.device, why=f"{len(day_texts)} readings are held, it counts {close.count}"
        )
    if reading_hash(last_text.encode()) != close.head_hash:
        raise CloseDiffers(day=close.day, device=close.device, why="its head is another text")
    if merkle_root([text.encode() for text in day_texts]) != close.readings_root:
        raise CloseDiffers(day=close.day, device=close.device, why="its root is another one")
    if first_seq > head.held_seq + 1:
        return None  # the close of the day before it has not come
    return replace(head, held_seq=close.last_seq, held_day=close.day, held_days=head.held_days + 1)
