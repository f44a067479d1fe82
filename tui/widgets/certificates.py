"""The last certificate born, with its number; how many of each scheme there are; who passed some on."""

from textual.content import Content
from textual.reactive import reactive

from tui.pictures import CertificatesPicture, MovePicture, SchemeCount
from tui.texts import t
from tui.widgets.columns import QUIET, STRONG, cell, cut, fitted, folded, row, width_of
from tui.widgets.panel import Panel

COLUMN = 10
READABLE = 64  # cells


class CertificatesPanel(Panel):
    BORDER_TITLE = "3 Certificates"

    picture = reactive(CertificatesPicture())

    def lines(self, width: int, height: int) -> list[Content]:
        width = min(width, READABLE)
        lines = [*self._born(width), Content("")]
        lines += [_head(width, self.picture.since), *(_count(scheme, width) for scheme in self.picture.schemes)]
        moves = self.picture.moves[: max(0, height - len(lines) - 1)]
        if moves:
            lines += [Content(""), *(_move(found, width) for found in moves)]
        return lines

    def _born(self, width: int) -> list[Content]:
        born = self.picture.born
        if born is None:
            return [row((text, QUIET)) for text in folded(t("None is issued yet: that takes a green day."), width, 2)]
        whole = len(born.number) <= width
        lines = [
            row((t("last issued, in block {height}", height=born.height), QUIET)),
            row((born.number if whole else born.first, "bold $text-accent")),
        ]
        first = "" if whole or born.quantity == 1 else t("first of") + " "
        what = f"{first}{born.quantity:,} × 1 {born.unit}, {born.month}"
        return [*lines, row(what), row((cut(born.plant, width), QUIET))]


def _head(width: int, since: int) -> Content:
    name = (
        t("scheme") if since <= 1 else t("since {since:,}", since=since)
    )  # a long chain is not replayed from its start
    columns = [cell(name, COLUMN, QUIET, right=True) for name in (t("issued"), t("live"), t("retired"))]
    return row(cell(name, max(6, width - 3 * COLUMN), QUIET), *columns)


def _count(scheme: SchemeCount, width: int) -> Content:
    numbers = (scheme.issued, scheme.live, scheme.retired)
    styles = ("", STRONG, "$text-success")
    columns = [cell(f"{number:,}", COLUMN, style, right=True) for number, style in zip(numbers, styles, strict=True)]
    return row(cell(scheme.name, max(6, width - 3 * COLUMN)), *columns)


def _move(found: MovePicture, width: int) -> Content:
    parts = [("⇄ ", "$text-accent"), (f"{found.quantity:,} {found.unit} ", STRONG)]
    way = f"{found.sender} → {found.receiver}"
    if width_of(parts) + len(way) > width:
        way = t("to {receiver}", receiver=found.receiver)
    return fitted([*parts, (way, QUIET)], width)
