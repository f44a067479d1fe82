"""Before a moved validator votes again: is its key already voting somewhere else?

A data directory that turns up on another machine was moved, copied or restored. If it was copied, the original may
still run, and two processes with one vote key are the clone attack. So the node first listens for twice the longest
timer (consensus.md section 7.5). A vote of its own key that its journal does not hold ends it (exit code 74).
"""

from collections.abc import Iterable, Iterator

from consensus.messages import ConsensusMessage, Propose, QuorumMessage, Quorums, VoteMessage
from consensus.votes import Position, Quorum, Verify, Vote, vote_bytes

Signed = tuple[int, Position, bytes]  # kind, position, signature


class OwnKeyWatch:
    """`votes` are the journal's own ones. `foreign` says whether a message holds a vote that this node never made."""

    def __init__(self, chain: bytes, public: bytes, index: int, votes: Iterable[Vote], verify: Verify) -> None:
        self._chain, self._public, self._index, self._verify = chain, public, index, verify
        self._known = {(vote.kind, vote.position) for vote in votes}

    def foreign(self, message: ConsensusMessage, final_view: int) -> bool:
        """At or below `final_view` the journal is pruned, so nothing can be concluded from such a vote."""
        return any(
            position.view > final_view
            and (kind, position) not in self._known
            and self._verify(self._public, vote_bytes(self._chain, kind, position), signature)
            for kind, position, signature in self._mine(message)
        )

    def _mine(self, message: ConsensusMessage) -> Iterator[Signed]:
        match message:
            case VoteMessage(vote=vote) | Propose(vote=vote):
                if vote.signer == self._index:
                    yield vote.kind, vote.position, vote.signature
            case QuorumMessage(quorum=quorum):
                yield from self._in_quorum(quorum)
            case Quorums(quorums=quorums):
                for quorum in quorums:
                    yield from self._in_quorum(quorum)

    def _in_quorum(self, quorum: Quorum) -> Iterator[Signed]:
        for signer, signature in zip(quorum.signers, quorum.signatures, strict=False):
            if signer == self._index:
                yield quorum.kind, quorum.position, signature
