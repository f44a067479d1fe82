"""This validator's own votes above the best Finalization: what it may still vote, and what it must never contradict."""

from collections.abc import Iterator

import msgspec

from consensus.safety import EXIT_OWN_KEY_ELSEWHERE, SafetyBroken
from consensus.votes import FINALIZE, KIND_WORDS, NOTARIZE, NULLIFY, Position, Sign, Vote, make_vote

# A vote of a kind is never made in a view where this node already made one of these.
FORBIDDEN_AFTER: dict[int, tuple[int, int]] = {
    NOTARIZE: (NOTARIZE, NULLIFY),
    NULLIFY: (NULLIFY, FINALIZE),
    FINALIZE: (FINALIZE, NULLIFY),
}


class Signer(msgspec.Struct, frozen=True):
    """The vote key's public half, and the function that signs with the other."""

    vote_key: bytes
    sign: Sign


class OwnVotes:
    """An observer (no signer, no index, or not allowed to vote) makes none and guards none."""

    def __init__(self, chain: bytes, signer: Signer | None, index: int | None, may_vote: bool) -> None:
        self._chain, self._signer, self._index = chain, signer, index
        self.may_vote = may_vote and signer is not None and index is not None
        self._sent: dict[tuple[int, int], Vote] = {}  # (view, kind)

    def restore(self, vote: Vote) -> None:
        """Take back a vote of the journal."""
        self._sent[vote.view, vote.kind] = vote

    def make(self, kind: int, position: Position, final_view: int) -> Vote | None:
        """The only place where a vote is made; None if this node may not make it."""
        if self._signer is None or self._index is None or not self.may_vote:
            return None
        if position.view <= final_view:
            return None  # the journal is pruned there: an earlier vote may be forgotten
        if self.made(position.view, *FORBIDDEN_AFTER[kind]):
            return None
        vote = make_vote(self._chain, kind, position, self._index, self._signer.sign)
        self._sent[position.view, kind] = vote
        return vote

    def made(self, view: int, one: int, other: int) -> bool:
        """Whether a vote of one of the two kinds was made in the view."""
        return (view, one) in self._sent or (view, other) in self._sent

    def get(self, kind: int, view: int) -> Vote | None:
        return self._sent.get((view, kind))

    def require_own(self, signer: int, kind: int, position: Position, final_view: int) -> None:
        """Stop on a vote with this node's signature that its journal does not hold: the key is used elsewhere too."""
        if signer != self._index or not self.may_vote or position.view <= final_view:
            return
        own = self.get(kind, position.view)
        if own is None or own.position != position:
            raise SafetyBroken(
                EXIT_OWN_KEY_ELSEWHERE,
                f"a {KIND_WORDS[kind]} vote of view {position.view} bears this validator's signature "
                "but is not in its journal",
            )

    def forget(self, final_view: int) -> None:
        self._sent = {key: vote for key, vote in self._sent.items() if key[0] > final_view}

    def __iter__(self) -> Iterator[Vote]:
        """By view and kind."""
        return iter([self._sent[key] for key in sorted(self._sent)])

    def __len__(self) -> int:
        return len(self._sent)
