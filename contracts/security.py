"""security: a deposit that answers for a device, so that fraud sold fast is not free.

The operator pledges money for a device; it stays its own, but locked. To get it back it gives notice and waits as long
as a debt may stay open; while the device has a debt nothing comes back. At the term of a debt the sweep pays what is
owed from the pledges, at the price of the scheme's last auction, to the participant that the genesis names
(`terms.forfeit_to`), and the energy counts as forfeited: it stays on the books under that name.
"""

from msgspec.structs import replace

from contracts.accounts import debt_of, open_debt_wh
from contracts.context import Context
from contracts.correct import pay_debt
from contracts.deposit import require_currency
from contracts.events import Forfeited, Pledged, Unpledged
from state.errors import BadField, DebtOpen, LimitReached, Locked, NotYet, RoleNeeded
from state.keyspace import (
    debt_due_key,
    debt_key,
    device_key,
    output_key,
    price_key,
    scheme_key,
    security_key,
    space_end,
)
from state.outputs import Funds, Security
from state.overlay import Snapshot
from state.records import Counter, Device, Pointer, Scheme
from state.spoken import Said, format_money
from state.transaction import Pledge, Unpledge
from state.units import Outpoint

PLEDGES = 16  # of one device: the sweep goes through all of them
TERMS_PER_BLOCK = 16  # debts whose term ends, looked at in one block


# --- pledge


def check_pledge(context: Context, action: Pledge) -> None:
    context.require_signature(action.owner)
    _require_owner(context, action.owner, action.device)
    require_currency(action.currency)
    if not action.amount:
        raise BadField(field="amount", why="must be positive")
    context.money(action.inputs, action.owner, action.currency, action.amount)
    if len(securities(context.overlay, action.device)) >= PLEDGES:
        raise LimitReached(limit=PLEDGES, what=f"pledges for device {action.device}")


def apply_pledge(context: Context, action: Pledge) -> None:
    total = context.money(action.inputs, action.owner, action.currency, action.amount)
    for point in action.inputs:
        context.spend(point)
    _lock(context, action.device, Funds(action.owner, action.currency, action.amount), 0)
    context.pay(action.owner, action.currency, total - action.amount)
    context.announce(Pledged(action.device, action.owner, action.currency, action.amount))


def describe_pledge(action: Pledge) -> Said:
    amount = format_money(action.amount, action.currency)
    return Said("pledge {amount} for device {device}", amount=amount, device=action.device)


# --- give notice, and take it back


def check_unpledge(context: Context, action: Unpledge) -> None:
    context.require_signature(action.owner)
    _require_owner(context, action.owner, action.device)
    locked = _security(context, action.outpoint, action.device)
    owed_wh = open_debt_wh(context.overlay, action.device)
    if owed_wh:
        raise DebtOpen(device=action.device, debt_wh=owed_wh)
    environment = context.environment
    free_at = locked.notice_at + environment.parameters.terms.debt_s
    if locked.notice_at and environment.before(free_at):
        raise NotYet(what="The pledge", until=free_at, now=environment.time_s)


def apply_unpledge(context: Context, action: Unpledge) -> None:
    locked = _unlock(context, action.outpoint)
    funds = locked.funds
    if not locked.notice_at:
        now = context.environment.time_s
        _lock(context, action.device, funds, now)
        free_at = now + context.environment.parameters.terms.debt_s
        context.announce(Unpledged(action.device, action.owner, funds.currency, funds.amount, free_at))
        return
    context.pay(funds.holder, funds.currency, funds.amount)
    context.announce(Unpledged(action.device, action.owner, funds.currency, funds.amount, 0))


def describe_unpledge(action: Unpledge) -> Said:
    return Said("take back a pledge for device {device}, or give notice of it", device=action.device)


# --- at the term of a debt


def forfeit_due(context: Context) -> None:
    """Part of the sweep: debts that were not made up for in time."""
    low, high = debt_due_key(0, 0), debt_due_key(context.environment.time_s + 1, 0)
    for key, entry in list(context.overlay.scan(low, high))[:TERMS_PER_BLOCK]:
        assert isinstance(entry, Counter)
        context.overlay.delete(key)
        _forfeit(context, context.record(device_key(entry.value), Device, "device", entry.value))
        _next_term(context, entry.value)


def _forfeit(context: Context, device: Device) -> None:
    scheme = context.record(scheme_key(device.scheme), Scheme, "scheme", device.scheme)
    price = context.overlay.get(price_key(scheme.id))
    owed_wh = open_debt_wh(context.overlay, device.id)
    if not isinstance(price, Counter) or not price.value:
        return  # no auction has said yet what a certificate costs
    owed = -(-owed_wh // scheme.face_value)
    pledged = [
        (point, locked)
        for point, locked in securities(context.overlay, device.id)
        if locked.funds.currency == scheme.currency
    ]
    paid = min(owed, sum(locked.funds.amount for _, locked in pledged) // price.value)
    if not paid:
        return
    left = paid * price.value
    for point, locked in pledged:
        taken = min(left, locked.funds.amount)
        if not taken:
            break
        _unlock(context, point)
        if taken < locked.funds.amount:
            _lock(context, device.id, replace(locked.funds, amount=locked.funds.amount - taken), locked.notice_at)
        left -= taken
    context.pay(context.environment.parameters.terms.forfeit_to, scheme.currency, paid * price.value)
    forfeited_wh = min(owed_wh, paid * scheme.face_value)
    context.announce(Forfeited(device.id, scheme.currency, paid * price.value, forfeited_wh))
    pay_debt(context, device.id, forfeited_wh, forfeited_wh=forfeited_wh)


def _next_term(context: Context, device: int) -> None:
    """What the pledges did not cover stays owed, and is asked for again."""
    debt = debt_of(context.overlay, device)
    if debt is not None and debt.debt_wh:
        due_at = context.environment.time_s + max(1, context.environment.parameters.terms.debt_s)
        context.overlay.put(debt_key(device), replace(debt, due_at=due_at))
        context.overlay.put(debt_due_key(due_at, device), Counter(device))


def next_term_ms(state: Snapshot) -> int | None:
    """When the first open debt has its term."""
    low = debt_due_key(0, 0)
    for key, _ in state.scan(low, space_end(low[:1])):
        return int.from_bytes(key[1:9], "big") * 1000
    return None


# --- what is pledged


def securities(state: Snapshot, device: int) -> list[tuple[Outpoint, Security]]:
    """Pledges for a device in the order of their outpoints."""
    low = security_key(device, b"")
    found = []
    for _, pointer in state.scan(low, space_end(low)):
        assert isinstance(pointer, Pointer)
        locked = state.get(output_key(pointer.outpoint))
        assert isinstance(locked, Security)
        found.append((pointer.outpoint, locked))
    return found


def _lock(context: Context, device: int, funds: Funds, notice_at: int) -> None:
    point = context.create(Security(device, funds, notice_at))
    context.overlay.put(security_key(device, point), Pointer(point))


def _unlock(context: Context, point: Outpoint) -> Security:
    locked = context.spend(point)
    assert isinstance(locked, Security)
    context.overlay.delete(security_key(locked.device, point))
    return locked


def _security(context: Context, point: Outpoint, device: int) -> Security:
    found = context.order(point)
    if not isinstance(found, Security) or found.device != device:
        raise Locked(outpoint=point, kind=str(found.__struct_config__.tag))
    return found


def _require_owner(context: Context, owner: int, device: int) -> None:
    if context.record(device_key(device), Device, "device", device).owner != owner:
        raise RoleNeeded(participant=owner, role=f"owner of device {device}")
