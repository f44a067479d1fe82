"""What must hold in every run, whatever happens: seen from outside, on what honest nodes say and commit.

one chain           no two honest nodes commit different blocks at one height
one notarization    no two Notarizations of one view, no Finalization beside a Nullification
one vote            no honest node ever sends two votes that contradict each other
one set             all honest nodes name the same validators of an epoch
"""

from collections.abc import Collection

from harness.sim.beginning import holders

from consensus.evidence import contradict
from consensus.messages import ConsensusMessage, Propose, QuorumMessage, Quorums, VoteMessage
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Quorum, Vote, same_position

SAFETY, VOTES, STALL = "safety", "votes", "stall"


class Violation(AssertionError):
    """The network broke one of its promises; `kind` says which sort."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Watch:
    def __init__(self, everybody: int, liars: Collection[int]) -> None:
        self._holders = holders(everybody)
        self._liars = liars
        self.sets: dict[int, tuple[bytes, ...]] = {}  # epoch -> vote keys
        self._nodes: dict[int, tuple[int, ...]] = {}  # epoch -> the nodes in office, by validator index
        self.chain: dict[int, bytes] = {}
        self.top = (0, 0)  # the highest epoch and view that an honest node was seen in
        self._votes: dict[tuple[int, int, int], list[Vote]] = {}  # (signer, epoch, view)
        self._quorums: dict[tuple[int, int, int], Position] = {}  # (kind, epoch, view)

    def office(self, epoch: int, vote_keys: tuple[bytes, ...]) -> None:
        if self.sets.setdefault(epoch, vote_keys) != vote_keys:
            raise Violation(SAFETY, f"two sets of validators of epoch {epoch}")
        self._nodes[epoch] = tuple(self._holders[key] for key in vote_keys)

    def nodes_of(self, epoch: int) -> tuple[int, ...]:
        """The nodes in office, by validator index."""
        return self._nodes[epoch]

    def final(self, height: int, block_hash: bytes) -> bool:
        """True for the first to commit this height."""
        known = self.chain.get(height)
        if known is None:
            self.chain[height] = block_hash
            return True
        if known != block_hash:
            raise Violation(SAFETY, f"two blocks are final at height {height}")
        return False

    def sent(self, source: int, message: ConsensusMessage) -> None:
        """By an honest node."""
        match message:
            case VoteMessage(vote=vote):
                self._vote(source, vote)
            case Propose(vote=vote, just=just):
                self._vote(source, vote)
                self._see(just)
            case QuorumMessage(quorum=quorum):
                self._see((quorum,))
            case Quorums(quorums=quorums):
                self._see(quorums)

    def _vote(self, source: int, vote: Vote) -> None:
        owner = self.nodes_of(vote.epoch)[vote.signer]
        if owner != source and owner in self._liars:
            return  # passed on by who heard it (`consensus/hindsight.py`)
        self.top = max(self.top, (vote.epoch, vote.view))
        earlier = self._votes.setdefault((vote.signer, vote.epoch, vote.view), [])
        if vote not in earlier:
            if any(contradict(vote, other) for other in earlier):
                raise Violation(VOTES, f"honest node {owner} signed two conflicting votes in view {vote.view}")
            earlier.append(vote)

    def _see(self, quorums: tuple[Quorum, ...]) -> None:
        for quorum in quorums:
            kind, epoch, view = quorum.kind, quorum.epoch, quorum.view
            known = self._quorums.get((kind, epoch, view))
            if known is not None:
                if not same_position(known, quorum):
                    raise Violation(SAFETY, f"two quorums of kind {kind} in view {view} of epoch {epoch}")
                continue
            self._quorums[kind, epoch, view] = quorum.position
            self.top = max(self.top, (epoch, view + 1))
            positions = {self._quorums.get((each, epoch, view)) for each in (NOTARIZE, FINALIZE)} - {None}
            if len(positions) > 1:
                raise Violation(SAFETY, f"finalized and notarized differ in view {view} of epoch {epoch}")
            if (FINALIZE, epoch, view) in self._quorums and (NULLIFY, epoch, view) in self._quorums:
                raise Violation(SAFETY, f"view {view} of epoch {epoch} is nullified and finalized")
