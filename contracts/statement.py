"""The facts of a retirement statement: one canonical array, hashed into the retire action (research/registry.md 7).

Everything a statement says except transaction id, height, time and proof. The holder's wallet builds it, every
validator builds it again from the state and refuses a difference, so the hash on chain vouches for each word.
"""

from contracts.context import Context
from state.codec import Wire
from state.crypto import H
from state.keyspace import device_key, issuance_key, scheme_key
from state.records import Device, DeviceFacts, Issuance, Parameters, Participant, Scheme
from state.transaction import Beneficiary, Retire, RetiredRange
from state.units import U8, U16, U32, U64, Code, Hash, Name, Note

SCHEMA_VERSION = 1
STATEMENT_ID_BYTES = 16


class StatementBundle(Wire, frozen=True):
    """One retired range with every fact a reader needs about it; `issue_txid` leads to the issue's own proof."""

    issuance: U64
    device: U32
    start: U64
    end: U64
    month: U32
    production_from: U64
    production_to: U64
    issued_at: U64
    face_value: U64
    unit: Code
    serial_digits: U8
    facts: DeviceFacts
    verifier_version: U16
    profile_hash: Hash
    reasons: tuple[Code, ...]
    issue_txid: Hash


class StatementFacts(Wire, frozen=True):
    schema_version: U16
    registry_code: Code
    chain: Hash
    holder: U32
    holder_name: Name
    beneficiary: Beneficiary
    purpose: Code
    note: Note
    consumption_from: U64
    consumption_to: U64
    jurisdiction: Code
    total_wh: U64
    bundles: tuple[StatementBundle, ...]


def statement_hash(facts: StatementFacts) -> bytes:
    return H("wattest/stmt", facts)


def statement_id(digest: bytes) -> bytes:
    """The first 16 bytes of the statement hash: what a QR code carries."""
    return digest[:STATEMENT_ID_BYTES]


def statement_facts(
    chain: bytes,
    parameters: Parameters,
    holder: Participant,
    action: Retire,
    sources: list[tuple[Issuance, Device, Scheme]],
) -> StatementFacts:
    """Facts of `action` (its own `statement_hash` aside); `sources` are the records behind each of its ranges."""
    bundles = tuple(
        _bundle(retired, issuance, device, scheme)
        for retired, (issuance, device, scheme) in zip(action.ranges, sources, strict=True)
    )
    return StatementFacts(
        schema_version=SCHEMA_VERSION,
        registry_code=parameters.registry_code,
        chain=chain,
        holder=holder.id,
        holder_name=holder.name,
        beneficiary=action.beneficiary,
        purpose=action.purpose,
        note=action.note,
        consumption_from=action.consumption_from,
        consumption_to=action.consumption_to,
        jurisdiction=action.jurisdiction,
        total_wh=sum((bundle.end - bundle.start + 1) * bundle.face_value for bundle in bundles),
        bundles=bundles,
    )


def recomputed_facts(context: Context, action: Retire) -> StatementFacts:
    """The facts from the state alone."""
    sources = []
    for retired in action.ranges:
        issuance = context.record(issuance_key(retired.issuance), Issuance, "issuance", retired.issuance)
        device = context.record(device_key(issuance.device), Device, "device", issuance.device)
        scheme = context.record(scheme_key(issuance.scheme), Scheme, "scheme", issuance.scheme)
        sources.append((issuance, device, scheme))
    environment = context.environment
    holder = context.participant(action.holder)
    return statement_facts(environment.chain, environment.parameters, holder, action, sources)


def _bundle(retired: RetiredRange, issuance: Issuance, device: Device, scheme: Scheme) -> StatementBundle:
    return StatementBundle(
        issuance=issuance.id,
        device=device.id,
        start=retired.start,
        end=retired.end,
        month=issuance.month,
        production_from=issuance.production_from,
        production_to=issuance.production_to,
        issued_at=issuance.issued_at,
        face_value=scheme.face_value,
        unit=scheme.unit,
        serial_digits=scheme.serial_digits,
        facts=device.facts,
        verifier_version=issuance.verifier_version,
        profile_hash=issuance.profile_hash,
        reasons=issuance.reasons,
        issue_txid=issuance.txid,
    )
