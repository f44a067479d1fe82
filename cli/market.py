"""`wattest auction`: the call auction, from its opening to the receipts."""

import re
import time
from typing import TYPE_CHECKING, Any

import click

from cli import show
from cli.options import Group, sending
from cli.people import acting, find_participant
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import AMOUNT, MOMENT
from state.spoken import counted

if TYPE_CHECKING:
    from node.openings import Opening
    from state.records import Dimension

DURATION = re.compile(r"([0-9]{1,6})(s|m|h|d)")
PAY_S = 2 * 86_400  # to pay the rest of a bid on margin, where nothing else is said
OPEN_BY_NOW = ("opening_wrong", "auction_phase", "conflict")  # what a reveal is told when another one was first
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Closing(click.ParamType[int]):
    """A moment, or a time from now: 90s, 10m, 2h, 1d."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = DURATION.fullmatch(str(value))
        if match:
            return int(time.time()) + int(match[1]) * SECONDS[match[2]]
        return MOMENT.convert(value, param, ctx)


class Duration(click.ParamType[int]):
    """90s, 10m, 2h, 1d become seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = DURATION.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is no time; write 90s, 10m, 2h or 1d.", param, ctx)
        return int(match[1]) * SECONDS[match[2]]


BY_HELP = "What bids choose by, once for each: technology=T01,T02 zone=DK period=2026 device=4,7 support=none."
PHASES = ("announced", "open", "opening", "closed", "settled", "void")


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
@click.option("--opens", type=Closing(), default=0, help="When it begins to take orders; default: at once.")
@click.option("--by", "trees", multiple=True, metavar="DIMENSION=NODE,…", help=BY_HELP)
@click.option("--sealed", type=Duration(), default=0, metavar="TIME", help="Sealed book, opened for so long: 10m, 2h.")
@click.option("--opened-by", type=click.Choice(["validators", "owners"]), help="With --sealed; default: validators.")
@click.option("--bond", type=AMOUNT, default=0, help="With --sealed: per certificate of an offered lot.")
@click.option("--fee", type=click.IntRange(0, 1_000), default=0, help="Of sellers' income, in hundredths of a percent.")
@click.option(
    "--margin", type=click.IntRange(0, 99), default=0, help="Percent that a bid locks, say 20; 0 = all of it."
)
@click.option(
    "--pay-within", type=Duration(), default=0, metavar="TIME", help="With --margin: how long to pay, say 2d."
)
@click.option("--cap", type=click.IntRange(0), default=0, help="Certificates one buyer may bid for; 0 = no cap.")
@click.option("--produced-from", type=MOMENT, default=0, help="Only lots produced inside this interval…")
@click.option("--produced-to", type=MOMENT, default=0, help="… that ends here.")
@click.option("--repeat", type=Duration(), default=0, metavar="TIME", help="The next session opens at the close.")
@click.option("--repeat-until", type=Closing(), default=0, help="No session closes later.")
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
    opens: int,
    trees: tuple[str, ...],
    sealed: int,
    opened_by: str | None,
    bond: int,
    fee: int,
    margin: int,
    pay_within: int,
    cap: int,
    produced_from: int,
    produced_to: int,
    repeat: int,
    repeat_until: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Open an auction (market operator). Its currency is that of its scheme."""
    from state.records import AuctionClass, AuctionTerms
    from state.transaction import OpenAuction

    if opened_by and not sealed:
        raise click.UsageError("Only the orders of a sealed book are opened: give --sealed as well.")
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
        terms=AuctionTerms(
            dimensions=_dimensions(trees),
            opens_at=opens,
            sealed=bool(sealed),
            opening_s=sealed,
            bond=bond,
            fee=fee,
            position_cap=cap,
            delivery_from=produced_from,
            delivery_to=produced_to,
            repeat_s=repeat,
            repeat_until=repeat_until,
            margin=margin * 100,
            pay_s=pay_within or (PAY_S if margin else 0),
            escrow=bool(sealed) and opened_by != "owners",
        ),
    )
    note = f"closes at {show.moment(closes)}"
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, ask=False, notes=[note])


def _dimensions(trees: tuple[str, ...]) -> "tuple[Dimension, ...]":
    from contracts.attributes import DIMENSIONS
    from state.records import Dimension

    found = {}
    for tree in trees:
        name, sign, nodes = tree.partition("=")
        if not sign or name not in DIMENSIONS or not nodes:
            raise click.UsageError(f"{tree!r} is no tree; write technology=T01,T02 or one of {', '.join(DIMENSIONS)}.")
        found[name] = Dimension(name, tuple(nodes.split(",")))
    return tuple(found[name] for name in DIMENSIONS if name in found)


@auction.command()
@with_session
def schemes(session: Session) -> None:
    """What certificates there are here: unit, face value, currency."""
    found = session.client.get("/v1/schemes")["schemes"]
    rows = [
        (item["id"], item["name"], item["unit"], show.energy(item["face_value"]), item["currency"]) for item in found
    ]
    text = show.table(("id", "scheme", "unit", "one certificate", "currency"), rows)
    for item in found:
        if planned := item["sessions"]:
            text += (
                f"\n{item['name']}: an auction '{planned['title']}' every {planned['every_s']} s, open for "
                f"{planned['open_s']} s, the next at {show.moment(planned['next_at'])}"
            )
    session.answer("schemes/1", {"schemes": found}, text)


@auction.command("list")
@click.option("--status", type=click.Choice(PHASES), help="Only these.")
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
            price_text(item["price"], item["currency"]),
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
            ("floor", price_text(found["floor"], currency)),
            ("ceiling", price_text(found["ceiling"], currency)),
            ("price", price_text(found["price"], currency)),
            ("sold", found["quantity"]),
            *_term_rows(found),
        ]
    )
    found["live_orders"] = orders_of(session, number)
    rows = [
        (
            order["kind"].replace("_", " "),
            order.get("quantity", "-"),
            price_text(order.get("limit", 0), currency),
            order["number"] if "lot" in order else " ".join(filter(None, order.get("wanted", ()))) or "-",
            order["outpoint"],
        )
        for order in found["live_orders"]
    ]
    body = show.table(("order", "quantity", "limit", "certificates or wanted", "outpoint"), rows, "no live orders")
    session.answer("auction/1", {k: v for k, v in found.items() if k != "schema"}, f"{head}\n\n{body}")


@auction.command()
@click.argument("number", type=int)
@with_session
def results(session: Session, number: int) -> None:
    """What an auction came to, class by class; thin ones are marked."""
    found = session.client.get(f"/v1/auctions/{number}")
    currency = found["currency"]
    rows = [
        (
            row["label"],
            price_text(row["price"], currency),
            row["volume"],
            row["unmatched"],
            f"{row['participants']}{' (thin)' if row['thin'] else ''}",
        )
        for row in found["results"]
    ]
    head = ("class", "price", "sold", "offered and not sold", "participants")
    text = show.table(head, rows, f"auction {number} is {found['status']}: no results")
    session.answer("results/1", {"auction": number, "status": found["status"], "results": found["results"]}, text)


@auction.command()
@click.argument("number", type=int)
@click.option("--participant", default=None, metavar="WHO", help="Whose: number, name or key name; default: all.")
@with_session
def receipt(session: Session, number: int, participant: str | None) -> None:
    """What became of each order, why at this price, who could see it, and what happens next."""
    query = {"participant": find_participant(session, participant)} if participant else {}
    found = session.client.get(f"/v1/auctions/{number}/receipts", **query)
    blocks = []
    for row in found["receipts"]:
        wanted = f" of {row['wanted']}" if row["wanted"] else ""
        title = f"order {row['order']}, {row['side']}{wanted}, participant {row['participant']}: {row['result']}"
        words = (row["why_this_price"], row["who_could_see"], row["what_is_next"])
        blocks.append("\n".join([title, *(f"  {line}" for line in words)]))
    text = "\n".join(blocks) or f"auction {number} is {found['status']}: no receipts"
    session.answer("receipts/1", {k: v for k, v in found.items() if k != "schema"}, text)


@auction.command()
@click.argument("numbers", nargs=-1, type=int, metavar="[AUCTION]...")
@click.option("--wait", is_flag=True, help="Wait until the auctions are closed and all is opened.")
@click.option("--timeout", "timeout_s", type=click.IntRange(1), default=3_600, show_default=True, metavar="SECONDS")
@with_session
def reveal(session: Session, numbers: tuple[int, ...], wait: bool, timeout_s: int) -> None:
    """Open the sealed orders whose openings are kept in this home. No key is needed."""
    from node.openings import kept

    chain, _ = session.network()
    openings = kept(session.home, chain, numbers or None)
    by_auction = {number: [o for o in openings if o.auction == number] for number in {o.auction for o in openings}}
    opened: list[dict[str, int]] = []
    until = time.monotonic() + timeout_s
    while by_auction:
        for number in sorted(by_auction):
            found = session.client.get(f"/v1/auctions/{number}")
            if found["status"] in ("announced", "open"):
                continue
            if found["status"] == "opening":
                opened += _open_orders(session, chain, found, by_auction[number])
            del by_auction[number]
        if not wait or not by_auction:
            break
        if time.monotonic() > until:
            raise click.ClickException(f"auction {min(by_auction)} has not closed in {timeout_s} s")
        time.sleep(1)
    waiting = sorted(by_auction)
    lines = [f"order {each['order']} of auction {each['auction']} is open" for each in opened]
    lines += [f"auction {number} is not closed yet" for number in waiting]
    session.answer("revealed/1", {"opened": opened, "waiting": waiting}, "\n".join(lines) or "nothing to open")


def _open_orders(
    session: Session, chain: bytes, found: dict[str, Any], openings: "list[Opening]"
) -> list[dict[str, int]]:
    """Reveal what is still sealed of these; one transaction for each. Others may be faster: that is no error."""
    from node.failures import RefusedByNode
    from node.wallet import build_body, raw_and_id
    from state.transaction import Transaction

    by_commitment = {opening.commitment.hex(): opening for opening in openings}
    opened = []
    mine = {opening.participant for opening in openings}
    for order in [order for each in sorted(mine) for order in orders_of(session, int(found["id"]), each)]:
        opening = by_commitment.get(order.get("commitment", ""))
        if opening is None:
            continue
        _, tip = session.network()
        body = build_body(chain, (), [opening.reveal(int(order["order"]))], tip)
        raw, txid = raw_and_id(Transaction(body, ()))
        try:
            session.client.submit(raw)
            session.client.wait_final(txid, 60)
        except RefusedByNode as refused:
            if refused.reason not in OPEN_BY_NOW:
                raise
            session.say(str(refused))
            continue
        opened.append({"auction": int(found["id"]), "order": int(order["order"])})
    return opened


def _term_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The terms that are not the plain ones."""
    terms, currency = found["terms"], found["currency"]
    rows = [("opens", show.moment(terms["opens_at"]))] if int(terms["opens_at"]) else []
    if int(terms["delivery_to"]):
        rows.append(("produced", f"{show.moment(terms['delivery_from'])} to {show.moment(terms['delivery_to'])}"))
    rows += [("bids choose", f"{each['name']}: {', '.join(each['nodes'])}") for each in terms["dimensions"]]
    if terms["sealed"]:
        by = "by a quorum of validators" if terms["escrow"] else "by who sealed it"
        rows.append(("book", f"sealed, opened {by} within {terms['opening_s']} s after the close"))
        rows.append(("bond", f"{price_text(terms['bond'], currency)} per certificate"))
    if terms["margin"]:
        rows.append(("margin", f"{terms['margin'] / 100:g} %, the rest within {terms['pay_s']} s of the settlement"))
    if terms["fee"]:
        rows.append(("fee", f"{terms['fee'] / 100:g} % of what sellers earn"))
    if int(terms["position_cap"]):
        rows.append(("cap", f"{counted(int(terms['position_cap']), 'certificate')} per buyer"))
    if terms["repeat_s"]:
        rows.append(("repeats", f"every {terms['repeat_s']} s until {show.moment(terms['repeat_until'])}"))
    if int(found["forfeited"]):
        rows.append(("forfeited", price_text(found["forfeited"], currency)))
    return rows


def orders_of(session: Session, auction: int, participant: int | None = None) -> list[dict[str, Any]]:
    """All live orders of an auction, or those of one participant."""
    return list(session.client.pages(f"/v1/auctions/{auction}/orders", "orders", participant=participant))


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


def price_text(amount: int | str, currency: str) -> str:
    """With its currency; a dash for none."""
    from state.spoken import format_money

    return format_money(int(amount), currency) if int(amount) else "-"
