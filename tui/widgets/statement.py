"""The latest retirement: who used up which certificates, and the QR code that leads to its public statement."""

from functools import lru_cache

from textual.content import Content
from textual.reactive import reactive

from tui.pictures import StatementPicture
from tui.widgets.columns import QUIET, STRONG, beside, cut, folded, row
from tui.widgets.panel import Panel
from tui.words import ledger_time

INK = "#000000 on #ffffff"  # a camera needs dark on light, whatever the theme
HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
BESIDE = 66  # cells; narrower, the text stands under the code
QUIET_ZONE = 2  # modules; the standard asks for four, cameras are content with two on a dark screen


class StatementPanel(Panel):
    BORDER_TITLE = "5 Statements"

    picture: reactive[StatementPicture | None] = reactive(None)

    def lines(self, width: int, height: int) -> list[Content]:
        found = self.picture
        if found is None:
            text = "No certificate is retired yet. A retirement leaves a statement here that anybody can check."
            return [row((line, QUIET)) for line in folded(text, width, 4)]
        code = self._code(found.url, width, height)
        if width >= BESIDE:
            side = code[0].cell_length if code else 0
            return beside(code, self._text(found, width - side - 2, full=True), side, 2)
        left = height - len(code)
        pad = " " * ((width - code[0].cell_length) // 2) if code else ""
        return [*(Content.assemble(pad, line) for line in code), *self._text(found, width, full=left > 8)]

    def _code(self, url: str, width: int, height: int) -> list[Content]:
        """As wide a quiet zone as there is room for; nothing where even the bare code does not fit."""
        for zone in (QUIET_ZONE, 1):
            lines = qr_lines(url, zone)
            if len(lines) <= height and len(lines[0]) <= width:
                return [row((line, INK)) for line in lines]
        return []

    def _text(self, found: StatementPicture, width: int, full: bool) -> list[Content]:
        what = f"{found.quantity:,} × 1 {found.unit}"
        lines = [row((f"{what} retired", f"bold {'$text-success'}"), (f" in block {found.height}", QUIET))]
        lines.append(row(("for ", QUIET), (cut(found.beneficiary, width - 4), STRONG)))
        lines.append(row(cut(f"{found.plant}, {found.month}", width)))
        for number in found.numbers[: 3 if full else 1]:
            lines += [row((line, "$text-accent")) for line in _pieces(number, width)]
        if full:
            lines.append(row((cut(f"by {found.holder}, {ledger_time(found.time_ms)}", width), QUIET)))
        lines += [row((line, QUIET)) for line in _pieces(found.url, width)]
        if full and found.count > 1:
            lines.append(row((f"{found.count} statements so far", QUIET)))
        return lines


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


def _pieces(text: str, width: int) -> list[str]:
    """A number or address cut where it must be, so that none of it is lost."""
    return [text[start : start + width] for start in range(0, len(text), max(8, width))]
