"""Finding the clearing prices: any node does it, none has to be believed, since `clearing.check` accepts one answer.

The dual of the welfare program is g(p) = surplus of all bids at m(S) + surplus of all offers at p[k], convex on the
integer grid in the sense that a point which no set of classes can improve by a common step is a minimum (L-natural
convexity: Murota, *Discrete Convex Analysis*). So prices start at the floor and sets of classes move by a step that is
halved; which set improves g most is a minimum cut between groups of bids and classes.
"""

from operator import itemgetter
from typing import NamedTuple

from contracts.book import Book, Ladder
from contracts.clearing import allocate, cheapest_of, lowest_prices
from contracts.flow import maximum_flow, transposed


class _Buyers(NamedTuple):
    """Filters whose cheapest classes are the same ones, and the surplus of their bids at that price."""

    classes: int
    price: int
    ladders: list[Ladder]
    surplus: int

    def surplus_at(self, price: int) -> int:
        return sum([ladder.demanded(price) for ladder in self.ladders])


def solve(book: Book) -> list[int]:
    """The lowest equilibrium prices of the book's classes."""
    prices = [book.floor] * len(book.classes)
    dearest = max((ladder.limits[-1] for ladder in book.filters.values()), default=book.floor)
    step = 1 << max(dearest - book.floor, 1).bit_length()
    while step:
        moved = True
        while moved:
            buyers = _buyers(book, prices)
            moved = _raise(book, prices, buyers, step) or _lower(book, prices, buyers, step)
        step >>= 1
    allocation = allocate(book, prices, _any_order)
    assert allocation is not None, "a minimum of the dual supports an optimal allocation"
    return lowest_prices(book, prices, allocation)


def _buyers(book: Book, prices: list[int]) -> list[_Buyers]:
    found: dict[int, tuple[int, list[Ladder]]] = {}
    for mask, ladder in book.filters.items():
        cheapest, price = cheapest_of(book.members[mask], prices)
        found.setdefault(cheapest, (price, []))[1].append(ladder)
    return [
        _Buyers(classes, price, ladders, sum([ladder.demanded(price) for ladder in ladders]))
        for classes, (price, ladders) in sorted(found.items(), key=itemgetter(0))
    ]


def _raise(book: Book, prices: list[int], buyers: list[_Buyers], step: int) -> bool:
    """Move the classes up whose supply is too small for those who have no cheaper choice."""
    lost = [each.surplus - each.surplus_at(each.price + step) for each in buyers]
    won = [asks.supplied(price + step) - asks.supplied(price) for asks, price in zip(book.asks, prices, strict=True)]
    flow, fits = maximum_flow([each.classes for each in buyers], lost, won)
    if fits:
        return False
    for k in range(len(prices)):
        if flow.blocked >> k & 1:
            prices[k] += step
    return True


def _lower(book: Book, prices: list[int], buyers: list[_Buyers], step: int) -> bool:
    """Move the classes down whose supply is too large for those who buy there."""
    lower = [k for k, price in enumerate(prices) if price - step >= book.floor]
    if not lower:
        return False
    lost = [book.asks[k].supplied(prices[k]) - book.asks[k].supplied(prices[k] - step) for k in lower]
    won = [each.surplus_at(each.price - step) - each.surplus for each in buyers]
    users = transposed([each.classes for each in buyers], len(prices))
    masks = [users[k] for k in lower]
    flow, fits = maximum_flow(masks, lost, won)
    if fits:
        return False
    for k, amount, mask in zip(lower, lost, masks, strict=True):
        if amount and not mask & ~flow.blocked:
            prices[k] -= step
    return True


def _any_order(number: int) -> bytes:
    """Lowest prices follow from any optimal allocation, so single units may go to anybody here."""
    return number.to_bytes(8, "big")
