"""settle: a closed auction becomes deliveries, at the one price that every validator computes itself.

The action carries the price and the root of the result; fills, pieces and payments follow by `clearing`. Money and
certificates of the first pieces move in this block; beyond a page each piece becomes a Delivery, swapped by the sweep
of the following blocks. What found no match goes back. No signers: any node may send it.
"""

from collections import defaultdict

from msgspec.structs import replace

from contracts.auction import CLOSED, SETTLED, released
from contracts.book import Book as OrderBook
from contracts.context import Context
from contracts.deposit import format_price
from contracts.events import Delivered, Settled
from contracts.pieces import Piece, Result, result_root, settled
from contracts.sharing import Order
from contracts.solving import solve
from contracts.transfer import moved_bundle
from state.errors import AuctionPhase, CertificateExpired, PriceWrong
from state.keyspace import (
    auction_key,
    auction_member_key,
    auction_order_key,
    auction_waiting_key,
    delivery_key,
    output_key,
    price_key,
    scheme_key,
    space_end,
)
from state.outputs import Bid, Bundle, Delivery, Funds, Offer, holder_of, quantity, retire_until
from state.overlay import Snapshot
from state.records import Auction, Counter, Pointer, Scheme
from state.transaction import Settle
from state.units import PAGE_PIECES, Outpoint

Book = dict[int, tuple[Outpoint, Offer | Bid]]


def check(context: Context, action: Settle) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    if auction.status != CLOSED:
        raise AuctionPhase(auction=auction.id, phase=auction.status, needed="a closed auction")
    _check_alive(context, book_of(context.overlay, auction))


def apply(context: Context, action: Settle) -> None:
    """Refuses too: the result is what the prices are checked by, and it is worked out once."""
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    book = book_of(context.overlay, auction)
    result = _checked(auction, book, action)
    for point, _ in book.values():
        context.spend(point)
    _deliver(context, auction, book, result)
    _return_rest(context, book, result)
    _forget_orders(context, auction)
    price = result.mean_price
    context.overlay.put(
        auction_key(auction.id),
        replace(auction, status=SETTLED, price=price, quantity=result.volume, result_root=action.result_root),
    )
    _remember_price(context, auction, price)
    context.announce(
        Settled(
            auction.id,
            price,
            result.volume,
            auction.lot_class.technology,
            auction.currency,
            len({holder_of(book[fill.number][1]) for fill in result.bids}),
            len({holder_of(book[fill.number][1]) for fill in result.offers}),
        )
    )


def _checked(auction: Auction, book: Book, action: Settle) -> Result:
    """The result, if the prices are the lowest equilibrium and the root is that of all that follows from them."""
    result = settled(order_book(auction, book), action.prices, auction.seed)
    if result is None:
        raise PriceWrong(auction=auction.id, why="these are not the lowest prices at which bought equals sold")
    if action.result_root != result_root(result):
        raise PriceWrong(auction=auction.id, why="the fills, pieces or payments differ")
    return result


def _remember_price(context: Context, auction: Auction, price: int) -> None:
    """What a certificate of the scheme last cost: a forfeited deposit is measured by it."""
    scheme = context.overlay.get(scheme_key(auction.lot_class.scheme))
    if price and isinstance(scheme, Scheme) and scheme.currency == auction.currency:
        context.overlay.put(price_key(scheme.id), Counter(price))


def describe(action: Settle) -> str:
    at = ", ".join(format_price(price) for price in action.prices) or "no price"
    return f"settle auction {action.auction} at {at} each"


def build_settle(state: Snapshot, auction: Auction) -> Settle:
    """The only valid settlement of a closed auction: what any node may send."""
    book = order_book(auction, book_of(state, auction))
    prices = solve(book)
    result = settled(book, prices, auction.seed)
    assert result is not None, "what is solved is what is checked"
    return Settle(auction.id, result.prices, result_root(result))


def book_of(state: Snapshot, auction: Auction) -> Book:
    """The live orders by number; cancelled ones are gone."""
    book: Book = {}
    for number in range(auction.orders):
        pointer = state.get(auction_order_key(auction.id, number))
        assert isinstance(pointer, Pointer)
        order = state.get(output_key(pointer.outpoint))
        if isinstance(order, Offer | Bid):
            book[number] = (pointer.outpoint, order)
    return book


def order_book(auction: Auction, book: Book) -> OrderBook:
    bids = [Order(n, order.quantity, order.limit) for n, (_, order) in book.items() if isinstance(order, Bid)]
    offers = [Order(n, quantity(order.lot), order.limit) for n, (_, order) in book.items() if isinstance(order, Offer)]
    return OrderBook(bids, offers, auction.floor, auction.ceiling)


def _check_alive(context: Context, book: Book) -> None:
    """A flood of expiries can leave dead lots unswept for some blocks. Nobody may buy them: the settlement waits."""
    environment = context.environment
    for point, order in book.values():
        until = retire_until(order)
        if not environment.before(until):
            raise CertificateExpired(outpoint=point, what="delivered", until=until, now=environment.time_s)


def _forget_orders(context: Context, auction: Auction) -> None:
    """Numbers, members (also those who cancelled all their orders) and the mark of waiting."""
    overlay = context.overlay
    for number in range(auction.orders):
        overlay.delete(auction_order_key(auction.id, number))
    low = auction_member_key(auction.id, 0)
    for key, _ in list(overlay.scan(low, space_end(low[:5]))):
        overlay.delete(key)
    overlay.delete(auction_waiting_key(auction.id))


# --- moving both legs


def swap(context: Context, auction: int, lot: Bundle, buyer: int, payment: Funds) -> None:
    """The certificates to the buyer; the seller's money is paid by the caller, once for all his pieces."""
    context.create(moved_bundle(lot, buyer, lot.start, lot.end))
    context.announce(
        Delivered(
            auction,
            lot.holder,
            buyer,
            lot.device,
            lot.issuance,
            lot.start,
            lot.end,
            payment.currency,
            payment.amount,
        )
    )


def _deliver(context: Context, auction: Auction, book: Book, result: Result) -> None:
    """Pieces of the first page at once, the others as Deliveries in piece order."""
    income: dict[int, int] = defaultdict(int)
    for place, piece in enumerate(result.pieces):
        lot, buyer = _parts(book, piece)
        payment = Funds(buyer, auction.currency, piece.amount)
        if place < PAGE_PIECES:
            swap(context, auction.id, lot, buyer, payment)
            income[lot.holder] += payment.amount
        else:
            point = context.create(Delivery(auction.id, lot, buyer, payment))
            context.overlay.put(delivery_key(context.next_number("delivery")), Pointer(point))
    for seller, amount in sorted(income.items()):
        context.pay(seller, auction.currency, amount)


def _parts(book: Book, piece: Piece) -> tuple[Bundle, int]:
    offer, bid = book[piece.offer][1], book[piece.bid][1]
    assert isinstance(offer, Offer)
    assert isinstance(bid, Bid)
    start = offer.lot.start + piece.skip
    return moved_bundle(offer.lot, offer.lot.holder, start, start + piece.quantity - 1), bid.holder


def _return_rest(context: Context, book: Book, result: Result) -> None:
    """Unsold certificates and unspent money go back, in the order of the orders."""
    sold, paid = dict(result.offers), defaultdict[int, int](int)
    for piece in result.pieces:
        paid[piece.bid] += piece.amount
    for number, (_, order) in book.items():
        match order:
            case Offer():
                lot, done = order.lot, sold.get(number, 0)
                if done == 0:
                    context.create(released(order))
                elif done < quantity(lot):
                    context.create(moved_bundle(lot, lot.holder, lot.start + done, lot.end))
            case Bid():
                context.pay(order.holder, order.funds.currency, order.funds.amount - paid[number])
