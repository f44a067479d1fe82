"""Which orders of a closed book take part in its clearing, and what every order is told about its outcome.

Screened out: what was never opened, what lies outside floor and ceiling, a bid whose stake does not cover it, a bid for
classes that hold no lot, a bid that accepts a class in which its own participant sells (nobody's wash trade sets a
price), and what is beyond the position cap, in the order of the book.
"""

from collections import defaultdict
from typing import NamedTuple

from contracts.attributes import mask_of
from contracts.auction import Book
from contracts.book import Book as ClearingBook
from contracts.obligation import to_lock
from contracts.pieces import Result
from contracts.sharing import Order
from state.outputs import Bid, Offer, OrderOutput, SealedBid, SealedOffer, holder_of
from state.records import Auction

FILLED, SHARED, PRICE = "filled", "shared", "price"
UNOPENED, OUTSIDE, STAKE, NO_CLASS, OWN, CAP = "unopened", "outside", "stake", "no_class", "own_order", "cap"
SPOILT = "spoilt"  # sealed so that nobody could open it


class Screened(NamedTuple):
    bids: list[Order]
    offers: list[Order]
    why: dict[int, str]  # of those left out, by number


class Outcome(NamedTuple):
    """What an order is told. `price` is that of its cheapest class, also where it got nothing."""

    filled: int
    price: int
    amount: int  # millionths, without the fee
    why: str


def screen(auction: Auction, book: Book) -> Screened:
    found = Screened([], [], {})
    selling: dict[int, int] = defaultdict(int)  # classes in which a participant offers
    for number, (_, order) in book.items():
        match order:
            case Offer():
                if order.limit > auction.ceiling:
                    found.why[number] = OUTSIDE
                    continue
                offered = order.quantity or order.lot.end - order.lot.start + 1
                found.offers.append(Order(number, offered, order.limit, 1 << order.place))
                selling[order.lot.holder] |= 1 << order.place
            case SealedOffer() | SealedBid():
                found.why[number] = SPOILT if order.spoilt else UNOPENED
    _screen_bids(auction, book, selling, found)
    return found


def _screen_bids(auction: Auction, book: Book, selling: dict[int, int], found: Screened) -> None:
    live = 0
    for offer in found.offers:
        live |= offer.classes
    masks: dict[tuple[str, ...], int] = {}
    positions: dict[int, int] = defaultdict(int)
    cap = auction.terms.position_cap
    for number, (_, order) in book.items():
        if not isinstance(order, Bid):
            continue
        mask = masks.get(order.wanted)
        if mask is None:
            mask = masks[order.wanted] = mask_of(auction.terms, order.wanted)
        if order.limit < auction.floor:
            found.why[number] = OUTSIDE
        elif order.funds.amount < to_lock(auction.terms, order.quantity * order.limit):
            found.why[number] = STAKE
        elif not mask & live:
            found.why[number] = NO_CLASS
        elif mask & selling.get(order.holder, 0):
            found.why[number] = OWN
        elif cap and positions[order.holder] + order.quantity > cap:
            found.why[number] = CAP
        else:
            positions[order.holder] += order.quantity
            found.bids.append(Order(number, order.quantity, order.limit, mask))


def clearing_book(auction: Auction, screened: Screened) -> ClearingBook:
    return ClearingBook(screened.bids, screened.offers, auction.floor, auction.ceiling)


def outcomes(screened: Screened, book: Book, result: Result) -> dict[int, Outcome]:
    """Of every order, by number."""
    price = dict(zip(result.classes, result.prices, strict=True))
    filled = dict((*result.bids, *result.offers))
    amounts: dict[int, int] = defaultdict(int)
    for piece in result.pieces:
        amounts[piece.bid] += piece.amount
        amounts[piece.offer] += piece.amount
    live = sum(1 << k for k in price)
    found = {number: Outcome(0, 0, 0, why) for number, why in screened.why.items()}
    cheapest: dict[int, int] = {}
    for order in (*screened.bids, *screened.offers):
        at = cheapest.get(order.classes)
        if at is None:
            accepted = order.classes & live
            at = cheapest[order.classes] = min((price[k] for k in price if accepted >> k & 1), default=0)
        got = filled.get(order.number, 0)
        why = FILLED if got == order.quantity else SHARED if got or order.limit == at else PRICE
        found[order.number] = Outcome(got, at, amounts[order.number], why)
    return {number: found[number] for number in book}


def traders(book: Book, result: Result) -> dict[int, set[int]]:
    """Participants that traded in each class."""
    found: dict[int, set[int]] = {k: set() for k in result.classes}
    for piece in result.pieces:
        offer = book[piece.offer][1]
        assert isinstance(offer, Offer)
        found[offer.place] |= {holder_of(offer), holder_of(book[piece.bid][1])}
    return found


def quantity_of(order: OrderOutput) -> tuple[int, int]:
    """(quantity, limit) that an order says; nothing where it is sealed."""
    match order:
        case Bid():
            return order.quantity, order.limit
        case Offer():
            return order.quantity or order.lot.end - order.lot.start + 1, order.limit
        case _:
            return 0, 0
