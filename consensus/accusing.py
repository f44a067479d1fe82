"""What this node holds against others: evidence that a validator voted twice, blame for a peer that sends nonsense."""

from consensus.effects import Blame, EvidenceFound
from consensus.inputs import Peer
from consensus.messages import Evidence
from consensus.outbox import Outbox


class Accusing:
    """Evidence is told and passed on once for each signer and view; of views below the final one, which come to light
    when a partition is over, once for each signer."""

    def __init__(self, out: Outbox) -> None:
        self._out = out
        self._told: set[tuple[int, int]] = set()  # (view, signer)
        self._told_late: set[int] = set()  # signers: one piece of evidence is enough for an epoch

    def tell(self, evidence: Evidence) -> None:
        key = (evidence.first.view, evidence.first.signer)
        if key not in self._told:
            self._told.add(key)
            self.tell_of_former(evidence)

    def tell_of_former(self, evidence: Evidence) -> None:
        """Of the epoch before, where `Former` counts what was told."""
        self._out.send(evidence)
        self._out.ask(EvidenceFound(self._out.epoch, self._out.view, evidence))

    def knows_late(self, signer: int) -> bool:
        """Whether evidence of a view that is final already was told of this signer."""
        return signer in self._told_late

    def tell_late(self, evidence: Evidence) -> None:
        self._told_late.add(evidence.first.signer)
        self.tell(evidence)

    def blame(self, peer: Peer, why: str) -> None:
        self._out.ask(Blame(self._out.epoch, self._out.view, peer, why))

    def forget(self, final_view: int) -> None:
        self._told = {key for key in self._told if key[0] > final_view}
