"""standing: a transfer rule signed once and carried out at every issue."""

import pytest
from harness.town import Town
from harness.world import DAY, FAR, genesis_json

from contracts.events import StandingEnded
from contracts.standing import STANDING_PER_DEVICE, standing_of
from state.errors import BadField, LimitReached, MissingSignature, RoleNeeded, Unknown
from state.transaction import EndStanding, SetStanding


@pytest.fixture
def town() -> Town:
    return Town()


def rule(town: Town, to: str = "trader", share: int = 2_500, maximum: int = 0, until: int = FAR) -> SetStanding:
    return SetStanding(town.id("plant"), town.device_id, town.id(to), share, maximum, until)


def stand(town: Town, **fields: object) -> None:
    town.do(rule(town, **fields), by=("plant",))  # type: ignore[arg-type]


def issue(town: Town, count: int, day: int = DAY + 1) -> None:
    town.do(town.issue_action(town.device_id, (town.attested(town.device_id, day, count * 1_000_000),)))


def held(town: Town) -> dict[str, int]:
    return {name: town.certificates(name) for name in ("plant", "trader", "consumer")}


def test_a_share_of_every_issue_goes_to_the_receiver(town: Town) -> None:
    stand(town)
    issue(town, 10)
    assert held(town) == {"plant": 18, "trader": 2, "consumer": 0}
    issue(town, 4, DAY + 2)
    assert held(town) == {"plant": 21, "trader": 3, "consumer": 0}


def test_rules_act_in_their_order_on_what_is_left(town: Town) -> None:
    stand(town, share=8_000)
    stand(town, to="consumer", share=5_000)
    issue(town, 10)
    assert held(town) == {"plant": 10, "trader": 8, "consumer": 2}


def test_a_rule_ends_with_its_maximum(town: Town) -> None:
    stand(town, share=10_000, maximum=12)
    issue(town, 10)
    issue(town, 10, DAY + 2)
    assert held(town) == {"plant": 18, "trader": 12, "consumer": 0}
    assert not standing_of(town.state, town.device_id)


def test_a_rule_ends_with_its_date(town: Town) -> None:
    stand(town, until=town.time_ms // 1000 + 100)
    town.block(seconds=100)
    issue(town, 10)
    assert held(town)["trader"] == 0
    events = [record.event for record in town.outputs[-1].events]
    assert StandingEnded(1, town.device_id, "over") in events


def test_nothing_moves_where_the_scheme_does_not_let_it() -> None:
    town = Town(genesis_json(scheme={"tradable": False}))
    stand(town, share=10_000)
    issue(town, 10)
    assert held(town)["trader"] == 0


def test_an_operator_in_debt_gives_nothing_away(town: Town) -> None:
    stand(town, share=10_000)
    town.correct(town.device_id, DAY, 5_000_000)
    town.do(town.withdrawal(town.device_id))
    town.correct(town.device_id, DAY, 10_000_000, revision=2)
    town.do(town.credit_action(town.device_id, DAY))
    assert held(town) == {"plant": 5, "trader": 5, "consumer": 0}


@pytest.mark.parametrize("who", ["plant", "trader"])
def test_giver_or_receiver_ends_it(town: Town, who: str) -> None:
    stand(town)
    town.do(EndStanding(town.id(who), town.device_id, 1), by=(who,))
    issue(town, 10)
    assert held(town)["trader"] == 0


def test_the_history_shows_the_issue_and_then_the_rule(town: Town) -> None:
    stand(town)
    issue(town, 10)
    assert [movement.kind for movement in town.outputs[-1].movements] == ["issue", "standing"]


def test_refuses_a_rule_of_somebody_else(town: Town) -> None:
    action = SetStanding(town.id("trader"), town.device_id, town.id("consumer"), 1, 0, FAR)
    town.refuses(RoleNeeded, action, by=("trader",))
    town.refuses(MissingSignature, rule(town), by=("trader",))


@pytest.mark.parametrize("share", [0, 10_001])
def test_refuses_a_share_that_is_none(town: Town, share: int) -> None:
    town.refuses(BadField, rule(town, share=share), by=("plant",))


def test_refuses_a_rule_to_oneself_to_nobody_and_of_the_past(town: Town) -> None:
    town.refuses(BadField, rule(town, to="plant"), by=("plant",))
    town.refuses(Unknown, SetStanding(town.id("plant"), town.device_id, 99, 1, 0, FAR), by=("plant",))
    town.refuses(BadField, rule(town, until=1), by=("plant",))


def test_refuses_one_rule_too_many(town: Town) -> None:
    for _ in range(STANDING_PER_DEVICE):
        stand(town, share=1)
    town.refuses(LimitReached, rule(town), by=("plant",))


def test_refuses_a_third_to_end_it(town: Town) -> None:
    stand(town)
    town.refuses(RoleNeeded, EndStanding(town.id("consumer"), town.device_id, 1), by=("consumer",))
    town.refuses(Unknown, EndStanding(town.id("plant"), town.device_id, 7), by=("plant",))
