"""open_auction and cancel, and the phases that time moves an auction through.

    announced --opens_at--> open --closes_at--> [opening --opening_s-->] closed --settle--> settled
                                                                             `--void--> void
A phase that people act in (open, opening) lasts until its time has passed and 2n blocks lie in it, so that no single
leader can shut anybody out. Sealed orders are opened between close and settlement; a book that was open from the start
skips that phase. Whoever takes an order back does so while the auction is open.
"""

from msgspec.structs import replace

from contracts.attributes import DIMENSION_WORDS, check_dimensions, place_of
from contracts.context import Context
from contracts.deposit import format_price, require_currency
from contracts.escrow import walks_wait
from contracts.events import AuctionClosed, AuctionOpened, Cancelled, OpeningBegan
from contracts.listing import taken_down
from contracts.register import require_line, require_text
from contracts.standing_bids import join_auction, returned
from state.crypto import H
from state.errors import AuctionPhase, BadField, Disabled, Locked, NotYours, WrongClass
from state.keyspace import (
    auction_close_key,
    auction_key,
    auction_order_key,
    auction_waiting_key,
    issuance_key,
    output_key,
    role_key,
    scheme_key,
)
from state.outputs import Bid, Bundle, Listing, Offer, OrderOutput, SealedBid, SealedOffer, holder_of
from state.overlay import Snapshot
from state.records import (
    Auction,
    AuctionClass,
    AuctionTerms,
    Counter,
    Device,
    Issuance,
    Pointer,
    Role,
    RoleGrant,
    Scheme,
)
from state.spoken import Said
from state.transaction import Cancel, OpenAuction
from state.units import DAY_S, MAX_PRICE, Outpoint

MAX_ORDERS = 4_000  # of one auction, so that a settlement fits a block budget of 250 ms
# (while the auction has fewer orders than this, a participant may have so many): whoever would fill it needs more and
# more accounts with a deposit each, and the last places are for who has none yet
PLACES = ((2_000, 64), (3_000, 8), (MAX_ORDERS, 1))
MAX_OPEN_S = 366 * DAY_S
MAX_OPENING_S = 7 * DAY_S
MAX_PAY_S = 30 * DAY_S
MAX_FEE = 1_000  # basis points

ANNOUNCED, OPEN, OPENING, CLOSED, SETTLED, VOID = "announced", "open", "opening", "closed", "settled", "void"

Book = dict[int, tuple[Outpoint, OrderOutput]]


def check_open(context: Context, action: OpenAuction) -> None:
    environment = context.environment
    if not environment.parameters.auctions:
        raise Disabled(what="auctions")
    context.require_signature(action.operator)
    context.require_once()
    context.require_role(action.operator, Role.MARKET_OPERATOR)
    scheme = context.record(scheme_key(action.lot_class.scheme), Scheme, "scheme", action.lot_class.scheme)
    if scheme.currency != action.currency:
        raise BadField(field="currency", why=f"scheme {scheme.name} trades in {scheme.currency}")
    check_terms(action)
    if not environment.before(action.closes_at):
        raise BadField(field="closes_at", why="it lies in the past")
    if action.closes_at > environment.time_s + MAX_OPEN_S:
        raise BadField(field="closes_at", why="more than a year ahead")


def check_terms(action: OpenAuction) -> None:
    """What can be told of an auction by itself: by an operator here, and of all sessions of a schedule."""
    require_text("title", action.title)
    require_currency(action.currency)
    lot_class = action.lot_class
    require_line("technology", lot_class.technology)
    require_line("zone", lot_class.zone)
    if lot_class.month_from > lot_class.month_to:
        raise BadField(field="months", why="the period ends before it begins")
    if not action.floor <= (action.ceiling or MAX_PRICE) <= MAX_PRICE:
        raise BadField(field="ceiling", why=f"between the floor and {MAX_PRICE}")
    _check_terms(action.terms, action.closes_at)


def _check_terms(terms: AuctionTerms, closes_at: int) -> None:
    check_dimensions(terms.dimensions)
    if terms.opens_at >= closes_at:
        raise BadField(field="opens_at", why="it must open before it closes")
    if terms.sealed != bool(terms.opening_s) or terms.opening_s > MAX_OPENING_S:
        raise BadField(field="opening_s", why=f"1 to {MAX_OPENING_S} for a sealed book, 0 for an open one")
    if terms.bond and (not terms.sealed or terms.bond > MAX_PRICE):
        raise BadField(field="bond", why=f"of sealed offers only, at most {MAX_PRICE}")
    if terms.escrow and not terms.sealed:
        raise BadField(field="escrow", why="only a sealed book is opened by validators")
    if terms.margin >= 10_000 or bool(terms.margin) != bool(terms.pay_s) or terms.pay_s > MAX_PAY_S:
        raise BadField(field="margin", why=f"1 to 9999 basis points and 1 to {MAX_PAY_S} s to pay, or 0 and 0")
    if terms.margin and terms.sealed and not terms.escrow:
        raise BadField(field="margin", why="sealed orders that are opened by their owners are paid for in advance")
    if terms.fee > MAX_FEE:
        raise BadField(field="fee", why=f"at most {MAX_FEE} basis points")
    if terms.delivery_from >= terms.delivery_to and terms.delivery_to + terms.delivery_from:
        raise BadField(field="delivery", why="the interval ends before it begins")
    if bool(terms.repeat_s) != bool(terms.repeat_until) or terms.repeat_s > MAX_OPEN_S:
        raise BadField(field="repeat", why="how long each session lasts and when the last one closes, or neither")


def apply_open(context: Context, action: OpenAuction) -> None:
    context.mark_once()
    open_auction(context, action)


def open_auction(context: Context, opening: OpenAuction) -> int:
    number = context.next_number("auction")
    environment, terms = context.environment, opening.terms
    later = environment.before(terms.opens_at)
    auction = Auction(
        id=number,
        operator=opening.operator,
        title=opening.title,
        lot_class=opening.lot_class,
        currency=opening.currency,
        floor=opening.floor,
        ceiling=opening.ceiling or MAX_PRICE,
        opened_at=environment.time_s,
        opened_height=environment.height,
        closes_at=opening.closes_at,
        orders=0,
        status=ANNOUNCED if later else OPEN,
        seed=b"",
        price=0,
        quantity=0,
        result_root=b"",
        terms=terms,
        phase_height=environment.height,
        phase_at=environment.time_s,
    )
    context.overlay.put(auction_key(number), auction)
    due = terms.opens_at if later else opening.closes_at
    context.overlay.put(auction_close_key(due, number), Counter(number))
    context.announce(
        AuctionOpened(
            number,
            opening.operator,
            opening.title,
            opening.lot_class.scheme,
            opening.lot_class.technology,
            opening.currency,
            opening.closes_at,
            terms.opens_at,
            terms.sealed,
            tuple(dimension.name for dimension in terms.dimensions),
        )
    )
    return number


def describe_open(action: OpenAuction) -> Said:
    lot_class, terms = action.lot_class, action.terms
    text = Said(
        "open the auction '{title}' for scheme {scheme}, {technology}, in {currency}",
        title=action.title,
        scheme=lot_class.scheme,
        technology=lot_class.technology or Said("any technology"),
        currency=action.currency,
    )
    if action.floor:
        text = Said("{text}; not below {price}", text=text, price=format_price(action.floor))
    if action.ceiling:
        text = Said("{text}; not above {price}", text=text, price=format_price(action.ceiling))
    if terms.dimensions:
        known = (each.name for each in terms.dimensions if each.name in DIMENSION_WORDS)  # the check refuses others
        names = tuple(DIMENSION_WORDS[name] for name in known)
        text = Said("{text}; bids choose by {names}", text=text, names=names)
    if terms.sealed and terms.escrow:
        text = Said(
            "{text}; orders are sealed, and opened by a quorum of validators within {seconds} s after the close",
            text=text,
            seconds=terms.opening_s,
        )
    elif terms.sealed:
        text = Said(
            "{text}; orders are sealed, and opened within {seconds} s after the close",
            text=text,
            seconds=terms.opening_s,
        )
    if terms.margin:
        text = Said(
            "{text}; bids lock {margin} % and the rest is paid within {seconds} s of the settlement",
            text=text,
            margin=f"{terms.margin / 100:g}",
            seconds=terms.pay_s,
        )
    if terms.bond:
        bond = format_price(terms.bond)
        text = Said("{text}; a sealed offer locks a bond of {bond} per certificate", text=text, bond=bond)
    if terms.fee:
        text = Said("{text}; sellers pay a fee of {fee} %", text=text, fee=f"{terms.fee / 100:g}")
    if terms.position_cap:
        text = Said("{text}; a buyer bids for {count} at most", text=text, count=terms.position_cap)
    if terms.repeat_s:
        text = Said("{text}; a new session follows every {seconds} s", text=text, seconds=terms.repeat_s)
    return text


def check_cancel(context: Context, action: Cancel) -> None:
    context.require_signature(action.holder)
    order = context.order(action.outpoint)
    if not isinstance(order, OrderOutput | Listing):
        raise Locked(outpoint=action.outpoint, kind=str(order.__struct_config__.tag))
    if holder_of(order) != action.holder:
        raise NotYours(outpoint=action.outpoint, holder=holder_of(order), claimed=action.holder)
    if not isinstance(order, Listing):
        require_open(context, order.auction)


def apply_cancel(context: Context, action: Cancel) -> None:
    if isinstance(context.order(action.outpoint), Listing):
        context.create(taken_down(context, action.outpoint).lot)
        context.announce(Cancelled(0, action.holder, action.outpoint))
        return
    order = context.spend(action.outpoint)
    assert isinstance(order, OrderOutput)
    release(context, order)
    context.announce(Cancelled(order.auction, action.holder, action.outpoint))


def describe_cancel(action: Cancel) -> Said:
    return Said("take back order {order}", order=f"{action.outpoint.hex()[:16]}…")


# --- what the orders and the settlement share


def require_open(context: Context, number: int) -> Auction:
    auction = context.record(auction_key(number), Auction, "auction", number)
    if auction.status != OPEN or not context.environment.before(auction.closes_at):
        phase = "closing" if auction.status == OPEN else auction.status
        raise AuctionPhase(auction=number, phase=phase, needed="an open auction")
    return auction


def release(context: Context, order: OrderOutput) -> None:
    """Everything that lies in an order comes free again."""
    match order:
        case Offer() | SealedOffer():
            context.create(order.lot)
            if order.bond is not None:
                context.create(order.bond)
        case Bid():
            returned(context, order, order.funds.amount)
        case SealedBid():
            context.create(order.funds)


def book_of(state: Snapshot, auction: Auction) -> Book:
    """The live orders by number; cancelled ones are gone."""
    book: Book = {}
    for number in range(auction.orders):
        pointer = state.get(auction_order_key(auction.id, number))
        assert isinstance(pointer, Pointer)
        order = state.get(output_key(pointer.outpoint))
        if isinstance(order, OrderOutput):
            book[number] = (pointer.outpoint, order)
    return book


def require_class(context: Context, auction: Auction, lot: Bundle, device: Device) -> int:
    """The class of a lot that belongs to what the auction trades."""
    wanted: AuctionClass = auction.lot_class
    terms = auction.terms
    issuance = context.record(issuance_key(lot.issuance), Issuance, "issuance", lot.issuance)
    if issuance.scheme != wanted.scheme:
        raise WrongClass(auction=auction.id, why=f"it is of scheme {issuance.scheme}")
    if not device.facts.technology.startswith(wanted.technology):
        raise WrongClass(auction=auction.id, why=f"its technology is {device.facts.technology}")
    if wanted.zone and device.facts.zone != wanted.zone:
        raise WrongClass(auction=auction.id, why=f"its zone is {device.facts.zone}")
    if wanted.device and device.id != wanted.device:
        raise WrongClass(auction=auction.id, why=f"it is of device {device.id}")
    if wanted.month_to and not wanted.month_from <= issuance.month <= wanted.month_to:
        raise WrongClass(auction=auction.id, why=f"it was produced in {issuance.month}")
    if terms.delivery_to and (
        issuance.production_from < terms.delivery_from or issuance.production_to > terms.delivery_to
    ):
        raise WrongClass(auction=auction.id, why="it was not produced inside the delivery interval")
    return place_of(terms, auction.id, issuance, device)


# --- what time does


def advance(context: Context, auction: Auction) -> bool:
    """The next phase, called by the sweep when the time of this one has passed; False while its blocks are too few."""
    environment = context.environment
    if auction.status == ANNOUNCED:
        begun = replace(auction, status=OPEN, phase_height=environment.height, phase_at=environment.time_s)
        context.overlay.put(auction_key(auction.id), begun)
        context.overlay.put(auction_close_key(auction.closes_at, auction.id), Counter(auction.id))
        return True
    if environment.height < auction.phase_height + 2 * len(environment.validators):
        return False
    if auction.status == OPEN:
        _close(context, auction)
    elif walks_wait(context.overlay, auction.id):
        return False
    else:
        _shut(context, auction)
    return True


def _close(context: Context, auction: Auction) -> None:
    """No more orders. Standing bids join at the last moment: they are public, and nobody shall bid around them."""
    environment, terms = context.environment, auction.terms
    auction = join_auction(context, auction, MAX_ORDERS)
    context.announce(AuctionClosed(auction.id, auction.orders))
    if terms.sealed:
        until = environment.time_s + terms.opening_s
        opening = replace(
            auction,
            status=OPENING,
            seed=environment.parent_hash,
            phase_height=environment.height,
            phase_at=environment.time_s,
        )
        context.overlay.put(auction_key(auction.id), opening)
        context.overlay.put(auction_close_key(until, auction.id), Counter(auction.id))
        context.announce(OpeningBegan(auction.id, until))
    else:
        _shut(context, auction)
    if terms.repeat_s:
        _repeat(context, auction)


def _shut(context: Context, auction: Auction) -> None:
    """From here on only the settlement is missing; the seed is one that nobody knew while orders came in.

    Of a sealed book the block was fixed at the close: when the random bytes of orders are there to be read, no leader
    can try blocks until the draw suits him.
    """
    environment = context.environment
    drawn: tuple[object, ...] = (auction.id, auction.seed or environment.parent_hash)
    if auction.terms.sealed:
        book = book_of(context.overlay, auction)
        drawn = (*drawn, tuple(order.salt for _, order in book.values() if isinstance(order, Offer | Bid)))
    closed = replace(
        auction,
        status=CLOSED,
        seed=H("wattest/seed", drawn),
        phase_height=environment.height,
        phase_at=environment.time_s,
    )
    context.overlay.put(auction_key(auction.id), closed)
    context.overlay.put(auction_waiting_key(auction.id), Counter(auction.id))


def _repeat(context: Context, auction: Auction) -> None:
    """The next session on the same terms, while its operator is accredited."""
    environment, terms = context.environment, auction.terms
    closes_at = environment.time_s + terms.repeat_s
    grant = context.overlay.get(role_key(auction.operator, Role.MARKET_OPERATOR))
    if closes_at > terms.repeat_until or not isinstance(grant, RoleGrant) or not environment.before(grant.until):
        return
    open_auction(
        context,
        OpenAuction(
            auction.operator,
            auction.title,
            auction.lot_class,
            auction.currency,
            auction.floor,
            auction.ceiling,
            closes_at,
            replace(terms, opens_at=0),
        ),
    )
