"""The lines around the panels: the network's name and freshness, tabs, caption, second terminal, pace and keys."""

from textual.content import Content
from textual.events import Click
from textual.reactive import reactive
from textual.widget import Widget

from tui.messages import ChoosePanel
from tui.pictures import NetworkPicture
from tui.story import StoryState
from tui.widgets.columns import BAD, GOOD, QUIET, STRONG, WARN, Part, cut, folded, row, spread
from tui.words import ledger_time, year_of

TABS = ("Network", "Plants", "Certificates", "Market", "Statements")


class TitleLine(Widget):
    """`freshness` is what the feed says of itself: `live`, or how long nothing was heard."""

    picture = reactive(NetworkPicture())
    freshness = reactive("connecting")
    stale = reactive(True)

    def render(self) -> Content:
        picture, width = self.picture, self.content_size.width
        state: Part = (f"▲ {self.freshness}", f"bold {WARN}") if self.stale else (f"● {self.freshness}", GOOD)
        left: list[Part] = [("wattest", "bold $text-primary")]
        if picture.height >= 0:
            time = f"ledger time {ledger_time(picture.time_ms)}"
            left += [(f"  block {picture.height}", STRONG), (f"  {time}", "")]
        if width >= 100 and picture.chain:
            left += [(f"  {picture.name}", QUIET), (f"  chain {picture.chain}", QUIET)]
        if picture.down:
            left.append((f"  {picture.down} down", BAD))
        return spread(left, [state], width)


class PanelTabs(Widget):
    """Shown where only one panel fits."""

    chosen = reactive(1)

    def render(self) -> Content:
        parts: list[Part] = []
        for number, name in enumerate(TABS, 1):
            parts.append((f" {number} {name} ", "bold reverse $text-primary" if number == self.chosen else QUIET))
            parts.append((" ", ""))
        return row(*parts)

    def on_click(self, event: Click) -> None:
        end = 0
        for number, name in enumerate(TABS, 1):
            end += len(name) + 5
            if event.x < end:
                self.post_message(ChoosePanel(number))
                return


class CaptionLine(Widget):
    """The story in one sentence."""

    text = reactive("")

    def render(self) -> Content:
        lines = folded(self.text, self.content_size.width - 2, max(1, self.content_size.height))
        return Content("\n").join(row(("▌ ", "$text-accent"), (line, STRONG)) for line in lines)


class TerminalLine(Widget):
    text = reactive("")

    def render(self) -> Content:
        label = "second terminal  " if self.content_size.width >= 100 else "$ "
        return row((label, QUIET), (cut(self.text, self.content_size.width - len(label)), "$text-primary"))


class StatusLine(Widget):
    """Where production time stands beside ledger time, the pace, and the keys that do something now."""

    state: reactive[StoryState | None] = reactive(None)

    def render(self) -> Content:
        width = self.content_size.width
        keys = [("q", "quit"), ("1-5", "panel")]
        left: list[Part] = []
        if self.state is not None:
            keys += [("+ -", "pace"), ("space", "go on" if self.state.paused else "pause")]
            keys += [("k", "start validator" if self.state.validator_down else "kill validator")]
            left = self._story(self.state, width)
        keys.append(("?", "help"))
        right: list[Part] = []
        for key, word in keys:
            right += [(f"  {key}", "bold $text-primary"), (f" {word}", QUIET)]
        if sum(len(text) for text, _ in left + right) >= width:
            left = left[:1]
        if sum(len(text) for text, _ in left + right) >= width:
            right = [
                part
                for key, word in keys
                for part in ((f" {key}", "bold $text-primary"), (f" {word.split()[0]}", QUIET))
            ]
        return spread(left, right, width)

    def _story(self, state: StoryState, width: int) -> list[Part]:
        pace: Part = ("paused", f"bold {WARN}") if state.paused else (state.pace, STRONG)
        years = sorted({year_of(played.timestamp) for played in state.production if played.timestamp})
        if not years:
            return [pace]
        return [pace, (f"  production time: recorded {', '.join(map(str, years))}", QUIET)]
