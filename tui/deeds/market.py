"""Deeds in the market: bid and offer in a session, change or take back an order, buy a posted lot or post one."""

from typing import TYPE_CHECKING, Any

from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values, scaled, signed_in, whole
from tui.texts import t
from tui.words import money

if TYPE_CHECKING:
    from pathlib import Path

    from node.client import NodeClient
    from node.openings import SealedUp
    from node.wallet import Holding
    from state.outputs import Bundle
    from state.records import AuctionTerms
    from state.units import Outpoint
    from tui.account import Account

SPOKEN = {"solar": "T01", "wind": "T02", "hydro": "T03"}
OPEN_BOOK = "everybody can read it from now on"
PLACES = 6  # of an amount of money


def bid_form(auction: dict[str, Any], home: "Path") -> Form:
    """A bid in the session; what one may choose by is said in the hint."""

    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        return _bid(client, signed_in(given), auction, values, home)

    return Form(
        "bid",
        t("Bid in session {number}: {title}", number=auction["id"], title=auction["title"]),
        (
            Field("quantity", t("certificates wanted")),
            Field(
                "limit",
                t("highest price each, {currency}", currency=auction["currency"]),
                hint=t("such as {example}", example="3.10"),
            ),
            Field("want", t("only these kinds"), hint=_choice(auction), required=False),
        ),
        make,
        _book(auction),
    )


def offer_form(auction: dict[str, Any], number: str, quantity: int, home: "Path") -> Form:
    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        return _offer(client, signed_in(given), auction, values, home)

    return Form(
        "offer",
        t("Offer in session {number}: {title}", number=auction["id"], title=auction["title"]),
        (
            Field("number", t("certificates"), number, hint=t("number, as in the holder's cabinet")),
            Field("quantity", t("how many, from the first on"), str(quantity) if quantity else ""),
            Field(
                "limit",
                t("lowest price each, {currency}", currency=auction["currency"]),
                hint=t("such as {example}", example="2.80"),
            ),
        ),
        make,
        _book(auction),
    )


def buy_form(lot: dict[str, Any]) -> Form:
    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        from state.dealing import Buy

        me, count = signed_in(given), whole(values, "quantity", t("how many"), least=1)
        if count > int(lot["quantity"]):
            raise Mistake(t("how many: {count} are posted.", count=f"{int(lot['quantity']):,}"))
        price = count * int(lot["price"])
        action = Buy(me.id, bytes.fromhex(lot["outpoint"]), count, funds_for(client, me.id, lot["currency"], price))
        seller = client.participant(int(lot["lot"]["holder"]))["name"]
        return Deed(
            t("Buy"),
            (action,),
            (
                str(lot["number"]),
                t("{price} go to {seller}, at once", price=money(price, lot["currency"]), seller=seller),
            ),
        )

    return Form(
        "buy",
        t("Buy of {number}", number=lot["number"]),
        (Field("quantity", t("how many"), str(lot["quantity"])),),
        make,
        t(
            "{price} each; money and certificates move in one transaction.",
            price=money(int(lot["price"]), lot["currency"]),
        ),
    )


def cancel_deed(account: "Account", order: dict[str, Any]) -> Deed:
    from state.transaction import Cancel

    words = t("order {number} in session {session}", number=order["order"], session=order["auction"])
    return Deed(t("Take back"), (Cancel(account.id, bytes.fromhex(order["outpoint"])),), (words,))


def _bid(client: "NodeClient", me: "Account", auction: dict[str, Any], values: Values, home: "Path") -> Deed:
    from contracts.obligation import to_lock
    from state.transaction import PlaceBid

    terms, currency = _terms(auction), str(auction["currency"])
    count, limit = (
        whole(values, "quantity", t("certificates wanted"), least=1),
        scaled(values["limit"], PLACES, t("price")),
    )
    nodes, locked = _nodes(terms, values["want"]), to_lock(terms, count * limit)
    inputs = funds_for(client, me.id, currency, locked)
    notes = [t("locks {price} until the session settles", price=money(locked, currency)), _seen(terms)]
    if terms.margin:
        notes.append(t("the rest of what it wins is to be paid within {hours} h", hours=max(1, terms.pay_s // 3_600)))
    if not terms.sealed:
        return Deed(t("Bid"), (PlaceBid(auction["id"], me.id, count, limit, inputs, nodes),), tuple(notes))
    seal, kept = _seal(client, me, auction, terms, ("bid", count, limit, nodes), home)
    notes[:0] = [
        t("sealed inside: {count} at up to {price} each", count=f"{count:,}", price=money(limit, currency)),
        kept,
    ]
    return Deed(
        t("Bid"),
        (PlaceBid(auction["id"], me.id, 0, 0, inputs, (), seal.commitment, locked, seal.envelope),),
        tuple(notes),
    )


def _offer(client: "NodeClient", me: "Account", auction: dict[str, Any], values: Values, home: "Path") -> Deed:
    from state.numbering import parse_number
    from state.transaction import PlaceOffer

    terms, currency, number = _terms(auction), str(auction["currency"]), parse_number(values["number"].strip())
    count, limit = whole(values, "quantity", t("how many"), least=1), scaled(values["limit"], PLACES, t("price"))
    held = _bundle(client, me.id, number.device, number.start)
    end = number.start + count - 1
    if end > held.output.end:
        raise Mistake(
            t(
                "how many: {count} lie in that bundle from the first one on.",
                count=f"{held.output.end - number.start + 1:,}",
            )
        )
    notes = [values["number"].strip(), t("at {price} or more each", price=money(limit, currency)), _seen(terms)]
    place = (auction["id"], me.id, held.outpoint, number.start, end)
    if not terms.sealed:
        return Deed(t("Offer"), (PlaceOffer(*place, limit),), tuple(notes))
    bond = terms.bond * count
    inputs = funds_for(client, me.id, currency, bond) if bond else ()
    seal, kept = _seal(client, me, auction, terms, ("offer", count, limit, ()), home)
    notes += [t("a bond of {price} is locked", price=money(bond, currency)), kept] if bond else [kept]
    return Deed(t("Offer"), (PlaceOffer(*place, 0, 0, seal.commitment, inputs, seal.envelope),), tuple(notes))


def _seal(
    client: "NodeClient",
    me: "Account",
    auction: dict[str, Any],
    terms: "AuctionTerms",
    order: tuple[str, int, int, tuple[str, ...]],
    home: "Path",
) -> "tuple[SealedUp, str]":
    """What is sent of it, and where its opening is kept: it is written before anything is sent."""
    from node.openings import seal_and_keep

    sealed = seal_and_keep(home, client, auction, me.id, *order)
    if terms.escrow:
        return sealed, t("what is sealed is kept in {path}", path=sealed.path)
    return sealed, t(
        "what is sealed is kept in {path}: without it half of what stands behind it is lost", path=sealed.path
    )


def _terms(auction: dict[str, Any]) -> "AuctionTerms":
    from node.answers import struct_of
    from state.records import AuctionTerms

    return struct_of(AuctionTerms, auction["terms"])


def funds_for(client: "NodeClient", me: int, currency: str, amount: int) -> "tuple[Outpoint, ...]":
    from node.answers import struct_of
    from node.wallet import Holding, choose_funds
    from state.outputs import Funds

    held = [Holding(bytes.fromhex(item["outpoint"]), struct_of(Funds, item)) for item in client.outputs(me, "funds")]
    return choose_funds(held, currency, amount)


def _bundle(client: "NodeClient", me: int, device: int, serial: int) -> "Holding[Bundle]":
    from node.answers import struct_of
    from node.wallet import Holding
    from state.outputs import Bundle

    for item in client.outputs(me, "bundle"):
        if item["device"] == device and int(item["start"]) <= serial <= int(item["end"]):
            return Holding(bytes.fromhex(item["outpoint"]), struct_of(Bundle, item), item["number"])
    raise Mistake(t("certificates: these are not yours to offer; see the holder's cabinet (H)."))


def _nodes(terms: "AuctionTerms", text: str) -> tuple[str, ...]:
    """`wind, zone=DK` as one node of each tree of the session. Mistake names what there is."""
    nodes = [""] * len(terms.dimensions)
    for want in filter(None, (part.strip() for part in text.split(","))):
        name, _, node = want.rpartition("=")
        node = SPOKEN.get(node.casefold(), node).upper()
        fitting = [
            place
            for place, each in enumerate(terms.dimensions)
            if name in ("", each.name) and node in map(str.upper, each.nodes)
        ]
        if len(fitting) != 1:
            there = "; ".join(f"{each.name}: {', '.join(map(called, each.nodes))}" for each in terms.dimensions)
            raise Mistake(
                t(
                    "only these kinds: this session cannot tell {want}. There is: {there}",
                    want=repr(want),
                    there=there or t("one kind only"),
                )
            )
        nodes[fitting[0]] = next(each for each in terms.dimensions[fitting[0]].nodes if each.upper() == node)
    return tuple(nodes) if any(nodes) else ()


def called(node: str) -> str:
    """A node as people say it, where they do: both `solar` and `T01` are understood in a bid."""
    return next((spoken for spoken, code in SPOKEN.items() if code == node), node)


def _choice(auction: dict[str, Any]) -> str:
    trees = [f"{each['name']}={'|'.join(map(called, each['nodes']))}" for each in auction["terms"]["dimensions"]]
    return ", ".join(trees) or t("this session has one kind")


def _book(auction: dict[str, Any]) -> str:
    if auction["terms"]["sealed"]:
        if auction["terms"]["escrow"]:
            return t("A sealed book: nobody reads an order before the close; then the validators open it.")
        return t("A sealed book: nobody reads an order before the close; it must be opened after it.")
    return t("An open book: {seen}.", seen=t(OPEN_BOOK))


def _seen(terms: "AuctionTerms") -> str:
    if not terms.sealed:
        return t(OPEN_BOOK)
    if terms.escrow:
        return t("nobody can read it before the close; then the validators open it, nothing is left to do")
    return t(
        "nobody can read it before the close; open it within {seconds} s: wattest auction reveal --wait",
        seconds=terms.opening_s,
    )
