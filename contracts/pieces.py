"""From fills to pieces: which certificates of which lot go to which bid, and the hash over all of it.

In each group bids in tie-key order take the group's classes in order; in each class those buyers, group after group,
meet its lots in tie-key order; a lot is handed out from its first number on. So there is about one piece for each
filled order, and ranges stay long.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from contracts.book import Book
from contracts.clearing import Allocation, check
from contracts.sharing import Order, TieKey
from contracts.solving import solve
from state.codec import encode
from state.crypto import HASH_BYTES, H


class Fill(NamedTuple):
    number: int
    quantity: int


class Piece(NamedTuple):
    """`quantity` certificates of offer `offer`, beginning `skip` into its lot, go to bid `bid` for `amount`."""

    offer: int
    bid: int
    skip: int
    quantity: int
    amount: int  # millionths


class Result(NamedTuple):
    classes: tuple[int, ...]  # those that hold lots, in rising order
    prices: tuple[int, ...]  # of each of them
    volumes: tuple[int, ...]  # sold in each
    bids: tuple[Fill, ...]  # filled bids by number
    offers: tuple[Fill, ...]
    pieces: tuple[Piece, ...]

    @property
    def volume(self) -> int:
        return sum(self.volumes)

    @property
    def mean_price(self) -> int:
        """By volume, rounded down; 0 without trade. Where one class traded it is the price."""
        paid = sum(price * volume for price, volume in zip(self.prices, self.volumes, strict=True))
        return paid // self.volume if self.volume else 0


def clear(bids: list[Order], offers: list[Order], floor: int, ceiling: int, seed: bytes) -> Result:
    """The one valid result of a book, found and checked."""
    book = Book(bids, offers, floor, ceiling)
    result = settled(book, solve(book), seed)
    assert result is not None, "what is solved is what is checked"
    return result


def settled(book: Book, prices: Sequence[int], seed: bytes) -> Result | None:
    """Everything that follows from `prices`; None where these are not the lowest equilibrium of the book."""
    key = tie_keys(seed)
    allocation = check(book, prices, key)
    if allocation is None:
        return None
    bids, offers = allocation.bids(), allocation.offers()
    return Result(
        book.classes,
        tuple(prices),
        tuple(allocation.sold),
        tuple(map(Fill._make, sorted(bids.items()))),
        tuple(map(Fill._make, sorted(offers.items()))),
        tuple(_pieces(allocation, prices, bids, offers, key)),
    )


def result_root(result: Result) -> bytes:
    """Hash over everything that follows from the prices: what `settle` carries and every validator recomputes."""
    return H("wattest/result", tuple(result))


def tie_keys(seed: bytes) -> TieKey:
    """`H("wattest/tie", (seed, number))`, with what stands before the number hashed once."""
    begun = blake2b(b"\x92" + encode(seed), digest_size=HASH_BYTES, person=b"wattest/tie")

    def key(number: int) -> bytes:
        state = begun.copy()
        state.update(encode(number))
        return state.digest()

    return key


def _pieces(
    allocation: Allocation, prices: Sequence[int], bids: dict[int, int], offers: dict[int, int], key: TieKey
) -> list[Piece]:
    buyers: list[list[tuple[int, int]]] = [[] for _ in prices]  # of each class: (bid, quantity)
    for group, sent in zip(allocation.groups, allocation.flow.sent, strict=True):
        filled = [
            order.number
            for _, tied in group.filters
            for order in tied.ladder.orders[tied.low :]
            if order.number in bids
        ]
        _spread([(number, bids[number]) for number in sorted(filled, key=key)], sorted(sent.items()), buyers)
    pieces: list[Piece] = []
    for k, tied in enumerate(allocation.asks):
        sold = [order.number for order in tied.ladder.orders[: tied.high] if order.number in offers]
        _meet(buyers[k], [(number, offers[number]) for number in sorted(sold, key=key)], prices[k], pieces.append)
    return pieces


def _spread(wanted: list[tuple[int, int]], sent: list[tuple[int, int]], buyers: list[list[tuple[int, int]]]) -> None:
    """A group's bids one after the other into its classes one after the other."""
    places = iter(sent)
    k, room = next(places, (0, 0))
    for number, quantity in wanted:
        while quantity:
            if not room:
                k, room = next(places)
            taken = min(quantity, room)
            buyers[k].append((number, taken))
            quantity -= taken
            room -= taken


def _meet(buyers: list[tuple[int, int]], lots: list[tuple[int, int]], price: int, add: Callable[[Piece], None]) -> None:
    lot, skip = 0, 0
    for bid, quantity in buyers:
        while quantity:
            offer, size = lots[lot]
            taken = min(quantity, size - skip)
            add(Piece(offer, bid, skip, taken, taken * price))
            quantity -= taken
            skip += taken
            if skip == size:
                lot, skip = lot + 1, 0
