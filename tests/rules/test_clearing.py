"""Clearing of one class against brute force: every price of small books enumerated, and what no book may ever do.

Books of several classes: `test_clearing_classes.py`.

`WATTEST_EXAMPLES` multiplies the number of random books; the golden file pins prices, fills and pieces byte for byte.
Run this file as a script to write the golden file anew (a change of it is a change of the consensus rules).
"""

import json
import os
import random
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.pieces import Result, clear, result_root
from contracts.sharing import Order
from state.crypto import H

GOLDEN = Path(__file__).with_name("golden_clearing.json")
FACTOR = int(os.environ.get("WATTEST_EXAMPLES", "1"))
books_of = settings(max_examples=150 * FACTOR, deadline=None, derandomize=FACTOR == 1)

TOP = 7  # prices of the small books are 0..TOP
SEED = bytes(32)


def orders(
    first: int, low: int = 0, high: int = TOP, largest: int = 4, most: int = 5
) -> st.SearchStrategy[list[Order]]:
    pairs = st.lists(st.tuples(st.integers(1, largest), st.integers(low, high)), max_size=most)
    return pairs.map(lambda found: [Order(first + n, quantity, limit) for n, (quantity, limit) in enumerate(found)])


bids_of, offers_of = orders(0, low=1), orders(100)
bounds = st.tuples(st.integers(0, TOP), st.integers(0, TOP)).map(lambda pair: (min(pair), max(pair)))


def equilibrium(bids: list[Order], offers: list[Order], price: int) -> bool:
    """C1-C4 of research/market.md section 5 for one class, straight from the text: some volume suits both sides."""
    must_buy = sum(o.quantity for o in bids if o.limit > price)
    may_buy = sum(o.quantity for o in bids if o.limit >= price)
    must_sell = sum(o.quantity for o in offers if o.limit < price)
    may_sell = sum(o.quantity for o in offers if o.limit <= price)
    return max(must_buy, must_sell) <= min(may_buy, may_sell)


def admitted(bids: list[Order], offers: list[Order], floor: int, ceiling: int) -> tuple[list[Order], list[Order]]:
    """Limits clamped to the bounds of the auction; what lies outside takes no part."""
    return (
        [Order(o.number, o.quantity, min(o.limit, ceiling)) for o in bids if o.limit >= floor],
        [Order(o.number, o.quantity, max(o.limit, floor)) for o in offers if o.limit <= ceiling],
    )


def price_of(result: Result) -> int:
    """Of the one class; 0 where it holds no lot."""
    return result.prices[0] if result.prices else 0


def fill_of(result: Result, number: int) -> int:
    return sum(fill.quantity for fill in (*result.bids, *result.offers) if fill.number == number)


@given(bids_of, offers_of, bounds)
@books_of
def test_the_price_is_the_lowest_equilibrium_of_all_prices(
    bids: list[Order], offers: list[Order], limits: tuple[int, int]
) -> None:
    floor, ceiling = limits
    result = clear(bids, offers, floor, ceiling, SEED)
    good = [p for p in range(floor, ceiling + 1) if equilibrium(*admitted(bids, offers, floor, ceiling), p)]
    assert price_of(result) == (good[0] if result.prices else 0)
    assert bool(result.prices) == any(o.limit <= ceiling for o in offers), "a class without a lot has no price"


@given(bids_of, offers_of, bounds, st.binary(min_size=32, max_size=32))
@books_of
def test_fills_respect_limits_and_both_sides_agree(
    bids: list[Order], offers: list[Order], limits: tuple[int, int], seed: bytes
) -> None:
    floor, ceiling = limits
    result = clear(bids, offers, floor, ceiling, seed)
    assert sum(f.quantity for f in result.bids) == sum(f.quantity for f in result.offers) == result.volume
    for side, orders_of_side, better in (("bid", bids, 1), ("offer", offers, -1)):
        for order in orders_of_side:
            filled, gain = fill_of(result, order.number), better * (order.limit - price_of(result))
            clamped = order.limit > ceiling if side == "bid" else order.limit < floor
            assert 0 <= filled <= order.quantity
            assert not (filled and gain < 0), f"{side} {order} pays beyond its limit"
            at_bound = clamped and price_of(result) == (ceiling if side == "bid" else floor)
            if gain > 0 and not at_bound and result.prices:
                assert filled == order.quantity, f"{side} {order} wants the price {price_of(result)}"


@given(bids_of, offers_of, st.binary(min_size=32, max_size=32))
@books_of
def test_pieces_hand_out_every_lot_from_its_first_number_without_gap(
    bids: list[Order], offers: list[Order], seed: bytes
) -> None:
    result = clear(bids, offers, 0, TOP, seed)
    for fill in result.bids:
        assert sum(p.quantity for p in result.pieces if p.bid == fill.number) == fill.quantity
    for fill in result.offers:
        place = 0
        for piece in sorted((p for p in result.pieces if p.offer == fill.number), key=lambda p: p.skip):
            assert piece.skip == place
            assert piece.quantity > 0
            place += piece.quantity
        assert place == fill.quantity
    assert len(result.pieces) <= max(0, len(result.bids) + len(result.offers) - 1)


@given(bids_of, offers_of)
@books_of
def test_money_is_conserved(bids: list[Order], offers: list[Order]) -> None:
    result = clear(bids, offers, 0, TOP, SEED)
    locked = sum(o.quantity * o.limit for o in bids)
    returned = sum(o.quantity * o.limit - fill_of(result, o.number) * price_of(result) for o in bids)
    income = sum(piece.quantity * price_of(result) for piece in result.pieces)
    assert all(o.quantity * o.limit >= fill_of(result, o.number) * price_of(result) for o in bids)
    assert locked == returned + income


@given(bids_of, offers_of, st.randoms(use_true_random=False))
@books_of
def test_the_order_of_entry_is_irrelevant(bids: list[Order], offers: list[Order], dice: random.Random) -> None:
    result = clear(bids, offers, 0, TOP, SEED)
    dice.shuffle(bids)
    dice.shuffle(offers)
    assert clear(bids, offers, 0, TOP, SEED) == result


@given(bids_of.filter(bool), offers_of, st.integers(1, 3))
@books_of
def test_a_higher_limit_never_lowers_the_own_fill(bids: list[Order], offers: list[Order], more: int) -> None:
    before = clear(bids, offers, 0, TOP + 3, SEED)
    raised = [Order(bids[0].number, bids[0].quantity, bids[0].limit + more), *bids[1:]]
    after = clear(raised, offers, 0, TOP + 3, SEED)
    assert fill_of(after, bids[0].number) >= fill_of(before, bids[0].number)
    assert price_of(after) >= price_of(before)


@given(bids_of, offers_of, st.integers(1, 4), st.integers(0, TOP))
@books_of
def test_more_supply_never_raises_and_more_demand_never_lowers_the_price(
    bids: list[Order], offers: list[Order], quantity: int, limit: int
) -> None:
    price = price_of(clear(bids, offers, 0, TOP, SEED))
    assert price_of(clear(bids, [*offers, Order(999, quantity, limit)], 0, TOP, SEED)) <= price or not offers
    assert price_of(clear([*bids, Order(999, quantity, limit)], offers, 0, TOP, SEED)) >= price


@given(bids_of.filter(lambda found: any(o.quantity > 1 for o in found)), offers_of)
@books_of
def test_splitting_an_order_leaves_the_price(bids: list[Order], offers: list[Order]) -> None:
    place = next(n for n, o in enumerate(bids) if o.quantity > 1)
    whole = bids[place]
    halves = [Order(whole.number, 1, whole.limit), Order(999, whole.quantity - 1, whole.limit)]
    split = [*bids[:place], *halves, *bids[place + 1 :]]
    assert clear(split, offers, 0, TOP, SEED).prices == clear(bids, offers, 0, TOP, SEED).prices


@given(bids_of.filter(bool), offers_of, st.integers(1, TOP))
@books_of
def test_a_buyer_of_one_certificate_cannot_gain_by_bidding_under_its_value(
    bids: list[Order], offers: list[Order], lie: int
) -> None:
    value = bids[0].limit
    honest = [Order(bids[0].number, 1, value), *bids[1:]]
    shaded = [Order(bids[0].number, 1, min(lie, value)), *bids[1:]]
    gains = []
    for book in (honest, shaded):
        result = clear(book, offers, 0, TOP, SEED)
        gains.append(fill_of(result, bids[0].number) * (value - price_of(result)))
    assert gains[1] <= gains[0]


def test_ties_share_pro_rata_and_the_seed_decides_only_the_last_units() -> None:
    bids = [Order(0, 30, 5), Order(1, 20, 5), Order(2, 10, 5)]
    shares = set()
    for n in range(40):
        result = clear(bids, [Order(9, 35, 1)], 0, 10, H("test/seed", (n,)))
        assert price_of(result) == 5
        shares.add(tuple(fill_of(result, number) for number in range(3)))
    assert shares <= {(18, 12, 5), (18, 11, 6), (17, 12, 6)}
    assert len(shares) > 1


def test_the_largest_quantities_and_prices_are_exact() -> None:
    top = 10**9
    bids = [Order(n, top, top) for n in range(2_000)]
    offers = [Order(10_000 + n, 10**15, top) for n in range(2_000)]
    result = clear(bids, offers, 0, top, SEED)
    assert (price_of(result), result.volume) == (top, 2_000 * top)
    assert sum(piece.quantity for piece in result.pieces) == 2_000 * top
    assert all(piece.quantity * price_of(result) < 2**63 for piece in result.pieces)


def test_a_book_of_one_side_or_of_nobody_trades_nothing() -> None:
    for bids, offers in (([], []), ([Order(0, 1, 5)], []), ([], [Order(1, 1, 5)])):
        result = clear(bids, offers, 2, 9, SEED)
        assert (result.volume, result.pieces) == (0, ())


def test_every_order_of_three_equal_bids_gives_the_same_root() -> None:
    bids = [Order(n, 2, 4) for n in range(3)]
    roots = {result_root(clear(list(p), [Order(9, 3, 1)], 0, 9, SEED)) for p in permutations(bids)}
    assert len(roots) == 1


# --- golden books: the bytes of consensus


def golden_book(seed: int) -> dict[str, Any]:
    dice = random.Random(seed)
    size, top = dice.choice([(3, 5), (8, 4), (25, 10), (60, 3), (40, 10**9)]), dice.choice([3, 10**9])
    count, prices = size
    limit = min(prices, top)
    classes = 1 if seed < 12 else dice.choice([2, 3, 5, 8])
    filters = sorted({1} if classes == 1 else {dice.randrange(1, 1 << classes) for _ in range(12)})
    return {
        "floor": dice.choice([0, 0, 1]),
        "ceiling": dice.choice([limit, max(1, limit - 1)]),
        "seed": H("test/golden", (seed,)).hex(),
        "bids": [[n, dice.randint(1, top), dice.randint(1, limit), dice.choice(filters)] for n in range(count)],
        "offers": [
            [1_000 + n, dice.randint(1, top), dice.randint(0, limit), 1 << dice.randrange(classes)]
            for n in range(count)
        ],
    }


def answer(book: dict[str, Any]) -> dict[str, Any]:
    result = clear(
        [Order(*row) for row in book["bids"]],
        [Order(*row) for row in book["offers"]],
        book["floor"],
        book["ceiling"],
        bytes.fromhex(book["seed"]),
    )
    return {
        "classes": list(result.classes),
        "prices": list(result.prices),
        "bids": [[fill.number, fill.quantity] for fill in result.bids],
        "offers": [[fill.number, fill.quantity] for fill in result.offers],
        "pieces": [list(piece) for piece in result.pieces],
        "root": result_root(result).hex(),
    }


@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text()) if GOLDEN.exists() else [])
def test_golden_books_clear_to_the_same_bytes(case: dict[str, Any]) -> None:
    assert answer(case["book"]) == case["answer"]


def test_the_golden_file_is_there() -> None:
    cases = json.loads(GOLDEN.read_text())
    assert len(cases) == 36
    assert sum(bool(case["answer"]["pieces"]) for case in cases) > 24


if __name__ == "__main__":
    made = [{"book": golden_book(n), "answer": answer(golden_book(n))} for n in range(36)]
    GOLDEN.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in made) + "\n]\n")
