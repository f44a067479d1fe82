"""standing: a transfer rule signed once, carried out at every issue of a plant until a date.

The owner of a device promises a receiver a share of each issue, or all of it up to a maximum. Rules of a device act in
the order of their numbers, each on what the ones before it left. A share is rounded down to whole certificates. The
receiver gets what an ordinary transfer would give it: a rule moves nothing where the scheme does not let certificates
move, or where the device has an open debt.
"""

from msgspec.structs import replace

from contracts.accounts import open_debt_wh
from contracts.calendar import LAST_SECOND
from contracts.context import Context
from contracts.events import StandingEnded, StandingSet, Transferred
from contracts.release import BASIS_POINTS
from contracts.transfer import moved_bundle
from state.errors import BadField, LimitReached, RoleNeeded
from state.keyspace import device_key, output_key, participant_key, space_end, standing_key
from state.outputs import Bundle
from state.overlay import Snapshot
from state.records import Device, Scheme, Standing
from state.spoken import Counted, Said, format_moment
from state.transaction import EndStanding, SetStanding
from state.units import Outpoint

STANDING_PER_DEVICE = 16  # each costs every issue of the device an output


def check_set(context: Context, action: SetStanding) -> None:
    context.require_signature(action.owner)
    context.require_once()
    _require_owner(context, action.owner, action.device)
    context.participant(action.to)
    if action.to == action.owner:
        raise BadField(field="to", why="the owner keeps the rest anyway; it is somebody else")
    if not 0 < action.share <= BASIS_POINTS:
        raise BadField(field="share", why=f"1 to {BASIS_POINTS} basis points of each issue")
    if action.until > LAST_SECOND:
        raise BadField(field="until", why="after the year 9999")
    if not context.environment.before(action.until):
        raise BadField(field="until", why=f"{format_moment(action.until)} is over")
    if len(standing_of(context.overlay, action.device)) >= STANDING_PER_DEVICE:
        raise LimitReached(limit=STANDING_PER_DEVICE, what=f"standing transfers of device {action.device}")


def apply_set(context: Context, action: SetStanding) -> None:
    context.mark_once()
    number = context.next_number("standing")
    rule = Standing(
        number, action.device, action.owner, action.to, action.share, action.maximum, 0, action.until, context.txid
    )
    context.overlay.put(standing_key(action.device, number), rule)
    context.announce(StandingSet(number, action.device, action.owner, action.to, action.share, action.maximum))


def describe_set(action: SetStanding) -> Said:
    share, device, to = f"{action.share / 100:g}", action.device, action.to
    if not action.maximum:
        return Said(
            "transfer {share} % of every issue of device {device} to participant {to}",
            share=share,
            device=device,
            to=to,
        )
    return Said(
        "transfer {share} % of every issue of device {device} to participant {to}, at most {most}",
        share=share,
        device=device,
        to=to,
        most=Counted(action.maximum, "certificate"),
    )


def check_end(context: Context, action: EndStanding) -> None:
    context.require_signature(action.participant)
    rule = context.record(standing_key(action.device, action.number), Standing, "standing transfer", action.number)
    if action.participant not in (rule.owner, rule.to):
        raise RoleNeeded(participant=action.participant, role=f"giver or receiver of standing transfer {rule.id}")


def apply_end(context: Context, action: EndStanding) -> None:
    context.overlay.delete(standing_key(action.device, action.number))
    context.announce(StandingEnded(action.number, action.device, "ended"))


def describe_end(action: EndStanding) -> Said:
    return Said("end standing transfer {number} of device {device}", number=action.number, device=action.device)


# --- at an issue


def carry_out(context: Context, point: Outpoint, device: Device, scheme: Scheme) -> None:
    """Share a freshly issued bundle out by the device's rules. Those that ran out go."""
    rules = standing_of(context.overlay, device.id)
    if not rules or not scheme.tradable or open_debt_wh(context.overlay, device.id):
        return
    bundle = context.overlay.get(output_key(point))
    assert isinstance(bundle, Bundle)
    first, pieces = bundle.start, []
    issued = bundle.end - bundle.start + 1
    for rule in rules:
        if not context.environment.before(rule.until) or rule.owner != device.owner:
            _end(context, rule, "over")
            continue
        count = min(issued * rule.share // BASIS_POINTS, bundle.end - first + 1)
        if rule.maximum:
            count = min(count, rule.maximum - rule.moved)
        if count < 1 or context.overlay.get(participant_key(rule.to)) is None:
            continue
        pieces.append((rule.to, first, first + count - 1))
        first += count
        _book(context, rule, count)
    if not pieces:
        return
    context.enter(context.action_index, "standing")
    context.spend(point)
    for to, start, end in pieces:
        context.create(moved_bundle(bundle, to, start, end))
        context.announce(Transferred(bundle.holder, to, bundle.device, bundle.issuance, start, end))
    if first <= bundle.end:
        context.create(moved_bundle(bundle, bundle.holder, first, bundle.end))


def _book(context: Context, rule: Standing, count: int) -> None:
    moved = rule.moved + count
    if rule.maximum and moved >= rule.maximum:
        _end(context, rule, "fulfilled")
    else:
        context.overlay.put(standing_key(rule.device, rule.id), replace(rule, moved=moved))


def _end(context: Context, rule: Standing, why: str) -> None:
    context.overlay.delete(standing_key(rule.device, rule.id))
    context.announce(StandingEnded(rule.id, rule.device, why))


def standing_of(state: Snapshot, device: int) -> list[Standing]:
    """Rules of a device in the order of their numbers."""
    low = standing_key(device, 0)
    return [entry for _, entry in state.scan(low, space_end(low[:5])) if isinstance(entry, Standing)]


def _require_owner(context: Context, owner: int, device: int) -> None:
    if context.record(device_key(device), Device, "device", device).owner != owner:
        raise RoleNeeded(participant=owner, role=f"owner of device {device}")
