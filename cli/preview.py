"""What an order would meet in the book as it is, and why it might take no part at all. Nothing is promised.

A sealed book shows of others only their lots; of one's own orders the openings that this home keeps tell the rest.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from cli.market import orders_of, price_text
from cli.session import Session
from state.spoken import counted

if TYPE_CHECKING:
    from contracts.sharing import Order
    from state.records import AuctionTerms

BUYING = ("bid", "sealed_bid")


class Draft(NamedTuple):
    """An order before it is signed. `classes`: those that it accepts, or the one of its lot, as bits."""

    buying: bool
    holder: int
    quantity: int
    limit: int
    classes: int
    what: str  # the classes in words


def draft_bid(terms: "AuctionTerms", me: int, quantity: int, limit: int, nodes: tuple[str, ...]) -> Draft:
    from contracts.attributes import filter_words, mask_of

    return Draft(True, me, quantity, limit, mask_of(terms, nodes), filter_words(terms, nodes))


def draft_offer(terms: "AuctionTerms", me: int, quantity: int, limit: int, place: int) -> Draft:
    from contracts.attributes import label_of

    return Draft(False, me, quantity, limit, 1 << place, label_of(terms, place))


def preview(
    session: Session, found: dict[str, Any], terms: "AuctionTerms", draft: Draft, replaced: str = ""
) -> list[str]:
    """Lines for a person; `replaced` is the own order that this one would take the place of."""
    orders = [order for order in orders_of(session, int(found["id"])) if order["outpoint"] != replaced]
    lines = _on_offer(found, terms, orders, draft) if draft.buying else []
    if not terms.sealed:
        lines += _trial(found, terms, orders, draft)
    return [*lines, *_cautions(session, found, terms, orders, draft)]


def _on_offer(found: dict[str, Any], terms: "AuctionTerms", orders: list[dict[str, Any]], draft: Draft) -> list[str]:
    lots = [order for order in orders if order["kind"] not in BUYING and draft.classes >> order["place"] & 1]
    count = sum(int(lot["quantity"]) for lot in lots)
    if not lots:
        return [f"of {draft.what} nothing is on offer so far"]
    if terms.sealed:
        many = f"at most {counted(count, 'certificate')}, in {counted(len(lots), 'sealed lot')}"
        return [f"of {draft.what} on offer so far: {many}"]
    cheapest = price_text(min(int(lot["limit"]) for lot in lots), found["currency"])
    return [f"of {draft.what} on offer so far: {counted(count, 'certificate')}, from {cheapest} each"]


# --- how it would clear


def _trial(found: dict[str, Any], terms: "AuctionTerms", orders: list[dict[str, Any]], draft: Draft) -> list[str]:
    """What the order would come to in an open book if it closed now; nothing is said where no other side is there."""
    from contracts.pieces import clear
    from contracts.sharing import Order

    bids, offers = _book(terms, orders, draft)
    if not (offers if draft.buying else bids):
        return []
    mine = 1 + max((order.number for order in (*bids, *offers)), default=0)
    (bids if draft.buying else offers).append(Order(mine, draft.quantity, draft.limit, draft.classes))
    result = clear(bids, offers, int(found["floor"]), int(found["ceiling"]), bytes(32))
    pieces = [piece for piece in result.pieces if mine in ((piece.bid,) if draft.buying else (piece.offer,))]
    count, verb = sum(piece.quantity for piece in pieces), "get" if draft.buying else "sell"
    if not count:
        return [f"if it closed now you would {verb} nothing"]
    price = price_text(sum(piece.amount for piece in pieces) // count, found["currency"])
    return [f"if it closed now you would {verb} {count} of {draft.quantity} at {price} each"]


def _book(terms: "AuctionTerms", orders: list[dict[str, Any]], draft: Draft) -> "tuple[list[Order], list[Order]]":
    """Bids and offers as the clearing would see them, without the own ones that stand against this order."""
    from contracts.sharing import Order

    bids: list[Order] = []
    offers: list[Order] = []
    for order in orders:
        number, size, at = int(order["order"]), int(order["quantity"]), int(order["limit"])
        buying, classes = order["kind"] in BUYING, _classes(terms, order)
        if buying != draft.buying and _holder(order) == draft.holder and classes & draft.classes:
            continue
        (bids if buying else offers).append(Order(number, size, at, classes))
    return bids, offers


# --- why it might take no part


def _cautions(
    session: Session, found: dict[str, Any], terms: "AuctionTerms", orders: list[dict[str, Any]], draft: Draft
) -> list[str]:
    own = _own(session, found, terms, orders, draft.holder)
    currency, floor, ceiling = found["currency"], int(found["floor"]), int(found["ceiling"])
    lines = []
    if draft.buying and draft.limit < floor:
        lines.append(f"MIND: below the floor of {price_text(floor, currency)} a bid takes no part")
    if not draft.buying and draft.limit > ceiling:
        lines.append(f"MIND: above the ceiling of {price_text(ceiling, currency)} an offer takes no part")
    bids = [(quantity, classes) for buying, quantity, classes in own if buying]
    if draft.buying and terms.position_cap and sum(each for each, _ in bids) + draft.quantity > terms.position_cap:
        cap = counted(terms.position_cap, "certificate")
        lines.append(
            f"MIND: with your other bids this is above the cap of {cap}: whichever bid passes it takes no part"
        )
    if draft.buying and any(not buying and classes & draft.classes for buying, _, classes in own):
        lines.append("MIND: you offer in a class that this bid accepts: while you do, this bid takes no part")
    if not draft.buying and any(classes & draft.classes for _, classes in bids):
        lines.append("MIND: a bid of yours accepts this class: while you offer in it, that bid takes no part")
    return lines


def _own(
    session: Session, found: dict[str, Any], terms: "AuctionTerms", orders: list[dict[str, Any]], me: int
) -> list[tuple[bool, int, int]]:
    """(buying, quantity, classes) of the own live orders, as far as they can be told."""
    from contracts.attributes import mask_of
    from node.openings import kept

    chain, _ = session.network()
    openings = {opening.commitment.hex(): opening for opening in kept(session.home, chain, [int(found["id"])])}
    own = []
    for order in orders:
        if _holder(order) != me:
            continue
        opening = openings.get(order.get("commitment", ""))
        if order["kind"] != "sealed_bid":
            own.append((order["kind"] == "bid", int(order["quantity"]), _classes(terms, order)))
        elif opening is not None:
            own.append((True, opening.quantity, mask_of(terms, opening.wanted)))
    return own


def _classes(terms: "AuctionTerms", order: dict[str, Any]) -> int:
    from contracts.attributes import mask_of

    return mask_of(terms, tuple(order["wanted"])) if order["kind"] in BUYING else 1 << order["place"]


def _holder(order: dict[str, Any]) -> int:
    return int(order["lot"]["holder"] if "lot" in order else order["holder"])
