"""deposit and payout: money in and out of the ledger, by an accredited payment operator.

Funds are claims on the operator's account: WISHES 1.7 asks for deposits that secure what buyers must pay. Both carry
the reference of the bank transfer, which is used once per operator. Where the genesis has a `deposit_limit`, deposits
bring an account no more than that in a calendar month of block time, whoever credits them.
"""

from contracts.calendar import month_of_day
from contracts.context import Context
from contracts.events import Deposited, PaidOut
from contracts.register import require_text
from state.errors import AlreadyExists, BadField, LimitReached
from state.keyspace import DEPOSIT_LIMIT_KEY, deposited_key, reference_key
from state.outputs import Funds
from state.records import Counter, Role, Used
from state.spoken import Said, format_money
from state.transaction import Deposit, Payout
from state.units import DAY_S, MAX_AMOUNT, MINOR_UNIT

MONTHS = 2**32 - 1  # after the last one


def check_deposit(context: Context, action: Deposit) -> None:
    context.require_signature(action.operator)
    context.require_role(action.operator, Role.PAYMENT_OPERATOR)
    context.participant(action.to)
    check_amount(action.currency, action.amount, action.reference)
    if context.overlay.get(reference_key("deposit", action.operator, action.reference)) is not None:
        raise AlreadyExists(what="the deposit reference", id=action.reference)
    require_below_limit(context, action.to, action.currency, action.amount)


def apply_deposit(context: Context, action: Deposit) -> None:
    context.overlay.put(reference_key("deposit", action.operator, action.reference), Used(context.txid))
    context.create(Funds(action.to, action.currency, action.amount))
    note_deposited(context, action.to, action.currency, action.amount)
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


# --- the limit of an account


def require_below_limit(context: Context, account: int, currency: str, amount: int) -> None:
    """LimitReached where money from a bank would bring the account above what a month may."""
    limit = context.overlay.get(DEPOSIT_LIMIT_KEY)
    if isinstance(limit, Counter) and _deposited(context, account, currency) + amount > limit.value:
        month = _month(context)
        what = f"of deposits to participant {account} in {month // 100}-{month % 100:02}"
        raise LimitReached(limit=format_money(limit.value, currency), what=what)


def note_deposited(context: Context, account: int, currency: str, amount: int) -> None:
    """Count it, where there is a limit; the row of an earlier month goes."""
    overlay = context.overlay
    if amount and overlay.get(DEPOSIT_LIMIT_KEY) is not None:
        total = _deposited(context, account, currency) + amount
        for key, _ in list(overlay.scan(deposited_key(account, currency, 0), deposited_key(account, currency, MONTHS))):
            overlay.delete(key)
        overlay.put(deposited_key(account, currency, _month(context)), Counter(total))


def _deposited(context: Context, account: int, currency: str) -> int:
    found = context.overlay.get(deposited_key(account, currency, _month(context)))
    return found.value if isinstance(found, Counter) else 0


def _month(context: Context) -> int:
    return month_of_day(context.environment.time_s // DAY_S)


# --- words and amounts


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
