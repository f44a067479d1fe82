"""Aligned text for panels: cells of a fixed width, rows of cells, sentences folded to a few lines."""

from collections.abc import Iterable
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from textual.content import Content

Part = tuple[str, str]  # text and its style; theme colours by name, e.g. "bold $success"

QUIET = "$foreground 58%"
GOOD = "$text-success"
WARN = "$text-warning"
BAD = "bold $text-error"
STRONG = "bold"


def cut(text: str, width: int) -> str:
    """At most `width` cells, the loss marked by an ellipsis."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def cell(text: str, width: int, style: str = "", right: bool = False) -> Part:
    """Exactly `width` cells."""
    text = cut(text, width)
    gap = " " * (width - cell_len(text))
    return (gap + text if right else text + gap, style)


def row(*parts: Part | str) -> Content:
    return Content.assemble(*parts)


def width_of(parts: Iterable[Part | str]) -> int:
    return sum(cell_len(part if isinstance(part, str) else part[0]) for part in parts)


def spread(left: list[Part], right: list[Part], width: int) -> Content:
    """One line with a group at each end; where both do not fit, the right group goes."""
    gap = width - width_of(left) - width_of(right)
    if gap >= 1:
        return row(*left, " " * gap, *right)
    return fitted(left, width)


def fitted(parts: list[Part], width: int) -> Content:
    """As many of the parts as fit, the last one cut."""
    shown: list[Part] = []
    for text, style in parts:
        left = width - width_of(shown)
        if left <= 0:
            break
        shown.append((cut(text, left), style))
    return row(*shown)


def folded(text: str, width: int, lines: int) -> list[str]:
    """A sentence over at most `lines` lines, the last one cut where it is longer."""
    found = wrap(text, max(8, width)) or [""]
    if len(found) > lines:
        found = [*found[: lines - 1], cut(" ".join(found[lines - 1 :]), width)]
    return found


def beside(left: list[Content], right: list[Content], width: int, gap: int) -> list[Content]:
    """Two blocks of lines next to each other; the left one is `width` cells wide."""
    lines = []
    for index in range(max(len(left), len(right))):
        first = left[index] if index < len(left) else Content("")
        second = right[index] if index < len(right) else Content("")
        lines.append(Content.assemble(first, " " * (width - first.cell_length + gap), second))
    return lines
