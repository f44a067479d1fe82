"""The lines around the panels: the network's name and freshness, tabs, caption, second terminal, pace and keys."""

from rich.cells import cell_len
from textual.content import Content
from textual.events import Click
from textual.reactive import reactive
from textual.widget import Widget

from tui.messages import ChoosePanel
from tui.pictures import NetworkPicture
from tui.story import StoryState
from tui.texts import t
from tui.widgets.columns import BAD, GOOD, QUIET, STRONG, WARN, Part, folded, row, spread, width_of
from tui.words import ledger_time

TABS = ("Network", "Plants", "Certificates", "Market", "Statements")
FOLDED = 2  # rows
LABELS = ("second terminal", "$ ")


class TitleLine(Widget):
    """`freshness` is what the feed says of itself: `live`, or how long nothing was heard."""

    picture = reactive(NetworkPicture())
    years: reactive[tuple[int, ...]] = reactive(())  # that the played records are from
    freshness = reactive("")
    stale = reactive(True)

    def render(self) -> Content:
        picture, width = self.picture, self.content_size.width
        state: Part = (f"▲ {self.freshness}", f"bold {WARN}") if self.stale else (f"● {self.freshness}", GOOD)
        left: list[Part] = [("wattest", "bold $text-primary")]
        if picture.height >= 0:
            time = ledger_time(picture.time_ms)
            block: Part = ("  " + t("block {height}", height=picture.height), STRONG)
            label: Part = ("  " + t("ledger time") + " ", QUIET)
            roomy = width_of([*left, block, label, time, state]) < width
            left += [block, label if roomy else ("  ", ""), (time, "")]
            if width_of([*left, state]) >= width:  # rather no seconds than not to know whether this is of now
                left[-1] = (time[11:16], "")
        if picture.down:
            left.append(("  " + t("{down} down", down=picture.down), BAD))
        if self.years and width >= 100:
            left += [
                ("  " + t("production time") + " ", QUIET),
                (t("{names} as recorded", names=", ".join(map(str, self.years))), ""),
            ]
        return spread(left, [state], width)


class PanelTabs(Widget):
    """Shown where only one panel fits."""

    chosen = reactive(1)

    def render(self) -> Content:
        parts: list[Part] = []
        for number, name in enumerate(TABS, 1):
            parts.append((f" {number} {t(name)} ", "bold reverse $text-primary" if number == self.chosen else QUIET))
            parts.append((" ", ""))
        return row(*parts)

    def on_click(self, event: Click) -> None:
        end = 0
        for number, name in enumerate(TABS, 1):
            end += cell_len(t(name)) + 5
            if event.x < end:
                self.post_message(ChoosePanel(number))
                return


class FoldedLine(Widget):
    """A text that takes a second row where it needs one: a line to be copied must not be cut."""

    text = reactive("")

    def rows(self, width: int) -> list[Content]:
        raise NotImplementedError

    def render(self) -> Content:
        return Content("\n").join(self.rows(self.content_size.width))

    def watch_text(self) -> None:
        self._fit()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        self.styles.height = max(1, len(self.rows(self.content_size.width)))


class CaptionLine(FoldedLine):
    """The story in one sentence."""

    def rows(self, width: int) -> list[Content]:
        return [row(("▌ ", "$text-accent"), (line, STRONG)) for line in folded(self.text, width - 2, FOLDED)]


class TerminalLine(FoldedLine):
    """What to type in a second terminal."""

    def rows(self, width: int) -> list[Content]:
        label = next(
            (label for label in (t(LABELS[0]) + "  ", LABELS[1]) if cell_len(label) + cell_len(self.text) <= width), ""
        )
        first, *rest = folded(self.text, width - cell_len(label), FOLDED)
        return [row((label, QUIET), (first, "$text-primary")), *(row((line, "$text-primary")) for line in rest)]


class StatusLine(Widget):
    """The pace, and the keys that do something now."""

    state: reactive[StoryState | None] = reactive(None)
    cabinets: reactive[str] = reactive("")  # the letters that open them

    def render(self) -> Content:
        width = self.content_size.width
        keys = [("q", t("quit")), ("1-5", t("panel"))]
        left = _keys([(self.cabinets, t("cabinets")), ("S", t("sign in"))]) if self.cabinets else []
        if (state := self.state) is not None:
            left = [(t("paused"), f"bold {WARN}") if state.paused else (state.pace, STRONG)]
            keys += [("+ -", t("pace")), (t("space"), t("go on") if state.paused else t("pause"))]
            keys += [("k", t("start validator") if state.validator_down else t("kill validator"))]
        keys.append(("?", t("help")))
        right = _keys(keys)
        if width_of(left + right) >= width:  # the tabs above say 1-5 already
            right = _keys([(key, word.split()[0]) for key, word in keys if key != "1-5"])
        return spread(left if width_of(left + right) < width else left[:2], right, width)


def _keys(keys: list[tuple[str, str]]) -> list[Part]:
    parts: list[Part] = []
    for key, word in keys:
        parts += [(f"  {key}" if parts else key, "bold $text-primary"), (f" {word}", QUIET)]
    return parts
