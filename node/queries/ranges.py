"""Every range of certificates as columns of numbers: what a search filters, sorts and counts.

One row for each range that the history knows, live or dead: device, first and last serial, issuance, holder, status,
statement. The columns are derived and kept in memory only. They are read from the store at the first question, in
steps, so that a node starts as fast as without them; from then on each final block's movements wait in a queue and are
booked at the next question. A node that nobody asks pays nothing, and one that fell far behind reads them again.

`sorted` holds the rows in the order of (device, serial) and is never written: a row that changed is marked as gone and
stands anew in the tail, until the tail is merged. So an export can walk the rows of one height while blocks go on.
About 40 bytes a row; what depends on the issuance (plant, month, dates) is stored once for each issuance.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from contracts.events import Retired
from node.queries.chain import tip_height
from state.errors import StoreMismatch
from state.history import STATUS_DEAD, STATUS_LIVE, lot_of, spent_row
from state.keyspace import Space, issuance_key, space_end
from state.movement import Movement
from state.outputs import NEVER, Bundle, Output, holder_of
from state.records import Issuance, Statement
from state.store import Store, decode_entry

STATUSES = ("active", "locked", "reserved", "retired", "expired", "withdrawn")
LIVE_STATUSES = 3  # the first ones
CODE = {name: code for code, name in enumerate(STATUSES)}

STEP = 1_024  # rows read from the store before the loop gets its turn, some 4 ms
TAIL = 16_384  # changed rows before they are merged into the sorted ones
WAITING = 50_000  # movements that may wait; beyond them the columns are dropped, so that a busy node keeps no more

if TYPE_CHECKING:
    from node.runtime import FinalBlock

COLUMNS: Mapping[str, Any] = {
    "device": np.uint32,
    "start": np.int64,
    "end": np.int64,
    "issuance": np.int64,
    "holder": np.uint32,
    "status": np.uint8,
    "statement": np.uint32,  # place in `statements`, 0 = none
}
ISSUANCE_COLUMNS: Mapping[str, Any] = {
    "device": np.uint32,
    "start": np.int64,
    "scheme": np.uint32,
    "month": np.uint32,
    "production_from": np.int64,
    "production_to": np.int64,
    "issued_at": np.int64,
    "retire_until": np.int64,
}

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Row = tuple[int, int, int, int, int, int, int]  # as COLUMNS


class Table:
    """Columns of one length, written at the end only."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.count = 0
        self._columns: dict[str, Array] = {name: np.zeros(64, kind) for name, kind in columns.items()}

    def __getitem__(self, name: str) -> Array:
        return self._columns[name][: self.count]

    def append(self, rows: Iterable[tuple[int, ...]]) -> None:
        added = list(rows)
        if not added:
            return
        self._reserve(self.count + len(added))
        for (_, column), values in zip(self._columns.items(), zip(*added, strict=True), strict=True):
            column[self.count : self.count + len(added)] = values
        self.count += len(added)

    def _reserve(self, count: int) -> None:
        """Grow into new arrays: whoever still reads the old ones keeps them as they were."""
        for name, column in self._columns.items():
            if count > len(column):
                grown = np.zeros(max(count, len(column) * 3 // 2), column.dtype)
                grown[: self.count] = column[: self.count]
                self._columns[name] = grown

    def of(self, chosen: Mapping[str, Array]) -> "Table":
        """A table of finished columns."""
        self._columns = dict(chosen)
        self.count = len(next(iter(chosen.values())))
        return self


@dataclass(frozen=True)
class View:
    """The rows at one height, for as long as somebody holds it. `gone_*` mark rows that are no more."""

    height: int
    sorted: Table
    gone: Mask
    tail: Table
    tail_gone: Mask
    issuances: Table  # row n - 1 is of issuance n
    statements: list[bytes]
    version: int  # of the sorted rows: what is kept about them is good for this one


class Ranges:
    """The columns of one node. `height` is -1 until the first question."""

    def __init__(self) -> None:
        self.height = -1
        self._waiting: list[tuple[int, list[Movement], dict[tuple[bytes, int], bytes]]] = []
        self._movements = 0
        self._building: Iterator[None] | None = None
        self._version = 0
        self._forget()

    def _forget(self) -> None:
        self.height = -1
        self._building = None
        self._waiting, self._movements = [], 0
        self._sorted, self._tail = Table(COLUMNS), Table(COLUMNS)
        self._gone, self._tail_gone = np.zeros(0, np.bool_), np.zeros(0, np.bool_)
        self._place: dict[tuple[int, int], int] = {}  # (device, start) -> row of the tail
        self._issuances = Table(ISSUANCE_COLUMNS)
        self._statements: list[bytes] = [b""]
        self._version += 1

    # --- following the ledger

    def committed(self, final: "FinalBlock") -> None:
        """A block became final; it is only noted here, because nobody may ask for a long time."""
        if self.height < 0 and self._building is None:
            return
        retired = {
            (record.txid, record.action_index): record.event.statement
            for record in final.output.events
            if isinstance(record.event, Retired)
        }
        moved = [movement for movement in final.output.movements if movement.spent or movement.created]
        self._waiting.append((final.block.header.height, moved, retired))
        self._movements += len(moved)
        if self._movements > WAITING:
            self._forget()

    def live(self, kind: str, fields: dict[str, Any]) -> None:
        """What no block records moves no certificate."""

    def advance(self, store: Store) -> bool:
        """One step towards the tip; whether there are more to come."""
        if self.height < 0:
            if self._building is None:
                self._building = self._build(store)
            if next(self._building, self) is None:
                return True
            self._building = None
        waiting, self._waiting, self._movements = self._waiting, [], 0
        for height, movements, retired in waiting:
            if height > self.height:  # what the first reading saw already is not booked again
                self._book(store, movements, retired)
                self.height = height
        if self.height != tip_height(store):  # it came in another way than block by block
            self._forget()
            return True
        return False

    def view(self) -> View:
        return View(
            self.height,
            self._sorted,
            self._gone.copy(),
            Table(COLUMNS).of({name: self._tail[name] for name in COLUMNS}),
            self._tail_gone[: self._tail.count].copy(),
            Table(ISSUANCE_COLUMNS).of({name: self._issuances[name] for name in ISSUANCE_COLUMNS}),
            self._statements,
            self._version,
        )

    # --- the first reading

    def _build(self, store: Store) -> Iterator[None]:
        """Reads all rows; yields between steps. Every scan is of the moment at which it began, which is one moment."""
        meta = store.meta()
        assert meta is not None, "a served store has a ledger"
        outputs, numbers = _from_now(store, Space.OUTPUT), _from_now(store, Space.NUMBER)
        statements = _from_now(store, Space.STATEMENT)
        last = self._read_issuances(store)
        while last:
            yield
            last = self._read_issuances(store)
        place: dict[tuple[bytes, int], int] = {}
        while chunk := list(islice(statements, STEP)):
            for key, data in chunk:
                found = decode_entry(key, data)
                assert isinstance(found, Statement)
                place[found.txid, found.action_index] = self._statement(found.id)
            yield
        live = Table(COLUMNS)
        while chunk := list(islice(outputs, STEP)):
            live.append(row for key, data in chunk if (row := _live_row(decode_entry(key, data))) is not None)
            yield
        live = _in_order([live])
        dead = Table(COLUMNS)
        issuance_of = _IssuanceInOrder(self._issuances)
        at = 0
        devices, starts = live["device"], live["start"]
        while chunk := list(islice(numbers, STEP)):
            rows: list[Row] = []
            for key, value in chunk:
                device, start = int.from_bytes(key[1:5], "big"), int.from_bytes(key[5:], "big")
                if at < live.count and devices[at] == device and starts[at] == start:
                    at += 1
                    continue
                rows.append(_dead_row(store, device, start, value, issuance_of(device, start), place))
            dead.append(rows)
            yield
        self._replace(_in_order([live, dead]))
        self.height = meta.height

    def _read_issuances(self, store: Store) -> int:
        """Those that are new since the last reading, at most a step; how many."""
        rows: list[tuple[int, ...]] = []
        number = self._issuances.count + 1
        while len(rows) < STEP and isinstance(found := store.get(issuance_key(number + len(rows))), Issuance):
            rows.append(tuple(getattr(found, name) for name in ISSUANCE_COLUMNS))
        self._issuances.append(rows)
        return len(rows)

    def _statement(self, identity: bytes) -> int:
        self._statements.append(identity)
        return len(self._statements) - 1

    # --- one block

    def _book(self, store: Store, movements: list[Movement], retired: dict[tuple[bytes, int], bytes]) -> None:
        while self._read_issuances(store):
            pass
        places = {act: self._statement(identity) for act, identity in retired.items()}
        for movement in movements:
            for _, output in movement.spent:
                lot = lot_of(output)
                if lot is not None:
                    self._remove(lot.device, lot.start)
            statement = places.get((movement.txid, movement.action_index), 0)
            self._add((*_dead_rows(movement, statement), *_created_rows(movement)))
        if self._tail.count > max(TAIL, self._sorted.count // 64):
            kept = {name: self._sorted[name][~self._gone] for name in COLUMNS}
            fresh = {name: self._tail[name][~self._tail_gone[: self._tail.count]] for name in COLUMNS}
            self._replace(_in_order([Table(COLUMNS).of(kept), Table(COLUMNS).of(fresh)]))

    def _remove(self, device: int, start: int) -> None:
        row = self._place.pop((device, start), None)
        if row is not None:
            self._tail_gone[row] = True
            return
        row = row_of(self._sorted, device, start)
        assert row is not None, f"the range {start} of device {device} that was spent is not known"
        self._gone[row] = True

    def _add(self, rows: tuple[Row, ...]) -> None:
        first = self._tail.count
        self._tail.append(rows)
        for offset, row in enumerate(rows):
            self._place[row[0], row[1]] = first + offset
        if len(self._tail_gone) < self._tail.count:
            grown = np.zeros(2 * self._tail.count, np.bool_)
            grown[:first] = self._tail_gone[:first]
            self._tail_gone = grown

    def _replace(self, rows: Table) -> None:
        self._sorted, self._gone = rows, np.zeros(rows.count, np.bool_)
        self._tail, self._tail_gone, self._place = Table(COLUMNS), np.zeros(0, np.bool_), {}
        self._version += 1


def row_of(rows: Table, device: int, start: int) -> int | None:
    """The place of a range in rows that are in order."""
    low = first_row(rows, device, start)
    if low < rows.count and int(rows["device"][low]) == device and int(rows["start"][low]) == start:
        return low
    return None


def first_row(rows: Table, device: int, start: int) -> int:
    """The place of the first row at or after (device, start), in rows that are in order."""
    key = np.uint32(device)  # a plain integer would make numpy convert the whole column
    low = int(np.searchsorted(rows["device"], key, "left"))
    high = int(np.searchsorted(rows["device"], key, "right"))
    return low + int(np.searchsorted(rows["start"][low:high], np.int64(start), "left"))


# --- rows


def _from_now(store: Store, space: Space) -> Iterator[tuple[bytes, bytes]]:
    """The rows of a space as they are now, however late they are read."""
    prefix = bytes((space,))
    rows = store.scan_raw(prefix, space_end(prefix))
    first = next(rows, None)

    def all_rows() -> Iterator[tuple[bytes, bytes]]:
        if first is not None:
            yield first
            yield from rows

    return all_rows()


def _live_row(output: object) -> Row | None:
    assert isinstance(output, Output)
    lot = lot_of(output)
    return None if lot is None else _row(lot, lot.start, lot.end, holder_of(output), _live_status(output), 0)


def _live_status(output: Output) -> int:
    return CODE[STATUS_LIVE[type(output)]]


def _row(lot: Bundle, start: int, end: int, holder: int, status: int, statement: int) -> Row:
    return (lot.device, start, end, lot.issuance, holder, status, statement)


def _dead_row(
    store: Store, device: int, start: int, value: bytes, issuance: int, place: Mapping[tuple[bytes, int], int]
) -> Row:
    spent = spent_row(store, value[8:])
    if spent is None:
        raise StoreMismatch(why=f"range {start} of device {device} neither lives nor was spent")
    # A range that moved on since the scan began is corrected by the movement that waits.
    statement = place.get((spent.txid, spent.action_index), 0)
    return (device, start, int.from_bytes(value[:8], "big"), issuance, spent.holder, _end_of(spent.kind), statement)


def _end_of(kind: str) -> int:
    """What became of a range that a movement of this kind ended."""
    return CODE[STATUS_DEAD.get(kind, "withdrawn")]


def _created_rows(movement: Movement) -> Iterator[Row]:
    for _, output in movement.created:
        row = _live_row(output)
        if row is not None:
            yield row


def _dead_rows(movement: Movement, statement: int) -> Iterator[Row]:
    """The ranges of spent lots that no created one took over: they ended here."""
    heirs = sorted((lot.device, lot.start, lot.end) for _, output in movement.created if (lot := lot_of(output)))
    for _, output in movement.spent:
        lot = lot_of(output)
        if lot is None:
            continue
        start = lot.start
        before = max(0, bisect_right(heirs, (lot.device, lot.start, NEVER)) - 1)
        for device, first, last in heirs[before:]:
            if (device, first) > (lot.device, lot.end):
                break
            if device == lot.device and last >= start:
                if start < first:
                    yield _row(lot, start, first - 1, holder_of(output), _end_of(movement.kind), statement)
                start = last + 1
        if start <= lot.end:
            yield _row(lot, start, lot.end, holder_of(output), _end_of(movement.kind), statement)


def _in_order(tables: list[Table]) -> Table:
    """All rows in the order of (device, start)."""
    columns = {name: np.concatenate([table[name] for table in tables]) for name in COLUMNS}
    order = order_of(columns["device"], columns["start"])
    return Table(COLUMNS).of({name: column[order] for name, column in columns.items()})


def order_of(device: Array, start: Array) -> npt.NDArray[np.int64]:
    """The permutation that puts ranges, no two of which begin alike, in the order of (device, start)."""
    if not len(device):
        return np.zeros(0, np.int64)
    bits = int(start.max()).bit_length()
    if int(device.max()).bit_length() + bits > 63:
        return np.lexsort((start, device))
    return np.argsort((device.astype(np.int64) << bits) | start)  # one key: several times as fast as two


class _IssuanceInOrder:
    """The issuance of ranges that are asked for in the order of (device, start)."""

    def __init__(self, issuances: Table) -> None:
        self._order = order_of(issuances["device"], issuances["start"])
        self._devices, self._starts = issuances["device"], issuances["start"]
        self._at = -1

    def __call__(self, device: int, start: int) -> int:
        while self._at + 1 < len(self._order):
            following = self._order[self._at + 1]
            if (self._devices[following], self._starts[following]) > (device, start):
                break
            self._at += 1
        return int(self._order[self._at]) + 1
