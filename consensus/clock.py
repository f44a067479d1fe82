"""The engine's two timers: the view's, and one to be woken for anything that has become due."""

from consensus.inputs import VIEW, WAKE
from consensus.outbox import Outbox
from consensus.timers import Timing

STATUS_EVERY_MS = 2_000


class Clock:
    """Knows the time of the current input and nothing else; asks for timers through the outbox."""

    def __init__(self, out: Outbox, timing: Timing) -> None:
        self._out, self._timing = out, timing
        self.now_ms = self.time_ms = 0
        self.entered_ms = self.entered_time_ms = 0
        self._deadline_ms = 0
        self._deadline_is_idle = False
        self._wake_ms: int | None = None
        self._wake_armed_ms: int | None = None
        self._status_due_ms: int | None = None

    def tick(self, now_ms: int, time_ms: int) -> None:
        """A new input: what is still waited for will say so again."""
        self.now_ms, self.time_ms = now_ms, time_ms
        self._wake_ms = None

    def enter_view(self, after_ms: int, idle: bool) -> None:
        self.entered_ms, self.entered_time_ms = self.now_ms, self.time_ms
        self.arm(after_ms, idle)

    def arm(self, after_ms: int, idle: bool) -> None:
        """End the view's time `after_ms` from now; `idle` if nothing but the heartbeat is waited for."""
        self._deadline_ms, self._deadline_is_idle = self.now_ms + after_ms, idle
        self._out.timer(VIEW, self._deadline_ms)

    def shorten(self, after_ms: int) -> None:
        """Work came: a timer of the idle interval ends earlier, none ends later."""
        if self._deadline_is_idle and self.now_ms + after_ms < self._deadline_ms:
            self.arm(after_ms, idle=False)

    def view_is_over(self) -> bool:
        """Whether a fired view timer is due; one that was replaced meanwhile is asked for again."""
        if self.now_ms < self._deadline_ms:
            self._out.timer(VIEW, self._deadline_ms)
            return False
        return True

    def wake_at(self, at_ms: int) -> None:
        self._wake_ms = at_ms if self._wake_ms is None else min(self._wake_ms, at_ms)

    def woken(self) -> None:
        self._wake_armed_ms = None

    def status_is_due(self) -> bool:
        """Once every few seconds; the first time after one such interval."""
        due = self._status_due_ms is not None and self.now_ms >= self._status_due_ms
        if due or self._status_due_ms is None:
            self._status_due_ms = self.now_ms + STATUS_EVERY_MS
        self.wake_at(self._status_due_ms)
        return due

    def set_wake_timer(self) -> None:
        """At the end of a step: the earliest time that anything in it asked for."""
        if self._wake_ms is not None and self._wake_ms != self._wake_armed_ms:
            self._wake_armed_ms = self._wake_ms
            self._out.timer(WAKE, self._wake_ms)
