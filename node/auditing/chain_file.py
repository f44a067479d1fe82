"""A whole chain as one file: the genesis, every block with the votes that made it final, and where it ends.

    "wattest-chain/1\\n", then records: length u32 big-endian ‖ canonical MessagePack of a ChainRecord

The first record is the Beginning, the last the End: a file that was cut has none. Everything in it is covered: the
genesis by the chain id, blocks by the votes, vote keys of later epochs by the header that hands over to them. Written
from a node's store and read without one, record by record, so neither side holds more than a block.
"""

from collections.abc import Callable, Iterable, Iterator

from node.queries.chain import tip_height
from state.block import Block, header_hash
from state.codec import Wire, decode, encode
from state.epochs import ends_epoch
from state.errors import DecodeError, Unknown, WattestError
from state.keyspace import PARAMETERS_KEY, block_key, finalization_key, vote_keys_key
from state.records import Parameters
from state.store import Store
from state.units import MAX_FRAME_BYTES, U16, U64, Hash, Key

MAGIC = b"wattest-chain/1\n"
VERSION = 1
MAX_RECORD = MAX_FRAME_BYTES


class ChainFileDamaged(WattestError):
    code = "chain_file"
    sentence = "The chain file cannot be used: {why}."


class Beginning(Wire, frozen=True, tag="beginning"):
    version: U16
    genesis: bytes  # canonical JSON; its hash is the chain id


class ChainBlock(Wire, frozen=True, tag="block"):
    """`finalization` is empty where a later block's covers this one; `next_vote_keys` stand at the end of an epoch."""

    block: Block
    finalization: bytes
    next_vote_keys: tuple[Key, ...]


class End(Wire, frozen=True, tag="end"):
    height: U64
    hash: Hash


ChainRecord = Beginning | ChainBlock | End


# --- writing


def final_height(store: Store) -> int:
    """The newest height whose own Finalization is held: what lies above it could not be shown to be final."""
    height = tip_height(store)
    while height and not store.get_raw(finalization_key(height)):
        height -= 1
    return height


def chain_records(store: Store, genesis: bytes, height: int) -> Iterator[ChainRecord]:
    """The chain up to `height`. Unknown where this node no longer holds a block."""
    parameters = store.get(PARAMETERS_KEY)
    assert isinstance(parameters, Parameters)
    yield Beginning(VERSION, genesis)
    last = bytes(32)
    for number in range(1, height + 1):
        data = store.get_raw(block_key(number))
        if data is None:
            raise Unknown(what="final block at height", id=number)
        block = decode(Block, data)
        last = header_hash(block.header)
        keys: tuple[bytes, ...] = ()
        if ends_epoch(number, parameters.epoch_length):
            held = store.get_raw(vote_keys_key(number // parameters.epoch_length))
            keys = decode(tuple[Key, ...], held) if held is not None else ()
        yield ChainBlock(block, store.get_raw(finalization_key(number)) or b"", keys)
    yield End(height, last)


def chain_bytes(records: Iterable[ChainRecord]) -> Iterator[bytes]:
    """The file in pieces."""
    yield MAGIC
    for record in records:
        yield framed(record)


def framed(record: ChainRecord) -> bytes:
    data = encode(record)
    return len(data).to_bytes(4, "big") + data


# --- reading


def read_records(read: Callable[[int], bytes]) -> Iterator[ChainRecord]:
    """Records of a file or a stream; `read(n)` gives n bytes, fewer only at the end. ChainFileDamaged otherwise."""
    if read(len(MAGIC)) != MAGIC:
        raise ChainFileDamaged(why="it does not begin like one of version 1")
    number = 0
    while True:
        length = read(4)
        if not length:
            raise ChainFileDamaged(why=f"it breaks off after record {number}: an end is missing")
        size = int.from_bytes(length, "big")
        if len(length) < 4 or size > MAX_RECORD:
            raise ChainFileDamaged(why=f"record {number} has no possible length")
        data = read(size)
        if len(data) < size:
            raise ChainFileDamaged(why=f"it breaks off within record {number}")
        try:
            record: ChainRecord = decode(ChainRecord, data)  # type: ignore[arg-type]
        except DecodeError as error:
            raise ChainFileDamaged(why=f"record {number} is not readable ({error.params['why']!s})") from None
        yield record
        if isinstance(record, End):
            if read(1):
                raise ChainFileDamaged(why="it goes on after its end")
            return
        number += 1


def reader_of(pieces: Iterable[bytes]) -> Callable[[int], bytes]:
    """`read(n)` over pieces of any size, as they come from a socket."""
    source = iter(pieces)
    held = bytearray()

    def read(size: int) -> bytes:
        while len(held) < size:
            piece = next(source, b"")
            if not piece:
                break
            held.extend(piece)
        taken = bytes(held[:size])
        del held[:size]
        return taken

    return read
