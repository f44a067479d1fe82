"""The vote key, behind a guard that never signs two votes that contradict each other.

The engine already asks for at most one vote of a kind and view. This is the second lock on the same door: it knows
nothing of the protocol but what must never happen (consensus.md section 8, evidence), and its memory is the vote
journal, read before the first signature. A file of its own could run ahead of the journal and lock the node out for
good (tendermint/tendermint#3089), so it has none.
"""

from collections.abc import Iterable

from nacl import bindings

from state.errors import WattestError

NOTARIZE, NULLIFY, FINALIZE = 1, 2, 3

VoteKey = tuple[int, int, int]  # kind, epoch, view
Position = tuple[int, bytes]  # parent_view, block_hash


class ConflictingVote(WattestError):
    """A broken invariant of this node, never an expected refusal: the node stops."""

    code = "conflicting_vote"
    sentence = "Refused to sign vote kind {kind} of epoch {epoch}, view {view}: it contradicts one already signed."


class Signer:
    """Signs for one Ed25519 vote key. `public` is its 32-byte public key."""

    def __init__(self, seed: bytes) -> None:
        public, self._secret = bindings.crypto_sign_seed_keypair(seed)
        self.public = bytes(public)
        self._signed: dict[VoteKey, Position] = {}

    def remember(self, votes: Iterable[tuple[VoteKey, Position]]) -> None:
        """Own votes found in the journal, before anything is signed."""
        self._signed.update(votes)

    def sign_vote(self, key: VoteKey, position: Position, message: bytes) -> bytes:
        """64-byte signature of a vote; ConflictingVote where an earlier one forbids it. The same vote again is fine."""
        kind, epoch, view = key
        exclusive = {NULLIFY: FINALIZE, FINALIZE: NULLIFY}.get(kind)
        if self._signed.get(key, position) != position or (exclusive, epoch, view) in self._signed:
            raise ConflictingVote(kind=kind, epoch=epoch, view=view)
        self._signed[key] = position
        return self.sign(message)

    def sign(self, message: bytes) -> bytes:
        """64-byte signature of anything under another tag than a vote's, such as an attestation."""
        return bytes(bindings.crypto_sign(message, self._secret)[:64])

    def forget_below(self, epoch: int, view: int) -> None:
        """Drop what the engine can never vote on again: everything at or below the final view of an epoch."""
        self._signed = {k: p for k, p in self._signed.items() if (k[1], k[2]) > (epoch, view)}
