"""UTC calendar on integers: days since 1970, months as `year * 100 + month`, seconds. Pure, no clock, no time zone."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

from state.units import DAY_S

EPOCH = date(1970, 1, 1)
LAST_DAY = 2_932_896  # 9999-12-31, the last day that calendars of readers know
LAST_SECOND = (LAST_DAY + 1) * DAY_S - 1


def day_start(day: int) -> int:
    """Seconds at 00:00:00 of a day."""
    return day * DAY_S


def date_of_day(day: int) -> date:
    return EPOCH + timedelta(days=day)


def day_of_date(text: str) -> int:
    """Days since 1970 of an ISO date `YYYY-MM-DD`; ValueError otherwise."""
    return (date.fromisoformat(text) - EPOCH).days


def month_of_day(day: int) -> int:
    at = date_of_day(day)
    return at.year * 100 + at.month


def next_month_start(month: int) -> int:
    """Seconds at the first instant of the month after `month`."""
    year, number = divmod(month, 100)
    after = date(year + number // 12, number % 12 + 1, 1)
    return (after - EPOCH).days * DAY_S


def month_end(month: int) -> int:
    """The month is over from this second on."""
    return next_month_start(month)


def add_months(seconds: int, months: int) -> int:
    """00:00:00 of the day `months` later, the day clamped to its month's end (research/registry.md section 4)."""
    at = datetime.fromtimestamp(seconds, UTC)
    index = at.year * 12 + at.month - 1 + months
    year, number = index // 12, index % 12 + 1
    day = min(at.day, monthrange(year, number)[1])
    return (date(year, number, day) - EPOCH).days * DAY_S
