"""Where is certificate N? Asked of the index at a million bundles, beside a bare LevelDB get of the same store.

python -m bench.where [BUNDLES]          one JSON line
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from state.history import where
from state.keyspace import number_key, output_key
from state.outputs import Bundle, outpoint
from state.store import LevelStore, encode_entry, open_store

BUNDLES = 1_000_000
ASKED = 20_000
BATCH = 20_000
DEVICE = 1


def main(bundles: int) -> None:
    seed = 7
    with tempfile.TemporaryDirectory() as directory:
        store = open_store(Path(directory) / "store")
        _fill(store, bundles)
        serials = [random.Random(seed).randint(1, bundles) for _ in range(ASKED)]
        bare = _seconds(lambda serial: store.get_raw(number_key(DEVICE, serial)), serials)
        found = _seconds(lambda serial: where(store, DEVICE, serial), serials)
        store.close()
    line = {
        "bundles": bundles,
        "asked": ASKED,
        "seed": seed,
        "leveldb_get_us": round(bare * 1e6, 1),
        "where_us": round(found * 1e6, 1),
    }
    print(json.dumps(line))


def _fill(store: LevelStore, bundles: int) -> None:
    """Bundles of one certificate each: the widest index that this many can have."""
    for first in range(1, bundles + 1, BATCH):
        rows: dict[bytes, bytes | None] = {}
        for serial in range(first, min(first + BATCH, bundles + 1)):
            point = outpoint(serial.to_bytes(32, "big"), 0)
            rows[number_key(DEVICE, serial)] = serial.to_bytes(8, "big") + point
            rows[output_key(point)] = encode_entry(Bundle(1, 1, DEVICE, serial, serial, 10**9, 10**9, 0))
        store.write(rows, sync=False)


def _seconds(ask: Callable[[int], object], serials: list[int]) -> float:
    """The mean of one question, none of them answered by nothing."""
    start = time.perf_counter()
    missing = sum(ask(serial) is None for serial in serials)
    assert not missing
    return (time.perf_counter() - start) / len(serials)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else BUNDLES)
