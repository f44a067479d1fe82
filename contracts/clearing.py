"""Clearing of a sealed double-sided call auction with attribute classes, in integers, so that everybody can check it.

**The book.** An offer sells a quantity of one class at a limit or more. A bid buys a quantity at a limit or less and
accepts any class of its filter S; it does not care which. Every class k has one price p[k]; m(S) is the lowest price in
S and D(S) the classes of S that have it.

**What is an equilibrium.** Prices p with fills such that
- C1 a bid takes only classes of D(S): nobody pays more than the cheapest class that suits him;
- C2 a bid with a limit above m(S) is filled whole, below it not at all, at it (*tied*) anything between;
- C3 an offer with a limit below p[k] is sold whole, above it not at all, at it anything between;
- C4 in every class as much is bought as sold;
- C5 p is the lowest vector with C1-C4 at or above the floor.

**The theorem it rests on.** C1-C4 are the complementary slackness conditions of the linear program "maximise welfare,
the limits of what is bought less the limits of what is sold", with p as dual variables. Its matrix is that of a
transport between filters and classes, hence totally unimodular: integer quantities have integer optimal fills, integer
limits have integer dual prices, and nothing is ever rounded. So
(a) prices p support some fills if and only if those fills maximise welfare;
(b) the prices that support an optimum form a lattice under class-wise minimum, with one lowest member, and every
    optimal allocation goes with all of them (Shapley and Shubik 1971; Demange, Gale and Sotomayor 1986);
(c) therefore the lowest prices follow from *any* optimal allocation (`lowest_prices`), by slackness and propagation.
Whoever proposes a settlement has nothing to choose: `check` accepts exactly one price vector of a book.

**From prices to fills.** Given p, untied orders are decided by C2 and C3. Tied ones share what is left: max-min fair on
each side (`contracts/sharing.py`), single units by a seeded key. That the shares of both sides can hold together is the
exchange theorem of Mendelsohn and Dulmage for matchings; one maximum flow between the two totals shows how. Which of
its equal-priced classes an indifferent buyer gets depends on the order of that flow (`contracts/flow.py`), which is
therefore part of the rule. Pieces: `contracts/pieces.py`. Finding p, outside of consensus: `contracts/solving.py`.

Pure: orders in, result out.
"""

from collections.abc import Sequence
from typing import NamedTuple

from contracts.book import Book, Ladder
from contracts.flow import Flow, maximum_flow, transposed
from contracts.sharing import Order as Order
from contracts.sharing import Source, TieKey, fair

MAX_CLASSES = 128  # leaves of an auction's trees
MAX_FILTERS = 512  # product of their nodes: bounds the distinct filters before any order exists


class Tied(NamedTuple):
    """The orders of one filter or class around its price: [low, high) are tied."""

    ladder: Ladder
    low: int
    high: int

    @property
    def orders(self) -> list[Order]:
        return self.ladder.orders[self.low : self.high]


class Group(NamedTuple):
    """Bids whose cheapest classes are the same ones."""

    classes: int  # D(S)
    price: int  # m(S)
    filters: list[tuple[int, Tied]]  # S


class Allocation(NamedTuple):
    """Canonical fills at given prices: tied orders by number, untied ones by their ladder; `flow` is group to class."""

    groups: list[Group]
    asks: list[Tied]
    tied_bids: dict[int, int]
    tied_offers: dict[int, int]
    sold: list[int]  # of each class
    flow: Flow

    def bids(self) -> dict[int, int]:
        """Filled quantity by number."""
        filled = dict(self.tied_bids)
        for group in self.groups:
            for _, tied in group.filters:
                filled.update([order[:2] for order in tied.ladder.orders[tied.high :]])
        return filled

    def offers(self) -> dict[int, int]:
        filled = dict(self.tied_offers)
        for tied in self.asks:
            filled.update([order[:2] for order in tied.ladder.orders[: tied.low]])
        return filled


def check(book: Book, prices: Sequence[int], key: TieKey) -> Allocation | None:
    """The consensus rule: the fills at `prices` where these are the lowest equilibrium, else None."""
    if len(prices) != len(book.classes) or not all(book.floor <= price <= book.ceiling for price in prices):
        return None
    allocation = allocate(book, prices, key)
    if allocation is None or lowest_prices(book, prices, allocation) != list(prices):
        return None
    return allocation


def allocate(book: Book, prices: Sequence[int], key: TieKey) -> Allocation | None:
    """The canonical fills at `prices`; None where no fills have C1-C4."""
    groups = grouped(book, prices)
    asks = [Tied(ladder, *ladder.tied(price)) for ladder, price in zip(book.asks, prices, strict=True)]
    buying = [Source(group.classes, *_demand(group)) for group in groups]
    users = transposed([group.classes for group in groups], len(asks))
    selling = [Source(users[k], tied.ladder.quantity[tied.low], tied.orders) for k, tied in enumerate(asks)]
    bought = fair(buying, [_room(source) for source in selling], key)
    sold = fair(selling, [_room(source) for source in buying], key)
    if bought is None or sold is None or sum(bought.totals) != sum(sold.totals):
        return None
    flow, fits = maximum_flow([group.classes for group in groups], bought.totals, sold.totals)
    if not fits:
        return None
    return Allocation(groups, asks, bought.tied, sold.tied, sold.totals, flow)


def grouped(book: Book, prices: Sequence[int]) -> list[Group]:
    """Filters by their cheapest classes, in rising order of the classes' mask."""
    found: dict[int, Group] = {}
    for mask, ladder in book.filters.items():
        cheapest, price = cheapest_of(book.members[mask], prices)
        group = found.get(cheapest)
        if group is None:
            group = found[cheapest] = Group(cheapest, price, [])
        group.filters.append((mask, Tied(ladder, *ladder.tied(price))))
    return [found[cheapest] for cheapest in sorted(found)]


def cheapest_of(classes: Sequence[int], prices: Sequence[int]) -> tuple[int, int]:
    """(the cheapest of these classes as a mask, their price)."""
    asked = [prices[k] for k in classes]
    price = min(asked)
    if asked.count(price) == 1:
        return 1 << classes[asked.index(price)], price
    return sum([1 << k for k, each in zip(classes, asked, strict=True) if each == price]), price


def lowest_prices(book: Book, prices: Sequence[int], allocation: Allocation) -> list[int]:
    """The lowest vector that goes with these optimal fills: what they force by themselves, then along every filter."""
    lowest = [_forced_by_offers(book, allocation, k, price) for k, price in enumerate(prices)]
    buyers: list[tuple[tuple[int, ...], list[int]]] = []  # (classes accepted, classes bought in)
    for group, sent in zip(allocation.groups, allocation.flow.sent, strict=True):
        for mask, tied in group.filters:
            classes = book.members[mask]
            shares = [(allocation.tied_bids.get(order.number, 0), order.quantity) for order in tied.orders]
            unfilled = group.price if any(share < wanted for share, wanted in shares) else _next_below(tied)
            for k in classes:
                lowest[k] = max(lowest[k], unfilled)
            if tied.high < len(tied.ladder.orders) or any(share for share, _ in shares):
                buyers.append((classes, list(sent)))
    _propagate(lowest, buyers)
    return lowest


def _propagate(lowest: list[int], buyers: list[tuple[tuple[int, ...], list[int]]]) -> None:
    """A class that a buyer leaves aside is not cheaper than the one he buys in."""
    moved = True
    while moved:
        moved = False
        for classes, bought in buyers:
            price = max([lowest[k] for k in bought])
            for k in classes:
                if lowest[k] < price:
                    lowest[k], moved = price, True


def _forced_by_offers(book: Book, allocation: Allocation, k: int, price: int) -> int:
    """The dearest offer of the class that sells anything."""
    tied = allocation.asks[k]
    if allocation.sold[k] > tied.ladder.quantity[tied.low]:
        return price
    return tied.ladder.limits[tied.low - 1] if tied.low else book.floor


def _next_below(tied: Tied) -> int:
    """The dearest bid that gets nothing because its limit is below the price; 0 where there is none."""
    return tied.ladder.limits[tied.low - 1] if tied.low else 0


def _demand(group: Group) -> tuple[int, list[Order]]:
    must = sum(tied.ladder.quantity[-1] - tied.ladder.quantity[tied.high] for _, tied in group.filters)
    return must, [order for _, tied in group.filters for order in tied.orders]


def _room(source: Source) -> int:
    return source.must + sum(order.quantity for order in source.tied)
