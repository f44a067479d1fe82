"""Statements of hourly certificates, of a scheme that came after the genesis, and of corrected days are proven too."""

import pytest
from harness.finalized import FinalizedWorld
from harness.world import DAY, FAR, WIND, key_of

from cli.verify_statement import NotProven, verify_proof
from node.proof import build_proof
from state.keyspace import scheme_key
from state.outputs import Bundle
from state.records import Expiry, Scheme
from state.transaction import DeviceContent, ProfileContent, RotateKey, SchemeContent

HOURS = (0,) * 8 + (300, 500) + (0,) * 14
HOURLY = Scheme(3, "HOUR", "Wh", 1, 15, "EUR", Expiry("issue", 12, 18), True, 0, "verified", (10_000, 0, 0), 0, 0, 0)


@pytest.fixture
def world() -> FinalizedWorld:
    world = FinalizedWorld()
    world.register("owner")
    return world


def proven(world: FinalizedWorld, start: int, end: int, number: int = 0) -> dict[str, object]:
    point = world.outputs_of("owner", Bundle)[number]
    action = world.retire_action("owner", point, start, end)
    world.do(action, by=("owner",))
    proof = build_proof(world.store, action.statement_hash[:16])
    return verify_proof(proof, world.genesis_text)


def test_a_statement_of_one_hour_is_proven(world: FinalizedWorld) -> None:
    world.accredit(SchemeContent(HOURLY), by="Organisation 0")
    assert world.state.get(scheme_key(3)) == HOURLY
    world.accredit(DeviceContent(world.people["owner"], 3, WIND, FAR), by="owner")
    world.accredit(ProfileContent(1, bytes(range(32)), 1_388_534_400, 1_396_310_400), by="owner")
    day = world.attested(1, DAY, 800, hours_wh=HOURS)
    world.do(world.issue_action(1, (day,)))
    assert proven(world, 301, 700, 1)["statement_hash"]


def test_a_statement_of_what_a_correction_added_is_proven(world: FinalizedWorld) -> None:
    device = world.device("owner")
    world.issue(device, 1_500_000)
    world.correct(device, DAY, 3_600_000)
    world.do(world.credit_action(device, DAY))
    assert proven(world, 2, 3, 1)["statement_hash"]


def test_a_statement_survives_the_rotation_of_its_holders_key(world: FinalizedWorld) -> None:
    device = world.device("owner")
    world.issue(device, 2_500_000)
    point = world.outputs_of("owner", Bundle)[0]
    action = world.retire_action("owner", point, 1, 1)
    world.do(action, by=("owner",))
    world.do(RotateKey(world.people["owner"], key_of("fresh")), by=("owner", "fresh"))
    proof = build_proof(world.store, action.statement_hash[:16])
    assert verify_proof(proof, world.genesis_text)["statement_hash"]


def test_refuses_an_hourly_proof_with_any_byte_changed(world: FinalizedWorld) -> None:
    world.accredit(SchemeContent(HOURLY), by="Organisation 0")
    world.accredit(DeviceContent(world.people["owner"], 3, WIND, FAR), by="owner")
    world.accredit(ProfileContent(1, bytes(range(32)), 1_388_534_400, 1_396_310_400), by="owner")
    world.do(world.issue_action(1, (world.attested(1, DAY, 800, hours_wh=HOURS),)))
    action = world.retire_action("owner", world.outputs_of("owner", Bundle)[0], 1, 300)
    world.do(action, by=("owner",))
    proof = build_proof(world.store, action.statement_hash[:16])
    for place in range(0, len(proof), 97):
        damaged = bytearray(proof)
        damaged[place] ^= 1
        with pytest.raises(NotProven):
            verify_proof(bytes(damaged), world.genesis_text)
