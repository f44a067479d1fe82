"""How amounts, days and moments stand in sentences, in refusals and in what an action says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

DAY_S = 86_400
MICRO = 1_000_000


def format_money(amount: int, currency: str) -> str:
    """`12.50 EUR`: two decimals, more only where the millionths need them."""
    whole, rest = divmod(amount, MICRO)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{whole:,}.{decimals} {currency}"


def counted(count: int, noun: str) -> str:
    """`1 certificate`, `12 certificates`: a count with its noun, in the number that it asks for."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@dataclass(frozen=True)
class Counted:
    """A count and its noun, which each language puts into its own number."""

    count: int
    noun: str


class Said(str):
    """An English sentence that remembers its template and what it names, so that it can be said in another language.

    Everywhere else it is the English text. A value that is itself `Said` is a clause, a tuple of them a list.
    """

    template: str
    values: "Mapping[str, str | int | Counted | tuple[Said, ...]]"

    def __new__(cls, template: str, /, **values: "str | int | Counted | tuple[Said, ...]") -> "Said":
        said = super().__new__(cls, template.format(**{name: _english(value) for name, value in values.items()}))
        said.template, said.values = template, values
        return said


def _english(value: "str | int | Counted | tuple[Said, ...]") -> object:
    if isinstance(value, Counted):
        return counted(value.count, value.noun)
    return ", ".join(value) if isinstance(value, tuple) else value


def format_day(day: int) -> str:
    """Days since 1970 as `2014-04-02`; beyond any calendar the number itself."""
    return _date(day * DAY_S, "%Y-%m-%d") or f"day {day}"


def format_moment(seconds: int) -> str:
    """Seconds since 1970 as `2026-11-22 15:46:53 UTC`; beyond any calendar the number itself."""
    return _date(seconds, "%Y-%m-%d %H:%M:%S UTC") or f"{seconds} s"


def _date(seconds: int, form: str) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(form)
    except (OverflowError, ValueError, OSError):
        return ""


# --- params of a refusal or event


Param = int | str | bytes

MOMENTS = frozenset({"until", "now", "timestamp"})  # params that are seconds since 1970


def spoken(params: Mapping[str, Param]) -> dict[str, object]:
    """Params as a sentence has them: days and moments as dates, bytes in hexadecimal."""
    return {name: _said(name, value) for name, value in params.items()}


def _said(name: str, value: Param) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if name == "day" and isinstance(value, int):
        return format_day(value)
    return format_moment(value) if name in MOMENTS and isinstance(value, int) else value
