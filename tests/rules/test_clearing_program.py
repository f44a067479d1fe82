"""Clearing against linear programs: prices from any optimal fills, fair shares, and no freedom in the order of flows.

The references are scipy's HiGHS and formulas of research/market.md section 6 written anew, order by order.
`WATTEST_EXAMPLES` multiplies the number of random books.
"""

import os
import random
from itertools import product

import pytest

from contracts.book import Book
from contracts.flow import members
from contracts.pieces import clear, tie_keys
from contracts.sharing import Order, Source, fair
from contracts.solving import solve

FACTOR = int(os.environ.get("WATTEST_EXAMPLES", "1"))
SEED = bytes(32)
TOP = 1_000
Fills = tuple[dict[tuple[int, int], int], dict[int, int]]  # (bid, class) -> bought, offer -> sold

pytest.importorskip("scipy", reason="the independent solver (HiGHS) comes with scipy")


def book_of(seed: int, count: int = 24) -> tuple[list[Order], list[Order], int]:
    dice = random.Random(seed)
    classes, prices = dice.choice([2, 3, 5]), dice.choice([3, 12, 200])
    filters = [dice.randrange(1, 2**classes) for _ in range(6)]
    bids = [Order(n, dice.randint(1, 20), dice.randint(1, prices), dice.choice(filters)) for n in range(count)]
    offers = [
        Order(100 + n, dice.randint(1, 20), dice.randint(0, prices), 1 << dice.randrange(classes)) for n in range(count)
    ]
    return bids, offers, classes


def vertex(bids: list[Order], offers: list[Order], classes: int, dice: random.Random) -> Fills:
    """A vertex of the welfare program; which one hangs on the order of its columns."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_matrix

    columns = [(bid, k) for bid in bids for k in range(classes) if bid.classes >> k & 1]
    columns += [(offer, -1) for offer in offers]
    dice.shuffle(columns)
    entries, gains, room = [], [], []
    for at, (order, k) in enumerate(columns):
        if k >= 0:
            entries += [(bids.index(order), at, 1), (len(bids) + k, at, 1)]
        else:
            entries.append((len(bids) + order.classes.bit_length() - 1, at, -1))
        gains.append(-order.limit if k >= 0 else order.limit)
        room.append((0, order.quantity))
    rows, places, signs = zip(*entries, strict=True)
    matrix = coo_matrix((signs, (rows, places)), shape=(len(bids) + classes, len(columns))).tocsr()
    most = [*(bid.quantity for bid in bids), *[0] * classes]
    found = linprog(gains, matrix, most, bounds=room, method="highs-ds")
    bought = {(order.number, k): round(x) for (order, k), x in zip(columns, found.x, strict=True) if k >= 0 and x > 0.5}
    sold = {order.number: round(x) for (order, k), x in zip(columns, found.x, strict=True) if k < 0}
    return bought, sold


def bounds_of(
    bids: list[Order], offers: list[Order], live: list[int], bought: dict[tuple[int, int], int], sold: dict[int, int]
) -> tuple[dict[int, int], dict[int, int]]:
    """(lowest, highest) price of each class that these fills allow, by slackness; no price where they cross."""
    low, high = dict.fromkeys(live, 0), dict.fromkeys(live, TOP)
    for offer in offers:
        k, got = offer.classes.bit_length() - 1, sold[offer.number]
        if got:
            low[k] = max(low[k], offer.limit)
        if got < offer.quantity:
            high[k] = min(high[k], offer.limit)
    for bid in bids:
        accepted = [k for k in live if bid.classes >> k & 1]
        inside = [k for k in accepted if bought.get((bid.number, k))]
        if sum(bought.get((bid.number, k), 0) for k in accepted) < bid.quantity:
            for k in accepted:
                low[k] = max(low[k], bid.limit)
        for k in inside:
            high[k] = min(high[k], bid.limit)
    for _ in live:
        for bid in bids:
            accepted = [k for k in live if bid.classes >> k & 1]
            for k in [k for k in accepted if bought.get((bid.number, k))]:
                for other in accepted:
                    low[other] = max(low[other], low[k])
                    high[k] = min(high[k], high[other])
    return low, high


def test_every_vertex_of_the_program_gives_the_same_lowest_prices() -> None:
    for seed in range(8 * FACTOR):
        bids, offers, classes = book_of(seed)
        book, dice = Book(bids, offers, 0, TOP), random.Random(seed)
        prices = dict(zip(book.classes, solve(book), strict=True))
        for _ in range(3):
            low, high = bounds_of(bids, offers, list(book.classes), *vertex(bids, offers, classes, dice))
            assert low == prices, f"seed {seed}"
            assert all(low[k] <= high[k] for k in low), f"seed {seed}"


def test_fills_that_are_not_optimal_have_no_price_and_as_good_ones_the_same() -> None:
    worse = equal = 0
    for seed in range(20 * FACTOR):
        bids, offers, classes = book_of(seed)
        dice = random.Random(seed)
        live = list(Book(bids, offers, 0, TOP).classes)
        bought, sold = vertex(bids, offers, classes, dice)
        low, _ = bounds_of(bids, offers, live, bought, sold)
        pairs = [
            (giver, taker)
            for giver, taker in product(offers, repeat=2)
            if giver.classes == taker.classes and sold[giver.number] and sold[taker.number] < taker.quantity
        ]
        ties = [(giver, taker) for giver, taker in pairs if giver.limit == taker.limit and giver != taker]
        for giver, taker in [*dice.sample(pairs, min(5, len(pairs))), *ties[:2]]:
            if giver == taker:
                continue
            moved = {**sold, giver.number: sold[giver.number] - 1}
            moved[taker.number] += 1
            other_low, other_high = bounds_of(bids, offers, live, bought, moved)
            if taker.limit <= giver.limit:  # as good, since what is optimal cannot become better
                assert other_low == low, f"seed {seed}"
                equal += 1
            else:
                assert any(other_low[k] > other_high[k] for k in live), f"seed {seed}"
                worse += 1
    assert worse > 15 * FACTOR
    assert equal > 2 * FACTOR


def test_with_every_class_numbered_the_other_way_prices_and_fills_are_the_same() -> None:
    """Flows then scan sinks and groups in the opposite order; only which of equal classes a buyer gets may change."""
    moved = 0
    for seed in range(80 * FACTOR):
        bids, offers, classes = book_of(seed)

        def mirrored(orders: list[Order], classes: int = classes) -> list[Order]:
            return [o._replace(classes=sum(1 << classes - 1 - k for k in members(o.classes))) for o in orders]

        one = clear(bids, offers, 0, TOP, SEED)
        other = clear(mirrored(bids), mirrored(offers), 0, TOP, SEED)
        assert other.prices == one.prices[::-1], f"seed {seed}"
        assert other.classes == tuple(classes - 1 - k for k in reversed(one.classes)), f"seed {seed}"
        assert (other.bids, other.offers) == (one.bids, one.offers), f"seed {seed}"
        moved += sorted(piece[:2] for piece in other.pieces) != sorted(piece[:2] for piece in one.pieces)
    assert moved > 5 * FACTOR


def test_fair_shares_are_those_of_an_independent_program_to_one_unit() -> None:
    compared = several = 0
    for seed in range(40 * FACTOR):
        dice = random.Random(seed)
        places = dice.randint(2, 4)
        capacities = [dice.randint(0, 60) for _ in range(places)]
        sources = []
        for n in range(dice.randint(2, 5)):
            tied = [Order(10 * n + i, dice.randint(1, 25), 1) for i in range(dice.randint(0, 3))]
            sources.append(Source(dice.randrange(1, 2**places), dice.randint(0, 12), tied))
        shares = fair(sources, capacities, tie_keys(SEED))
        ratios = progressive(sources, capacities)
        assert (shares is None) == (ratios is None), f"seed {seed}"
        if shares is None or ratios is None:
            continue
        for source, ratio in zip(sources, ratios, strict=True):
            for order in source.tied:
                got = shares.tied.get(order.number, 0)
                assert abs(got - ratio * order.quantity) < 1.0001, f"seed {seed}: {got} of {order}, ratio {ratio}"
                compared += 1
        several += len({round(ratio, 6) for ratio, source in zip(ratios, sources, strict=True) if source.tied}) > 1
    assert compared > 100 * FACTOR
    assert several > 5 * FACTOR


def progressive(sources: list[Source], capacities: list[int]) -> list[float] | None:
    """Max-min ratios: raise all that still can together; who cannot rise alone is done. None where there is no room."""
    asked = [sum(order.quantity for order in source.tied) for source in sources]
    ratios, done = [0.0] * len(sources), {n for n, each in enumerate(asked) if not each}
    if largest(sources, capacities, asked, ratios, set()) is None:
        return None
    while len(done) < len(sources):
        rising = set(range(len(sources))) - done
        level = largest(sources, capacities, asked, ratios, rising)
        assert level is not None
        ratios = [level if n in rising else ratio for n, ratio in enumerate(ratios)]
        for n in rising:
            alone = largest(sources, capacities, asked, ratios, {n})
            assert alone is not None
            if alone < level + 1e-7:
                done.add(n)
    return ratios


def largest(
    sources: list[Source], capacities: list[int], asked: list[int], ratios: list[float], rising: set[int]
) -> float | None:
    """The highest ratio, 1 at most, that the rising ones can have together while the others keep theirs."""
    from scipy.optimize import linprog

    edges = [(n, k) for n, source in enumerate(sources) for k in range(len(capacities)) if source.places >> k & 1]
    sent = [
        [float(n == source) for source, _ in edges] + [-float(asked[n] * (n in rising))] for n in range(len(sources))
    ]
    needed = [source.must + (0 if n in rising else asked[n] * ratios[n]) for n, source in enumerate(sources)]
    used = [[float(k == place) for _, place in edges] + [0.0] for k in range(len(capacities))]
    target = [0.0] * len(edges) + [-1.0]
    bounds = [(0, None)] * len(edges) + [(0, 1)]
    tolerance = [each + 1e-9 for each in capacities]
    found = linprog(target, used, tolerance, sent, needed, bounds, method="highs")
    return found.x[-1] if found.status == 0 else None
