"""Keys of the simulated network, and signatures that are worth their bytes only.

Public keys are real points, because the rules look at them. A signature is Ed25519 in one seed of fifty; in the others
a keyed hash of the same size, put in place of `verify` and `sign` wherever a node calls them.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from hashlib import blake2b
from unittest.mock import patch

from harness.world import seed_of

from consensus.own_votes import Signer as VoteSigner
from node.signer import Signer
from state import crypto

CALLERS = ("contracts.transition", "contracts.consumption", "contracts.issue", "contracts.evidence", "node.office")
_SEED_OF: dict[bytes, bytes] = {}


@cache
def key_of(name: str) -> bytes:
    """The public key of a name; its holder can sign with it from now on."""
    public = crypto.public_key(seed_of(name))
    _SEED_OF[public] = seed_of(name)
    return public


def hash_sign(seed: bytes, message: bytes) -> bytes:
    return blake2b(message, digest_size=64, key=seed).digest()


def hash_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    seed = _SEED_OF.get(public)
    return seed is not None and hash_sign(seed, message) == signature


_valid_point = cache(crypto.require_valid_point)  # the same few keys in every seed; a refusal is not remembered


@contextmanager
def signatures(real: bool) -> Iterator[None]:
    """What signing and verifying mean inside: everywhere in this process."""
    with ExitStack() as stack:
        if not real:
            for module in CALLERS:
                stack.enter_context(patch(f"{module}.verify", hash_verify))
            stack.enter_context(patch("harness.world.sign", hash_sign))
            stack.enter_context(patch("contracts.register.require_valid_point", _valid_point))
        yield


class FastSigner(Signer):
    """The node's guard against contradicting votes, over the keyed hash."""

    def __init__(self, seed: bytes, public: bytes) -> None:
        self.public, self._seed = public, seed
        self._signed = {}

    def sign(self, message: bytes) -> bytes:
        return hash_sign(self._seed, message)


def node_signer(name: str, real: bool) -> Signer:
    """A fresh guard for a vote key, as a process has one."""
    return Signer(seed_of(name)) if real else FastSigner(seed_of(name), key_of(name))


def careless_signer(name: str, real: bool) -> VoteSigner:
    """A villain's: it signs whatever it is given."""
    seed = seed_of(name)
    return VoteSigner(key_of(name), (lambda data: crypto.sign(seed, data)) if real else lambda d: hash_sign(seed, d))


def verifier(real: bool):  # type: ignore[no-untyped-def]
    return crypto.verify if real else hash_verify
