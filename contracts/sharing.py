"""Fair shares of what is scarce: orders tied at the price get the same part of what they ask for.

Sources (groups of orders that accept the same places) hold a must, which is served whole, and tied orders, which
take what is left. The shares are max-min fair: the largest common ratio first; where a set of places is full at a
lower ratio, its sources get that ratio and the others go on without them. A ratio is a fraction of two integers and
the shares are rounded down; the last single units go one each in the order of a key that nobody could steer.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from contracts.flow import Flow, maximum_flow, members

TieKey = Callable[[int], bytes]


class Order(NamedTuple):
    """A bid or an offer as the clearing sees it. `number` is its place in the auction, unique."""

    number: int
    quantity: int
    limit: int  # millionths per certificate
    classes: int = 1  # of a bid those that it accepts, bit k = class k; of an offer the one that its lot is of


class Source(NamedTuple):
    """Orders that accept the same places: `must` is served whole, `tied` orders share."""

    places: int  # bit k = place k
    must: int
    tied: Sequence[Order]


class Shares(NamedTuple):
    totals: list[int]  # of each source, must included
    tied: dict[int, int]  # by order number, only tied ones with a share


def fair(sources: Sequence[Source], capacities: Sequence[int], key: TieKey) -> Shares | None:
    """The one fair allocation, or None where the musts alone do not fit."""
    shares = Shares([0] * len(sources), {})
    for part in _components([source.places for source in sources]):
        if not _share(sources, part, capacities, key, shares):
            return None
    return shares


def _components(masks: Sequence[int]) -> list[list[int]]:
    """Sources that compete, directly or over others: each part can be shared on its own."""
    parts: list[tuple[int, list[int]]] = []
    for source, mask in enumerate(masks):
        apart = []
        joined = [source]
        for places, found in parts:
            if places & mask:
                mask |= places
                joined += found
            else:
                apart.append((places, found))
        parts = [*apart, (mask, joined)]
    return [sorted(found) for _, found in parts]


def _share(sources: Sequence[Source], part: list[int], capacities: Sequence[int], key: TieKey, shares: Shares) -> bool:
    tied = {source: sum(order.quantity for order in sources[source].tied) for source in part}
    live, open_ = part, -1
    while live:
        tight = _tightest(sources, live, open_, tied, capacities)
        if tight is None:
            return False
        inside, full, left, asked = tight
        if not inside:  # everybody is served whole
            for source in live:
                shares.totals[source] = sources[source].must + tied[source]
                shares.tied.update((order.number, order.quantity) for order in sources[source].tied)
            return True
        _hand_out(sources, inside, capacities, full, left, asked, key, shares)
        kept = set(inside)
        live = [source for source in live if source not in kept]
        open_ &= ~full
    return True


def _tightest(
    sources: Sequence[Source], live: list[int], open_: int, tied: dict[int, int], capacities: Sequence[int]
) -> tuple[list[int], int, int, int] | None:
    """(sources, places, what is left for their tied orders, what these ask for) of the lowest ratio; None = no room.

    Each misfit names a set of places that is too small at this ratio; the ratio it can bear is strictly lower, so the
    loop ends, in practice after two to four flows.
    """
    inside: list[int] = []
    full, left, asked = 0, 1, 1
    masks = [sources[source].places & open_ for source in live]
    while True:
        scaled = [asked * capacity for capacity in capacities]
        wanted = [asked * sources[source].must + left * tied[source] for source in live]
        flow, fits = maximum_flow(masks, wanted, scaled)
        if fits:
            return inside, full, left, asked
        full = flow.blocked
        inside = [source for source, mask in zip(live, masks, strict=True) if not mask & ~full]
        asked = sum(tied[source] for source in inside)
        left = sum(capacities[place] for place in members(full)) - sum(sources[source].must for source in inside)
        if asked == 0 or left < 0:
            return None


def _hand_out(
    sources: Sequence[Source],
    inside: list[int],
    capacities: Sequence[int],
    full: int,
    left: int,
    asked: int,
    key: TieKey,
    shares: Shares,
) -> None:
    """`left` units over tied orders that ask for `asked`: pro rata, then one each by key where a place takes it."""
    flow = Flow(
        [sources[source].places & full for source in inside],
        [capacity if full >> place & 1 else 0 for place, capacity in enumerate(capacities)],
    )
    queue: list[tuple[int, int]] = []  # (order, place of its source in `inside`)
    rest = left
    for index, source in enumerate(inside):
        total = 0
        for order in sources[source].tied:
            share = order.quantity * left // asked
            total += share
            if share:
                shares.tied[order.number] = share
            queue.append((order.number, index))
        rest -= total
        shares.totals[source] = sources[source].must + total
        missing = flow.push(index, shares.totals[source])
        assert not missing, "what fits as fractions fits rounded down"
    if rest:
        _last_units(flow, inside, sorted(queue, key=lambda item: key(item[0])), rest, shares)


def _last_units(flow: Flow, inside: list[int], queue: list[tuple[int, int]], rest: int, shares: Shares) -> None:
    for number, index in queue:
        if flow.push(index, 1):
            continue  # its places are full; whoever comes later may still have another
        shares.tied[number] = shares.tied.get(number, 0) + 1
        shares.totals[inside[index]] += 1
        rest -= 1
        if not rest:
            return
    raise AssertionError("a rounded share takes one unit at most, and all units find a taker")
