"""A day's power against what the weather allows: bars of what was measured, in front of the room that there was."""

from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive

from tui.texts import t
from tui.widgets.columns import QUIET, Part, cell, row
from tui.widgets.panel import Panel
from tui.words import clock, power

BARS = " ▁▂▃▄▅▆▇█"
EIGHTHS = 8
AXIS = 10  # cells of the scale on the left
ROOM = "░"
OVER = "bold $text-error"
DONE = "$primary"
HOURS = (0, 6, 12, 18)


@dataclass(frozen=True)
class CurvePicture:
    """Watts of equal intervals from midnight on, None where nothing is known."""

    measured: tuple[int | None, ...] = ()
    allowed: tuple[int | None, ...] = ()
    heading: str = ""
    missing: str = ""  # why there is no curve
    midnight: int = 0  # when the UTC day began, s


class ChartPanel(Panel):
    """Above the room is red: more than the sun or the wind of that hour can give."""

    BORDER_TITLE = "A day against its weather"

    picture = reactive(CurvePicture())

    def lines(self, width: int, height: int) -> list[Content]:
        picture = self.picture
        if not picture.measured:
            return [row((picture.missing or t("Choose a day."), QUIET))]
        columns = max(8, width - AXIS)
        measured, allowed = _spread(picture.measured, columns), _spread(picture.allowed, columns)
        top = max([watts for watts in (*measured, *allowed) if watts is not None], default=0)
        rows = max(2, height - 1)
        painted = [_row(level, rows, measured, allowed, max(top, 1)) for level in range(rows - 1, -1, -1)]
        return [*painted, _hours(columns, picture.midnight)]


def _spread(values: tuple[int | None, ...], columns: int) -> list[int | None]:
    """The largest value of the intervals that share a column; a day that is shorter than the panel repeats them."""
    count = len(values)
    found: list[int | None] = []
    for column in range(columns):
        first = column * count // columns
        last = max(first + 1, (column + 1) * count // columns)
        known = [value for value in values[first:last] if value is not None]
        found.append(max(known) if known else None)
    return found


def _row(level: int, rows: int, measured: list[int | None], allowed: list[int | None], top: int) -> Content:
    scale = ""
    if level in (rows - 1, 0) or level == rows // 2:
        scale = power(top * level // max(1, rows - 1)) if level else "0 W"
    parts: list[Part] = [cell(scale, AXIS - 2, QUIET, right=True), ("┤ ", QUIET)]
    for value, room in zip(measured, allowed, strict=True):
        parts.append(_cell(level, rows, value, room, top))
    return row(*_joined(parts))


def _cell(level: int, rows: int, value: int | None, room: int | None, top: int) -> Part:
    """One cell: the bar where it reaches, else the room where that reaches, else nothing."""
    low = level * EIGHTHS
    filled = _eighths(value, rows, top) - low
    free = _eighths(room, rows, top, least=0) - low
    over = value is not None and room is not None and value > room
    if filled >= EIGHTHS:
        return ("█", OVER if over and free < EIGHTHS else DONE)
    if filled > 0:
        return (BARS[filled], OVER if over and free < filled else DONE)
    if free > 0:
        return (ROOM, QUIET)
    return (" ", "")


def _eighths(value: int | None, rows: int, top: int, least: int = 1) -> int:
    """Height in eighths of a cell; the least power still shows, room for less than half a cell does not."""
    found = 0 if value is None or value <= 0 else max(least, value * rows * EIGHTHS // top)
    return found if least or found >= EIGHTHS // 2 else 0


def _joined(parts: list[Part]) -> list[Part]:
    """Neighbours of one style as one part: a thousand spans a picture would be slow."""
    found: list[Part] = []
    for text, style in parts:
        if found and found[-1][1] == style:
            found[-1] = (found[-1][0] + text, style)
        else:
            found.append((text, style))
    return found


def _hours(columns: int, midnight: int) -> Content:
    """The hours of the UTC day, as the clocks of the chosen zone show them."""
    line = [" "] * columns
    for hour in HOURS:
        place = hour * columns // 24
        for offset, letter in enumerate(clock((midnight + hour * 3_600) * 1_000)[:5]):
            if place + offset < columns:
                line[place + offset] = letter
    return row((" " * AXIS, ""), ("".join(line), QUIET))
