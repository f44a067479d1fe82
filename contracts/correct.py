"""correct and withdraw: an error is proven, a quorum approves, and nobody who bought in good faith loses anything.

A correction is a proposal: what the energy of a day really was, why, and the hash of the evidence. Enacted, it is a
further revision of the day's record (step 3), and then (research/registry.md section 8):

    upwards      a credit waits; the validators attest it and an issue makes certificates of it, with new numbers
    downwards    the carry of that month pays, then the carry of the device's other months; the rest is debt
    debt         active certificates of the device that its operator still owns are withdrawn: of that month first,
                 highest serial first, the remainder of the last one goes back to the carry. What was sold stays with
                 its buyer. The operator may hand in others of the same scheme instead, bought back if need be
    meanwhile    the operator cannot move or retire certificates of the device, and new releases pay the debt first
    at the term  what is still owed is paid from the pledged deposit (`contracts/security.py`)

Withdrawn numbers are never given out again. `withdraw` is a machine action: what it may take follows from the state,
so any node may send it; only certificates of other devices need the operator's signature.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from contracts.accounts import accepted_wh, accounts_of, debt_of, open_debt_wh, put_account
from contracts.calendar import month_of_day
from contracts.context import Context
from contracts.events import DayCorrected, DebtIncurred, DebtPaid, Withdrawn
from contracts.register import require_text
from contracts.schemes import HOURS, hours_problem
from contracts.transfer import moved_bundle
from state.attestation import ACCEPT, CORRECTION, REJECT, Attestation
from state.errors import (
    AlreadyIssued,
    BadField,
    BadRange,
    CertificateExpired,
    DebtOpen,
    EnergyBound,
    NoDebt,
    Unknown,
    WrongCertificates,
)
from state.keyspace import (
    Space,
    credit_key,
    debt_due_key,
    debt_key,
    device_key,
    issuance_key,
    month_energy_key,
    output_key,
    release_key,
    scheme_key,
    space_end,
)
from state.outputs import Bundle, quantity
from state.overlay import Snapshot
from state.records import Counter, Credit, Debt, Device, Issuance, MonthEnergy, Release, Scheme
from state.spoken import Counted, Said
from state.transaction import CorrectContent, Withdraw, WithdrawnRange
from state.units import Outpoint

BOUND_PERCENT = 102  # energy of a day against nameplate times 24 h: honest records reach 100.5 % of nameplate
MAX_REVISIONS = 255
CORRECTED = "corrected"
NO_EVIDENCE = bytes(32)


# --- the correction, by a quorum


def check_content(context: Context, content: CorrectContent) -> None:
    """Asked when it is proposed, and again when it is enacted: the day may have moved."""
    device = context.record(device_key(content.device), Device, "device", content.device)
    before = accepted_wh(context.overlay, device.id, content.day)
    if before is None:
        raise Unknown(what="verdict of day", id=content.day)
    if content.revision != next_revision(context.overlay, device.id, content.day):
        raise AlreadyIssued(device=device.id, day=content.day, step=CORRECTION)
    if credit_of(context.overlay, device.id, content.day) is not None:
        raise BadField(field="day", why="an earlier correction of it is not yet issued")
    require_text("reason", content.reason)
    if len(content.evidence_hash) not in (0, 32):
        raise BadField(field="evidence_hash", why="32 bytes, or empty where there is no evidence")
    bound_wh = min(content.energy_wh, day_bound_wh(device))
    if content.release_wh > bound_wh:
        raise EnergyBound(day=content.day, release_wh=content.release_wh, bound_wh=bound_wh)
    if content.release_wh == before:
        raise BadField(field="release_wh", why=f"the day stands at {before} Wh already")
    _check_hours(context, content, device, content.release_wh - before)


def _check_hours(context: Context, content: CorrectContent, device: Device, added_wh: int) -> None:
    """In a granular scheme somebody has to say which hours the energy belongs to that a correction adds."""
    scheme = context.record(scheme_key(device.scheme), Scheme, "scheme", device.scheme)
    wrong = hours_problem(scheme, content.hours_wh, max(0, added_wh))
    if wrong:
        raise BadField(field="hours_wh", why=wrong)
    bound_wh = day_bound_wh(device) // HOURS
    if max(content.hours_wh, default=0) > bound_wh:
        raise BadField(field="hours_wh", why=f"the plant's nameplate allows {bound_wh} Wh an hour")


def day_bound_wh(device: Device) -> int:
    return device.facts.capacity_w * 24 * BOUND_PERCENT // 100


def next_revision(state: Snapshot, device: int, day: int) -> int:
    low = release_key(device, day, CORRECTION, 0)
    return 1 + sum(1 for _ in state.scan(low, space_end(low[:10])))


def enact(context: Context, content: CorrectContent) -> int:
    check_content(context, content)
    before = accepted_wh(context.overlay, content.device, content.day) or 0
    root = content.evidence_hash or NO_EVIDENCE
    context.overlay.put(
        release_key(content.device, content.day, CORRECTION, content.revision),
        Release(
            device=content.device,
            day=content.day,
            step=CORRECTION,
            revision=content.revision,
            verdict=ACCEPT if content.release_wh else REJECT,
            reasons=(CORRECTED,),
            energy_wh=content.energy_wh,
            release_wh=content.release_wh,
            readings_root=root,
            txid=context.txid,
        ),
    )
    context.announce(
        DayCorrected(content.device, content.day, content.revision, before, content.release_wh, content.reason)
    )
    if content.release_wh > before:
        added = content.release_wh - before
        credit = Credit(content.device, content.day, content.revision, added, content.energy_wh, root, content.hours_wh)
        context.overlay.put(credit_key(content.device, content.day), credit)
    else:
        _take(context, content.device, month_of_day(content.day), before - content.release_wh)
    return content.device


def _take(context: Context, device: int, month: int, owed_wh: int) -> None:
    """Carry first: of that month, then of the others; the rest is debt."""
    accounts = sorted(accounts_of(context.overlay, device), key=lambda account: account.month != month)
    for account in accounts:
        taken = min(account.carry_wh, owed_wh)
        if taken:
            corrected = account.corrected_wh + taken
            put_account(context, replace(account, carry_wh=account.carry_wh - taken, corrected_wh=corrected))
            owed_wh -= taken
    if owed_wh:
        _owe(context, device, month, owed_wh)


def _owe(context: Context, device: int, month: int, owed_wh: int) -> None:
    environment = context.environment
    known = debt_of(context.overlay, device) or Debt(device, month, 0, 0, 0, 0, 0, 0)
    due_at = known.due_at
    if not known.debt_wh:
        due_at = environment.time_s + environment.parameters.terms.debt_s
        context.overlay.put(debt_due_key(due_at, device), Counter(device))
    debt = replace(
        known, month=month, debt_wh=known.debt_wh + owed_wh, incurred_wh=known.incurred_wh + owed_wh, due_at=due_at
    )
    context.overlay.put(debt_key(device), debt)
    context.announce(DebtIncurred(device, owed_wh, debt.debt_wh, due_at))


# --- upwards: the credit that an issue makes certificates of


def credit_of(state: Snapshot, device: int, day: int) -> Credit | None:
    found = state.get(credit_key(device, day))
    return found if isinstance(found, Credit) else None


def credits_in(state: Snapshot, device: int | None = None) -> list[Credit]:
    """Credits that wait for their issue, of one device or of all."""
    low = bytes((Space.CREDIT,)) if device is None else credit_key(device, 0)[:5]
    return [entry for _, entry in state.scan(low, space_end(low)) if isinstance(entry, Credit)]


def open_debts(state: Snapshot) -> list[Debt]:
    """Debts that are not made up for."""
    low = bytes((Space.DEBT_DUE,))
    numbers = [entry.value for _, entry in state.scan(low, space_end(low)) if isinstance(entry, Counter)]
    found = [debt_of(state, number) for number in numbers]
    return [debt for debt in found if debt is not None]


def credited(credit: Credit, device: Device, epoch: int, no_inputs: bytes) -> Attestation:
    """What every validator attests of a credit: a quorum decided it, so there is nothing left to judge."""
    return Attestation(
        epoch=epoch,
        device=credit.device,
        day=credit.day,
        step=CORRECTION,
        revision=credit.revision,
        readings_root=credit.readings_root,
        inputs_root=no_inputs,
        profile_hash=device.profile_hash,
        verifier_version=0,
        verdict=ACCEPT,
        reasons=(CORRECTED,),
        release_wh=credit.credit_wh,
        energy_wh=credit.energy_wh,
        hours_wh=credit.hours_wh,
    )


# --- downwards: certificates leave


def check_withdraw(context: Context, action: Withdraw) -> None:
    device = context.record(device_key(action.device), Device, "device", action.device)
    debt = debt_of(context.overlay, device.id)
    if debt is None or not debt.debt_wh:
        raise NoDebt(device=device.id)
    scheme = context.record(scheme_key(device.scheme), Scheme, "scheme", device.scheme)
    left_wh = debt.debt_wh
    order: tuple[bool, bool, int, int] | None = None
    for index, taken in enumerate(action.ranges):
        bundle = _withdrawable(context, device, scheme, taken)
        if bundle.device != device.id:
            context.require_signature(device.owner)
        if left_wh <= (taken.end - taken.start) * scheme.face_value:
            raise WrongCertificates(why=f"{left_wh} Wh are owed, fewer certificates cover that")
        if taken.start != bundle.start and index != len(action.ranges) - 1:
            raise WrongCertificates(why="only the last of the bundles is withdrawn in part")
        place = withdrawal_order(debt, bundle, _month(context, bundle))
        if order is not None and place <= order:
            raise WrongCertificates(why="the month in error goes first, and the highest serial of each")
        order = place
        left_wh -= (taken.end - taken.start + 1) * scheme.face_value


def _withdrawable(context: Context, device: Device, scheme: Scheme, taken: WithdrawnRange) -> Bundle:
    """The bundle of the operator that a range is the tail of."""
    found = context.overlay.get(output_key(taken.outpoint))
    if not isinstance(found, Bundle) or found.holder != device.owner:
        raise WrongCertificates(why="only active certificates that the operator still owns are withdrawn")
    now = context.environment
    if not now.before(found.retire_until):
        raise CertificateExpired(outpoint=taken.outpoint, what="withdrawn", until=found.retire_until, now=now.time_s)
    if found.device != device.id:
        _require_no_debt_of_its_own(context, found.device, device.owner)
    if not found.start <= taken.start <= taken.end == found.end:
        raise BadRange(start=taken.start, end=taken.end)
    issuance = context.record(issuance_key(found.issuance), Issuance, "issuance", found.issuance)
    if issuance.scheme != scheme.id:
        raise WrongCertificates(why=f"they are of scheme {issuance.scheme}, the debt is of scheme {scheme.id}")
    return found


def _require_no_debt_of_its_own(context: Context, number: int, operator: int) -> None:
    """What an operator still owns of a plant is withdrawn for what that plant owes; a buyer's certificates are free."""
    other = context.record(device_key(number), Device, "device", number)
    owed_wh = open_debt_wh(context.overlay, number)
    if owed_wh and other.owner == operator:
        raise DebtOpen(device=number, debt_wh=owed_wh)


def withdrawal_order(debt: Debt, bundle: Bundle, month: int) -> tuple[bool, bool, int, int]:
    """Of the device in debt first, there of the month in error first, then the highest serial."""
    own = bundle.device == debt.device
    return not own, not (own and month == debt.month), bundle.device, -bundle.start


def _month(context: Context, bundle: Bundle) -> int:
    return context.record(issuance_key(bundle.issuance), Issuance, "issuance", bundle.issuance).month


def apply_withdraw(context: Context, action: Withdraw) -> None:
    device = context.record(device_key(action.device), Device, "device", action.device)
    scheme = context.record(scheme_key(device.scheme), Scheme, "scheme", device.scheme)
    for taken in action.ranges:
        bundle = context.spend(taken.outpoint)
        assert isinstance(bundle, Bundle)
        if bundle.start < taken.start:
            context.create(moved_bundle(bundle, bundle.holder, bundle.start, taken.start - 1))
        context.announce(
            Withdrawn(bundle.device, bundle.issuance, taken.start, taken.end, bundle.holder, action.device)
        )
        _book_withdrawal(context, device.id, bundle, taken.end - taken.start + 1, scheme.face_value)


def _book_withdrawal(context: Context, device: int, bundle: Bundle, count: int, face_wh: int) -> None:
    """What the last certificate has too much is carry: of its own month, or of the plant in debt, which has none."""
    debt = debt_of(context.overlay, device)
    assert debt is not None, "nothing is withdrawn without a debt"
    energy_wh, month = count * face_wh, _month(context, bundle)
    paid_wh = min(energy_wh, debt.debt_wh)
    account = _account(context, bundle.device, month)
    foreign = bundle.device != device
    given_wh = energy_wh if foreign else 0
    put_account(context, replace(account, withdrawn=account.withdrawn + count, given_wh=account.given_wh + given_wh))
    home = _account(context, device, debt.month if foreign else month)
    rest_wh = energy_wh - paid_wh
    put_account(context, replace(home, carry_wh=home.carry_wh + rest_wh, returned_wh=home.returned_wh + rest_wh))
    pay_debt(context, device, paid_wh, received_wh=given_wh)


def _account(context: Context, device: int, month: int) -> MonthEnergy:
    return context.record(month_energy_key(device, month), MonthEnergy, "account of month", month)


def describe_withdraw(action: Withdraw) -> Said:
    count = Counted(sum(taken.end - taken.start + 1 for taken in action.ranges), "certificate")
    return Said("withdraw {count} for what device {device} was issued in error", count=count, device=action.device)


# --- what pays a debt


def pay_debt(
    context: Context, device: int, paid_wh: int, *, received_wh: int = 0, netted_wh: int = 0, forfeited_wh: int = 0
) -> None:
    """`paid_wh` less is owed; how it was paid stays on record."""
    debt = debt_of(context.overlay, device)
    if debt is None or not paid_wh:
        return
    left = debt.debt_wh - paid_wh
    assert left >= 0, "nobody pays more than is owed"
    context.overlay.put(
        debt_key(device),
        replace(
            debt,
            debt_wh=left,
            netted_wh=debt.netted_wh + netted_wh,
            received_wh=debt.received_wh + received_wh,
            forfeited_wh=debt.forfeited_wh + forfeited_wh,
            due_at=debt.due_at if left else 0,
        ),
    )
    if not left:
        context.overlay.delete(debt_due_key(debt.due_at, device))
    how = "releases" if netted_wh else "deposit" if forfeited_wh else "certificates"
    context.announce(DebtPaid(device, paid_wh, left, how))


# --- for whoever sends the machine action


def withdrawal(
    state: Snapshot, time_s: int, device: Device, held: Sequence[tuple[Outpoint, object]], limit: int
) -> Withdraw | None:
    """What is to be withdrawn for a device's debt from its operator's outputs; None where there is nothing."""
    debt, scheme = debt_of(state, device.id), state.get(scheme_key(device.scheme))
    assert isinstance(scheme, Scheme)
    if debt is None or not debt.debt_wh:
        return None
    bundles = []
    for point, output in held:
        if isinstance(output, Bundle) and output.device == device.id and time_s < output.retire_until:
            issuance = state.get(issuance_key(output.issuance))
            assert isinstance(issuance, Issuance)
            if issuance.scheme == scheme.id:
                bundles.append((withdrawal_order(debt, output, issuance.month), point, output))
    ranges, left = [], -(-debt.debt_wh // scheme.face_value)
    for _, point, bundle in sorted(bundles)[:limit]:
        count = min(left, quantity(bundle))
        if count:
            ranges.append(WithdrawnRange(point, bundle.end - count + 1, bundle.end))
        left -= count
    return Withdraw(device.id, tuple(ranges)) if ranges else None
