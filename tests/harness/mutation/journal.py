"""Our own mutants of the vote journal and of what a validator does with it."""

from typing import Any

import pytest
from harness.mutation import mutant
from harness.mutation.rules import DENSE

from consensus import records
from node import journal as files
from node.journal import Journal, JournalHeader
from node.office import Office

JOURNAL = "tests/network/test_journal.py"


@mutant("a", JOURNAL, "tests/network/test_driver_rule.py", **DENSE)
def sync_left_out(patch: pytest.MonkeyPatch) -> None:
    """what is appended is not synced"""
    patch.setattr(Journal, "sync", lambda self: None)


@mutant("b", JOURNAL, segment_bytes=6_000, **DENSE)
def rotation_forgets(patch: pytest.MonkeyPatch) -> None:
    """a new segment begins without the votes that still matter"""
    whole = Journal._rotate
    patch.setattr(Journal, "_rotate", lambda self, header, survivors: whole(self, header, ()))


@mutant("c", JOURNAL, segment_bytes=6_000, **DENSE)
def new_segment_not_synced(patch: pytest.MonkeyPatch) -> None:
    """a new segment takes over before its bytes are safe"""

    def careless(directory: Any, header: JournalHeader, data: bytes, disk: files.Disk) -> None:
        files._temporary(directory, header.sequence).write_bytes(data)

    patch.setattr(files, "_write_segment", careless)


@mutant("d", JOURNAL)
def checksums_not_compared(patch: pytest.MonkeyPatch) -> None:
    """a record is believed whatever its CRC says"""

    def believing(data: bytes, offset: int) -> bytes | None:
        length = int.from_bytes(data[offset : offset + 4], "big")
        start = offset + files.PREFIX_BYTES
        fits = 0 < length <= min(files.MAX_RECORD_BYTES, len(data) - start)
        return data[start : start + length] if fits else None

    patch.setattr(files, "_payload_at", believing)


@mutant("e", JOURNAL, segment_bytes=6_000, **DENSE)
def old_segment_goes_first(patch: pytest.MonkeyPatch) -> None:
    """the segment before is removed before the new one is in its place"""
    whole = files._finish_rotation

    def careless(directory: Any, sequence: int, disk: files.Disk) -> None:
        for path in directory.glob("*.journal"):
            path.unlink()
        whole(directory, sequence, disk)

    patch.setattr(files, "_finish_rotation", careless)


@mutant("f", JOURNAL, **DENSE)
def torn_tail_kept(patch: pytest.MonkeyPatch) -> None:
    """what a crash tore is not cut off before more is written behind it"""
    patch.setattr(files, "_cut", lambda path, end, disk: None)


@mutant("g", "tests/consensus_rules/test_restart.py", "tests/network/test_epochs.py", epoch_length=6, **DENSE)
def pruned_with_its_finalization(patch: pytest.MonkeyPatch) -> None:
    """the best Finalization is pruned with all that lies below it"""

    def everything(record: records.JournalRecord, epoch: int, final_view: int) -> bool:
        return record.epoch < epoch or (record.epoch == epoch and record.view <= final_view)

    patch.setattr(records.prunable, "__code__", everything.__code__)  # whoever imported it has it too


@mutant("h", epoch_length=6, n=4, liars=0, changes=[("rotate", 0), ("rotate", 1)], crash=0.012)
def boundary_not_handed_over(patch: pytest.MonkeyPatch) -> None:
    """the journal of the next key does not learn how the epoch ended"""
    patch.setattr(Office, "hand_over", lambda self, finalization: None)


@mutant("i", JOURNAL, "tests/network/test_voting.py", "tests/network/test_damage.py")
def missing_segment_not_noticed(patch: pytest.MonkeyPatch) -> None:
    """a segment that was marked as continued and is gone is taken for the newest one"""
    whole = files._recover

    def believing(directory: Any, disk: files.Disk) -> Any:
        kept, files.Next = files.Next, type("Never", (), {})  # type: ignore[assignment,misc]
        try:
            return whole(directory, disk)
        finally:
            files.Next = kept  # type: ignore[misc]

    patch.setattr(files, "_recover", believing)
