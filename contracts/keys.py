"""keys: a participant's, meter's or gateway's key is replaced, and the history shows both.

Outputs name their holder by number, so no output moves. The old key signs nothing from the next transaction on: each
rule asks for the current key of the number that it acts for. Four ways lead to a new key:

    rotate_key          the current key hands over; the new one signs too, or a typing error would lock the account
    recover_key         the recovery key, named at registration, replaces a lost or stolen key at once
    proposal `recover`  q organisations approve; after `recovery_delay_s` the sweep puts the new key in place, unless
                        the owner vetoes with the current key or the recovery key
    rotate_credential   of a meter or gateway: signed by its owner, the old credential and the new one. A credential
                        that is lost is accredited anew by a proposal

A replaced key never comes back (research/assurance.md section 7).
"""

from msgspec.structs import replace

from contracts.context import Context
from contracts.events import KeyChanged, RecoveryNamed, RecoveryPending, RecoveryVetoed
from contracts.membership import govern
from contracts.register import require_key
from state.errors import AlreadyExists, BadField, MissingSignature, RoleNeeded, Unknown
from state.keyspace import (
    Space,
    device_key,
    former_key,
    gateway_key,
    key_change_key,
    key_owner_key,
    meter_key,
    participant_key,
    recovery_due_key,
    recovery_key,
    space_end,
)
from state.overlay import Snapshot
from state.records import (
    Counter,
    Device,
    Gateway,
    KeyChange,
    KeyOwner,
    Meter,
    Participant,
    PendingRecovery,
    Used,
)
from state.spoken import Said
from state.transaction import NameRecovery, RecoverContent, RecoverKey, RotateCredential, RotateKey, VetoRecovery

RECOVERIES_PER_BLOCK = 64

# --- by the current key


def check_rotate(context: Context, action: RotateKey) -> None:
    context.require_signature(action.participant)
    _require_signed(context, "new key", action.key)
    require_fresh(context, action.key)


def apply_rotate(context: Context, action: RotateKey) -> None:
    _replace_key(context, context.participant(action.participant), action.key, "rotation")


def describe_rotate(action: RotateKey) -> Said:
    return Said(
        "let participant {participant} sign with key {key} from now on",
        participant=action.participant,
        key=f"{action.key.hex()[:16]}…",
    )


def check_name(context: Context, action: NameRecovery) -> None:
    participant = context.require_signature(action.participant)
    context.require_once()
    if participant.recovery_key:
        _require_signed(context, "recovery key", participant.recovery_key)
    if action.recovery_key:
        require_key("recovery_key", action.recovery_key)
        _require_other(participant.key, action.recovery_key)


def apply_name(context: Context, action: NameRecovery) -> None:
    context.mark_once()
    participant = context.participant(action.participant)
    context.overlay.put(participant_key(participant.id), replace(participant, recovery_key=action.recovery_key))
    context.announce(RecoveryNamed(participant.id, action.recovery_key))


def describe_name(action: NameRecovery) -> Said:
    if not action.recovery_key:
        return Said("take away the recovery key of participant {participant}", participant=action.participant)
    return Said(
        "name {key} as the recovery key of participant {participant}",
        key=f"{action.recovery_key.hex()[:16]}…",
        participant=action.participant,
    )


# --- by the recovery key


def check_recover(context: Context, action: RecoverKey) -> None:
    participant = context.participant(action.participant)
    _require_recovery_key(context, participant, action.recovery_key)
    _require_signed(context, "new key", action.key)
    require_fresh(context, action.key)
    if action.next_recovery_key:
        require_key("next_recovery_key", action.next_recovery_key)
        _require_other(action.key, action.next_recovery_key)


def apply_recover(context: Context, action: RecoverKey) -> None:
    participant = context.participant(action.participant)
    safe = action.next_recovery_key or action.recovery_key
    _replace_key(context, replace(participant, recovery_key=safe), action.key, "recovery")


def describe_recover(action: RecoverKey) -> Said:
    return Said(
        "recover participant {participant} with key {key}, by its recovery key",
        participant=action.participant,
        key=f"{action.key.hex()[:16]}…",
    )


# --- by a quorum, after a delay


def check_content(context: Context, content: RecoverContent) -> None:
    """Whether a recovery can be proposed. The new key signs the proposal: nobody is locked in by a typing error."""
    context.participant(content.participant)
    _require_signed(context, "new key", content.key)
    _check_pending(context, content)


def enact(context: Context, content: RecoverContent) -> int:
    """Approved by a quorum: the new key waits for its day."""
    _check_pending(context, content)
    now = context.environment.time_s
    due_at = now + context.environment.parameters.terms.recovery_delay_s
    pending = PendingRecovery(content.participant, content.key, now, due_at)
    context.overlay.put(recovery_key(content.participant), pending)
    context.overlay.put(recovery_due_key(due_at, content.participant), Counter(content.participant))
    context.announce(RecoveryPending(content.participant, content.key, due_at))
    return content.participant


def _check_pending(context: Context, content: RecoverContent) -> None:
    if context.overlay.get(recovery_key(content.participant)) is not None:
        raise AlreadyExists(what="a pending recovery of participant", id=content.participant)
    require_fresh(context, content.key)


def check_veto(context: Context, action: VetoRecovery) -> None:
    participant = context.participant(action.participant)
    context.require_once()
    if action.recovery_key:
        _require_recovery_key(context, participant, action.recovery_key)
    else:
        context.require_signature(action.participant)
    context.record(recovery_key(action.participant), PendingRecovery, "pending recovery of participant", participant.id)


def apply_veto(context: Context, action: VetoRecovery) -> None:
    context.mark_once()
    _drop_pending(context, action.participant)


def describe_veto(action: VetoRecovery) -> Said:
    return Said("veto the recovery of participant {participant}", participant=action.participant)


def recover_due(context: Context) -> None:
    """Part of the sweep: recoveries that nobody vetoed in time."""
    low, high = recovery_due_key(0, 0), recovery_due_key(context.environment.time_s + 1, 0)
    due = [entry for _, entry in context.overlay.scan(low, high)][:RECOVERIES_PER_BLOCK]
    for entry in due:
        assert isinstance(entry, Counter)
        pending = context.record(recovery_key(entry.value), PendingRecovery, "pending recovery", entry.value)
        if _taken(context, pending.key):  # registered by somebody while it waited
            _drop_pending(context, pending.participant)
        else:
            _replace_key(context, context.participant(pending.participant), pending.key, "quorum")


def next_due_ms(state: Snapshot) -> int | None:
    """When the first pending recovery is due."""
    low = recovery_due_key(0, 0)
    for key, _ in state.scan(low, space_end(low[:1])):
        return int.from_bytes(key[1:9], "big") * 1000
    return None


# --- credentials of meters and gateways


def check_credential(context: Context, action: RotateCredential) -> None:
    owner, key = _credential(context, action)
    context.require_signature(owner)
    if key != action.former:
        raise BadField(field="former", why=f"the current key of {action.kind} {action.subject} is another")
    _require_signed(context, f"old key of {action.kind}", action.former)
    _require_signed(context, f"new key of {action.kind}", action.key)
    require_fresh(context, action.key)
    if action.key == action.former:
        raise BadField(field="key", why="it is the current key already")


def apply_credential(context: Context, action: RotateCredential) -> None:
    if action.kind == "meter":
        meter = context.record(meter_key(action.subject), Meter, "meter of device", action.subject)
        context.overlay.put(meter_key(meter.device), replace(meter, key=action.key))
    else:
        gateway = context.record(gateway_key(action.subject), Gateway, "gateway", action.subject)
        context.overlay.put(gateway_key(gateway.id), replace(gateway, key=action.key))
    record_change(context, action.kind, action.subject, action.former, action.key, "rotation")


def describe_credential(action: RotateCredential) -> Said:
    key = f"{action.key.hex()[:16]}…"
    if action.kind == "meter":
        return Said(
            "let the meter of device {device} sign readings with key {key} from now on", device=action.subject, key=key
        )
    return Said("let gateway {gateway} sign readings with key {key} from now on", gateway=action.subject, key=key)


def _credential(context: Context, action: RotateCredential) -> tuple[int, bytes]:
    """(owner, current key) of a meter that has a key of its own, or of a gateway."""
    if action.kind == "gateway":
        gateway = context.record(gateway_key(action.subject), Gateway, "gateway", action.subject)
        return gateway.operator, gateway.key
    if action.kind != "meter":
        raise BadField(field="kind", why="meter or gateway")
    meter = context.record(meter_key(action.subject), Meter, "meter of device", action.subject)
    if not meter.key:
        raise RoleNeeded(participant=action.subject, role=f"meter with a key of its own: gateway {meter.gateway} signs")
    return context.record(device_key(meter.device), Device, "device", meter.device).owner, meter.key


# --- what other rules share


def require_fresh(context: Context, key: bytes) -> None:
    """A usable key that is nobody's and never was: a replaced key stays dead."""
    require_key("key", key)
    if _taken(context, key):
        raise AlreadyExists(what="a participant, meter or gateway with the key", id=key.hex())


def record_change(context: Context, kind: str, subject: int, former: bytes, key: bytes, reason: str) -> None:
    """The history of keys: one entry a change, and the old key closed for ever."""
    environment = context.environment
    number = context.next_number(f"{kind} {subject} keys")
    change = KeyChange(kind, subject, former, key, reason, environment.time_s, environment.height, context.txid)
    context.overlay.put(key_change_key(kind, subject, number), change)
    if former:
        context.overlay.put(former_key(former), Used(context.txid))
    context.announce(KeyChanged(kind, subject, former, key, reason))


def key_changes(state: Snapshot, kind: str, subject: int) -> list[KeyChange]:
    """Every change of a subject's key, oldest first."""
    low = key_change_key(kind, subject, 0)
    return [entry for _, entry in state.scan(low, space_end(low[:6])) if isinstance(entry, KeyChange)]


def pending_recoveries(state: Snapshot) -> list[PendingRecovery]:
    low = bytes((Space.RECOVERY,))
    return [entry for _, entry in state.scan(low, space_end(low)) if isinstance(entry, PendingRecovery)]


def _replace_key(context: Context, participant: Participant, key: bytes, reason: str) -> None:
    overlay = context.overlay
    _drop_pending(context, participant.id, announced=reason != "quorum")
    overlay.delete(key_owner_key(participant.key))
    overlay.put(key_owner_key(key), KeyOwner(participant.id))
    overlay.put(participant_key(participant.id), replace(participant, key=key))
    govern(overlay, participant.id, key)
    record_change(context, "participant", participant.id, participant.key, key, reason)


def _drop_pending(context: Context, participant: int, announced: bool = True) -> None:
    """Whoever shows that the account is in hand ends a recovery that waits."""
    pending = context.overlay.get(recovery_key(participant))
    if isinstance(pending, PendingRecovery):
        context.overlay.delete(recovery_key(participant))
        context.overlay.delete(recovery_due_key(pending.due_at, participant))
        if announced:
            context.announce(RecoveryVetoed(participant, pending.key))


def _taken(context: Context, key: bytes) -> bool:
    overlay = context.overlay
    return overlay.get(key_owner_key(key)) is not None or overlay.get(former_key(key)) is not None


def _require_signed(context: Context, what: str, key: bytes) -> None:
    if key not in context.signers:
        raise MissingSignature(role=what, id=key.hex())


def _require_other(key: bytes, recovery: bytes) -> None:
    if key == recovery:
        raise BadField(field="recovery_key", why="a key has one purpose: it must not be the signing key")


def _require_recovery_key(context: Context, participant: Participant, key: bytes) -> None:
    if not participant.recovery_key:
        raise Unknown(what="recovery key of participant", id=participant.id)
    if participant.recovery_key != key:
        raise BadField(field="recovery_key", why=f"participant {participant.id} has named another one")
    _require_signed(context, "recovery key", key)
