"""Sealing an order so that a quorum of validators can open it, and nobody else, and nobody can choose not to.

    SEAL   kappa     31 random bytes, the only chance in it
           context   H(chain, auction, participant, side)
           said      quantity, limit and nodes in 13 bytes, sealed under H(kappa, context)
           share i   of kappa by Shamir: a polynomial of degree q - 1 over 2^255 - 19 at i + 1, whose constant term is
                     kappa and whose other coefficients are H(kappa, context, j)
           box i     share i for the escrow key of validator i: X25519 with the ephemeral secret H(kappa, context, i)
           tag i     the first 16 bytes of H(context, share i, i)
    OPEN   q shares that match their tags give kappa, kappa gives what is said, and both give the whole order again; one
           byte of difference and it is void

All follows from kappa. So a bad box or points of no one polynomial are found out whichever q shares answered; a share
that somebody made up fails its tag; fewer than q shares are any secret's; f silent validators change nothing. The
context binds participant and auction: what is copied under another name opens to nobody.

Pure; the random bytes are the caller's. Source: research/market.md section 4, decision 0037.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from state.crypto import H, exchange, exchange_key, seal, unseal
from state.errors import CryptoError
from state.escrow import BOX_BYTES, TAG_BYTES, Envelope
from state.units import MAX_PRICE, MAX_QUANTITY

FIELD = 2**255 - 19
KAPPA_BYTES = 31  # below the field, whatever they are
SHARE_BYTES = 32
NODES = 5
_KEY_BYTES = 32
_SAID = struct.Struct(f">II{NODES}s")

assert max(MAX_PRICE, MAX_QUANTITY) < 2**32


class Said(NamedTuple):
    """What a sealed order says. `nodes`: for each dimension 0 = any, or the place of the node from 1 on."""

    quantity: int
    limit: int
    nodes: bytes


def quorum_of(validators: int) -> int:
    """q = n - f: so many shares open an order."""
    return validators - (validators - 1) // 3


def context_of(chain: bytes, auction: int, participant: int, side: str) -> bytes:
    return H("wattest/seal", (chain, auction, participant, side))


def sealed(context: bytes, epoch: int, keys: Sequence[bytes], said: Said, kappa: bytes) -> Envelope:
    """The one envelope of what is said, kappa and the validators' escrow keys; CryptoError for a key of low order."""
    shares = _shares(context, kappa, len(keys))
    boxes = [_box(context, index, share, keys[index], kappa) for index, share in enumerate(shares)]
    tags = [tag_of(context, index, share) for index, share in enumerate(shares)]
    text = seal(H("wattest/said", (kappa, context)), _SAID.pack(*said))
    return Envelope(epoch, text, b"".join(boxes), b"".join(tags))


def share_in(envelope: Envelope, context: bytes, index: int, secret: bytes, public: bytes) -> bytes:
    """Validator `index` looks into its box: its share, or nothing where there is none that the order would admit."""
    box = envelope.boxes[index * BOX_BYTES : (index + 1) * BOX_BYTES]
    ephemeral, text = box[:_KEY_BYTES], box[_KEY_BYTES:]
    try:
        key = _box_key(context, index, exchange(secret, ephemeral), ephemeral, public)
    except CryptoError:
        return b""
    share = unseal(key, text)
    return share if share is not None and matches(envelope, context, index, share) else b""


def matches(envelope: Envelope, context: bytes, index: int, share: bytes) -> bool:
    """Whether a share is the one that the order was sealed with, as far as its tag tells: nobody else can make it."""
    tag = envelope.tags[index * TAG_BYTES : (index + 1) * TAG_BYTES]
    return len(share) == SHARE_BYTES and tag_of(context, index, share) == tag


def opened(
    envelope: Envelope, context: bytes, keys: Sequence[bytes], shares: Mapping[int, bytes]
) -> tuple[Said, bytes] | None:
    """(what is said, kappa) by the first q of `shares`, which match their tags; None where the order is void."""
    quorum = quorum_of(len(keys))
    assert len(shares) >= quorum, "fewer shares open nothing"
    chosen = tuple(sorted(shares)[:quorum])
    kappa = _interpolated(chosen, [int.from_bytes(shares[index], "big") for index in chosen])
    if kappa >= 1 << 8 * KAPPA_BYTES:
        return None
    return reopened(envelope, context, keys, kappa.to_bytes(KAPPA_BYTES, "big"))


def reopened(envelope: Envelope, context: bytes, keys: Sequence[bytes], kappa: bytes) -> tuple[Said, bytes] | None:
    """The same by kappa itself, which whoever sealed the order knows."""
    if len(kappa) != KAPPA_BYTES:
        return None  # no shares give such a one: it would open by hand only, and hand the choice back
    text = unseal(H("wattest/said", (kappa, context)), envelope.said)
    if text is None:
        return None
    said = Said(*_SAID.unpack(text))
    return (said, kappa) if sealed(context, envelope.epoch, keys, said, kappa) == envelope else None


def tag_of(context: bytes, index: int, share: bytes) -> bytes:
    return H("wattest/share", (context, share, index))[:TAG_BYTES]


# --- the polynomial


def _shares(context: bytes, kappa: bytes, validators: int) -> list[bytes]:
    coefficients = [int.from_bytes(kappa, "big")]
    for place in range(1, quorum_of(validators)):
        coefficients.append(int.from_bytes(H("wattest/term", (kappa, context, place)), "big") % FIELD)
    found = []
    for point in range(1, validators + 1):
        value = 0
        for coefficient in reversed(coefficients):
            value = (value * point + coefficient) % FIELD
        found.append(value.to_bytes(SHARE_BYTES, "big"))
    return found


def _interpolated(indexes: tuple[int, ...], values: Sequence[int]) -> int:
    """The polynomial through the points at zero."""
    return sum(weight * value for weight, value in zip(_weights(indexes), values, strict=True)) % FIELD


@lru_cache(maxsize=1_024)
def _weights(indexes: tuple[int, ...]) -> tuple[int, ...]:
    """Of Lagrange, at zero: the same for all orders that the same validators answered."""
    points = [index + 1 for index in indexes]
    found = []
    for own in points:
        above, below = 1, 1
        for other in points:
            if other != own:
                above, below = above * other % FIELD, below * (other - own) % FIELD
        found.append(above * pow(below, -1, FIELD) % FIELD)
    return tuple(found)


# --- the boxes


def _box(context: bytes, index: int, share: bytes, public: bytes, kappa: bytes) -> bytes:
    secret = H("wattest/ephemera", (kappa, context, index))
    ephemeral = exchange_key(secret)
    key = _box_key(context, index, exchange(secret, public), ephemeral, public)
    return ephemeral + seal(key, share)


def _box_key(context: bytes, index: int, common: bytes, ephemeral: bytes, public: bytes) -> bytes:
    return H("wattest/box", (common, ephemeral, public, context, index))
