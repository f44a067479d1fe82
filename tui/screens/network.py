"""The network at a glance: all panels where there is room, one at a time where there is not."""

from dataclasses import fields
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.events import Resize
from textual.reactive import reactive
from textual.screen import Screen

from tui.desk import Desk
from tui.messages import ChoosePanel, OpenBlock
from tui.model import NetworkModel
from tui.pictures import Picture
from tui.screens.detail import BlockScreen
from tui.story import StoryState
from tui.widgets.cabinets import CabinetBar
from tui.widgets.certificates import CertificatesPanel
from tui.widgets.lines import CaptionLine, PanelTabs, StatusLine, TerminalLine, TitleLine
from tui.widgets.market import MarketPanel
from tui.widgets.network import NetworkPanel
from tui.widgets.panel import Panel
from tui.widgets.plants import PlantsPanel
from tui.widgets.scrubber import Scrubber
from tui.widgets.statement import StatementPanel

PAINT_S = 0.2  # five pictures a second, however many messages come
WIDE, HIGH, TALL = 112, 36, 44  # cells that all panels need together, and rows from which they can be generous
PANELS: tuple[type[Panel], ...] = (NetworkPanel, PlantsPanel, CertificatesPanel, MarketPanel, StatementPanel)


class NetworkScreen(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"panel({number})", f"Panel {number}", show=False) for number in range(1, 6)),
        Binding("escape,0", "all_panels", "All panels", show=False),
        Binding("plus,equals_sign", "faster", "Faster", show=False),
        Binding("minus", "slower", "Slower", show=False),
        Binding("space", "pause", "Pause", show=False),
        Binding("k", "validator", "Kill or start a validator", show=False),
    ]

    chosen = reactive(1)  # the panel in front where only one is shown
    maximised = reactive(False)
    small = reactive(False)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk, self.story = desk, desk.story
        self._painted: tuple[NetworkModel | None, int] = (None, -1)

    def compose(self) -> ComposeResult:
        yield TitleLine()
        yield CabinetBar()
        yield PanelTabs()
        with Container(id="panels"):
            yield NetworkPanel()
            with Horizontal(id="middle"):
                with Vertical(id="left"):
                    yield PlantsPanel()
                    with Horizontal(id="lower"):
                        yield CertificatesPanel()
                        yield MarketPanel()
                yield StatementPanel()
        if self.story is not None:
            yield TerminalLine()
            yield CaptionLine()
        yield Scrubber(self.desk)
        yield StatusLine()

    def on_mount(self) -> None:
        self.set_interval(PAINT_S, self.paint)
        self.paint()
        self.query_one(PANELS[0]).focus()

    # --- painting

    def paint(self) -> None:
        """Hand out a new picture where there is news. Equal parts are not painted again: reactives compare."""
        title = self.query_one(TitleLine)
        title.freshness, title.stale = (found := self.desk.source.freshness()).text, found.stale
        if self.story is not None:
            self._show_story(self.story.state())
        model = self.desk.model
        if (model, model.version) != self._painted:
            self._painted = model, model.version
            self._show(model.snapshot())

    def _show(self, picture: Picture) -> None:
        for part, panel in zip(fields(picture), PANELS, strict=True):
            self.query_one(panel).picture = getattr(picture, part.name)
        title = self.query_one(TitleLine)
        title.picture, title.years = picture.network, picture.plants.years
        self.query_one(MarketPanel).now_s = picture.network.time_ms // 1_000

    def _show_story(self, state: StoryState) -> None:
        self.query_one(CaptionLine).text = state.caption
        self.query_one(TerminalLine).text = state.second_terminal
        self.query_one(StatusLine).state = state

    # --- which panels

    def on_resize(self, event: Resize) -> None:
        self.small = event.size.width < WIDE or event.size.height < HIGH
        self.set_class(event.size.height >= TALL, "-tall")

    def watch_small(self) -> None:
        self._arrange()

    def watch_maximised(self) -> None:
        self._arrange()

    def watch_chosen(self, number: int) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """A box is shown while any panel in it is."""
        single = self.small or self.maximised
        self.set_class(self.small, "-small")
        self.set_class(single, "-single")
        if not self.is_mounted:
            return
        self.query_one(PanelTabs).chosen = self.chosen
        self.query_one(CabinetBar).display = not self.small
        front = self.query_one(PANELS[self.chosen - 1])
        for panel in self.query(Panel):
            panel.display = panel is front or not single
        for line in self.query(TerminalLine):
            line.display = not (self.small and self.chosen == len(PANELS))  # the QR code needs its row
        for box in self.query("#middle, #left, #lower"):
            box.display = not single or front in box.query(Panel)

    def action_panel(self, number: int) -> None:
        """The same number again brings all panels back."""
        again = self.maximised and number == self.chosen
        self.chosen = number
        self.maximised = not self.small and not again
        self.query_one(PANELS[number - 1]).focus()

    def action_all_panels(self) -> None:
        self.maximised = False

    def on_choose_panel(self, message: ChoosePanel) -> None:
        self.action_panel(message.number)

    def on_open_block(self, message: OpenBlock) -> None:
        self.app.push_screen(BlockScreen(self.desk.source.answering(), message.height))

    # --- the story's knobs

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.story is not None or action not in ("faster", "slower", "pause", "validator")

    def action_faster(self) -> None:
        assert self.story is not None
        self.story.faster()
        self.paint()

    def action_slower(self) -> None:
        assert self.story is not None
        self.story.slower()
        self.paint()

    def action_pause(self) -> None:
        assert self.story is not None
        self.story.toggle_pause()
        self.paint()

    def action_validator(self) -> None:
        assert self.story is not None
        self.story.toggle_validator()
