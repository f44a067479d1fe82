"""A page of a search, and where one certificate is, beside a bare LevelDB get of the same store.

Two shapes of registry: many bundles of one certificate, and few bundles of many; a tenth of them retired. A question is
asked as the API asks it: filter, exact totals, a page of 50 as JSON values. `build_s` is paid once, at the first
question after a start; `moved_ms` is the first question after 1,000 bundles moved.

python -m bench.search [BUNDLES]          one JSON line a shape
"""

import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from node.queries.ranges import Ranges
from node.queries.search import Filter, Items, Orders, Position, find, page
from state.codec import encode
from state.history import SpentRow, where
from state.keyspace import (
    META_KEY,
    PARAMETERS_KEY,
    device_key,
    issuance_key,
    number_key,
    output_key,
    participant_key,
    scheme_key,
    spent_key,
)
from state.movement import Movement
from state.outputs import Bundle, outpoint
from state.records import Device, DeviceFacts, Expiry, Issuance, Parameters, Participant, Scheme, Terms
from state.store import FORMAT, LevelStore, Meta, encode_entry, open_store

BUNDLES = 1_000_000
FEW, THEIR_QUANTITY = 1_000, 1_000
PARAMETERS = Parameters("bench", "WAT", 0, 10_000, 200, 500, 4_096, True, True, (), Terms(0, 0, 0, 0, 0))
HOLDERS = 1_000
SEED = 7
ASKED = 2_000
BATCH = 20_000
DEAD_EVERY = 10
SOURCES = (("T020001", "F01050100"), ("T010100", "F01040100"), ("T030000", "F01050200"))
QUESTIONS: dict[str, Filter] = {
    "all": Filter(),
    "source": Filter(source="wind"),
    "source, zone, period, live": Filter(
        source="wind", zone="DK1", produced_from=0, produced_to=50 * 86_400, status="live"
    ),
    "holder": Filter(holder=11),
    "holder, retired": Filter(holder=11, status="retired"),
    "plant": Filter(device=3),
}


def main(bundles: int) -> None:
    for count, quantity in ((bundles, 1), (FEW, THEIR_QUANTITY)):
        with tempfile.TemporaryDirectory() as directory:
            store = open_store(Path(directory) / "store")
            devices = _fill(store, count, quantity)
            print(json.dumps(_measure(store, count, quantity, devices)), flush=True)
            store.close()


def _measure(store: LevelStore, count: int, quantity: int, devices: int) -> dict[str, Any]:
    chance = random.Random(SEED)
    per_device = count // devices
    asked = [(chance.randint(1, devices), chance.randint(0, per_device - 1) * quantity + 1) for _ in range(ASKED)]
    bare = _each(lambda place: store.get_raw(number_key(*place)), asked)
    found = _each(lambda place: where(store, *place), asked)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ranges, orders = Ranges(), Orders()
    build, steps = _build(store, ranges)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    times = {name: _page_ms(store, ranges, orders, question) for name, question in QUESTIONS.items()}
    times["by date, newest first"] = _page_ms(store, ranges, orders, Filter(), "produced", True)
    first_moved = _moved_ms(store, ranges, orders, quantity, per_device)
    return {
        "bundles": count,
        "of": quantity,
        "seed": SEED,
        "leveldb_get_us": round(bare * 1e6, 1),
        "where_us": round(found * 1e6, 1),
        "page_ms": times,
        "worst_page_to_get": round(max(times.values()) / 1e3 / bare),
        "moved_ms": first_moved,
        "build_s": round(build, 2),
        "longest_step_ms": round(steps * 1e3, 1),
        "grown_mib": grown // 1024,
    }


def _each(ask: Callable[[tuple[int, int]], object], asked: list[tuple[int, int]]) -> float:
    """The mean of one question in CPU seconds, none of them answered by nothing."""
    began = time.process_time()
    missing = sum(ask(place) is None for place in asked)
    assert not missing
    return (time.process_time() - began) / len(asked)


def _build(store: LevelStore, ranges: Ranges) -> tuple[float, float]:
    total = longest = 0.0
    more = True
    while more:
        began = time.process_time()
        more = ranges.advance(store)
        took = time.process_time() - began
        total, longest = total + took, max(longest, took)
    return total, longest


def _page_ms(
    store: LevelStore, ranges: Ranges, orders: Orders, asked: Filter, sort: str = "number", descending: bool = False
) -> float:
    """The median of nine; the first of a new order sorts the column and is left out."""
    times = []
    for attempt in range(10):
        began = time.process_time()
        shown, _ = _page(store, ranges, orders, asked, sort, descending)
        assert shown, asked
        if attempt:
            times.append(time.process_time() - began)
    return round(sorted(times)[len(times) // 2] * 1e3, 2)


def _page(
    store: LevelStore, ranges: Ranges, orders: Orders, asked: Filter, sort: str, descending: bool
) -> tuple[list[dict[str, Any]], Position | None]:
    found = find(store, ranges.view(), asked)
    rows, following = page(found, orders, sort, descending, None, 50)
    items = Items(store, found.view)
    return [items.item(table, place) for table, place in rows], following


def _moved_ms(store: LevelStore, ranges: Ranges, orders: Orders, quantity: int, per_device: int) -> float:
    """1,000 bundles (or all that are) change hands in one block, then somebody asks."""
    movements = []
    for index in range(min(1_000, per_device)):
        if index % DEAD_EVERY == 0:
            continue
        start = index * quantity + 1
        before = Bundle(1, 1, 1, start, start + quantity - 1, 10**9, 10**9, 0)
        moved = Movement(bytes(32), 0, "transfer", [(_point(1, start), before)], [])
        moved.created.append((_point(2, start), replace(before, holder=2)))
        movements.append(moved)
    header = SimpleNamespace(height=1)
    final: Any = SimpleNamespace(
        block=SimpleNamespace(header=header), output=SimpleNamespace(movements=movements, events=[])
    )
    store.write({META_KEY: encode(_meta(1))}, sync=False)
    ranges.committed(final)
    began = time.process_time()
    assert not ranges.advance(store)
    _page(store, ranges, orders, Filter(), "number", False)
    return round((time.process_time() - began) * 1e3, 2)


# --- a registry of that shape


def _fill(store: LevelStore, count: int, quantity: int) -> int:
    """The number of plants: a hundred, with a hundred issues each, or ten with ten."""
    devices = issues = 100 if count >= 100_000 else 10
    per_device = count // devices
    per_issue = per_device // issues
    _fill_records(store, devices, issues, per_issue * quantity)
    rows: dict[bytes, bytes | None] = {}
    for number in range(count):
        device, within = number // per_device + 1, number % per_device
        start = within * quantity + 1
        end, point = start + quantity - 1, _point(device, start)
        issuance = (device - 1) * issues + within // per_issue + 1
        holder = number * 7 % HOLDERS + 1
        rows[number_key(device, start)] = end.to_bytes(8, "big") + point
        if within % DEAD_EVERY:
            rows[output_key(point)] = encode_entry(Bundle(holder, issuance, device, start, end, 10**9, 10**9, 0))
        else:
            rows[spent_key(point)] = encode(SpentRow(bytes(32), 0, 1, "retire", holder, ()))
        if len(rows) >= BATCH:
            store.write(rows, sync=False)
            rows = {}
    store.write({**rows, META_KEY: encode(_meta(0))}, sync=False)
    return devices


def _fill_records(store: LevelStore, devices: int, issues: int, quantity: int) -> None:
    expiry = Expiry("issue", 12, 18)
    rows: dict[bytes, bytes | None] = {
        PARAMETERS_KEY: encode_entry(PARAMETERS),
        scheme_key(1): encode_entry(
            Scheme(1, "ANY", "MWh", 10**6, 9, "EUR", expiry, True, 0, "verified", (10_000, 0, 0), 0, 0, 0)
        ),
    }
    for holder in range(1, HOLDERS + 1):
        rows[participant_key(holder)] = encode_entry(Participant(holder, bytes(32), f"holder {holder}", "DK", b"", 0))
    for device in range(1, devices + 1):
        technology, fuel = SOURCES[device % len(SOURCES)]
        facts = DeviceFacts(
            name=f"plant {device}",
            gsrn="",
            country="DK",
            zone=f"DK{device % 2 + 1}",
            location="",
            fuel=fuel,
            technology=technology,
            capacity_w=10**6,
            commissioned_day=0,
            interval_s=3_600,
            channels=1,
            latitude_udeg=0,
            longitude_udeg=0,
            coordinates_estimated=False,
            tilt_udeg=-1,
            azimuth_udeg=-1,
            hub_height_cm=0,
            insolation_source="none",
            support="",
        )
        rows[device_key(device)] = encode_entry(Device(device, 1, 1, facts, 10**9, issues * quantity + 1, b"", 0, 0))
        for issue in range(issues):
            number = (device - 1) * issues + issue + 1
            start, day = issue * quantity + 1, issue * 86_400
            rows[issuance_key(number)] = encode_entry(
                Issuance(
                    number,
                    device,
                    1,
                    197001,
                    start,
                    start + quantity - 1,
                    day,
                    day + 86_400,
                    day + 90_000,
                    10**9,
                    10**9,
                    1,
                    bytes(32),
                    (),
                    bytes(32),
                )
            )
    store.write(rows, sync=False)


def _meta(height: int) -> Meta:
    return Meta(FORMAT, bytes(32), 0, height, bytes(32), 0, bytes(32), b"", 0)


def _point(device: int, start: int) -> bytes:
    return outpoint(device.to_bytes(16, "big") + start.to_bytes(16, "big"), 0)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else BUNDLES)
