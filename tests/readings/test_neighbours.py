"""Neighbours on the ledger: what they refuse and what they release, the same for validators told in other orders."""

import asyncio

from harness.answering_node import AnsweringNode
from harness.finalized import FinalizedWorld
from harness.judging import Validators
from harness.metering import Plant, give
from harness.neighbouring import (
    COMMISSIONED,
    FIRST_JUDGED,
    HOURLY,
    beside,
    both,
    dead_anemometer,
    frames_of,
    joint,
    scattered,
    settle,
    sign_profile,
)
from harness.world import genesis_json

from contracts.transition import decode_signed
from node.auditing.device import DeviceAudit
from node.auditing.findings import Findings
from node.auditing.stored import Evidence
from node.baselines import Baselines
from node.client import NodeClient
from node.verdicts import Verdicts
from state.attestation import ACCEPT, D30, HOLD, PROMPT, REJECT
from state.keyspace import device_key, release_key, scheme_key
from state.records import Device, Release, Scheme
from state.transaction import Issue

LADDER = genesis_json(scheme={"release_shares": [9_000, 600, 400]})
DAYS = 40
DEAD = 3  # the anemometer is silent
FORGED = range(16, 33)  # up to the last day whose week is over
UNHEARD = 3  # the first days of a forgery, before a week of it is heard


async def test_a_joint_forgery_is_refused_and_a_broken_sensor_vouched_for() -> None:
    world = FinalizedWorld(genesis=LADDER)
    plant = Plant(facts=HOURLY, world=world)
    other = beside(plant)
    days = COMMISSIONED + DAYS
    claimed = frames_of(plant.meter(), days, both(joint(1.3, FORGED[0], DAYS), dead_anemometer(DEAD)))
    begun, later = claimed[: 2 * COMMISSIONED], claimed[2 * COMMISSIONED :]
    honest = frames_of(other.meter(), days, scattered())
    intakes = [plant.intake(), plant.intake()]
    await give(intakes[0], *begun, *honest)
    await give(intakes[1], *honest, *begun)
    sign_profile(plant, intakes[0].store)
    sign_profile(other, intakes[0].store)
    validators = Validators(plant, [intakes[place % 2].store for place in range(3)])  # a quorum: all must agree

    def release(device: int, day: int, step: int) -> Release | None:
        found = world.state.get(release_key(device, FIRST_JUDGED + day, step, 0))
        return found if isinstance(found, Release) else None

    findings = Findings()
    evidence = Evidence(intakes[1].store, findings)

    def check(raw: bytes) -> None:
        action = decode_signed(raw).transaction.body.actions[0]
        assert isinstance(action, Issue)
        evidence.check("here", world.state, action)

    async def scenario() -> None:
        await settle(validators, check)
        for intake in intakes:
            await give(intake, *later)
        for judge in validators.judges:
            judge.on_close(plant.device)
        await settle(validators, check)

    await validators.running(scenario)
    state = world.state
    devices = [state.get(device_key(one.device)) for one in (plant, other)]
    assert [one.neighbours for one in devices if isinstance(one, Device)] == [(other.device,), (plant.device,)]

    held, vouched = release(plant.device, DEAD, PROMPT), release(plant.device, DEAD, D30)
    assert held is not None
    assert vouched is not None
    assert (held.verdict, held.release_wh, "climate_missing" in held.reasons) == (HOLD, 0, True)
    assert (vouched.verdict, vouched.release_wh) == (ACCEPT, held.energy_wh * 9_600 // 10_000)
    assert "single_source" not in vouched.reasons

    alone = Verdicts(intakes[0].store, Baselines(intakes[0].store))
    record, scheme = devices[0], state.get(scheme_key(1))
    assert isinstance(record, Device)
    assert isinstance(scheme, Scheme)
    excess_wh = passed_wh = passed_alone_wh = refused_by_neighbour = 0
    for place in FORGED:
        said, close = (
            release(plant.device, place, PROMPT),
            intakes[0].store.close_of(plant.device, FIRST_JUDGED + place),
        )
        assert said is not None
        assert close is not None
        own = alone.say(record, scheme, close, PROMPT, close.close.day + 7)
        assert own is not None
        honest_wh = said.energy_wh * 10 // 13
        excess_wh += said.energy_wh - honest_wh
        passed_wh += max(0, said.release_wh - honest_wh)
        passed_alone_wh += max(0, own.release_wh - honest_wh)
        refused_by_neighbour += (own.outcome, said.verdict, said.reasons) == ("accept", REJECT, ("neighbour",))
        assert place < FORGED[0] + UNHEARD or said.release_wh == 0, place
    assert refused_by_neighbour >= 8, "own weather was forged to agree"
    assert passed_wh * 10 <= excess_wh
    assert passed_wh * 4 < passed_alone_wh
    for one in (plant, other):
        verdicts = [found.verdict for day in range(FORGED[0] - 8) if (found := release(one.device, day, PROMPT))]
        assert verdicts == [HOLD if (one, day) == (plant, DEAD) else ACCEPT for day in range(FORGED[0] - 8)]

    assert findings.listed == []
    assert evidence.compared.days >= 2 * (DAYS - 8)
    node = AnsweringNode(world).start()
    try:
        node.readings = intakes[1].store
        report = DeviceAudit([NodeClient(node.url)], plant.device, lambda *_: None).run(0, 2**31)
    finally:
        node.stop()
    assert report.findings == []
    assert {row.equal for row in report.rows} == {"yes"}
    assert {row.step for row in report.rows} == {PROMPT, D30}


async def test_a_validator_that_lacks_a_neighbours_readings_asks_for_them_and_waits() -> None:
    plant = Plant(genesis=LADDER, facts=HOURLY)
    other = beside(plant)
    here, elsewhere = plant.intake(), plant.intake()
    theirs = frames_of(other.meter(), COMMISSIONED, scattered())
    await give(here, *frames_of(plant.meter(), COMMISSIONED + 9))
    await give(elsewhere, *theirs)
    sign_profile(plant, here.store)
    sign_profile(other, elsewhere.store)
    validators = Validators(plant, [here.store])
    asked: list[int] = []
    judge = validators.judges[0]
    judge._ports.fetch = asked.append

    async def scenario() -> None:
        for _ in range(200):
            await asyncio.sleep(0.01)
            if asked:
                break
        await asyncio.sleep(0.1)
        assert set(asked) == {other.device}
        assert validators.sent == []
        await give(here, *theirs)
        judge.on_close(other.device)
        await validators.judged(2, judges=1)
        assert {message.attestation.day for message in validators.sent} == {FIRST_JUDGED, FIRST_JUDGED + 1}

    await validators.running(scenario)
