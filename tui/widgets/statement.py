"""The latest retirement: who used up which certificates, and the QR code that leads to its public statement."""

from functools import lru_cache

from textual.content import Content
from textual.reactive import reactive

from tui.pictures import StatementPicture
from tui.texts import t
from tui.widgets.columns import GOOD, QUIET, STRONG, beside, cut, folded, row
from tui.widgets.panel import Panel
from tui.words import ledger_time

INK = "#000000 on #ffffff"  # a camera needs dark on light, whatever the theme
HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
BESIDE = 66  # cells; narrower, the text stands under the code
QUIET_ZONES = (2, 1)  # modules; the standard asks for four, cameras are content with less
NUMBERS = 2  # ranges that are shown in full


class StatementPanel(Panel):
    BORDER_TITLE = "5 Statements"

    picture: reactive[StatementPicture | None] = reactive(None)

    def lines(self, width: int, height: int) -> list[Content]:
        found = self.picture
        if found is None:
            text = t("No certificate is retired yet. A retirement leaves a statement here that anybody can check.")
            return [row((line, QUIET)) for line in folded(text, width, 4)]
        if width >= BESIDE:
            code = _code(found.url, width, height)
            side = code[0].cell_length if code else 0
            return beside(code, self._text(found, width - side - 2), side, 2)
        text_lines = self._text(found, width)
        code = _code(found.url, width, height - len(text_lines)) or _code(found.url, width, height)
        pad = " " * ((width - code[0].cell_length) // 2) if code else ""
        return [*(Content.assemble(pad, line) for line in code), *text_lines]

    def _text(self, found: StatementPicture, width: int) -> list[Content]:
        """The weightiest first: where there is no room, the end is missing."""
        what = f"{found.quantity:,} × 1 {found.unit}"
        lines = [
            row(
                (t("{what} retired", what=what), f"bold {GOOD}"),
                (" " + t("in block {height}", height=found.height), QUIET),
            ),
            row((t("for", "beneficiary") + " ", QUIET), (cut(found.beneficiary, width - 4), STRONG)),
            row(cut(f"{found.plant}, {found.month}", width)),
        ]
        for number in found.numbers[:NUMBERS]:
            lines += [row((line, "$text-accent")) for line in _number(number, width)]
        if len(found.numbers) > NUMBERS:
            lines.append(row((t("and {numbers} more ranges", numbers=len(found.numbers) - NUMBERS), QUIET)))
        lines += [row((line, QUIET)) for line in _pieces(found.url, width)]
        lines.append(row((cut(t("by {holder}", holder=found.holder), width), QUIET)))
        lines.append(row((ledger_time(found.time_ms), QUIET)))
        if found.count > 1:
            lines.append(row((t("{count} statements so far", count=found.count), QUIET)))
        return lines


def _code(url: str, width: int, height: int) -> list[Content]:
    """As wide a quiet zone as there is room for; nothing where even the narrowest does not fit."""
    for zone in QUIET_ZONES:
        lines = qr_lines(url, zone)
        if len(lines) <= height and len(lines[0]) <= width:
            return [row((line, INK)) for line in lines]
    return []


@lru_cache(maxsize=8)
def qr_lines(url: str, zone: int) -> tuple[str, ...]:
    """The code in half blocks, two modules high each; `zone` light modules around it."""
    import segno

    code = segno.make(url, error="l", boost_error=False, micro=False)
    modules = [list(line) for line in code.matrix_iter(scale=1, border=zone)]
    if len(modules) % 2:
        modules.append([0] * len(modules[0]))
    return tuple(
        "".join(HALVES[bool(upper), bool(lower)] for upper, lower in zip(above, below, strict=True))
        for above, below in zip(modules[::2], modules[1::2], strict=True)
    )


def _number(number: str, width: int) -> list[str]:
    """A range breaks between its two serials."""
    if len(number) <= width or "/" not in number:
        return _pieces(number, width)
    first, _, last = number.partition("/")
    return [f"{first} /", f"{last.rjust(len(first))}"]


def _pieces(text: str, width: int) -> list[str]:
    """An address cut where it must be, so that none of it is lost."""
    return [text[start : start + width] for start in range(0, len(text), max(8, width))]
