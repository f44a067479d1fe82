"""The effects of one step, put into the order of the driver rule."""

from consensus.effects import Effect, Halt, Persist, Send, SetTimer
from consensus.inputs import Peer
from consensus.messages import ConsensusMessage
from consensus.records import HeldQuorum, JournalRecord
from consensus.votes import FINALIZE


class Outbox:
    """Collects while a step runs; `drain` gives one Persist, then sends and timers, then the rest as they came."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.view = 0
        self._records: list[JournalRecord] = []
        self._sends: list[Effect] = []
        self._rest: list[Effect] = []

    def persist(self, record: JournalRecord) -> None:
        self._records.append(record)

    def send(self, message: ConsensusMessage, to: Peer | None = None) -> None:
        self._sends.append(Send(self.epoch, self.view, message, to))

    def timer(self, purpose: str, at_ms: int) -> None:
        self._sends.append(SetTimer(self.epoch, self.view, purpose, at_ms))

    def ask(self, effect: Effect) -> None:
        """An effect that is performed after everything was sent: sending waits for no execution and no block's sync."""
        self._rest.append(effect)

    def drain(self) -> list[Effect]:
        if not (self._records or self._sends or self._rest):
            return []  # most steps hear what is known already
        records, sends, rest = tuple(self._records), self._sends, self._rest
        self._records, self._sends, self._rest = [], [], []
        persist = [Persist(self.epoch, self.view, records, any(map(_needs_sync, records)))] if records else []
        return [*persist, *sends, *rest]

    def halt(self, code: int, why: str) -> list[Effect]:
        """Nothing that was collected is done any more."""
        self.drain()
        return [Halt(self.epoch, self.view, code, why)]


def _needs_sync(record: JournalRecord) -> bool:
    """Own votes before they are sent, a Finalization before its commit; relayed quorums prove themselves."""
    return not isinstance(record, HeldQuorum) or record.quorum.kind == FINALIZE
