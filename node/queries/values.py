"""Ledger values as JSON: bytes as lower-case hexadecimal, and integers by their bound.

An integer field whose bound exceeds 2^53 is a string, always, whatever it holds today: amounts, prices, energy,
serials, issuance numbers and deadlines are u64. Ids, indexes, days and months (u32 and less) are numbers, and so are
heights, epochs, views and block times in milliseconds, which the ledger itself counts up and which cannot get there.
"""

from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec

from state.codec import Wire

EXACT_IN_JSON = 2**53  # every integer below it survives a parser that knows only doubles

COUNTED = frozenset(
    {
        "height",
        "epoch",
        "view",
        "timestamp_ms",
        "expiry_height",
        "proposed_height",
        "lapses_height",
        "opened_height",
        "phase_height",
        "settled_height",
    }
)


def plain(value: Wire) -> dict[str, Any]:
    """Every field of a struct by name; `kind` is its tag where it has one."""
    tag = value.__struct_config__.tag
    shown: dict[str, Any] = {} if tag is None else {"kind": tag}
    wide = wide_fields(type(value))
    for name in value.__struct_fields__:
        shown[name] = _plain(getattr(value, name), name in wide)
    return shown


def _plain(value: Any, wide: bool) -> Any:
    match value:
        case bytes():
            return value.hex()
        case bool() | str() | None:
            return value
        case int():
            return str(value) if wide else value
        case tuple() | list():
            return [_plain(item, wide) for item in value]
        case Wire():
            return plain(value)
    raise AssertionError(f"{type(value).__name__} is no ledger value")


@cache
def wide_fields(kind: type[Wire]) -> frozenset[str]:
    """Names of the integer fields of a struct that JSON carries as strings."""
    hints = get_type_hints(kind, include_extras=True)
    return frozenset(name for name in kind.__struct_fields__ if name not in COUNTED and _is_wide(hints[name]))


def _is_wide(hint: Any) -> bool:
    if hint is bool:
        return False
    if hint is int:
        return True
    for part in getattr(hint, "__metadata__", ()):
        if isinstance(part, msgspec.Meta) and hint.__origin__ is int:
            return part.le is None or part.le > EXACT_IN_JSON
    return any(_is_wide(inner) for inner in get_args(hint))
