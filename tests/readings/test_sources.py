"""A climate source on the ledger: it contradicts a joint forgery, frees an honest plant of its label; audits agree."""

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
from state.attestation import ACCEPT, D30, HOLD, PROMPT, REJECT, STEP_DAYS
from state.errors import BatchRefused
from state.keyspace import device_key, release_key, scheme_key
from state.records import Device, Release, Scheme
from state.transaction import Issue

# Nearly nothing before the month: a region's wind tells x1.3 from x1 over weeks, not over days.
MONTHLY = genesis_json(scheme={"release_shares": [1, 8_999, 1_000]})
DAYS = 48
STILL = 2  # the source tells one wind all day
FORGED = range(12, DAYS - 30)


def _stuck(day: int, row: dict[str, object]) -> None:
    if day == COMMISSIONED + STILL:
        row["wind_spd"] = None


async def test_a_joint_forgery_is_refused_beside_one_honest_source_and_honest_days_lose_the_label() -> None:
    world = FinalizedWorld(genesis=MONTHLY)
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
    excess_wh = passed_wh = by_source = 0
    for place in FORGED:
        steps = [state.get(release_key(plant.device, FIRST_JUDGED + place, step, 0)) for step in (PROMPT, D30)]
        said = [one for one in steps if isinstance(one, Release)]
        close = intakes[0].store.close_of(plant.device, FIRST_JUDGED + place)
        assert close is not None
        own = alone.say(record, scheme, close, D30, close.close.day + STEP_DAYS[D30])
        honest_wh = said[0].energy_wh * 10 // 13
        excess_wh += said[0].energy_wh - honest_wh
        passed_wh += max(0, sum(one.release_wh for one in said) - honest_wh)
        by_source += own is not None and own.outcome == "accept" and said[-1].reasons == ("reanalysis",)
        assert said[-1].verdict == REJECT, place
    print(
        f"{len(FORGED)} forged days, {by_source} refused by the source alone; {passed_wh:,} of {excess_wh:,} Wh passed"
    )
    assert by_source >= len(FORGED) - 2, "own weather was forged to agree"
    assert passed_wh == 0

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
    plant = Plant(genesis=MONTHLY, facts=HOURLY)
    source, intake = source_beside(plant), plant.intake()
    honest = weather_of(source.meter(), 1)
    await give(intake, *honest)
    meter = source.meter()
    with pytest.raises(BatchRefused, match="gives no power"):
        await give(intake, meter.batch([meter.text(FIRST_JUDGED * 86_400, 1, register_wh=None)]))
