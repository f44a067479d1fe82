"""A climate source is accredited like a device, gives no energy, and is heard by the plants of others in its reach."""

import pytest
from harness.sourcing import SOURCE
from harness.world import DAY, FAR, WIND, World, genesis_json
from msgspec.structs import replace

from contracts.calendar import month_of_day
from contracts.hearing import heard, inputs_root
from contracts.release import next_step
from state.attestation import D30, HOLD, PROMPT
from state.errors import BadField
from state.keyspace import device_key
from state.records import Channel, Device, DeviceFacts
from state.transaction import DeviceContent, ProfileContent, Propose, RenewContent

SHARES = (9_000, 600, 400)
SOURCE_ID, PLANT = 1, 2
FIRST = DAY - 20


def world_with(
    facts: DeviceFacts = SOURCE, plant: DeviceFacts = WIND, provider: str = "provider", revoked: bool = False
) -> World:
    world = World(genesis=genesis_json(scheme={"release_shares": list(SHARES)}))
    for name in ("provider", "plant"):
        world.register(name)
    world.device(provider, facts=facts, profile=False)
    if revoked:
        world.accredit(RenewContent("device", SOURCE_ID, 0), by=provider)
    world.device("plant", facts=plant)
    return world


def hears(world: World) -> tuple[int, ...]:
    found = world.state.get(device_key(PLANT))
    assert isinstance(found, Device)
    return found.neighbours


def tell(world: World, day: int, verdict: int = 0, **changes: object) -> None:
    attested = world.attested(SOURCE_ID, day, 0, verdict, **changes)
    world.do(world.issue_action(SOURCE_ID, (attested,), month_of_day(day)))


def days(world: World, step: int = PROMPT) -> list[int]:
    found = world.state.get(device_key(PLANT))
    assert isinstance(found, Device)
    return [day for day, _ in heard(world.state, found, DAY, step)[0].days]


def test_a_plant_in_reach_hears_a_source_of_another_owner() -> None:
    assert hears(world_with()) == (SOURCE_ID,)


def test_a_source_of_light_is_heard_by_solar_plants_only() -> None:
    light = replace(SOURCE, channels=Channel.INSOLATION)
    sun = replace(WIND, technology="T010000", fuel="F01040100", insolation_source="pyranometer")
    assert hears(world_with(light)) == ()
    assert hears(world_with(light, sun)) == (SOURCE_ID,)
    assert hears(world_with(SOURCE, sun)) == ()


@pytest.mark.parametrize(
    "why",
    [
        {"facts": replace(SOURCE, latitude_udeg=WIND.latitude_udeg + 400_000)},
        {"plant": replace(WIND, coordinates_estimated=True)},
        {"provider": "plant"},
        {"revoked": True},
    ],
    ids=["far", "place unknown", "own source", "revoked"],
)
def test_a_source_is_not_heard_where_it_can_say_nothing(why: dict[str, object]) -> None:
    assert hears(world_with(**why)) == ()  # type: ignore[arg-type]


def test_a_sources_days_are_heard_as_soon_as_a_quorum_holds_them() -> None:
    world = world_with()
    tell(world, FIRST)
    tell(world, FIRST + 1, HOLD, reasons=("climate_stuck",))
    for day in (DAY + 5, DAY + 6):
        tell(world, day)
    assert days(world) == [FIRST, DAY + 5]
    assert days(world, D30) == [FIRST, DAY + 5, DAY + 6]
    assert next_step(world.state, SHARES, SOURCE_ID, FIRST) is None
    plant = world.state.get(device_key(PLANT))
    assert isinstance(plant, Device)
    root = inputs_root(heard(world.state, plant, DAY, PROMPT))
    world.do(world.issue_action(PLANT, (world.attested(PLANT, DAY, 1_000, release_wh=900, inputs_root=root),)))


def test_refuses_inputs_that_leave_a_source_out() -> None:
    world = world_with()
    plant = world.state.get(device_key(PLANT))
    assert isinstance(plant, Device)
    stale = inputs_root(heard(world.state, plant, DAY, PROMPT))
    tell(world, FIRST)
    attested = world.attested(PLANT, DAY, 1_000, release_wh=900, inputs_root=stale)
    world.refuses(BadField, world.issue_action(PLANT, (attested,)))


def test_refuses_energy_of_a_source() -> None:
    world = world_with()
    attested = world.attested(SOURCE_ID, DAY, 1_000, release_wh=0)
    world.refuses(BadField, world.issue_action(SOURCE_ID, (attested,)))


def test_refuses_a_later_step_of_a_source() -> None:
    world = world_with()
    tell(world, DAY)
    world.refuses(BadField, world.issue_action(SOURCE_ID, (world.attested(SOURCE_ID, DAY, 0, step=D30),)))


def test_refuses_a_baseline_of_a_source() -> None:
    world = world_with()
    content = ProfileContent(SOURCE_ID, b"\x07" * 32, 1, 2)
    world.refuses(BadField, Propose(world.people["provider"], content), by=("provider",))


@pytest.mark.parametrize(
    "change",
    [
        {"channels": Channel.TEMPERATURE},
        {"channels": 8 | Channel.WIND},
        {"capacity_w": 1},
        {"fuel": "F01050100"},
        {"coordinates_estimated": True},
        {"latitude_udeg": 2**31},
        {"hub_height_cm": 0},
        {"interval_s": 7_200},
    ],
    ids=str,
)
def test_refuses_facts_that_are_not_a_sources(change: dict[str, object]) -> None:
    world = world_with()
    provider = world.people["provider"]
    content = DeviceContent(provider, 1, replace(SOURCE, **change), FAR)  # type: ignore[arg-type]
    world.refuses(BadField, Propose(provider, content), by=("provider",))
