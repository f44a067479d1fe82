"""Getting readings that this node missed from its peers, and giving them what they missed.

A node asks for a device from the first day that it does not hold completely; the answer begins with the first day at
or after it that the peer holds anything of, as signed batches and closes exactly as they came from the meter. It asks
again while answers bring something new, and stops when they do not. Nothing in an answer is trusted: it goes through
intake like everything else.
"""

from collections.abc import Callable
from dataclasses import dataclass

from node.readings import ReadingStore
from node.wire import DayClose, GetReadings, Readings

ANSWER_READINGS = 4_000  # readings of one answer, ended at a whole day: some 27 days of 10-minute readings
RETRY_MS = 1_000
GIVE_UP_AFTER = 5  # asks without progress, each to another peer; gossip or a later gap starts anew


def answer(store: ReadingStore, request: GetReadings) -> list[Readings | DayClose]:
    """Frames for a peer that asked: batches of each day, then its close."""
    frames: list[Readings | DayClose] = []
    given, sent = 0, set()
    day = store.next_day(request.device, request.day)
    while day is not None and given < ANSWER_READINGS:
        for batch in store.batches_of_day(request.device, day):
            if batch.signature not in sent:  # a batch may span days
                sent.add(batch.signature)
                given += len(batch.raws)
                frames.append(batch)
        close = store.close_of(request.device, day)
        if close is not None:
            frames.append(close)
        day = store.next_day(request.device, day + 1)
    return frames


@dataclass
class _Behind:
    """A device that lacks something. `mark` is where its chain stood at the last ask."""

    mark: tuple[int, int] = (-1, -1)
    asked_ms: int = -RETRY_MS
    vain: int = 0


class Fetching:
    """Which devices are behind, and when to ask. `ask` sends to one peer, another one each time."""

    def __init__(self, store: ReadingStore, ask: Callable[[GetReadings], None], now_ms: Callable[[], int]) -> None:
        self._store = store
        self._ask = ask
        self._now_ms = now_ms
        self._behind: dict[int, _Behind] = {}

    def missed(self, device: int) -> None:
        """Something of this device is known to be missing, or may be: at a gap, and for each device at the start."""
        self._behind.setdefault(device, _Behind())

    def on_tick(self) -> None:
        """Ask for each device that is behind, at once after progress, else once a second; call it a few times a
        second."""
        for device, behind in list(self._behind.items()):
            head = self._store.head(device)
            mark = (head.last_seq, head.held_seq)
            progress = mark != behind.mark
            if not progress and self._now_ms() - behind.asked_ms < RETRY_MS:
                continue
            behind.vain = 0 if progress else behind.vain + 1
            if behind.vain >= GIVE_UP_AFTER:
                del self._behind[device]
                continue
            behind.mark, behind.asked_ms = mark, self._now_ms()
            complete = head.held_days and head.held_day == head.day
            self._ask(GetReadings(device, head.day + 1 if complete else head.day))
