"""The issue transaction that attested days make, as the ledger of this moment would have it (`contracts/issue.py`)."""

from collections.abc import Sequence

from contracts.accounts import book
from contracts.calendar import month_of_day
from contracts.context import BlockEnvironment
from state.errors import Unknown
from state.keyspace import device_key, scheme_key
from state.overlay import Snapshot
from state.records import Device, Scheme
from state.transaction import AttestedDay, Body, Issue, Transaction, encode_transaction

EXPIRY_BLOCKS = 60  # an issue that is not taken by then was built on an account that has moved on
MAX_DAYS = 31

SALT = bytes(8)  # machine actions of equal content are equal transactions, whoever builds them


def build_issue(snapshot: Snapshot, environment: BlockEnvironment, device: int, days: Sequence[AttestedDay]) -> Issue:
    """1..31 attested days of one device and production month, ascending. `environment` is of the block it aims at."""
    record = snapshot.get(device_key(device))
    if not isinstance(record, Device):
        raise Unknown(what="device", id=device)
    scheme = snapshot.get(scheme_key(record.scheme))
    if not isinstance(scheme, Scheme):
        raise Unknown(what="scheme", id=record.scheme)
    month = month_of_day(days[0].attestation.day)
    released_wh = sum(attested.attestation.release_wh for attested in days)
    booking = book(snapshot, environment.time_s, record, scheme, month, released_wh)
    return Issue(
        device=device,
        owner=record.owner,
        scheme=scheme.id,
        face_value=scheme.face_value,
        unit=scheme.unit,
        month=month,
        facts=record.facts,
        days=tuple(days),
        carry_in_wh=booking.account.carry_wh,
        carry_out_wh=booking.carry_wh,
        first_serial=record.next_serial,
        count=booking.count,
        netted_wh=booking.netted_wh,
    )


def issue_transaction(environment: BlockEnvironment, issue: Issue) -> bytes:
    """Zero signers: the authority is inside."""
    body = Body(environment.chain, (), (issue,), environment.height + EXPIRY_BLOCKS, SALT)
    return encode_transaction(Transaction(body, ()))
