"""To which block of the past: its height, or a time at which it was the newest."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.replay import Replay
from tui.texts import t
from tui.widgets.columns import BAD, QUIET, row
from tui.words import ledger_time
from tui.zone import instant

LONGEST = 64


class GoingScreen(ModalScreen[int | None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back")]

    def __init__(self, replay: Replay) -> None:
        super().__init__()
        self._replay = replay

    def compose(self) -> ComposeResult:
        replay = self._replay
        with VerticalScroll() as box:
            box.border_title = t("Go to")
            box.border_subtitle = t("Enter: go   Escape: back")
            yield Input(
                placeholder=t("a height, or a time such as {time}", time=ledger_time(replay.time_ms)[:16]),
                max_length=LONGEST,
                compact=True,
            )
            span = t(
                "blocks {first} to {last}, {begun} to {ended}",
                first=f"{replay.first:,}",
                last=f"{replay.last:,}",
                begun=ledger_time(replay.live.reel.time_of(replay.first)),
                ended=ledger_time(replay.live.reel.time_of(replay.last)),
            )
            yield Static(row((span, QUIET)))
            yield Static("", id="mistake")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        found = height_of(event.value, self._replay)
        if found is None:
            sentence = t("That is neither a height nor a time: write 1234, or 2026-11-22 14:05.")
            self.query_one("#mistake", Static).update(row((sentence, BAD)))
        else:
            self.dismiss(found)


def height_of(text: str, replay: Replay) -> int | None:
    """The block that somebody means, the nearest one there is; None where nothing can be made of it."""
    bare = text.strip().replace(",", "").replace("_", "")
    if bare.isascii() and bare.isdigit():
        return min(max(int(bare), replay.first), replay.last)
    seconds = instant(text)
    return None if seconds is None else replay.live.reel.height_at(seconds * 1_000 + 999)
