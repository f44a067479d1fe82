"""From closed days to issued certificates: four validators that hold the same days say the same."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from harness.judging import (
    COMMISSIONING_DAYS,
    FIRST_DAY,
    FIRST_JUDGED,
    FROM_S,
    JUDGED_DAYS,
    TO_S,
    Tamper,
    Validators,
    four_told,
    frames_of,
    honest,
    sign_profile,
)
from harness.metering import Plant, give
from harness.world import genesis_json, seed_of
from msgspec.structs import replace

from contracts.calendar import month_of_day
from contracts.events import DayJudged, Issued
from contracts.transition import decode_signed
from node.baselines import Baselines, facts_of
from node.fetching import GIVE_UP_AFTER, RETRY_MS, Fetching, answer
from node.intake import Intake
from node.judge import ALL_SIGNED_MS, MAX_VOTES, OTHERS_MS, REPEAT_MS
from node.judge import RETRY_MS as ISSUE_RETRY_MS
from node.readings import ReadingStore
from node.verdicts import Verdicts
from node.wire import AttestationMsg, DayClose, GetReadings, Readings
from state.attestation import Attestation, attestation_bytes
from state.codec import encode
from state.crypto import sign
from state.errors import ProfileDiffers, ReadingSignature, Refusal, Unknown
from state.keyspace import device_key, month_energy_key, release_key
from state.records import Device, MonthEnergy, Release
from state.transaction import Issue, ProfileContent
from state.units import DAY_S
from verifier.finding import Finding
from verifier.verdict import combine


@pytest.fixture(scope="module")
def plant_frames() -> tuple[list[Any], bytes]:
    plant = Plant()
    return frames_of(plant, COMMISSIONING_DAYS + JUDGED_DAYS), plant.world.chain


@pytest.fixture
async def validators() -> Validators:
    return await four_told(None, COMMISSIONING_DAYS + JUDGED_DAYS)


# --- verdicts and attestations


async def test_validators_told_in_another_order_attest_the_same_bytes(validators: Validators) -> None:
    async def scenario() -> None:
        await validators.judged(JUDGED_DAYS)
        by_day: dict[int, set[bytes]] = {}
        for message in validators.sent:
            by_day.setdefault(message.attestation.day, set()).add(encode(message.attestation))
        assert sorted(by_day) == list(range(FIRST_JUDGED, FIRST_JUDGED + JUDGED_DAYS))
        assert all(len(spellings) == 1 for spellings in by_day.values())

    await validators.running(scenario)


async def test_honest_days_become_certificates_of_their_month(validators: Validators) -> None:
    world, device = validators.world, validators.plant.device

    async def scenario() -> None:
        await validators.judged(JUDGED_DAYS)
        validators.exchange()
        events: list[Any] = []
        for _ in range(4):
            for _, raw in await validators.tick(OTHERS_MS + ALL_SIGNED_MS + ISSUE_RETRY_MS):
                events += _tried(lambda raw=raw: validators.block(raw))
        judged = [event for event in events if isinstance(event, DayJudged)]
        assert sorted(event.day for event in judged) == list(range(FIRST_JUDGED, FIRST_JUDGED + JUDGED_DAYS))
        assert all(event.validators == (0, 1, 2, 3) for event in judged)
        months = {month_of_day(event.day) for event in judged}
        assert len(months) == 2
        accepted_wh = sum(event.release_wh for event in judged)
        assert accepted_wh > 50_000_000
        issued = [event for event in events if isinstance(event, Issued)]
        accounts = [world.state.get(month_energy_key(device, month)) for month in sorted(months)]
        carry_wh = sum(account.carry_wh for account in accounts if isinstance(account, MonthEnergy))
        assert sum(event.end - event.start + 1 for event in issued) * 1_000_000 + carry_wh == accepted_wh
        assert await validators.tick(60_000) == []

    await validators.running(scenario)


def _tried(block: Callable[[], list[Any]]) -> list[Any]:
    """As the mempool would: what another validator's issue made stale is refused."""
    try:
        return block()
    except Refusal:
        return []


async def test_curve_of_a_judged_day_shows_what_the_weather_allowed(validators: Validators) -> None:
    curve = await validators.judges[0].curve(validators.plant.device, FIRST_JUDGED)
    assert (curve["verdict"], curve["readings"], len(curve["measured_w"])) == ("accept", 144, 144)
    known = [pair for pair in zip(curve["expected_w"], curve["allowed_w"], strict=True) if None not in pair]
    assert len(known) > 100
    assert all(expected <= allowed for expected, allowed in known)
    assert int(curve["energy_wh"]) == sum(max(watts, 0) for watts in curve["measured_w"] if watts is not None) // 6


async def test_curve_of_a_day_that_is_not_judged_has_readings_only(validators: Validators) -> None:
    device = validators.plant.device
    for day, readings in ((FIRST_DAY + 3, 144), (FIRST_JUDGED + JUDGED_DAYS, 0)):
        curve = await validators.judges[0].curve(device, day)
        assert (curve["verdict"], curve["readings"]) == (None, readings)
        assert set(curve["allowed_w"]) == {None}
    with pytest.raises(Unknown):
        await validators.judges[0].curve(99, FIRST_JUDGED)


async def test_a_tampered_day_is_on_the_record_and_brings_nothing() -> None:
    def diesel(day: int, row: dict[str, Any]) -> None:
        if day == COMMISSIONING_DAYS + 1:
            row["pwr_avg"] = "2500"

    plant = Plant()
    intake = plant.intake()
    await give(intake, *frames_of(plant, COMMISSIONING_DAYS + 3, diesel))
    sign_profile(plant, intake.store)
    validators = Validators(plant, [intake.store] * 4)

    async def scenario() -> None:
        await validators.judged(3)
        validators.exchange()
        sent = await validators.tick(OTHERS_MS + ALL_SIGNED_MS)
        validators.block(sent[0][1])
        record = plant.world.state.get(release_key(plant.device, FIRST_JUDGED + 1, 0, 0))
        assert isinstance(record, Release)
        assert (record.verdict, record.release_wh) == (2, 0)
        assert "over_nameplate" in record.reasons
        honest = plant.world.state.get(release_key(plant.device, FIRST_JUDGED, 0, 0))
        assert isinstance(honest, Release)
        assert honest.verdict == 0

    await validators.running(scenario)


# --- in steps


LADDER = genesis_json(scheme={"release_shares": [9_000, 600, 400]})
LADDER_DAYS = 10


async def laddered(tamper: Tamper = honest, genesis: bytes = LADDER) -> Validators:
    return await four_told(genesis, COMMISSIONING_DAYS + LADDER_DAYS, tamper)


async def test_an_accepted_day_waits_for_its_week_and_says_until_when() -> None:
    validators = await laddered()

    async def scenario() -> None:
        await validators.judged(LADDER_DAYS - 7)
        await asyncio.sleep(0.2)
        said = {message.attestation.day for message in validators.sent}
        assert said == {FIRST_JUDGED + place for place in range(LADDER_DAYS - 7)}
        assert len({encode(message.attestation) for message in validators.sent}) == LADDER_DAYS - 7
        first = validators.sent[0].attestation
        assert (first.step, first.verdict) == (0, 0)
        assert first.release_wh == first.energy_wh * 9_000 // 10_000
        waiting = {(item["day"], item["until"]) for item in validators.announced if item["kind"] == "review"}
        assert waiting == {(FIRST_JUDGED + place, FIRST_JUDGED + place + 7) for place in range(LADDER_DAYS)}

    await validators.running(scenario)


HOURLY_LADDER = genesis_json(
    scheme={"release_shares": [9_000, 600, 400], "unit": "Wh", "face_value_wh": 1, "serial_digits": 15}
)


async def test_hours_of_an_hourly_scheme_wait_for_their_week_too() -> None:
    validators = await laddered(genesis=HOURLY_LADDER)

    async def scenario() -> None:
        await validators.judged(LADDER_DAYS - 7)
        validators.exchange()
        prompt = validators.sent[0].attestation
        assert len(prompt.hours_wh) == 24
        assert sum(prompt.hours_wh) == prompt.release_wh
        assert 0 <= prompt.energy_wh * 9_000 // 10_000 - prompt.release_wh < 24
        sent = await validators.tick(OTHERS_MS + ALL_SIGNED_MS + ISSUE_RETRY_MS)
        validators.block(sent[0][1])
        issued = [record.event for record in validators.world.outputs[-1].events if isinstance(record.event, Issued)]
        counts = [event.end - event.start + 1 for event in issued]
        wanted = [energy_wh for day in _issue(sent[0][1]).days for energy_wh in day.attestation.hours_wh if energy_wh]
        assert counts == wanted

    await validators.running(scenario)


async def test_a_refused_day_waits_for_nothing() -> None:
    def diesel(day: int, row: dict[str, Any]) -> None:
        if day == COMMISSIONING_DAYS + LADDER_DAYS - 1:
            row["pwr_avg"] = "2500"

    validators = await laddered(diesel)

    async def scenario() -> None:
        await validators.judged(LADDER_DAYS - 7 + 1)
        refused = [m.attestation for m in validators.sent if m.attestation.verdict == 2]
        assert {one.day for one in refused} == {FIRST_JUDGED + LADDER_DAYS - 1}
        assert {one.release_wh for one in refused} == {0}

    await validators.running(scenario)


async def test_a_step_is_sent_only_after_the_one_before_is_on_the_ledger() -> None:
    """Attestations of a later step may come first: they wait."""
    validators = await laddered()
    world, device = validators.world, validators.plant.device

    async def scenario() -> None:
        await validators.judged(LADDER_DAYS - 7)
        validators.exchange()
        prompt = validators.sent[0].attestation
        later = replace(prompt, step=1, release_wh=prompt.energy_wh * 600 // 10_000)
        message = attestation_bytes(world.chain, later)
        for judge in validators.judges:
            for index in range(4):
                judge.on_attestation(AttestationMsg(later, index, sign(seed_of(f"vote_key{index}"), message)))
        steps = []
        for _ in range(2):
            sent = await validators.tick(OTHERS_MS + ALL_SIGNED_MS + ISSUE_RETRY_MS)
            steps.append({attested.attestation.step for attested in _issue(sent[0][1]).days})
            validators.block(sent[0][1])
        assert steps == [{0}, {1}]
        assert world.state.get(release_key(device, prompt.day, 1, 0)) is not None

    await validators.running(scenario)


def _issue(raw: bytes) -> Issue:
    action = decode_signed(raw).transaction.body.actions[0]
    assert isinstance(action, Issue)
    return action


async def test_nothing_is_attested_before_a_profile_is_signed(plant_frames: tuple[list[Any], bytes]) -> None:
    plant = Plant()
    intake = plant.intake()
    await give(intake, *plant_frames[0])
    validators = Validators(plant, [intake.store])

    async def scenario() -> None:
        await asyncio.sleep(0.1)
        assert validators.sent == []
        sign_profile(plant, intake.store)
        validators.block()
        await validators.judged(JUDGED_DAYS, judges=1)
        assert min(message.attestation.day for message in validators.sent) == FIRST_JUDGED

    await validators.running(scenario)


async def test_a_restarted_validator_says_the_same_again(validators: Validators) -> None:
    async def first() -> None:
        await validators.judged(JUDGED_DAYS)

    await validators.running(first)
    before = list(validators.sent)
    again = Validators(validators.plant, [ReadingStore(validators.judges[0]._store._rows)])

    async def second() -> None:
        await again.judged(JUDGED_DAYS, judges=1)

    await again.running(second)
    own = [message for message in before if message.validator == 0]
    assert sorted(map(encode, again.sent)) == sorted(map(encode, own))


async def test_the_loop_keeps_its_pace_while_days_are_judged(validators: Validators) -> None:
    gaps: list[float] = []
    del validators.judges[1:]

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        while len(validators.sent) < JUDGED_DAYS:
            await asyncio.sleep(0.001)
            gaps.append(loop.time() - before)
            before = loop.time()

    await validators.running(scenario)
    gaps.sort()
    print(f"loop gaps ms: median {gaps[len(gaps) // 2] * 1e3:.1f}, longest {gaps[-1] * 1e3:.1f}")
    assert gaps[len(gaps) // 2] < 0.02  # about 2 ms on an idle machine


async def test_a_profile_that_this_nodes_readings_do_not_give_is_not_used(
    plant_frames: tuple[list[Any], bytes],
) -> None:
    plant = Plant()
    intake = plant.intake()
    await give(intake, *plant_frames[0])
    plant.world.accredit(ProfileContent(plant.device, bytes(32), FROM_S, TO_S), by="owner")
    record = plant.world.state.get(device_key(plant.device))
    assert isinstance(record, Device)
    with pytest.raises(ProfileDiffers):
        Baselines(intake.store).signed(record)
    validators = Validators(plant, [intake.store])

    async def scenario() -> None:
        await asyncio.sleep(0.3)
        assert validators.sent == []

    await validators.running(scenario)


async def test_profile_is_described_for_those_who_vote(validators: Validators) -> None:
    judge = validators.judges[1]

    async def scenario() -> None:
        described = await judge.profile(validators.plant.device, FROM_S, TO_S)
        assert described["signed"] is True
        assert described["readings"] == COMMISSIONING_DAYS * 144 - 6
        assert described["days_used"] + len(described["days_excluded"]) == COMMISSIONING_DAYS
        assert json.dumps(described)
        other = await judge.profile(validators.plant.device, FROM_S, TO_S - DAY_S)
        assert other["signed"] is False
        with pytest.raises(Unknown):
            await judge.profile(99, FROM_S, TO_S)

    await validators.running(scenario)


# --- counting and issuing


async def test_one_validator_sends_first_and_the_others_after_two_seconds(validators: Validators) -> None:
    async def scenario() -> None:
        await validators.judged(JUDGED_DAYS)
        validators.exchange()
        first = await validators.tick(1)
        assert [index for index, _ in first] == [(validators.plant.device + FIRST_JUDGED) % 4]
        rest = await validators.tick(OTHERS_MS)
        assert sorted(index for index, _ in rest) == sorted({0, 1, 2, 3} - {first[0][0]})
        assert {raw for _, raw in rest} == {first[0][1]}, "whoever sends it, it is one transaction"
        assert await validators.tick(1) == []

    await validators.running(scenario)


async def test_a_quorum_waits_a_moment_for_the_last_signature(validators: Validators) -> None:
    async def scenario() -> None:
        await validators.judged(JUDGED_DAYS)
        owner = (validators.plant.device + FIRST_JUDGED) % 4
        silent = (owner + 1) % 4
        validators.sent = [message for message in validators.sent if message.validator != silent]
        validators.exchange()
        assert await validators.tick(1) == []
        sent = await validators.tick(ALL_SIGNED_MS)
        assert [index for index, _ in sent] == [owner]
        action = decode_signed(sent[0][1]).transaction.body.actions[0]
        assert isinstance(action, Issue)
        assert len(action.days[0].signatures) == 3
        validators.block(sent[0][1])

    await validators.running(scenario)


async def test_without_a_quorum_nothing_is_sent(validators: Validators) -> None:
    async def scenario() -> None:
        await validators.judged(JUDGED_DAYS)
        validators.sent = [message for message in validators.sent if message.validator == 0]
        validators.exchange()  # at most two names under each day: one's own, and validator 0's
        assert await validators.tick(60_000) == []

    await validators.running(scenario)


async def test_attestations_that_differ_do_not_add_up(validators: Validators) -> None:
    async def scenario() -> None:
        await validators.judged(JUDGED_DAYS)
        lied: list[AttestationMsg] = []
        for message in validators.sent:
            if message.validator < 2:
                fields = {name: getattr(message.attestation, name) for name in Attestation.__struct_fields__}
                other = Attestation(**{**fields, "release_wh": 1, "energy_wh": 1})
                signature = sign(
                    seed_of(f"vote_key{message.validator}"), attestation_bytes(validators.world.chain, other)
                )
                message = AttestationMsg(other, message.validator, signature)
            lied.append(message)
        validators.sent = lied
        validators.exchange()
        # Validators 0 and 1 know what they said themselves, so each of them still counts three equal ones.
        assert {index for index, _ in await validators.tick(60_000)} <= {0, 1}

    await validators.running(scenario)


async def test_own_attestations_are_repeated_until_the_day_is_recorded(validators: Validators) -> None:
    async def scenario() -> None:
        await validators.judged(JUDGED_DAYS)
        validators.sent.clear()
        await validators.tick(REPEAT_MS)
        assert len(validators.sent) == JUDGED_DAYS * 4
        validators.exchange()
        for _ in range(4):
            for _, raw in await validators.tick(OTHERS_MS + ISSUE_RETRY_MS):
                _tried(lambda raw=raw: validators.block(raw))
        validators.sent.clear()
        await validators.tick(REPEAT_MS)
        assert validators.sent == []

    await validators.running(scenario)


async def test_attestations_of_recorded_days_and_other_epochs_are_ignored(validators: Validators) -> None:
    async def scenario() -> None:
        await validators.judged(JUDGED_DAYS)
        message = next(message for message in validators.sent if message.validator == 1)
        assert validators.judges[0].on_attestation(message) is True
        assert validators.judges[0].on_attestation(message) is False
        fields = {name: getattr(message.attestation, name) for name in Attestation.__struct_fields__}
        other = AttestationMsg(Attestation(**{**fields, "epoch": 5}), 1, message.signature)
        assert validators.judges[0].on_attestation(other) is False
        nobody = AttestationMsg(message.attestation, 9, message.signature)
        assert validators.judges[0].on_attestation(nobody) is False

    await validators.running(scenario)


async def test_of_two_attestations_of_a_day_each_is_handed_on_once_and_none_puts_the_other_back(
    validators: Validators,
) -> None:
    """Or two validators would hand them to each other for ever, each time as news."""

    def again(message: AttestationMsg, root: bytes) -> AttestationMsg:
        fields = {name: getattr(message.attestation, name) for name in Attestation.__struct_fields__}
        changed = Attestation(**{**fields, "inputs_root": root})
        chain = validators.world.chain
        seed = seed_of(f"vote_key{message.validator}")
        return AttestationMsg(changed, message.validator, sign(seed, attestation_bytes(chain, changed)))

    async def scenario() -> None:
        await validators.judged(JUDGED_DAYS)
        judge = validators.judges[0]
        first = next(message for message in validators.sent if message.validator == 1)
        second = again(first, bytes([1]) * 32)
        assert [judge.on_attestation(message) for message in (first, second, first, second)] == [True, True] + [
            False
        ] * 2
        own = next(message for message in validators.sent if message.validator == 0)
        assert judge.on_attestation(again(own, bytes([2]) * 32)) is True
        validators.sent.clear()
        await validators.tick(REPEAT_MS)
        mine = [message for message in validators.sent if message.validator == 0]
        assert own in mine
        assert again(own, bytes([2]) * 32) not in mine
        many = [judge.on_attestation(again(first, number.to_bytes(32, "big"))) for number in range(100, 200)]
        assert sum(many) == MAX_VOTES - 2

    await validators.running(scenario)


async def test_refuses_an_attestation_that_the_vote_key_did_not_sign(validators: Validators) -> None:
    async def scenario() -> None:
        await validators.judged(JUDGED_DAYS)
        message = next(message for message in validators.sent if message.validator == 1)
        with pytest.raises(ReadingSignature):
            validators.judges[0].on_attestation(AttestationMsg(message.attestation, 2, message.signature))

    await validators.running(scenario)


# --- fetching


async def test_a_validator_that_was_away_fetches_what_it_missed(plant_frames: tuple[list[Any], bytes]) -> None:
    plant = Plant()
    frames = plant_frames[0]
    full, late = plant.intake(), plant.intake()
    await give(full, *frames)
    await give(late, *frames[:7])  # three days and a half
    asked: list[GetReadings] = []
    clock = [0]
    fetching = Fetching(late.store, asked.append, lambda: clock[0])
    late.listeners.gap = fetching.missed
    await late.on_readings(frames[-2])
    for _ in range(20):
        clock[0] += RETRY_MS
        fetching.on_tick()
        while asked:
            for frame in answer(full.store, asked.pop()):
                await _deliver(late, frame)
    assert late.store.head(plant.device) == full.store.head(plant.device)
    assert late.store.head(plant.device).held_days == COMMISSIONING_DAYS + JUDGED_DAYS
    fetching.on_tick()
    assert asked == [], "who has everything asks no more"


async def test_asking_in_vain_ends(plant_frames: tuple[list[Any], bytes]) -> None:
    plant = Plant()
    asked: list[GetReadings] = []
    clock = [0]
    fetching = Fetching(plant.intake().store, asked.append, lambda: clock[0])
    fetching.missed(plant.device)
    for _ in range(100):
        clock[0] += RETRY_MS // 2
        fetching.on_tick()
    assert 1 <= len(asked) <= GIVE_UP_AFTER


async def _deliver(intake: Intake, frame: Readings | DayClose) -> None:
    if isinstance(frame, Readings):
        await intake.on_readings(frame)
    else:
        await intake.on_day_close(frame)


async def test_a_validator_holds_a_day_that_its_register_does_not_carry() -> None:
    plant = Plant()
    intake, meter = plant.intake(), plant.meter()
    honest = meter.texts_of(FIRST_DAY)
    await give(intake, meter.batch(honest), meter.close(FIRST_DAY))
    counted = meter.register_wh
    claimed = [
        meter.text((FIRST_DAY + 1) * DAY_S + 600 * index, 500_000, register_wh=counted + 1_000 * index)
        for index in range(144)
    ]
    await give(intake, meter.batch(claimed), meter.close(FIRST_DAY + 1))
    record = plant.world.state.get(device_key(plant.device))
    assert isinstance(record, Device)
    verdicts = Verdicts(intake.store, Baselines(intake.store))
    notes = []
    for day in (FIRST_DAY, FIRST_DAY + 1):
        signed = intake.store.close_of(plant.device, day)
        assert signed is not None
        notes.append(verdicts._grid(facts_of(record), signed.close).notes)
    assert notes == [(), ("register_differs",)]
    assert combine([Finding("register_differs")]) == "hold"
