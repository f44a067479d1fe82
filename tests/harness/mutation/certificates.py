"""Our own mutants of the rules by which certificates come into being."""

from typing import Any

import pytest
from harness.mutation import mutant

from contracts import issue
from state.attestation import attestation_bytes

ISSUE = ("tests/rules/test_issue.py", "tests/rules/test_release.py", "tests/rules/test_schemes.py")


def _nothing(*_: Any) -> None:
    """The check that is left out."""


@mutant("ia", *ISSUE)
def attestations_believed(patch: pytest.MonkeyPatch) -> None:
    """an attestation's signatures are not verified"""
    patch.setattr(issue, "verify", lambda *_: True)


@mutant("ib", *ISSUE)
def attesters_counted_twice(patch: pytest.MonkeyPatch) -> None:
    """one validator's attestation counts as often as it is there"""

    def counting(context: Any, attested: Any) -> None:
        message = attestation_bytes(context.environment.chain, attested.attestation)
        for signed in attested.signatures:
            key = context.environment.validators[signed.validator].vote_key
            if not issue.verify(key, message, signed.signature):
                raise issue.AttestationInvalid(validator=signed.validator, day=0, why="the signature is wrong")
        if len(attested.signatures) < context.environment.quorum:
            raise issue.QuorumMissing(count=len(attested.signatures), quorum=context.environment.quorum)

    patch.setattr(issue, "_check_quorum", counting)


@mutant("ic", *ISSUE)
def issued_without_a_quorum(patch: pytest.MonkeyPatch) -> None:
    """any attestation is enough"""
    patch.setattr(issue, "_check_quorum", _nothing)


@mutant("id", *ISSUE)
def accounts_believed(patch: pytest.MonkeyPatch) -> None:
    """number of certificates, first serial and carry are what the action says"""
    patch.setattr(issue, "_check_account", _nothing)


@mutant("ie", *ISSUE)
def facts_believed(patch: pytest.MonkeyPatch) -> None:
    """owner, scheme and device facts are what the action says"""
    patch.setattr(issue, "_check_facts", _nothing)


@mutant("if", *ISSUE)
def steps_in_any_order(patch: pytest.MonkeyPatch) -> None:
    """energy of a day is released in any order, and after a refusal"""
    patch.setattr(issue, "_check_order", _nothing)


@mutant("ig", *ISSUE)
def more_than_the_nameplate(patch: pytest.MonkeyPatch) -> None:
    """a day may release more than the device can produce"""
    patch.setattr(issue, "day_bound_wh", lambda device: 10**18)


@mutant("ih", *ISSUE)
def rejected_days_release(patch: pytest.MonkeyPatch) -> None:
    """device, epoch, verdict and reasons of an attestation are not looked at"""
    patch.setattr(issue, "_content_problem", lambda *_: None)
