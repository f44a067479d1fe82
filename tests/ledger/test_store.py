"""Both stores behave alike, the decoded entries stay true, and damage or misuse is said in words."""

import multiprocessing
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import plyvel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state import store as store_module
from state.codec import encode
from state.errors import DiskFailed, StoreError, StoreMismatch
from state.keyspace import META_KEY, Space, committed, counter_key
from state.records import Counter
from state.store import LevelRows, MemoryRows, MemoryStore, Meta, Rows, Store, encode_entry, open_store, read_through

KEY = counter_key("auction")


@pytest.fixture(params=["level", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "state") if request.param == "level" else MemoryStore()
    yield opened
    opened.close()


def test_table_of_key_spaces_is_the_enumeration() -> None:
    rows = re.findall(
        r"^    ([A-Z_]+) +0x([0-9a-f]{2})  (committed|derived) ", store_module.__doc__ or "", re.MULTILINE
    )
    table = {name: (int(byte, 16), kind == "committed") for name, byte, kind in rows}
    assert table == {space.name: (space.value, committed(bytes((space,)))) for space in Space}
    assert len(rows) == len(table)


def test_entries_are_read_back_as_they_were_written(store: Store) -> None:
    store.write({KEY: encode_entry(Counter(7)), counter_key("device"): encode_entry(Counter(9))})
    assert store.get(KEY) == Counter(7)
    assert store.get(counter_key("none")) is None
    assert list(store.scan(b"\x24", b"\x25")) == [(KEY, Counter(7)), (counter_key("device"), Counter(9))]
    assert read_through(store) == 2


def test_a_batch_replaces_deletes_and_forgets_the_decoded_entry(store: Store) -> None:
    store.write({KEY: encode_entry(Counter(1))})
    assert store.get(KEY) == Counter(1)
    store.write({KEY: encode_entry(Counter(2))})
    assert store.get(KEY) == Counter(2)
    store.write({KEY: None, b"\x24never": None})
    assert store.get(KEY) is None
    assert list(store.scan(b"\x24", b"\x25")) == []


def test_entries_handed_over_decoded_are_served_without_reading(store: Store) -> None:
    counter = Counter(5)
    store.write({KEY: encode_entry(counter)}, decoded={KEY: counter})
    assert store.get(KEY) is counter


def test_cache_of_decoded_entries_is_bounded(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    monkeypatch.setattr(store_module, "DECODED_ENTRIES", 8)
    keys = [counter_key(f"{number:03d}") for number in range(50)]
    store.write({key: encode_entry(Counter(number)) for number, key in enumerate(keys)})
    for _ in range(2):
        assert [store.get(key) for key in keys] == [Counter(number) for number in range(50)]
    assert len(store._recent) <= 8
    assert len(store._older) <= 8
    store.write(dict.fromkeys(keys))
    assert all(store.get(key) is None for key in keys)


def test_raw_rows_are_scanned_both_ways(store: Store) -> None:
    rows = {bytes((0x80, number)): bytes((number,)) for number in (1, 3, 5, 7)}
    store.write(rows)
    between = [(b"\x80\x03", b"\x03"), (b"\x80\x05", b"\x05")]
    assert list(store.scan_raw(b"\x80\x02", b"\x80\x07")) == between
    assert list(store.scan_raw(b"\x80\x02", b"\x80\x07", reverse=True)) == between[::-1]
    assert store.get_raw(b"\x80\x07") == b"\x07"


def test_a_scan_sees_the_rows_of_its_beginning(store: Store) -> None:
    store.write({bytes((0x80, number)): b"" for number in range(10)})
    scan = store.scan_raw(b"\x80", b"\x81")
    seen = [next(scan)[0]]
    store.write({bytes((0x80, number)): None for number in range(10)})
    seen += [key for key, _ in scan]
    assert len(seen) == 10


batches = st.lists(
    st.dictionaries(st.binary(min_size=1, max_size=3), st.none() | st.binary(max_size=4), max_size=6), max_size=8
)


@settings(max_examples=30, deadline=None)
@given(batches, st.binary(max_size=3), st.binary(max_size=3), st.booleans())
def test_disk_and_memory_agree(
    tmp_path_factory: pytest.TempPathFactory,
    written: list[dict[bytes, bytes | None]],
    low: bytes,
    high: bytes,
    reverse: bool,
) -> None:
    disk: Rows = LevelRows(tmp_path_factory.mktemp("rows"))
    memory: Rows = MemoryRows()
    try:
        for batch in written:
            disk.write(batch, sync=False)
            memory.write(batch, sync=False)
        assert list(disk.scan_raw(low, high, reverse)) == list(memory.scan_raw(low, high, reverse))
        for batch in written:
            assert [disk.get_raw(key) for key in batch] == [memory.get_raw(key) for key in batch]
    finally:
        disk.close()


def test_written_rows_survive_closing(tmp_path: Path) -> None:
    meta = Meta(1, bytes(32), 0, 4, bytes(32), 9, bytes(32), bytes(2048), 1)
    first = open_store(tmp_path / "state")
    assert first.meta() is None
    first.write({KEY: encode_entry(Counter(1)), META_KEY: encode(meta)})
    first.close()
    again = open_store(tmp_path / "state", create=False)
    assert (again.get(KEY), again.meta()) == (Counter(1), meta)
    again.close()


def test_the_seam_is_passed_before_and_after_each_synced_write(tmp_path: Path) -> None:
    passed: list[bytes | None] = []
    opened = open_store(tmp_path / "state", around_sync=lambda: passed.append(opened.get_raw(b"\x80")))
    opened.write({b"\x80": b"a"}, sync=False)
    opened.write({b"\x80": b"b"}, sync=True)
    opened.close()
    assert passed == [b"a", b"b"]


def test_refuses_a_store_in_use(tmp_path: Path) -> None:
    store = open_store(tmp_path / "state")
    with pytest.raises(StoreError, match="stop that node first"):
        open_store(tmp_path / "state")
    store.close()


def test_refuses_a_missing_store_without_create(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        open_store(tmp_path / "state", create=False)
    assert not (tmp_path / "state").exists()


def test_refuses_a_damaged_manifest(tmp_path: Path) -> None:
    _filled(tmp_path / "state")
    manifest = next((tmp_path / "state").glob("MANIFEST-*"))
    damaged = bytearray(manifest.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    manifest.write_bytes(damaged)
    with pytest.raises(StoreMismatch, match="damaged"):
        open_store(tmp_path / "state")


def test_refuses_a_flipped_byte_in_the_log(tmp_path: Path) -> None:
    store = open_store(tmp_path / "state")
    for number in range(200):
        store.write({b"\x80" + bytes((number,)): bytes(500)})
    store.close()
    log = max((tmp_path / "state").glob("*.log"), key=lambda path: path.stat().st_size)
    damaged = bytearray(log.read_bytes())
    damaged[len(damaged) // 3] ^= 0xFF
    log.write_bytes(damaged)
    with pytest.raises(StoreMismatch, match="damaged"):
        open_store(tmp_path / "state")


def test_refuses_a_damaged_table_when_it_is_read(tmp_path: Path) -> None:
    _filled(tmp_path / "state")
    for table in (tmp_path / "state").glob("*.ldb"):
        damaged = bytearray(table.read_bytes())
        damaged[100] ^= 0xFF
        table.write_bytes(damaged)
    store = open_store(tmp_path / "state")
    with pytest.raises(StoreMismatch, match="damaged"):
        list(store.scan_raw(b"\x80", b"\x81"))
    store.close()


def test_a_failing_disk_is_said_and_leaves_the_old_rows(tmp_path: Path) -> None:
    opened = open_store(tmp_path / "state")
    opened.write({KEY: encode_entry(Counter(1))})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))  # as a full disk would, further writes to the log fail
    try:
        with pytest.raises(DiskFailed, match="free or replace the disk") as failed:
            opened.write({KEY: encode_entry(Counter(2)), b"\x80": bytes(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert failed.value.exit_code == 70
    assert opened.get(KEY) == Counter(1)
    opened.close()


def test_refuses_a_row_that_is_no_entry(store: Store) -> None:
    store.write({KEY: b"\xc1"})
    with pytest.raises(StoreMismatch, match="no entry"):
        store.get(KEY)
    store.write({META_KEY: b"\x90"})
    with pytest.raises(StoreMismatch, match="meta"):
        store.meta()


def test_a_process_killed_before_the_write_leaves_the_old_rows_and_after_it_the_new(tmp_path: Path) -> None:
    for crash_at, expected in ((3, b"one"), (4, b"two")):
        path = tmp_path / str(crash_at)
        child = multiprocessing.get_context("spawn").Process(target=_write_twice, args=(path, crash_at))
        child.start()
        child.join(30)
        assert child.exitcode == 137
        store = open_store(path, create=False)
        assert store.get_raw(b"\x80") == expected
        store.close()


def _write_twice(path: Path, crash_at: int) -> None:
    import os

    os.environ["WATTEST_CRASH_AT"] = str(crash_at)
    from node.faults import crash_point

    store = open_store(path, around_sync=crash_point)
    store.write({b"\x80": b"one"})
    store.write({b"\x80": b"two"})


def _filled(path: Path) -> None:
    """A store whose rows lie in table files, not only in the log."""
    store = open_store(path)
    store.write({b"\x80" + number.to_bytes(4, "big"): bytes(200) for number in range(5_000)})
    store.close()
    database = plyvel.DB(str(path))
    database.compact_range()
    database.close()
