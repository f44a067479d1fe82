"""open_auction and cancel: an auction names its class when it opens; its orders are offers and bids.

Phases: open until `closes_at` has passed and 2n blocks lie in it (so no single leader can shut anybody out), then
closed by the first block past both, which also draws the seed of ties; then settled. An order can be taken back while
the auction is open.
"""

from msgspec.structs import replace

from contracts.context import Context
from contracts.deposit import require_currency
from contracts.events import AuctionClosed, AuctionOpened, Cancelled
from contracts.register import require_line, require_text
from state.crypto import H
from state.errors import AuctionPhase, BadField, Disabled, Locked, NotYours, WrongClass
from state.keyspace import auction_close_key, auction_key, auction_waiting_key, issuance_key, scheme_key
from state.outputs import Bid, Bundle, Offer, Output, holder_of
from state.records import Auction, AuctionClass, Counter, Device, Issuance, Role, Scheme
from state.transaction import Cancel, OpenAuction
from state.units import MAX_PRICE

MAX_ORDERS = 4_000  # of one auction, so that a settlement fits a block budget of 250 ms
# (while the auction has fewer orders than this, a participant may have so many): whoever would fill it needs more and
# more accounts with a deposit each, and the last places are for who has none yet
PLACES = ((2_000, 64), (3_000, 8), (MAX_ORDERS, 1))
MAX_OPEN_S = 366 * 86_400

OPEN, CLOSED, SETTLED = "open", "closed", "settled"


def check_open(context: Context, action: OpenAuction) -> None:
    environment = context.environment
    if not environment.parameters.auctions:
        raise Disabled(what="auctions")
    context.require_signature(action.operator)
    context.require_once()
    context.require_role(action.operator, Role.MARKET_OPERATOR)
    require_text("title", action.title)
    require_currency(action.currency)
    lot_class = action.lot_class
    require_line("technology", lot_class.technology)
    require_line("zone", lot_class.zone)
    scheme = context.record(scheme_key(lot_class.scheme), Scheme, "scheme", lot_class.scheme)
    if scheme.currency != action.currency:
        raise BadField(field="currency", why=f"scheme {scheme.name} trades in {scheme.currency}")
    if lot_class.month_from > lot_class.month_to:
        raise BadField(field="months", why="the period ends before it begins")
    if not action.floor <= (action.ceiling or MAX_PRICE) <= MAX_PRICE:
        raise BadField(field="ceiling", why=f"between the floor and {MAX_PRICE}")
    if not environment.before(action.closes_at):
        raise BadField(field="closes_at", why="it lies in the past")
    if action.closes_at > environment.time_s + MAX_OPEN_S:
        raise BadField(field="closes_at", why="more than a year ahead")


def apply_open(context: Context, action: OpenAuction) -> None:
    context.mark_once()
    number = context.next_number("auction")
    environment = context.environment
    auction = Auction(
        id=number,
        operator=action.operator,
        title=action.title,
        lot_class=action.lot_class,
        currency=action.currency,
        floor=action.floor,
        ceiling=action.ceiling or MAX_PRICE,
        opened_at=environment.time_s,
        opened_height=environment.height,
        closes_at=action.closes_at,
        orders=0,
        status=OPEN,
        seed=b"",
        price=0,
        quantity=0,
        result_root=b"",
    )
    context.overlay.put(auction_key(number), auction)
    context.overlay.put(auction_close_key(action.closes_at, number), Counter(number))
    context.announce(
        AuctionOpened(
            number,
            action.operator,
            action.title,
            action.lot_class.scheme,
            action.lot_class.technology,
            action.currency,
            action.closes_at,
        )
    )


def describe_open(action: OpenAuction) -> str:
    lot_class = action.lot_class
    technology = lot_class.technology or "any technology"
    return f"open the auction '{action.title}' for scheme {lot_class.scheme}, {technology}, in {action.currency}"


def check_cancel(context: Context, action: Cancel) -> None:
    context.require_signature(action.holder)
    order = context.order(action.outpoint)
    if not isinstance(order, Offer | Bid):
        raise Locked(outpoint=action.outpoint, kind=str(order.__struct_config__.tag))
    if holder_of(order) != action.holder:
        raise NotYours(outpoint=action.outpoint, holder=holder_of(order), claimed=action.holder)
    require_open(context, order.auction)


def apply_cancel(context: Context, action: Cancel) -> None:
    order = context.spend(action.outpoint)
    assert isinstance(order, Offer | Bid)
    context.create(released(order))
    context.announce(Cancelled(order.auction, action.holder, action.outpoint))


def describe_cancel(action: Cancel) -> str:
    return f"take back order {action.outpoint.hex()[:16]}…"


# --- what the orders and the settlement share


def require_open(context: Context, number: int) -> Auction:
    auction = context.record(auction_key(number), Auction, "auction", number)
    if auction.status != OPEN or not context.environment.before(auction.closes_at):
        phase = "closing" if auction.status == OPEN else auction.status
        raise AuctionPhase(auction=number, phase=phase, needed="an open auction")
    return auction


def released(order: Offer | Bid) -> Output:
    """What lies in an order, free again."""
    match order:
        case Offer():
            return order.lot
        case Bid():
            return order.funds


def require_class(context: Context, auction: Auction, lot: Bundle, device: Device) -> None:
    """The lot belongs to what the auction trades."""
    wanted: AuctionClass = auction.lot_class
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


def close(context: Context, auction: Auction) -> None:
    """Called by the sweep at the start of the first block past the closing time."""
    parent = context.environment.parent_hash
    seed = H("wattest/seed", (auction.id, parent))
    context.overlay.put(auction_key(auction.id), replace(auction, status=CLOSED, seed=seed))
    context.overlay.put(auction_waiting_key(auction.id), Counter(auction.id))
    context.announce(AuctionClosed(auction.id, auction.orders))
