"""Rows at any height: an archive of versions against a store that stopped there."""

from collections.abc import Iterator
from pathlib import Path

from harness.finalized import FinalizedWorld, lively_world
from hypothesis import given
from hypothesis import strategies as st

from node.ledger import Ledger
from state.block import decode_block
from state.keyspace import META_KEY, Space, block_key, finalization_key
from state.store import LevelRows, MemoryRows, MemoryStore, Store
from state.versions import ONCE, Archive, RowsAt, newest_height

SPACE = Space.ROLE  # one with keys of any bytes
KEYS = st.binary(max_size=3).map(lambda rest: bytes((SPACE,)) + rest)
BATCHES = st.lists(st.dictionaries(KEYS, st.none() | st.binary(max_size=2), max_size=6), min_size=1, max_size=8)


@given(BATCHES, KEYS, KEYS)
def test_rows_of_any_height_are_those_of_a_store_that_stopped_there(
    batches: list[dict[bytes, bytes | None]], low: bytes, high: bytes
) -> None:
    archive, stopped = MemoryRows(), MemoryRows()
    growing = Archive(archive, MemoryStore())
    for height, batch in enumerate(batches):
        growing.write({**batch, META_KEY: b"%d" % height})
        stopped.write(batch)
        assert growing.height == height == newest_height(archive)
        for key in (low, high, *batch):
            assert growing.get_raw(key) == stopped.get_raw(key)
    again = MemoryRows()
    for height, batch in enumerate(batches):
        again.write(batch)
        then = RowsAt(archive, MemoryStore(), height)
        assert list(then.scan_raw(b"\x00", b"\x80")) == list(again.scan_raw(b"\x00", b"\x80"))
        for reverse in (False, True):
            assert list(then.scan_raw(low, high, reverse)) == list(again.scan_raw(low, high, reverse))


def test_every_height_of_a_lively_chain_is_what_a_node_stopped_there_holds() -> None:
    """Every row of the state, of the indexes and of the meta, at every height, after each block was executed again."""
    world = lively_world()
    archive = MemoryRows()
    replayed = Ledger.open(Store(Archive(archive, world.store)), world.parsed_genesis, world.chain)
    stopped = Ledger.open(MemoryStore(), world.parsed_genesis, world.chain)
    for height in range(1, world.height + 1):
        block = decode_block(world.store.get_raw(block_key(height)) or b"")
        votes = world.store.get_raw(finalization_key(height)) or b""
        for ledger in (replayed, stopped):
            ledger.check(block, certified=True)
            ledger.commit(block, votes, height)
        if height % 4 == 0 or height == world.height:
            then = RowsAt(archive, world.store, height)
            assert list(rows_of(then)) == list(rows_of(stopped.store))
            assert Store(then).meta() == stopped.store.meta()
    assert stopped.tip.hash == world.ledger.tip.hash
    earlier = RowsAt(archive, world.store, 3)
    assert earlier.get_raw(block_key(4)) is None
    assert earlier.get_raw(block_key(3)) == world.store.get_raw(block_key(3))


def test_a_scan_backwards_meets_the_row_at_its_start_on_disk_as_in_memory(tmp_path: Path) -> None:
    rows = LevelRows(tmp_path / "rows")
    rows.write({bytes((letter,)): b"1" for letter in b"abc"})
    memory = MemoryRows()
    memory.write({bytes((letter,)): b"1" for letter in b"abc"})
    for low, high in ((b"b", b"c"), (b"c", b"z"), (b"a", b"b"), (b"a", b"z"), (b"b", b"b")):
        assert list(rows.scan_raw(low, high, True)) == list(memory.scan_raw(low, high, True))
    rows.close()


def test_blocks_are_not_copied() -> None:
    world = FinalizedWorld()
    world.operators()
    archive = MemoryRows()
    Ledger.open(Store(Archive(archive, world.store)), world.parsed_genesis, world.chain)
    assert not [key for key, _ in archive.scan_raw(b"", b"\xff" * 9) if key[0] in ONCE]


def rows_of(store: RowsAt | Store) -> Iterator[tuple[bytes, bytes]]:
    for space in Space:
        if space != Space.BASE:
            yield from store.scan_raw(bytes((space,)), bytes((space + 1,)))
