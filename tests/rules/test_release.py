"""The ladder: a day's energy is released in steps, each once, in order, and never more than the day brought."""

from collections.abc import Sequence

import pytest
from harness.world import DAY, MONTH, World, genesis_json
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import DayJudged, Event
from contracts.release import STEPS, next_step, released_up_to, steps_of
from state.attestation import ACCEPT, D30, D90, HOLD, PROMPT, REJECT
from state.errors import AlreadyIssued, EnergyBound, GenesisInvalid, StepOrder
from state.keyspace import month_energy_key
from state.records import MonthEnergy

ENERGY_WH = 10_000_003
SHARES = (9_000, 600, 400)


@pytest.fixture
def world() -> World:
    made = World(genesis=genesis_json(scheme={"release_shares": SHARES}))
    made.register("plant")
    made.device("plant")
    return made


def step(world: World, number: int, release_wh: int, verdict: int = ACCEPT, **changes: object) -> list[Event]:
    attested = world.attested(1, DAY, ENERGY_WH, verdict, step=number, release_wh=release_wh, **changes)
    return world.do(world.issue_action(1, (attested,)))


def refuses(
    world: World, kind: type[Exception], number: int, release_wh: int, energy_wh: int = ENERGY_WH, **changes: object
) -> None:
    attested = world.attested(1, DAY, energy_wh, step=number, release_wh=release_wh, **changes)
    world.refuses(kind, world.issue_action(1, (attested,)))


def part(number: int) -> int:
    return released_up_to(ENERGY_WH, SHARES, number) - (released_up_to(ENERGY_WH, SHARES, number - 1) if number else 0)


def test_three_steps_release_the_whole_day_into_the_month_that_it_was_produced_in(world: World) -> None:
    parts = [part(number) for number in STEPS]
    assert parts == [9_000_002, 600_000, 400_001]
    events = [event for number in STEPS for event in step(world, number, parts[number])]
    assert [event.step for event in events if isinstance(event, DayJudged)] == [PROMPT, D30, D90]
    account = world.state.get(month_energy_key(1, MONTH))
    assert isinstance(account, MonthEnergy)
    assert (account.released_wh, account.issued, account.carry_wh) == (ENERGY_WH, 10, 3)


def test_the_ledger_says_which_step_comes_next(world: World) -> None:
    seen = [next_step(world.state, SHARES, 1, DAY)]
    for number in STEPS:
        step(world, number, part(number))
        seen.append(next_step(world.state, SHARES, 1, DAY))
    assert seen == [PROMPT, D30, D90, None]


def test_a_step_without_a_share_does_not_exist() -> None:
    world = World(genesis=genesis_json(scheme={"release_shares": [9_000, 0, 1_000]}))
    world.register("plant")
    world.device("plant")
    step(world, PROMPT, 9_000_002)
    refuses(world, StepOrder, D30, 0)
    step(world, D90, 1_000_001)


def test_what_a_ramp_withheld_a_later_step_may_release(world: World) -> None:
    step(world, PROMPT, 0, HOLD, reasons=("ramp",))
    assert next_step(world.state, SHARES, 1, DAY) == D30
    step(world, D30, released_up_to(ENERGY_WH, SHARES, D30))
    step(world, D90, part(D90))


@pytest.mark.parametrize("verdict", [HOLD, REJECT])
def test_a_day_that_was_held_or_refused_waits_for_no_step(world: World, verdict: int) -> None:
    step(world, PROMPT, 0, verdict, reasons=("flat",))
    assert next_step(world.state, SHARES, 1, DAY) is None


def test_refuses_a_step_before_the_earlier_one(world: World) -> None:
    refuses(world, StepOrder, D30, 1)
    step(world, PROMPT, part(PROMPT))
    refuses(world, StepOrder, D90, 1)


def test_refuses_a_step_of_a_scheme_that_releases_at_once() -> None:
    world = World()
    world.register("plant")
    world.device("plant")
    step(world, PROMPT, ENERGY_WH)
    refuses(world, StepOrder, D30, 0)


def test_refuses_a_step_that_no_scheme_has(world: World) -> None:
    refuses(world, StepOrder, 4, 0)


def test_refuses_a_step_twice(world: World) -> None:
    step(world, PROMPT, part(PROMPT))
    refuses(world, AlreadyIssued, PROMPT, 0)


def test_refuses_a_step_after_a_refusal(world: World) -> None:
    step(world, PROMPT, part(PROMPT))
    step(world, D30, 0, REJECT, reasons=("window_30",))
    refuses(world, StepOrder, D90, 1)


def test_refuses_a_step_about_other_readings(world: World) -> None:
    step(world, PROMPT, part(PROMPT))
    refuses(world, StepOrder, D30, 1, readings_root=b"\x01" * 32)
    refuses(world, StepOrder, D30, 1, energy_wh=ENERGY_WH + 1)


@pytest.mark.parametrize("number", STEPS)
def test_refuses_more_than_the_steps_share(world: World, number: int) -> None:
    for earlier in range(number):
        step(world, earlier, part(earlier))
    refuses(world, EnergyBound, number, part(number) + 1)


@pytest.mark.parametrize("shares", [(0, 5_000, 5_000), (9_000, 500, 499), (10_001, -1, 0)])
def test_refuses_a_genesis_whose_shares_are_no_whole(shares: Sequence[int]) -> None:
    with pytest.raises(GenesisInvalid):
        World(genesis=genesis_json(scheme={"release_shares": shares}))


@given(
    energy_wh=st.integers(0, 2**45),
    cuts=st.tuples(st.integers(1, 10_000), st.integers(0, 10_000)).map(lambda pair: (pair[0], max(pair))),
)
def test_no_split_of_a_day_releases_more_or_less_than_the_day(energy_wh: int, cuts: tuple[int, int]) -> None:
    first, second = cuts
    shares = (first, second - first, 10_000 - second)
    steps = steps_of(shares)
    parts = [released_up_to(energy_wh, shares, step) for step in steps]
    assert parts == sorted(parts)
    assert parts[-1] == energy_wh
