"""The record of own votes: what was synced is found again, a torn tail is cut, any other damage stops the node."""

import os
import random
from pathlib import Path

import pytest

from node.faults import RealDisk
from node.journal import PREFIX_BYTES, Journal, Stored
from state.errors import DiskFailed, VoteStateLost

CHAIN, KEY = bytes(32), b"\x01" * 32


def fresh(tmp_path: Path, **disk: object) -> Journal:
    return Journal.create(tmp_path / "journal", CHAIN, KEY, **disk)  # type: ignore[arg-type]


def again(tmp_path: Path) -> Journal:
    return Journal.open(tmp_path / "journal", CHAIN, KEY)


def segment(tmp_path: Path, number: int = 1) -> Path:
    return tmp_path / "journal" / f"{number:010d}.journal"


def written(tmp_path: Path, *turns: list[bytes]) -> list[int]:
    """A journal of these turns; where each turn's record ends in the file."""
    journal = fresh(tmp_path)
    ends = []
    for turn in turns:
        journal.append(turn)
        journal.sync()
        ends.append(journal.size_bytes)
    journal.close()
    return ends


class FailingDisk(RealDisk):
    """Fails one kind of call once; afterwards it would succeed again, as with an injected EIO."""

    def __init__(self, failing: str) -> None:
        self.failing = failing

    def _fail(self, call: str) -> None:
        if self.failing == call:
            self.failing = ""
            raise OSError(5, "Input/output error")

    def write(self, descriptor: int, data: bytes) -> None:
        self._fail("write")
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._fail("sync")
        super().sync(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        self._fail("replace")
        super().replace(source, target)

    def sync_directory(self, directory: Path) -> None:
        self._fail("sync_directory")
        super().sync_directory(directory)


def test_records_come_back_in_their_order(tmp_path: Path) -> None:
    written(tmp_path, [b"a", b"b"], [b"c"])
    journal = again(tmp_path)
    assert journal.recovered == (b"a", b"b", b"c")
    journal.append([b"d"])
    journal.sync()
    journal.close()
    assert again(tmp_path).recovered == (b"a", b"b", b"c", b"d")


def test_every_cut_of_the_last_turn_loses_that_turn_and_no_other(tmp_path: Path) -> None:
    before, end = written(tmp_path, [b"first" * 20], [b"second" * 20])
    whole = segment(tmp_path).read_bytes()
    for length in range(before, end):
        segment(tmp_path).write_bytes(whole[:length])
        journal = again(tmp_path)
        assert journal.recovered == (b"first" * 20,)
        assert segment(tmp_path).stat().st_size == before  # cut for good, or later records would follow the wreck
        journal.close()


def test_a_tail_of_zeros_is_a_torn_tail(tmp_path: Path) -> None:
    written(tmp_path, [b"first"])
    with segment(tmp_path).open("ab") as file:
        file.write(bytes(4096))
    assert again(tmp_path).recovered == (b"first",)


def test_refuses_any_flipped_byte_before_a_good_record(tmp_path: Path) -> None:
    first_end, _ = written(tmp_path, [b"first" * 9], [b"second" * 9])
    whole = segment(tmp_path).read_bytes()
    for position in range(first_end):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        segment(tmp_path).write_bytes(damaged)
        with pytest.raises(VoteStateLost):
            again(tmp_path)


def test_refuses_a_missing_journal(tmp_path: Path) -> None:
    with pytest.raises(VoteStateLost, match="no journal"):
        again(tmp_path)


def test_refuses_the_journal_of_another_chain_or_key(tmp_path: Path) -> None:
    written(tmp_path, [b"vote"])
    with pytest.raises(VoteStateLost, match="chain"):
        Journal.open(tmp_path / "journal", b"\x02" * 32, KEY)
    with pytest.raises(VoteStateLost, match="vote key"):
        Journal.open(tmp_path / "journal", CHAIN, b"\x02" * 32)


def test_refuses_to_begin_where_votes_are_kept(tmp_path: Path) -> None:
    written(tmp_path, [b"vote"])
    with pytest.raises(VoteStateLost, match="already"):
        fresh(tmp_path)


def test_rotation_keeps_the_survivors_and_the_header(tmp_path: Path) -> None:
    journal = fresh(tmp_path)
    journal.append([b"old", b"living"])
    for height in range(1, 4):
        journal.rotate(0, height, 7 * height, b"\x07" * 32, [b"living"])
        journal.append([b"after %d" % height])
        journal.sync()
    journal.close()
    journal = again(tmp_path)
    assert journal.recovered == (b"living", b"after 3")
    assert (journal.header.sequence, journal.header.final_height, journal.header.final_view) == (4, 3, 21)
    assert sorted(path.name for path in segment(tmp_path).parent.iterdir()) == [
        "0000000003.journal",
        "0000000004.journal",
    ]


def test_after_an_orderly_stop_the_journal_must_not_be_shorter(tmp_path: Path) -> None:
    journal = fresh(tmp_path)
    for turn in (b"first", b"second"):
        journal.append([turn])
        journal.sync()
        if turn == b"first":
            end = journal.size_bytes
    journal.finish()
    whole = segment(tmp_path).read_bytes()
    closed = (tmp_path / "journal" / "closed").read_bytes()
    for length in range(end, len(whole)):
        segment(tmp_path).write_bytes(whole[:length])
        (tmp_path / "journal" / "closed").write_bytes(closed)
        with pytest.raises(VoteStateLost, match="shorter"):
            again(tmp_path)
    segment(tmp_path).write_bytes(whole)
    journal = again(tmp_path)
    assert (journal.recovered, journal.torn) == ((b"first", b"second"), False)
    journal.close()
    segment(tmp_path).write_bytes(whole[:-1])  # a crash: nothing is known of the end any more
    journal = again(tmp_path)
    assert (journal.recovered, journal.torn) == ((b"first",), True)


def test_the_stored_block_is_remembered_across_lives_and_rotations(tmp_path: Path) -> None:
    journal = fresh(tmp_path)
    assert journal.stored == Stored(0, bytes(32))
    journal.note_stored(7, b"\x07" * 32)
    journal.append([b"vote"])
    journal.sync()
    journal.close()
    journal = again(tmp_path)
    assert journal.stored == Stored(7, b"\x07" * 32)
    journal.rotate(0, 7, 9, b"\x07" * 32, [b"vote"])
    assert journal.earlier() == (b"vote",)
    journal.close()
    assert again(tmp_path).stored == Stored(7, b"\x07" * 32)


def test_refuses_when_the_newest_segment_is_missing(tmp_path: Path) -> None:
    journal = fresh(tmp_path)
    journal.rotate(0, 1, 1, bytes(32), [b"living"])
    journal.close()
    segment(tmp_path, 2).unlink()
    with pytest.raises(VoteStateLost, match="segment 2 is missing"):
        again(tmp_path)


@pytest.mark.parametrize("call", ["write", "sync", "replace", "sync_directory"])
def test_a_rotation_that_breaks_off_loses_nothing(tmp_path: Path, call: str) -> None:
    disk = FailingDisk("")
    journal = fresh(tmp_path, disk=disk)
    journal.append([b"vote"])
    journal.sync()
    disk.failing = call
    with pytest.raises(DiskFailed):
        journal.rotate(0, 1, 1, bytes(32), [b"vote"])
    journal.close()
    assert again(tmp_path).recovered == (b"vote",)


def test_a_rotation_that_dies_at_any_byte_loses_nothing(tmp_path: Path) -> None:
    """Crash between the new segment's sync, the old one's mark and the rename."""
    written(tmp_path, [b"vote"])
    before = segment(tmp_path).read_bytes()
    journal = again(tmp_path)
    journal.rotate(0, 1, 1, bytes(32), [b"vote"])
    journal.close()
    marked, new = segment(tmp_path, 1).read_bytes(), segment(tmp_path, 2).read_bytes()
    temporary = segment(tmp_path).parent / "0000000002.new"
    states = [(before, new[:length]) for length in range(len(new) + 1)]
    states += [(marked[:length], new) for length in range(len(before), len(marked) + 1)]
    for old_bytes, new_bytes in states:
        for path in segment(tmp_path).parent.iterdir():
            path.unlink()
        segment(tmp_path).write_bytes(old_bytes)
        temporary.write_bytes(new_bytes)
        recovered = again(tmp_path)
        assert recovered.recovered == (b"vote",)
        recovered.close()
        assert not temporary.exists()


@pytest.mark.parametrize("call", ["write", "sync"])
def test_after_one_failure_nothing_is_tried_again(tmp_path: Path, call: str) -> None:
    disk = FailingDisk("")
    journal = fresh(tmp_path, disk=disk)
    disk.failing = call
    with pytest.raises(DiskFailed):
        _vote(journal)
    with pytest.raises(DiskFailed, match="earlier"):
        _vote(journal)


def _vote(journal: Journal) -> None:
    journal.append([b"vote"])
    journal.sync()


def test_random_damage_is_cut_or_refused_but_never_misread(tmp_path: Path) -> None:
    seed = int(os.environ.get("WATTEST_SEED", "20261122"))
    print(f"seed {seed}")
    random_ = random.Random(seed)
    turns = [[b"%d" % number * 30] for number in range(6)]
    written(tmp_path, *turns)
    whole = segment(tmp_path).read_bytes()
    wanted = tuple(turn[0] for turn in turns)
    for _ in range(300):
        damaged = bytearray(whole)
        match random_.randrange(3):
            case 0:
                del damaged[random_.randrange(PREFIX_BYTES, len(whole)) :]
            case 1:
                damaged[random_.randrange(len(whole))] ^= 1 << random_.randrange(8)
            case 2:
                start = random_.randrange(len(whole))
                del damaged[start : start + random_.randrange(1, 60)]
        segment(tmp_path).write_bytes(damaged)
        try:
            journal = again(tmp_path)
        except VoteStateLost:
            continue
        journal.close()
        assert journal.recovered == wanted[: len(journal.recovered)]


def test_header_never_goes_back_with_a_state_that_did(tmp_path: Path) -> None:
    """A state that was lost comes the same way again, through epochs whose votes this journal has left out."""
    journal = fresh(tmp_path)
    journal.rotate(3, 300, 9, b"\x07" * 32, [b"living"])
    journal.rotate(0, 7, 20, b"\x01" * 32, [b"living"])
    journal.close()
    journal = again(tmp_path)
    found = journal.header
    assert (found.sequence, found.epoch, found.final_height, found.final_view) == (3, 3, 300, 9)
    assert journal.recovered == (b"living",)
    assert [journal.may_vote_in(epoch) for epoch in range(5)] == [False, False, False, True, True]
