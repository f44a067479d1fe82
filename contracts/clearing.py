"""Clearing of a call auction with one class, in integers: the lowest equilibrium price, fills, pieces.

Theory (research/market.md section 5, one class). At price p every bid above p is filled whole and every offer below p
sold whole; orders exactly at p take part as far as the other side reaches; bought equals sold. Prices for which such
fills exist are an interval, and its lowest member at or above the floor is the only valid one, so whoever proposes a
settlement has nothing to choose. Orders tied at p share pro rata; the last single units go by a seeded key that
nobody could know when bidding.

Pure: orders in, result out. A later market replaces the inside by classes and filters and keeps this seam.
"""

from dataclasses import dataclass

from state.crypto import H


@dataclass(frozen=True, slots=True)
class Order:
    """A bid or an offer as the clearing sees it. `number` is its place in the auction, unique."""

    number: int
    quantity: int
    limit: int  # millionths per certificate


@dataclass(frozen=True, slots=True)
class Fill:
    number: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Piece:
    """`quantity` certificates of offer `offer`, beginning `skip` certificates into its lot, go to bid `bid`."""

    offer: int
    bid: int
    skip: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Result:
    price: int
    volume: int
    bids: tuple[Fill, ...]  # filled bids by number
    offers: tuple[Fill, ...]
    pieces: tuple[Piece, ...]


def clear(bids: list[Order], offers: list[Order], floor: int, ceiling: int, seed: bytes) -> Result:
    """The one valid result. Bids below the floor and offers above the ceiling take no part (limits are clamped)."""
    buying = [Order(o.number, o.quantity, min(o.limit, ceiling)) for o in bids if o.limit >= floor]
    selling = [Order(o.number, o.quantity, max(o.limit, floor)) for o in offers if o.limit <= ceiling]
    price = lowest_price(buying, selling, floor)
    must_buy, tied_buy = _split(buying, price, above=True)
    must_sell, tied_sell = _split(selling, price, above=False)
    volume = min(
        sum(o.quantity for o in must_buy) + sum(o.quantity for o in tied_buy),
        sum(o.quantity for o in must_sell) + sum(o.quantity for o in tied_sell),
    )
    bought = _fills(must_buy, tied_buy, volume, seed)
    sold = _fills(must_sell, tied_sell, volume, seed)
    return Result(price, volume, bought, sold, _pieces(bought, sold, seed))


def lowest_price(bids: list[Order], offers: list[Order], floor: int) -> int:
    """The lowest price >= floor at which what must be bought does not exceed what may be sold.

    Both sums change only at a limit, so the limits (and the floor) are the only candidates: one walk upward.
    """
    demand = sorted(bids, key=lambda o: o.limit)
    supply = sorted(offers, key=lambda o: o.limit)
    must_buy, may_sell = sum(o.quantity for o in bids), 0
    bought = sold = 0
    for price in sorted({floor, *(o.limit for o in bids if o.limit > floor), *(o.limit for o in offers)}):
        while bought < len(demand) and demand[bought].limit <= price:
            must_buy -= demand[bought].quantity
            bought += 1
        while sold < len(supply) and supply[sold].limit <= price:
            may_sell += supply[sold].quantity
            sold += 1
        if must_buy <= may_sell:
            return price
    raise AssertionError("at the dearest bid nothing must be bought, so the walk always returns")


def result_root(result: Result) -> bytes:
    """Hash over everything that follows from the price: what `settle` carries and every validator recomputes."""
    return H(
        "wattest/result",
        (
            result.price,
            tuple((fill.number, fill.quantity) for fill in result.bids),
            tuple((fill.number, fill.quantity) for fill in result.offers),
            tuple((piece.offer, piece.bid, piece.skip, piece.quantity) for piece in result.pieces),
        ),
    )


def _split(orders: list[Order], price: int, above: bool) -> tuple[list[Order], list[Order]]:
    """(orders that trade whole at `price`, orders tied at it)."""
    whole = [o for o in orders if (o.limit > price if above else o.limit < price)]
    tied = [o for o in orders if o.limit == price]
    return whole, tied


def _fills(must: list[Order], tied: list[Order], volume: int, seed: bytes) -> tuple[Fill, ...]:
    """Whole orders whole; the rest of the volume over the tied ones pro rata, single units in tie-key order."""
    filled = {o.number: o.quantity for o in must}
    rest = volume - sum(filled.values())
    available = sum(o.quantity for o in tied)
    assert 0 <= rest <= available, "the price is not an equilibrium"
    shares = {o.number: o.quantity * rest // available for o in tied} if available else {}
    left = rest - sum(shares.values())
    for order in sorted(tied, key=lambda o: tie_key(seed, o.number)):
        if left == 0:
            break
        if shares[order.number] < order.quantity:
            shares[order.number] += 1
            left -= 1
    filled.update(shares)
    return tuple(Fill(number, quantity) for number, quantity in sorted(filled.items()) if quantity)


def tie_key(seed: bytes, number: int) -> bytes:
    return H("wattest/tie", (seed, number))


def _pieces(bought: tuple[Fill, ...], sold: tuple[Fill, ...], seed: bytes) -> tuple[Piece, ...]:
    """Buyers in tie-key order meet lots in tie-key order; a lot is handed out from its first number on."""
    buyers = sorted(bought, key=lambda fill: tie_key(seed, fill.number))
    sellers = sorted(sold, key=lambda fill: tie_key(seed, fill.number))
    pieces: list[Piece] = []
    lot, skip = 0, 0
    for buyer in buyers:
        wanted = buyer.quantity
        while wanted:
            taken = min(wanted, sellers[lot].quantity - skip)
            pieces.append(Piece(sellers[lot].number, buyer.number, skip, taken))
            wanted -= taken
            skip += taken
            if skip == sellers[lot].quantity:
                lot, skip = lot + 1, 0
    return tuple(pieces)
