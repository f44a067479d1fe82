"""A state that is being put together beside the one in use, and the moment at which it takes its place.

    HOME/data/state.new    grows chunk by chunk; nothing reads it. After a death it is thrown away and begun again
    HOME/data/state        the one in use
    HOME/data/state.old    the one before, between two renames

It takes its place by rename, after the sum of its entries was found to be the state root of a final header and all its
files were synced. So HOME/data/state is at every moment one whole state or the other: see `settle` for each place where
a death can fall.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from consensus.light import Hop
from contracts.genesis import Genesis
from contracts.membership import validators_in
from node.faults import RealDisk, crash_point
from node.ledger import genesis_block
from node.wire import Snapshot
from state.block import encode_block, header_hash
from state.codec import encode
from state.epochs import ends_epoch
from state.errors import ConsensusRefusal, DiskFailed, StoreMismatch
from state.history import derived_rows, rows_of_snapshot
from state.kept import Base, KeptHeader
from state.keyspace import (
    BASE_KEY,
    META_KEY,
    Space,
    block_key,
    committed,
    events_key,
    finalization_key,
    header_key,
    vote_keys_key,
)
from state.lthash import LtHash
from state.outputs import Output
from state.store import FORMAT, LOADING_BUFFER_BYTES, LevelRows, Meta, Store, decode_entry

NEW, CURRENT, OLD = "state.new", "state", "state.old"


class Staging:
    """One attempt, from one peer: `add` in the order of the keys, then `finish`, then `swap_in`."""

    def __init__(self, data: Path) -> None:
        settle(data)
        self._path = data / NEW
        self._rows = LevelRows(self._path, write_buffer=LOADING_BUFFER_BYTES)
        self._total = LtHash()
        self._after = b""
        self.entries = 0

    def add(self, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        """ConsensusRefusal for keys out of order and for what is no entry. A wrong value the sum at the end shows."""
        after = self._after
        for key in keys:
            if key <= after or not committed(key):
                raise ConsensusRefusal(why=f"key {key.hex()} of the state comes out of order, or again, or is none")
            after = key
        self._after = after
        rows: dict[bytes, bytes | None] = dict(zip(keys, values, strict=True))
        for key, value in zip(keys, values, strict=True):
            if key[0] == Space.OUTPUT:
                rows.update(_derived(key, value))
        self._rows.write(rows, sync=False)
        self._total.add(zip(keys, values, strict=True))
        self.entries += len(keys)

    def finish(self, chain: bytes, genesis: Genesis, offer: Snapshot, hops: Sequence[Hop]) -> None:
        """Add what belongs to no entry and make all of it durable; ConsensusRefusal where the sum is another one."""
        header, block_hash = offer.header, header_hash(offer.header)
        if self._total.root() != header.state_root:
            raise ConsensusRefusal(
                why=f"the {self.entries} entries do not sum up to the state root of height {header.height}"
            )
        view = offer.finalization.view
        meta = Meta(
            FORMAT,
            chain,
            header.epoch,
            header.height,
            block_hash,
            view,
            header.state_root,
            self._total.to_bytes(),
            self.entries,
        )
        first, _ = genesis_block(genesis)
        rows = derived_rows(0, header_hash(first.header), (), ())
        rows |= {block_key(0): encode_block(first), events_key(0): encode(())}
        for hop in hops:
            height = hop.header.height
            rows |= derived_rows(height, header_hash(hop.header), (), ())
            rows[header_key(height)] = encode(KeptHeader(hop.header, 0))
            rows[finalization_key(height)] = encode(hop.finalization)
            rows[vote_keys_key(hop.header.epoch + 1)] = encode(hop.next_vote_keys)
        rows |= derived_rows(header.height, block_hash, (), ())
        if ends_epoch(header.height, genesis.parameters.epoch_length):
            after = validators_in(Store(self._rows))
            rows[vote_keys_key(header.epoch + 1)] = encode(tuple(validator.vote_key for validator in after))
        rows[header_key(header.height)] = encode(KeptHeader(header, 0))
        rows[finalization_key(header.height)] = encode(offer.finalization)
        rows[BASE_KEY] = encode(Base(header.height + 1, header.height + 1))
        rows[META_KEY] = encode(meta)
        self._rows.write(rows)
        self._rows.close()
        _sync_all(self._path)

    def discard(self) -> None:
        """Throw away everything that came from this peer."""
        self._rows.close()
        shutil.rmtree(self._path, ignore_errors=True)


def swap_in(data: Path) -> None:
    """The finished state takes the place of the one in use. Two renames, each durable before the next step."""
    disk = RealDisk()
    try:
        if (data / CURRENT).exists():
            disk.replace(data / CURRENT, data / OLD)
            disk.sync_directory(data)
            crash_point()
        disk.replace(data / NEW, data / CURRENT)
        disk.sync_directory(data)
        crash_point()
        shutil.rmtree(data / OLD, ignore_errors=True)
    except OSError as error:
        raise DiskFailed(why=f"{error.strerror} at {data}") from error


def settle(data: Path) -> None:
    """What a death left behind, before the state is opened.

    Before the first rename: the old state is in place, the new one may be half of one, and is thrown away.
    Between the renames: there is no state in use. The old one comes back, for only it is known to be whole.
    After the second one: the new state is in place, the old one goes.
    """
    current, old, new = data / CURRENT, data / OLD, data / NEW
    if old.exists():
        if current.exists():
            shutil.rmtree(old)
        else:
            os.rename(old, current)
    if new.exists():
        shutil.rmtree(new)


def _derived(key: bytes, value: bytes) -> Mapping[bytes, bytes | None]:
    try:
        output = decode_entry(key, value)
    except StoreMismatch:
        raise ConsensusRefusal(why=f"entry {key.hex()} is no output") from None
    if not isinstance(output, Output):
        raise ConsensusRefusal(why=f"entry {key.hex()} is no output")
    return rows_of_snapshot(key[1:], output)


def _sync_all(path: Path) -> None:
    """Rows of earlier batches lie in files that LevelDB has not synced."""
    disk = RealDisk()
    try:
        for file in path.iterdir():
            descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        disk.sync_directory(path)
    except OSError as error:
        raise DiskFailed(why=f"{error.strerror} at {path}") from error
