"""Maximum flow from groups of buyers to classes of certificates, or back: what decides whether an allocation fits.

A bipartite graph: each source may use the sinks of its mask (bit k = sink k), each sink takes at most its capacity.
Augmenting paths, lowest sink and lowest source first. How much each source gets rid of in total, and which sinks stand
in the way, is the same for every order of the paths (a minimal cut is unique); how much goes over which edge is not,
so this order is part of the rule that every validator follows.
"""

from collections.abc import Iterator, Sequence

FOUND_NOTHING = -1


def members(mask: int) -> Iterator[int]:
    """The set bits, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Flow:
    """`blocked` are the full sinks that a source in want of room can reach: the minimal cut, empty while all fits."""

    __slots__ = ("blocked", "free", "masks", "open", "sent", "users")

    def __init__(self, masks: Sequence[int], capacities: Sequence[int]) -> None:
        self.masks = masks
        self.free = list(capacities)
        self.open = sum(1 << sink for sink, capacity in enumerate(capacities) if capacity)
        self.sent: list[dict[int, int]] = [{} for _ in masks]
        self.users = [0] * len(capacities)  # sources that send into this sink, as a mask
        self.blocked = 0

    def push(self, source: int, amount: int) -> int:
        """Send `amount` more out of `source`; what found no room."""
        mask = self.masks[source]
        while amount:
            direct = mask & self.open
            if direct:
                amount -= self._book(source, (direct & -direct).bit_length() - 1, amount)
                continue
            moved = self._around(source, amount)
            if not moved:
                return amount
            amount -= moved
        return 0

    def _book(self, source: int, sink: int, amount: int) -> int:
        taken = min(amount, self.free[sink])
        self.free[sink] -= taken
        if not self.free[sink]:
            self.open &= ~(1 << sink)
        self._change(source, sink, taken)
        return taken

    def _change(self, source: int, sink: int, amount: int) -> None:
        now = self.sent[source].get(sink, 0) + amount
        if now:
            self.sent[source][sink] = now
            self.users[sink] |= 1 << source
        else:
            del self.sent[source][sink]
            self.users[sink] &= ~(1 << source)

    def _around(self, source: int, amount: int) -> int:
        """One augmenting path over full sinks, whose users move on to others; 0 and a wider cut where there is none.

        What is blocked once stays so: those who send there have nowhere else to go.
        """
        came_from = {source: FOUND_NOTHING}  # source -> sink that it was reached over
        reached_by: dict[int, int] = {}  # sink -> source that reached it
        seen, asked, queue = self.blocked, 1 << source, [source]
        for user in queue:
            fresh = self.masks[user] & ~seen
            exits = fresh & self.open
            if exits:
                sink = (exits & -exits).bit_length() - 1
                reached_by[sink] = user
                return self._shift(sink, source, amount, came_from, reached_by)
            seen |= fresh
            for sink in members(fresh):
                reached_by[sink] = user
                others = self.users[sink] & ~asked
                if others:
                    asked |= others
                    for other in members(others):
                        came_from[other] = sink
                        queue.append(other)
        self.blocked = seen
        return 0

    def _shift(self, sink: int, source: int, amount: int, came_from: dict[int, int], reached_by: dict[int, int]) -> int:
        """Along the path from `source` to the free `sink`: everybody on it moves over by the same amount."""
        steps, exit_ = [], sink
        amount = min(amount, self.free[exit_])
        while True:
            user = reached_by[sink]
            full = came_from[user]
            steps.append((user, sink, full))
            if user == source:
                break
            amount = min(amount, self.sent[user][full])
            sink = full
        for user, taken, left in steps:
            self._change(user, taken, amount)
            if left != FOUND_NOTHING:
                self._change(user, left, -amount)
        self.free[exit_] -= amount
        if not self.free[exit_]:
            self.open &= ~(1 << exit_)
        return amount


def maximum_flow(masks: Sequence[int], amounts: Sequence[int], capacities: Sequence[int]) -> tuple[Flow, bool]:
    """(the flow, whether everything found room). Sources in order."""
    flow = Flow(masks, capacities)
    fits = True
    for source, amount in enumerate(amounts):
        if amount and flow.push(source, amount):
            fits = False
    return flow, fits
