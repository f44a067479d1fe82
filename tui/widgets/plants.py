"""Plants and their production days: readings arriving, signatures gathering, days turning green, yellow or red."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive

from tui.pictures import ACCEPT, HOLD, PENDING, REJECT, REVIEW, DayPicture, JudgedDay, PlantPicture, PlantsPicture
from tui.texts import counted, t, word
from tui.widgets.calendar import month_lines, strip
from tui.widgets.columns import BAD, GOOD, QUIET, STRONG, WARN, Part, cell, cut, folded, row
from tui.widgets.panel import Panel
from tui.words import date, energy, moment, power

NAME, TIME, POWER, COUNT, GATHER = 24, 16, 10, 9, 17
BARS = " ▁▂▃▄▅▆▇█"
WORDS: dict[int, tuple[str, str]] = {
    ACCEPT: ("accepted", GOOD),
    HOLD: ("held", WARN),
    REJECT: ("rejected", BAD),
    PENDING: ("attested, not yet on chain", QUIET),
    REVIEW: ("in review", GOOD),
}


class PlantsPanel(Panel):
    """Up and down choose a plant, left and right a day; the sentence below is of that day, else of the latest."""

    BORDER_TITLE = "2 Plants and days"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "plant(-1)", "Plant", show=False),
        Binding("down", "plant(1)", "Plant", show=False),
        Binding("left", "day(1)", "Earlier day", show=False),
        Binding("right", "day(-1)", "Later day", show=False),
    ]

    picture = reactive(PlantsPicture())
    chosen: reactive[tuple[int, int] | None] = reactive(None)  # plant, and days back from its newest

    def lines(self, width: int, height: int) -> list[Content]:
        plants = self.picture.plants
        if not plants:
            return [row((t("No plant is accredited yet."), QUIET))]
        told = self._told(width, height - 1 - 2 * len(plants))
        each = self._rows_each(height - 1 - len(told))
        room = max(1, (height - 1 - len(told)) // each)
        first = max(0, min((self.chosen or (0, 0))[0] - room + 1, len(plants) - room))
        lines = [_head(width)]
        for index, plant in enumerate(plants[first : first + room], first):
            lines += _plant(plant, width, each, self._marked(index))
        spare = height - len(lines) - len(told)
        rest = self._refusals(width, spare - 1)
        return [*lines, *[Content("")] * (min(spare, 1)), *told, *rest]

    def _rows_each(self, room: int) -> int:
        """Two, or two and a calendar of months where all plants have room for one."""
        months = max(len({date(day.day)[:7] for day in plant.days}) for plant in self.picture.plants)
        each = room // len(self.picture.plants)
        return min(each, 3 + max(1, months)) if each >= 4 else 2

    def _refusals(self, width: int, room: int) -> list[Content]:
        """Below everything, where there is room: all days without a certificate that are not told above."""
        told = (self.picture.latest, self.picture.refused) if self.chosen is None else ()
        days = [
            JudgedDay(plant.device, plant.name, day, 0)
            for plant in self.picture.plants
            for day in plant.days
            if day.verdict in (HOLD, REJECT) and all(known is None or known.day != day for known in told)
        ]
        days.sort(key=lambda judged: (-judged.day.verdict, -judged.day.day))
        lines: list[Content] = []
        for judged in days:
            more = _sentence(judged, width, 3)
            if len(lines) + len(more) > room:
                break
            lines += more
        return lines

    def _marked(self, index: int) -> DayPicture | None:
        """The chosen day of a plant, where it is the chosen plant."""
        if self.chosen is None or self.chosen[0] != index:
            return None
        days = self.picture.plants[index].days
        return days[-1 - min(self.chosen[1], len(days) - 1)] if days else None

    # --- the sentence

    def _told(self, width: int, room: int) -> list[Content]:
        """Of the chosen day; else of the latest, and of the latest that brought no certificate."""
        if self.chosen is not None and self.chosen[0] < len(self.picture.plants):
            plant, day = self.picture.plants[self.chosen[0]], self._marked(self.chosen[0])
            if day is None:
                return [row((t("{name} has no judged day yet.", name=plant.name), QUIET))]
            return _sentence(JudgedDay(plant.device, plant.name, day, 0), width, 3)
        latest, refused = self.picture.latest, self.picture.refused
        if latest is None:
            return [row((t("No day is judged yet: a day is closed first, then every validator judges it."), QUIET))]
        if refused is None or refused == latest:
            return _sentence(latest, width, 3)
        return (_sentence(latest, width, 2) + _sentence(refused, width, 3))[: max(3, room)]

    # --- keys

    def action_plant(self, step: int) -> None:
        at = 0 if self.chosen is None else self.chosen[0] + step
        self.chosen = (min(max(at, 0), max(0, len(self.picture.plants) - 1)), 0)

    def action_day(self, step: int) -> None:
        plant, back = self.chosen or (0, -1)
        if plant < len(self.picture.plants):
            last = max(0, len(self.picture.plants[plant].days) - 1)
            self.chosen = (plant, min(max(back + step, 0), last))

    def on_blur(self) -> None:
        self.chosen = None


def _sentence(judged: JudgedDay, width: int, lines: int) -> list[Content]:
    """`■ 2016-09-03 Twin roof: rejected. The plant claims power while the sun is below the horizon.`"""
    day = judged.day
    verdict, style = WORDS[day.verdict]
    head = f"{date(day.day)} {judged.plant}: {word(verdict)}"
    if day.verdict == ACCEPT:
        signed = " " + t("by {counted}", counted=counted(judged.signatures, "validator")) if judged.signatures else ""
        review_wh = day.energy_wh - day.release_wh
        later = (
            ", " + t("{energy} in review until {date}", energy=energy(review_wh), date=date(day.review_until))
            if day.review_until
            else ""
        )
        rest = t("{signed}, {energy} certified{later}.", signed=signed, energy=energy(day.release_wh), later=later)
    elif day.verdict == REVIEW:
        rest = " " + t(
            "until {date}: its week must come out clean before it is certified.", date=date(day.review_until)
        )
    elif day.verdict == PENDING:
        rest = "."
    else:
        without_wh = day.energy_wh - day.release_wh
        claimed = ", " + t("{energy} without certificate", energy=energy(without_wh)) if without_wh else ""
        rest = f"{claimed}. {day.sentence}"
    told = folded(head + rest, width - 2, lines)
    first = cut(head, len(told[0]))
    parts: list[Part] = [("■ ", style), (first, style), (told[0][len(first) :], "")]
    return [row(*parts), *(row("  ", text) for text in told[1:])]


# --- one plant


def _head(width: int) -> Content:
    curve = width - NAME - TIME - POWER - COUNT - 2
    return row(
        cell("  " + t("plant"), NAME, QUIET),
        cell(t("production time"), TIME, QUIET),
        cell(t("power"), POWER, QUIET, right=True),
        cell("  " + t("curve"), max(0, curve + 2), QUIET),
        cell(t("readings"), COUNT, QUIET, right=True),
    )


def _plant(plant: PlantPicture, width: int, each: int, marked: DayPicture | None) -> list[Content]:
    curve = max(0, width - NAME - TIME - POWER - COUNT - 2)
    lamp: Part = ("▌ ", "$text-accent") if marked is not None else ("● ", GOOD if plant.timestamp else QUIET)
    first = row(
        lamp,
        cell(plant.name, NAME - 2, STRONG),
        cell(
            moment(plant.timestamp) if plant.timestamp else t("no reading yet"), TIME, "" if plant.timestamp else QUIET
        ),
        cell(power(plant.power_w) if plant.timestamp else "", POWER, right=True),
        ("  ", ""),
        cell(_curve(plant.powers, curve), curve, "$text-primary", right=True),
        cell(f"{plant.readings:,}", COUNT, right=True),
    )
    origin = (
        t("recorded {recorded}", recorded=plant.recorded)
        if plant.recorded
        else t("live", "feed")
        if plant.timestamp
        else ""
    )
    label = cell("  " + ", ".join(part for part in (plant.technology, origin) if part), NAME, QUIET)
    if each >= 4:
        months = month_lines(plant.days, each - 2, marked)
        second = row(label, *_gathering(plant))
        return [first, second, *months, *[Content("")] * (each - 2 - len(months))]
    days = strip(plant.days, width - NAME - GATHER, marked)
    filler = " " * max(0, width - NAME - GATHER - sum(len(text) for text, _ in days))
    return [first, row(label, *days, filler, *_gathering(plant))]


def _gathering(plant: PlantPicture) -> list[Part]:
    """`04-03 ●●●○ 3/4`: whose signatures the newest day has."""
    found = plant.gathering
    if found is None:
        return [cell("", GATHER)]
    style = {ACCEPT: GOOD, HOLD: WARN, REJECT: BAD}.get(found.verdict, QUIET)
    lamps = "●" * found.signed
    if found.total > 5:
        return [cell(f"{date(found.day)[5:]} ", 7, QUIET, right=True), cell(f"{found.signed}/{found.total}", 10, style)]
    return [
        cell(f"{date(found.day)[5:]} ", 7, QUIET, right=True),
        (lamps, style),
        ("○" * (found.total - found.signed), QUIET),
        cell(f" {found.signed}/{found.total}", GATHER - 7 - found.total, style),
    ]


def _curve(powers: tuple[int | None, ...], width: int) -> str:
    """The newest readings as bars between zero and the highest of them; a missing value is a gap."""
    shown = powers[-width:] if width else ()
    top = max((value for value in shown if value is not None), default=0)
    if top <= 0:
        return "▁" * len(shown)
    return "".join(" " if value is None else BARS[1 + max(0, value) * 7 // top] for value in shown)
