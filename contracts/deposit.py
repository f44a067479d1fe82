"""deposit and payout: money in and out of the ledger, by an accredited payment operator.

Funds are claims on the operator's account: WISHES 1.7 asks for deposits that secure what buyers must pay. Both carry
the reference of the bank transfer, which is used once per operator.
"""

from contracts.context import Context
from contracts.events import Deposited, PaidOut
from contracts.register import require_text
from state.errors import AlreadyExists, BadField
from state.keyspace import reference_key
from state.outputs import Funds
from state.records import Role, Used
from state.spoken import Said, format_money
from state.transaction import Deposit, Payout
from state.units import MAX_AMOUNT, MINOR_UNIT


def check_deposit(context: Context, action: Deposit) -> None:
    context.require_signature(action.operator)
    context.require_role(action.operator, Role.PAYMENT_OPERATOR)
    context.participant(action.to)
    check_amount(action.currency, action.amount, action.reference)
    if context.overlay.get(reference_key("deposit", action.operator, action.reference)) is not None:
        raise AlreadyExists(what="the deposit reference", id=action.reference)


def apply_deposit(context: Context, action: Deposit) -> None:
    context.overlay.put(reference_key("deposit", action.operator, action.reference), Used(context.txid))
    context.create(Funds(action.to, action.currency, action.amount))
    context.announce(Deposited(action.operator, action.to, action.currency, action.amount, action.reference))


def check_payout(context: Context, action: Payout) -> None:
    context.require_signature(action.operator)
    context.require_signature(action.holder)
    context.require_role(action.operator, Role.PAYMENT_OPERATOR)
    check_amount(action.currency, action.amount, action.reference)
    if context.overlay.get(reference_key("payout", action.operator, action.reference)) is not None:
        raise AlreadyExists(what="the payout reference", id=action.reference)
    context.money(action.inputs, action.holder, action.currency, action.amount)


def apply_payout(context: Context, action: Payout) -> None:
    total = context.money(action.inputs, action.holder, action.currency, action.amount)
    for point in action.inputs:
        context.spend(point)
    context.pay(action.holder, action.currency, total - action.amount)
    context.overlay.put(reference_key("payout", action.operator, action.reference), Used(context.txid))
    context.announce(PaidOut(action.operator, action.holder, action.currency, action.amount, action.reference))


def describe_deposit(action: Deposit) -> Said:
    return Said(
        "credit {amount} to participant {to}", amount=format_money(action.amount, action.currency), to=action.to
    )


def describe_payout(action: Payout) -> Said:
    amount = format_money(action.amount, action.currency)
    return Said("pay out {amount} of participant {holder}", amount=amount, holder=action.holder)


def format_price(amount: int) -> str:
    """`12.50`: where the currency is the auction's and stands elsewhere."""
    return format_money(amount, "").rstrip()


def require_currency(currency: str) -> None:
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()):
        raise BadField(field="currency", why="three capital letters (ISO 4217)")


def check_amount(currency: str, amount: int, reference: str) -> None:
    require_currency(currency)
    require_text("reference", reference)
    if not 0 < amount <= MAX_AMOUNT or amount % MINOR_UNIT:
        raise BadField(field="amount", why=f"a positive multiple of {MINOR_UNIT} millionths (the minor unit)")
