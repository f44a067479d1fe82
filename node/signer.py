"""The vote key, behind a guard that never signs two votes that contradict each other.

The engine already asks for at most one vote of a kind and view. This is the second lock on the same door: it knows
nothing of the protocol but what must never happen (consensus.md section 8, evidence), and its memory is the vote
journal, read before the first signature. A file of its own could run ahead of the journal and lock the node out for
good (tendermint/tendermint#3089), so it has none.
"""

import struct
from collections.abc import Iterable

from nacl import bindings

from consensus.votes import FINALIZE, NULLIFY, VOTE_TAG, Position, Vote
from state.errors import WattestError

_LAYOUT = struct.Struct(">15s32sBQQQ32s")  # consensus.md section 2: read from the very bytes that are signed
_EXCLUSIVE = {NULLIFY: FINALIZE, FINALIZE: NULLIFY}


class ConflictingVote(WattestError):
    """A broken invariant of this node, never an expected refusal: the node stops."""

    code = "conflicting_vote"
    sentence = "Refused to sign vote kind {kind} of epoch {epoch}, view {view}: it contradicts one already signed."
    exit_code = 73


class Signer:
    """Signs for one Ed25519 vote key. `public` is its 32-byte public key."""

    def __init__(self, seed: bytes) -> None:
        public, self._secret = bindings.crypto_sign_seed_keypair(seed)
        self.public = bytes(public)
        self._signed: dict[tuple[int, int, int], Position] = {}  # kind, epoch, view

    def remember(self, votes: Iterable[Vote]) -> None:
        """Own votes found in the journal, before anything is signed."""
        for vote in votes:
            self._signed[vote.kind, vote.epoch, vote.view] = vote.position

    def sign_vote(self, message: bytes) -> bytes:
        """64-byte signature of vote bytes; ConflictingVote where an earlier vote forbids it. The same again is fine."""
        tag, _, kind, *fields = _LAYOUT.unpack(message)
        position = Position(*fields)
        assert tag == VOTE_TAG
        key = (kind, position.epoch, position.view)
        excluded = (_EXCLUSIVE.get(kind, 0), position.epoch, position.view)
        if self._signed.get(key, position) != position or excluded in self._signed:
            raise ConflictingVote(kind=kind, epoch=position.epoch, view=position.view)
        self._signed[key] = position
        return self.sign(message)

    def sign(self, message: bytes) -> bytes:
        """64-byte signature of anything under another tag than a vote's, such as an attestation."""
        return bytes(bindings.crypto_sign(message, self._secret)[:64])

    def forget_below(self, epoch: int, view: int) -> None:
        """Drop what the engine can never vote on again: everything at or below the final view of an epoch."""
        self._signed = {key: position for key, position in self._signed.items() if key[1:] > (epoch, view)}
