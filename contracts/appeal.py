"""appeal: the owner of a held or refused day objects, the authority answers, and both stay on record.

One objection for each record of a day, with a reason and the hash of its evidence; the evidence itself stays with the
owner and whoever it is shown to. The authority should answer within `appeal_s`; what it answers later is kept as well
and marked late, because silence would be worse. An answer changes no energy: an upheld objection leads to a correction
that a quorum approves (`contracts/correct.py`).
"""

from msgspec.structs import replace

from contracts.context import Context
from contracts.events import AppealAnswered, Appealed
from contracts.register import require_text
from state.attestation import ACCEPT
from state.errors import AlreadyExists, BadField, DayAccepted, RoleNeeded
from state.keyspace import appeal_key, device_key, release_key, space_end
from state.overlay import Snapshot
from state.records import Appeal, Device, Release, Role
from state.spoken import Said, format_day
from state.transaction import AnswerAppeal, FileAppeal

OPEN, UPHELD, DISMISSED = "open", "upheld", "dismissed"


def check_file(context: Context, action: FileAppeal) -> None:
    context.require_signature(action.owner)
    device = context.record(device_key(action.device), Device, "device", action.device)
    if device.owner != action.owner:
        raise RoleNeeded(participant=action.owner, role=f"owner of device {device.id}")
    release = context.record(_release_key(action), Release, "verdict of day", action.day)
    if release.verdict == ACCEPT:
        raise DayAccepted(device=device.id, day=action.day)
    if context.overlay.get(_key(action)) is not None:
        raise AlreadyExists(what="an objection to day", id=action.day)
    require_text("reason", action.reason)
    _check_hash(action.evidence_hash)


def apply_file(context: Context, action: FileAppeal) -> None:
    now = context.environment.time_s
    answer_until = now + context.environment.parameters.terms.appeal_s
    context.overlay.put(
        _key(action),
        Appeal(
            device=action.device,
            day=action.day,
            step=action.step,
            revision=action.revision,
            owner=action.owner,
            reason=action.reason,
            evidence_hash=action.evidence_hash,
            filed_at=now,
            answer_until=answer_until,
            txid=context.txid,
            status=OPEN,
            authority=0,
            answer="",
            answer_hash=b"",
            answered_at=0,
            late=False,
            answer_txid=b"",
        ),
    )
    context.announce(Appealed(action.device, action.day, action.owner, answer_until))


def describe_file(action: FileAppeal) -> Said:
    return Said(
        "object to the verdict on {day} of device {device}: {reason}",
        day=format_day(action.day),
        device=action.device,
        reason=action.reason,
    )


def check_answer(context: Context, action: AnswerAppeal) -> None:
    context.require_signature(action.authority)
    context.require_role(action.authority, Role.AUTHORITY)
    appeal = context.record(_key(action), Appeal, "objection to day", action.day)
    if appeal.status != OPEN:
        raise AlreadyExists(what="an answer to the objection to day", id=action.day)
    require_text("answer", action.answer)
    _check_hash(action.answer_hash)


def apply_answer(context: Context, action: AnswerAppeal) -> None:
    appeal = context.record(_key(action), Appeal, "objection to day", action.day)
    environment = context.environment
    status = UPHELD if action.upheld else DISMISSED
    late = not environment.before(appeal.answer_until)
    context.overlay.put(
        _key(action),
        replace(
            appeal,
            status=status,
            authority=action.authority,
            answer=action.answer,
            answer_hash=action.answer_hash,
            answered_at=environment.time_s,
            late=late,
            answer_txid=context.txid,
        ),
    )
    context.announce(AppealAnswered(action.device, action.day, action.authority, status, late))


def describe_answer(action: AnswerAppeal) -> Said:
    named: dict[str, int | str] = {"day": format_day(action.day), "device": action.device, "answer": action.answer}
    if action.upheld:
        return Said("uphold the objection to {day} of device {device}: {answer}", **named)
    return Said("dismiss the objection to {day} of device {device}: {answer}", **named)


def appeals_of(state: Snapshot, device: int) -> list[Appeal]:
    """Every objection about a device, oldest day first."""
    low = appeal_key(device, 0, 0, 0)[:5]
    return [entry for _, entry in state.scan(low, space_end(low)) if isinstance(entry, Appeal)]


def overdue(appeal: Appeal, time_s: int) -> bool:
    """Nobody answered in time."""
    return appeal.status == OPEN and time_s >= appeal.answer_until


def _key(action: FileAppeal | AnswerAppeal) -> bytes:
    return appeal_key(action.device, action.day, action.step, action.revision)


def _release_key(action: FileAppeal) -> bytes:
    return release_key(action.device, action.day, action.step, action.revision)


def _check_hash(digest: bytes) -> None:
    if len(digest) not in (0, 32):
        raise BadField(field="evidence_hash", why="32 bytes, or empty where there is no evidence")
