"""The line that names the cabinets and who is signed in."""

from collections.abc import Callable

from textual.content import Content
from textual.events import Click
from textual.reactive import reactive
from textual.widget import Widget

from tui.messages import OpenCabinet
from tui.texts import t
from tui.widgets.columns import QUIET, Part, spread, width_of


class CabinetBar(Widget):
    """`names` are (key, title) of each cabinet; the key is the letter that opens it."""

    names: reactive[tuple[tuple[str, str], ...]] = reactive(())
    chosen = reactive("")
    who = reactive("")

    def render(self) -> Content:
        return spread(self._parts(), [(self.who, QUIET)], self.content_size.width)

    def _parts(self) -> list[Part]:
        """In a narrow window the titles of the others go, so that one sees who is signed in."""
        parts = self._named(lambda title: t(title))
        if width_of(parts) + width_of([self.who]) < self.content_size.width:
            return parts
        return self._named(lambda title: t(title) if title == self.chosen else "")

    def _named(self, word: Callable[[str], str]) -> list[Part]:
        parts: list[Part] = []
        for key, title in self.names:
            style = "bold reverse $text-primary" if title == self.chosen else "bold $text-primary"
            parts += [(f" {key} ", style), (f"{word(title)} ", "bold" if title == self.chosen else QUIET), (" ", "")]
        return parts

    def on_click(self, event: Click) -> None:
        end = 0
        for index, (_, title) in enumerate(self.names):
            end = width_of(self._parts()[: 3 * (index + 1)])
            if event.x < end:
                self.post_message(OpenCabinet(title))
                return
