"""deposit and payout: claims on money that an accredited operator holds; each bank reference once."""

import pytest
from harness.town import Town

from contracts.events import Deposited, PaidOut
from state.errors import (
    AlreadyExists,
    BadField,
    LimitReached,
    Locked,
    MissingSignature,
    MoneyDiffers,
    NotYours,
    RoleNeeded,
    Spent,
    Unknown,
)
from state.keyspace import Space, space_end
from state.outputs import Funds
from state.transaction import Deposit, Payout, RenewContent
from state.units import MAX_AMOUNT, MICRO


@pytest.fixture
def town() -> Town:
    return Town()


def deposit(town: Town, **changes: object) -> Deposit:
    fields = {"operator": town.id("bank"), "to": town.id("trader"), "currency": "EUR", "amount": 50 * MICRO}
    return Deposit(**{**fields, "reference": "wire 1", **changes})  # type: ignore[arg-type]


def payout(town: Town, *inputs: bytes, **changes: object) -> Payout:
    fields = {"operator": town.id("bank"), "holder": town.id("trader"), "inputs": inputs, "currency": "EUR"}
    return Payout(**{**fields, "amount": 30 * MICRO, "reference": "out 1", **changes})  # type: ignore[arg-type]


def test_a_deposit_becomes_funds_of_the_participant(town: Town) -> None:
    events = town.do(deposit(town), by=("bank",))
    assert events == [Deposited(town.id("bank"), town.id("trader"), "EUR", 50 * MICRO, "wire 1")]
    assert town.funds_of("trader") == [50 * MICRO]


def test_a_payout_takes_its_amount_and_gives_back_the_rest(town: Town) -> None:
    first, second = town.fund("trader", 20), town.fund("trader", 15)
    events = town.do(payout(town, first, second), by=("bank", "trader"))
    assert events == [PaidOut(town.id("bank"), town.id("trader"), "EUR", 30 * MICRO, "out 1")]
    assert town.funds_of("trader") == [5 * MICRO]


def test_a_payout_of_everything_leaves_nothing(town: Town) -> None:
    town.do(payout(town, town.fund("trader", 30)), by=("bank", "trader"))
    assert town.funds_of("trader") == []


def test_deposit_and_payout_may_carry_the_same_reference(town: Town) -> None:
    town.do(deposit(town, reference="R"), by=("bank",))
    town.do(payout(town, town.outputs_of("trader", Funds)[0], reference="R"), by=("bank", "trader"))
    assert town.money("trader") == 20 * MICRO


def test_refuses_a_reference_of_a_deposit_twice(town: Town) -> None:
    town.do(deposit(town), by=("bank",))
    town.refuses(AlreadyExists, deposit(town, amount=10_000, to=town.id("consumer")), by=("bank",))


def test_refuses_a_reference_of_a_payout_twice(town: Town) -> None:
    town.do(payout(town, town.fund("trader", 30)), by=("bank", "trader"))
    town.refuses(AlreadyExists, payout(town, town.fund("trader", 30)), by=("bank", "trader"))


def test_refuses_a_deposit_that_the_operator_did_not_sign(town: Town) -> None:
    town.refuses(MissingSignature, deposit(town), by=("trader",))


@pytest.mark.parametrize("signers", [("bank",), ("trader",)])
def test_refuses_a_payout_with_one_of_two_signatures(town: Town, signers: tuple[str, ...]) -> None:
    town.refuses(MissingSignature, payout(town, town.fund("trader", 30)), by=signers)


def test_refuses_a_deposit_by_somebody_who_is_not_accredited(town: Town) -> None:
    town.refuses(RoleNeeded, deposit(town, operator=town.id("exchange")), by=("exchange",))


def test_refuses_a_payout_by_somebody_who_is_not_accredited(town: Town) -> None:
    money = town.fund("trader", 30)
    town.refuses(RoleNeeded, payout(town, money, operator=town.id("exchange")), by=("exchange", "trader"))


def test_refuses_a_deposit_after_the_operators_role_was_revoked(town: Town) -> None:
    town.accredit(RenewContent("role:payment_operator", town.id("bank"), 0), by="trader")
    town.refuses(RoleNeeded, deposit(town), by=("bank",))


def test_refuses_a_deposit_to_nobody(town: Town) -> None:
    town.refuses(Unknown, deposit(town, to=99), by=("bank",))


@pytest.mark.parametrize("amount", [0, 1, 9_999, 10_001, MAX_AMOUNT, 2**63, 2**64 - 1])
def test_refuses_an_amount_that_is_no_positive_multiple_of_the_minor_unit(town: Town, amount: int) -> None:
    assert town.refuses(BadField, deposit(town, amount=amount), by=("bank",)).params["field"] == "amount"


@pytest.mark.parametrize("currency", ["", "EU", "eur", "EURO", "E1R"])
def test_refuses_a_currency_that_is_none(town: Town, currency: str) -> None:
    assert town.refuses(BadField, deposit(town, currency=currency), by=("bank",)).params["field"] == "currency"


@pytest.mark.parametrize("reference", ["", " x", "a\tb"])
def test_refuses_a_reference_that_is_not_a_line(town: Town, reference: str) -> None:
    assert town.refuses(BadField, deposit(town, reference=reference), by=("bank",)).params["field"] == "reference"


def test_refuses_a_payout_beyond_the_inputs(town: Town) -> None:
    town.refuses(MoneyDiffers, payout(town, town.fund("trader", 29)), by=("bank", "trader"))


def test_refuses_a_payout_in_another_currency(town: Town) -> None:
    town.refuses(MoneyDiffers, payout(town, town.fund("trader", 30), currency="USD"), by=("bank", "trader"))


def test_refuses_funds_of_somebody_else(town: Town) -> None:
    town.refuses(NotYours, payout(town, town.fund("consumer", 30)), by=("bank", "trader"))


def test_refuses_funds_that_are_named_twice(town: Town) -> None:
    money = town.fund("trader", 20)
    town.refuses(Spent, payout(town, money, money), by=("bank", "trader"))


def test_refuses_funds_that_are_spent(town: Town) -> None:
    money = town.fund("trader", 30)
    town.do(payout(town, money), by=("bank", "trader"))
    town.refuses(Spent, payout(town, money, reference="out 2"), by=("bank", "trader"))


def test_refuses_certificates_as_money(town: Town) -> None:
    town.refuses(Locked, payout(town, town.lot, holder=town.id("plant")), by=("bank", "plant"))


def test_refuses_inputs_whose_sum_no_output_could_hold(town: Town) -> None:
    largest = MAX_AMOUNT // 10_000 * 10_000
    first, second = town.credit("trader", largest), town.credit("trader", largest)
    town.refuses(LimitReached, payout(town, first, second), by=("bank", "trader"))
    town.do(payout(town, first, amount=largest), by=("bank", "trader"))
    assert town.funds_of("trader") == [largest]


# --- the limit of an account


def test_deposits_up_to_the_limit_come_in_and_the_next_month_has_its_own(town: Town) -> None:
    limited = Town(deposit_limit=50 * MICRO)
    limited.do(deposit(limited, amount=40 * MICRO), by=("bank",))
    limited.do(deposit(limited, amount=10 * MICRO, reference="wire 2"), by=("bank",))
    limited.do(deposit(limited, to=limited.id("consumer"), reference="wire 3"), by=("bank",))
    limited.do(deposit(limited, currency="USD", reference="wire 4"), by=("bank",))
    limited.block(seconds=31 * 86_400)
    limited.do(deposit(limited, reference="wire 5"), by=("bank",))
    low = bytes((Space.DEPOSITED,))
    rows = [
        key for key, _ in limited.state.scan(low, space_end(low)) if key[1:5] == limited.id("trader").to_bytes(4, "big")
    ]
    assert len(rows) == 2, "one for each currency: the row of the month before is gone"


def test_without_a_limit_nothing_is_counted(town: Town) -> None:
    town.do(deposit(town, amount=10**6 * MICRO), by=("bank",))
    low = bytes((Space.DEPOSITED,))
    assert not list(town.state.scan(low, space_end(low)))


def test_refuses_a_deposit_above_the_limit_of_the_account() -> None:
    town = Town(deposit_limit=50 * MICRO)
    town.refuses(LimitReached, deposit(town, amount=50 * MICRO + 10_000), by=("bank",))
    town.do(deposit(town, amount=50 * MICRO), by=("bank",))
    refusal = town.refuses(LimitReached, deposit(town, amount=10_000, reference="wire 2"), by=("bank",))
    assert refusal.params["limit"] == "50.00 EUR"


def test_refuses_two_deposits_of_one_transaction_that_are_above_the_limit_together() -> None:
    town = Town(deposit_limit=50 * MICRO)
    both = [deposit(town, amount=30 * MICRO, reference=reference) for reference in ("wire 1", "wire 2")]
    town.refuses(LimitReached, *both, by=("bank",), index=1)
    assert town.money("trader") == 0


def test_what_was_paid_out_again_still_counts_in_its_month() -> None:
    town = Town(deposit_limit=50 * MICRO)
    town.do(deposit(town), by=("bank",))
    town.do(payout(town, town.outputs_of("trader", Funds)[0], amount=50 * MICRO), by=("bank", "trader"))
    town.refuses(LimitReached, deposit(town, amount=10_000, reference="wire 2"), by=("bank",))
