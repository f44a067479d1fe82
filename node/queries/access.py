"""Who sees what: the one table of fields that are not for everybody.

A field that is not for the reader is null, on every route, in every list, stream and page alike: `shown` goes through
an answer by the kinds of its objects, so that a new route cannot leak what an old one hides. docs/ACCESS.md shows the
same table in words, and for every route who sees it; a test fails for a route or a field that is not there.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Sight(IntEnum):
    """What a reader sees, less to more; a party sees its own as an auditor does."""

    PUBLIC = 0
    PARTY = 1
    AUDITOR = 2
    AUTHORITY = 3


@dataclass(frozen=True)
class Reader:
    """Who asks. `participant` is 0 for the public."""

    participant: int = 0
    sight: Sight = Sight.PUBLIC


@dataclass(frozen=True)
class Restricted:
    """A field of objects of these kinds, for the named parties and from `sight` on."""

    kinds: tuple[str, ...]
    field: str
    parties: tuple[str, ...]  # fields of the same object that name participants who see it
    sight: Sight
    why: str


RESTRICTED = (
    Restricted(
        ("deposited", "deposit"),
        "reference",
        ("to", "operator"),
        Sight.AUDITOR,
        "the bank's reference may name a person or an account",
    ),
    Restricted(
        ("paid_out", "payout"),
        "reference",
        ("holder", "operator"),
        Sight.AUDITOR,
        "the bank's reference may name a person or an account",
    ),
    Restricted(
        ("consumption", "consumed"),
        "hours_wh",
        ("owner",),
        Sight.AUDITOR,
        "what somebody used, hour by hour, tells when people are at home",
    ),
    Restricted(
        ("match_hour",),
        "consumed_wh",
        ("owner",),
        Sight.AUDITOR,
        "what somebody used, hour by hour, tells when people are at home",
    ),
)

PUBLIC_READER = Reader()


def shown(value: Any, reader: Reader = PUBLIC_READER) -> Any:
    """The value as the reader may see it: fields of others are null."""
    if isinstance(value, list):
        return [shown(item, reader) for item in value]
    if not isinstance(value, dict):
        return value
    hidden = {
        rule.field
        for rule in RESTRICTED
        if value.get("kind") in rule.kinds and reader.sight < rule.sight and not _is_party(rule, value, reader)
    }
    return {name: None if name in hidden else shown(item, reader) for name, item in value.items()}


def _is_party(rule: Restricted, value: dict[str, Any], reader: Reader) -> bool:
    return bool(reader.participant) and any(value.get(name) == reader.participant for name in rule.parties)
