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


def transposed(masks: Sequence[int], count: int) -> list[int]:
    """Of each of `count` places the masks that hold it, bit n = mask n."""
    holding = [0] * count
    for number, mask in enumerate(masks):
        bit = 1 << number
        while mask:
            low = mask & -mask
            mask ^= low
            holding[low.bit_length() - 1] |= bit
    return holding


class Flow:
    """`blocked` are the full sinks that a source in want of room can reach: the minimal cut, empty while all fits."""

    __slots__ = ("_accepting", "_exits", "_exits_for", "blocked", "free", "masks", "open", "sent", "users")

    def __init__(self, masks: Sequence[int], capacities: Sequence[int]) -> None:
        self.masks = masks
        self.free = list(capacities)
        self.open = sum(1 << sink for sink, capacity in enumerate(capacities) if capacity)
        self.sent: list[dict[int, int]] = [{} for _ in masks]
        self.users = [0] * len(capacities)  # sources that send into this sink, as a mask
        self.blocked = 0
        self._accepting: list[int] = []  # of each sink the sources that accept it, as a mask
        self._exits = self._exits_for = 0  # sources with room of their own, and the open sinks that this was found for

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

        What is blocked once stays so: those who send there have nowhere else to go. The search is breadth first, and
        the first user with room of his own to be reached ends it. Bits are walked in place: this is the inner loop of
        every clearing.
        """
        came_from = {source: FOUND_NOTHING}  # source -> sink that it was reached over
        reached_by: dict[int, int] = {}  # sink -> source that reached it
        masks, users, exits = self.masks, self.users, self._with_room()
        seen, asked, queue = self.blocked, 1 << source, [source]
        for user in queue:
            fresh = masks[user] & ~seen
            seen |= fresh
            while fresh:
                low = fresh & -fresh
                fresh ^= low
                sink = low.bit_length() - 1
                reached_by[sink] = user
                others = users[sink] & ~asked
                found = others & exits
                if found:
                    other = (found & -found).bit_length() - 1
                    room = masks[other] & self.open
                    exit_ = (room & -room).bit_length() - 1
                    came_from[other], reached_by[exit_] = sink, other
                    return self._shift(exit_, source, amount, came_from, reached_by)
                asked |= others
                while others:
                    low = others & -others
                    others ^= low
                    other = low.bit_length() - 1
                    came_from[other] = sink
                    queue.append(other)
        self.blocked = seen
        return 0

    def _with_room(self) -> int:
        """Sources that accept a sink which is not full yet, as a mask."""
        if self._exits_for != self.open:
            self._accepting = self._accepting or transposed(self.masks, len(self.free))
            self._exits_for = self.open
            self._exits = 0
            for sink in members(self.open):
                self._exits |= self._accepting[sink]
        return self._exits

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
