"""Times, energy, power and money as each language writes them; exact, and never through a float."""

from datetime import UTC, datetime

from node.pages.html import grouped
from node.texts import Texts

CALENDAR_END_S = 253_402_300_800
DAY_S = 86_400
MICRO = 1_000_000

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def moment(t: Texts, seconds: int | str) -> str:
    """Day, hour, minute and second in UTC."""
    at = _calendar(seconds)
    return t("without end") if at is None else t("{date}, {time} UTC", date=_date(t, at), time=f"{at:%H:%M:%S}")


def day(t: Texts, seconds: int | str) -> str:
    at = _calendar(seconds)
    return t("without end") if at is None else _date(t, at)


def days(t: Texts, start: int | str, end: int | str) -> str:
    """The days of [start, end): one, or the first and the last."""
    first, last = day(t, start), day(t, int(end) - 1)
    return first if first == last else t("{first} to {last}", first=first, last=last)


def date(t: Texts, iso: str) -> str:
    return _date(t, datetime.fromisoformat(iso))


def _date(t: Texts, at: datetime) -> str:
    return t("{day} {month} {year}", day=at.day, month=t(MONTHS[at.month - 1], "month"), year=at.year)


def _calendar(seconds: int | str) -> datetime | None:
    """None for a moment beyond the calendar: it never comes."""
    return datetime.fromtimestamp(int(seconds), UTC) if int(seconds) < CALENDAR_END_S else None


def energy(t: Texts, wh: int | str) -> str:
    """Exact: the largest unit that leaves no more than three decimals."""
    amount = int(wh)
    for unit, size in (("GWh", 10**9), ("MWh", 10**6), ("kWh", 10**3)):
        if amount >= size and amount % (size // 1000) == 0:
            return f"{_decimal(t, amount, size, 3)} {t(unit, 'unit')}"
    return f"{grouped(t, amount)} {t('Wh', 'unit')}"


def power(t: Texts, watts: int | str) -> str:
    amount = int(watts)
    for unit, size in (("GW", 10**9), ("MW", 10**6), ("kW", 10**3)):
        if amount >= size and amount % (size // 1000) == 0:
            return f"{_decimal(t, amount, size, 3)} {t(unit, 'unit')}"
    return f"{grouped(t, amount)} {t('W', 'unit')}"


def money(t: Texts, micro: int | str, currency: str) -> str:
    """Millionths of the currency unit, with at least two decimals."""
    return f"{_decimal(t, int(micro), MICRO, 6, least=2)} {currency}"


def tonnes(t: Texts, grams: int | str) -> str:
    return _decimal(t, int(grams), 10**6, 6)


def _decimal(t: Texts, amount: int, size: int, digits: int, least: int = 0) -> str:
    whole, rest = divmod(amount, size)
    decimals = f"{rest * 10**digits // size:0{digits}d}".rstrip("0").ljust(least, "0")
    if not decimals:
        return grouped(t, whole)
    return f"{grouped(t, whole)}{',' if t.language == 'ru' else '.'}{decimals}"
