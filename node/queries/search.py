"""Search over all ranges of certificates, live and dead: filters in any combination, exact totals, pages in any order.

A filter about the plant or the production is decided once for each issuance, one about holder or status for each row;
so a question costs a few passes over columns of numbers (`node/queries/ranges.py`), whatever it asks. A page is found
by its cursor, the last row of the page before it, so that blocks in between move no row from one page into another.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from node.queries.certificates import issuance_of, name_of
from node.queries.chain import find_transaction, parameters_of
from node.queries.foreign_codes import energy_source
from node.queries.ranges import LIVE_STATUSES, STATUSES, Array, Mask, Table, View, first_row
from state.errors import StoreMismatch, Unknown
from state.keyspace import Space, device_key, scheme_key, space_end, statement_key
from state.numbering import CertificateNumber, format_number
from state.records import Device, Issuance, Scheme, Statement
from state.store import Store
from state.transaction import Retire

SORTS = ("number", "produced", "issued", "quantity", "holder")
CURSOR_BYTES = 20  # value i64, device u32, start u64
WALK = 4_096  # sorted rows looked at in one pass
CACHED_ORDERS = 4

Indexes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Filter:
    """What is looked for; None and empty = any. Days are of production: what overlaps [first, last] fits."""

    source: str = ""
    technology: str = ""  # EECS prefix
    device: int | None = None
    zone: str = ""
    country: str = ""
    scheme: int | None = None
    produced_from: int | None = None  # s, inclusive
    produced_to: int | None = None  # s, exclusive
    status: str = ""  # one of STATUSES, or live
    holder: int | None = None
    statement: bytes = b""

    @property
    def of_plants(self) -> bool:
        """Whether anything is asked that only the plant knows."""
        return bool(self.source or self.technology or self.zone or self.country)


@dataclass(frozen=True)
class Found:
    """The rows that fit, as places in the sorted rows and in the tail of a view."""

    view: View
    mask: Mask  # of the sorted rows
    tail: Indexes
    total: int
    quantity: int
    energy_wh: int


@dataclass(frozen=True)
class Position:
    """One row by what it is sorted by."""

    value: int
    device: int
    start: int

    def to_bytes(self) -> bytes:
        signed = self.value.to_bytes(8, "big", signed=True)
        return signed + self.device.to_bytes(4, "big") + self.start.to_bytes(8, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> "Position":
        """ValueError for bytes that are none."""
        if len(data) != CURSOR_BYTES:
            raise ValueError("a position has 20 bytes")
        return cls(
            int.from_bytes(data[:8], "big", signed=True),
            int.from_bytes(data[8:12], "big"),
            int.from_bytes(data[12:], "big"),
        )


class Orders:
    """Permutations of the sorted rows by other columns, kept while these rows stand."""

    def __init__(self) -> None:
        self._version = -1
        self._kept: dict[str, Indexes] = {}

    def of(self, view: View, sort: str) -> Indexes:
        if view.version != self._version:
            self._version, self._kept = view.version, {}
        if sort not in self._kept:
            if len(self._kept) == CACHED_ORDERS:
                self._kept.pop(next(iter(self._kept)))
            self._kept[sort] = np.argsort(values_of(view, view.sorted, sort), kind="stable")
        return self._kept[sort]


# --- which rows fit


def find(store: Store, view: View, asked: Filter) -> Found:
    """All rows that fit, with their exact number; Unknown for a statement that does not exist."""
    fitting = _issuances(store, view, asked)
    mask = _mask(store, view, view.sorted, asked, fitting) & ~view.gone
    of_tail = _mask(store, view, view.tail, asked, fitting) & ~view.tail_gone
    total, quantity, energy = 0, 0, 0
    for rows, chosen in ((view.sorted, mask), (view.tail, of_tail)):
        total += int(np.count_nonzero(chosen))
        quantity += _quantity(rows, chosen)
        energy += _energy(store, view, rows, chosen)
    return Found(view, mask, np.flatnonzero(of_tail), total, quantity, energy)


def _quantity(rows: Table, chosen: Mask) -> int:
    """Certificates in the chosen rows, without a copy of a column. Sums of serials may wrap, their difference not."""
    last, first = (int(np.add.reduce(rows[name], where=chosen)) for name in ("end", "start"))
    return (last - first + int(np.count_nonzero(chosen))) % 2**64


def _mask(store: Store, view: View, rows: Table, asked: Filter, fitting: Mask | None) -> Mask:
    mask = np.ones(rows.count, np.bool_)
    if asked.status == "live":
        mask &= rows["status"] < np.uint8(LIVE_STATUSES)
    elif asked.status:
        mask &= rows["status"] == np.uint8(STATUSES.index(asked.status))
    if asked.holder is not None:
        mask &= rows["holder"] == np.uint32(asked.holder)
    if fitting is not None:
        mask &= fitting.take(rows["issuance"])
    if asked.statement:
        mask &= _of_statement(store, rows, asked.statement, rows is view.sorted)
    return mask


def _issuances(store: Store, view: View, asked: Filter) -> Mask | None:
    """For each issuance by its number whether plant, scheme and production fit; None where nothing is asked of them."""
    table = view.issuances
    wanted: list[Any] = []
    if asked.device is not None:
        wanted.append(table["device"] == np.uint32(asked.device))
    if asked.scheme is not None:
        wanted.append(table["scheme"] == np.uint32(asked.scheme))
    if asked.produced_from is not None:
        wanted.append(table["production_to"] > np.int64(asked.produced_from))
    if asked.produced_to is not None:
        wanted.append(table["production_from"] < np.int64(asked.produced_to))
    if asked.of_plants:
        plants = [device.id for device in plants_of(store) if _plant_fits(device, asked)]
        wanted.append(np.isin(table["device"], np.array(plants, np.uint32)))
    if not wanted:
        return None
    return np.concatenate(([False], np.logical_and.reduce(wanted)))  # numbers begin with 1


def plants_of(store: Store) -> Iterator[Device]:
    prefix = bytes((Space.DEVICE,))
    for _, entry in store.scan(prefix, space_end(prefix)):
        assert isinstance(entry, Device)
        yield entry


def _plant_fits(device: Device, asked: Filter) -> bool:
    facts = device.facts
    return (
        facts.technology.startswith(asked.technology)
        and asked.zone in ("", facts.zone)
        and asked.country in ("", facts.country)
        and asked.source in ("", energy_source(facts.technology, facts.fuel))
    )


def _of_statement(store: Store, rows: Table, identity: bytes, ordered: bool) -> Mask:
    mask = np.zeros(rows.count, np.bool_)
    found = store.get(statement_key(identity))
    if not isinstance(found, Statement):
        raise Unknown(what="statement", id=identity.hex())
    action = find_transaction(store, found.txid)[2].body.actions[found.action_index]
    assert isinstance(action, Retire)
    for part in action.ranges:
        if ordered:
            low, high = first_row(rows, part.device, part.start), first_row(rows, part.device, part.end + 1)
            mask[low:high] = True
        else:
            mask |= (rows["device"] == part.device) & (rows["start"] >= part.start) & (rows["end"] <= part.end)
    return mask


def _energy(store: Store, view: View, rows: Table, chosen: Mask) -> int:
    schemes = np.unique(view.issuances["scheme"]).tolist()
    if len(schemes) == 1:
        return _quantity(rows, chosen) * scheme_of(store, schemes[0]).face_value
    of_row = view.issuances["scheme"].take(rows["issuance"] - 1)
    return sum(_quantity(rows, chosen & (of_row == one)) * scheme_of(store, one).face_value for one in schemes)


# --- one page


def page(
    found: Found, orders: Orders, sort: str, descending: bool, after: Position | None, limit: int
) -> tuple[list[tuple[Table, int]], Position | None]:
    """Up to `limit` rows beyond `after`, and the last one's position if there may be more."""
    view = found.view
    rows = [*_sorted_rows(found, orders, sort, descending, after, limit), *_tail_rows(found, sort, descending, after)]
    rows.sort(key=lambda row: row[0], reverse=descending)
    chosen = rows[:limit]
    following = Position(*chosen[-1][0]) if len(rows) > limit else None
    return [(view.sorted if of_sorted else view.tail, place) for _, of_sorted, place in chosen], following


Sorted = tuple[tuple[int, int, int], bool, int]  # what it is sorted by; whether a sorted row or one of the tail; place


def _sorted_rows(
    found: Found, orders: Orders, sort: str, descending: bool, after: Position | None, limit: int
) -> list[Sorted]:
    """One row more than the page holds, so that it knows whether another one follows."""
    view, wanted = found.view, limit + 1
    order = None if sort == "number" else orders.of(view, sort)
    count = view.sorted.count
    at = 0 if not descending else count
    if after is not None:
        at = _beyond(view, order, sort, after, descending)
    rows: list[Sorted] = []
    while len(rows) < wanted:
        low, high = (at, min(count, at + WALK)) if not descending else (max(0, at - WALK), at)
        if low == high:
            break
        part = np.arange(low, high) if order is None else order[low:high]
        fitting = part[found.mask[part]]
        if descending:
            fitting = fitting[::-1]
        for place in fitting[: wanted - len(rows)].tolist():
            rows.append((_key(view, view.sorted, sort, place), True, place))
        at = high if not descending else low
    return rows


def _beyond(view: View, order: Indexes | None, sort: str, after: Position, descending: bool) -> int:
    """Where the walk goes on behind a row, which may itself be gone by now."""
    key = (after.value, after.device, after.start)
    if order is None:
        return first_row(view.sorted, after.device, after.start + (not descending))
    search = bisect_left if descending else bisect_right
    return search(range(view.sorted.count), key, key=lambda at: _key(view, view.sorted, sort, int(order[at])))


def _tail_rows(found: Found, sort: str, descending: bool, after: Position | None) -> Iterator[Sorted]:
    view = found.view
    for place in found.tail.tolist():
        key = _key(view, view.tail, sort, place)
        if after is not None:
            passed = (after.value, after.device, after.start)
            if (key >= passed) if descending else (key <= passed):
                continue
        yield key, False, place


def _key(view: View, rows: Table, sort: str, place: int) -> tuple[int, int, int]:
    return _value(view, rows, sort, place), int(rows["device"][place]), int(rows["start"][place])


def _value(view: View, rows: Table, sort: str, place: int) -> int:
    """What a row is sorted by; rows of one value follow each other by number."""
    match sort:
        case "produced":
            return int(view.issuances["production_from"][int(rows["issuance"][place]) - 1])
        case "issued":
            return int(view.issuances["issued_at"][int(rows["issuance"][place]) - 1])
        case "quantity":
            return int(rows["end"][place]) - int(rows["start"][place]) + 1
        case "holder":
            return int(rows["holder"][place])
    return 0


def values_of(view: View, rows: Table, sort: str) -> Array:
    """`_value` of all rows at once."""
    found: Array = np.zeros(rows.count, np.uint8)
    match sort:
        case "produced":
            found = view.issuances["production_from"][rows["issuance"] - 1]
        case "issued":
            found = view.issuances["issued_at"][rows["issuance"] - 1]
        case "quantity":
            found = rows["end"] - rows["start"] + 1
        case "holder":
            found = rows["holder"]
    return found


def places(found: Found) -> Iterator[tuple[Table, int]]:
    """Every row that fits, in the order of the numbers; of the view's height, whatever the ledger does meanwhile."""
    view = found.view
    of_tail = sorted((int(view.tail["device"][at]), int(view.tail["start"][at]), at) for at in found.tail.tolist())
    waiting = iter(of_tail)
    following = next(waiting, None)
    for place in np.flatnonzero(found.mask):
        here = int(view.sorted["device"][place]), int(view.sorted["start"][place])
        while following is not None and following[:2] < here:
            yield view.tail, following[2]
            following = next(waiting, None)
        yield view.sorted, int(place)
    while following is not None:
        yield view.tail, following[2]
        following = next(waiting, None)


# --- a row as JSON


class Items:
    """Rows in words and numbers. What belongs to an issuance is looked up once while it is in use."""

    def __init__(self, store: Store, view: View) -> None:
        self._store = store
        self._view = view
        self._registry = parameters_of(store).registry_code
        self._origins: dict[int, tuple[Issuance, Device, Scheme]] = {}
        self._names: dict[int, str] = {}

    def item(self, rows: Table, place: int) -> dict[str, Any]:
        start, end = int(rows["start"][place]), int(rows["end"][place])
        issuance, device, scheme = self.origin(int(rows["issuance"][place]))
        facts, holder = device.facts, int(rows["holder"][place])
        statement = self._view.statements[int(rows["statement"][place])]
        return {
            "number": self.number(issuance, device, scheme, start, end),
            "start": str(start),
            "end": str(end),
            "quantity": str(end - start + 1),
            "energy_wh": str((end - start + 1) * scheme.face_value),
            "status": STATUSES[int(rows["status"][place])],
            "holder": holder,
            "holder_name": self.name(holder),
            "statement": statement.hex() or None,
            "device": device.id,
            "plant": facts.name,
            "source": energy_source(facts.technology, facts.fuel),
            "technology": facts.technology,
            "fuel": facts.fuel,
            "zone": facts.zone,
            "country": facts.country,
            "scheme": scheme.id,
            "issuance": str(issuance.id),
            "production_from": str(issuance.production_from),
            "production_to": str(issuance.production_to),
            "issued_at": str(issuance.issued_at),
        }

    def number(self, issuance: Issuance, device: Device, scheme: Scheme, start: int, end: int) -> str:
        return format_number(
            CertificateNumber(
                self._registry, device.facts.country, device.id, issuance.month, start, end, scheme.serial_digits
            )
        )

    def origin(self, number: int) -> tuple[Issuance, Device, Scheme]:
        """Issuance, plant and scheme of a row."""
        found = self._origins.get(number)
        if found is None:
            issuance = issuance_of(self._store, number)
            device = self._store.get(device_key(issuance.device))
            if not isinstance(device, Device):
                raise StoreMismatch(why=f"issuance {number} names no device")
            if len(self._origins) >= WALK:
                self._origins.clear()
            found = self._origins[number] = issuance, device, scheme_of(self._store, issuance.scheme)
        return found

    def name(self, participant: int) -> str:
        if participant not in self._names:
            if len(self._names) >= WALK:
                self._names.clear()
            self._names[participant] = name_of(self._store, participant)
        return self._names[participant]

    def statement(self, rows: Table, place: int) -> bytes:
        """Id of the statement of a retired range, else empty."""
        return self._view.statements[int(rows["statement"][place])]


def scheme_of(store: Store, number: int) -> Scheme:
    found = store.get(scheme_key(number))
    if not isinstance(found, Scheme):
        raise StoreMismatch(why=f"there is no scheme {number}")
    return found
