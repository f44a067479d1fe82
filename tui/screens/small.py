"""Where the terminal has no room for any cabinet: how much it needs, until there is."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.texts import t

WIDTH, HEIGHT = 60, 16  # below them a table shows no row, or a form no field; made for 80x24 and more


def too_small(width: int, height: int) -> bool:
    return width < WIDTH or height < HEIGHT


class SmallScreen(ModalScreen[None]):
    """What stands below it stays as it is, drafts too."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "dismiss", "Go on anyway")]

    def compose(self) -> ComposeResult:
        yield Static()

    def on_mount(self) -> None:
        self._say()

    def on_resize(self, event: Resize) -> None:
        self._say()

    def _say(self) -> None:
        width, height = self.app.size
        self.query_one(Static).update(
            t(
                "This terminal has {width} by {height} cells, the dashboard needs {needed}. Make it larger or its "
                "letters smaller; nothing is lost. Escape: go on anyway. Ctrl-C: quit.",
                width=width,
                height=height,
                needed=f"{WIDTH} x {HEIGHT}",
            )
        )
