"""Contradictions that come to light late: the votes of one key on two sides of a partition meet only once it is over.

By then the side that went on has forgotten the view in question, and the side that stood still is about to. So who is
led past views that it did not see the end of passes on what it was told there (`Engine._hold_against`), and everybody
remembers for a while how views ended and who signed that. A remembered quorum and a passed-on vote together are
evidence like any other. Nothing is decided by this memory, it may be lost, and it ends with the epoch.
"""

from consensus.evidence import contradict
from consensus.votes import Quorum, Vote

KEPT_VIEWS = 512  # some minutes of a busy chain; 21 validators make about a megabyte of it


class Hindsight:
    def __init__(self) -> None:
        self._ended: dict[int, list[Quorum]] = {}  # by view, in the order of learning

    def remember(self, quorum: Quorum) -> None:
        self._ended.setdefault(quorum.view, []).append(quorum)
        if len(self._ended) > KEPT_VIEWS:
            del self._ended[next(iter(self._ended))]

    def against(self, vote: Vote) -> Vote | None:
        """The vote of the same validator in a remembered quorum that this one contradicts."""
        for quorum in self._ended.get(vote.view, ()):
            for earlier in votes_of(quorum):
                if contradict(earlier, vote):
                    return earlier
        return None


def votes_of(quorum: Quorum) -> list[Vote]:
    """The votes that a quorum was made of."""
    signed = zip(quorum.signers, quorum.signatures, strict=True)
    return [Vote(quorum.kind, *quorum.position, signer, signature) for signer, signature in signed]
