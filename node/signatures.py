"""Each signature is verified once per node, ever: a bounded memory of transactions that were found good.

Filled when the mempool admits a transaction and asked again when a block brings it, so that the critical path from
proposal to vote holds no verification of what is already known. The key covers the signatures: the same body under a
bad signature is another key. The decoded transaction is kept beside it and need not be decoded again. It goes when its
block is final.
"""

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from contracts.transition import DecodedTx, cache_key, decode_signed, verify_signatures

CHUNK = 64  # one task per signature would spend the gain of a thread on handing over; libsodium frees the interpreter
CACHE_TRANSACTIONS = 32_768  # about eight full blocks
CACHE_BYTES = 64 * 1024 * 1024


class SignatureCache:
    """Transactions with good signatures by `DecodedTx.key`; the oldest go first."""

    def __init__(self, limit: int = CACHE_TRANSACTIONS, limit_bytes: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._good: OrderedDict[bytes, DecodedTx] = OrderedDict()  # a dict finds its oldest key ever more slowly

    def get(self, key: bytes) -> DecodedTx | None:
        return self._good.get(key)

    def add(self, decoded: DecodedTx) -> None:
        """Its signatures were verified by the caller."""
        if decoded.key in self._good:
            return
        self._good[decoded.key] = decoded
        self._bytes += len(decoded.raw)
        while len(self._good) > self._limit or self._bytes > self._limit_bytes:
            _, oldest = self._good.popitem(last=False)
            self._bytes -= len(oldest.raw)

    def drop(self, decoded: DecodedTx) -> None:
        """It is final, and no block will bring it again: what lies here for nothing makes the rest slower to reach."""
        if self._good.pop(decoded.key, None) is not None:
            self._bytes -= len(decoded.raw)

    def __len__(self) -> int:
        return len(self._good)


class SignatureVerifier:
    """Decodes and verifies, in chunks, on `threads` threads (0 = inline) what the cache does not know."""

    def __init__(self, cache: SignatureCache, threads: int = 0) -> None:
        self.cache = cache
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify") if threads else None

    def verified(self, raws: Sequence[bytes]) -> list[DecodedTx]:
        """The transactions in order. DecodeError, SignerMismatch or BadSignature if one of them is bad."""
        found: list[DecodedTx] = []
        unseen: list[DecodedTx] = []
        for raw in raws:
            key = cache_key(raw)
            decoded = self.cache.get(key)
            if decoded is None:
                decoded = decode_signed(raw, key)
                unseen.append(decoded)
            found.append(decoded)
        chunks = [unseen[start : start + CHUNK] for start in range(0, len(unseen), CHUNK)]
        if self._pool is None or len(chunks) < 2:
            for chunk in chunks:
                _verify_chunk(chunk)
        else:
            for _ in self._pool.map(_verify_chunk, chunks):  # raises what the first bad chunk raised
                pass
        for decoded in unseen:
            self.cache.add(decoded)
        return found

    def certified(self, raws: Sequence[bytes]) -> list[DecodedTx]:
        """The transactions in order, of a block that a quorum made final: more than f honest validators checked the
        signatures, so they are not checked again, and not remembered as good. DecodeError for a bad encoding."""
        return [self.cache.get(key) or decode_signed(raw, key) for raw, key in ((raw, cache_key(raw)) for raw in raws)]

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def _verify_chunk(chunk: Sequence[DecodedTx]) -> None:
    for decoded in chunk:
        verify_signatures(decoded)
