"""Nodes as processes of their own: killed without a farewell, started again, stopped with the right exit code."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.net import Process, make_homes

from node.genesis import read_genesis
from node.ledger import Ledger
from state.block import Block
from state.store import open_store


class Network:
    def __init__(self, directory: Path, count: int) -> None:
        self.homes = make_homes(directory, count)
        self.nodes: dict[int, Process] = {}

    def start(self, *indices: int, **environment: str) -> None:
        for index in indices:
            self.nodes[index] = Process(self.homes[index], **environment)

    def stop(self) -> None:
        for node in self.nodes.values():
            if node.alive:
                node.kill()

    def height(self) -> int:
        return max(node.height() for node in self.nodes.values())

    def await_height(self, wanted: int) -> None:
        for node in self.nodes.values():
            node.await_height(wanted)

    def blocks(self, index: int) -> list[Block]:
        """All final blocks of a stopped node."""
        genesis, chain = read_genesis(self.homes[index] / "genesis.json")
        ledger = Ledger.open(open_store(self.homes[index] / "data" / "state", create=False), genesis, chain)
        found = [ledger.block_at(height) for height in range(ledger.tip.height + 1)]
        ledger.audit()
        ledger.close()
        return [block for block in found if block is not None]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    network = Network(tmp_path, 4)
    yield network
    network.stop()


def agree(network: Network) -> int:
    """After all nodes were stopped: the number of blocks that they have in common, and none in which they differ."""
    chains = [network.blocks(index) for index in network.nodes]
    shortest = min(map(len, chains))
    assert all(chain[:shortest] == chains[0][:shortest] for chain in chains)
    return shortest


def test_killed_validators_come_back_sign_again_and_lose_nothing_final(network: Network) -> None:
    network.start(0, 1, 2, 3)
    network.await_height(3)
    assert network.nodes[2].kill() == -9
    height = network.height()
    for index in (0, 1, 3):
        network.nodes[index].await_height(height + 3)  # three of four go on
    network.start(2)
    network.nodes[2].await_height(network.height())
    seen = _signed_by(network, 2)
    network.await_height(network.height() + 5)
    assert _signed_by(network, 2) > seen

    for node in network.nodes.values():
        node.kill()
    before = network.height()
    network.start(0, 1, 2, 3)
    network.await_height(before + 3)
    for node in network.nodes.values():
        assert node.terminate() == 0
    assert agree(network) > before + 3


def _signed_by(network: Network, index: int) -> int:
    """The highest block of the validator's own that became final."""
    return max((f["height"] for f in network.nodes[0].finals() if index in f["signers"]), default=0)


def test_a_lone_validator_goes_on_after_any_death(tmp_path: Path) -> None:
    network = Network(tmp_path, 1)
    try:
        for number in (1, 2, 4, 7):
            network.start(0, WATTEST_CRASH_AT=str(number))
            assert network.nodes[0].wait() == 137
        before = network.nodes[0].height()
        network.start(0)
        network.await_height(before + 3)
        assert network.nodes[0].terminate() == 0
        assert agree(network) > before + 3
    finally:
        network.stop()


def test_stops_with_70_where_the_disk_takes_no_more(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk; the last height of the log is still there afterwards."""
    network = Network(tmp_path, 1)
    node = Process(network.homes[0], largest_file=20_000)
    assert node.wait() == 70
    said = (network.homes[0] / "stderr").read_text()
    assert "disk" in said
    network.start(0)
    network.await_height(node.height() + 2)
    assert network.nodes[0].terminate() == 0
    agree(network)
