"""What a settlement costs: finding the prices, checking them, and all a validator does, beside one sort and an LP.

python -m bench.market [--quick]      a table on stderr, one JSON object at the end

Books are synthetic, times are CPU time, medians of several runs. `solve_ms, check_ms, validator_ms` are of the book
with 10,000 bids and 10,000 offers in 12 classes; `worst_block_ms` of the worst that the caps of an auction let through:
4,000 orders, 128 classes, trees of 8 x 8 x 2 leaves, every limit equal. HiGHS is timed where scipy is installed;
--quick lets it off for books of more than 2,000 orders a side.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from contracts.book import Book
from contracts.clearing import check
from contracts.pieces import result_root, settled, tie_keys
from contracts.sharing import Order
from contracts.solving import solve

SEED = bytes(32)
TOP = 1_000_000  # prices are between 0 and this, millionths


def filters_of(trees: tuple[tuple[int, int], ...]) -> tuple[int, list[int]]:
    """(classes, filters) of trees with (parents, leaves under each): one node of each dimension is a filter."""
    sizes = [parents * leaves for parents, leaves in trees]
    classes = 1
    for size in sizes:
        classes *= size
    nodes = []
    for (parents, leaves), size in zip(trees, sizes, strict=True):
        inner = [set(range(p * leaves, (p + 1) * leaves)) for p in range(parents)] if leaves > 1 and parents > 1 else []
        nodes.append([set(range(size)), *inner, *({leaf} for leaf in range(size))])
    found: set[int] = set()
    for picked in _product(nodes):
        mask = 0
        for k in range(classes):
            rest, inside = k, True
            for size, node in zip(reversed(sizes), reversed(picked), strict=True):
                rest, leaf = divmod(rest, size)
                inside = inside and leaf in node
            mask |= inside << k
        found.add(mask)
    return classes, sorted(found)


def _product(nodes: list[list[set[int]]]) -> list[list[set[int]]]:
    lists: list[list[set[int]]] = [[]]
    for level in nodes:
        lists = [[*found, node] for found in lists for node in level]
    return lists


def book_of(
    count: int, trees: tuple[tuple[int, int], ...], prices: int, dice: random.Random
) -> tuple[list[Order], list[Order]]:
    classes, filters = filters_of(trees)
    step = TOP // prices

    def limit(low: float, high: float) -> int:
        return step * dice.randint(int(prices * low), int(prices * high))

    bids = [Order(n, dice.randint(1, 100), limit(0.2, 1), dice.choice(filters)) for n in range(count)]
    offers = [Order(count + n, dice.randint(1, 100), limit(0, 0.8), 1 << dice.randrange(classes)) for n in range(count)]
    return bids, offers


def tied_book(count: int, trees: tuple[tuple[int, int], ...], dice: random.Random) -> tuple[list[Order], list[Order]]:
    """Every limit equal: all orders share, which is what a settlement takes longest over."""
    bids, offers = book_of(count, trees, TOP, dice)
    return [order._replace(limit=TOP // 2) for order in bids], [order._replace(limit=TOP // 2) for order in offers]


def median_ms(rounds: int, work: Callable[[], Any]) -> float:
    times = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return round(sorted(times)[rounds // 2] * 1e3, 2)


def measure(bids: list[Order], offers: list[Order], rounds: int) -> dict[str, float]:
    """CPU milliseconds: one sort of the orders, SOLVE, CHECK, and sort + CHECK + fills + pieces + root."""
    book, key = Book(bids, offers, 0, TOP), tie_keys(SEED)
    prices = solve(book)
    orders, by_limit = [*bids, *offers], attrgetter("limit")

    def validate() -> None:
        result = settled(Book(bids, offers, 0, TOP), prices, SEED)
        assert result is not None
        result_root(result)

    return {
        "sort_ms": median_ms(rounds, lambda: sorted(orders, key=by_limit)),
        "solve_ms": median_ms(rounds, lambda: solve(book)),
        "check_ms": median_ms(rounds, lambda: check(book, prices, key)),
        "validator_ms": median_ms(rounds, validate),
    }


def highs_ms(bids: list[Order], offers: list[Order]) -> float | None:
    """The same book as a linear program by HiGHS; None where scipy is missing."""
    try:
        from scipy.optimize import linprog
        from scipy.sparse import coo_matrix
    except ImportError:
        return None
    classes = max(order.classes for order in offers).bit_length()
    gains: list[int] = []
    side: list[int] = []
    bounds: list[tuple[int, int]] = []
    rows: list[int] = []
    columns: list[int] = []
    signs: list[int] = []
    for row, order in enumerate(bids):
        for k in range(classes):
            if order.classes >> k & 1:
                rows += [row, len(bids) + k]
                columns += [len(gains)] * 2
                signs += [1, 1]
                gains.append(-order.limit)
                bounds.append((0, order.quantity))
        side.append(order.quantity)
    for order in offers:
        rows.append(len(bids) + order.classes.bit_length() - 1)
        columns.append(len(gains))
        signs.append(-1)
        gains.append(order.limit)
        bounds.append((0, order.quantity))
    matrix = coo_matrix((signs, (rows, columns)), shape=(len(bids) + classes, len(gains))).tocsr()
    began = time.perf_counter()
    linprog(gains, matrix, [*side, *[0] * classes], bounds=bounds, method="highs")
    return round((time.perf_counter() - began) * 1e3, 1)


TWELVE = ((1, 4), (1, 3))
DEEP = ((2, 4), (2, 4), (1, 2))


def main(quick: bool) -> None:
    dice = random.Random(6)
    rounds = 5 if quick else 15
    books: dict[str, tuple[list[Order], list[Order]]] = {
        "300 x 300, 12 classes": book_of(300, TWELVE, TOP, dice),
        "2,000 x 2,000, 12 classes": book_of(2_000, TWELVE, TOP, dice),
        "10,000 x 10,000, 12 classes": book_of(10_000, TWELVE, TOP, dice),
        "the same, 10 prices": book_of(10_000, TWELVE, 10, dice),
        "10,000 x 10,000, trees 8x8x2": book_of(10_000, DEEP, TOP, dice),
        "the same, every limit equal": tied_book(10_000, DEEP, dice),
        "4,000 orders, trees 8x8x2": book_of(2_000, DEEP, TOP, dice),
        "4,000 orders, every limit equal": tied_book(2_000, DEEP, dice),
    }
    found = {}
    for name, (bids, offers) in books.items():
        times = found[name] = measure(bids, offers, rounds)
        highs = highs_ms(bids, offers) if not quick or len(bids) <= 300 else None
        beside = f"  HiGHS {highs} ms" if highs is not None else ""
        print(f"{name:34}", "  ".join(f"{key} {value:8.2f}" for key, value in times.items()), beside, file=sys.stderr)
    main_book = found["10,000 x 10,000, 12 classes"]
    answer = {key: main_book[key] for key in ("solve_ms", "check_ms", "validator_ms")}
    answer["worst_block_ms"] = max(
        times["validator_ms"] for name, times in found.items() if name.startswith("4,000 orders")
    )
    answer["sort_ms"] = main_book["sort_ms"]
    answer["validator_per_sort"] = round(main_book["validator_ms"] / main_book["sort_ms"], 2)
    print(json.dumps(answer))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a settlement costs.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, HiGHS for small books only")
    main(parser.parse_args().quick)
