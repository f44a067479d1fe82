"""Vote keys for tests: real Ed25519, or a keyed hash of the same size where thousands of runs are wanted."""

from hashlib import blake2b

from consensus.own_votes import Signer
from consensus.validators import ValidatorSet
from state import crypto


class VoteKeys:
    """`n` keys in the order of their validators; `verify` and `signers` go to the engines."""

    def __init__(self, n: int, real: bool = False) -> None:
        self.real = real
        seeds = [blake2b(b"vote key %d" % i, digest_size=32).digest() for i in range(n)]
        if real:
            public = [crypto.public_key(seed) for seed in seeds]
        else:
            public = [blake2b(seed, digest_size=32).digest() for seed in seeds]
        self._seed_of = dict(zip(public, seeds, strict=True))
        self.validators = ValidatorSet(tuple(public))
        self.signers = [Signer(key, self._signing(key)) for key in public]

    def _signing(self, key: bytes):  # type: ignore[no-untyped-def]
        seed = self._seed_of[key]
        if self.real:
            return lambda message: crypto.sign(seed, message)
        return lambda message: blake2b(message, digest_size=64, key=seed).digest()

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        if self.real:
            return crypto.verify(public, message, signature)
        return blake2b(message, digest_size=64, key=self._seed_of[public]).digest() == signature
