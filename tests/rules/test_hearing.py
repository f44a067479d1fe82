"""Who is heard beside a plant follows from the ledger, and an attestation that heard anybody else is refused."""

import random

import pytest
from harness.world import DAY, WIND, World, genesis_json
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.calendar import month_of_day
from contracts.hearing import NO_INPUTS, Heard, heard, inputs_root
from contracts.release import next_step
from state.attestation import D30, HOLD, PROMPT, REJECT, STEP_DAYS
from state.errors import BadField
from state.keyspace import device_key
from state.records import Device
from state.transaction import ProfileContent

SHARES = (9_000, 600, 400)
PLANT, BESIDE = 1, 2
NORTH_1_KM = replace(WIND, latitude_udeg=WIND.latitude_udeg + 9_000)
NORTH_9_KM = replace(WIND, latitude_udeg=WIND.latitude_udeg + 81_000)
FIRST = DAY - 20  # of the days that the neighbour has on the ledger


def farm(shares: tuple[int, int, int] = SHARES) -> World:
    """Two turbines a kilometre apart and a third far away; the plant's profile is signed when all are registered."""
    world = World(genesis=genesis_json(scheme={"release_shares": shares}))
    world.register("plant")
    world.device("plant", profile=False)
    for facts in (NORTH_1_KM, NORTH_9_KM):
        world.device("plant", facts=facts)
    world.accredit(ProfileContent(PLANT, b"\x07" * 32, 1_388_534_400, 1_390_000_000), by="plant")
    return world


@pytest.fixture
def world() -> World:
    return farm()


def record(world: World, device: int = PLANT) -> Device:
    found = world.state.get(device_key(device))
    assert isinstance(found, Device)
    return found


def told(world: World, day: int = DAY, step: int = PROMPT) -> tuple[Heard, ...]:
    return heard(world.state, record(world), day, step)


def beside(world: World, *days: int, verdict: int = 0) -> None:
    """Days of the neighbour that a quorum judged; nothing of the plant itself is on the ledger yet."""
    for day in days:
        root = inputs_root(heard(world.state, record(world, BESIDE), day, PROMPT))
        attested = world.attested(BESIDE, day, 1_000_000, verdict, inputs_root=root, release_wh=0)
        world.do(world.issue_action(BESIDE, (attested,), month_of_day(day)))


def test_neighbours_are_written_into_the_record_with_the_profile(world: World) -> None:
    assert record(world).neighbours == (BESIDE,)
    assert record(world, BESIDE).neighbours == (PLANT,)
    assert record(world, 3).neighbours == ()


def test_a_neighbours_accepted_days_are_heard_once_their_own_week_was_due_before(world: World) -> None:
    beside(world, FIRST, FIRST + 1, DAY - 1, DAY)
    assert [day for day, _ in told(world)[0].days] == [FIRST, FIRST + 1, DAY - 1]
    assert [day for day, _ in told(world, step=D30)[0].days] == [FIRST, FIRST + 1, DAY - 1, DAY]
    assert STEP_DAYS[D30] > STEP_DAYS[PROMPT]


@pytest.mark.parametrize("verdict", [HOLD, REJECT])
def test_a_neighbours_held_or_refused_day_is_not_heard(world: World, verdict: int) -> None:
    beside(world, FIRST, verdict=verdict)
    assert told(world)[0].days == ()


def test_the_attestation_names_what_was_heard(world: World) -> None:
    beside(world, FIRST)
    attested = world.attested(PLANT, DAY, 1_000_000, release_wh=900_000, inputs_root=inputs_root(told(world)))
    world.do(world.issue_action(PLANT, (attested,)))


def test_what_is_said_of_a_day_at_once_names_nobody(world: World) -> None:
    attested = world.attested(PLANT, DAY, 1_000_000, REJECT, reasons=("flat",))
    world.do(world.issue_action(PLANT, (attested,)))


def test_refuses_an_accepted_day_that_heard_nobody(world: World) -> None:
    attested = world.attested(PLANT, DAY, 1_000_000, release_wh=900_000, inputs_root=NO_INPUTS)
    world.refuses(BadField, world.issue_action(PLANT, (attested,)))


def test_refuses_inputs_from_before_the_neighbours_last_day_was_recorded(world: World) -> None:
    stale = inputs_root(told(world))
    beside(world, FIRST)
    for verdict in (0, REJECT):
        attested = world.attested(PLANT, DAY, 1_000_000, verdict, release_wh=0, inputs_root=stale)
        world.refuses(BadField, world.issue_action(PLANT, (attested,)))


def test_refuses_a_later_step_that_heard_nobody(world: World) -> None:
    first = world.attested(PLANT, DAY, 1_000_000, HOLD, reasons=("climate_dead",))
    world.do(world.issue_action(PLANT, (first,)))
    later = world.attested(PLANT, DAY, 1_000_000, HOLD, step=D30, reasons=("climate_dead",), inputs_root=NO_INPUTS)
    world.refuses(BadField, world.issue_action(PLANT, (later,)))


def test_refuses_inputs_where_a_scheme_releases_a_day_at_once() -> None:
    world = farm((10_000, 0, 0))
    root = inputs_root(told(world))
    assert root != NO_INPUTS
    world.refuses(BadField, world.issue_action(PLANT, (world.attested(PLANT, DAY, 1_000_000, inputs_root=root),)))
    world.do(world.issue_action(PLANT, (world.attested(PLANT, DAY, 1_000_000),)))


def test_what_a_broken_sensor_holds_waits_for_a_step_only_where_somebody_may_vouch(world: World) -> None:
    far = 3
    for device in (PLANT, far):
        attested = world.attested(device, DAY, 1_000_000, HOLD, reasons=("climate_dead", "single_source"))
        world.do(world.issue_action(device, (attested,)))
    assert next_step(world.state, SHARES, PLANT, DAY) == D30
    assert next_step(world.state, SHARES, far, DAY) is None
    root = inputs_root(told(world, step=D30))
    vouched = world.attested(PLANT, DAY, 1_000_000, step=D30, release_wh=960_000, inputs_root=root)
    world.do(world.issue_action(PLANT, (vouched,)))


def test_a_hold_that_no_neighbour_can_lift_waits_for_nothing(world: World) -> None:
    world.do(world.issue_action(PLANT, (world.attested(PLANT, DAY, 1_000_000, HOLD, reasons=("too_perfect",)),)))
    assert next_step(world.state, SHARES, PLANT, DAY) is None


@settings(max_examples=5)
@given(order=st.permutations(range(5)), seed=st.integers(0, 99))
def test_what_is_heard_does_not_depend_on_the_order_in_which_days_were_recorded(order: list[int], seed: int) -> None:
    recorded = random.Random(seed).sample(range(FIRST, DAY), 5)
    worlds = []
    for sequence in (recorded, [recorded[place] for place in order]):
        worlds.append(farm())
        beside(worlds[-1], *sequence)
    assert inputs_root(told(worlds[0])) == inputs_root(told(worlds[1]))
