"""Supply and demand of a session: who would sell and who would buy how much at each price, and where they meet."""

from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive

from tui.texts import t
from tui.widgets.columns import QUIET, Part, cell, row
from tui.widgets.panel import Panel
from tui.words import money

NAME = 14
OFFER, BID, BOTH = "$text-accent", "$text-primary", "bold $text-success"


@dataclass(frozen=True)
class DepthPicture:
    """Orders as (limit in millionths, quantity); `price` is what the session settled at, 0 before."""

    offers: tuple[tuple[int, int], ...] = ()
    bids: tuple[tuple[int, int], ...] = ()
    price: int = 0
    currency: str = ""
    remark: str = ""  # where there is nothing to draw


class DepthPanel(Panel):
    """A row a price: demand at that price or more to the left, supply at that price or less to the right."""

    BORDER_TITLE = "Supply and demand"

    picture = reactive(DepthPicture())

    def lines(self, width: int, height: int) -> list[Content]:
        picture = self.picture
        if not picture.offers and not picture.bids:
            return [row((picture.remark or t("No order yet."), QUIET))]
        prices = _levels(picture, max(1, height - 1))
        side = max(4, (width - NAME) // 2)
        most = max(_demand(picture, prices[-1]), _supply(picture, prices[0]), 1)
        head = row(
            cell(t("bought at that price"), side, QUIET, right=True),
            cell(t("price each"), NAME, QUIET, right=True),
            ("   " + t("sold at that price"), QUIET),
        )
        return [head, *(_level(picture, price, side, most) for price in prices)]


def _levels(picture: DepthPicture, rows: int) -> list[int]:
    """The limits that occur, highest first; where there are more than rows, evenly fewer, the price always."""
    found = sorted({limit for limit, _ in (*picture.offers, *picture.bids)} | ({picture.price} - {0}), reverse=True)
    if len(found) <= rows:
        return found
    chosen = {found[place * (len(found) - 1) // max(1, rows - 1)] for place in range(rows)}
    if picture.price and picture.price not in chosen:
        chosen.remove(min(chosen, key=lambda limit: abs(limit - picture.price)))
        chosen.add(picture.price)
    return sorted(chosen, reverse=True)


def _demand(picture: DepthPicture, price: int) -> int:
    return sum(quantity for limit, quantity in picture.bids if limit >= price)


def _supply(picture: DepthPicture, price: int) -> int:
    return sum(quantity for limit, quantity in picture.offers if limit <= price)


def _level(picture: DepthPicture, price: int, side: int, most: int) -> Content:
    demand, supply = _demand(picture, price), _supply(picture, price)
    settled = price == picture.price
    left, right = f"{demand:,} ", f" {supply:,}"
    bar = max(0, (side - len(left)) * demand // most)
    other = max(0, (side - 1 - len(right)) * supply // most)
    parts: list[Part] = [
        (" " * (side - len(left) - bar), ""),
        (left, QUIET),
        ("▆" * bar, BOTH if settled else BID),
        cell(f"{'▶ ' if settled else ''}{money(price, picture.currency)}", NAME, BOTH if settled else "", right=True),
        (" ", ""),
        ("▆" * other, BOTH if settled else OFFER),
        (right, QUIET),
    ]
    return row(*parts)
