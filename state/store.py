"""What a node keeps on disk: one ordered map of bytes, written once per block, in one synced batch.

Key spaces (`state/keyspace.py`); a key is the byte of its space and then big-endian ids. Committed spaces enter the
state hash and snapshots, derived ones can be rebuilt from the blocks:

    space           byte  kind       key after the byte                  value
    OUTPUT          0x01  committed  outpoint                            Output
    PARAMETERS      0x10  committed  -                                   Parameters
    VALIDATOR       0x11  committed  index u16                           Validator
    SCHEME          0x12  committed  scheme u32                          Scheme
    PARTICIPANT     0x13  committed  participant u32                     Participant
    KEY_OWNER       0x14  committed  public key                          KeyOwner
    ROLE            0x15  committed  participant u32, role               RoleGrant
    DEVICE          0x16  committed  device u32                          Device
    METER           0x17  committed  device u32                          Meter
    GATEWAY         0x18  committed  gateway u32                         Gateway
    PROPOSAL        0x19  committed  proposal u32                        Proposal
    AUCTION         0x1a  committed  auction u32                         Auction
    AUCTION_ORDER   0x1b  committed  auction u32, number u32             Pointer
    AUCTION_MEMBER  0x1c  committed  auction u32, participant u32        Counter
    ISSUANCE        0x1d  committed  issuance u64                        Issuance
    MONTH_ENERGY    0x1e  committed  device u32, month u32               MonthEnergy
    RELEASE         0x1f  committed  device u32, day u32, step, revision Release
    STATEMENT       0x20  committed  statement id                        Statement
    REFERENCE       0x21  committed  kind, operator u32, reference       Used, Counter, OpenProposals
    OUTPUT_COUNT    0x22  committed  participant u32                     Counter
    GSRN            0x23  committed  18 digits                           KeyOwner
    COUNTER         0x24  committed  name of the sequence                Counter
    EXPIRY          0x25  committed  retire_until u64, outpoint          Pointer
    DELIVERY        0x26  committed  sequence u64                        Pointer
    AUCTION_CLOSE   0x27  committed  closes_at u64, auction u32          Counter
    AUCTION_WAITING 0x28  committed  auction u32                         Counter
    NEXT_VALIDATORS 0x29  committed  -                                   NextValidators
    EPOCH_SET       0x2a  committed  epoch u64                           EpochSet
    KEY_CHANGE      0x2b  committed  kind, subject u32, number u32       KeyChange
    RECOVERY        0x2c  committed  participant u32                     PendingRecovery
    RECOVERY_DUE    0x2d  committed  due_at u64, participant u32         Counter
    APPEAL          0x2e  committed  device u32, day u32, step, revision Appeal
    DEBT            0x2f  committed  device u32                          Debt
    DEBT_DUE        0x30  committed  due_at u64, device u32              Counter
    CREDIT          0x31  committed  device u32, day u32                 Credit
    SECURITY        0x32  committed  device u32, outpoint                Pointer
    PRICE           0x33  committed  scheme u32                          Counter
    AMENDMENT       0x34  committed  statement id                        Amendment
    STANDING        0x35  committed  device u32, number u32              Standing
    USAGE_METER     0x36  committed  meter u32                           ConsumptionMeter
    CONSUMPTION     0x37  committed  meter u32, day u32                  Consumption
    STANDING_BID    0x38  committed  scheme u32, number u32              StandingBid
    LISTING         0x39  committed  outpoint                            Pointer to a posted lot
    OBLIGATION      0x3a  committed  auction u32, buyer u32              Obligation
    OBLIGATION_PIECE 0x3b  committed  auction u32, buyer u32, number u32  Pointer to a reserved piece
    OBLIGATION_DUE  0x3c  committed  due_at u64, auction u32, buyer u32  Counter
    OBLIGATION_WORK 0x3d  committed  auction u32, buyer u32              Counter
    STRIKES         0x3e  committed  participant u32                     Strikes
    SESSIONS        0x3f  committed  scheme u32                          Sessions
    ESCROW_SET      0x40  committed  auction u32, epoch u64              EscrowSet
    ESCROW_SHARES   0x41  committed  auction, epoch, validator u16, page SharePage
    ESCROW_WALK     0x42  committed  auction u32, epoch u64              Counter
    DEPOSIT_LIMIT   0x43  committed  -                                   Counter, where the genesis says one
    DEPOSITED       0x44  committed  participant u32, currency, month    Counter
    NUMBER          0x80  derived    device u32, first serial u64        last serial u64, outpoint (dead ones stay)
    SPENT           0x81  derived    outpoint                            history.SpentRow
    TRANSACTION     0x82  derived    txid                                height u64, index u32
    EVENTS          0x83  derived    height u64                          the block's events
    HOLDING         0x84  derived    participant u32, outpoint           kind of the live output
    BLOCK           0x85  derived    height u64                          Block
    FINALIZATION    0x86  derived    height u64                          the quorum's votes, as consensus encodes them
    BLOCK_HASH      0x87  derived    block hash                          height u64
    ISSUED          0x88  derived    device u32, first serial u64        history.IssuedRow
    VOTE_KEYS       0x89  derived    epoch u64                           vote keys in order, for proofs
    HEADER          0x8a  derived    height u64                          kept.KeptHeader, where the body is not kept
    CARRIED         0x8b  derived    device u32, first serial u64        as NUMBER, issuance u64: where histories begin
    BASE            0x8c  derived    -                                   kept.Base, where something is not kept
    META            0xf0  derived    -                                   Meta

Where the data came back is checked, not hoped: `Meta` stands in every batch and `node/ledger.py` compares it at open
with the newest block. The only importer of plyvel, and the only file below `node/` that touches the disk.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
import plyvel

from state.codec import Wire, decode, encode
from state.errors import DecodeError, DiskFailed, HomeInUse, StoreError, StoreMismatch
from state.keyspace import META_KEY, Entry
from state.units import U16, U64, Hash

FORMAT = 1  # of everything above; a node refuses data of another one

WRITE_BUFFER_BYTES = 4 * 1024 * 1024  # up to two of these; a larger one falls out of the processor's caches
TABLE_BYTES = WRITE_BUFFER_BYTES  # a full buffer is one table; with tables of half of it compacting costs 25 % more
LOADING_BUFFER_BYTES = 64 * 1024 * 1024  # while a whole state is loaded: fewer tables to merge afterwards
BLOCK_CACHE_BYTES = 32 * 1024 * 1024
BLOOM_BITS = 10  # 1 % false positives: most lookups of new ids miss without touching the disk
DECODED_ENTRIES = 65_536  # per generation, about 30 MB: recent outputs are the ones that move next

Batch = Mapping[bytes, bytes | None]  # None deletes


class Meta(Wire, frozen=True):
    """Where the stored ledger stands. `lthash` saves summing all entries again at every start."""

    format: U16
    chain: Hash
    epoch: U64
    height: U64
    hash: Hash
    view: U64
    state_root: Hash
    lthash: bytes
    entry_count: U64  # committed entries


class Rows(Protocol):
    """An ordered map of bytes with atomic batches: on disk or in memory."""

    def get_raw(self, key: bytes) -> bytes | None: ...

    def scan_raw(self, low: bytes, high: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Rows with low <= key < high in the order of the keys, or backwards; as they are when the scan begins."""

    def write(self, batch: Batch, sync: bool = True) -> None:
        """All of the batch or nothing; durable on return if `sync`."""

    def frozen(self) -> "FrozenRows":
        """The rows as they are now, whatever is written later; `close` it, or the disk keeps what was overwritten."""

    def close(self) -> None: ...


class FrozenRows(Protocol):
    """Rows as they once were."""

    def scan_raw(self, low: bytes, high: bytes) -> Iterator[tuple[bytes, bytes]]: ...

    def close(self) -> None: ...


class Store:
    """The ledger's state over some rows: a Snapshot of decoded entries, and the raw rows of the derived spaces."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._recent: dict[bytes, Entry] = {}
        self._older: dict[bytes, Entry] = {}
        self.syncs = 0  # since it was opened
        self.get_raw = rows.get_raw
        self.scan_raw = rows.scan_raw
        self.frozen = rows.frozen

    def get(self, key: bytes) -> Entry | None:
        entry = self._recent.get(key)
        if entry is not None:
            return entry
        entry = self._older.get(key)
        if entry is None:
            data = self.get_raw(key)
            if data is None:
                return None
            entry = decode_entry(key, data)
        self._remember(key, entry)
        return entry

    def scan(self, low: bytes, high: bytes) -> Iterator[tuple[bytes, Entry]]:
        for key, data in self.scan_raw(low, high):
            yield key, decode_entry(key, data)

    def write(self, batch: Batch, sync: bool = True, decoded: Mapping[bytes, Entry] | None = None) -> None:
        """One batch. `decoded` may give entries that it puts as objects, so that the next reads need no decoding."""
        self._rows.write(batch, sync)
        self.syncs += sync
        fresh = decoded or {}
        recent, older = self._recent, self._older
        for key in batch:
            if key[0] < 0x80 and key not in fresh:
                recent.pop(key, None)
                older.pop(key, None)
        if len(recent) + len(fresh) > DECODED_ENTRIES:
            self._older, self._recent = recent, {}
        self._recent.update(fresh)

    def meta(self) -> Meta | None:
        """None in a store that was never written; StoreMismatch where it cannot be read."""
        data = self.get_raw(META_KEY)
        if data is None:
            return None
        try:
            return decode(Meta, data)
        except DecodeError as error:
            raise StoreMismatch(why=f"its meta row is not readable ({error})") from None

    def close(self) -> None:
        self._rows.close()

    def _remember(self, key: bytes, entry: Entry) -> None:
        # Two generations instead of a linked list: what was used since the last turn survives the next one.
        if len(self._recent) >= DECODED_ENTRIES:
            self._older, self._recent = self._recent, {}
        self._recent[key] = entry


class LevelStore(Store):
    """On disk."""

    def __init__(self, path: Path, create: bool = True, around_sync: Callable[[], None] | None = None) -> None:
        super().__init__(LevelRows(path, create, around_sync))


class MemoryStore(Store):
    """The same in memory, for tests and simulations."""

    def __init__(self) -> None:
        super().__init__(MemoryRows())


def open_store(path: Path, create: bool = True, around_sync: Callable[[], None] | None = None) -> LevelStore:
    """The store in the folder `path`. StoreError says what to do. `around_sync` is called before and after each
    synced write: the seam at which tests make the process die."""
    return LevelStore(path, create, around_sync)


_entry_decoder: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(Entry)


def repair_folder(path: Path) -> None:
    """Let LevelDB make what it can of a damaged folder. It cannot tell what the parts held that it sets aside."""
    try:
        plyvel.repair_db(str(path), paranoid_checks=False)
    except (plyvel.Error, OSError) as error:
        raise _why_unusable(path, error) from None


def encode_entry(entry: Entry) -> bytes:
    return encode(entry)


def decode_entry(key: bytes, data: bytes) -> Entry:
    """An entry that this node wrote itself, so without proof that it is canonical. StoreMismatch if it is not one."""
    try:
        return _entry_decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StoreMismatch(why=f"row {key.hex()} is no entry ({error})") from None


class LevelRows:
    """LevelDB, every read compared with its checksum: without that a flipped bit on the disk is served as a balance.
    Every error becomes a StoreError; none is retried, as a second try may succeed although data is lost."""

    def __init__(
        self,
        path: Path,
        create: bool = True,
        around_sync: Callable[[], None] | None = None,
        write_buffer: int = WRITE_BUFFER_BYTES,
    ) -> None:
        if create:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        elif not path.is_dir():
            raise StoreError(why=f"{path} does not exist; start the node once, or check --home")
        if not (path / "CURRENT").exists() and any(path.glob("[0-9]*.ldb")):
            # LevelDB would begin an empty database here, and delete the tables that it does not know.
            raise StoreMismatch(why=f"{path / 'CURRENT'} is missing beside tables with data", path=str(path))
        self._path = path
        self._around_sync = around_sync
        try:
            self._db = plyvel.DB(
                str(path),
                create_if_missing=create,
                paranoid_checks=True,  # without it a damaged log opens with rows silently gone
                bloom_filter_bits=BLOOM_BITS,
                write_buffer_size=write_buffer,
                max_file_size=TABLE_BYTES,
                lru_cache_size=BLOCK_CACHE_BYTES,
                compression=None,  # keys and values are mostly hashes and signatures, which do not compress
            )
        except (plyvel.Error, OSError) as error:
            raise _why_unusable(path, error) from None

    def get_raw(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._db.get(key, verify_checksums=True)
        except (plyvel.Error, OSError) as error:
            raise self._damaged(error) from None
        return value

    def scan_raw(self, low: bytes, high: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        try:
            if not reverse:
                with self._db.iterator(start=low, stop=high, verify_checksums=True) as rows:
                    yield from rows
                return
            # Without a start: plyvel leaves out a row at the very start where it is the only one.
            with self._db.iterator(stop=high, reverse=True, verify_checksums=True) as rows:
                for row in rows:
                    if row[0] < low:
                        return
                    yield row
        except (plyvel.Error, OSError) as error:
            raise self._damaged(error) from None

    def write(self, batch: Batch, sync: bool = True) -> None:
        if sync and self._around_sync is not None:
            self._around_sync()
        try:
            with self._db.write_batch(sync=sync, transaction=True) as rows:
                for key, value in batch.items():
                    if value is None:
                        rows.delete(key)
                    else:
                        rows.put(key, value)
        except (plyvel.Error, OSError) as error:
            raise DiskFailed(why=f"writing to {self._path} ({error})") from None
        if sync and self._around_sync is not None:
            self._around_sync()

    def frozen(self) -> "FrozenRows":
        return FrozenLevelRows(self._db.snapshot(), self._damaged)

    def close(self) -> None:
        self._db.close()

    def _damaged(self, error: Exception) -> StoreError:
        return _why_unusable(self._path, error)


class FrozenLevelRows:
    """A LevelDB snapshot: it costs nothing but the rows that are overwritten before it is closed."""

    def __init__(self, snapshot: Any, damaged: Callable[[Exception], StoreError]) -> None:
        self._snapshot, self._damaged = snapshot, damaged

    def scan_raw(self, low: bytes, high: bytes) -> Iterator[tuple[bytes, bytes]]:
        try:
            with self._snapshot.iterator(start=low, stop=high, verify_checksums=True, fill_cache=False) as rows:
                yield from rows
        except (plyvel.Error, OSError) as error:
            raise self._damaged(error) from None

    def close(self) -> None:
        self._snapshot.close()


# What the system says of a disk that fails or is full; any other error of reading is damage in the files.
DISK_SAYS = (
    "input/output error",
    "no space left",
    "quota exceeded",
    "read-only file system",
    "permission denied",
    "too many open files",
    "cannot allocate memory",
)


def _why_unusable(path: Path, error: Exception) -> StoreError:
    """A lock is somebody else's, a disk that fails may come back (exit code 70), damaged files do not (71)."""
    text = str(error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else error)
    if text.lower().startswith("io error: lock "):
        return HomeInUse(why=f"another process holds {path}; stop that node first")
    if any(words in text.lower() for words in DISK_SAYS):
        return DiskFailed(why=f"{path} cannot be read ({text})")
    return StoreMismatch(why=f"{path} is damaged ({text})", path=str(path))


class MemoryRows:
    """A dict and its sorted keys."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []

    def get_raw(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def scan_raw(self, low: bytes, high: bytes, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        keys = self._keys[bisect_left(self._keys, low) : bisect_left(self._keys, high)]
        found = [(key, self._values[key]) for key in keys]
        yield from reversed(found) if reverse else found

    def write(self, batch: Batch, sync: bool = True) -> None:
        for key, value in batch.items():
            known = key in self._values
            if value is None:
                if known:
                    del self._values[key]
                    del self._keys[bisect_left(self._keys, key)]
                continue
            self._values[key] = value
            if not known:
                insort(self._keys, key)

    def frozen(self) -> "MemoryRows":
        copy = MemoryRows()
        copy._values, copy._keys = dict(self._values), list(self._keys)
        return copy

    def close(self) -> None:
        """Nothing to give back."""


def read_through(store: Store) -> int:
    """The number of committed entries, found by reading every row of every space once: some seconds per ten million.

    LevelDB compares its checksums only with what is read, so damage in a row that nobody asks for would lie there
    unnoticed until somebody does.
    """
    committed = sum(1 for _ in store.scan_raw(b"\x00", b"\x80"))
    for _ in store.scan_raw(b"\x80", b"\xff"):
        pass
    return committed
