"""A payout that is asked for: locked, then confirmed and burnt, declined, or taken back after its time."""

from collections.abc import Callable

import pytest
from harness.town import Town
from harness.world import FAR
from msgspec.structs import replace

from contracts.events import PaidOut, PayoutAsked, PayoutDropped
from contracts.payout import MAX_WAIT_S
from state.errors import (
    AlreadyExists,
    BadField,
    Locked,
    MissingSignature,
    MoneyDiffers,
    NotYet,
    NotYours,
    RoleNeeded,
    Spent,
    WattestError,
)
from state.outputs import Funds, PayoutRequest
from state.transaction import Action, AskPayout, ConfirmPayout, Deposit, DropPayout, Payout, RoleContent
from state.units import MICRO, Outpoint

WAIT_S = 1_000


@pytest.fixture
def town() -> Town:
    town = Town()
    town.register("bank 2")
    town.accredit(RoleContent(town.id("bank 2"), "payment_operator", FAR), by="bank 2")
    town.fund("trader", 30)
    return town


def ask(town: Town, **changes: object) -> AskPayout:
    until = town.time_ms // 1000 + WAIT_S
    money = town.outputs_of("trader", Funds)[:1]
    action = AskPayout(town.id("trader"), town.id("bank"), tuple(money), "EUR", 20 * MICRO, until)
    return replace(action, **changes)  # type: ignore[arg-type]


def asked(town: Town) -> Outpoint:
    town.do(ask(town), by=("trader",))
    (point,) = town.outputs_of("trader", PayoutRequest)
    return point


def confirm(town: Town, point: Outpoint, **changes: object) -> ConfirmPayout:
    action = ConfirmPayout(town.id("bank"), point, town.id("trader"), "EUR", 20 * MICRO, "wire 1")
    return replace(action, **changes)  # type: ignore[arg-type]


def test_what_is_asked_for_is_locked_and_the_rest_comes_back(town: Town) -> None:
    (event,) = town.do(ask(town), by=("trader",))
    assert isinstance(event, PayoutAsked)
    assert (event.amount, event.operator) == (20 * MICRO, town.id("bank"))
    assert town.money("trader") == 10 * MICRO


def test_a_confirmation_burns_it_under_the_reference_of_the_transfer(town: Town) -> None:
    point = asked(town)
    (event,) = town.do(confirm(town, point), by=("bank",))
    assert event == PaidOut(town.id("bank"), town.id("trader"), "EUR", 20 * MICRO, "wire 1")
    assert not town.outputs_of("trader", PayoutRequest)
    assert (town.money("trader"), town.money("bank")) == (10 * MICRO, 0)


def test_what_is_declined_is_free_again_at_once(town: Town) -> None:
    (event,) = town.do(DropPayout(town.id("bank"), asked(town)), by=("bank",))
    assert isinstance(event, PayoutDropped)
    assert (event.how, town.money("trader")) == ("declined", 30 * MICRO)


def test_who_waited_in_vain_takes_it_back_after_the_time_and_not_before(town: Town) -> None:
    point = asked(town)
    town.refuses(NotYet, DropPayout(town.id("trader"), point), by=("trader",))
    town.block(seconds=WAIT_S)
    (event,) = town.do(DropPayout(town.id("trader"), point), by=("trader",))
    assert isinstance(event, PayoutDropped)
    assert (event.how, town.money("trader")) == ("taken_back", 30 * MICRO)


def test_a_late_confirmation_holds_while_the_request_is_there(town: Town) -> None:
    point = asked(town)
    town.block(seconds=WAIT_S)
    town.do(confirm(town, point), by=("bank",))
    town.refuses(Spent, DropPayout(town.id("trader"), point), by=("trader",))


# --- refused


def test_refuses_to_ask_without_the_holders_signature(town: Town) -> None:
    town.refuses(MissingSignature, ask(town), by=("bank",))


def test_refuses_to_ask_whoever_pays_nothing_out(town: Town) -> None:
    town.refuses(RoleNeeded, ask(town, operator=town.id("plant")), by=("trader",))


def test_refuses_to_ask_for_more_than_there_is(town: Town) -> None:
    town.refuses(MoneyDiffers, ask(town, amount=31 * MICRO), by=("trader",))


@pytest.mark.parametrize(
    "wrong", [{"amount": 0}, {"amount": 1}, {"currency": "eur"}, {"until": 1}, {"until": 2**63}], ids=str
)
def test_refuses_to_ask_on_terms_that_are_not_allowed(town: Town, wrong: dict[str, object]) -> None:
    town.refuses(BadField, ask(town, **wrong), by=("trader",))


def test_the_longest_time_to_ask_for_is_allowed(town: Town) -> None:
    town.do(ask(town, until=town.time_ms // 1000 + MAX_WAIT_S), by=("trader",))


def test_refuses_to_spend_what_is_asked_for(town: Town) -> None:
    point = asked(town)
    again = ask(town, inputs=(point,), amount=MICRO)
    town.refuses(Locked, again, by=("trader",))
    town.refuses(Locked, Payout(town.id("bank"), town.id("trader"), (point,), "EUR", MICRO, "x"), by=("bank", "trader"))


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        (BadField, lambda town: {"amount": 10 * MICRO}),
        (BadField, lambda town: {"holder": town.id("plant")}),
        (BadField, lambda town: {"currency": "USD"}),
        (BadField, lambda town: {"reference": ""}),
        (Locked, lambda town: {"request": town.lot}),
    ],
)
def test_refuses_to_confirm_what_was_not_asked_for(
    town: Town, code: type[WattestError], wrong: Callable[[Town], dict[str, object]]
) -> None:
    town.refuses(code, confirm(town, asked(town), **wrong(town)), by=("bank",))


def test_refuses_a_confirmation_or_an_end_by_somebody_else(town: Town) -> None:
    point = asked(town)
    other = town.id("bank 2")
    town.refuses(NotYours, confirm(town, point, operator=other), by=("bank 2",))
    town.refuses(MissingSignature, confirm(town, point), by=("trader",))
    town.refuses(NotYours, DropPayout(other, point), by=("bank 2",))
    town.refuses(MissingSignature, DropPayout(town.id("bank"), point), by=("trader",))
    town.refuses(NotYours, DropPayout(town.id("plant"), point), by=("plant",))
    town.refuses(RoleNeeded, confirm(town, point, operator=town.id("plant")), by=("plant",))


def test_refuses_the_reference_of_another_payout(town: Town) -> None:
    town.do(Deposit(town.id("bank"), town.id("consumer"), "EUR", MICRO, "wire 1"), by=("bank",))
    (money,) = town.outputs_of("consumer", Funds)
    together = Payout(town.id("bank"), town.id("consumer"), (money,), "EUR", MICRO, "wire 1")
    town.do(together, by=("bank", "consumer"))
    town.refuses(AlreadyExists, confirm(town, asked(town)), by=("bank",))


def test_refuses_to_end_a_request_twice(town: Town) -> None:
    point = asked(town)
    ends: tuple[Action, ...] = (confirm(town, point), DropPayout(town.id("bank"), point))
    town.do(ends[0], by=("bank",))
    for end in ends:
        town.refuses(Spent, end, by=("bank",))
