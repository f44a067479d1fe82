"""One page of an ordered key space: entries in the order of their keys, and where the next page begins."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from state.keyspace import Space, space_end
from state.store import Store

LOOKED_AT = 1_000  # rows, some 10 ms

T = TypeVar("T")

Page = tuple[list[dict[str, Any]], bytes | None]


def take(rows: Iterator[tuple[bytes, T]], limit: int, show: Callable[[bytes, T], dict[str, Any] | None]) -> Page:
    """Up to `limit` rows that `show` gives a form (None = left out), and the key of the last if there may be more.

    A page ends early after LOOKED_AT rows, so that a filter that fits nothing cannot hold up the node's loop.
    """
    items: list[dict[str, Any]] = []
    for looked_at, (key, value) in enumerate(rows, 1):
        shown = show(key, value)
        if shown is not None:
            items.append(shown)
        if len(items) == limit or looked_at == LOOKED_AT:
            return items, key
    return items, None


def bounds(prefix: bytes, cursor: bytes | None) -> tuple[bytes, bytes]:
    """Keys of `prefix` beyond `cursor`. A cursor of another space leads nowhere, so a forged one reads nothing else."""
    low, high = prefix, space_end(prefix)
    if cursor is not None:
        low = max(low, min(cursor + b"\x00", high))
    return low, high


def records(
    store: Store, space: Space, cursor: bytes | None, limit: int, show: Callable[[bytes, Any], dict[str, Any] | None]
) -> Page:
    """One page of the records of a committed space."""
    return take(store.scan(*bounds(bytes((space,)), cursor)), limit, show)
