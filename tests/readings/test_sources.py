"""A climate source on the ledger: it contradicts a joint forgery, takes the label from an honest plant, and is audited."""

import pytest
from harness.answering_node import AnsweringNode
from harness.finalized import FinalizedWorld
from harness.judging import Validators
from harness.metering import Plant, give
from harness.neighbouring import COMMISSIONED, FIRST_JUDGED, HOURLY, frames_of, joint, settle, sign_profile
from harness.sourcing import source_beside, weather_of
from harness.world import genesis_json

from contracts.hearing import NO_INPUTS
from contracts.transition import decode_signed
from node.auditing.device import DeviceAudit
from node.auditing.findings import Findings
from node.auditing.stored import Evidence
from node.baselines import Baselines
from node.client import NodeClient
from node.verdicts import Verdicts
from state.attestation import ACCEPT, HOLD, PROMPT, REJECT
from state.errors import BatchRefused
from state.keyspace import device_key, release_key, scheme_key
from state.records import Device, Release, Scheme
from state.transaction import Issue

LADDER = genesis_json(scheme={"release_shares": [9_000, 600, 400]})
DAYS = 34
STILL = 5  # the source tells one wind all day
FORGED = range(14, DAYS - 7)
UNTIL_A_WEEK = 3  # of a forgery must have been told


def _stuck(day: int, row: dict[str, object]) -> None:
    if day == COMMISSIONED + STILL:
        row["wind_spd"] = None


async def test_a_joint_forgery_is_refused_beside_one_honest_source_and_honest_days_lose_the_label() -> None:
    world = FinalizedWorld(genesis=LADDER)
    plant = Plant(facts=HOURLY, world=world)
    source = source_beside(plant)
    days = COMMISSIONED + DAYS
    claimed = frames_of(plant.meter(), days, joint(1.3, FORGED[0], DAYS))
    weather = weather_of(source.meter(), days, _stuck)
    intakes = [plant.intake(), plant.intake()]
    begun, later = claimed[: 2 * COMMISSIONED], claimed[2 * COMMISSIONED :]
    await give(intakes[0], *begun, *weather)
    await give(intakes[1], *weather, *begun)
    sign_profile(plant, intakes[0].store)
    validators = Validators(plant, [intakes[place % 2].store for place in range(3)])  # a quorum: all must agree
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
    record, scheme = state.get(device_key(plant.device)), state.get(scheme_key(1))
    assert isinstance(record, Device)
    assert isinstance(scheme, Scheme)
    assert record.neighbours == (source.device,)

    def release(device: int, day: int, step: int = PROMPT) -> Release:
        found = state.get(release_key(device, FIRST_JUDGED + day, step, 0))
        assert isinstance(found, Release), (device, day, step)
        return found

    told = [release(source.device, day) for day in range(-COMMISSIONED, DAYS)]
    assert {(one.energy_wh, one.release_wh, one.inputs_root) for one in told} == {(0, 0, NO_INPUTS)}
    assert [one.day - FIRST_JUDGED for one in told if one.verdict == HOLD] == [STILL]
    for day in range(FORGED[0] - 8):
        one = release(plant.device, day)
        assert (one.verdict, "single_source" in one.reasons) == (ACCEPT, day == STILL), day
        assert one.inputs_root != NO_INPUTS

    alone = Verdicts(intakes[0].store, Baselines(intakes[0].store))
    excess_wh = passed_wh = passed_alone_wh = by_source = 0
    for place in FORGED:
        said, close = release(plant.device, place), intakes[0].store.close_of(plant.device, FIRST_JUDGED + place)
        assert close is not None
        own = alone.say(record, scheme, close, PROMPT, close.close.day + 7)
        assert own is not None
        honest_wh = said.energy_wh * 10 // 13
        excess_wh += said.energy_wh - honest_wh
        passed_wh += max(0, said.release_wh - honest_wh)
        passed_alone_wh += max(0, own.release_wh - honest_wh)
        by_source += (own.outcome, said.verdict, "reanalysis" in said.reasons) == ("accept", REJECT, True)
    print(f"forged days {len(FORGED)}, refused by the source {by_source}; excess {excess_wh:,} Wh,")
    print(f"passed {passed_wh:,} beside the source, {passed_alone_wh:,} by own weather alone")
    assert by_source >= 5, "own weather was forged to agree"
    assert passed_wh * 10 <= excess_wh
    assert passed_wh * 4 < passed_alone_wh

    assert findings.listed == []
    assert evidence.compared.days >= COMMISSIONED + 2 * (DAYS - 8)
    node = AnsweringNode(world).start()
    try:
        node.readings = intakes[1].store
        for device in (plant.device, source.device):
            report = DeviceAudit([NodeClient(node.url)], device, lambda *_: None).run(0, 2**31)
            assert report.findings == []
            assert {row.equal for row in report.rows} == {"yes"}
    finally:
        node.stop()


async def test_refuses_power_of_a_climate_source() -> None:
    plant = Plant(genesis=LADDER, facts=HOURLY)
    source, intake = source_beside(plant), plant.intake()
    honest = weather_of(source.meter(), 1)
    await give(intake, *honest)
    meter = source.meter()
    with pytest.raises(BatchRefused, match="gives no power"):
        await give(intake, meter.batch([meter.text(FIRST_JUDGED * 86_400, 1, register_wh=None)]))
