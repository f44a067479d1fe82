"""The columns of a search against the ledger: kept up block by block they say what a first reading says."""

import numpy as np
import pytest
from harness.busy import BusyTown

from node.queries import ranges as subject
from node.queries.chain import events_of
from node.queries.ranges import CODE, COLUMNS, STATUSES, Ranges
from node.queries.search import Filter, Orders, find, page, places
from node.runtime import FinalBlock
from state.history import where
from state.keyspace import device_key
from state.records import Device, Issuance


def told(town: BusyTown, ranges: Ranges) -> None:
    """What the runtime tells its watchers of the newest block."""
    block = town.ledger.block_at(town.height)
    assert block is not None
    finalization = town.finalization(town.ledger.tip.hash, town.height)
    ranges.committed(FinalBlock(block, town.ledger.tip.hash, (), town.outputs[-1], finalization))


def rows_of(town: BusyTown, ranges: Ranges) -> list[tuple[object, ...]]:
    while ranges.advance(town.store):
        pass
    view = ranges.view()
    found = find(town.store, view, Filter())
    return [
        (*(int(table[name][place]) for name in COLUMNS if name != "statement"), statement_at(view, table, place))
        for table, place in places(found)
    ]


def statement_at(view: subject.View, table: subject.Table, place: int) -> bytes:
    return view.statements[int(table["statement"][place])]


@pytest.mark.parametrize("tail", [2, 16_384])
def test_columns_follow_the_ledger_through_everything(tail: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "TAIL", tail)
    seed = 11
    print(f"seed {seed}")
    town = BusyTown(seed)
    followed = Ranges()
    rows_of(town, followed)
    for _ in range(12):
        height = town.height
        make = town.block
        town.block = lambda *given, make=make, **more: (make(*given, **more), told(town, followed))[0]  # type: ignore
        town.live_on(5)
        town.block = make  # type: ignore[method-assign]
        assert town.height > height
        assert rows_of(town, followed) == rows_of(town, Ranges()), f"seed {seed}, height {town.height}"
    town.years_later()
    assert {row[5] for row in rows_of(town, Ranges())} == {CODE["retired"], CODE["expired"]}


def test_rows_are_what_the_history_says_of_every_certificate() -> None:
    town = BusyTown(5)
    town.live_on(60)
    town.years_later()
    town.live_on(20)
    rows = rows_of(town, Ranges())
    for device in town.devices:
        record = town.state.get(device_key(device))
        assert isinstance(record, Device)
        own = [row for row in rows if row[0] == device]
        assert [row[1] for row in own] == [1, *(int(row[2]) + 1 for row in own[:-1])]  # type: ignore[call-overload]
        assert own[-1][2] == record.next_serial - 1
        for _, start, end, issuance, holder, status, statement in own:
            found = where(town.store, device, int(start))  # type: ignore[call-overload]
            assert found is not None
            assert (found.start, found.end, found.holder, found.status) == (start, end, holder, STATUSES[status])  # type: ignore[call-overload]
            assert bool(statement) == (found.status == "retired")
            born = town.store.get(subject.issuance_key(issuance))  # type: ignore[arg-type]
            assert isinstance(born, Issuance)
            assert born.start <= int(start) <= int(end) <= born.end  # type: ignore[call-overload]


def test_blocks_that_nobody_told_of_are_found_by_reading_again() -> None:
    town, ranges = BusyTown(2), Ranges()
    rows_of(town, ranges)
    town.live_on(5)
    assert rows_of(town, ranges) == rows_of(town, Ranges())


def test_queue_of_a_node_that_is_never_asked_stays_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "WAITING", 3)
    town, ranges = BusyTown(2), Ranges()
    rows_of(town, ranges)
    make = town.block
    town.block = lambda *given, **more: (make(*given, **more), told(town, ranges))[0]  # type: ignore[method-assign]
    town.live_on(12)
    assert len(ranges._waiting) <= 12
    assert ranges.height < 0, "dropped, not kept for ever"
    assert rows_of(town, ranges) == rows_of(town, Ranges())


@pytest.mark.parametrize("sort", ["number", "produced", "issued", "quantity", "holder"])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_of_every_order_show_each_row_once(sort: str, descending: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.queries.search.WALK", 3)
    town, ranges = BusyTown(9), Ranges()
    rows_of(town, ranges)
    make = town.block
    town.block = lambda *given, **more: (make(*given, **more), told(town, ranges))[0]  # type: ignore[method-assign]
    town.live_on(40)
    everything = rows_of(town, ranges)
    found, orders, shown, after = find(town.store, ranges.view(), Filter()), Orders(), [], None
    assert len(found.tail), "rows of both kinds"
    while True:
        rows, after = page(found, orders, sort, descending, after, 2)
        shown += rows
        if after is None:
            break
    keys = [(key(found.view, table, place, sort), *place_of(table, place)) for table, place in shown]
    assert keys == sorted(keys, reverse=descending)
    assert sorted(place_of(table, place) for table, place in shown) == [row[:2] for row in everything]
    assert found.total == len(everything)


def key(view: subject.View, table: subject.Table, place: int, sort: str) -> int:
    issuance = int(table["issuance"][place]) - 1
    match sort:
        case "produced":
            return int(view.issuances["production_from"][issuance])
        case "issued":
            return int(view.issuances["issued_at"][issuance])
        case "quantity":
            return int(table["end"][place] - table["start"][place]) + 1
        case "holder":
            return int(table["holder"][place])
    return 0


def place_of(table: subject.Table, place: int) -> tuple[int, int]:
    return int(table["device"][place]), int(table["start"][place])


def test_export_of_one_height_does_not_see_later_blocks() -> None:
    town, ranges = BusyTown(3), Ranges()
    before = rows_of(town, ranges)
    found = find(town.store, ranges.view(), Filter())
    walk = places(found)
    first = next(walk)
    make = town.block
    town.block = lambda *given, **more: (make(*given, **more), told(town, ranges))[0]  # type: ignore[method-assign]
    town.live_on(20)
    rows_of(town, ranges)
    assert [place_of(*row) for row in (first, *walk)] == [row[:2] for row in before]


def test_long_serials_are_put_in_order_too() -> None:
    device, start = np.array([9_999_999, 3, 3], np.uint32), np.array([5, 10**15 - 1, 7], np.int64)
    assert subject.order_of(device, start).tolist() == [2, 1, 0]


def test_events_name_the_statement_of_each_retirement() -> None:
    town = BusyTown(4)
    town.live_on(40)
    named = {
        record.event.statement
        for height in range(town.height + 1)
        for record in events_of(town.store, height)
        if type(record.event).__name__ == "Retired"
    }
    assert named
    assert {row[6] for row in rows_of(town, Ranges())} - {b""} == named
