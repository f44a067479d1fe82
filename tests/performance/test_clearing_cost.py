"""What checking a settlement costs, against one sort of the same orders in the same run, and at the caps."""

import random
import time
from operator import attrgetter

from bench.market import DEEP, TOP, TWELVE, book_of, tied_book
from contracts.book import Book
from contracts.clearing import check
from contracts.pieces import settled, tie_keys
from contracts.solving import solve

SEED = bytes(32)


def test_checking_the_prices_costs_at_most_six_sorts_of_the_orders() -> None:
    bids, offers = book_of(4_000, TWELVE, TOP, random.Random(1))
    book = Book(bids, offers, 0, TOP)
    prices, orders = solve(book), [*bids, *offers]
    sorting, checking = [], []
    for _ in range(5):
        began = time.process_time()
        sorted(orders, key=attrgetter("limit"))
        between = time.process_time()
        assert check(book, prices, tie_keys(SEED)) is not None
        sorting.append(between - began)
        checking.append(time.process_time() - between)
    assert min(checking) <= 6 * min(sorting)


def test_the_worst_book_that_the_caps_let_through_fits_the_budget_of_a_block() -> None:
    """4,000 orders in 128 classes, all tied: 250 ms of CPU time are allowed for sort, CHECK, fills and pieces."""
    bids, offers = tied_book(2_000, DEEP, random.Random(1))
    prices = solve(Book(bids, offers, 0, TOP))
    times = []
    for _ in range(3):
        began = time.process_time()
        assert settled(Book(bids, offers, 0, TOP), prices, SEED) is not None
        times.append(time.process_time() - began)
    assert min(times) < 0.250
