"""Contradictions that come to light late: the votes of one key on two sides of a partition meet only once it is over.

By then the side that went on has forgotten the view in question, and the side that stood still is about to. So who is
led past views that it did not see the end of passes on what it was told there (`Engine._hold_against`), and everybody
remembers for a while how views ended and who signed that. A remembered quorum and a passed-on vote together are
evidence like any other. Nothing is decided by this memory, and it may be lost.

A partition may outlast an epoch. The engine that is done hands what it remembers to the next one (`Former`), which
keeps it for that one epoch: what is older the ledger does not take for long, and the memory stays within two epochs.
"""

from consensus.evidence import check_evidence, contradict, make_evidence
from consensus.messages import ConsensusMessage, Evidence, Propose, VoteMessage
from consensus.validators import ValidatorSet
from consensus.votes import Quorum, Verify, Vote, vote_holds
from state.errors import ConsensusRefusal

KEPT_VIEWS = 4_096  # more than an hour of a busy chain; 21 validators make some ten megabytes of it


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


class Former:
    """The epoch that has ended, for as long as the next one lasts."""

    def __init__(self, epoch: int, validators: ValidatorSet, hindsight: Hindsight) -> None:
        self.epoch = epoch
        self._validators, self._hindsight = validators, hindsight
        self._told: set[int] = set()  # signers: one piece of evidence is enough

    def judge(self, message: ConsensusMessage, chain: bytes, verify: Verify) -> Evidence | None:
        """Evidence that nobody has told here yet. ConsensusRefusal where what should prove something does not hold."""
        match message:
            case VoteMessage(vote=vote) | Propose(vote=vote):
                earlier = None if vote.signer in self._told else self._hindsight.against(vote)
                if earlier is None:
                    return None
                if not vote_holds(vote, self._validators, chain, verify):
                    raise ConsensusRefusal(why="a vote whose signature does not hold")
                found = make_evidence(earlier, vote)
            case Evidence(first=first):
                if first.signer in self._told:
                    return None
                check_evidence(message, self._validators, chain, verify)
                found = message
            case _:
                return None
        self._told.add(found.first.signer)
        return found


def votes_of(quorum: Quorum) -> list[Vote]:
    """The votes that a quorum was made of."""
    signed = zip(quorum.signers, quorum.signatures, strict=True)
    return [Vote(quorum.kind, *quorum.position, signer, signature) for signer, signature in signed]
