"""The time zone of the screens: UTC unless somebody chose the machine's own or a named one.

One process shows one person one zone, so the chosen one is kept here, as the language is. Instants obey it: blocks,
readings, deadlines. The days of production do not: a day of the ledger is a UTC day, whoever looks at it.
"""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

WORLD, LOCAL = "UTC", "local"


class UnknownZone(ValueError):
    """Not a zone that this machine knows."""


class _Chosen:
    name = WORLD
    zone: tzinfo | None = UTC  # None = the machine's own, with its changes of summer and winter


def choose(name: str) -> None:
    """`UTC`, `local`, or a name of the IANA list such as `Europe/Moscow`. UnknownZone."""
    if name == LOCAL:
        _Chosen.name, _Chosen.zone = LOCAL, None
        return
    if name == WORLD:
        _Chosen.name, _Chosen.zone = WORLD, UTC
        return
    try:
        found = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, a path, or nothing
        raise UnknownZone(name) from None
    _Chosen.name, _Chosen.zone = name, found


def chosen() -> str:
    return _Chosen.name


def known() -> list[str]:
    """Every name that can be chosen."""
    return [WORLD, LOCAL, *sorted(available_timezones() - {WORLD})]


def at(seconds: int) -> datetime:
    """That instant in the chosen zone; the last one that can be written where it lies beyond."""
    try:
        return datetime.fromtimestamp(seconds, _Chosen.zone).astimezone(_Chosen.zone)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(microsecond=0, tzinfo=UTC)


def label(moment: datetime) -> str:
    """`UTC`, `UTC+3`, `UTC-3:30`: unlike letters, the same to everybody."""
    offset = moment.utcoffset()
    minutes = 0 if offset is None else int(offset.total_seconds()) // 60
    if not minutes:
        return WORLD
    hours, rest = divmod(abs(minutes), 60)
    return f"{WORLD}{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02d}" if rest else "")


def instant(text: str) -> int | None:
    """Seconds of a time as somebody types it in the chosen zone: a date, with hours, minutes, seconds if wanted."""
    try:
        found = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=_Chosen.zone) if _Chosen.zone is not None else found.astimezone()
    try:
        return int(found.timestamp())
    except (OverflowError, ValueError, OSError):
        return None
