"""What a search matched as lines of CSV or JSON, under the names of other registries.

Each line is one range: its number, EnergyTag's fields by their exact names, then the codes of EECS, I-REC and M-RETS
and what only this registry has. Made line by line, so that a million rows cost no more memory than one.
"""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from node.queries.chain import find_transaction, parameters_of
from node.queries.energytag import FIELDS, energytag_dict
from node.queries.foreign_codes import codes_dict
from node.queries.ranges import STATUSES, Table
from node.queries.search import Found, Items, places
from node.queries.values import plain
from state.keyspace import statement_key
from state.records import Statement
from state.store import Store
from state.transaction import Retire

CACHED = 4_096  # issuances, and statements, that are remembered while lines are written
CODES = ("eecs_technology", "eecs_fuel", "irec_fuel", "irec_technology", "mrets")
HEAD = ("number", *(field.name for field in FIELDS), *CODES, "holder_name", "device_sequence", "scheme", "statement")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would execute a cell that begins so


class Lines:
    """The rows of a search as exported dictionaries."""

    def __init__(self, store: Store, found: Found) -> None:
        self._store = store
        self._found = found
        self._items = Items(store, found.view)
        self._registry = parameters_of(store).name
        self._fixed: dict[int, dict[str, Any]] = {}
        self._beneficiaries: dict[bytes, str] = {b"": ""}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for rows, place in places(self._found):
            yield self._line(rows, place)

    def _line(self, rows: Table, place: int) -> dict[str, Any]:
        number = int(rows["issuance"][place])
        start, end, holder = int(rows["start"][place]), int(rows["end"][place]), int(rows["holder"][place])
        issuance, device, scheme = self._items.origin(number)
        statement = self._items.statement(rows, place)
        shown = {
            "status": STATUSES[int(rows["status"][place])],
            "holder": holder,
            "beneficiary": self._beneficiary(statement),
            "start": str(start),
            "end": str(end),
        }
        line = {
            "number": self._items.number(issuance, device, scheme, start, end),
            **self._fixed_fields(number),
            **{field.name: field.take(shown) for field in FIELDS if field.name in OF_RANGE},
            "holder_name": self._items.name(holder),
            "statement": statement.hex() or None,
        }
        return {name: line[name] for name in HEAD}

    def _fixed_fields(self, number: int) -> dict[str, Any]:
        """What all ranges of an issuance share."""
        found = self._fixed.get(number)
        if found is None:
            issuance, device, scheme = self._items.origin(number)
            answer = {
                "device": device.id,
                "start": "1",
                "end": "1",
                "status": "active",
                "holder": 0,
                "beneficiary": "",
                "registry": self._registry,
                "issuance": plain(issuance),
                "facts": plain(device.facts),
                "scheme": {"face_value": str(scheme.face_value)},
            }
            if len(self._fixed) >= CACHED:
                self._fixed.clear()
            found = self._fixed[number] = {
                **energytag_dict(answer),
                **codes_dict(device.facts.technology, device.facts.fuel),
                "device_sequence": device.id,
                "scheme": scheme.name,
            }
        return found

    def _beneficiary(self, statement: bytes) -> str:
        if statement not in self._beneficiaries:
            if len(self._beneficiaries) >= CACHED:
                self._beneficiaries = {b"": ""}
            record = self._store.get(statement_key(statement))
            assert isinstance(record, Statement)
            action = find_transaction(self._store, record.txid)[2].body.actions[record.action_index]
            assert isinstance(action, Retire)
            self._beneficiaries[statement] = action.beneficiary.name
        return self._beneficiaries[statement]


OF_RANGE = frozenset(
    {
        "certificate_bundle_status",
        "account_id",
        "certificate_bundle_id_range_start",
        "certificate_bundle_id_range_end",
        "bundle_quantity",
        "beneficiary",
    }
)


def csv_line(values: Iterator[Any]) -> bytes:
    """One line by RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([_cell(value) for value in values])
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "'" + value if isinstance(value, str) and value.startswith(FORMULA) else value


def as_csv(lines: Lines) -> Iterator[bytes]:
    yield csv_line(iter(HEAD))
    for line in lines:
        yield csv_line(iter(line.values()))


def as_json(lines: Lines) -> Iterator[bytes]:
    for line in lines:
        yield msgspec.json.encode(line) + b"\n"


FORMATS: dict[str, tuple[str, Callable[[Lines], Iterator[bytes]]]] = {
    "csv": ("text/csv", as_csv),
    "json": ("application/x-ndjson", as_json),
}
