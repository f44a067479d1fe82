"""Numbers, times and energy as people read them on a screen. Integers in, text out.

Instants are in the chosen time zone (`tui/zone.py`), days of production are UTC days.
"""

from contracts.calendar import date_of_day
from state.units import MICRO
from tui.texts import counted as counted
from tui.texts import t
from tui.zone import at, label

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip


def power(watts: int | None) -> str:
    return t("no value") if watts is None else _scaled(watts, "W")


def energy(watt_hours: int) -> str:
    return _scaled(watt_hours, "Wh")


def _scaled(value: int, unit: str) -> str:
    """Three digits that matter, with the prefix they need: `1.42 MW`, `18.0 kWh`, `-3 W`."""
    for prefix, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if abs(value) >= size:
            places = 2 if abs(value) < 10 * size else 1
            whole, rest = divmod(abs(value) * 10**places // size, 10**places)
            return f"{'-' if value < 0 else ''}{whole:,}.{rest:0{places}d} {t(prefix + unit, 'unit')}"
    return f"{value} {t(unit, 'unit')}"


def money(millionths: int, currency: str) -> str:
    """At least two places of the currency unit, more only where they are not zero."""
    whole, rest = divmod(abs(millionths), MICRO)
    places = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if millionths < 0 else ''}{whole:,}.{places} {currency}".rstrip()


def moment(seconds: int) -> str:
    """`2014-04-03 14:20`."""
    return at(seconds).strftime("%Y-%m-%d %H:%M")


def clock(time_ms: int) -> str:
    """`16:02:11`."""
    return at(time_ms // 1_000).strftime("%H:%M:%S")


def ledger_time(time_ms: int) -> str:
    """`2026-11-22 16:02:11 UTC`."""
    found = at(time_ms // 1_000)
    return f"{found:%Y-%m-%d %H:%M:%S} {label(found)}"


def year_of(seconds: int) -> int:
    return at(seconds).year


def date_of(seconds: int) -> str:
    """The date of a deadline or another instant."""
    return at(seconds).strftime("%Y-%m-%d")


def date(day: int) -> str:
    """Of a day of production."""
    return date_of_day(day).isoformat()


def month(number: int) -> str:
    """`April 2014` of 201404."""
    return t("{month} {year}", month=t(MONTHS[number % 100 - 1], "month/alone"), year=number // 100)


def short(hexadecimal: str) -> str:
    """The first and last digits of a hash, enough to compare two by eye."""
    return hexadecimal if len(hexadecimal) <= 9 else f"{hexadecimal[:4]}…{hexadecimal[-4:]}"


def remaining(seconds: int) -> str:
    if seconds < 60:
        return t("{seconds} s", seconds=max(0, seconds))
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return t("{minutes} min {seconds} s", minutes=minutes, seconds=f"{rest:02d}")
    return t("{hours} h {minutes} min", hours=minutes // 60, minutes=f"{minutes % 60:02d}")
