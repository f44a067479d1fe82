"""A quorum that signs anything: proofs that are right in every signature and wrong in what they say.

Whoever holds q vote keys can make any block final, but a reader still compares each fact of a statement with the
transactions that the file shows, so a lie must at least be told consistently.
"""

from typing import Any

import msgspec
from harness.finalized import FinalizedWorld

from consensus.votes import Quorum
from contracts.statement import StatementFacts, statement_hash
from contracts.transition import DecodedTx
from node.proof import ProvenTransaction, StatementProof
from state.block import Header, header_hash, tx_root
from state.codec import decode, encode
from state.transaction import Issue, Retire, decode_transaction

replace = msgspec.structs.replace


class Forger:
    """Starts from an honest proof; each method gives the bytes of one that says something else."""

    def __init__(self, world: FinalizedWorld, honest: bytes) -> None:
        self.world = world
        self.proof = decode(StatementProof, honest)
        self.retire = self._action(self.proof.retire, Retire)
        self.issue = self._action(self.proof.issues[0], Issue)

    def with_facts(self, **changes: Any) -> bytes:
        """Other facts, and a retire transaction that carries their hash."""
        return self._with(replace(self.proof.facts, **changes), self.retire)

    def with_bundle(self, **changes: Any) -> bytes:
        (bundle,) = self.proof.facts.bundles
        return self.with_facts(bundles=(replace(bundle, **changes),))

    def with_both(self, facts: dict[str, Any], bundle: dict[str, Any], retired: dict[str, Any]) -> bytes:
        """The same change in the facts and in the range that the retire action names."""
        (old,), (old_range,) = self.proof.facts.bundles, self.retire.ranges
        action = replace(self.retire, ranges=(replace(old_range, **retired),))
        return self._with(replace(self.proof.facts, **facts, bundles=(replace(old, **bundle),)), action)

    def with_issue(self, **changes: Any) -> bytes:
        """Another issue transaction, final and named by the facts."""
        decoded = self.world.transaction(replace(self.issue, **changes))
        proven = self.final(decoded, self.proof.issues[0].headers[0])
        (bundle,) = self.proof.facts.bundles
        forged = Forger(self.world, encode(replace(self.proof, issues=(proven,))))
        return forged.with_facts(bundles=(replace(bundle, issue_txid=decoded.txid),))

    def final(self, decoded: DecodedTx, like: Header) -> ProvenTransaction:
        """`decoded` alone in a block whose header is otherwise `like`, made final by the world's quorum."""
        header = replace(like, tx_root=tx_root((decoded.raw,)))
        votes: Quorum = self.world.finalization(header_hash(header), header.height)
        return ProvenTransaction(decoded.raw, (), 0, (header,), votes)

    def _with(self, facts: StatementFacts, action: Retire) -> bytes:
        decoded = self.world.transaction(replace(action, statement_hash=statement_hash(facts)), by=("owner",))
        proven = self.final(decoded, self.proof.retire.headers[0])
        return encode(replace(self.proof, facts=facts, retire=proven))

    def _action(self, proven: ProvenTransaction, kind: Any) -> Any:
        return next(a for a in decode_transaction(proven.transaction).body.actions if isinstance(a, kind))
