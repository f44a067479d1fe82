"""Days as coloured cells: a strip of the newest, or one line a month.

Colour is never alone: each verdict has its own mark too.
"""

from rich.cells import cell_len
from textual.content import Content

from contracts.calendar import date_of_day
from tui.pictures import ACCEPT, HOLD, PENDING, REJECT, REVIEW, DayPicture
from tui.texts import t
from tui.widgets.columns import BAD, GOOD, QUIET, WARN, Part, cell, row
from tui.words import MONTHS

MARKS: dict[int, Part] = {
    ACCEPT: ("■", GOOD),
    HOLD: ("▤", WARN),
    REJECT: ("✖", BAD),
    PENDING: ("□", QUIET),
    REVIEW: ("□", GOOD),
}
CHOSEN = "$text-primary"
LABEL = 9


def strip(days: tuple[DayPicture, ...], width: int, marked: DayPicture | None = None) -> list[Part]:
    """The newest days that fit, `Apr ■■■■ May ■■`: a label wherever a month begins, and at the start."""
    chosen: list[DayPicture] = []
    used = 0
    for day in reversed(days):
        begins = not chosen or date_of_day(day.day).month != date_of_day(chosen[-1].day).month
        used += 1 + (2 + cell_len(_short(date_of_day(day.day).month)) if begins else 0)
        if used > width + 1:  # the first label needs no gap before it
            break
        chosen.append(day)
    parts: list[Part] = []
    month = 0
    for day in reversed(chosen):
        at = date_of_day(day.day).month
        if at != month:
            parts.append((f"{' ' if parts else ''}{_short(at)} ", QUIET))
            month = at
        parts.append(_mark(day, marked))
    return parts


def month_lines(days: tuple[DayPicture, ...], lines: int, marked: DayPicture | None = None) -> list[Content]:
    """The newest months, oldest first; a day stands in the column of its date."""
    months: dict[tuple[int, int], dict[int, DayPicture]] = {}
    for day in days:
        at = date_of_day(day.day)
        months.setdefault((at.year, at.month), {})[at.day] = day
    shown = sorted(months)[-lines:]
    return [
        row(cell(f"  {year}-{month:02d}", LABEL + 2, QUIET), *_cells(months[year, month], marked))
        for year, month in shown
    ]


def _cells(month: dict[int, DayPicture], marked: DayPicture | None) -> list[Part]:
    parts: list[Part] = []
    for number in range(1, 32):
        day = month.get(number)
        parts += [("·", QUIET) if day is None else _mark(day, marked), (" ", "")]
    return parts


def _mark(day: DayPicture, marked: DayPicture | None) -> Part:
    text, style = MARKS[day.verdict]
    return ("◆", f"bold {CHOSEN}") if day is marked else (text, style)


def _short(month: int) -> str:
    return t(MONTHS[month - 1], "month/alone")[:3]
