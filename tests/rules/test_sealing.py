"""The arithmetic of sealing: any q shares open, fewer say nothing, what is sealed wrong is void for all."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.sealing import (
    FIELD,
    KAPPA_BYTES,
    Said,
    _interpolated,
    context_of,
    matches,
    opened,
    quorum_of,
    reopened,
    sealed,
    share_in,
    tag_of,
)
from state.crypto import H, exchange_key, seal
from state.errors import CryptoError
from state.escrow import BOX_BYTES, TAG_BYTES, Envelope

CONTEXT = context_of(bytes(32), 7, 3, "bid")
SAID = Said(40, 2_500_000, bytes((2, 0, 1, 0, 0)))
kappas = st.binary(min_size=KAPPA_BYTES, max_size=KAPPA_BYTES)
sizes = st.sampled_from([1, 2, 3, 4, 5, 7, 10])
numbers = st.integers(0, 2**32 - 1)


def secrets_of(count: int) -> list[bytes]:
    return [H("test/escrow", (index,)) for index in range(count)]


def keys_of(count: int) -> list[bytes]:
    return [exchange_key(secret) for secret in secrets_of(count)]


def answers(envelope: Envelope, count: int, context: bytes = CONTEXT) -> dict[int, bytes]:
    """What every honest validator finds in its box."""
    secrets, keys = secrets_of(count), keys_of(count)
    found = {index: share_in(envelope, context, index, secrets[index], keys[index]) for index in range(count)}
    return {index: share for index, share in found.items() if share}


def outcomes(envelope: Envelope, count: int) -> set[object]:
    """What every quorum of those who have a share would find; empty where none is enough."""
    shares = answers(envelope, count)
    quorums = combinations(shares, quorum_of(count))
    return {opened(envelope, CONTEXT, keys_of(count), {i: shares[i] for i in chosen}) for chosen in quorums}


@settings(max_examples=25, deadline=None)
@given(count=sizes, kappa=kappas, quantity=numbers, limit=numbers, nodes=st.binary(min_size=5, max_size=5))
def test_any_quorum_opens_an_order_and_all_find_the_same(
    count: int, kappa: bytes, quantity: int, limit: int, nodes: bytes
) -> None:
    said = Said(quantity, limit, nodes)
    envelope = sealed(CONTEXT, 5, keys_of(count), said, kappa)
    assert outcomes(envelope, count) == {(said, kappa)}
    assert reopened(envelope, CONTEXT, keys_of(count), kappa) == (said, kappa)


@settings(max_examples=25, deadline=None)
@given(count=st.sampled_from([4, 5, 7]), kappa=kappas, guess=st.integers(0, FIELD - 1))
def test_fewer_than_a_quorum_of_shares_fit_every_secret(count: int, kappa: bytes, guess: int) -> None:
    """Through q - 1 shares and any other value at zero runs a polynomial, so they exclude none."""
    shares = answers(sealed(CONTEXT, 5, keys_of(count), SAID, kappa), count)
    few = quorum_of(count) - 1
    indexes = tuple(range(few))
    values = [int.from_bytes(shares[index], "big") for index in indexes]
    assert _interpolated(indexes, values) != int.from_bytes(kappa, "big")
    # the share of one validator more that would make `guess` the secret: it exists, whatever the guess
    at_zero = _interpolated((*indexes, few), [*values, 0])
    weight = (_interpolated((*indexes, few), [*values, 1]) - at_zero) % FIELD
    missing = (guess - at_zero) * pow(weight, -1, FIELD) % FIELD
    assert _interpolated((*indexes, few), [*values, missing]) == guess


def test_an_envelope_tells_nothing_by_its_size() -> None:
    small = sealed(CONTEXT, 5, keys_of(4), Said(1, 1, bytes(5)), bytes(KAPPA_BYTES))
    large = sealed(CONTEXT, 5, keys_of(4), Said(10**9, 10**9, bytes((128,) * 5)), bytes(KAPPA_BYTES))
    assert [len(small.said), len(small.boxes), len(small.tags)] == [len(large.said), len(large.boxes), len(large.tags)]
    assert (len(small.boxes), len(small.tags)) == (4 * BOX_BYTES, 4 * TAG_BYTES)


@settings(max_examples=40, deadline=None)
@given(
    count=st.sampled_from([4, 5, 7]), kappa=kappas, at=st.integers(0, 10**6), part=st.sampled_from(["boxes", "tags"])
)
def test_one_bent_byte_makes_an_order_void_whoever_answers(count: int, kappa: bytes, at: int, part: str) -> None:
    good = sealed(CONTEXT, 5, keys_of(count), SAID, kappa)
    changed = bytearray(getattr(good, part))
    changed[at % len(changed)] ^= 1 + at % 255
    bad = replace(good, **{part: bytes(changed)})
    assert outcomes(bad, count) <= {None}
    assert reopened(bad, CONTEXT, keys_of(count), kappa) is None


@pytest.mark.parametrize("count", [4, 5, 7])
def test_points_of_no_one_polynomial_are_void_whoever_answers(count: int) -> None:
    """Boxes and tags that fit each other, but a share that lies beside the polynomial: some quorums would find another
    key, and all find that the order is not what would come of it."""
    kappa, keys = bytes(range(KAPPA_BYTES)), keys_of(count)
    good = sealed(CONTEXT, 5, keys, SAID, kappa)
    for liar in range(count):
        other = sealed(CONTEXT, 5, keys, SAID, bytes(KAPPA_BYTES))
        cut = slice(liar * BOX_BYTES, (liar + 1) * BOX_BYTES), slice(liar * TAG_BYTES, (liar + 1) * TAG_BYTES)
        boxes, tags = bytearray(good.boxes), bytearray(good.tags)
        boxes[cut[0]], tags[cut[1]] = other.boxes[cut[0]], other.tags[cut[1]]
        bad = replace(good, boxes=bytes(boxes), tags=bytes(tags))
        assert len(answers(bad, count)) == count, "every box opens, and every tag fits"
        assert outcomes(bad, count) == {None}
        assert reopened(bad, CONTEXT, keys, kappa) is None


def test_another_text_under_the_same_key_is_void() -> None:
    kappa = bytes(KAPPA_BYTES)
    good = sealed(CONTEXT, 5, keys_of(4), SAID, kappa)
    bad = replace(good, said=seal(H("wattest/said", (bytes(32), CONTEXT)), bytes(13)))
    assert outcomes(bad, 4) == {None}
    assert outcomes(replace(good, epoch=6), 4) == {(SAID, kappa)}  # the epoch only says whose keys are meant


@settings(max_examples=25, deadline=None)
@given(kappa=kappas, share=st.binary(min_size=32, max_size=32), index=st.integers(0, 3))
def test_a_share_that_somebody_made_up_fails_its_tag(kappa: bytes, share: bytes, index: int) -> None:
    envelope = sealed(CONTEXT, 5, keys_of(4), SAID, kappa)
    right = answers(envelope, 4)
    assert matches(envelope, CONTEXT, index, share) == (share == right[index])
    assert not matches(envelope, CONTEXT, index, right[(index + 1) % 4])
    assert not matches(envelope, CONTEXT, index, b"")


def test_an_envelope_copied_under_another_name_auction_or_side_opens_to_nobody() -> None:
    envelope = sealed(CONTEXT, 5, keys_of(4), SAID, bytes(KAPPA_BYTES))
    for other in (
        (bytes(32), 7, 4, "bid"),
        (bytes(32), 8, 3, "bid"),
        (bytes(32), 7, 3, "offer"),
        (b"\1" * 32, 7, 3, "bid"),
    ):
        context = context_of(*other)
        assert not answers(envelope, 4, context)
        assert reopened(envelope, context, keys_of(4), bytes(KAPPA_BYTES)) is None


def test_a_key_that_no_shares_could_give_opens_nothing_by_hand_either() -> None:
    long = b"\xff" * 32
    envelope = sealed(CONTEXT, 5, keys_of(4), SAID, long)
    assert reopened(envelope, CONTEXT, keys_of(4), long) is None
    assert outcomes(envelope, 4) == {None}


def test_refuses_to_seal_to_a_key_of_low_order() -> None:
    with pytest.raises(CryptoError):
        sealed(CONTEXT, 5, [*keys_of(3), bytes(32)], SAID, bytes(KAPPA_BYTES))


def test_the_tag_binds_the_validator() -> None:
    assert tag_of(CONTEXT, 0, bytes(32)) != tag_of(CONTEXT, 1, bytes(32))
