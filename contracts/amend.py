"""amend: the words of a statement may be put right once, within a short time; both versions stay.

Only the beneficiary's name and place and the note: never what was retired, for whose id, or for which purpose. The
first version stays what the statement's hash and its proof say; the amendment stands beside it with its transaction.
"""

from contracts.context import Context
from contracts.events import Amended
from contracts.register import require_line, require_text
from state.errors import AlreadyExists, AmendLate, BadField, NotHolder
from state.keyspace import amendment_key, statement_key
from state.overlay import Snapshot
from state.records import Amendment, Statement
from state.spoken import Said
from state.transaction import Amend


def check(context: Context, action: Amend) -> None:
    context.require_signature(action.holder)
    statement = _statement(context, action.statement)
    if statement.holder != action.holder:
        raise NotHolder(statement=action.statement, holder=statement.holder, claimed=action.holder)
    if context.overlay.get(amendment_key(statement.id)) is not None:
        raise AlreadyExists(what="an amendment of statement", id=action.statement.hex())
    environment = context.environment
    until = statement.retired_at + environment.parameters.terms.amend_s
    if not environment.before(until):
        raise AmendLate(statement=action.statement, until=until, now=environment.time_s)
    require_text("beneficiary", action.beneficiary_name)
    require_line("location", action.location)
    require_line("note", action.note)


def apply(context: Context, action: Amend) -> None:
    statement = _statement(context, action.statement)
    context.overlay.put(
        amendment_key(statement.id),
        Amendment(
            statement=statement.id,
            beneficiary_name=action.beneficiary_name,
            location=action.location,
            note=action.note,
            amended_at=context.environment.time_s,
            txid=context.txid,
        ),
    )
    context.announce(Amended(statement.id, action.holder, action.beneficiary_name))


def describe(action: Amend) -> Said:
    return Said(
        "amend the words of statement {statement}: for {name}",
        statement=action.statement.hex(),
        name=action.beneficiary_name,
    )


def amendment_of(state: Snapshot, statement: bytes) -> Amendment | None:
    found = state.get(amendment_key(statement))
    return found if isinstance(found, Amendment) else None


def _statement(context: Context, identity: bytes) -> Statement:
    if len(identity) != 16:
        raise BadField(field="statement", why="16 bytes")
    return context.record(statement_key(identity), Statement, "statement", identity.hex())
