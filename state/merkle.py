"""RFC 6962 Merkle trees with SHA-256: root, inclusion path, and the check of a path."""

from collections.abc import Sequence
from hashlib import sha256


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Root over the leaves in order; of no leaves: SHA-256 of nothing (RFC 6962 section 2.1)."""
    if not leaves:
        return sha256(b"").digest()
    return _fold([leaf_hash(leaf) for leaf in leaves])


def merkle_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Audit path of leaf `index`, from the leaf upward (RFC 6962 section 2.1.1). IndexError outside the tree."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    return tuple(_path([leaf_hash(leaf) for leaf in leaves], index))


def root_of_path(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """The root that `path` leads to for `leaf` at `index` of `count` leaves, or None if the path has a wrong length."""
    if not 0 <= index < count:
        return None
    digest, node, last = leaf_hash(leaf), index, count - 1
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            digest = node_hash(sibling, digest)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            digest = node_hash(digest, sibling)
        node >>= 1
        last >>= 1
    return digest if last == 0 else None


def _fold(level: list[bytes]) -> bytes:
    # Pairing level by level and carrying an odd last node upward gives RFC 6962's split at the largest power of two.
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) & 1:
            paired.append(level[-1])
        level = paired
    return level[0]


def _path(level: list[bytes], index: int) -> list[bytes]:
    path: list[bytes] = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) & 1:
            paired.append(level[-1])
        level, index = paired, index >> 1
    return path
