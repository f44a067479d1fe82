"""The line that names the cabinets and who is signed in."""

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
        parts: list[Part] = []
        for key, title in self.names:
            style = "bold reverse $text-primary" if title == self.chosen else "bold $text-primary"
            parts += [(f" {key} ", style), (f"{t(title)} ", "bold" if title == self.chosen else QUIET), (" ", "")]
        return parts

    def on_click(self, event: Click) -> None:
        end = 0
        for index, (_, title) in enumerate(self.names):
            end = width_of(self._parts()[: 3 * (index + 1)])
            if event.x < end:
                self.post_message(OpenCabinet(title))
                return
