"""The write-ahead log of this validator's own votes, of the blocks it voted for and of the quorums it learnt.

Safety rests on it alone: a vote leaves the node only after it is durable here, so a restarted node can never
contradict itself (`consensus/__init__.py`, assurance.md section 2).

    record  = u32 length ‖ u32 CRC-32 of the payload ‖ payload            (big-endian)
    payload = header | batch of one event-loop turn | stored | next
    segment = one file, records in order, the first is the header; the last is `next` once a newer segment exists
    closed  = a file beside them after an orderly stop: how far the newest segment reached

One turn is one record, so what a crash tears is always the last record: a torn *tail*, which was never sent and is cut
off. A bad record with a good one after it, a missing segment, one that is shorter than at an orderly stop, or a chain
or key that is not ours means that the vote state is lost, and the node does not vote with it (`node/voting.py`).

The journal also says what the store must hold: `stored` names each block after its batch. A store that is older was
rolled back, and the blocks of this segment and the one before it lead back to where it stood (`node/repair.py`).

A rotation is: write the new segment under a temporary name, sync, mark the old one with `next`, sync, rename, sync the
directory. A crash between any two of these steps leaves exactly one way on, which `open` takes.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from msgspec import structs

from node.faults import Disk, RealDisk, reach
from state.codec import Wire, decode, encode
from state.errors import DecodeError, DiskFailed, VoteStateLost
from state.units import U16, U64, Hash, Key

FORMAT = 1
MAX_RECORD_BYTES = 16 * 1024 * 1024  # several 2 MiB blocks and their quorums may fall into one turn
SEGMENT_BYTES = 32 * 1024 * 1024  # a new segment from here on; replay of it takes well under a second
PREFIX_BYTES = 8
CLOSED = "closed"
FIRST_SEGMENT = "0000000001.journal"  # while it is there the journal reaches back to the first block
UNSETTLED = 2**64 - 1  # `valid_from_epoch` of a journal whose validator may not vote before it has asked others
OPENINGS = (
    b"\x92\xa5batch",
    b"\x93\xa6stored",
    b"\x92\xa4next",
    b"\x9a\xa6header",
)  # of each payload below
MOST_TRIED = 1_000


class JournalHeader(Wire, frozen=True, tag="header"):
    """Whose votes these are. Votes may be made in epochs from `valid_from_epoch` on (amnesia rule)."""

    format: U16
    sequence: U64
    chain: Hash
    key: Key
    epoch: U64
    valid_from_epoch: U64
    final_height: U64  # of the last Finalization when the segment began; 0 and zeros before the first
    final_view: U64
    final_hash: Hash


class Batch(Wire, frozen=True, tag="batch"):
    """The journal records of one turn, each as the engine encoded it."""

    records: tuple[bytes, ...]


class Stored(Wire, frozen=True, tag="stored"):
    """The block that the store was at when this was written: it must never be found at an older one."""

    height: U64
    hash: Hash


class Next(Wire, frozen=True, tag="next"):
    """Votes go on in the segment of this number: this one alone is not the whole record any more."""

    sequence: U64


Payload = JournalHeader | Batch | Stored | Next


class Journal:
    """Append-only; one owner. After any failed write or sync it refuses everything: an fsync is never retried."""

    def __init__(self, directory: Path, header: JournalHeader, disk: Disk, size: int) -> None:
        self.directory = directory
        self.header = header
        self.recovered: tuple[bytes, ...] = ()
        self.stored = Stored(header.final_height, header.final_hash)
        self.torn = False  # whether a tail was cut off at the opening
        self.lost = ""  # why the votes before this journal are not known, empty where they are
        self.set_aside: Path | None = None  # what is left of those votes
        self.size_bytes = size
        self.syncs = 0  # since it was opened
        self._disk = disk
        self._failed = False
        self._dirty = False
        self._descriptor = os.open(_segment(directory, header.sequence), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    @classmethod
    def exists(cls, directory: Path) -> bool:
        return directory.is_dir() and any(directory.glob("*.journal*"))

    @classmethod
    def create(
        cls,
        directory: Path,
        chain: bytes,
        key: bytes,
        valid_from_epoch: int = 0,
        epoch: int = 0,
        disk: Disk | None = None,
    ) -> "Journal":
        """The first segment of a new key on a new network: an explicit act, once per key. `epoch` is the highest that
        the validator is known to have been in."""
        disk = disk or RealDisk()
        if cls.exists(directory):
            raise VoteStateLost(why=f"{directory} already holds a journal, a new one would forget its votes")
        header = JournalHeader(FORMAT, 1, chain, key, epoch, valid_from_epoch, 0, 0, bytes(32))
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            data = _record(header)
            _write_segment(directory, header, data, disk)
            disk.replace(_temporary(directory, 1), _segment(directory, 1))
            disk.sync_directory(directory)
            disk.sync_directory(directory.parent)
        except OSError as error:
            raise DiskFailed(why=f"{error.strerror} at {directory}") from error
        return cls(directory, header, disk, len(data))

    @classmethod
    def open(cls, directory: Path, chain: bytes, key: bytes, disk: Disk | None = None) -> "Journal":
        """Replay the newest segment; `recovered` holds its records. VoteStateLost where it cannot be trusted."""
        disk = disk or RealDisk()
        try:
            found = _recover(directory, disk)
        except OSError as error:
            raise DiskFailed(why=f"{error.strerror} at {directory}") from error
        header = found.payloads[0]
        assert isinstance(header, JournalHeader)
        if header.chain != chain:
            raise VoteStateLost(why=f"{directory} belongs to chain {header.chain.hex()[:16]}")
        if header.key != key:
            raise VoteStateLost(why=f"{directory} was written by vote key {header.key.hex()[:16]}")
        assert header.sequence == found.sequence
        journal = cls(directory, header, disk, found.end)
        journal.torn = found.torn
        journal.recovered = _records_of(found.payloads)
        for payload in found.payloads:
            if isinstance(payload, Stored):
                journal.stored = payload
        return journal

    def earlier(self) -> tuple[bytes, ...]:
        """Records of the segment before this one: none that votes depend on, so what cannot be read is left out."""
        path = _segment(self.directory, self.header.sequence - 1)
        try:
            return _records_of(_read_segment(path)[0])
        except (VoteStateLost, OSError):
            return ()

    def append(self, records: Sequence[bytes]) -> None:
        """One record on disk for all of a turn's, not yet durable."""
        self._perform(lambda: self._write(_record(Batch(tuple(records)))))

    def may_vote_in(self, epoch: int) -> bool:
        """Whether it holds every vote of that epoch that still matters. Of an epoch before its header's own they were
        left out; whoever is led through one again, with a state that was lost, observes until it is back."""
        return max(self.header.valid_from_epoch, self.header.epoch) <= epoch

    def note_stored(self, height: int, block_hash: bytes) -> None:
        """The store holds this block durably. Need not be durable itself: a kill keeps it, a power cut may lose it."""
        self.stored = Stored(height, block_hash)
        self._perform(lambda: self._write(_record(self.stored)))

    def sync(self) -> None:
        """Everything appended is durable when this returns."""
        if self._dirty:
            self._perform(lambda: self._disk.sync(self._descriptor))
            self.syncs += 1
            self._dirty = False
            reach("persist")

    def rotate(
        self,
        epoch: int,
        final_height: int,
        final_view: int,
        final_hash: bytes,
        survivors: Sequence[bytes],
        valid_from_epoch: int | None = None,
    ) -> None:
        """A new segment with `survivors`: every record that still matters above the last final block.

        A header never goes back, also where the state does and comes the same way again: it says up to where votes may
        have been left out. `valid_from_epoch` settles from when on a validator votes that had forgotten its votes.
        """
        header = structs.replace(
            self.header,
            sequence=self.header.sequence + 1,
            valid_from_epoch=self.header.valid_from_epoch if valid_from_epoch is None else valid_from_epoch,
        )
        if (epoch, final_view) >= (self.header.epoch, self.header.final_view):
            header = structs.replace(
                header, epoch=epoch, final_height=final_height, final_view=final_view, final_hash=final_hash
            )
        self._perform(lambda: self._rotate(header, survivors))

    def finish(self) -> None:
        """Close after an orderly stop: from here on the journal must not be any shorter."""
        self.sync()
        if not self._failed and self._descriptor >= 0:
            self._perform(lambda: _write_closed(self.directory, self.header.sequence, self.size_bytes, self._disk))
        self.close()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    # --- steps that touch the disk

    def _perform(self, step: Callable[[], None]) -> None:
        if self._failed:
            raise DiskFailed(why="an earlier write to the vote journal failed")
        try:
            step()
        except OSError as error:
            self._failed = True
            raise DiskFailed(why=f"{error.strerror or error} at {self.directory}") from error

    def _write(self, data: bytes) -> None:
        self._disk.write(self._descriptor, data)
        self.size_bytes += len(data)
        self._dirty = True

    def _rotate(self, header: JournalHeader, survivors: Sequence[bytes]) -> None:
        data = _record(header) + (_record(Batch(tuple(survivors))) if survivors else b"")
        _write_segment(self.directory, header, data, self._disk)
        self._disk.write(self._descriptor, _record(Next(header.sequence)))
        self._disk.sync(self._descriptor)
        _finish_rotation(self.directory, header.sequence, self._disk)
        self.close()
        self.header, self.size_bytes, self._dirty = header, len(data), False
        self._descriptor = os.open(_segment(self.directory, header.sequence), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)


# --- recovery


def journal_key(directory: Path) -> bytes | None:
    """The key whose votes are kept there; None where there is no journal, or none that can be read."""
    newest = max(directory.glob("*.journal"), default=None)
    try:
        payloads, _ = _read_segment(newest) if newest is not None else ([], 0)
    except (OSError, VoteStateLost):
        return None
    header = payloads[0] if payloads else None
    return header.key if isinstance(header, JournalHeader) else None


@dataclass(frozen=True)
class _Found:
    """The newest segment: its payloads, and where they end."""

    sequence: int
    payloads: list[Payload]
    end: int
    torn: bool


def _recover(directory: Path, disk: Disk) -> _Found:
    """The newest segment, its torn tail cut off."""
    sequences = sorted(int(path.name.split(".")[0]) for path in directory.glob("*.journal"))
    if not sequences:
        raise VoteStateLost(why=f"there is no journal in {directory}")
    payloads, end = _read_segment(_segment(directory, sequences[-1]))
    if isinstance(payloads[-1], Next):
        sequence = payloads[-1].sequence
        if not _temporary(directory, sequence).exists():
            raise VoteStateLost(why=f"segment {sequence} is missing from {directory}")
        _finish_rotation(directory, sequence, disk)
        sequences.append(sequence)
        payloads, end = _read_segment(_segment(directory, sequence))
    _check_closed(directory, sequences[-1], end, disk)
    for left_over in directory.glob("*.new"):
        left_over.unlink()  # a rotation that never marked its predecessor: it did not happen
    path = _segment(directory, sequences[-1])
    torn = end < path.stat().st_size
    if torn:
        _cut(path, end, disk)
    return _Found(sequences[-1], payloads, end, torn)


def _check_closed(directory: Path, sequence: int, end: int, disk: Disk) -> None:
    """Compare with what the last orderly stop left, and forget it: the journal grows again from here."""
    path = directory / CLOSED
    if not path.exists():
        return
    match = re.fullmatch(rb"(\d{1,20}) (\d{1,20})\n", path.read_bytes())
    if match is None:
        raise VoteStateLost(why=f"{path} cannot be read")
    if (sequence, end) < (int(match[1]), int(match[2])):
        raise VoteStateLost(why=f"{directory} is shorter than when the node stopped: records were cut off its end")
    path.unlink()
    disk.sync_directory(directory)


def _write_closed(directory: Path, sequence: int, end: int, disk: Disk) -> None:
    draft = directory / f"{CLOSED}.draft"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        disk.write(descriptor, b"%d %d\n" % (sequence, end))
        disk.sync(descriptor)
    finally:
        os.close(descriptor)
    disk.replace(draft, directory / CLOSED)
    disk.sync_directory(directory)


def _records_of(payloads: Sequence[Payload]) -> tuple[bytes, ...]:
    return tuple(record for payload in payloads if isinstance(payload, Batch) for record in payload.records)


def _read_segment(path: Path) -> tuple[list[Payload], int]:
    """The payloads of a segment and where the good part ends; VoteStateLost unless all that is bad is its tail."""
    data = path.read_bytes()
    payloads: list[Payload] = []
    offset = 0
    while offset < len(data):
        payload = _payload_at(data, offset)
        if payload is None:
            break
        try:
            payloads.append(decode(Payload, payload, MAX_RECORD_BYTES))  # type: ignore[arg-type]
        except DecodeError as error:
            raise VoteStateLost(why=f"{path}: a record at byte {offset} is not ours ({error})") from None
        offset += PREFIX_BYTES + len(payload)
    if not payloads or not isinstance(payloads[0], JournalHeader):
        raise VoteStateLost(why=f"{path} does not begin with a header")
    if payloads[0].format != FORMAT:
        raise VoteStateLost(why=f"{path} has format {payloads[0].format}, this version reads {FORMAT}")
    if _good_record_after(data, offset):
        raise VoteStateLost(why=f"{path} is damaged at byte {offset}, and good records follow")
    return payloads, offset


def _payload_at(data: bytes, offset: int) -> bytes | None:
    """The payload of a whole record with a right CRC at `offset`, or None."""
    length = int.from_bytes(data[offset : offset + 4], "big")
    start = offset + PREFIX_BYTES
    if not 0 < length <= min(MAX_RECORD_BYTES, len(data) - start):
        return None
    payload = data[start : start + length]
    return payload if crc32(payload) == int.from_bytes(data[offset + 4 : start], "big") else None


def _good_record_after(data: bytes, offset: int) -> bool:
    """Whether a whole record begins beyond `offset`.

    Every payload opens with the tag of its type, so only places that look like one are tried, and of those the first
    few thousand: comparing checksums at each byte of a damaged segment would take minutes, and real records that
    follow damage are found at once.
    """
    tried = 0
    for opening in OPENINGS:
        found = data.find(opening, offset + 1 + PREFIX_BYTES)
        while found >= 0 and tried < MOST_TRIED:
            if _payload_at(data, found - PREFIX_BYTES) is not None:
                return True
            tried += 1
            found = data.find(opening, found + 1)
    return False


def _cut(path: Path, end: int, disk: Disk) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, end)
        disk.sync(descriptor)
    finally:
        os.close(descriptor)


# --- files


def _record(payload: Payload) -> bytes:
    data = encode(payload)
    assert len(data) <= MAX_RECORD_BYTES
    return len(data).to_bytes(4, "big") + crc32(data).to_bytes(4, "big") + data


def _segment(directory: Path, sequence: int) -> Path:
    return directory / f"{sequence:010d}.journal"


def _temporary(directory: Path, sequence: int) -> Path:
    return directory / f"{sequence:010d}.new"


def _write_segment(directory: Path, header: JournalHeader, data: bytes, disk: Disk) -> None:
    descriptor = os.open(
        _temporary(directory, header.sequence), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
    )
    try:
        disk.write(descriptor, data)
        disk.sync(descriptor)
    finally:
        os.close(descriptor)


def _finish_rotation(directory: Path, sequence: int, disk: Disk) -> None:
    """Rename the synced segment into place; drop all but its predecessor, whose blocks may still repair the state."""
    disk.replace(_temporary(directory, sequence), _segment(directory, sequence))
    disk.sync_directory(directory)
    for path in directory.glob("*.journal"):
        if int(path.name.split(".")[0]) < sequence - 1:
            path.unlink()
