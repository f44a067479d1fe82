"""correct and withdraw: an error is put right by a quorum, and what was sold in good faith stays with its buyer."""

import pytest
from harness.town import Town
from harness.world import DAY, MONTH

from contracts.accounts import accepted_wh, accounts_of, debt_of
from contracts.correct import credit_of
from contracts.events import DayCorrected, DebtIncurred, DebtPaid, Withdrawn
from state.attestation import HOLD
from state.errors import (
    AlreadyIssued,
    BadField,
    BadRange,
    CarryDiffers,
    CertificateExpired,
    DebtOpen,
    EnergyBound,
    MissingSignature,
    NoDebt,
    QuorumMissing,
    Unknown,
    WrongCertificates,
)
from state.outputs import Bundle
from state.records import Debt
from state.transaction import (
    AttestedDay,
    CorrectContent,
    PlaceOffer,
    Propose,
    Withdraw,
    WithdrawnRange,
)

FACE_WH = 1_000_000
MAY_DAY, MAY = DAY + 35, 201_405


@pytest.fixture
def town() -> Town:
    """Certificates 1..10 of DAY and no carry; the plant owns them all."""
    return Town()


def debt(town: Town) -> Debt:
    found = debt_of(town.state, town.device_id)
    assert found is not None
    return found


def carries(town: Town) -> dict[int, int]:
    return {account.month: account.carry_wh for account in accounts_of(town.state, town.device_id)}


def taken(town: Town, start: int, end: int) -> Withdraw:
    point = next(p for p in town.outputs_of("plant", Bundle) if town.bundle(p).start <= start <= town.bundle(p).end)
    return Withdraw(town.device_id, (WithdrawnRange(point, start, end),))


def balanced(town: Town, device: int = 0) -> None:
    """The identity of `contracts/accounts.py`, for every account and for the device."""
    number = device or town.device_id
    accounts, owed = accounts_of(town.state, number), debt_of(town.state, number)
    for account in accounts:
        left = account.carry_in_wh + account.released_wh + account.returned_wh
        right = FACE_WH * account.issued + account.carry_wh + account.moved_wh
        assert left == right + account.corrected_wh + account.netted_wh
        assert 0 <= account.carry_wh < FACE_WH
    days = {key[5:9] for key, _ in town.state.scan(b"\x1f" + number.to_bytes(4, "big"), b"\x1f" + bytes((255,)) * 8)}
    accepted = sum(accepted_wh(town.state, number, int.from_bytes(day, "big")) or 0 for day in days)
    certificates = FACE_WH * sum(account.issued - account.withdrawn for account in accounts)
    carry, given = sum(account.carry_wh for account in accounts), sum(account.given_wh for account in accounts)
    owes = (owed.debt_wh, owed.forfeited_wh, owed.received_wh) if owed else (0, 0, 0)
    waiting = sum(
        credit.credit_wh
        for day in days
        if (credit := credit_of(town.state, number, int.from_bytes(day, "big"))) is not None
    )
    assert accepted - waiting == certificates + carry - sum(owes) + given
    assert not (owes[0] and carry)


# --- downwards


def test_the_carry_of_the_month_pays_first_then_that_of_other_months(town: Town) -> None:
    town.issue(town.device_id, 300_000, day=DAY + 1)
    town.issue(town.device_id, 400_000, day=MAY_DAY, month=MAY)
    before = carries(town)
    assert sum(before.values()) == 700_000
    town.correct(town.device_id, DAY + 1, 0, 300_000)
    assert sum(carries(town).values()) == 400_000
    assert debt_of(town.state, town.device_id) is None
    assert town.certificates("plant") == 10
    balanced(town)


def test_what_the_carry_does_not_cover_is_withdrawn_from_the_operator_highest_serial_first(town: Town) -> None:
    events = town.correct(town.device_id, DAY, 7_500_000)
    assert DayCorrected(town.device_id, DAY, 1, 10_000_000, 7_500_000, "meter error") in events
    assert any(isinstance(event, DebtIncurred) and event.debt_wh == 2_500_000 for event in events)
    events = town.do(town.withdrawal(town.device_id))
    assert Withdrawn(town.device_id, 1, 8, 10, town.id("plant"), town.device_id) in events
    assert DebtPaid(town.device_id, 2_500_000, 0, "certificates") in events
    assert town.certificates("plant") == 7
    assert carries(town) == {MONTH: 500_000}
    balanced(town)


def test_withdrawn_numbers_never_come_back(town: Town) -> None:
    town.correct(town.device_id, DAY, 8_000_000)
    town.do(town.withdrawal(town.device_id))
    lot = town.issue(town.device_id, 2_000_000, day=DAY + 1)
    assert lot is not None
    assert (town.bundle(lot).start, town.bundle(lot).end) == (11, 12)


def test_a_buyers_title_is_good_and_the_operator_owes_the_difference(town: Town) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 9), town.piece("plant", 10, 10))
    town.correct(town.device_id, DAY, 7_000_000)
    town.do(town.withdrawal(town.device_id))
    assert (town.certificates("trader"), town.certificates("plant")) == (9, 0)
    assert debt(town).debt_wh == 2_000_000
    point = town.outputs_of("trader", Bundle)[0]
    town.move("trader", (point,), town.piece("consumer", 1, 9))
    balanced(town)


def test_new_releases_pay_the_debt_before_they_become_certificates(town: Town) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    town.correct(town.device_id, DAY, 7_500_000)
    assert town.issue(town.device_id, 2_000_000, day=DAY + 1) is None
    assert debt(town).debt_wh == 500_000
    lot = town.issue(town.device_id, 1_600_000, day=DAY + 2)
    assert lot is not None
    assert town.bundle(lot).start == 11
    assert (debt(town).debt_wh, debt(town).netted_wh) == (0, 2_500_000)
    assert carries(town) == {MONTH: 100_000}
    balanced(town)


def test_an_operator_in_debt_cannot_sell_or_retire_what_is_to_be_withdrawn(town: Town) -> None:
    town.correct(town.device_id, DAY, 9_000_000)
    town.refuses(DebtOpen, town.transfer("plant", (town.lot,), town.piece("trader", 1, 10)), by=("plant",))
    town.refuses(DebtOpen, town.retire_action("plant", town.lot, 1, 1), by=("plant",))
    auction = town.auction()
    town.refuses(DebtOpen, PlaceOffer(auction, town.id("plant"), town.lot, 1, 1, 0), by=("plant",))
    town.do(town.withdrawal(town.device_id))
    rest = town.outputs_of("plant", Bundle)[0]
    town.move("plant", (rest,), town.piece("trader", 1, 9))


def test_certificates_bought_back_are_withdrawn(town: Town) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    town.correct(town.device_id, DAY, 9_000_000)
    point = town.outputs_of("trader", Bundle)[0]
    town.move("trader", (point,), town.piece("plant", 4, 4), town.piece("trader", 1, 3), town.piece("trader", 5, 10))
    town.do(town.withdrawal(town.device_id))
    assert debt(town).debt_wh == 0
    assert town.certificates("trader") == 9
    balanced(town)


def test_the_operator_may_hand_in_certificates_of_another_plant(town: Town) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    town.correct(town.device_id, DAY, 8_000_000)
    town.register("other")
    second = town.device("other")
    lot = town.issue(second, 5_000_000)
    assert lot is not None
    town.move("other", (lot,), town.piece("plant", 1, 3), town.piece("other", 4, 5))
    point = town.outputs_of("plant", Bundle)[0]
    action = Withdraw(town.device_id, (WithdrawnRange(point, 2, 3),))
    town.refuses(MissingSignature, action)
    town.do(action, by=("plant",))
    assert (debt(town).debt_wh, debt(town).received_wh) == (0, 2_000_000)
    assert town.certificates("plant") == 1
    balanced(town)
    balanced(town, second)


def test_what_the_certificates_of_another_plant_have_too_much_is_carried_by_the_plant_in_debt(town: Town) -> None:
    """Their own plant's carry may be almost whole already: it must never reach the face value."""
    town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    second = town.device("plant")
    lot = town.issue(second, 3_900_000)
    assert lot is not None
    town.correct(town.device_id, DAY, 9_700_000)
    town.do(Withdraw(town.device_id, (WithdrawnRange(lot, 3, 3),)), by=("plant",))
    assert debt(town).debt_wh == 0
    assert carries(town) == {MONTH: 700_000}
    balanced(town)
    balanced(town, second)


def test_a_mixed_withdrawal_pays_with_own_certificates_first(town: Town) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 9), town.piece("plant", 10, 10))
    own = next(point for point in town.outputs_of("plant", Bundle))
    second = town.device("plant")
    other = town.issue(second, 3_000_000)
    assert other is not None
    town.correct(town.device_id, DAY, 7_500_000)
    wrong = (WithdrawnRange(other, 2, 3), WithdrawnRange(own, 10, 10))
    town.refuses(WrongCertificates, Withdraw(town.device_id, wrong), by=("plant",))
    town.do(Withdraw(town.device_id, (wrong[1], wrong[0])), by=("plant",))
    assert (debt(town).debt_wh, carries(town)) == (0, {MONTH: 500_000})
    balanced(town)
    balanced(town, second)


def test_the_month_in_error_goes_first(town: Town) -> None:
    later = town.issue(town.device_id, 5_000_000, day=MAY_DAY, month=MAY)
    assert later is not None
    town.correct(town.device_id, DAY, 8_000_000)
    action = town.withdrawal(town.device_id)
    assert [(each.start, each.end) for each in action.ranges] == [(9, 10)]
    wrong = Withdraw(town.device_id, (WithdrawnRange(later, 11, 15), WithdrawnRange(town.lot, 10, 10)))
    town.refuses(WrongCertificates, wrong)


# --- upwards


def test_a_correction_upwards_becomes_new_certificates_with_new_numbers(town: Town) -> None:
    town.correct(town.device_id, DAY, 12_400_000)
    assert town.certificates("plant") == 10
    town.do(town.credit_action(town.device_id, DAY))
    assert town.certificates("plant") == 12
    assert carries(town) == {MONTH: 400_000}
    assert accepted_wh(town.state, town.device_id, DAY) == 12_400_000
    balanced(town)


def test_a_held_day_that_was_right_after_all_is_released(town: Town) -> None:
    held = town.attested(town.device_id, DAY + 1, 3_000_000, verdict=HOLD)
    town.do(town.issue_action(town.device_id, (held,)))
    town.correct(town.device_id, DAY + 1, 3_000_000)
    town.do(town.credit_action(town.device_id, DAY + 1))
    assert town.certificates("plant") == 13
    balanced(town)


def test_a_day_may_be_corrected_again_down_and_up(town: Town) -> None:
    town.correct(town.device_id, DAY, 9_000_000)
    town.do(town.withdrawal(town.device_id))
    town.correct(town.device_id, DAY, 10_000_000, revision=2)
    town.do(town.credit_action(town.device_id, DAY))
    assert town.certificates("plant") == 10
    assert sorted(town.bundle(p).end for p in town.outputs_of("plant", Bundle)) == [9, 11]
    balanced(town)


def test_a_credit_pays_a_debt_first(town: Town) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    town.issue(town.device_id, 100_000, day=DAY + 1)
    town.correct(town.device_id, DAY, 9_000_000)
    town.correct(town.device_id, DAY + 1, 1_200_000)
    town.do(town.credit_action(town.device_id, DAY + 1))
    assert debt(town).debt_wh == 0
    assert carries(town) == {MONTH: 200_000}
    balanced(town)


# --- refusals of the proposal


def proposed(town: Town, **changes: object) -> Propose:
    fields: dict[str, object] = {
        "device": town.device_id,
        "day": DAY,
        "revision": 1,
        "energy_wh": 10_000_000,
        "release_wh": 9_000_000,
        "reason": "meter error",
        "evidence_hash": b"",
    }
    return Propose(1, CorrectContent(**{**fields, **changes}))  # type: ignore[arg-type]


def test_refuses_a_correction_of_a_day_that_was_never_judged(town: Town) -> None:
    town.refuses(Unknown, proposed(town, day=DAY + 9), by=("Organisation 0",))


def test_refuses_a_correction_out_of_its_turn(town: Town) -> None:
    town.refuses(AlreadyIssued, proposed(town, revision=2), by=("Organisation 0",))
    town.correct(town.device_id, DAY, 9_000_000)
    town.refuses(AlreadyIssued, proposed(town), by=("Organisation 0",))


def test_refuses_more_energy_than_was_measured_or_the_plant_can_make(town: Town) -> None:
    town.refuses(EnergyBound, proposed(town, release_wh=10_000_001), by=("Organisation 0",))
    town.refuses(EnergyBound, proposed(town, energy_wh=10**12, release_wh=10**11), by=("Organisation 0",))


@pytest.mark.parametrize("changes", [{"reason": ""}, {"evidence_hash": b"x"}, {"release_wh": 10_000_000}])
def test_refuses_a_correction_without_reason_evidence_or_change(town: Town, changes: dict[str, object]) -> None:
    town.refuses(BadField, proposed(town, **changes), by=("Organisation 0",))


def test_refuses_a_second_correction_before_the_first_was_issued(town: Town) -> None:
    town.correct(town.device_id, DAY, 11_000_000)
    town.refuses(BadField, proposed(town, revision=2), by=("Organisation 0",))


# --- refusals of the issue


def test_refuses_a_credit_that_a_quorum_of_validators_did_not_attest(town: Town) -> None:
    town.correct(town.device_id, DAY, 11_000_000)
    action = town.credit_action(town.device_id, DAY)
    (day,) = action.days
    town.refuses(QuorumMissing, town.issue_action(town.device_id, (AttestedDay(day.attestation, day.signatures[:2]),)))


def test_refuses_a_credit_twice_and_one_of_another_amount(town: Town) -> None:
    town.correct(town.device_id, DAY, 11_000_000)
    action = town.credit_action(town.device_id, DAY)
    more = town.attested(town.device_id, DAY, 2_000_000, step=3, revision=1, reasons=("corrected",))
    town.refuses(BadField, town.issue_action(town.device_id, (more,)))
    town.do(action)
    town.refuses(AlreadyIssued, action)


def test_refuses_an_issue_that_hides_the_debt(town: Town) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    town.correct(town.device_id, DAY, 9_000_000)
    days = (town.attested(town.device_id, DAY + 1, 2_000_000),)
    town.refuses(CarryDiffers, town.issue_action(town.device_id, days, netted_wh=0, count=2, carry_out_wh=0))


# --- refusals of the withdrawal


def test_refuses_a_withdrawal_without_debt(town: Town) -> None:
    town.refuses(NoDebt, taken(town, 10, 10))


def test_refuses_more_certificates_than_are_owed(town: Town) -> None:
    town.correct(town.device_id, DAY, 9_000_000)
    town.refuses(WrongCertificates, taken(town, 9, 10))


def test_refuses_a_range_that_is_not_the_tail_of_its_bundle(town: Town) -> None:
    town.correct(town.device_id, DAY, 9_000_000)
    town.refuses(BadRange, taken(town, 5, 5))


def test_refuses_to_take_from_a_buyer(town: Town) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 9), town.piece("plant", 10, 10))
    town.correct(town.device_id, DAY, 8_000_000)
    point = town.outputs_of("trader", Bundle)[0]
    town.refuses(WrongCertificates, Withdraw(town.device_id, (WithdrawnRange(point, 9, 9),)))


def test_refuses_certificates_of_a_plant_that_is_in_debt_itself(town: Town) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    second = town.device("plant")
    lot = town.issue(second, 3_000_000)
    assert lot is not None
    town.correct(town.device_id, DAY, 9_000_000)
    town.correct(second, DAY, 2_000_000)
    town.refuses(DebtOpen, Withdraw(town.device_id, (WithdrawnRange(lot, 3, 3),)), by=("plant",))


def test_a_buyer_of_certificates_of_a_plant_in_debt_may_hand_them_in(town: Town) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    second = town.device("trader")
    lot = town.issue(second, 3_000_000)
    assert lot is not None
    town.move("trader", (lot,), town.piece("plant", 1, 3))
    town.correct(town.device_id, DAY, 9_000_000)
    town.correct(second, DAY, 2_500_000)
    (bought,) = town.outputs_of("plant", Bundle)
    town.do(Withdraw(town.device_id, (WithdrawnRange(bought, 3, 3),)), by=("plant",))
    assert debt(town).debt_wh == 0
    balanced(town)
    balanced(town, second)


def test_refuses_certificates_that_expired_before_anybody_swept_them(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.correct(town.device_id, DAY, 9_000_000)
    action, until = taken(town, 10, 10), town.bundle(town.lot).retire_until
    for place in ("contracts.transition.sweep", "harness.world.sweep"):
        monkeypatch.setattr(place, lambda overlay, environment, output: None)
    town.block(seconds=until - town.time_ms // 1000)
    town.refuses(CertificateExpired, action)
    with pytest.raises(AssertionError):
        town.withdrawal(town.device_id)


def test_refuses_the_wrong_order_and_parts_in_between(town: Town) -> None:
    pieces = town.piece("plant", 1, 5), town.piece("plant", 6, 10)
    first, second = town.move("plant", (town.lot,), *pieces)
    town.correct(town.device_id, DAY, 4_000_000)
    low, high = WithdrawnRange(first, 5, 5), WithdrawnRange(second, 6, 10)
    town.refuses(WrongCertificates, Withdraw(town.device_id, (WithdrawnRange(first, 1, 5), high)))
    town.refuses(WrongCertificates, Withdraw(town.device_id, (WithdrawnRange(second, 7, 10), low)))
    town.do(Withdraw(town.device_id, (high, low)))
    assert town.certificates("plant") == 4


def test_refuses_certificates_of_another_scheme(town: Town) -> None:
    town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    town.correct(town.device_id, DAY, 8_000_000)
    second = town.device("plant", scheme=2)
    lot = town.issue(second, 5_000)
    assert lot is not None
    action = Withdraw(town.device_id, (WithdrawnRange(lot, 5, 5),))
    town.refuses(WrongCertificates, action, by=("plant",))
