"""`wattest auction`, `offer`, `bid` and `cancel`: the call auction."""

import re
import time
from typing import TYPE_CHECKING, Any

import click

from cli import show
from cli.holdings import choosing, chosen_certificates, chosen_funds, numbers_of, require_single_use
from cli.options import Command, Group, sending
from cli.people import acting
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import AMOUNT, MOMENT

if TYPE_CHECKING:
    from state.numbering import CertificateNumber

DURATION = re.compile(r"([0-9]{1,6})(s|m|h|d)")
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Closing(click.ParamType[int]):
    """A moment, or a time from now: 90s, 10m, 2h, 1d."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = DURATION.fullmatch(str(value))
        if match:
            return int(time.time()) + int(match[1]) * SECONDS[match[2]]
        return MOMENT.convert(value, param, ctx)


@click.group(cls=Group)
def auction() -> None:
    """Call auctions: one price for all, the highest bids win."""


@auction.command("open")
@click.option("--title", required=True, help="Name of the auction.")
@click.option("--scheme", required=True, metavar="ID", help="Scheme by number or name; `wattest auction schemes`.")
@click.option("--technology", default="", metavar="T…", help="Only this EECS technology, e.g. T02 for wind.")
@click.option("--zone", default="", help="Only this bidding zone.")
@click.option("--device", default=0, metavar="N", help="Only this plant.")
@click.option("--month-from", default=0, metavar="YYYYMM", help="Produced in this month or later.")
@click.option("--month-to", default=0, metavar="YYYYMM", help="Produced in this month or earlier.")
@click.option("--floor", type=AMOUNT, default=0, help="Lowest price per certificate.")
@click.option("--ceiling", type=AMOUNT, default=0, help="Highest price per certificate; 0 = the ledger's own limit.")
@click.option("--closes", type=Closing(), required=True, help="When: a UTC moment, or 90s, 10m, 2h, 1d from now.")
@sending
@with_session
def open_(
    session: Session,
    title: str,
    scheme: str,
    technology: str,
    zone: str,
    device: int,
    month_from: int,
    month_to: int,
    floor: int,
    ceiling: int,
    closes: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Open an auction (market operator). Its currency is that of its scheme."""
    from state.records import AuctionClass
    from state.transaction import OpenAuction

    me = acting(session, key_name)
    traded = find_scheme(session, scheme)
    action = OpenAuction(
        operator=me.id,
        title=title,
        lot_class=AuctionClass(traded["id"], technology.upper(), zone, device, month_from, month_to or month_from),
        currency=traded["currency"],
        floor=floor,
        ceiling=ceiling,
        closes_at=closes,
    )
    note = f"closes at {show.moment(closes)}"
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, ask=False, notes=[note])


@auction.command()
@with_session
def schemes(session: Session) -> None:
    """What certificates there are here: unit, face value, currency."""
    found = session.client.get("/v1/schemes")["schemes"]
    rows = [
        (item["id"], item["name"], item["unit"], show.energy(item["face_value"]), item["currency"]) for item in found
    ]
    text = show.table(("id", "scheme", "unit", "one certificate", "currency"), rows)
    session.answer("schemes/1", {"schemes": found}, text)


@auction.command("list")
@click.option("--status", type=click.Choice(["open", "closed", "settled"]), help="Only these.")
@with_session
def list_(session: Session, status: str | None) -> None:
    """Auctions, what they trade and how they ended."""
    found = list(session.client.pages("/v1/auctions", "auctions", status=status))
    rows = [
        (
            item["id"],
            item["title"],
            _class(item["lot_class"]),
            item["status"],
            show.moment(item["closes_at"]),
            item["quantity"],
            _price(item["price"], item["currency"]),
        )
        for item in found
    ]
    head = ("id", "auction", "trades", "status", "closes", "sold", "price")
    session.answer("auctions/1", {"auctions": found}, show.table(head, rows, "no auctions"))


@auction.command("show")
@click.argument("number", type=int)
@with_session
def show_(session: Session, number: int) -> None:
    """One auction with its live orders."""
    found = session.client.get(f"/v1/auctions/{number}")
    currency = found["currency"]
    head = show.fields(
        [
            ("auction", f"{found['id']}  {found['title']}"),
            ("trades", _class(found["lot_class"])),
            ("status", found["status"]),
            ("closes", show.moment(found["closes_at"])),
            ("floor", _price(found["floor"], currency)),
            ("ceiling", _price(found["ceiling"], currency)),
            ("price", _price(found["price"], currency)),
            ("sold", found["quantity"]),
        ]
    )
    rows = [
        (
            order["kind"],
            order["quantity"],
            _price(order["limit"], currency),
            order.get("number", "-"),
            order["outpoint"],
        )
        for order in found.get("live_orders", [])
    ]
    body = show.table(("order", "quantity", "limit", "certificates", "outpoint"), rows, "no live orders")
    session.answer("auction/1", {k: v for k, v in found.items() if k != "schema"}, f"{head}\n\n{body}")


@click.command(cls=Command)
@click.argument("auction_number", metavar="AUCTION", type=int)
@choosing
@click.option("--limit", type=AMOUNT, required=True, metavar="AMOUNT", help="Lowest price per certificate.")
@sending
@with_session
def offer(
    session: Session,
    auction_number: int,
    numbers: "tuple[CertificateNumber, ...]",
    quantity: int | None,
    technology: str | None,
    device: int | None,
    month: int | None,
    limit: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Lock certificates for sale in AUCTION at --limit or more each."""
    from state.transaction import PlaceOffer

    me = acting(session, key_name)
    found = session.client.get(f"/v1/auctions/{auction_number}")
    chosen = chosen_certificates(session, me.id, numbers, quantity, technology, device, month)
    require_single_use(chosen)
    actions = [PlaceOffer(auction_number, me.id, holding.outpoint, start, end, limit) for holding, start, end in chosen]
    note = f"at {_price(limit, found['currency'])} or more each, in '{found['title']}'"
    perform(session, actions, [me], no_wait=no_wait, timeout_s=timeout_s, notes=[*numbers_of(chosen), note])


@click.command(cls=Command)
@click.argument("auction_number", metavar="AUCTION", type=int)
@click.option("--quantity", type=click.IntRange(1), required=True, metavar="N", help="Certificates wanted.")
@click.option("--limit", type=AMOUNT, required=True, metavar="AMOUNT", help="Highest price per certificate.")
@sending
@with_session
def bid(
    session: Session,
    auction_number: int,
    quantity: int,
    limit: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Bid in AUCTION; quantity times limit is locked from your deposit until it settles."""
    from state.transaction import PlaceBid

    me = acting(session, key_name)
    found = session.client.get(f"/v1/auctions/{auction_number}")
    currency = found["currency"]
    inputs = chosen_funds(session, me.id, currency, quantity * limit)
    action = PlaceBid(auction_number, me.id, quantity, limit, inputs)
    note = f"locks {_price(quantity * limit, currency)}, in '{found['title']}'"
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, notes=[note])


@click.command(cls=Command)
@click.argument("orders", nargs=-1, required=True, metavar="ORDER…")
@sending
@with_session
def cancel(session: Session, orders: tuple[str, ...], key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """Take back own orders, by the outpoints that `auction show` prints."""
    from state.transaction import Cancel

    me = acting(session, key_name)
    points = []
    for order in orders:
        if not re.fullmatch(r"[0-9a-f]{68}", order):
            raise click.UsageError(f"{order!r} is no order: 68 hexadecimal digits, see `wattest auction show`.")
        points.append(bytes.fromhex(order))
    perform(session, [Cancel(me.id, point) for point in points], [me], no_wait=no_wait, timeout_s=timeout_s)


def find_scheme(session: Session, text: str) -> dict[str, Any]:
    """A scheme by number or name; UsageError lists what there is."""
    found: list[dict[str, Any]] = session.client.get("/v1/schemes")["schemes"]
    for item in found:
        if text == str(item["id"]) or text.casefold() == str(item["name"]).casefold():
            return item
    names = ", ".join(f"{item['id']} = {item['name']}" for item in found)
    raise click.UsageError(f"There is no scheme {text!r}; there are: {names}.")


def _class(lot: dict[str, Any]) -> str:
    parts = [f"scheme {lot['scheme']}", lot["technology"], lot["zone"]]
    if lot["device"]:
        parts.append(f"plant {lot['device']}")
    if lot["month_to"]:
        parts.append(f"{lot['month_from']}-{lot['month_to']}")
    return " ".join(part for part in parts if part)


def _price(amount: int | str, currency: str) -> str:
    from state.spoken import format_money

    return format_money(int(amount), currency) if int(amount) else "-"
