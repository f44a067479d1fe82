"""Counting votes: the first vote of each validator, kind and view counts, whatever it says later is evidence."""

import enum

from consensus.evidence import contradict
from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Quorum, Vote, make_quorum, same_position

OWN_KIND_FIRST = {
    NOTARIZE: (NOTARIZE, NULLIFY, FINALIZE),
    NULLIFY: (NULLIFY, NOTARIZE, FINALIZE),
    FINALIZE: (FINALIZE, NOTARIZE, NULLIFY),
}


class Counted(enum.Enum):
    NEW = "new"
    KNOWN = "known"
    CONFLICTING = "conflicting"


class Tally:
    """Votes of a window of views. Only verified votes go in: an unchecked vote is neither counted nor evidence."""

    def __init__(self, validators: ValidatorSet) -> None:
        self._validators = validators
        self._votes: dict[int, dict[tuple[int, int], Vote]] = {}  # view -> (kind, signer) -> first vote

    def add(self, vote: Vote) -> tuple[Counted, Vote | None]:
        """Whether the vote was counted, and for a conflicting one the earlier vote that it contradicts."""
        earlier = self.contradicted(vote)
        if earlier is not None:
            return Counted.CONFLICTING, earlier
        ballots = self._votes.setdefault(vote.view, {})
        if (vote.kind, vote.signer) in ballots:
            return Counted.KNOWN, None
        ballots[vote.kind, vote.signer] = vote
        return Counted.NEW, None

    def contradicted(self, vote: Vote) -> Vote | None:
        """The counted vote of the same validator that this one contradicts, of its own kind first."""
        ballots, signer = self._votes.get(vote.view), vote.signer
        if ballots is None:
            return None
        for kind in OWN_KIND_FIRST[vote.kind]:
            earlier = ballots.get((kind, signer))
            if earlier is not None and contradict(earlier, vote):
                return earlier
        return None

    def votes(self, view: int) -> list[Vote]:
        """All counted votes of a view, by kind and signer."""
        return [vote for _, vote in sorted(self._votes.get(view, {}).items())]

    def views_below(self, view: int) -> list[int]:
        """Views with counted votes, lowest first."""
        return sorted(found for found in self._votes if found < view)

    def first(self, kind: int, view: int, signer: int) -> Vote | None:
        """The vote of that kind that was counted for the signer."""
        ballots = self._votes.get(view)
        return None if ballots is None else ballots.get((kind, signer))

    def quorum(self, kind: int, position: Position) -> Quorum | None:
        """All counted votes of the kind for the position as a quorum, None while there are too few."""
        needed, ballots = self._validators.quorum, self._votes.get(position.view, {})
        if len(ballots) < needed:
            return None
        of_kind = [vote for (its, _), vote in ballots.items() if its == kind]
        if len(of_kind) < needed:
            return None
        equal = [vote for vote in of_kind if same_position(vote, position)]
        return make_quorum(equal, self._validators) if len(equal) >= needed else None

    def prune(self, final_view: int) -> None:
        """Forget the votes of views up to `final_view`."""
        for view in [view for view in self._votes if view <= final_view]:
            del self._votes[view]
