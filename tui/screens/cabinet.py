"""What all cabinets share: the lines around them, asking the node in a thread, and saying when what is shown is old."""

import time
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from node.client import NodeClient
from state.errors import WattestError
from tui.deeds.form import Form
from tui.desk import Desk
from tui.messages import OpenCabinet
from tui.screens.export import ExportScreen
from tui.screens.form import FormScreen
from tui.texts import said, t
from tui.widgets.cabinets import CabinetBar
from tui.widgets.columns import QUIET, Part, spread, width_of
from tui.widgets.lines import CaptionLine, TerminalLine, TitleLine
from tui.widgets.scrubber import Scrubber
from tui.widgets.sheet import Sheet

PAINT_S = 0.25
READ_S = 1.0  # between two questions at most, however many blocks come
SMALL_WIDTH, SMALL_HEIGHT = 100, 30

Keys = tuple[tuple[str, str], ...]


class KeysLine(Widget):
    """The keys that do something here, and what went wrong last."""

    keys: reactive[Keys] = reactive(())
    trouble = reactive("")

    def render(self) -> Content:
        parts: list[Part] = []
        for key, word in self.keys:
            parts += [(f"{key} ", "bold $text-primary"), (f"{t(word)}  ", QUIET)]
        if self.trouble:
            return spread(
                [(f"▲ {self.trouble}", "bold $text-warning")], [(t("? help"), QUIET)], self.content_size.width
            )
        helps: list[Part] = [("? ", "bold $text-primary"), (t("help"), QUIET)]
        while parts and width_of(parts) + width_of(helps) >= self.content_size.width:
            del parts[-2:]  # help names them all, so help stays
        return spread(parts, helps, self.content_size.width)


class CabinetScreen(Screen[None]):
    """Subclasses say what they are (`HEADING`, `KEYS`), lay out `body`, `read` from a node and `show` what was read.

    `read` runs in a thread whenever the ledger grew; it may look at nothing of the screen but what `asked` gave it.
    """

    HEADING: ClassVar[str] = ""
    KEYS: ClassVar[Keys] = ()
    NEEDS_KEY: ClassVar[str] = "sign in with S first"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Next", show=False),
        Binding("z", "turn", "The other half, where the window is small", show=False),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._read_height = -2
        self._read_at = 0.0
        self._reading = False
        self._due = True

    def compose(self) -> ComposeResult:
        yield TitleLine()
        yield CabinetBar()
        yield from self.body()
        if self.desk.story is not None:
            yield TerminalLine()
            yield CaptionLine()
        yield Scrubber(self.desk)
        yield KeysLine()

    def body(self) -> ComposeResult:
        raise NotImplementedError

    def asked(self) -> Any:
        """What the next reading is about, as the screen stands now."""
        return None

    def read(self, client: NodeClient, asked: Any) -> Any:
        raise NotImplementedError

    def show(self, found: Any) -> None:
        raise NotImplementedError

    def paint(self) -> None:
        """What comes from the model alone, a few times a second."""

    # --- the clock of the screen

    def on_mount(self) -> None:
        for sheet in self.query(Sheet):
            sheet.put_back(*self.desk.habits.tables.get(self._table(sheet), ("", None, False)))
        self.set_interval(PAINT_S, self._tick)
        self._tick()

    def on_screen_resume(self) -> None:
        self._due = True
        self._tick()

    def on_resize(self) -> None:
        self.set_class(self.size.width < SMALL_WIDTH or self.size.height < SMALL_HEIGHT, "-small")
        if not self.has_class("-small"):
            self.remove_class("-turned")

    def action_turn(self) -> None:
        """A small window has room for one half of a cabinet: this shows the other one."""
        if not self.has_class("-small"):
            self.notify(t("Everything is on the screen already."), timeout=2)
            return
        self.toggle_class("-turned")
        self.call_after_refresh(self._focus_shown)

    def _focus_shown(self) -> None:
        """The cursor into a table that is to be seen."""
        shown = [sheet for sheet in self.query(Sheet) if sheet.region.height > 0]
        if shown and not any(sheet.has_focus_within for sheet in shown):
            shown[0].focus_rows()

    def _tick(self) -> None:
        if not self.is_current:
            return
        desk, title = self.desk, self.query_one(TitleLine)
        title.freshness, title.stale = (found := desk.source.freshness()).text, found.stale
        title.picture = desk.model.chain.picture()
        self.query_one(KeysLine).keys = (("z", "the other half"), *self.KEYS) if self.has_class("-small") else self.KEYS
        if desk.story is not None:
            state = desk.story.state()
            self.query_one(CaptionLine).text, self.query_one(TerminalLine).text = state.caption, state.second_terminal
        self.paint()
        grown = desk.model.chain.height != self._read_height
        if (grown or self._due) and not self._reading and time.monotonic() - self._read_at >= READ_S:
            self._begin()

    def refresh_soon(self) -> None:
        """Something else is to be read now: the next tick does it."""
        self._due, self._read_at = True, 0.0

    # --- asking

    def _begin(self) -> None:
        self._reading, self._due = True, False
        self._read_height, self._read_at = self.desk.model.chain.height, time.monotonic()
        self._ask(self.asked())

    @work(thread=True, exit_on_error=False, group="read")
    def _ask(self, asked: Any) -> None:
        try:
            client = self.desk.client()
            try:
                found = self.read(client, asked)
            finally:
                client.close()
        except WattestError as error:
            self.app.call_from_thread(self._failed, said(error))
            return
        except (KeyError, TypeError, ValueError) as error:
            self.app.call_from_thread(
                self._failed, t("the node's answer cannot be read ({kind})", kind=type(error).__name__)
            )
            return
        self.app.call_from_thread(self._found, found)

    def _found(self, found: Any) -> None:
        self._reading = False
        if self.is_mounted:
            self.query_one(KeysLine).trouble = ""
            self.show(found)

    def _failed(self, why: str) -> None:
        self._reading, self._due = False, True
        if self.is_mounted:
            self.query_one(KeysLine).trouble = why

    # --- acting

    def open_form(self, form: Form, anybody: bool = False) -> None:
        """Fill it in, read what will be signed, sign. `anybody`: another key than the account's signs."""
        if self.in_the_past():
            return
        if self.desk.account is None and not anybody:
            self.notify(t("Nobody is signed in: {why}.", why=t(self.NEEDS_KEY)), severity="warning", timeout=4)
            return
        self.app.push_screen(FormScreen(self.desk, form), self._done)

    def in_the_past(self) -> bool:
        """Whether nothing can be signed because an earlier block is shown; says so."""
        if self.desk.replay is not None:
            self.notify(t("This is the past: nothing can be signed here. R, then Escape, leads back to now."),
                        severity="warning", timeout=5)  # fmt: skip
        return self.desk.replay is not None

    def _done(self, done: bool | None) -> None:
        if done:
            self.refresh_soon()

    def on_open_cabinet(self, message: OpenCabinet) -> None:
        message.stop()
        self.app.post_message(message)

    def _table(self, sheet: Sheet) -> str:
        return f"{self.HEADING}.{sheet.id}"

    def on_sheet_arranged(self, message: Sheet.Arranged) -> None:
        message.stop()
        tables, name, arranged = self.desk.habits.tables, self._table(message.sheet), message.sheet.arranged
        tables.pop(name, None)
        if arranged != ("", None, False):
            tables[name] = arranged

    def on_sheet_export(self, message: Sheet.Export) -> None:
        message.stop()
        self.app.push_screen(ExportScreen(message.sheet, self.desk))
