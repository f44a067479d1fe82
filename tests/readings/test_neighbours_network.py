"""Four real nodes and two turbines in one wind: what the neighbour refuses and releases stands on every ledger."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from harness.metered import OWNER, Network
from harness.metering import Meter
from harness.neighbouring import (
    COMMISSIONED,
    FIRST_JUDGED,
    FROM_S,
    HOURLY,
    TO_S,
    both,
    dead_anemometer,
    frames_of,
    joint,
    scattered,
)
from harness.world import FAR, key_of, seed_of

from contracts.hearing import NO_INPUTS
from node.wire import DayClose, Readings
from state.attestation import ACCEPT, D30, HOLD, PROMPT, REJECT
from state.keyspace import device_key, meter_key, participant_key, release_key
from state.records import Release
from state.transaction import DeviceContent, MeterContent, ProfileContent, Register

PLANT, BESIDE = 1, 2
DEAD, FORGED, DAYS = 3, 16, 34  # the silent anemometer, the first forged day, days that are judged
UNHEARD = 3  # the first days of a forgery, before a week of it is heard


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    made = Network(tmp_path, {"release_shares": [9_000, 600, 400]})
    try:
        yield made
    finally:
        await made.stop()


async def deliver(network: Network, frames: Sequence[Readings | DayClose]) -> None:
    intake = network.nodes[0].metering.intake
    for frame in frames:
        if isinstance(frame, Readings):
            await intake.accept_batch(frame.raws, frame.key, frame.signature)
        else:
            await intake.accept_close(frame.close, frame.key, frame.signature)


async def released(network: Network, device: int, day: int, step: int) -> Release:
    """The record of a judged day, once every node has it; all have the same."""
    key = release_key(device, FIRST_JUDGED + day, step, 0)
    for node in network.nodes:
        await node.until(lambda node=node: node.get(key), f"step {step} of day {day} of plant {device}", 60)
    found = [node.get(key) for node in network.nodes]
    assert all(one == found[0] for one in found)
    assert isinstance(found[0], Release)
    return found[0]


async def test_a_joint_forgery_is_refused_and_a_broken_sensor_released_on_every_ledger(network: Network) -> None:
    first = network.nodes[0]
    await network.send("owner", Register(key_of("owner"), "owner", "FR", b""))
    await first.until(lambda: first.get(participant_key(OWNER)), "the owner")
    claims = both(joint(1.3, FORGED, DAYS), dead_anemometer(DEAD))
    frames = {}
    for device, tamper in ((PLANT, claims), (BESIDE, scattered())):
        await network.accredit(DeviceContent(OWNER, 1, HOURLY, FAR))
        await first.until(lambda device=device: first.get(device_key(device)), "the device")
        await network.accredit(MeterContent(device, key_of("reader"), 0, FAR))
        for node in network.nodes:
            await node.until(lambda node=node, device=device: node.get(meter_key(device)), "the meter")
        frames[device] = frames_of(
            Meter(network.chain, device, seed_of("reader"), key_of("reader")), COMMISSIONED + DAYS, tamper
        )
    begun = frames[PLANT][: 2 * COMMISSIONED]
    await deliver(network, [*begun, *frames[BESIDE]])
    for device, days in ((PLANT, COMMISSIONED), (BESIDE, COMMISSIONED + DAYS)):
        for node in network.nodes:
            store = node.metering.store
            await node.until(lambda store=store, device=device, days=days: store.head(device).held_days == days, "all")
        described = await first.metering.judge.profile(device, FROM_S, TO_S)
        content = ProfileContent(device, bytes.fromhex(described["profile_hash"]), FROM_S, TO_S)
        await network.accredit(content)
        await first.until(lambda device=device: first.get(device_key(device)).profile_hash, "the profile")
    assert first.get(device_key(PLANT)).neighbours == (BESIDE,)
    assert (await released(network, BESIDE, DAYS - 8, PROMPT)).verdict == ACCEPT
    await deliver(network, frames[PLANT][2 * COMMISSIONED :])

    held = await released(network, PLANT, DEAD, PROMPT)
    assert (held.verdict, held.release_wh, held.inputs_root) == (HOLD, 0, NO_INPUTS)
    vouched = await released(network, PLANT, DEAD, D30)
    assert (vouched.verdict, vouched.release_wh) == (ACCEPT, held.energy_wh * 9_600 // 10_000)
    forged = [await released(network, PLANT, day, PROMPT) for day in range(FORGED, DAYS - 7)]
    heard = forged[UNHEARD:]
    assert {(one.verdict, one.release_wh) for one in heard} == {(REJECT, 0)}
    assert sum("neighbour" in one.reasons for one in heard) >= len(heard) - 1
