"""pay: what a buyer on margin owes is paid in, on the ledger or at the bank. default: it was not, and the time is over.

What both lead to happens in the next blocks (`contracts/obligation.py`). A transfer at the bank is signed by a payment
operator, who uses each reference once, for a deposit or here; what came in beyond the debt becomes the buyer's money.
"""

from msgspec.structs import replace

from contracts.context import Context
from contracts.deposit import check_amount, format_price, note_deposited, require_below_limit
from contracts.events import Defaulted, PaidIn
from contracts.obligation import at_work, held, held_back, owed, put, strikes_of, wake
from state.errors import AlreadyExists, BadField, NotYet, ObligationOver
from state.keyspace import obligation_due_key, obligation_key, reference_key, strikes_key
from state.outputs import Funds, Guarantee
from state.records import Obligation, Role, Strikes, Used
from state.spoken import Said
from state.transaction import Default, Pay
from state.units import MAX_AMOUNT


def check(context: Context, action: Pay) -> None:
    obligation = _obligation(context, action.auction, action.buyer)
    if action.operator:
        context.require_signature(action.operator)
        context.require_role(action.operator, Role.PAYMENT_OPERATOR)
        check_amount(obligation.currency, action.amount, action.reference)
        if action.inputs:
            raise BadField(field="inputs", why="what came in at the bank is no money of the ledger yet")
        if context.overlay.get(reference_key("deposit", action.operator, action.reference)) is not None:
            raise AlreadyExists(what="the deposit reference", id=action.reference)
    else:
        context.require_signature(action.buyer)
        if action.reference:
            raise BadField(field="reference", why="only of a transfer at a bank")
    if obligation.forfeit or not context.environment.before(obligation.due_at):
        raise ObligationOver(
            auction=action.auction, buyer=action.buyer, until=obligation.due_at, now=context.environment.time_s
        )
    debt = owed(context.overlay, obligation)
    most = MAX_AMOUNT if action.operator else debt
    if not debt or not 0 < action.amount <= most:
        raise BadField(field="amount", why=f"{format_price(debt)} {obligation.currency} is owed")
    if action.operator:
        require_below_limit(context, action.buyer, obligation.currency, max(0, action.amount - debt))
    else:
        context.money(action.inputs, action.buyer, obligation.currency, action.amount)


def apply(context: Context, action: Pay) -> None:
    obligation = _obligation(context, action.auction, action.buyer)
    currency, debt = obligation.currency, owed(context.overlay, obligation)
    paid = min(action.amount, debt)
    if action.operator:
        context.overlay.put(reference_key("deposit", action.operator, action.reference), Used(context.txid))
        back = action.amount - paid
        note_deposited(context, action.buyer, currency, back)
    else:
        back = context.money(action.inputs, action.buyer, currency, paid) - paid
        for point in action.inputs:
            context.spend(point)
    context.pay(action.buyer, currency, back)
    _hold(context, obligation, held(context.overlay, obligation).amount + paid)
    wake(context, obligation)
    context.announce(
        PaidIn(action.auction, action.buyer, currency, paid, debt - paid, action.operator, action.reference)
    )


def describe(action: Pay) -> Said:
    amount = format_price(action.amount)
    if not action.operator:
        return Said("pay {amount} of what is owed in auction {auction}", amount=amount, auction=action.auction)
    return Said(
        "confirm that {amount} came in at the bank for what participant {buyer} owes in auction {auction}, "
        "reference {reference}",
        amount=amount,
        buyer=action.buyer,
        auction=action.auction,
        reference=action.reference,
    )


def check_default(context: Context, action: Default) -> None:
    obligation = _obligation(context, action.auction, action.buyer)
    now = context.environment.time_s
    if obligation.forfeit:
        raise ObligationOver(auction=action.auction, buyer=action.buyer, until=obligation.due_at, now=now)
    if context.environment.before(obligation.due_at):
        raise NotYet(what=f"the obligation in auction {action.auction}", until=obligation.due_at, now=now)
    if at_work(context.overlay, obligation):
        raise NotYet(what=f"what was paid in auction {action.auction}, and is being delivered,", until=now, now=now)


def apply_default(context: Context, action: Default) -> None:
    obligation = _obligation(context, action.auction, action.buyer)
    now = context.environment.time_s
    have = held(context.overlay, obligation).amount
    forfeit, unpaid = held_back(obligation, obligation.delivered), obligation.value - obligation.delivered
    context.pay(obligation.buyer, obligation.currency, have - forfeit)  # paid in, and not enough for a whole piece
    over = _hold(context, replace(obligation, unpaid=unpaid, forfeit=forfeit), forfeit)
    context.overlay.delete(obligation_due_key(over.due_at, over.auction, over.buyer))
    wake(context, over)
    before = strikes_of(context.overlay, action.buyer, now)
    strikes = Strikes(action.buyer, 1 + (before.count if before is not None else 0), now)
    context.overlay.put(strikes_key(action.buyer), strikes)
    context.announce(Defaulted(over.auction, over.buyer, over.currency, unpaid, forfeit, strikes.count))


def describe_default(action: Default) -> Said:
    return Said(
        "participant {buyer} did not pay in time what he owed in auction {auction}",
        buyer=action.buyer,
        auction=action.auction,
    )


def _obligation(context: Context, auction: int, buyer: int) -> Obligation:
    return context.record(obligation_key(auction, buyer), Obligation, f"obligation of participant {buyer} in", auction)


def _hold(context: Context, obligation: Obligation, amount: int) -> Obligation:
    """The obligation with so much in its guarantee."""
    context.spend(obligation.guarantee)
    funds = Funds(obligation.buyer, obligation.currency, amount)
    changed = replace(obligation, guarantee=context.create(Guarantee(obligation.auction, funds)))
    put(context, changed)
    return changed
