"""The file of a chain: whole or refused, read in any pieces, and small in memory."""

import pytest
from harness.busy import BusyTown
from harness.finalized import FinalizedWorld

from node.auditing.chain_file import (
    MAGIC,
    ChainBlock,
    ChainFileDamaged,
    ChainRecord,
    End,
    chain_bytes,
    chain_records,
    final_height,
    read_records,
    reader_of,
)
from state.errors import Unknown
from state.keyspace import block_key


@pytest.fixture(scope="module")
def town() -> BusyTown:
    made = BusyTown(1)
    made.live_on(4)
    return made


@pytest.fixture(scope="module")
def data(town: BusyTown) -> bytes:
    return b"".join(chain_bytes(chain_records(town.store, town.genesis_text, town.height)))


def read(data: bytes, size: int = 1 << 20) -> list[ChainRecord]:
    return list(read_records(reader_of(data[at : at + size] for at in range(0, len(data), size))))


@pytest.mark.parametrize("size", [1, 7, 4_096, 1 << 20])
def test_what_is_read_is_what_was_written(town: BusyTown, data: bytes, size: int) -> None:
    records = read(data, size)
    blocks = [record.block for record in records if isinstance(record, ChainBlock)]
    assert [block.header.height for block in blocks] == list(range(1, town.height + 1))
    assert blocks[-1] == town.ledger.block_at(town.height)
    assert records[-1] == End(town.height, town.ledger.tip.hash)
    assert b"".join(chain_bytes(records)) == data


def test_refuses_a_file_that_was_cut_anywhere(data: bytes) -> None:
    for length in [*range(200), *range(200, len(data), 97)]:
        with pytest.raises(ChainFileDamaged):
            read(data[:length])


def test_refuses_what_goes_on_after_its_end(data: bytes) -> None:
    with pytest.raises(ChainFileDamaged, match="after its end"):
        read(data + b"\x00")


def test_refuses_other_files_and_records() -> None:
    for other in (
        b"",
        b"PK\x03\x04",
        b"wattest-chain/2\n",
        MAGIC + b"\xff\xff\xff\xff",
        MAGIC + b"\x00\x00\x00\x01\xc0",
    ):
        with pytest.raises(ChainFileDamaged):
            read(other)


def test_ends_with_the_newest_block_that_has_its_own_finalization() -> None:
    world = FinalizedWorld()
    world.register("owner")
    final = world.height
    world.finalizes = False
    world.block()
    assert (final_height(world.store), world.height) == (final, final + 1)


def test_refuses_to_write_around_a_block_that_is_not_held() -> None:
    world = FinalizedWorld()
    world.register("owner")
    world.store.write({block_key(1): None})
    with pytest.raises(Unknown):
        list(chain_records(world.store, world.genesis_text, world.height))
