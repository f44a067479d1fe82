"""Panels of plain lines: fields and sentences that a cabinet has ready."""

from textual.content import Content
from textual.reactive import reactive

from tui.widgets.columns import Part, folded, row
from tui.widgets.panel import Panel


class TextPanel(Panel):
    """`picture`: rows of parts; a row of one part is folded where it is too long, others are cut by the border."""

    picture: reactive[tuple[tuple[Part, ...], ...]] = reactive(())

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__(id=id)
        self.border_title = title

    def lines(self, width: int, height: int) -> list[Content]:
        found: list[Content] = []
        for parts in self.picture:
            if len(parts) == 1:
                text, style = parts[0]
                found += [row((line, style)) for line in folded(text, width, max(1, height))]
            else:
                found.append(row(*parts))
        return found
