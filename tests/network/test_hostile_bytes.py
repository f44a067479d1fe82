"""Everything that reads bytes from elsewhere takes them or refuses them with our own error, at once, whatever they are.

20,000 mutated inputs over all readers (`harness/readers.py`) in the short form; `make fuzz` for the long one. A failure
prints the input.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.fuzz import throw_at_all
from harness.fuzzing import SLOWEST_S, Refused, attack, seeded
from harness.readers import Corpus

from node.journal import JournalHeader, _read_segment, _record

INPUTS = 24_000
LENIENT = ("certificates", "settings")  # most of what they are given says nothing that they look at
MEMORY_KIB = 50 * 1024  # what all attacks together may add to the process


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("corpus"))


def test_no_bytes_do_more_than_be_refused(corpus: Corpus) -> None:
    found = throw_at_all(corpus, INPUTS, seeded())
    print("\n".join(map(str, found.readers)))
    hardly = [each.name for each in found.readers if each.refused <= each.inputs // 2 and each.name not in LENIENT]
    assert not hardly, f"mutations hardly reach {hardly}"
    assert found.grown_kib < MEMORY_KIB, f"{found.grown_kib} KiB more"


# --- damage that asks for much work


def _damaged_journals() -> Iterator[tuple[str, bytes]]:
    header = _record(JournalHeader(1, 1, bytes(32), bytes(32), 0, 0, 0, 0, bytes(32)))
    yield "zeros", header + bytes(32 * 1024 * 1024)
    yield "lengths that all fit", header + b"\x00\x3f\xff\xff" * (2 * 1024 * 1024)
    yield "records that all begin", header + (b"\x00\x10\x00\x00\x00\x00\x00\x00\x92\xa5batch\x90") * 200_000


@pytest.mark.parametrize(("name", "data"), list(_damaged_journals()), ids=["zeros", "lengths", "openings"])
def test_a_journal_of_full_size_is_judged_in_time_however_it_is_damaged(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / "0000000001.journal"
    path.write_bytes(data)
    began = time.perf_counter()
    payloads, _ = _read_segment(path)
    seconds = time.perf_counter() - began
    print(f"{name}: {len(data) / 1e6:.0f} MB in {seconds:.2f} s")
    assert len(payloads) == 1
    assert seconds < 5


def test_the_attack_sees_what_is_slow_and_what_is_not_ours() -> None:
    with pytest.raises(Refused, match="ms on"):
        attack("spinner", lambda data: _spin(2 * SLOWEST_S * (data != b"x")), [b"x"], 1, seeded())
    with pytest.raises(Refused, match="KeyError"):
        attack("thrower", lambda data: {b"x": 1}[data], [b"x"], 1, seeded())


def _spin(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
