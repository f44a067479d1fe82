"""Clearing of several classes: against brute force, against an independent solver, and what no book may ever do.

`WATTEST_EXAMPLES` multiplies the number of random books. The reference here shares no code with the product: it asks
Hoffman's circulation conditions, subset by subset, whether fills exist at given prices.
"""

import os
import random
from itertools import product

import pytest

from contracts.book import Book
from contracts.clearing import check
from contracts.pieces import Result, clear, result_root, settled, tie_keys
from contracts.sharing import Order
from contracts.solving import solve
from state.crypto import H

FACTOR = int(os.environ.get("WATTEST_EXAMPLES", "1"))
SEED = bytes(32)
KEY = tie_keys(SEED)


def tiny_book(seed: int, largest: int = 4) -> tuple[list[Order], list[Order], int, int]:
    """(bids, offers, classes, dearest limit)."""
    dice = random.Random(seed)
    classes, top = dice.choice([1, 2, 2, 3, 3]), dice.choice([2, 3, 4])
    bids = [
        Order(n, dice.randint(1, largest), dice.randint(1, top), dice.randint(1, 2**classes - 1))
        for n in range(dice.randint(1, 6))
    ]
    offers = [
        Order(100 + n, dice.randint(1, largest), dice.randint(0, top), 1 << dice.randrange(classes))
        for n in range(dice.randint(1, 6))
    ]
    return bids, offers, classes, top


def wider_book(seed: int, count: int = 40) -> tuple[list[Order], list[Order]]:
    dice = random.Random(seed)
    classes, prices = dice.choice([2, 4, 7]), dice.choice([3, 20, 1_000])
    filters = [dice.randrange(1, 2**classes) for _ in range(9)]
    bids = [Order(n, dice.randint(1, 50), dice.randint(1, prices), dice.choice(filters)) for n in range(count)]
    offers = [
        Order(1_000 + n, dice.randint(1, 50), dice.randint(0, prices), 1 << dice.randrange(classes))
        for n in range(count)
    ]
    return bids, offers


def supports(bids: list[Order], offers: list[Order], prices: dict[int, int]) -> bool:
    """C1-C4 straight from the text: what must and may be bought and sold fits in every set of classes."""
    subsets = [set(chosen) for chosen in product(*[(None, k) for k in prices])]
    groups = []
    for bid in bids:
        accepted = [k for k in prices if bid.classes >> k & 1]
        if accepted:
            price = min(prices[k] for k in accepted)
            groups.append(({k for k in accepted if prices[k] == price}, bid.quantity, bid.limit - price))
    must_sell = {k: sum(o.quantity for o in offers if o.classes >> k & 1 and o.limit < prices[k]) for k in prices}
    may_sell = {k: sum(o.quantity for o in offers if o.classes >> k & 1 and o.limit <= prices[k]) for k in prices}
    for subset in subsets:
        inside = sum(q for cheapest, q, gain in groups if gain > 0 and cheapest <= subset)
        touching = sum(q for cheapest, q, gain in groups if gain >= 0 and cheapest & subset)
        if inside > sum(may_sell[k] for k in subset if k is not None):
            return False
        if touching < sum(must_sell[k] for k in subset if k is not None):
            return False
    return True


def welfare(bids: list[Order], offers: list[Order], result: Result) -> int:
    limit = {order.number: order.limit for order in (*bids, *offers)}
    return sum(f.quantity * limit[f.number] for f in result.bids) - sum(
        f.quantity * limit[f.number] for f in result.offers
    )


def filled(result: Result) -> dict[int, int]:
    return dict((*result.bids, *result.offers))


def test_brute_force_over_a_thousand_tiny_books_accepts_exactly_the_lowest_equilibrium() -> None:
    others = 0
    for seed in range(1_000 * FACTOR):
        bids, offers, _, top = tiny_book(seed)
        book = Book(bids, offers, 0, top)
        vectors = list(product(range(top + 1), repeat=len(book.classes)))
        good = [p for p in vectors if supports(bids, offers, dict(zip(book.classes, p, strict=True)))]
        lowest = tuple(min(column) for column in zip(*good, strict=True))
        assert lowest in good, f"seed {seed}: the equilibria are no lattice"
        accepted = [p for p in vectors if check(book, p, KEY) is not None]
        assert accepted == [lowest], f"seed {seed}"
        assert tuple(solve(book)) == lowest, f"seed {seed}"
        others += len(good) - 1
    assert others > 500 * FACTOR


def test_welfare_is_that_of_an_independent_solver() -> None:
    pytest.importorskip("scipy", reason="the independent solver (HiGHS) comes with scipy")
    from scipy.optimize import linprog
    from scipy.sparse import coo_matrix

    for seed in range(16 * FACTOR):
        bids, offers = wider_book(seed, 60)
        gains: list[int] = []
        entries: list[tuple[int, int, int]] = []
        room: list[int] = []
        for row, bid in enumerate(bids):
            for k in range(7):
                if bid.classes >> k & 1:
                    entries += [(row, len(gains), 1), (len(bids) + k, len(gains), 1)]
                    gains.append(-bid.limit)
                    room.append(bid.quantity)
        for offer in offers:
            entries.append((len(bids) + offer.classes.bit_length() - 1, len(gains), -1))
            gains.append(offer.limit)
            room.append(offer.quantity)
        rows, columns, signs = zip(*entries, strict=True)
        matrix = coo_matrix((signs, (rows, columns)), shape=(len(bids) + 7, len(gains)))
        most = [*(bid.quantity for bid in bids), *[0] * 7]
        found = linprog(gains, matrix.tocsr(), most, bounds=[(0, q) for q in room], method="highs")
        assert welfare(bids, offers, clear(bids, offers, 0, 1_000, SEED)) == round(-found.fun), f"seed {seed}"


def test_any_one_price_changed_is_refused() -> None:
    for seed in range(40 * FACTOR):
        bids, offers = wider_book(seed)
        book = Book(bids, offers, 0, 2_000)
        prices = solve(book)
        assert settled(book, prices, SEED) is not None
        for k, change in product(range(len(prices)), (1, -1, 7, -13)):
            other = [price + change * (place == k) for place, price in enumerate(prices)]
            assert settled(book, other, SEED) is None, f"seed {seed}: class {k} moved by {change}"
        assert settled(book, prices[:-1], SEED) is None
        assert settled(book, [*prices, 0], SEED) is None


def test_the_root_of_any_other_fill_piece_payment_or_price_differs() -> None:
    bids, offers = wider_book(3)
    result = clear(bids, offers, 0, 1_000, SEED)
    root = result_root(result)
    others = []
    for name in ("classes", "prices", "volumes"):
        rows = getattr(result, name)
        others += [result._replace(**{name: (*rows[:n], rows[n] + 1, *rows[n + 1 :])}) for n in range(len(rows))]
    for name in ("bids", "offers", "pieces"):
        rows = getattr(result, name)
        for n, row in enumerate(rows):
            for place in range(len(row)):
                moved = type(row)(*(value + (at == place) for at, value in enumerate(row)))
                others.append(result._replace(**{name: (*rows[:n], moved, *rows[n + 1 :])}))
        others += [result._replace(**{name: rows[1:]}), result._replace(**{name: (*rows, rows[0])})]
    assert len(others) > 150
    assert root not in {result_root(other) for other in others}


def test_pieces_serve_every_fill_in_the_cheapest_accepted_class_within_its_limit() -> None:
    for seed in range(60 * FACTOR):
        bids, offers = wider_book(seed)
        result = clear(bids, offers, 1, 900, H("test/seed", (seed,)))
        price = dict(zip(result.classes, result.prices, strict=True))
        by_number = {order.number: order for order in (*bids, *offers)}
        got: dict[int, int] = {}
        handed: dict[int, int] = {}
        sold = dict.fromkeys(result.classes, 0)
        for piece in result.pieces:
            bid, offer = by_number[piece.bid], by_number[piece.offer]
            k = offer.classes.bit_length() - 1
            assert bid.classes & offer.classes
            assert price[k] == min(price[c] for c in price if bid.classes >> c & 1)
            assert max(offer.limit, 1) <= price[k] <= bid.limit
            assert piece.amount == piece.quantity * price[k]
            assert piece.skip == handed.get(piece.offer, 0), "a lot is handed out without a gap"
            handed[piece.offer] = piece.skip + piece.quantity
            got[piece.bid] = got.get(piece.bid, 0) + piece.quantity
            sold[k] += piece.quantity
        assert {**got, **handed} == filled(result)
        assert tuple(sold.values()) == result.volumes


def test_the_order_of_entry_is_irrelevant() -> None:
    for seed in range(30 * FACTOR):
        bids, offers = wider_book(seed)
        before = clear(bids, offers, 0, 1_000, SEED)
        dice = random.Random(seed)
        dice.shuffle(bids)
        dice.shuffle(offers)
        assert clear(bids, offers, 0, 1_000, SEED) == before, f"seed {seed}"


def test_more_supply_never_raises_and_more_demand_never_lowers_a_price() -> None:
    for seed in range(30 * FACTOR):
        bids, offers = wider_book(seed)
        before = clear(bids, offers, 0, 1_000, SEED)
        dice = random.Random(seed)
        k, limit = dice.choice(before.classes), dice.randint(1, 1_000)
        more = clear(bids, [*offers, Order(5_000, 30, limit, 1 << k)], 0, 1_000, SEED)
        assert all(a <= b for a, b in zip(more.prices, before.prices, strict=True)), f"seed {seed}"
        wanted = clear([*bids, Order(5_001, 30, limit, dice.randrange(1, 128))], offers, 0, 1_000, SEED)
        assert all(a >= b for a, b in zip(wanted.prices, before.prices, strict=True)), f"seed {seed}"


def test_a_higher_limit_never_lowers_the_own_fill_and_a_broader_filter_never_pays_more() -> None:
    for seed in range(30 * FACTOR):
        bids, offers = wider_book(seed)
        before, mine = clear(bids, offers, 0, 2_000, SEED), bids[seed % len(bids)]
        others = [bid for bid in bids if bid.number != mine.number]
        higher = clear([*others, mine._replace(limit=mine.limit + 5)], offers, 0, 2_000, SEED)
        assert filled(higher).get(mine.number, 0) >= filled(before).get(mine.number, 0), f"seed {seed}"
        broader = clear([*others, mine._replace(classes=127)], offers, 0, 2_000, SEED)
        if filled(before).get(mine.number):
            assert paid(broader, mine.number) <= paid(before, mine.number), f"seed {seed}"


def paid(result: Result, number: int) -> int:
    """Price per certificate of one bid; 0 where it got nothing."""
    return next((piece.amount // piece.quantity for piece in result.pieces if piece.bid == number), 0)


def test_splitting_an_order_leaves_the_prices() -> None:
    for seed in range(30 * FACTOR):
        bids, offers = wider_book(seed)
        place = next(n for n, bid in enumerate(bids) if bid.quantity > 1)
        whole = bids[place]
        parts = [whole._replace(quantity=1), Order(5_000, whole.quantity - 1, whole.limit, whole.classes)]
        split = [*bids[:place], *parts, *bids[place + 1 :]]
        assert clear(split, offers, 0, 1_000, SEED).prices == clear(bids, offers, 0, 1_000, SEED).prices


def test_a_buyer_of_one_certificate_cannot_gain_by_bidding_under_its_value() -> None:
    for seed in range(150 * FACTOR):
        bids, offers, _, top = tiny_book(seed)
        honest = [bids[0]._replace(quantity=1), *bids[1:]]
        gains = []
        for limit in range(bids[0].limit, 0, -1):
            result = clear([honest[0]._replace(limit=limit), *bids[1:]], offers, 0, top, SEED)
            got = filled(result).get(bids[0].number, 0)
            gains.append(got * (bids[0].limit - paid(result, bids[0].number)))
        assert max(gains) == gains[0], f"seed {seed}"


def test_tied_orders_that_accept_the_same_classes_share_pro_rata_to_the_unit() -> None:
    shared = 0
    for seed in range(60 * FACTOR):
        dice = random.Random(seed)
        bids = [Order(n, dice.randint(1, 90), 5, dice.choice([1, 3, 6])) for n in range(12)]
        offers = [Order(100 + n, dice.randint(1, 60), 1, 1 << dice.randrange(3)) for n in range(6)]
        got = filled(clear(bids, offers, 0, 9, H("test/seed", (seed,))))
        for classes in (1, 3, 6):
            alike = [bid for bid in bids if bid.classes == classes]
            total, asked = sum(got.get(bid.number, 0) for bid in alike), sum(bid.quantity for bid in alike)
            for bid in alike:
                assert abs(got.get(bid.number, 0) - bid.quantity * total / asked) <= 2, f"seed {seed}: {bid}"
                shared += 0 < got.get(bid.number, 0) < bid.quantity
    assert shared > 100


def test_the_scarcest_classes_do_not_hold_back_those_who_can_go_elsewhere() -> None:
    """Class 0 has 10 for 100 wanted, class 1 has 50 for 80: who accepts both shares the second, at its ratio."""
    bids = [Order(0, 100, 5, 0b01), Order(1, 50, 5, 0b11), Order(2, 30, 5, 0b10)]
    offers = [Order(10, 10, 1, 0b01), Order(11, 50, 1, 0b10)]
    result = clear(bids, offers, 0, 9, SEED)
    got = filled(result)
    assert (result.prices, got[0], got[10], got[11]) == ((5, 5), 10, 10, 50)
    assert (got[1], got[2]) in {(31, 19), (32, 18)}


def test_the_worked_example_of_the_market_page() -> None:
    """docs/MARKET.md: solar is class 0, wind class 1; prices in millionths."""
    euro = 10**6
    bids = [Order(2, 40, 5 * euro, 0b10), Order(3, 50, 3 * euro, 0b11), Order(4, 30, 2 * euro, 0b01)]
    offers = [Order(0, 60, 2 * euro, 0b10), Order(1, 50, euro, 0b01)]
    result = clear(bids, offers, 0, 10**9, SEED)
    assert (result.prices, result.volumes) == ((2 * euro, 2 * euro), (50, 60))
    assert filled(result) == {0: 60, 1: 50, 2: 40, 3: 50, 4: 20}
    assert sum(piece.amount for piece in result.pieces) == 220 * euro
    assert sorted(piece.quantity for piece in result.pieces if piece.bid == 3) == [20, 30]


def test_quantities_and_prices_at_their_bounds_are_exact() -> None:
    top = 10**9
    bids = [Order(n, top, top, 0b11) for n in range(300)]
    offers = [Order(1_000 + n, top, top, 1 << (n % 2)) for n in range(200)]
    result = clear(bids, offers, 0, top, SEED)
    assert (result.prices, result.volume) == ((top, top), 200 * top)
    assert sum(piece.amount for piece in result.pieces) == 200 * top * top


@pytest.mark.parametrize(("floor", "ceiling"), [(3, 3), (0, 3), (3, 9)])
def test_orders_at_floor_and_ceiling_take_part_and_those_beyond_do_not(floor: int, ceiling: int) -> None:
    bids = [Order(0, 4, ceiling, 3), Order(1, 4, floor, 3), Order(2, 4, floor - 1, 3)]
    offers = [Order(10, 2, floor, 1), Order(11, 2, ceiling, 2), Order(12, 2, ceiling + 1, 2)]
    result = clear(bids, offers, floor, ceiling, SEED)
    got = filled(result)
    assert all(floor <= price <= ceiling for price in result.prices)
    assert not {2, 12} & set(got)
    assert sum(got.get(n, 0) for n in (0, 1)) == sum(got.get(n, 0) for n in (10, 11)) > 0
