"""Each signature is verified once per node, and what was verified is exactly those bytes."""

import pytest
from harness.world import World

from contracts.transition import DecodedTx, verify_signatures
from node.signatures import CHUNK, SignatureCache, SignatureVerifier
from state.codec import encode
from state.errors import BadSignature, DecodeError, SignerMismatch
from state.transaction import Register, Transaction, body_bytes, transaction_id


def made(count: int) -> list[DecodedTx]:
    world = World()
    return [world.transaction(Register(world.key(f"p{n}"), f"p{n}", "FR", b""), by=(f"p{n}",)) for n in range(count)]


@pytest.fixture(name="verified")
def _verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Keys of what was really verified, in order."""
    seen: list[bytes] = []

    def counting(decoded: DecodedTx) -> None:
        seen.append(decoded.key)
        verify_signatures(decoded)

    monkeypatch.setattr("node.signatures.verify_signatures", counting)
    return seen


def with_signatures(decoded: DecodedTx, *signatures: bytes) -> bytes:
    return encode(Transaction(decoded.transaction.body, signatures))


@pytest.mark.parametrize("threads", [0, 2])
def test_each_transaction_is_verified_once_and_decoded_once(verified: list[bytes], threads: int) -> None:
    verifier = SignatureVerifier(SignatureCache(), threads)
    transactions = made(2 * CHUNK + 5)
    raws = [decoded.raw for decoded in transactions]
    first = verifier.verified(raws)
    assert first == transactions
    assert sorted(verified) == sorted(decoded.key for decoded in transactions)
    again = verifier.verified(raws[::-1])
    assert len(verified) == len(raws)
    assert all(one is other for one, other in zip(again, first[::-1], strict=True))
    verifier.close()


def test_what_the_mempool_admitted_is_not_verified_again(verified: list[bytes]) -> None:
    cache = SignatureCache()
    (decoded,) = made(1)
    cache.add(decoded)
    assert SignatureVerifier(cache).verified([decoded.raw]) == [decoded]
    assert verified == []


def test_the_cache_is_bounded_by_number_and_by_bytes() -> None:
    transactions = made(6)
    few = SignatureCache(limit=4)
    size = len(transactions[0].raw)
    small = SignatureCache(limit_bytes=3 * size + 2)
    for decoded in transactions:
        few.add(decoded)
        few.add(decoded)
        small.add(decoded)
    assert [few.get(decoded.key) is not None for decoded in transactions] == [False, False, True, True, True, True]
    assert len(small) == 3


@pytest.mark.parametrize("threads", [0, 2])
def test_refuses_one_bad_signature_among_many_and_remembers_none(verified: list[bytes], threads: int) -> None:
    cache = SignatureCache()
    verifier = SignatureVerifier(cache, threads)
    transactions = made(CHUNK + 3)
    signature = bytearray(transactions[CHUNK + 1].transaction.signatures[0])
    signature[40] ^= 1
    raws = [decoded.raw for decoded in transactions]
    raws[CHUNK + 1] = with_signatures(transactions[CHUNK + 1], bytes(signature))
    with pytest.raises(BadSignature):
        verifier.verified(raws)
    assert len(cache) == 0
    verifier.close()


def test_refuses_a_bad_signature_after_the_good_one_was_seen() -> None:
    verifier = SignatureVerifier(SignatureCache())
    one, other = made(2)
    verifier.verified([one.raw, other.raw])
    with pytest.raises(BadSignature):
        verifier.verified([with_signatures(one, other.transaction.signatures[0])])


def test_refuses_missing_and_superfluous_signatures() -> None:
    verifier = SignatureVerifier(SignatureCache())
    (decoded,) = made(1)
    good = decoded.transaction.signatures[0]
    for signatures in ((), (good, good)):
        with pytest.raises(SignerMismatch):
            verifier.verified([with_signatures(decoded, *signatures)])


def test_refuses_bytes_that_are_no_transaction() -> None:
    with pytest.raises(DecodeError):
        SignatureVerifier(SignatureCache()).verified([b"\x92\x90\x90"])


@pytest.mark.parametrize("signers", [0, 1, 15, 16])
def test_body_is_found_in_the_bytes_of_its_transaction(signers: int) -> None:
    world = World()
    names = tuple(f"p{n}" for n in range(signers))
    decoded = world.transaction(Register(world.key("p0"), "p0", "FR", b""), by=names)
    assert body_bytes(decoded.raw, decoded.transaction) == encode(decoded.transaction.body)
    assert decoded.txid == transaction_id(decoded.transaction.body)
    verify_signatures(decoded)
