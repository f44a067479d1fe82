"""Chains that break one law, made final by a quorum that agreed to it: what an audit must find and name.

Each violation bends a rule while its block is made. `by_rules` is what the audit says when it runs the right rules;
`by_books` what it says when it runs the bent ones itself, so that only the books can notice. None: not to be seen so.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from harness.busy import BusyTown
from harness.world import DAY, MONTH
from msgspec.structs import replace

from contracts import correct, expire, schemes, transition
from contracts.context import Context
from contracts.issue import open_account
from contracts.pieces import Result, clear
from contracts.schemes import hourly
from contracts.screening import Screened
from contracts.settle import build_settle
from state.keyspace import device_key, month_energy_key, scheme_key, statement_key
from state.lthash import LtHash
from state.outputs import Bundle, Funds
from state.records import Auction, Device, Expiry, MonthEnergy, Scheme
from state.transaction import (
    Deposit,
    Issue,
    Piece,
    Retire,
    SchemeContent,
    Settle,
    Transfer,
    Withdraw,
    WithdrawnRange,
)
from state.units import MICRO

Bend = Callable[[pytest.MonkeyPatch, int], None]  # from this height on: what came before was made under the right rules


@dataclass(frozen=True)
class Violation:
    bend: Bend
    act: Callable[[BusyTown], None]
    by_rules: str
    by_books: str | None


def unchecked(kind: type[Any]) -> Bend:
    """The rule of an action asks nothing."""

    def bend(patch: pytest.MonkeyPatch, height: int) -> None:
        whole = transition.KINDS[kind]
        bent = transition.Kind(whole.name, lambda context, action: None, whole.apply, whole.describe)
        patch.setitem(transition.KINDS, kind, bent)

    return bend


def applied(kind: type[Any], apply: Callable[[Context, Any], None]) -> Bend:
    """What an action does is something else."""

    def bend(patch: pytest.MonkeyPatch, height: int) -> None:
        whole = transition.KINDS[kind]

        def from_then_on(context: Context, action: Any) -> None:
            (apply if context.environment.height >= height else whole.apply)(context, action)

        patch.setitem(transition.KINDS, kind, transition.Kind(whole.name, whole.check, from_then_on, whole.describe))

    return bend


# --- issues


def issue(town: BusyTown, day: int = 0, signers: range | None = None, **changes: int) -> None:
    town.days[1] += not day
    more = {} if signers is None else {"signers": signers}
    attested = town.attested(1, day or town.days[1], 2_600_000, **more)
    town.do(town.issue_action(1, (attested,), MONTH, **changes))


def without_carry(town: BusyTown) -> None:
    device, scheme = town.state.get(device_key(1)), town.state.get(scheme_key(1))
    assert isinstance(device, Device)
    assert isinstance(scheme, Scheme)
    assert open_account(town.state, town.time_ms // 1000, device, scheme, MONTH).carry_wh, "something is carried"
    issue(town, carry_in_wh=0, count=2, carry_out_wh=600_000)


def hold_back(town: BusyTown) -> None:
    """One certificate fewer than there is energy for; its Wh are carried instead."""
    right = town.issue_action(1, (town.attested(1, town.days[1] + 1, 2_600_000),), MONTH)
    issue(town, count=right.count - 1, carry_out_wh=right.carry_out_wh + 1_000_000)


def book_wrongly(context: Context, action: Issue) -> None:
    transition.issue.apply(context, action)
    key = month_energy_key(action.device, action.month)
    account = context.overlay.get(key)
    assert isinstance(account, MonthEnergy)
    context.overlay.put(key, replace(account, carry_wh=account.carry_wh + 1))


# --- certificates


def a_bundle(town: BusyTown, at_least: int = 3) -> tuple[str, bytes, Bundle]:
    for name in ("plant", "trader", "consumer"):
        for point in town.outputs_of(name, Bundle):
            lot = town.live()[point]
            if isinstance(lot, Bundle) and lot.end - lot.start + 1 >= at_least:
                return name, point, lot
    raise AssertionError("nobody holds so many")


def transfer(*pieces: tuple[int, int]) -> Callable[[BusyTown], None]:
    """Of a bundle, parts by their distance from its first and its last serial."""

    def act(town: BusyTown) -> None:
        name, point, lot = a_bundle(town)
        parts = tuple(Piece(lot.holder, lot.start + first, lot.end + last) for first, last in pieces)
        town.do(Transfer(lot.holder, (point,), parts, None), by=(name,))

    return act


def move_the_dead(town: BusyTown) -> None:
    name, point, lot = a_bundle(town)
    town.do(Transfer(lot.holder, (point,), (Piece(lot.holder, lot.start, lot.end),), None), by=(name,), seconds=10**8)


def no_sweep(patch: pytest.MonkeyPatch, height: int) -> None:
    patch.setattr(transition, "sweep", lambda overlay, environment, output: None)
    patch.setattr(Context, "bundle", lambda self, point, holder: self._live(point))
    patch.setattr(Context, "_live", lambda self, point: self.overlay.get(b"\x01" + point))


def retire(town: BusyTown, wanted: int = 2) -> None:
    name, point, lot = a_bundle(town)
    town.do(town.retire_action(name, point, lot.start, lot.start + wanted - 1), by=(name,))


def forget_the_statement(context: Context, action: Retire) -> None:
    transition.retire.apply(context, action)
    context.overlay.delete(statement_key(action.statement_hash[:16]))


def retire_one_more(context: Context, action: Retire) -> None:
    (part,) = action.ranges
    transition.retire.apply(context, replace(action, ranges=(replace(part, end=part.end + 1),)))


def spend_again(town: BusyTown) -> None:
    name, point, lot = a_bundle(town)
    town.do(Transfer(lot.holder, (point,), (Piece(lot.holder, lot.start, lot.end),), None), by=(name,))
    town.do(Transfer(lot.holder, (point,), (Piece(lot.holder, lot.start, lot.end),), None), by=(name,))


def spent_outputs_stay(patch: pytest.MonkeyPatch, height: int) -> None:
    whole = Context.spend

    def spend(self: Context, point: bytes) -> Any:
        output = whole(self, point)
        if self.environment.height >= height:
            self.overlay.put(b"\x01" + point, output)
        return output

    patch.setattr(Context, "spend", spend)


# --- money


def deposit(town: BusyTown) -> None:
    town.fund("trader", 7, "the bent one")


def double(context: Context, action: Deposit) -> None:
    transition.deposit.apply_deposit(context, action)
    context.create(Funds(action.to, action.currency, action.amount))


def swallow(context: Context, action: Deposit) -> None:
    transition.deposit.apply_deposit(context, replace(action, amount=action.amount // 2))


def by_anybody(town: BusyTown) -> None:
    town.do(Deposit(town.people["trader"], town.people["trader"], "EUR", 9 * MICRO, "self-made"), by=("trader",))


def settle(town: BusyTown) -> None:
    """A market in which one lot finds one buyer, settled one millionth too dear."""
    auction = town.auction(seconds=30)
    name, point, lot = a_bundle(town)
    town.offer(name, auction, point, lot.start, lot.end, 10 * MICRO)
    buyer = "consumer" if name != "consumer" else "trader"
    town.bid(buyer, auction, 2, 30 * MICRO, town.fund(buyer, 1_000, "for the market"))
    right = build_settle(town.state, town.close(auction))
    town.do(Settle(auction, (right.prices[0] + 1,), right.result_root))


# --- hours


HOURS = (0,) * 8 + (300, 500) + (0,) * 14


def hourly_issue(town: BusyTown, **changes: int) -> None:
    """A plant whose certificates name their hour, and one day of it."""
    terms = Expiry("issue", 12, 18)
    scheme = Scheme(3, "HOUR", "Wh", 1, 15, "EUR", terms, True, 0, "verified", (10_000, 0, 0), 0, 0, 0)
    town.accredit(SchemeContent(scheme), by="Organisation 0")
    device = town.device("plant", scheme=3)
    town.do(town.issue_action(device, (town.attested(device, DAY, 800, hours_wh=HOURS),), **changes))


def into_the_next_hour(whole: Callable[..., list[tuple[int, int]]], by_s: int, by_wh: int) -> Bend:
    """One Wh of the first hour is said to be of the second, or every hour to be a later one."""

    def moved(days: list[tuple[int, tuple[int, ...]]], netted_wh: int) -> list[tuple[int, int]]:
        (start, energy_wh), (later, more_wh) = whole(days, netted_wh)
        return [(start + by_s, energy_wh - by_wh), (later + by_s, more_wh + by_wh)]

    def bend(patch: pytest.MonkeyPatch, height: int) -> None:
        patch.setattr("contracts.issue.hourly", moved)

    return bend


# --- schemes and corrections


def change_the_face_value(town: BusyTown) -> None:
    scheme = town.state.get(scheme_key(1))
    assert isinstance(scheme, Scheme)
    town.accredit(SchemeContent(replace(scheme, unit="kWh", face_value=1_000)), by="Organisation 0")
    town.days[1] += 1
    town.do(town.issue_action(1, (town.attested(1, town.days[1], 2_600_000),), MONTH))


def schemes_change_freely(patch: pytest.MonkeyPatch, height: int) -> None:
    patch.setattr(schemes, "_fixed", lambda scheme: ())


def sold_and_corrected(town: BusyTown) -> tuple[bytes, Bundle]:
    """A day's certificates belong to a buyer, and half of the day was never produced: their bundle."""
    town.days[1] += 1
    lot = town.issue(1, 4_000_000, day=town.days[1], month=MONTH)
    assert lot is not None
    held = town.live()[lot]
    assert isinstance(held, Bundle)
    town.do(Transfer(held.holder, (lot,), (Piece(town.people["trader"], held.start, held.end),), None), by=("plant",))
    town.correct(1, town.days[1], 2_000_000)
    point = next(p for p, o in town.live().items() if isinstance(o, Bundle) and (o.device, o.end) == (1, held.end))
    bought = town.live()[point]
    assert isinstance(bought, Bundle)
    return point, bought


def claw_back(town: BusyTown) -> None:
    point, lot = sold_and_corrected(town)
    town.do(Withdraw(1, (WithdrawnRange(point, lot.end, lot.end),)))


def withdraw_too_much(town: BusyTown) -> None:
    town.days[1] += 1
    lot = town.issue(1, 6_000_000, day=town.days[1], month=MONTH)
    assert lot is not None
    held = town.live()[lot]
    assert isinstance(held, Bundle)
    town.correct(1, town.days[1], 3_900_000)
    town.do(Withdraw(1, (WithdrawnRange(lot, held.start, held.end),)))


def forgive(context: Context, device: int, month: int, owed_wh: int) -> None:
    """A correction takes the carry, and what is left is owed by nobody."""


def nobody_owes(patch: pytest.MonkeyPatch, height: int) -> None:
    patch.setattr(correct, "_owe", forgive)


def the_carry_is_spared(patch: pytest.MonkeyPatch, height: int) -> None:
    patch.setattr(
        correct, "_take", lambda context, device, month, owed_wh: correct._owe(context, device, month, owed_wh)
    )


def a_correction_begins_elsewhere(patch: pytest.MonkeyPatch, height: int) -> None:
    whole = correct.accepted_wh
    patch.setattr(correct, "accepted_wh", lambda state, device, day: (whole(state, device, day) or 0) + 1_000)


def correct_down(town: BusyTown) -> None:
    town.days[1] += 1
    town.issue(1, 4_300_000, day=town.days[1], month=MONTH)
    town.correct(1, town.days[1], 1_000_000)


def expires_at_once(patch: pytest.MonkeyPatch, height: int) -> None:
    """The sweep of this block finds everything dead."""
    whole = expire._expire

    def early(context: Context) -> None:
        environment = context.environment
        if environment.height == height:
            context.environment = dataclasses.replace(environment, time_ms=environment.time_ms + 10**11)
        whole(context)
        context.environment = environment

    patch.setattr(expire, "_expire", early)


def at_any_price(patch: pytest.MonkeyPatch, height: int) -> None:
    """The settlement goes by the right prices, whatever the action says."""

    def result(auction: Auction, screened: Screened, action: Settle) -> Result:
        found = clear(screened.bids, screened.offers, auction.floor, auction.ceiling, auction.seed)
        assert found.prices != action.prices
        return found

    patch.setattr("contracts.settle._checked", result)


# --- the chain itself


def wrong_root(patch: pytest.MonkeyPatch, height: int) -> None:
    patch.setattr(LtHash, "root", lambda self: bytes(32))


def nothing(town: BusyTown) -> None:
    town.block()


VIOLATIONS = {
    "an issue of more certificates than energy": Violation(
        unchecked(Issue), lambda town: issue(town, count=9), "issuance_differs", "issuance_differs"
    ),
    "an issue whose rest is larger than what is left": Violation(
        unchecked(Issue), lambda town: issue(town, carry_out_wh=999_999), "issuance_differs", "issuance_differs"
    ),
    "the energy of a day counted twice": Violation(
        unchecked(Issue), lambda town: issue(town, day=DAY + 1), "energy_twice", "energy_twice"
    ),
    "a carry that is forgotten": Violation(unchecked(Issue), without_carry, "carry_missing", "carry_missing"),
    "an issue that too few attested": Violation(
        unchecked(Issue), lambda town: issue(town, signers=range(1)), "issuance_unattested", "issuance_unattested"
    ),
    "numbers that are given a second time": Violation(
        unchecked(Issue), lambda town: issue(town, first_serial=1), "issuance_differs", "ranges_overlap"
    ),
    "an account with one Wh more than its issues": Violation(
        applied(Issue, book_wrongly), issue, "state_root_wrong", "account_differs"
    ),
    "two pieces that overlap": Violation(
        unchecked(Transfer), transfer((0, -1), (1, 0)), "ranges_overlap", "ranges_overlap"
    ),
    "a piece beyond what was spent": Violation(
        unchecked(Transfer), transfer((0, 5)), "ranges_overlap", "certificates_from_nothing"
    ),
    "a piece that nobody gets": Violation(
        unchecked(Transfer), transfer((0, -1)), "ranges_overlap", "certificates_lost"
    ),
    "certificates that move after their term": Violation(no_sweep, move_the_dead, "spent_twice", "dead_used"),
    "an output that is spent twice": Violation(spent_outputs_stay, spend_again, "state_root_wrong", "spent_twice"),
    "a retirement without its record": Violation(
        applied(Retire, forget_the_statement), retire, "state_root_wrong", "retirement_lost"
    ),
    "a retirement of one more than it says": Violation(
        applied(Retire, retire_one_more), retire, "state_root_wrong", "retirement_differs"
    ),
    "a deposit that counts twice": Violation(applied(Deposit, double), deposit, "state_root_wrong", "money_minted"),
    "a deposit of which half is gone": Violation(applied(Deposit, swallow), deposit, "state_root_wrong", "money_lost"),
    "a deposit by somebody without the role": Violation(unchecked(Deposit), by_anybody, "rule_broken", None),
    "a settlement at another price": Violation(at_any_price, settle, "settle_wrong", "settle_wrong"),
    "certificates of more Wh than the others of their plant": Violation(
        schemes_change_freely, change_the_face_value, "rule_broken", "issuance_differs"
    ),
    "a day of another month": Violation(
        unchecked(Issue), lambda town: issue(town, day=DAY + 40), "rule_broken", "issuance_differs"
    ),
    "a whole certificate that stays in the carry": Violation(
        unchecked(Issue),
        lambda town: hold_back(town),
        "issuance_differs",
        "issuance_differs",
    ),
    "one Wh of another hour": Violation(
        into_the_next_hour(hourly, 0, 1), hourly_issue, "state_root_wrong", "hours_differ"
    ),
    "hours that are told later than they were": Violation(
        into_the_next_hour(hourly, 3_600, 0), hourly_issue, "state_root_wrong", "hours_differ"
    ),
    "certificates that are taken from a buyer": Violation(
        unchecked(Withdraw), claw_back, "rule_broken", "debt_differs"
    ),
    "more withdrawn than is owed": Violation(unchecked(Withdraw), withdraw_too_much, "rule_broken", "debt_differs"),
    "a debt that nobody owes": Violation(nobody_owes, correct_down, "state_root_wrong", "debt_differs"),
    "a debt beside a carry": Violation(the_carry_is_spared, correct_down, "state_root_wrong", "debt_differs"),
    "a correction of what a day never was": Violation(
        a_correction_begins_elsewhere, correct_down, "state_root_wrong", "account_differs"
    ),
    "certificates that expire before their term": Violation(
        expires_at_once, nothing, "state_root_wrong", "certificates_lost"
    ),
    "a state root of another state": Violation(wrong_root, nothing, "state_root_wrong", None),
}
