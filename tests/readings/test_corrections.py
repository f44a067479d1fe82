"""Corrections and keys on a running network: nobody asks the nodes, and what was approved happens."""

import asyncio
from pathlib import Path

import pytest
from harness.live import LiveWorld
from harness.net import Running as Node
from harness.net import keys_of, make_homes, open_node
from harness.world import DAY, key_of

from contracts.accounts import debt_of
from contracts.transition import DecodedTx
from node.correcting import Correcting
from node.metering import Metering
from state.errors import NotRegistered
from state.outputs import Bundle
from state.transaction import NameRecovery, RotateKey


@pytest.fixture
def homes(tmp_path: Path) -> list[Path]:
    return make_homes(tmp_path, 4)


def started(home: Path, index: int) -> Node:
    node = open_node(home, keys_of(index))
    node.parts += [Metering(node), Correcting(node)]
    return Node(node)


def held(world: LiveWorld) -> list[int]:
    """Serials of the owner's active certificates, whoever made the blocks."""
    lots = [each for each in world.live().values() if isinstance(each, Bundle) and each.holder == world.people["owner"]]
    return sorted(serial for lot in lots for serial in range(lot.start, lot.end + 1))


def corrected(world: LiveWorld) -> None:
    """Down: the nodes withdraw by themselves. Up: the validators attest the credit and one of them issues it."""
    world.register("owner")
    device = world.device("owner")
    assert world.issue(device, 5_000_000) is not None
    world.correct(device, DAY, 3_000_000)
    world.until(lambda: held(world) == [1, 2, 3], "the withdrawal")
    found = debt_of(world.state, device)
    assert found is not None
    assert found.debt_wh == 0
    world.correct(device, DAY, 7_000_000, revision=2)
    world.until(lambda: held(world) == [1, 2, 3, 6, 7, 8, 9], "the certificates of the credit")


async def test_nodes_withdraw_and_issue_what_a_quorum_corrected(homes: list[Path]) -> None:
    nodes = [started(home, index) for index, home in enumerate(homes)]
    try:
        world = LiveWorld(nodes[0].node, asyncio.get_running_loop())
        await asyncio.to_thread(corrected, world)
    finally:
        for node in nodes:
            await node.stop()


def named(participant: int) -> NameRecovery:
    return NameRecovery(participant, key_of("safe"))


async def test_every_node_refuses_a_key_from_the_block_of_its_rotation_on(homes: list[Path]) -> None:
    nodes = [started(home, index) for index, home in enumerate(homes)]
    try:
        world = LiveWorld(nodes[0].node, asyncio.get_running_loop())

        def rotate() -> None:
            world.register("owner")
            world.do(RotateKey(world.people["owner"], key_of("fresh")), by=("owner", "fresh"))

        await asyncio.to_thread(rotate)
        number, by = world.people["owner"], ("owner",)
        for node in nodes:
            await node.height(world.height)
            (refused,) = await node.node.mempool.admit([world.transaction(named(number), by=by).raw])
            assert isinstance(refused, NotRegistered), refused
        (taken,) = await nodes[3].node.mempool.admit([world.transaction(named(number), by=("fresh",)).raw])
        assert isinstance(taken, DecodedTx)
    finally:
        for node in nodes:
            await node.stop()
