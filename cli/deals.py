"""`wattest deals` and `buy`: posted lots, standing bids, and all that one has in the market."""

import time
from typing import TYPE_CHECKING, Any

import click

from cli import show
from cli.holdings import choosing, chosen_certificates, chosen_funds, numbers_of, require_single_use
from cli.market import Closing, find_scheme, price_text
from cli.options import Command, Group, sending
from cli.orders import WORDS, complete_wanted, outpoint_of
from cli.people import acting, find_participant, name_of
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import AMOUNT
from state.spoken import counted

if TYPE_CHECKING:
    from state.numbering import CertificateNumber
    from state.records import Wanted


@click.group(cls=Group)
def deals() -> None:
    """Posted lots, standing bids, and all that one has in the market."""


@deals.command("board")
@with_session
def board(session: Session) -> None:
    """Lots that anybody may buy at a posted price."""
    found = list(session.client.pages("/v1/listings", "listings"))
    rows = [_listing_row(item) for item in found]
    head = ("certificates", "how many", "price each", "for", "until", "lot")
    session.answer("listings/1", {"listings": found}, show.table(head, rows, "nothing is posted"))


@deals.command("list")
@click.option("--participant", default=None, metavar="WHO", help="Whose: number, name or key name; default: yours.")
@click.option("--from", "key_name", default=None, metavar="KEY", help="Whose, by a key of this home.")
@with_session
def list_(session: Session, participant: str | None, key_name: str | None) -> None:
    """Live orders, posted lots, standing bids, waiting deliveries and debts of a participant."""
    who = find_participant(session, participant) if participant else acting(session, key_name).id
    kinds = ("offer", "bid", "sealed_offer", "sealed_bid", "listing", "delivery", "reserved")
    owed = list(session.client.pages("/v1/obligations", "obligations", participant=who))
    orders = [item for kind in kinds for item in session.client.outputs(who, kind)]
    standing = list(session.client.pages("/v1/standing-bids", "standing_bids", participant=who))
    lots = list(session.client.pages("/v1/listings", "listings", participant=who))
    for_me = [item for item in lots if item["to"] == who]
    rows = [
        (
            item["kind"].replace("_", " "),
            item.get("auction", "-"),
            item.get("number", "-") if "lot" in item else "-",
            item.get("quantity", "-"),
            _at(item),
            item["outpoint"],
        )
        for item in [*orders, *({**lot, "kind": "for you"} for lot in for_me)]
    ]
    head = ("what", "auction", "certificates", "how many", "at", "outpoint")
    body = show.table(head, rows, "nothing in the market")
    repeated = [
        (
            item["id"],
            item["scheme"],
            item["quantity"],
            price_text(item["limit"], item["currency"]),
            price_text(item["left"], item["currency"]),
        )
        for item in standing
    ]
    if repeated:
        body += "\n\n" + show.table(("standing bid", "scheme", "each session", "up to", "left"), repeated)
    if owed:
        debts = [
            (
                item["auction"],
                price_text(item["owed"], item["currency"]),
                show.moment(item["due_at"]),
                item["status"],
                item["pieces"],
                price_text(item["held"], item["currency"]),
            )
            for item in owed
        ]
        head = ("owed in auction", "to pay", "until", "status", "lots reserved", "locked")
        body += "\n\n" + show.table(head, debts) + "\nPay with `wattest pay AUCTION`."
    value = {"participant": who, "orders": orders, "for_me": for_me, "standing_bids": standing, "obligations": owed}
    session.answer("deals/1", value, body)


@deals.command("post")
@choosing
@click.option("--price", type=AMOUNT, required=True, metavar="AMOUNT", help="Per certificate.")
@click.option("--to", "receiver", default=None, metavar="WHO", help="Only for this participant: a deal proposed.")
@click.option("--until", type=Closing(), default="30d", show_default=True, help="A UTC moment, or 10m, 2h, 30d.")
@click.option("--currency", default="EUR", show_default=True)
@sending
@with_session
def post(
    session: Session,
    numbers: "tuple[CertificateNumber, ...]",
    quantity: int | None,
    technology: str | None,
    device: int | None,
    month: int | None,
    price: int,
    receiver: str | None,
    until: int,
    currency: str,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Post certificates at a fixed price, for anybody or for one; they are locked until sold or taken back."""
    from state.transaction import ListLot

    me = acting(session, key_name)
    to = find_participant(session, receiver) if receiver else 0
    chosen = chosen_certificates(session, me.id, numbers, quantity, technology, device, month)
    require_single_use(chosen)
    actions = [
        ListLot(me.id, holding.outpoint, start, end, price, currency.upper(), to, until)
        for holding, start, end in chosen
    ]
    count = sum(end - start + 1 for _, start, end in chosen)
    notes = [*numbers_of(chosen), f"all of it for {price_text(price * count, currency.upper())}"]
    if to:
        notes.append(f"participant {to} is {name_of(session, to)}")
    perform(session, actions, [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


@deals.command("every")
@click.option("--scheme", required=True, metavar="ID", help="Scheme by number or name; `wattest auction schemes`.")
@click.option("--quantity", type=click.IntRange(1), required=True, metavar="N", help="Of each session.")
@click.option("--limit", type=AMOUNT, required=True, metavar="AMOUNT", help="Highest price per certificate.")
@click.option("--purse", type=AMOUNT, required=True, metavar="AMOUNT", help="Money for all sessions together.")
@click.option(
    "--want",
    "wants",
    multiple=True,
    metavar="ATTRIBUTE",
    shell_complete=complete_wanted,
    help="Only these: wind, technology=T0201, zone=DK, period=2026; once for each attribute.",
)
@sending
@with_session
def every(
    session: Session,
    scheme: str,
    quantity: int,
    limit: int,
    purse: int,
    wants: tuple[str, ...],
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Bid in every auction of a scheme while the purse lasts: a standing bid."""
    from state.transaction import PlaceStandingBid

    me = acting(session, key_name)
    traded = find_scheme(session, scheme)
    inputs = chosen_funds(session, me.id, traded["currency"], purse)
    action = PlaceStandingBid(me.id, traded["id"], _wanted(wants), quantity, limit, purse, inputs)
    notes = [f"locks {price_text(purse, traded['currency'])}; everybody can read it from now on"]
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


@deals.command("end")
@click.argument("number", type=int)
@click.option("--scheme", required=True, metavar="ID", help="Scheme by number or name.")
@sending
@with_session
def end(session: Session, number: int, scheme: str, key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """End a standing bid; what lies in its purse comes back."""
    from state.transaction import EndStandingBid

    me = acting(session, key_name)
    action = EndStandingBid(me.id, find_scheme(session, scheme)["id"], number)
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, ask=False)


@click.command(cls=Command)
@click.argument("lot", metavar="LOT")
@click.option("--quantity", type=click.IntRange(1), default=None, metavar="N", help="Only so many; default: all.")
@sending
@with_session
def buy(session: Session, lot: str, quantity: int | None, key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """Buy of a posted LOT, by the outpoint that `deals board` prints: money and certificates move at once."""
    from state.transaction import Buy

    me = acting(session, key_name)
    point = outpoint_of(lot)
    found = [item for item in session.client.pages("/v1/listings", "listings") if item["outpoint"] == lot]
    if not found:
        raise click.UsageError(f"{lot[:16]}… is not posted (any more); see `wattest deals board`.")
    listing = found[0]
    count = quantity or int(listing["quantity"])
    price = count * int(listing["price"])
    inputs = chosen_funds(session, me.id, listing["currency"], price)
    seller = int(listing["lot"]["holder"])
    notes = [
        f"{count} of {counted(int(listing['quantity']), 'certificate')} of {listing['number']}",
        f"{price_text(price, listing['currency'])} go to participant {seller}, {name_of(session, seller)}",
    ]
    perform(session, [Buy(me.id, point, count, inputs)], [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


def _at(item: dict[str, Any]) -> str:
    """What an order says of money: its limit or price, or what a sealed one locks."""
    match item["kind"]:
        case "offer" | "bid":
            return price_text(item["limit"], "").rstrip()
        case "listing" | "for you":
            return price_text(item["price"], item["currency"])
        case "sealed_bid":
            return f"sealed, {price_text(item['funds']['amount'], item['funds']['currency'])} locked"
        case "sealed_offer":
            return "sealed"
        case _:
            return "-"


def _wanted(wants: tuple[str, ...]) -> "tuple[Wanted, ...]":
    from contracts.attributes import DIMENSIONS
    from state.records import Wanted

    found = {}
    for want in wants:
        name, sign, node = want.partition("=") if want.lower() not in WORDS else ("technology", "=", want)
        if not sign or name not in DIMENSIONS:
            raise click.UsageError(f"{want!r} is no attribute; write one of {', '.join(DIMENSIONS)}, = and its value.")
        found[name] = Wanted(name, WORDS.get(node.lower(), node))
    return tuple(found[name] for name in DIMENSIONS if name in found)


def _listing_row(item: dict[str, Any]) -> tuple[object, ...]:
    until = int(item["until"])
    ended = " (ended)" if until < time.time() else ""
    return (
        item["number"],
        item["quantity"],
        price_text(item["price"], item["currency"]),
        item["to"] or "anybody",
        show.moment(until) + ended,
        item["outpoint"],
    )
