"""Four real nodes: readings given to one of them become certificates on all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from harness.judging import COMMISSIONING_DAYS, FIRST_JUDGED, FROM_S, TO_S, frames_of
from harness.metered import OWNER, Network, Node
from harness.metering import Meter
from harness.world import FAR, WIND, key_of, seed_of

from node.wire import Readings
from state.keyspace import device_key, meter_key, participant_key, release_key
from state.records import Device, Participant, Release
from state.transaction import DeviceContent, MeterContent, ProfileContent, Register

DAYS = 3


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    made = Network(tmp_path)
    try:
        yield made
    finally:
        await made.stop()


class _Chain:
    """What `frames_of` asks of a plant."""

    def __init__(self, chain: bytes) -> None:
        self._chain = chain

    def meter(self) -> Meter:
        return Meter(self._chain, 1, seed_of("reader"), key_of("reader"))


async def test_readings_given_to_one_node_become_certificates_on_all_and_a_late_node_catches_up(
    network: Network,
) -> None:
    first, last = network.nodes[0], network.nodes[3]
    await network.send("owner", Register(key_of("owner"), "owner", "FR", b""))
    await first.until(lambda: isinstance(first.get(participant_key(OWNER)), Participant), "the owner")
    await network.accredit(DeviceContent(OWNER, 1, WIND, FAR))
    await first.until(lambda: first.get(device_key(1)), "the device")
    await network.accredit(MeterContent(1, key_of("reader"), 0, FAR))
    for node in network.nodes:
        await node.until(lambda node=node: node.get(meter_key(1)), "the meter")
    await last.running.stop()

    frames = frames_of(_Chain(network.chain), COMMISSIONING_DAYS + DAYS)  # type: ignore[arg-type]
    for frame in frames:
        if isinstance(frame, Readings):
            await first.metering.intake.accept_batch(frame.raws, frame.key, frame.signature)
        else:
            await first.metering.intake.accept_close(frame.close, frame.key, frame.signature)
    three = network.nodes[:3]
    for node in three:
        await node.until(lambda node=node: node.metering.store.head(1).held_days == COMMISSIONING_DAYS + DAYS, "gossip")
    described = [await node.metering.judge.profile(1, FROM_S, TO_S) for node in three]
    assert described[0] == described[1] == described[2]
    await network.accredit(ProfileContent(1, bytes.fromhex(described[0]["profile_hash"]), FROM_S, TO_S))
    last_day = FIRST_JUDGED + DAYS - 1
    for node in three:
        await node.until(lambda node=node: _released(node, last_day), "the verdicts")
    assert all(node.get(release_key(1, FIRST_JUDGED + day, 0, 0)).verdict == 0 for day in range(DAYS) for node in three)
    device = first.get(device_key(1))
    assert isinstance(device, Device)
    assert device.next_serial > 1

    network.nodes[3] = last = Node(network.homes[3], 3)
    await last.until(lambda: _released(last, last_day), "the ledger of the late node")
    await last.until(
        lambda: last.metering.store.head(1) == first.metering.store.head(1), "the readings of the late node"
    )
    assert last.get(device_key(1)) == first.get(device_key(1))


def _released(node: Node, day: int) -> bool:
    return isinstance(node.get(release_key(1, day, 0, 0)), Release)
