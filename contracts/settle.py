"""settle: a closed auction becomes deliveries, at the prices that every validator checks itself.

The action carries one price for each class with lots and the root of the result; fills, pieces and payments follow by
`contracts/clearing.py`. Money and certificates of the first pieces move in this block; beyond a page each piece becomes
a Delivery, swapped by the sweep of the following blocks. Of a bid on margin whose locked money does not pay what it won
the pieces are reserved (`contracts/obligation.py`). What found no match goes back; of a sealed order that nobody opened
half of the stake does not. No signers: any node may send it.

void: the way out of an auction for which no valid settlement came. Everything goes back, without a penalty.
"""

from collections import defaultdict
from collections.abc import Iterator

from msgspec.structs import replace

from contracts.attributes import filter_words, label_of
from contracts.auction import CLOSED, SETTLED, VOID, Book, book_of, release
from contracts.context import BlockEnvironment, Context
from contracts.delivery import Income, swap
from contracts.deposit import format_price
from contracts.escrow import forget_escrow
from contracts.events import ClassSettled, OrderSettled, Settled, Voided
from contracts.obligation import Won, owe, to_lock
from contracts.pieces import Piece, Result, result_root, settled
from contracts.screening import (
    Outcome,
    Screened,
    clearing_book,
    outcomes,
    quantity_of,
    screen,
    traders,
)
from contracts.solving import solve
from contracts.standing_bids import returned
from contracts.transfer import moved_bundle
from state.errors import AuctionPhase, CertificateExpired, PriceWrong
from state.keyspace import (
    auction_key,
    auction_member_key,
    auction_order_key,
    auction_waiting_key,
    delivery_key,
    price_key,
    scheme_key,
    space_end,
)
from state.outputs import (
    Bid,
    Bundle,
    Delivery,
    Funds,
    Offer,
    OrderOutput,
    SealedBid,
    SealedOffer,
    holder_of,
    retire_until,
)
from state.overlay import Snapshot
from state.records import Auction, ClassResult, Counter, Pointer, Scheme
from state.spoken import Said
from state.transaction import Settle, VoidAuction
from state.units import PAGE_PIECES

THIN = 3  # fewer participants than this in a class are marked: a price that two can agree on is no market's
BASIS_POINTS = 10_000
VOID_AFTER_S = 600  # beside 3n blocks, which take seconds where much else is going on


def check(context: Context, action: Settle) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    if auction.status != CLOSED:
        raise AuctionPhase(auction=auction.id, phase=auction.status, needed="a closed auction")
    _check_alive(context, book_of(context.overlay, auction))


def apply(context: Context, action: Settle) -> None:
    """Refuses too: the result is what the prices are checked by, and it is worked out once."""
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    book = book_of(context.overlay, auction)
    screened = screen(auction, book)
    result = _checked(auction, screened, action)
    told = outcomes(screened, book, result)
    for point, _ in book.values():
        context.spend(point)
    fees = _deliver(context, auction, book, result, told)
    forfeited = _return_rest(context, auction, book, told)
    context.pay(auction.operator, auction.currency, fees + forfeited)
    _forget_orders(context, auction)
    done = replace(
        auction,
        status=SETTLED,
        price=result.mean_price,
        quantity=result.volume,
        result_root=action.result_root,
        settled_height=context.environment.height,
        forfeited=forfeited,
        results=tuple(_class_results(auction, book, screened, result)),
    )
    context.overlay.put(auction_key(auction.id), done)
    _remember_price(context, done)
    _announce(context, done, book, result, told, fees)


def describe(action: Settle) -> Said:
    if not action.prices:
        return Said("settle auction {auction} at no price", auction=action.auction)
    prices = ", ".join(format_price(price) for price in action.prices)
    return Said("settle auction {auction} at {prices} each", auction=action.auction, prices=prices)


def check_void(context: Context, action: VoidAuction) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    if auction.status != CLOSED or not void_due(context.environment, auction):
        raise AuctionPhase(
            auction=auction.id, phase=auction.status, needed="one that waited in vain for its settlement"
        )


def apply_void(context: Context, action: VoidAuction) -> None:
    auction = context.record(auction_key(action.auction), Auction, "auction", action.auction)
    book = book_of(context.overlay, auction)
    for point, order in book.values():
        context.spend(point)
        release(context, order)
    _forget_orders(context, auction)
    context.overlay.put(auction_key(auction.id), replace(auction, status=VOID))
    context.announce(Voided(auction.id, len(book)))


def describe_void(action: VoidAuction) -> Said:
    return Said("void auction {auction}: no settlement came, everything goes back", auction=action.auction)


def void_due(environment: BlockEnvironment, auction: Auction) -> bool:
    """Whether a closed auction has waited so long that it is given up."""
    patient = environment.height >= auction.phase_height + 3 * len(environment.validators)
    return patient and environment.time_s >= auction.phase_at + VOID_AFTER_S


def build_settle(state: Snapshot, auction: Auction) -> Settle:
    """The only valid settlement of a closed auction: what any node may send."""
    book = clearing_book(auction, screen(auction, book_of(state, auction)))
    prices = solve(book)
    result = settled(book, prices, auction.seed)
    assert result is not None, "what is solved is what is checked"
    return Settle(auction.id, result.prices, result_root(result))


def _checked(auction: Auction, screened: Screened, action: Settle) -> Result:
    """The result, if the prices are the lowest equilibrium and the root is that of all that follows from them."""
    result = settled(clearing_book(auction, screened), action.prices, auction.seed)
    if result is None:
        raise PriceWrong(auction=auction.id, why="these are not the lowest prices at which bought equals sold")
    if action.result_root != result_root(result):
        raise PriceWrong(auction=auction.id, why="the fills, pieces or payments differ")
    return result


def _check_alive(context: Context, book: Book) -> None:
    """A flood of expiries can leave dead lots unswept for some blocks. Nobody may buy them: the settlement waits."""
    environment = context.environment
    for point, order in book.values():
        until = retire_until(order)
        if not environment.before(until):
            raise CertificateExpired(outpoint=point, what="delivered", until=until, now=environment.time_s)


def _class_results(auction: Auction, book: Book, screened: Screened, result: Result) -> Iterator[ClassResult]:
    people = traders(book, result)
    offered: dict[int, int] = defaultdict(int)
    for order in screened.offers:
        offered[order.classes.bit_length() - 1] += order.quantity
    for k, price, volume in zip(result.classes, result.prices, result.volumes, strict=True):
        count = len(people[k])
        yield ClassResult(
            k,
            label_of(auction.terms, k),
            price if volume else 0,  # a class without trade has no price
            volume,
            offered[k] - volume,
            count,
            count < THIN,
        )


def _announce(
    context: Context, auction: Auction, book: Book, result: Result, told: dict[int, Outcome], fees: int
) -> None:
    context.announce(
        Settled(
            auction.id,
            auction.price,
            auction.quantity,
            auction.lot_class.technology,
            auction.currency,
            len({holder_of(book[fill.number][1]) for fill in result.bids}),
            len({holder_of(book[fill.number][1]) for fill in result.offers}),
            fees,
            auction.forfeited,
        )
    )
    for row in auction.results:
        context.announce(
            ClassSettled(auction.id, row.label, row.price, row.volume, row.unmatched, row.participants, row.thin)
        )
    paid, owed = fees_of(auction, result), _owed(auction, book, result, told)
    due_at = context.environment.time_s + auction.terms.pay_s
    for number, (_, order) in book.items():
        receipt = _receipt(auction, number, order, told[number], paid.get(number, 0))
        if owed[number]:
            receipt = replace(receipt, owed=owed[number], due_at=due_at)
        if isinstance(order, Bid) and order.standing:
            receipt = replace(receipt, standing=order.standing)
        context.announce(receipt)


def _owed(auction: Auction, book: Book, result: Result, told: dict[int, Outcome]) -> dict[int, int]:
    """What a bid owes, and of an offer's income what others owe for it, by number."""
    found: dict[int, int] = defaultdict(int)
    owing = _owing(book, told)
    for piece in result.pieces:
        if piece.bid in owing:
            found[piece.offer] += piece.amount
    for number in owing:
        found[number] = told[number].amount - to_lock(auction.terms, told[number].amount)
    return found


def _receipt(auction: Auction, number: int, order: OrderOutput, outcome: Outcome, fee: int) -> OrderSettled:
    buying = isinstance(order, Bid | SealedBid)
    match order:
        case Bid():
            words = filter_words(auction.terms, order.wanted)
        case Offer() | SealedOffer():
            words = label_of(auction.terms, order.place)
        case _:
            words = ""
    quantity, limit = quantity_of(order)
    return OrderSettled(
        auction.id,
        number,
        holder_of(order),
        "bid" if buying else "offer",
        words,
        quantity,
        limit,
        outcome.filled,
        outcome.price,
        outcome.amount,
        fee,
        _penalty(order),
        outcome.why,
    )


def _remember_price(context: Context, auction: Auction) -> None:
    """What a certificate of the scheme last cost: a forfeited deposit is measured by it."""
    scheme = context.overlay.get(scheme_key(auction.lot_class.scheme))
    if auction.price and isinstance(scheme, Scheme) and scheme.currency == auction.currency:
        context.overlay.put(price_key(scheme.id), Counter(auction.price))


def _forget_orders(context: Context, auction: Auction) -> None:
    """Numbers, members (also those who cancelled all their orders) and the mark of waiting."""
    overlay = context.overlay
    for number in range(auction.orders):
        overlay.delete(auction_order_key(auction.id, number))
    low = auction_member_key(auction.id, 0)
    for key, _ in list(overlay.scan(low, space_end(low[:5]))):
        overlay.delete(key)
    overlay.delete(auction_waiting_key(auction.id))
    forget_escrow(context, auction.id)


# --- moving both legs


def fee_of(auction: Auction, piece: Piece) -> int:
    return piece.amount * auction.terms.fee // BASIS_POINTS


def fees_of(auction: Auction, result: Result) -> dict[int, int]:
    """What each offer pays, by number."""
    found: dict[int, int] = defaultdict(int)
    for piece in result.pieces:
        found[piece.offer] += fee_of(auction, piece)
    return found


def _deliver(context: Context, auction: Auction, book: Book, result: Result, told: dict[int, Outcome]) -> int:
    """Pieces of the first page at once, the others as Deliveries in piece order, those that their buyers owe for
    reserved; the fees of the first page."""
    owing = _owing(book, told)
    won: dict[int, list[Won]] = defaultdict(list)
    income, fees, place = Income(), 0, 0
    for piece in result.pieces:
        lot, buyer = _parts(book, piece)
        payment, fee = Funds(buyer, auction.currency, piece.amount), fee_of(auction, piece)
        if piece.bid in owing:
            won[buyer].append(Won(lot, piece.amount, fee))
            continue
        if place < PAGE_PIECES:
            swap(context, auction.id, lot, buyer, payment)
            income.add(lot.holder, auction.currency, payment.amount - fee)
            fees += fee
        else:
            point = context.create(Delivery(auction.id, lot, buyer, payment, fee))
            context.overlay.put(delivery_key(context.next_number("delivery")), Pointer(point))
        place += 1
    income.pay_out(context)
    margins: dict[int, int] = defaultdict(int)
    for number in owing:
        margins[holder_of(book[number][1])] += to_lock(auction.terms, told[number].amount)
    for buyer, pieces in sorted(won.items()):
        owe(context, auction, buyer, pieces, margins[buyer])
    return fees


def _owing(book: Book, told: dict[int, Outcome]) -> set[int]:
    """Bids whose locked money does not pay what they won, by number."""
    return {
        number
        for number, (_, order) in book.items()
        if isinstance(order, Bid) and told[number].amount > order.funds.amount
    }


def _parts(book: Book, piece: Piece) -> tuple[Bundle, int]:
    offer, bid = book[piece.offer][1], book[piece.bid][1]
    assert isinstance(offer, Offer)
    assert isinstance(bid, Bid)
    start = offer.lot.start + piece.skip
    return moved_bundle(offer.lot, offer.lot.holder, start, start + piece.quantity - 1), bid.holder


def _return_rest(context: Context, auction: Auction, book: Book, told: dict[int, Outcome]) -> int:
    """Unsold certificates, unspent money and bonds go back, in the order of the orders; what is forfeited."""
    forfeited = 0
    for number, (_, order) in book.items():
        outcome, penalty = told[number], _penalty(order)
        forfeited += penalty
        match order:
            case Offer():
                if lot := _left(order.lot, outcome.filled):
                    context.create(lot)
                if order.bond is not None:
                    context.create(order.bond)
            case Bid():
                returned(context, order, order.funds.amount - _kept(auction, order, outcome.amount))
            case SealedOffer():
                context.create(order.lot)
                if order.bond is not None:
                    context.pay(order.bond.holder, order.bond.currency, order.bond.amount - penalty)
            case SealedBid():
                context.pay(order.holder, order.funds.currency, order.funds.amount - penalty)
    return forfeited


def _kept(auction: Auction, bid: Bid, amount: int) -> int:
    """Of a bid's money: what it paid, or the margin of what it owes."""
    return amount if amount <= bid.funds.amount else to_lock(auction.terms, amount)


def _left(lot: Bundle, sold: int) -> Bundle | None:
    start = lot.start + sold
    return moved_bundle(lot, lot.holder, start, lot.end) if start <= lot.end else None


def _penalty(order: OrderOutput) -> int:
    """Of what stood behind an order that was never opened: half where only its owner could, as hiding it must not pay.

    Where a quorum of validators opens orders: all if the order is to blame, nothing if they did not come.
    """
    match order:
        case SealedBid():
            at_stake = order.funds.amount
        case SealedOffer():
            at_stake = order.bond.amount if order.bond is not None else 0
        case _:
            return 0
    if order.spoilt:
        return at_stake
    return at_stake // 2 if order.envelope is None else 0
