"""handing: a transfer in two steps, for receivers who want to be asked.

The sender hands certificates over; they lie locked until the receiver accepts them, declines them, or the sender takes
them back. An offer that ran out can still be declined or taken back, never accepted. A lock extends no term: locked
certificates expire like all others.
"""

from contracts.calendar import LAST_SECOND
from contracts.context import Context
from contracts.events import HandedOver, HandoverAnswered
from contracts.register import require_line
from contracts.transfer import moved_bundle, require_inside, require_tradable
from state.errors import BadField, HandoverOver, Locked, NotYours
from state.outputs import Bundle, Pending
from state.spoken import Counted, Said
from state.transaction import AnswerHandover, HandOver
from state.units import Outpoint


def check_hand_over(context: Context, action: HandOver) -> None:
    context.require_signature(action.sender)
    bundle = context.bundle(action.outpoint, action.sender)
    require_inside(bundle, action.start, action.end)
    require_tradable(context, bundle, action.outpoint)
    context.participant(action.to)
    if action.to == action.sender:
        raise BadField(field="to", why="somebody else")
    if action.until > LAST_SECOND:
        raise BadField(field="until", why="after the year 9999")
    if not context.environment.before(action.until):
        raise HandoverOver(until=action.until, now=context.environment.time_s)
    require_line("note", action.note)


def apply_hand_over(context: Context, action: HandOver) -> None:
    bundle = context.spend(action.outpoint)
    assert isinstance(bundle, Bundle)
    lot = moved_bundle(bundle, bundle.holder, action.start, action.end)
    if bundle.start < action.start:
        context.create(moved_bundle(bundle, bundle.holder, bundle.start, action.start - 1))
    point = context.create(Pending(lot, action.to, action.until))
    if action.end < bundle.end:
        context.create(moved_bundle(bundle, bundle.holder, action.end + 1, bundle.end))
    context.announce(
        HandedOver(
            action.sender, action.to, point, lot.device, lot.issuance, lot.start, lot.end, action.until, action.note
        )
    )


def describe_hand_over(action: HandOver) -> Said:
    return Said(
        "hand {count} ({start}..{end}) over to participant {to}, if it accepts",
        count=Counted(action.end - action.start + 1, "certificate"),
        start=action.start,
        end=action.end,
        to=action.to,
    )


def check_answer(context: Context, action: AnswerHandover) -> None:
    context.require_signature(action.participant)
    waiting = _pending(context, action.outpoint)
    receiver = action.participant == waiting.to
    if not receiver and (action.accept or action.participant != waiting.lot.holder):
        raise NotYours(outpoint=action.outpoint, holder=waiting.to, claimed=action.participant)
    if action.accept:
        if not context.environment.before(waiting.until):
            raise HandoverOver(until=waiting.until, now=context.environment.time_s)
        require_tradable(context, waiting.lot, action.outpoint)


def apply_answer(context: Context, action: AnswerHandover) -> None:
    waiting = context.spend(action.outpoint)
    assert isinstance(waiting, Pending)
    lot, accepted = waiting.lot, action.accept
    to = waiting.to if accepted else lot.holder
    context.create(moved_bundle(lot, to, lot.start, lot.end))
    how = "accepted" if accepted else "declined" if action.participant == waiting.to else "taken_back"
    context.announce(HandoverAnswered(lot.holder, waiting.to, lot.device, lot.issuance, lot.start, lot.end, how))


def describe_answer(action: AnswerHandover) -> Said:
    output = f"{action.outpoint.hex()[:16]}…"
    if action.accept:
        return Said("accept the certificates handed over in {output}", output=output)
    return Said("decline or take back the certificates handed over in {output}", output=output)


def _pending(context: Context, point: Outpoint) -> Pending:
    found = context.order(point)
    if not isinstance(found, Pending):
        raise Locked(outpoint=point, kind=str(found.__struct_config__.tag))
    return found
