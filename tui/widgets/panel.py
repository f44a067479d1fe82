"""What all panels share: a picture comes in, lines that fit the space go out."""

from typing import Any

from textual.content import Content
from textual.widget import Widget

from tui.texts import t


class Panel(Widget, can_focus=True):
    """Subclasses have a reactive `picture`, and `lines` that turn it into at most `height` lines of `width` cells."""

    picture: Any

    def on_mount(self) -> None:
        if self.BORDER_TITLE and self.border_title == self.BORDER_TITLE:
            self.border_title = t(self.BORDER_TITLE)

    def render(self) -> Content:
        width, height = self.content_size
        if width < 8 or height < 1:
            return Content("")
        return Content("\n").join(self.lines(width, height)[:height])

    def lines(self, width: int, height: int) -> list[Content]:
        raise NotImplementedError
