"""What a bid would meet: the offers in its classes, and how the auction would clear with it. Nothing is promised."""

from typing import TYPE_CHECKING, Any

from cli.market import price_text
from state.spoken import counted

if TYPE_CHECKING:
    from state.records import AuctionTerms


def preview(
    found: dict[str, Any], terms: "AuctionTerms", me: int, quantity: int, limit: int, nodes: tuple[str, ...]
) -> list[str]:
    """Lines for a person, from the live orders that the node shows (at most 1,000 of them)."""
    from contracts.attributes import filter_words, mask_of

    mask, currency = mask_of(terms, nodes), found["currency"]
    lots = [o for o in found["live_orders"] if o["kind"] in ("offer", "sealed_offer") and mask >> o["place"] & 1]
    count = sum(int(lot["quantity"]) for lot in lots)
    what = filter_words(terms, nodes)
    if not lots:
        return [f"of {what} nothing is on offer so far"]
    if terms.sealed:
        return [
            f"of {what} on offer so far: at most {counted(count, 'certificate')}, in {counted(len(lots), 'sealed lot')}"
        ]
    cheapest = min(int(lot["limit"]) for lot in lots)
    lines = [f"of {what} on offer so far: {counted(count, 'certificate')}, from {price_text(cheapest, currency)} each"]
    got, price = _trial(found, terms, me, quantity, limit, mask)
    if got:
        lines.append(f"if it closed now you would get {got} of {quantity} at {price_text(price, currency)} each")
    else:
        lines.append("if it closed now you would get nothing")
    return lines


def _trial(
    found: dict[str, Any], terms: "AuctionTerms", me: int, quantity: int, limit: int, mask: int
) -> tuple[int, int]:
    """(certificates, price) of a bid in the book as it is."""
    from contracts.attributes import mask_of
    from contracts.pieces import clear
    from contracts.sharing import Order

    bids, offers, own = [], [], 0
    for order in found["live_orders"]:
        number, size, at = int(order["order"]), int(order["quantity"]), int(order["limit"])
        if order["kind"] == "offer":
            offers.append(Order(number, size, at, 1 << order["place"]))
            own |= (1 << order["place"]) if order["lot"]["holder"] == me else 0
        else:
            bids.append(Order(number, size, at, mask_of(terms, tuple(order["wanted"]))))
    if own & mask:
        return 0, 0
    mine = 1 + max(order.number for order in (*bids, *offers))
    bids.append(Order(mine, quantity, limit, mask))
    result = clear(bids, offers, int(found["floor"]), int(found["ceiling"]), bytes(32))
    pieces = [piece for piece in result.pieces if piece.bid == mine]
    got = sum(piece.quantity for piece in pieces)
    return got, sum(piece.amount for piece in pieces) // got if got else 0
