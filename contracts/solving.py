"""Finding the clearing prices: any node does it, none has to be believed, since `clearing.check` accepts one answer.

The dual of the welfare program is g(p) = surplus of all bids at m(S) + surplus of all offers at p[k], convex on the
integer grid in the sense that a point which no set of classes can improve by a common step is a minimum (L-natural
convexity: Murota, *Discrete Convex Analysis*). So prices start at the floor and sets of classes move by a step that is
halved; which set improves g most is a minimum cut between groups of bids and classes.
"""

from contracts.book import Book
from contracts.clearing import Group, allocate, grouped, lowest_prices
from contracts.flow import maximum_flow


def solve(book: Book) -> list[int]:
    """The lowest equilibrium prices of the book's classes."""
    prices = [book.floor] * len(book.classes)
    dearest = max((ladder.limits[-1] for ladder in book.filters.values()), default=book.floor)
    step = 1 << max(dearest - book.floor, 1).bit_length()
    while step:
        while _raise(book, prices, step) or _lower(book, prices, step):
            pass
        step >>= 1
    allocation = allocate(book, prices, _any_order)
    assert allocation is not None, "a minimum of the dual supports an optimal allocation"
    return lowest_prices(book, prices, allocation)


def _raise(book: Book, prices: list[int], step: int) -> bool:
    """Move the classes up whose supply is too small for those who have no cheaper choice."""
    groups = grouped(book, prices)
    lost = [_surplus(group, group.price) - _surplus(group, group.price + step) for group in groups]
    won = [asks.supplied(price + step) - asks.supplied(price) for asks, price in zip(book.asks, prices, strict=True)]
    flow, fits = maximum_flow([group.classes for group in groups], lost, won)
    if fits:
        return False
    for k in range(len(prices)):
        if flow.blocked >> k & 1:
            prices[k] += step
    return True


def _lower(book: Book, prices: list[int], step: int) -> bool:
    """Move the classes down whose supply is too large for those who buy there."""
    groups = grouped(book, prices)
    lower = [k for k, price in enumerate(prices) if price - step >= book.floor]
    lost = [book.asks[k].supplied(prices[k]) - book.asks[k].supplied(prices[k] - step) for k in lower]
    won = [_surplus(group, group.price - step) - _surplus(group, group.price) for group in groups]
    users = [sum(1 << place for place, group in enumerate(groups) if group.classes >> k & 1) for k in lower]
    flow, fits = maximum_flow(users, lost, won)
    if fits:
        return False
    for k, amount, mask in zip(lower, lost, users, strict=True):
        if amount and not mask & ~flow.blocked:
            prices[k] -= step
    return True


def _surplus(group: Group, price: int) -> int:
    return sum(tied.ladder.demanded(price) for _, tied in group.filters)


def _any_order(number: int) -> bytes:
    """Lowest prices follow from any optimal allocation, so single units may go to anybody here."""
    return number.to_bytes(8, "big")
