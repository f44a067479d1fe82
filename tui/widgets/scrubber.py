"""Where in the past the screen stands: a banner that nobody can miss, and the line of all blocks under it."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click, MouseDown, MouseMove, MouseUp
from textual.widget import Widget

from tui.desk import Desk
from tui.messages import GoTo, LeaveReplay
from tui.replay import Replay
from tui.texts import t
from tui.widgets.columns import QUIET, STRONG, Part, row, spread
from tui.words import ledger_time

LEAD = 3  # cells before the line: plays, or stands
JUMPS = 20  # of the whole line is one page
LEAP = 10


class Scrubber(Widget, can_focus=True):
    """Shown while the desk replays. Arrows, pages, Home and End move it; Space plays; g goes to a height or a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "One block back", show=False),
        Binding("right,l", "move(1)", "One block on", show=False),
        Binding("shift+left", f"move(-{LEAP})", "Ten blocks back", show=False),
        Binding("shift+right", f"move({LEAP})", "Ten blocks on", show=False),
        Binding("pageup", "page(-1)", "A page back", show=False),
        Binding("pagedown", "page(1)", "A page on", show=False),
        Binding("home", "end(False)", "First block", show=False),
        Binding("end", "end(True)", "Last block", show=False),
        Binding("space", "play", "Play, or stand", show=False),
        Binding("less_than_sign,comma", "pace(-1)", "Slower", show=False),
        Binding("greater_than_sign,full_stop", "pace(1)", "Faster", show=False),
        Binding("g", "go", "Go to a height or a time", show=False),
        Binding("escape", "leave", "Back to now", show=False),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._dragging = False
        self._shown: tuple[object, ...] = ()

    def follow(self) -> None:
        """Paint again where something moved; called a few times a second."""
        replay = self.desk.replay
        self.display = replay is not None
        state = () if replay is None else (replay.wanted, replay.last, replay.playing, replay.pace, self.desk.model)
        if state != self._shown:
            self._shown = state
            self.refresh()

    def on_mount(self) -> None:
        self.follow()

    def render(self) -> Content:
        replay, width = self.desk.replay, self.content_size.width
        if replay is None:
            return Content("")
        shown = self.desk.model.chain.height
        left: list[Part] = [
            (" " + t("REPLAY") + " ", "bold reverse $text-warning"),
            ("  " + t("block {height} of {last}", height=f"{replay.wanted:,}", last=f"{replay.last:,}"), STRONG),
            (f"  {ledger_time(replay.time_ms)}", STRONG),
        ]
        if shown != replay.wanted:
            left.append(("  …", QUIET))
        pace = t("{pace} blocks a second", pace=replay.pace) + "  " if replay.playing else ""
        keys = t("Space: play   g: go to   Esc: now")
        return Content("\n").join([spread(left, [(pace + keys, QUIET)], width), self._line(replay, width)])

    def _line(self, replay: Replay, width: int) -> Content:
        place = self._place(replay, width)
        rest = max(0, self._room(width) - place - 1)
        return row(
            (" ▶ " if replay.playing else " ■ ", "bold $text-warning"),
            ("━" * place, "$text-warning"),
            ("●", "bold $text-warning"),
            ("─" * rest, QUIET),
        )

    def _room(self, width: int) -> int:
        return max(1, width - LEAD - 1)

    def _place(self, replay: Replay, width: int) -> int:
        span = max(1, replay.last - replay.first)
        return (replay.wanted - replay.first) * (self._room(width) - 1) // span

    # --- keys

    def action_move(self, blocks: int) -> None:
        if self.desk.replay is not None:
            self.desk.replay.move(blocks)
            self.follow()

    def action_page(self, pages: int) -> None:
        replay = self.desk.replay
        if replay is not None:
            self.action_move(pages * max(LEAP, (replay.last - replay.first) // JUMPS))

    def action_end(self, last: bool) -> None:
        replay = self.desk.replay
        if replay is not None:
            replay.want(replay.last if last else replay.first)
            self.follow()

    def action_play(self) -> None:
        """From the end it begins again."""
        replay = self.desk.replay
        if replay is not None:
            replay.playing = not replay.playing
            if replay.playing and replay.wanted >= replay.last:
                replay.want(replay.first)
            self.follow()

    def action_pace(self, step: int) -> None:
        if self.desk.replay is not None:
            self.desk.replay.faster(step)
            self.follow()

    def action_go(self) -> None:
        self.post_message(GoTo())

    def action_leave(self) -> None:
        self.post_message(LeaveReplay())

    # --- the mouse

    def on_click(self, event: Click) -> None:
        self.focus()

    def on_mouse_down(self, event: MouseDown) -> None:
        self._dragging = True
        self.capture_mouse()
        self._drag(event.x)

    def on_mouse_move(self, event: MouseMove) -> None:
        if self._dragging:
            self._drag(event.x)

    def on_mouse_up(self, event: MouseUp) -> None:
        self._dragging = False
        self.release_mouse()

    def _drag(self, x: int) -> None:
        replay = self.desk.replay
        if replay is not None:
            room = self._room(self.content_size.width)
            cell = min(max(x - LEAD - self.gutter.left, 0), room - 1)
            replay.want(replay.first + (replay.last - replay.first) * cell // max(1, room - 1))
            self.follow()
