"""retire: certificates end in a named use, for ever (EECS cancellation with its claim, in one step).

There is no way back. The statement that the holder may show is fixed by its hash, which every validator recomputes.
"""

from contracts.calendar import LAST_SECOND
from contracts.context import Context
from contracts.countries import require_country, require_jurisdiction
from contracts.events import Retired
from contracts.register import require_line, require_text
from contracts.statement import recomputed_facts, statement_hash, statement_id
from contracts.transfer import moved_bundle, require_inside
from state.errors import AlreadyExists, BadField, Spent, StatementDiffers
from state.keyspace import issuance_key, statement_key
from state.outputs import Bundle
from state.records import Issuance, Statement
from state.spoken import Counted, Said
from state.transaction import Retire, RetiredRange

PURPOSES = ("voluntary", "compliance", "own_consumption")
PURPOSE_WORDS = {
    "voluntary": Said("voluntary"),
    "compliance": Said("compliance"),
    "own_consumption": Said("own consumption"),
}


def check(context: Context, action: Retire) -> None:
    context.require_signature(action.holder)
    _check_claim(action)
    for retired in action.ranges:
        bundle = context.bundle(retired.outpoint, action.holder)
        require_inside(bundle, retired.start, retired.end)
        _check_origin(context, retired, bundle)
    if len({retired.outpoint for retired in action.ranges}) != len(action.ranges):
        raise Spent(outpoint=action.ranges[0].outpoint)
    if statement_hash(recomputed_facts(context, action)) != action.statement_hash:
        raise StatementDiffers()
    identity = statement_id(action.statement_hash)
    if context.overlay.get(statement_key(identity)) is not None:
        raise AlreadyExists(what="the statement", id=identity.hex())


def apply(context: Context, action: Retire) -> None:
    identity = statement_id(action.statement_hash)
    for retired in action.ranges:
        bundle = context.spend(retired.outpoint)
        assert isinstance(bundle, Bundle)
        if bundle.start < retired.start:
            context.create(moved_bundle(bundle, bundle.holder, bundle.start, retired.start - 1))
        if retired.end < bundle.end:
            context.create(moved_bundle(bundle, bundle.holder, retired.end + 1, bundle.end))
        context.announce(
            Retired(
                identity,
                action.holder,
                action.beneficiary.name,
                bundle.device,
                bundle.issuance,
                retired.start,
                retired.end,
            )
        )
    context.overlay.put(
        statement_key(identity),
        Statement(
            id=identity,
            holder=action.holder,
            txid=context.txid,
            action_index=context.action_index,
            statement_hash=action.statement_hash,
            quantity=sum(retired.end - retired.start + 1 for retired in action.ranges),
            retired_at=context.environment.time_s,
        ),
    )


def describe(action: Retire) -> Said:
    count = sum(retired.end - retired.start + 1 for retired in action.ranges)
    return Said(
        "retire {count} for {name} ({purpose})",
        count=Counted(count, "certificate"),
        name=action.beneficiary.name,
        purpose=PURPOSE_WORDS.get(action.purpose, action.purpose.replace("_", " ")),
    )


def _check_claim(action: Retire) -> None:
    beneficiary = action.beneficiary
    require_text("beneficiary", beneficiary.name)
    for field, text in (
        ("beneficiary id", beneficiary.id),
        ("beneficiary location", beneficiary.location),
        ("note", action.note),
    ):
        require_line(field, text)
    require_jurisdiction("jurisdiction", action.jurisdiction)
    if beneficiary.country:
        require_country("beneficiary country", beneficiary.country)
    if action.purpose not in PURPOSES:
        raise BadField(field="purpose", why=f"one of {', '.join(PURPOSES)}")
    if not action.consumption_from <= action.consumption_to <= LAST_SECOND:
        raise BadField(field="consumption period", why="it ends before it begins, or after the year 9999")


def _check_origin(context: Context, retired: RetiredRange, bundle: Bundle) -> None:
    issuance = context.record(issuance_key(bundle.issuance), Issuance, "issuance", bundle.issuance)
    named = (retired.issuance, retired.device, retired.production_from, retired.production_to)
    if named != (issuance.id, issuance.device, issuance.production_from, issuance.production_to):
        raise BadField(field="ranges", why="issuance, device or production interval is not the bundle's")
