"""The order book of one clearing: limits sorted once per filter and per class, so that any price costs a bisection.

A filter is the set of classes that a bid accepts. Classes that hold no valid offer are no part of a book: it counts
those that do, in rising order, and knows them by their place.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate
from operator import itemgetter

from contracts.flow import members
from contracts.sharing import Order

_BY_LIMIT = itemgetter(2)


class Ladder:
    """Orders of one filter or one class by rising limit, with running sums of quantity and of value."""

    __slots__ = ("limits", "orders", "quantity", "value")

    def __init__(self, orders: list[Order]) -> None:
        self.orders = orders
        self.limits = [order[2] for order in orders]
        self.quantity = [0, *accumulate([order[1] for order in orders])]
        self.value = [0, *accumulate([order[1] * order[2] for order in orders])]

    def tied(self, price: int) -> tuple[int, int]:
        """Places of the orders whose limit is the price: [low, high)."""
        low = bisect_left(self.limits, price)
        if low == len(self.limits) or self.limits[low] != price:
            return low, low
        return low, bisect_right(self.limits, price, low)

    def demanded(self, price: int) -> int:
        """Surplus of bids at the price: what they would pay more, all of them together."""
        above = bisect_right(self.limits, price)
        return self.value[-1] - self.value[above] - price * (self.quantity[-1] - self.quantity[above])

    def supplied(self, price: int) -> int:
        """Surplus of offers at the price: what they would be content with less."""
        below = bisect_left(self.limits, price)
        return price * self.quantity[below] - self.value[below]


class Book:
    """Limits clamped to the auction's bounds; what lies outside them or accepts no class takes no part."""

    __slots__ = ("asks", "ceiling", "classes", "filters", "floor", "members")

    def __init__(self, bids: Iterable[Order], offers: Iterable[Order], floor: int, ceiling: int) -> None:
        self.floor, self.ceiling = floor, ceiling
        lots: dict[int, list[Order]] = {}
        selling = (
            order if order.limit >= floor else Order(order.number, order.quantity, floor, order.classes)
            for order in offers
            if order.limit <= ceiling
        )
        for order in sorted(selling, key=_BY_LIMIT):
            lots.setdefault(order.classes, []).append(order)
        places = sorted(lots)  # one bit each, so in the order of the classes
        self.classes = tuple(place.bit_length() - 1 for place in places)
        self.asks = [Ladder(lots[place]) for place in places]
        self.filters = self._filters(bids)
        self.members = {mask: tuple(members(mask)) for mask in self.filters}

    def _filters(self, bids: Iterable[Order]) -> dict[int, Ladder]:
        """By the classes of the book that they accept, in rising order of the mask."""
        floor, ceiling = self.floor, self.ceiling
        buying = (
            order if order.limit <= ceiling else Order(order.number, order.quantity, ceiling, order.classes)
            for order in bids
            if order.limit >= floor
        )
        found: dict[int, list[Order]] = {}
        lists: dict[int, list[Order]] = {}  # by the classes named in the bid
        for order in sorted(buying, key=_BY_LIMIT):
            wanted = lists.get(order.classes)
            if wanted is None:
                wanted = lists[order.classes] = found.setdefault(self._within(order.classes), [])
            wanted.append(order)
        return {mask: Ladder(found[mask]) for mask in sorted(found) if mask}

    def _within(self, classes: int) -> int:
        return sum(1 << place for place, number in enumerate(self.classes) if classes >> number & 1)
