"""The auction that runs, its orders and its clock; the last prices; what was delivered."""

from textual.content import Content
from textual.reactive import reactive

from tui.pictures import AuctionPicture, DeliveryPicture, MarketPicture, OrderPicture, SettlementPicture
from tui.texts import t
from tui.widgets.columns import GOOD, QUIET, STRONG, WARN, Part, cell, cut, fitted, folded, row, spread, width_of
from tui.widgets.panel import Panel
from tui.words import money, remaining

READABLE = 64  # cells; wider, a name and its numbers would lie too far apart
ORDERS = 4  # of each side, beside the rest of the panel


class MarketPanel(Panel):
    """`now_s` is ledger time: no auction closes by another clock."""

    BORDER_TITLE = "4 Market"

    picture = reactive(MarketPicture())
    now_s = reactive(0)

    def lines(self, width: int, height: int) -> list[Content]:
        picture, width = self.picture, min(width, READABLE)
        gap = [Content("")] if height > 14 else []
        if picture.running is None and not picture.settled:
            return [row((text, QUIET)) for text in folded(t("No auction was opened yet."), width, 2)]
        lines = self._auction(picture.running, width, height) if picture.running is not None else []
        if picture.settled:
            rest = height - len(lines)
            shown = picture.settled[: 1 if lines else max(1, rest // 4)]
            for found in shown:
                lines += [*(gap if lines else []), *_settlement(found, width)]
        left = height - len(lines) - len(gap)
        if picture.deliveries and left >= 2:
            lines += gap
            lines.append(row((t("delivered, paid in {currency}", currency=picture.deliveries[0].currency), QUIET)))
            lines += [_delivery(found, width) for found in picture.deliveries[: left - 1]]
        return lines

    def _auction(self, auction: AuctionPicture, width: int, height: int) -> list[Content]:
        left = auction.closes_at - self.now_s
        state: Part = (
            (t("closes in {remaining}", remaining=remaining(left)), GOOD)
            if auction.status == "open" and left > 0
            else (t("closed"), WARN)
        )
        title = (t("auction {number}", number=auction.number), STRONG)
        if width_of([title, state]) + len(auction.title) + 3 <= width:
            lines = [spread([title, (f"  {auction.title}", "")], [state], width)]
        else:
            lines = [spread([title], [state], width), row(cut(auction.title, width))]
        each = ORDERS if height > 14 else 2
        for side in ("bid", "offer"):
            orders = [order for order in auction.orders if order.side == side]
            lines += [_order(order, auction, width) for order in orders[:each]]
            if len(orders) > each:
                hidden = sum(order.quantity for order in orders[each:])
                lines.append(row((f"  {len(orders) - each} more {side}s, {hidden:,} {auction.unit}", QUIET)))
        return lines or [row((t("no order yet"), QUIET))]


def _order(order: OrderPicture, auction: AuctionPicture, width: int) -> Content:
    price = money(order.limit, "")
    right = f"{order.quantity:,} × {price}"
    style = "$text-primary" if order.side == "bid" else "$text-accent"
    name = max(4, width - 6 - len(right) - 1)
    return row(cell(order.side, 6, style), cell(order.who, name), cell(right, len(right) + 1, right=True))


def _settlement(found: SettlementPicture, width: int) -> list[Content]:
    title = fitted(
        [("✔ ", GOOD), (t("auction {number} settled", number=found.number) + " ", STRONG), (found.title, QUIET)], width
    )
    if not found.quantity:
        return [title, row(("  " + t("no bid met an offer"), QUIET))]
    price = money(found.price, found.currency)
    return [
        title,
        fitted(
            [
                ("  " + t("{quantity:,} {unit} at", quantity=found.quantity, unit=found.unit) + " ", ""),
                (price, f"bold {GOOD}"),
                (" " + t("each"), ""),
            ],
            width,
        ),
    ]


def _delivery(found: DeliveryPicture, width: int) -> Content:
    right = f"{found.quantity:,} {found.unit} {money(found.amount, '')}"
    name = max(4, width - 2 - len(right) - 1)
    return row(("→ ", GOOD), cell(found.buyer, name), cell(right, len(right) + 1, right=True))
