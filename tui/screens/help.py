"""Every key, and what the marks and colours mean."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.texts import t
from tui.widgets.columns import BAD, GOOD, QUIET, WARN, Part, cell, row

KEYS: tuple[tuple[str, str], ...] = (
    ("N P H M A G", "cabinets: Network, Plants, Holder, Market, Auditor, Authority"),
    ("S", "sign in with a key of the home, or look on without one"),
    ("/ o e y", "in a table: filter as you type, order, export, copy the row; j k Ctrl-D Ctrl-U move"),
    ("R", "replay: scrub to any block; ← → PgUp PgDn Home End, Space plays, g a height or time, Escape: now"),
    ("1 … 5", "in Network: one panel over the whole screen; again, Escape or 0: all of them"),
    ("↑ ↓ Enter", "in Network: choose a block, open it to its last field"),
    ("↑ ↓ ← →", "in Plants: choose a plant and a day, and read its verdict"),
    ("Tab", "next panel"),
    ("Ctrl-P", "commands: themes (by day, high contrast), language, time zone, a picture of the screen"),
    ("q, Ctrl-C", "quit"),
)
STORY_KEYS: tuple[tuple[str, str], ...] = (
    ("+ −", "the plants' stream faster, slower"),
    ("Space", "pause the stream, go on"),
    ("k", "kill a validator as kill -9 would; again: start it"),
)
SIGNS: tuple[tuple[Part, str], ...] = (
    (("●", GOOD), "a validator answers"),
    (("●", BAD), "it does not: it is down"),
    (("▶", "bold $text-accent"), "leads the current view"),
    (("◆", "$text-accent"), "proposed that block"),
    (("·", QUIET), "its vote is not among those that made that block final: late, or not needed"),
    (("■", GOOD), "signed that block; a day that was accepted"),
    (("□", GOOD), "a day that is good by itself and waits for its week"),
    (("▤", WARN), "a day that is held: no certificate until its reason is settled"),
    (("✖", BAD), "a day that was rejected: no certificate"),
    (("□", QUIET), "a day that validators attested, not yet on chain"),
)


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,enter", "dismiss", "Back")]

    def __init__(self, story: bool) -> None:
        super().__init__()
        self._rows = (*KEYS[:-2], *(STORY_KEYS if story else ()), *KEYS[-2:])

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = t("Keys and marks")
            yield Static(self._text())

    def _text(self) -> Content:
        lines = [row(cell(key, 12, "bold $text-primary"), t(what)) for key, what in self._rows]
        lines += [Content(""), *(row(mark, cell("", 11), t(what)) for mark, what in SIGNS)]
        lines += [Content(""), row((t("Production time is the plants' own record, never altered;"), QUIET))]
        lines += [row((t("ledger time is when the blocks became final."), QUIET))]
        return Content("\n").join(lines)
