"""The network between the nodes: loss, delay, duplicates, another order, links that are cut one way or both."""

from collections.abc import Callable
from random import Random

from harness.sim.options import Cut, Link, Options

HEALED_DELAY_MS = 400
SLOW_MS = 1_000  # two to four times what the protocol calls delta


class Network:
    """`carry` says when a message arrives, if it does, and how often."""

    def __init__(self, options: Options, random: Random) -> None:
        self._options, self._random = options, random
        self._slow, self._loss, self._duplication = options.slow, options.loss, options.duplication
        self._low_ms, high_ms = options.delay_ms
        self._spread_ms, self._healed_ms = high_ms - self._low_ms + 1, min(high_ms, HEALED_DELAY_MS)
        self._blocked: dict[Link, int] = {}
        self.healed = False

    def carry(self, source: int, target: int) -> tuple[int, ...]:
        """Delays in ms, one for each copy that arrives."""
        random = self._random.random
        if self._slow is not None and self._slow in (source, target):
            return (SLOW_MS + int(random() * SLOW_MS),)
        if self.healed:
            return (1 + int(random() * self._healed_ms),)
        if (source, target) in self._blocked or random() < self._loss:
            return ()
        first = self._low_ms + int(random() * self._spread_ms)
        if self._duplication and random() < self._duplication:
            return (first, self._low_ms + int(random() * self._spread_ms))
        return (first,)

    def open(self, source: int, target: int) -> bool:
        """Whether the link is not cut."""
        return self.healed or (source, target) not in self._blocked

    def plan(self, at: Callable[[int, Callable[[], None]], None], peer_up: Callable[[Link], None]) -> None:
        """Enter all cuts into the calendar; whoever is connected again is told."""
        for cut in self._options.cuts:
            begin_ms = cut.begin_ms
            while begin_ms < cut.end_ms:
                end_ms = min(begin_ms + cut.period_ms, cut.end_ms) if cut.period_ms else cut.end_ms
                at(begin_ms, lambda cut=cut: self._block(cut))
                at(end_ms, lambda cut=cut: self._unblock(cut, peer_up))
                begin_ms = end_ms + cut.period_ms

    def _block(self, cut: Cut) -> None:
        for link in cut.links:
            self._blocked[link] = self._blocked.get(link, 0) + 1

    def _unblock(self, cut: Cut, peer_up: Callable[[Link], None]) -> None:
        for link in cut.links:
            self._blocked[link] -= 1
            if not self._blocked[link]:
                del self._blocked[link]
                peer_up(link)
