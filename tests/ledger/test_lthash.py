"""The state hash: the definition spelled out once more, and that order and history leave no trace."""

import random
from hashlib import blake2b

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from state.lthash import SUM_BYTES, LtHash, root_of

ROWS = st.dictionaries(st.binary(min_size=1, max_size=40), st.binary(max_size=120), max_size=150)


def test_sum_follows_the_definition() -> None:
    rows = [(b"\x01" + bytes(34), b"value"), (b"\x13\x00\x00\x00\x01", b""), (bytes(300), b"long key")]
    lanes = [0] * 1024
    for key, value in rows:
        digest = blake3(len(key).to_bytes(2, "big") + key + value).digest(length=2048)
        for lane in range(1024):
            lanes[lane] = (lanes[lane] + int.from_bytes(digest[2 * lane : 2 * lane + 2], "little")) % 2**16
    total = b"".join(lane.to_bytes(2, "little") for lane in lanes)
    state = LtHash()
    state.add(rows)
    assert state.to_bytes() == total
    assert state.root() == blake2b(total, digest_size=32, person=b"wattest/state").digest()


def test_empty_state_is_the_zero_sum() -> None:
    assert LtHash().to_bytes() == bytes(SUM_BYTES)
    assert LtHash().root() == root_of(bytes(SUM_BYTES))


@given(ROWS, st.integers(0, 2**32))
def test_order_and_grouping_do_not_matter(rows: dict[bytes, bytes], seed: int) -> None:
    shuffled = list(rows.items())
    random.Random(seed).shuffle(shuffled)
    at_once, one_by_one = LtHash(), LtHash()
    at_once.add(rows.items())
    for row in shuffled:
        one_by_one.add([row])
    assert at_once.to_bytes() == one_by_one.to_bytes()


@given(ROWS, ROWS)
def test_what_was_added_and_removed_leaves_no_trace(kept: dict[bytes, bytes], passing: dict[bytes, bytes]) -> None:
    plain, busy = LtHash(), LtHash()
    plain.add(kept.items())
    busy.add(passing.items())
    busy.add(kept.items())
    busy.remove(passing.items())
    assert busy.root() == plain.root()


@given(ROWS.filter(bool))
def test_any_changed_value_changes_the_root(rows: dict[bytes, bytes]) -> None:
    before, after = LtHash(), LtHash()
    before.add(rows.items())
    key = min(rows)
    after.add((rows | {key: rows[key] + b"\x00"}).items())
    assert before.root() != after.root()


def test_key_and_value_are_told_apart() -> None:
    one, other = LtHash(), LtHash()
    one.add([(b"ab", b"c")])
    other.add([(b"a", b"bc")])
    assert one.root() != other.root()


def test_copy_is_independent() -> None:
    first = LtHash()
    second = first.copy()
    second.add([(b"key", b"value")])
    assert first.root() == LtHash().root() != second.root()


def test_refuses_a_sum_of_wrong_length() -> None:
    with pytest.raises(ValueError, match="2048"):
        LtHash(b"short")
