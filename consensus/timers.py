"""How long a view may last, and who has been heard of: the only place where consensus knows about time.

    T(v) = wait + 4 * delta * min(1.5 ** k, 8),  k = max(0, v - final_view - 2)

`wait` is `min_interval_ms` while work waits, else `idle_interval_ms`. k counts views since *finalization*: resetting at
a notarization made recovery five times slower on slow links. The cap is mandatory: without it a long outage is followed
by one as long.
"""

import msgspec


class Timing(msgspec.Struct, frozen=True):
    """`delta_ms` bounds one message and the execution of one block: 500 in a local network, 2,000 over a wide one."""

    delta_ms: int = 500
    idle_interval_ms: int = 10_000
    min_interval_ms: int = 200

    @property
    def longest_ms(self) -> int:
        """T_max: no timer is longer."""
        return self.idle_interval_ms + 32 * self.delta_ms

    def patience_ms(self, view: int, final_view: int) -> int:
        """The part of T(v) that is there for messages and execution and grows while nothing is finalised."""
        k = min(max(0, view - final_view - 2), 6)  # 1.5 ** 6 is above the cap of 8
        numerator, denominator = 3**k, 2**k
        return int(min(4 * self.delta_ms * numerator // denominator, 32 * self.delta_ms))

    def wait_ms(self, work_waits: bool) -> int:
        """How long a leader may hold back its block after the parent's time."""
        return self.min_interval_ms if work_waits else self.idle_interval_ms


class Presence:
    """The view of the last vote seen of each validator, for the skip rule.

    A leader that was silent for 2n views while a quorum of others spoke gets no time: one crashed validator would
    otherwise cost an idle chain one full timer in every round.
    """

    def __init__(self, n: int, quorum: int, view: int) -> None:
        # the current view, or a node that just started would skip everybody
        self._last_seen = [view] * n
        self._quorum = quorum

    def saw(self, signer: int, view: int) -> None:
        self._last_seen[signer] = max(self._last_seen[signer], view)

    def last_seen(self, signer: int) -> int:
        return self._last_seen[signer]

    def skipped(self, leader: int, view: int) -> bool:
        """Whether the leader of `view` gets no time at all."""
        last = self._last_seen[leader]
        if last + 2 * len(self._last_seen) >= view:
            return False
        return sum(seen > last for seen in self._last_seen) >= self._quorum
