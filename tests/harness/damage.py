"""What can happen to the files of a home: each damage named, applied to a folder of LevelDB or to one file."""

import shutil
from collections.abc import Callable
from pathlib import Path

from consensus.records import JournalRecord, VotedBlock
from node.journal import Batch, _read_segment, _record
from state.codec import decode


def flip(path: Path, share: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * share)] ^= 0x40
    path.write_bytes(data)


def cut(path: Path, share: float = 2 / 3) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def newest(folder: Path, pattern: str) -> Path:
    """The largest file of a kind: of several logs the one that holds rows."""
    return max(folder.glob(pattern), key=lambda path: path.stat().st_size)


# The thirteen of `assurance.md` section 2 as far as they are damages to files, and the whole folder.
LEVELDB: dict[str, Callable[[Path], None]] = {
    "table flipped": lambda folder: flip(newest(folder, "*.ldb"), 0.2),
    "table cut": lambda folder: cut(newest(folder, "*.ldb")),
    "table deleted": lambda folder: newest(folder, "*.ldb").unlink(),
    "log flipped": lambda folder: flip(newest(folder, "*.log")),
    "log cut": lambda folder: cut(newest(folder, "*.log")),
    "log deleted": lambda folder: newest(folder, "*.log").unlink(),
    "log torn": lambda folder: cut(newest(folder, "*.log"), 1 - 3 / newest(folder, "*.log").stat().st_size),
    "manifest cut": lambda folder: cut(newest(folder, "MANIFEST-*")),
    "manifest flipped": lambda folder: flip(newest(folder, "MANIFEST-*")),
    "manifest deleted": lambda folder: newest(folder, "MANIFEST-*").unlink(),
    "CURRENT flipped": lambda folder: flip(folder / "CURRENT"),
    "CURRENT cut": lambda folder: cut(folder / "CURRENT"),
    "CURRENT deleted": lambda folder: (folder / "CURRENT").unlink(),
    "all of it deleted": lambda folder: shutil.rmtree(folder),
}
SILENT = {"log cut", "log deleted", "log torn", "all of it deleted"}  # LevelDB itself opens these


def forget_blocks(journal: Path) -> None:
    """A journal as of a node that was late for every block: votes and quorums, no bodies."""
    (segment,) = journal.glob("*.journal")
    payloads, _ = _read_segment(segment)
    kept = [
        Batch(tuple(r for r in p.records if not isinstance(_journal_record(r), VotedBlock)))
        if isinstance(p, Batch)
        else p
        for p in payloads
    ]
    segment.write_bytes(b"".join(map(_record, kept)))
    (journal / "closed").unlink(missing_ok=True)


def _journal_record(record: bytes) -> object:
    return decode(JournalRecord, record)  # type: ignore[arg-type]
