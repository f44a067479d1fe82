"""Hashes and Ed25519, each with a domain tag; X25519 and sealed boxes.

The only place that calls libsodium for ledger signatures: two libraries accept different sets of bad signatures, and
two nodes that disagree on one would fork. The accepted set is pinned by a golden test.
"""

from hashlib import blake2b
from typing import Any

from nacl import bindings
from nacl.exceptions import CryptoError as SodiumError

from state.codec import encode
from state.errors import CryptoError

HASH_BYTES = 32
_NO_NONCE = bytes(24)


def H(tag: str, value: Any) -> bytes:
    """BLAKE2b-256 with `person = tag` (at most 16 ASCII bytes) over `value` if it is bytes, else over its encoding."""
    data = value if isinstance(value, bytes) else encode(value)
    return blake2b(data, digest_size=HASH_BYTES, person=tag.encode("ascii")).digest()


def signed_bytes(tag: str, chain: bytes, value: Any) -> bytes:
    """`tag ‖ 0x00 ‖ chain ‖ canonical MessagePack`: what is signed for every type but votes."""
    return signed_prefix(tag, chain) + encode(value)


def signed_prefix(tag: str, chain: bytes) -> bytes:
    """What stands before the canonical bytes of the value that is signed."""
    return tag.encode("ascii") + b"\x00" + chain


def public_key(seed: bytes) -> bytes:
    """The 32-byte Ed25519 public key of a 32-byte seed."""
    public, _ = bindings.crypto_sign_seed_keypair(seed)
    return bytes(public)


def sign(seed: bytes, message: bytes) -> bytes:
    """64-byte Ed25519 signature of `message` under the 32-byte seed."""
    _, secret = bindings.crypto_sign_seed_keypair(seed)
    return bytes(bindings.crypto_sign(message, secret)[:64])


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether libsodium accepts the signature; wrong lengths are a plain False."""
    if len(signature) != 64 or len(public) != 32:
        return False
    try:
        bindings.crypto_sign_open(signature + message, public)
    except (SodiumError, ValueError, TypeError, RuntimeError):
        return False
    return True


# --- X25519 and sealed boxes


def exchange_key(secret: bytes) -> bytes:
    """The X25519 public key of 32 secret bytes."""
    return bytes(bindings.crypto_scalarmult_base(secret))


def exchange(secret: bytes, public: bytes) -> bytes:
    """What two X25519 keys share; CryptoError for a public key of low order, with which it would be no secret."""
    try:
        return bytes(bindings.crypto_scalarmult(secret, public))
    except (SodiumError, ValueError, TypeError, RuntimeError):
        raise CryptoError(why="the X25519 key is of low order") from None


def seal(key: bytes, data: bytes) -> bytes:
    """`data` under a key that seals nothing else: XSalsa20-Poly1305 with a nonce of zeros, 16 bytes longer."""
    return bytes(bindings.crypto_secretbox(data, _NO_NONCE, key))


def unseal(key: bytes, box: bytes) -> bytes | None:
    try:
        return bytes(bindings.crypto_secretbox_open(box, _NO_NONCE, key))
    except (SodiumError, ValueError, TypeError, RuntimeError):
        return None


def require_valid_point(public: bytes) -> None:
    """Refuse a key that is not a point of the prime-order group: checked once, when a key enters the state."""
    try:
        good = len(public) == 32 and bindings.crypto_core_ed25519_is_valid_point(public)
    except (SodiumError, ValueError, TypeError, RuntimeError):
        good = False
    if not good:
        raise CryptoError(why="the public key is not a valid curve point")
