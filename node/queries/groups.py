"""What a search matched, added up by one of its properties: a portfolio by technology, month, zone, plant.

One pass over the columns of the search, in integers, whatever the number of ranges. A group's name is what a filter
would say to find exactly its rows again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from node.queries.foreign_codes import energy_source
from node.queries.ranges import STATUSES, Array
from node.queries.search import Found, scheme_of
from state.errors import StoreMismatch
from state.keyspace import device_key
from state.records import Device
from state.store import Store

PLANT_NAMES: dict[str, Callable[[Device], str]] = {
    "source": lambda device: energy_source(device.facts.technology, device.facts.fuel),
    "technology": lambda device: device.facts.technology,
    "zone": lambda device: device.facts.zone,
    "country": lambda device: device.facts.country,
}
BY = (*PLANT_NAMES, "device", "scheme", "month", "status", "holder")


@dataclass
class Group:
    """`retire_until` (s) is the earliest of the group; schemes of one group may count different amounts of energy."""

    name: str
    ranges: int = 0
    quantity: int = 0
    energy_wh: int = 0
    retire_until: int = 0

    def add(self, ranges: int, quantity: int, energy_wh: int, retire_until: int) -> None:
        self.retire_until = min(self.retire_until, retire_until) if self.ranges else retire_until
        self.ranges += ranges
        self.quantity += quantity
        self.energy_wh += energy_wh


def groups(store: Store, found: Found, by: str) -> list[Group]:
    """Largest energy first, then by name; together they are exactly what was found."""
    rows = _rows(found)
    if not len(rows.quantity):
        return []
    key = rows.key(by).astype(np.int64) << 32 | rows.scheme  # both are numbers of 32 bits
    order = np.argsort(key, kind="stable")
    keys, first = np.unique(key[order], return_index=True)
    quantities = np.add.reduceat(rows.quantity[order], first)
    expiries = np.minimum.reduceat(rows.retire_until[order], first)
    counts = np.diff(np.append(first, len(order)))
    made: dict[str, Group] = {}
    for number, count, quantity, until in zip(keys.tolist(), counts, quantities, expiries, strict=True):
        name, scheme = _name(store, by, number >> 32), scheme_of(store, number & 0xFFFF_FFFF)
        group = made.setdefault(name, Group(name))
        group.add(int(count), int(quantity), int(quantity) * scheme.face_value, int(until))
    return sorted(made.values(), key=lambda group: (-group.energy_wh, group.name))


@dataclass(frozen=True)
class _Rows:
    """Columns of the rows that were found, and of their issuances."""

    quantity: Array
    holder: Array
    status: Array
    scheme: Array
    device: Array
    month: Array
    retire_until: Array

    def key(self, by: str) -> Array:
        if by in PLANT_NAMES:
            return self.device
        column: Array = getattr(self, by)
        return column


def _rows(found: Found) -> _Rows:
    view = found.view
    parts = [(view.sorted, np.flatnonzero(found.mask)), (view.tail, found.tail)]
    column = {
        name: np.concatenate([rows[name][chosen] for rows, chosen in parts])
        for name in ("start", "end", "issuance", "holder", "status")
    }
    of = column["issuance"] - 1
    made = view.issuances
    return _Rows(
        quantity=column["end"] - column["start"] + 1,
        holder=column["holder"],
        status=column["status"],
        scheme=made["scheme"][of].astype(np.int64),
        device=made["device"][of],
        month=made["month"][of],
        retire_until=made["retire_until"][of],
    )


def _name(store: Store, by: str, number: int) -> str:
    if by == "status":
        return STATUSES[number]
    if by not in PLANT_NAMES:
        return str(number)
    device = store.get(device_key(number))
    if not isinstance(device, Device):
        raise StoreMismatch(why=f"an issuance names device {number}, which there is not")
    return PLANT_NAMES[by](device)
