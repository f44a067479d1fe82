"""The state hash: a sum over all committed entries, so a block changes it at the cost of its own changes.

LtHash16 over BLAKE3 (Lewi, Kim, Maykov, Weis, "Securing Update Propagation with Homomorphic Hashing", 2019): every
entry becomes 1,024 little-endian u16 from the BLAKE3 XOF of `u16 len(key) ‖ key ‖ value`, the length big-endian;
entries are added mod 2^16 when they appear and subtracted when they go. The order of changes does not matter, and
what is added and removed leaves no trace. `state_root = H("wattest/state", the 2,048 bytes of the sum)`.
"""

from collections.abc import Iterable
from itertools import islice

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from state.crypto import H

SUM_BYTES = 2048
LANES = SUM_BYTES // 2
CHUNK = 64  # elements added at once: 128 KiB stay in the cache, and numpy's call overhead is shared

Lanes = npt.NDArray[np.uint16]
Row = tuple[bytes, bytes]  # key, encoded entry


class LtHash:
    """The running sum. Mutable: `copy` it before trying changes that may be dropped."""

    def __init__(self, total: bytes = bytes(SUM_BYTES)) -> None:
        if len(total) != SUM_BYTES:
            raise ValueError(f"the sum has {len(total)} bytes instead of {SUM_BYTES}")
        self._lanes: Lanes = np.frombuffer(total, dtype="<u2").copy()

    def add(self, rows: Iterable[Row]) -> None:
        for lanes in _chunk_sums(rows):
            self._lanes += lanes

    def remove(self, rows: Iterable[Row]) -> None:
        """The caller answers for it that each row was added before: the sum itself cannot tell."""
        for lanes in _chunk_sums(rows):
            self._lanes -= lanes

    def copy(self) -> "LtHash":
        return LtHash(self.to_bytes())

    def to_bytes(self) -> bytes:
        return self._lanes.tobytes()

    def root(self) -> bytes:
        return root_of(self.to_bytes())


def root_of(total: bytes) -> bytes:
    """The state root of a sum as `meta` keeps it."""
    return H("wattest/state", total)


def _chunk_sums(rows: Iterable[Row]) -> Iterable[Lanes]:
    remaining = iter(rows)
    while chunk := [
        blake3(len(key).to_bytes(2, "big") + key + value).digest(length=SUM_BYTES)
        for key, value in islice(remaining, CHUNK)
    ]:
        lanes = np.frombuffer(b"".join(chunk), dtype="<u2").reshape(-1, LANES)
        yield np.add.reduce(lanes, axis=0, dtype=np.uint16)
