"""`wattest offer`, `bid`, `replace` and `cancel`: orders of an auction, open or sealed."""

import re
from typing import TYPE_CHECKING, Any

import click

from cli.holdings import choosing, chosen_certificates, chosen_funds, numbers_of, require_single_use
from cli.market import price_text
from cli.options import Command, sending
from cli.people import Acting, acting
from cli.preview import draft_bid, draft_offer, preview
from cli.sending import perform
from cli.session import Session, session_of, with_session
from cli.values import AMOUNT
from state.spoken import counted

if TYPE_CHECKING:
    from node.openings import SealedUp
    from node.wallet import Holding
    from state.numbering import CertificateNumber
    from state.outputs import Bundle
    from state.records import AuctionTerms

NEEDED = "without it half of what stands behind the order is lost"
OUTPOINT_DIGITS = 68  # in hexadecimal
WORDS = {"solar": "T01", "wind": "T02", "hydro": "T03"}  # as people say it; every node of the auction works as well


def complete_wanted(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Attributes of the auction on the command line, else of all open ones: `dimension=node`, and words as `wind`.
    Nothing where no node answers."""
    try:
        client, number = session_of(context).client, context.params.get("auction_number")
        words = [str(context.params.get("order") or ""), *context.args]  # before `--want ` an argument waits
        number = number or next((int(word) for word in words if word.isdigit() and len(word) < OUTPOINT_DIGITS), None)
        order = next((word for word in words if len(word) == OUTPOINT_DIGITS), "")
        open_ones = () if number else client.pages("/v1/auctions", "auctions", status="open")
        auctions = [client.get(f"/v1/auctions/{int(number)}")] if number else list(open_ones)
        if order:  # `replace`: of the auction that it is in
            shown = [client.get(f"/v1/auctions/{each['id']}") for each in auctions]
            auctions = [each for each in shown if order in [live["outpoint"] for live in each["live_orders"]]]
            number = auctions[0]["id"] if auctions else None
    except Exception:  # a completion that fails must not disturb the shell
        return []
    dimensions = [each for auction in auctions for each in auction["terms"]["dimensions"]]
    named = {(each["name"], node) for each in dimensions for node in each["nodes"]}
    found = {f"{name}={node}" for name, node in named}
    if number:  # a bare word is enough where the auction tells what it is about
        found |= {said for said, node in WORDS.items() if ("technology", node) in named}
    else:
        found |= {f"technology={said}" for said, node in WORDS.items() if ("technology", node) in named}
    return sorted(text for text in found if text.startswith(incomplete))


WANT = click.option(
    "--want",
    "wants",
    multiple=True,
    metavar="ATTRIBUTE",
    shell_complete=complete_wanted,
    help="Only these: wind, T02, zone=DK, period=2026, device=4; once for each attribute.",
)


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
    """Lock certificates for sale in AUCTION at --limit or more each; sealed where the auction's book is."""
    from state.transaction import PlaceOffer

    me = acting(session, key_name)
    found = session.client.get(f"/v1/auctions/{auction_number}")
    terms, currency = terms_of(found), found["currency"]
    chosen = chosen_certificates(session, me.id, numbers, quantity, technology, device, month)
    require_single_use(chosen)
    actions, notes = [], numbers_of(chosen)
    sizes: dict[int, int] = {}  # certificates by the class that they are of
    for holding, start, end in chosen:
        count = end - start + 1
        place = _place(session, auction_number, terms, holding)
        sizes[place] = sizes.get(place, 0) + count
        if not terms.sealed:
            actions.append(PlaceOffer(auction_number, me.id, holding.outpoint, start, end, limit))
            continue
        if len(chosen) > 1 and terms.bond:
            raise click.UsageError("A sealed offer with a bond takes one range at a time.")
        bond = terms.bond * count
        inputs = chosen_funds(session, me.id, currency, bond) if bond else ()
        sealed = seal(session, me, found, "offer", count, limit, ())
        lot = (auction_number, me.id, holding.outpoint, start, end)
        actions.append(PlaceOffer(*lot, 0, 0, sealed.commitment, inputs, sealed.envelope))
        notes.append(f"a bond of {price_text(bond, currency)} is locked" if bond else "no bond is asked for")
    notes.append(f"at {price_text(limit, currency)} or more each, in '{found['title']}'")
    for place, count in sorted(sizes.items()):
        notes.extend(preview(session, found, terms, draft_offer(terms, me.id, count, limit, place)))
    notes.extend(_sealed_words(found, terms))
    perform(session, actions, [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


@click.command(cls=Command)
@click.argument("auction_number", metavar="AUCTION", type=int)
@click.option("--quantity", type=click.IntRange(1), required=True, metavar="N", help="Certificates wanted.")
@click.option("--limit", type=AMOUNT, required=True, metavar="AMOUNT", help="Highest price per certificate.")
@WANT
@click.option("--stake", type=AMOUNT, default=0, metavar="AMOUNT", help="Sealed: lock more than quantity x limit.")
@sending
@with_session
def bid(
    session: Session,
    auction_number: int,
    quantity: int,
    limit: int,
    wants: tuple[str, ...],
    stake: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Bid in AUCTION; quantity times limit, or the margin of it, is locked from your deposit until it settles."""
    from contracts.obligation import to_lock
    from state.transaction import PlaceBid

    me = acting(session, key_name)
    found = session.client.get(f"/v1/auctions/{auction_number}")
    terms, currency = terms_of(found), found["currency"]
    nodes = nodes_of(terms, wants)
    locked = to_lock(terms, quantity * limit)
    if terms.sealed:
        locked = max(stake, locked)
    inputs = chosen_funds(session, me.id, currency, locked)
    notes = [f"locks {price_text(locked, currency)}, in '{found['title']}'", *_margin_words(found, terms)]
    if terms.sealed:
        notes.append(f"sealed inside: {counted(quantity, 'certificate')} at up to {price_text(limit, currency)} each")
        sealed = seal(session, me, found, "bid", quantity, limit, nodes)
        action = PlaceBid(auction_number, me.id, 0, 0, inputs, (), sealed.commitment, locked, sealed.envelope)
    else:
        action = PlaceBid(auction_number, me.id, quantity, limit, inputs, nodes)
    draft = draft_bid(terms, me.id, quantity, limit, nodes)
    notes += [*preview(session, found, terms, draft), *_sealed_words(found, terms)]
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


@click.command(cls=Command)
@click.argument("order", metavar="ORDER")
@click.option("--quantity", type=click.IntRange(1), required=True, metavar="N", help="Certificates from now on.")
@click.option("--limit", type=AMOUNT, required=True, metavar="AMOUNT", help="Limit per certificate from now on.")
@WANT
@click.option("--stake", type=AMOUNT, default=0, metavar="AMOUNT", help="Sealed: lock more than quantity x limit.")
@sending
@with_session
def replace(
    session: Session,
    order: str,
    quantity: int,
    limit: int,
    wants: tuple[str, ...],
    stake: int,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Change an own ORDER in one transaction: it keeps its place, and no moment without an order passes."""
    from contracts.obligation import to_lock
    from state.transaction import Replace

    me = acting(session, key_name)
    point = outpoint_of(order)
    mine = _own_order(session, me.id, order)
    found = session.client.get(f"/v1/auctions/{mine['auction']}")
    terms, currency = terms_of(found), found["currency"]
    selling = mine["kind"] in ("offer", "sealed_offer")
    nodes = nodes_of(terms, wants)
    side = "offer" if selling else "bid"
    needed = 0 if selling else max(stake if terms.sealed else 0, to_lock(terms, quantity * limit))
    have = 0 if selling else int(mine["funds"]["amount"])
    inputs = chosen_funds(session, me.id, currency, needed - have) if needed > have else ()
    staked = needed if terms.sealed else 0
    if terms.sealed:
        sealed = seal(session, me, found, side, quantity, limit, nodes)
        action = Replace(me.id, point, 0, 0, (), sealed.commitment, staked, inputs, sealed.envelope)
    else:
        action = Replace(me.id, point, quantity, limit, nodes, b"", 0, inputs)
    notes = [f"{counted(quantity, 'certificate')} at {price_text(limit, currency)} each, in '{found['title']}'"]
    if not selling:
        change = needed - have
        more = f"{price_text(change, currency)} more are locked" if change > 0 else "no more money is locked"
        notes.append(f"{price_text(-change, currency)} come back" if change < 0 else more)
    changed = (terms, me.id, quantity, limit)
    draft = draft_offer(*changed, int(mine["place"])) if selling else draft_bid(*changed, nodes)
    notes += preview(session, found, terms, draft, replaced=order)
    perform(session, [action], [me], no_wait=no_wait, timeout_s=timeout_s, notes=notes)


@click.command(cls=Command)
@click.argument("orders", nargs=-1, required=True, metavar="ORDER…")
@sending
@with_session
def cancel(session: Session, orders: tuple[str, ...], key_name: str | None, no_wait: bool, timeout_s: int) -> None:
    """Take back own orders or posted lots, by the outpoints that `auction show` and `deals list` print."""
    from state.transaction import Cancel

    me = acting(session, key_name)
    actions = [Cancel(me.id, outpoint_of(order)) for order in orders]
    perform(session, actions, [me], no_wait=no_wait, timeout_s=timeout_s)


# --- what the market's commands share


def outpoint_of(order: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{68}", order):
        raise click.UsageError(f"{order!r} is no order: 68 hexadecimal digits, see `wattest auction show`.")
    return bytes.fromhex(order)


def terms_of(found: dict[str, Any]) -> "AuctionTerms":
    from node.answers import struct_of
    from state.records import AuctionTerms

    return struct_of(AuctionTerms, found["terms"])


def nodes_of(terms: "AuctionTerms", wants: tuple[str, ...]) -> tuple[str, ...]:
    """What a person asks for, as one node of each dimension; UsageError names what there is."""
    nodes = [""] * len(terms.dimensions)
    for want in wants:
        name, _, node = want.rpartition("=")
        node = WORDS.get(node.lower(), node)
        fitting = [
            place
            for place, dimension in enumerate(terms.dimensions)
            if name in ("", dimension.name) and node.upper() in map(str.upper, dimension.nodes)
        ]
        if len(fitting) != 1:
            there = "; ".join(f"{each.name}: {', '.join(each.nodes)}" for each in terms.dimensions)
            raise click.UsageError(f"This auction cannot tell {want!r}. There is: {there or 'one class only'}.")
        place = fitting[0]
        nodes[place] = next(each for each in terms.dimensions[place].nodes if each.upper() == node.upper())
    return tuple(nodes) if any(nodes) else ()


def seal(
    session: Session,
    me: Acting,
    found: dict[str, Any],
    side: str,
    quantity: int,
    limit: int,
    wanted: tuple[str, ...],
) -> "SealedUp":
    """An order that is sealed up; its opening is kept in this home before anything is sent."""
    from node.openings import seal_and_keep

    session.network()
    sealed = seal_and_keep(session.home, session.client, found, me.id, side, quantity, limit, wanted)
    needed = "a quorum of validators opens it" if sealed.envelope else NEEDED
    session.say(f"what is sealed is kept in {sealed.path}: {needed}")
    return sealed


def _place(session: Session, auction: int, terms: "AuctionTerms", holding: "Holding[Bundle]") -> int:
    """The class of a lot, by what its plant and its number tell."""
    from contracts.attributes import SUPPORTED, UNSUPPORTED, place_at
    from state.numbering import parse_number

    if not terms.dimensions:
        return 0
    number = parse_number(holding.number)
    facts = session.client.get(f"/v1/devices/{number.device}")["facts"]
    told = {
        "technology": str(facts["technology"]),
        "zone": str(facts["zone"]),
        "period": str(number.month),
        "device": str(number.device),
        "support": SUPPORTED if facts["support"] else UNSUPPORTED,
    }
    return place_at(terms, auction, [told[each.name] for each in terms.dimensions])


def _sealed_words(found: dict[str, Any], terms: "AuctionTerms") -> list[str]:
    if not terms.sealed:
        return ["everybody can read it from now on"]
    if terms.escrow:
        return ["nobody can read it before the close; then the validators open it, nothing is left to do"]
    seconds = terms.opening_s
    return [f"nobody can read it before the close; open it within {seconds} s after it: wattest auction reveal --wait"]


def _margin_words(found: dict[str, Any], terms: "AuctionTerms") -> list[str]:
    if not terms.margin:
        return []
    days, hours = divmod(terms.pay_s // 3_600, 24)
    time = f"{days} d {hours} h" if days else f"{hours} h" if hours else f"{terms.pay_s} s"
    return [
        f"that is {terms.margin / 100:g} % of its value: what you win beyond it is to be paid within {time} of the "
        "settlement, by wattest pay; what is not paid then is lost, and so is its part of the margin"
    ]


def _own_order(session: Session, holder: int, order: str) -> dict[str, Any]:
    for kind in ("offer", "bid", "sealed_offer", "sealed_bid"):
        for item in session.client.outputs(holder, kind):
            if item["outpoint"] == order:
                return item
    raise click.UsageError(f"{order[:16]}… is no live order of yours; see `wattest deals list`.")
