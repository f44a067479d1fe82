"""A node opens its data: it goes on where it stood, whenever it died, and never on data that do not fit together."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness.chain import LedgerWorld, genesis_and_chain
from harness.world import ROOT, genesis_json
from msgspec.structs import replace

from node.ledger import LINKS_CHECKED, Ledger
from state.codec import encode
from state.errors import StoreMismatch
from state.keyspace import META_KEY, block_key, participant_key
from state.store import MemoryStore, Meta, Store, open_store

LIFE = """
import sys
from pathlib import Path
from harness.chain import LedgerWorld
from node.faults import crash_point
from state.store import open_store

world = LedgerWorld(open_store(Path(sys.argv[1]), around_sync=crash_point))
for name in ("plant", "trader", "consumer"):
    world.register(name)
print(world.ledger.tip.height)
"""
WRITES = 4  # block 0 and one block for each name


def test_a_ledger_on_disk_goes_on_where_it_stood(tmp_path: Path) -> None:
    world = LedgerWorld(open_store(tmp_path / "state"))
    world.with_bundles()
    tip = world.ledger.tip
    world.ledger.close()
    again = Ledger.open(open_store(tmp_path / "state", create=False), *genesis_and_chain(genesis_json()))
    assert again.tip == tip
    again.audit()
    again.commit(again.build(tip.hash, [], tip.header.timestamp_ms + 5, 3), b"votes", tip.view + 1)
    again.close()


@pytest.mark.parametrize("crash_at", range(1, 2 * WRITES + 1))
def test_killed_at_any_crash_point_it_goes_on_with_what_was_written(tmp_path: Path, crash_at: int) -> None:
    """Odd points lie before a synced write, even ones after it."""
    killed = _live(tmp_path, crash_at)
    assert killed.returncode == 137, killed.stderr
    written = crash_at // 2
    ledger = Ledger.open(open_store(tmp_path), *genesis_and_chain(genesis_json()))
    assert ledger.tip.height == max(0, written - 1)
    ledger.audit()
    ledger.close()


def test_without_a_crash_point_it_lives_on(tmp_path: Path) -> None:
    assert _live(tmp_path, 0).stdout.strip() == "3"


def _live(path: Path, crash_at: int) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"WATTEST_CRASH_AT": str(crash_at), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    return subprocess.run(
        [sys.executable, "-c", LIFE, str(path)], env=environment, capture_output=True, text=True, timeout=60
    )


# --- data that do not fit together


@pytest.fixture(name="store")
def _store() -> Store:
    world = LedgerWorld()
    world.with_bundles()
    return world.ledger.store


def reopen(store: Store) -> Ledger:
    return Ledger.open(store, *genesis_and_chain(genesis_json()))


def change_meta(store: Store, **fields: object) -> None:
    meta = store.meta()
    assert isinstance(meta, Meta)
    store.write({META_KEY: encode(replace(meta, **fields))})


def test_untouched_data_open(store: Store) -> None:
    assert reopen(store).tip.height > LINKS_CHECKED / 2


def test_refuses_data_of_another_chain(store: Store) -> None:
    with pytest.raises(StoreMismatch, match="use the genesis that this home was made with") as refused:
        Ledger.open(store, *genesis_and_chain(genesis_json(max_outputs=7)))
    assert refused.value.exit_code == 71


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"format": 2}, "format 2"),
        ({"hash": bytes(32)}, "missing or not the one"),
        ({"height": 2}, "missing or not the one"),
        ({"height": 10**9}, "missing or not the one"),
        ({"state_root": bytes(32)}, "state root"),
        ({"lthash": bytes(2048)}, "state root"),
        ({"entry_count": 5}, "rows were lost"),
    ],
)
def test_refuses_meta_that_does_not_fit(store: Store, fields: dict[str, object], why: str) -> None:
    change_meta(store, **fields)
    with pytest.raises(StoreMismatch, match=why):
        reopen(store)


def test_refuses_data_with_a_lost_entry(store: Store) -> None:
    store.write({participant_key(5): None})
    with pytest.raises(StoreMismatch, match="rows were lost"):
        reopen(store)


def test_refuses_data_with_a_lost_block(store: Store) -> None:
    meta = store.meta()
    assert meta is not None
    store.write({block_key(meta.height - 3): None})
    with pytest.raises(StoreMismatch, match=f"block {meta.height - 3} is missing"):
        reopen(store)


def test_refuses_a_block_that_cannot_be_read(store: Store) -> None:
    meta = store.meta()
    assert meta is not None
    store.write({block_key(meta.height): b"\x90"})
    with pytest.raises(StoreMismatch, match="not readable"):
        reopen(store)


def test_refuses_an_older_block_in_the_place_of_a_newer_one(store: Store) -> None:
    meta = store.meta()
    assert meta is not None
    store.write({block_key(meta.height): store.get_raw(block_key(meta.height - 1))})
    with pytest.raises(StoreMismatch, match="missing or not the one"):
        reopen(store)


def test_refuses_rows_without_meta(store: Store) -> None:
    store.write({META_KEY: None})
    with pytest.raises(StoreMismatch, match="no meta row"):
        reopen(store)


def test_audit_finds_a_changed_entry_that_opening_cannot_see(store: Store) -> None:
    changed = store.get_raw(participant_key(4))
    store.write({participant_key(5): changed})
    ledger = reopen(store)
    with pytest.raises(StoreMismatch, match="sum up"):
        ledger.audit()


def test_an_empty_store_begins_and_is_complete_at_once() -> None:
    store = MemoryStore()
    reopen(store)
    meta = store.meta()
    assert meta is not None
    assert (meta.height, meta.format) == (0, 1)
