"""Our own mutants of the rules by which validators change, and of the evidence against them."""

from types import SimpleNamespace
from typing import Any

import pytest
from harness.mutation import mutant

from consensus import evidence, proposals
from consensus.engine import Engine
from contracts import membership
from node import ledger, office

VALIDATORS = "tests/rules/test_validators.py"
EPOCHS: dict[str, object] = {"n": 5, "epoch_length": 6}


@mutant("r", VALIDATORS)
def all_changes_at_once(patch: pytest.MonkeyPatch) -> None:
    """every waiting change is made at the end of one epoch"""
    patch.setattr(membership, "max", lambda *_: 10**6, raising=False)


@mutant("s", VALIDATORS)
def evidence_waits_in_line(patch: pytest.MonkeyPatch) -> None:
    """evidence is executed behind the changes that were decided before"""

    def waiting_in_line(context: Any, change: Any) -> None:
        changes = (*membership.waiting(context.overlay), change)
        members = context.environment.validators
        planned = membership.NextValidators(changes, membership.turned(members, changes)[0])
        context.overlay.put(membership.NEXT_VALIDATORS_KEY, planned)

    patch.setattr(membership, "enqueue", waiting_in_line)
    patch.setattr("contracts.evidence.enqueue", waiting_in_line)


@mutant("t", "tests/ledger/test_ledger.py", "tests/network/test_epochs.py", **EPOCHS)
def next_set_not_committed(patch: pytest.MonkeyPatch) -> None:
    """a boundary header may name any next set"""
    patch.setattr(ledger, "next_set", lambda overlay, environment: environment.validators)


@mutant("u", VALIDATORS)
def old_keys_come_back(patch: pytest.MonkeyPatch) -> None:
    """a vote key that was in office before may return, its votes forgotten"""
    whole = membership._require_fresh_vote_key

    def careless(context: Any, key: bytes, changes: Any) -> None:
        blind = SimpleNamespace(get=lambda _: None)
        whole(SimpleNamespace(environment=context.environment, overlay=blind), key, changes)  # type: ignore[arg-type]

    patch.setattr(membership, "_require_fresh_vote_key", careless)


@mutant("v", VALIDATORS)
def the_last_validator_leaves(patch: pytest.MonkeyPatch) -> None:
    """the set may become empty"""

    def careless(context: Any, content: Any, changes: Any) -> None:
        membership._require_member(context, content.participant, changes)

    patch.setattr(membership, "_check_leave", careless)


@mutant("w", liars=1, villain="nullify_spammer", n=4)
def lawful_votes_called_evidence(patch: pytest.MonkeyPatch) -> None:
    """NOTARIZE and NULLIFY of one view are taken for a double vote"""

    def contradict(first: Any, second: Any) -> bool:
        same = (first.signer, first.epoch, first.view) == (second.signer, second.epoch, second.view)
        return same and (first.kind != second.kind or first.position != second.position)

    patch.setattr(evidence, "contradict", contradict)
    patch.setattr("consensus.tally.contradict", contradict)


@mutant("x", **EPOCHS)
def epochs_never_end(patch: pytest.MonkeyPatch) -> None:
    """the engine goes on above the epoch's last block"""
    patch.setattr(Engine, "ended", property(lambda self: False))


@mutant("y", liars=1, villain="sign_everything", **EPOCHS)
def boundary_may_be_built_on(patch: pytest.MonkeyPatch) -> None:
    """voters accept a block above the epoch's last one"""
    whole = proposals.Proposals._follows

    def careless(self: proposals.Proposals, header: Any, parent: Any, position: Any) -> bool:
        kept, self._last_height = self._last_height, None
        try:
            return whole(self, header, parent, position)
        finally:
            self._last_height = kept

    patch.setattr(proposals.Proposals, "_follows", careless)


@mutant("z", epoch_length=6, n=4, liars=0, live=True, changes=[("rotate", 0), ("rotate", 1), ("rotate", 2)])
def the_old_key_votes_on(patch: pytest.MonkeyPatch) -> None:
    """a node that rotated its key goes on with the seat of the first one"""
    patch.setattr(office.Office, "seat_of", lambda self, validators: self._seats[0])
