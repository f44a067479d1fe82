"""The books of energy: what a device's months hold, and how releases become certificates, carry or paid debt.

Of every account, at all times:

    carry_in + released + returned = face * issued + carry + moved + corrected + netted

and of every device (research/registry.md section 4), with `accepted` the releases as they stand corrected:

    accepted = face * (issued - withdrawn) + carry - debt - forfeited - received + given

Debt stands only while no month of the device has a carry: the carry pays first. `given` and `received` are the energy
of certificates of one device that were withdrawn for the debt of another.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from contracts.calendar import month_end
from contracts.context import Context
from state.attestation import CORRECTION
from state.keyspace import debt_key, month_energy_key, release_key, space_end
from state.overlay import Snapshot
from state.records import Debt, Device, MonthEnergy, Release, Scheme
from state.units import DAY_S


@dataclass(frozen=True, slots=True)
class Booking:
    """What an issue makes of a release: certificates, the carry that is left, and debt that it pays first."""

    account: MonthEnergy
    count: int
    carry_wh: int
    netted_wh: int


def book(state: Snapshot, time_s: int, device: Device, scheme: Scheme, month: int, released_wh: int) -> Booking:
    """The booking of `released_wh` more on the month's account as the state has it."""
    account = open_account(state, time_s, device, scheme, month)
    available = account.carry_wh + released_wh
    netted_wh = min(open_debt_wh(state, device.id), available)
    count, carry_wh = divmod(available - netted_wh, scheme.face_value)
    return Booking(account, count, carry_wh, netted_wh)


def open_account(state: Snapshot, time_s: int, device: Device, scheme: Scheme, month: int) -> MonthEnergy:
    """The month's account as the next issue finds it, opened with the carry of closed earlier months if it is new."""
    existing = state.get(month_energy_key(device.id, month))
    if isinstance(existing, MonthEnergy):
        return existing
    carry = sum(account.carry_wh for account in _accounts_to_empty(state, time_s, device, scheme, month))
    return MonthEnergy(device.id, month, scheme.id, 0, 0, carry, carry, 0, 0, 0, 0, 0, 0)


def _accounts_to_empty(state: Snapshot, time_s: int, device: Device, scheme: Scheme, month: int) -> list[MonthEnergy]:
    """Earlier months with a carry whose end lies at least `close_days` back."""
    low, high = month_energy_key(device.id, 0), month_energy_key(device.id, month)
    return [
        account
        for _, account in state.scan(low, high)
        if isinstance(account, MonthEnergy)
        and account.carry_wh
        and month_end(account.month) + scheme.close_days * DAY_S <= time_s
    ]


def empty_earlier_accounts(context: Context, account: MonthEnergy, device: Device, scheme: Scheme) -> None:
    """Move the carry of closed earlier months into an account that is opened."""
    if context.overlay.get(month_energy_key(device.id, account.month)) is not None:
        return
    for earlier in _accounts_to_empty(context.overlay, context.environment.time_s, device, scheme, account.month):
        put_account(context, replace(earlier, carry_wh=0, moved_wh=earlier.moved_wh + earlier.carry_wh))


def put_account(context: Context, account: MonthEnergy) -> None:
    context.overlay.put(month_energy_key(account.device, account.month), account)


def accounts_of(state: Snapshot, device: int) -> list[MonthEnergy]:
    """Every month's account of a device, oldest first."""
    low = month_energy_key(device, 0)
    return [entry for _, entry in state.scan(low, space_end(low[:5])) if isinstance(entry, MonthEnergy)]


def debt_of(state: Snapshot, device: int) -> Debt | None:
    """What a device's operator owed or owes; None where nothing was ever certified in error."""
    found = state.get(debt_key(device))
    return found if isinstance(found, Debt) else None


def open_debt_wh(state: Snapshot, device: int) -> int:
    debt = debt_of(state, device)
    return debt.debt_wh if debt is not None else 0


def accepted_wh(state: Snapshot, device: int, day: int) -> int | None:
    """Energy of a day as it stands: the last correction, or what the steps released. None where it was never judged."""
    low = release_key(device, day, 0, 0)
    found = [entry for _, entry in state.scan(low, space_end(low[:9])) if isinstance(entry, Release)]
    if not found:
        return None
    corrections = [release for release in found if release.step == CORRECTION]
    return corrections[-1].release_wh if corrections else sum(release.release_wh for release in found)
