"""The dashboard: which screens there are and which keys. What they show is in `screens/`, `widgets/` and `model`."""

from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from tui.feed import Feed, Source
from tui.model import NetworkModel
from tui.screens.help import HelpScreen
from tui.screens.network import NetworkScreen
from tui.story import StoryControl
from tui.themes import CALM


def run_dashboard(node_urls: list[str], story: StoryControl | None = None, as_role: str | None = None) -> None:
    """Show the network behind these API addresses until `q` or Ctrl-C. Blocks; owns the terminal and its signals.

    `story` adds the caption, the pace and the validator that can be killed; `as_role` names the participant to watch
    as.
    """
    Dashboard(node_urls, story, as_role).run()


class Dashboard(App[None]):
    TITLE = "wattest"
    CSS_PATH = "theme.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("question_mark", "help", "Keys and marks"),
    ]

    def __init__(
        self,
        node_urls: list[str],
        story: StoryControl | None = None,
        as_role: str | None = None,
        source: Source | None = None,
    ) -> None:
        super().__init__()
        self.model = NetworkModel(public_url=node_urls[0])
        self.source: Source = Feed(node_urls, self.model) if source is None else source
        self.story = story
        self.sub_title = as_role or ""
        self.register_theme(CALM)
        self.theme = CALM.name

    def on_mount(self) -> None:
        self.push_screen(NetworkScreen(self.model, self.source, self.story))
        self.call_after_refresh(self.run_worker, self.source.run(), name="feed")

    def action_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.story is not None))
