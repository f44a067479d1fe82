"""security: pledged money answers for what was certified in error and not made up for."""

import pytest
from harness.town import Town
from harness.world import DAY

from contracts.accounts import debt_of
from contracts.events import Forfeited, Pledged
from contracts.security import PLEDGES, securities
from state.errors import BadField, DebtOpen, LimitReached, Locked, MissingSignature, MoneyDiffers, NotYet, RoleNeeded
from state.outputs import Bundle, Funds, Security
from state.transaction import Pledge, Unpledge
from state.units import MICRO, Outpoint

TERM_S = 7_776_000


@pytest.fixture
def town() -> Town:
    """Four of the plant's ten certificates were sold in an auction at 2 EUR; it gave the other six away."""
    town = Town()
    auction, _, _ = town.trade()
    town.settle(auction)
    for point in town.outputs_of("plant", Bundle):
        lot = town.bundle(point)
        town.move("plant", (point,), town.piece("consumer", lot.start, lot.end))
    return town


def pledge(town: Town, euros: int = 30) -> Outpoint:
    money = town.fund("plant", 100)
    town.do(Pledge(town.id("plant"), town.device_id, "EUR", euros * MICRO, (money,)), by=("plant",))
    return town.outputs_of("plant", Security)[-1]


def owed(town: Town) -> int:
    found = debt_of(town.state, town.device_id)
    return found.debt_wh if found else 0


def back(town: Town, point: Outpoint) -> Unpledge:
    return Unpledge(town.id("plant"), town.device_id, point)


def test_a_pledge_locks_the_money_and_the_rest_comes_back(town: Town) -> None:
    before = town.money("plant")
    point = pledge(town)
    assert town.money("plant") == before + 70 * MICRO
    assert town.live()[point] == Security(town.device_id, Funds(town.id("plant"), "EUR", 30 * MICRO), 0)


def test_a_debt_that_is_not_made_up_for_is_paid_from_the_pledge(town: Town) -> None:
    pledge(town, 30)
    town.correct(town.device_id, DAY, 7_000_000)
    before = town.money("Organisation 0")
    events = town.block(seconds=TERM_S)
    price = 2 * MICRO
    assert Forfeited(town.device_id, "EUR", 3 * price, 3_000_000) in events
    assert owed(town) == 0
    assert town.money("Organisation 0") == before + 3 * price
    (rest,) = [locked.funds.amount for _, locked in securities(town.state, town.device_id)]
    assert rest == 30 * MICRO - 3 * price
    debt = debt_of(town.state, town.device_id)
    assert debt is not None
    assert debt.forfeited_wh == 3_000_000


def test_what_the_pledges_do_not_cover_stays_owed_and_is_asked_for_again(town: Town) -> None:
    pledge(town, 3)
    town.correct(town.device_id, DAY, 7_000_000)
    town.block(seconds=TERM_S)
    assert owed(town) == 2_000_000
    pledge(town, 10)
    town.block(seconds=TERM_S)
    assert owed(town) == 0


def test_without_an_auction_there_is_no_price_and_the_debt_stays() -> None:
    town = Town()
    town.move("plant", (town.lot,), town.piece("trader", 1, 10))
    pledge(town)
    town.correct(town.device_id, DAY, 7_000_000)
    town.block(seconds=TERM_S)
    assert owed(town) == 3_000_000


def test_a_pledge_comes_back_after_notice_and_the_term_of_a_debt(town: Town) -> None:
    point = pledge(town)
    town.do(back(town, point), by=("plant",))
    (noticed,) = town.outputs_of("plant", Security)
    town.refuses(NotYet, back(town, noticed), by=("plant",))
    town.block(seconds=TERM_S)
    before = town.money("plant")
    town.do(back(town, noticed), by=("plant",))
    assert town.money("plant") == before + 30 * MICRO
    assert not securities(town.state, town.device_id)


def test_refuses_to_give_a_pledge_back_while_there_is_a_debt(town: Town) -> None:
    point = pledge(town)
    town.correct(town.device_id, DAY, 7_000_000)
    town.refuses(DebtOpen, back(town, point), by=("plant",))


def test_refuses_a_pledge_of_somebody_else(town: Town) -> None:
    money = town.fund("trader", 10)
    action = Pledge(town.id("trader"), town.device_id, "EUR", MICRO, (money,))
    town.refuses(RoleNeeded, action, by=("trader",))
    town.refuses(MissingSignature, action, by=("plant",))


def test_refuses_more_than_there_is_and_nothing(town: Town) -> None:
    money = town.fund("plant", 10)
    for amount, kind in ((11 * MICRO, MoneyDiffers), (0, BadField)):
        town.refuses(kind, Pledge(town.id("plant"), town.device_id, "EUR", amount, (money,)), by=("plant",))


def test_refuses_one_pledge_too_many(town: Town) -> None:
    for _ in range(PLEDGES):
        pledge(town, 1)
    money = town.fund("plant", 10)
    town.refuses(LimitReached, Pledge(town.id("plant"), town.device_id, "EUR", MICRO, (money,)), by=("plant",))


def test_refuses_to_take_back_what_is_no_pledge(town: Town) -> None:
    town.refuses(Locked, back(town, town.fund("plant", 10)), by=("plant",))


def test_a_pledge_is_announced(town: Town) -> None:
    money = town.fund("plant", 10)
    events = town.do(Pledge(town.id("plant"), town.device_id, "EUR", MICRO, (money,)), by=("plant",))
    assert events == [Pledged(town.device_id, town.id("plant"), "EUR", MICRO)]
