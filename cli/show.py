"""How answers look in a terminal: aligned tables, fields, times and numbers; plain text, so that pipes can cut it."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

# Characters that steer a terminal or order and hide others. The ledger takes no name with one; a node may lie.
STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def inert(text: str) -> str:
    """What a command says, whoever wrote its words: lines, and nothing that a terminal obeys."""
    return STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def inert_json(text: str) -> str:
    """The same for programs, which lose nothing: the characters are written as their escapes."""
    return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], nothing: str = "none") -> str:
    """Columns as wide as their widest cell; numbers to the right. `nothing` where there is no row."""
    cells = [[_text(cell) for cell in row] for row in rows]
    if not cells:
        return nothing
    numeric = [all(_is_number(row[column]) for row in cells) for column in range(len(head))]
    widths = [max(len(row[column]) for row in [list(head), *cells]) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(list(head)), *(line(row) for row in cells)])


def fields(pairs: Iterable[tuple[str, Any]]) -> str:
    """One `name  value` a line; pairs whose value is None or empty are left out."""
    shown = [(name, _text(value)) for name, value in pairs if value not in (None, "", [])]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in shown)


def moment(seconds: int | str | None) -> str:
    """Seconds of UTC as `2026-11-22 15:46:53 UTC`; a dash for 0, `never` beyond what a calendar holds."""
    number = int(seconds or 0)
    if number == 0:
        return "-"
    if number > 253_402_300_799:
        return "never"
    return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def day(number: int | str) -> str:
    """Days since 1970 as a date."""
    return datetime.fromtimestamp(int(number) * 86_400, UTC).strftime("%Y-%m-%d")


def short(hexadecimal: str | None, digits: int = 12) -> str:
    text = hexadecimal or ""
    return text if len(text) <= digits else text[:digits] + "…"


def energy(wh: int | str) -> str:
    """Wh in the unit that reads best, rounded down to three decimals."""
    amount = int(wh)
    for unit, size in (("MWh", 1_000_000), ("kWh", 1_000)):
        if abs(amount) >= size:
            return f"{amount // size:,}.{amount % size * 1000 // size:03d} {unit}"
    return f"{amount} Wh"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value) or "-"
    return str(value)


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "", 1).lstrip("-").isdigit() or text == "-"
