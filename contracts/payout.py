"""ask_payout, confirm_payout and drop_payout: money out of the ledger in two steps, where holder and bank sit apart.

The holder asks and the amount is locked for one payment operator: it can neither be spent nor asked for twice. The
operator pays at its bank and confirms under the reference of that transfer, which burns the money; or it declines, and
the money is free again. Whoever waits in vain takes it back after the time that the request names; until then the
operator can rely on it while its transfer is on the way. `payout` does both at once where both sign together.
"""

from contracts.context import Context
from contracts.deposit import check_amount, require_currency
from contracts.events import PaidOut, PayoutAsked, PayoutDropped
from state.errors import AlreadyExists, BadField, Locked, NotYet, NotYours
from state.keyspace import reference_key
from state.outputs import Funds, PayoutRequest
from state.records import Role, Used
from state.spoken import Said, format_moment, format_money
from state.transaction import AskPayout, ConfirmPayout, DropPayout
from state.units import DAY_S, MAX_AMOUNT, MINOR_UNIT, Outpoint

MAX_WAIT_S = 90 * DAY_S


def check_ask(context: Context, action: AskPayout) -> None:
    context.require_signature(action.holder)
    context.require_role(action.operator, Role.PAYMENT_OPERATOR)
    require_currency(action.currency)
    if not 0 < action.amount <= MAX_AMOUNT or action.amount % MINOR_UNIT:
        raise BadField(field="amount", why=f"a positive multiple of {MINOR_UNIT} millionths (the minor unit)")
    if not context.environment.before(action.until) or action.until > context.environment.time_s + MAX_WAIT_S:
        raise BadField(field="until", why=f"within the next {MAX_WAIT_S} s")
    context.money(action.inputs, action.holder, action.currency, action.amount)


def apply_ask(context: Context, action: AskPayout) -> None:
    total = context.money(action.inputs, action.holder, action.currency, action.amount)
    for point in action.inputs:
        context.spend(point)
    funds = Funds(action.holder, action.currency, action.amount)
    point = context.create(PayoutRequest(action.operator, funds, action.until))
    context.pay(action.holder, action.currency, total - action.amount)
    context.announce(PayoutAsked(action.holder, action.operator, point, action.currency, action.amount, action.until))


def describe_ask(action: AskPayout) -> Said:
    return Said(
        "ask payment operator {operator} to pay out {amount}; locked until it answers, at the longest until {until}",
        operator=action.operator,
        amount=format_money(action.amount, action.currency),
        until=format_moment(action.until),
    )


def check_confirm(context: Context, action: ConfirmPayout) -> None:
    context.require_signature(action.operator)
    context.require_role(action.operator, Role.PAYMENT_OPERATOR)
    asked = _asked(context, action.request)
    if asked.operator != action.operator:
        raise NotYours(outpoint=action.request, holder=asked.operator, claimed=action.operator)
    check_amount(action.currency, action.amount, action.reference)
    if asked.funds != Funds(action.holder, action.currency, action.amount):
        raise BadField(field="amount", why="not what was asked for, or by another holder")
    if context.overlay.get(reference_key("payout", action.operator, action.reference)) is not None:
        raise AlreadyExists(what="the payout reference", id=action.reference)


def apply_confirm(context: Context, action: ConfirmPayout) -> None:
    context.spend(action.request)
    context.overlay.put(reference_key("payout", action.operator, action.reference), Used(context.txid))
    context.announce(PaidOut(action.operator, action.holder, action.currency, action.amount, action.reference))


def describe_confirm(action: ConfirmPayout) -> Said:
    return Said(
        "confirm that {amount} was paid to participant {holder} at the bank, reference {reference}",
        amount=format_money(action.amount, action.currency),
        holder=action.holder,
        reference=action.reference,
    )


def check_drop(context: Context, action: DropPayout) -> None:
    context.require_signature(action.participant)
    asked = _asked(context, action.request)
    if action.participant == asked.operator:
        return
    if action.participant != asked.funds.holder:
        raise NotYours(outpoint=action.request, holder=asked.funds.holder, claimed=action.participant)
    if context.environment.before(asked.until):
        raise NotYet(what="the payout that was asked for", until=asked.until, now=context.environment.time_s)


def apply_drop(context: Context, action: DropPayout) -> None:
    asked = context.spend(action.request)
    assert isinstance(asked, PayoutRequest)
    funds = asked.funds
    context.pay(funds.holder, funds.currency, funds.amount)
    how = "declined" if action.participant == asked.operator else "taken_back"
    context.announce(PayoutDropped(funds.holder, asked.operator, funds.currency, funds.amount, how))


def describe_drop(action: DropPayout) -> Said:
    return Said("decline or take back the payout {request}", request=f"{action.request.hex()[:16]}…")


def _asked(context: Context, point: Outpoint) -> PayoutRequest:
    found = context.order(point)
    if not isinstance(found, PayoutRequest):
        raise Locked(outpoint=point, kind=str(found.__struct_config__.tag))
    return found
