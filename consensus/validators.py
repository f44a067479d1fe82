"""The validators of one epoch: an ordered list of vote keys, and the arithmetic of quorums."""

from state.block import validators_hash

MAX_VALIDATORS = 256  # bounds a quorum of signatures to 17 kB before any of them is verified


class ValidatorSet:
    """`n` validators of which `f` may lie; `quorum` equal votes decide; a signer is a position in the list.

    The quorum is n - floor((n-1)/3), never 2f+1: of five or six validators two groups of 2f+1 may share liars only.
    """

    def __init__(self, vote_keys: tuple[bytes, ...]) -> None:
        if not vote_keys:
            raise ValueError("a validator set has at least one member")
        if len(vote_keys) > MAX_VALIDATORS:
            raise ValueError(f"a validator set has at most {MAX_VALIDATORS} members")
        if len(set(vote_keys)) != len(vote_keys):
            raise ValueError("a validator set holds no key twice")
        self.vote_keys = tuple(vote_keys)
        self.n = len(self.vote_keys)
        self.f = (self.n - 1) // 3
        self.quorum = self.n - self.f
        self.hash = validators_hash(self.vote_keys)
        self._index = {key: index for index, key in enumerate(self.vote_keys)}

    def leader(self, view: int) -> int:
        """Index of the one validator who may propose in `view`."""
        return view % self.n

    def index_of(self, vote_key: bytes) -> int | None:
        """Position of a vote key, None for everybody who is not a validator of this epoch."""
        return self._index.get(vote_key)
