"""Real processes whose links are cut: a few rounds of what `make partitions` does a hundred times."""

import random
from pathlib import Path

import pytest
from harness.cloning import clone_round
from harness.machine import may_split
from network.rounds import Tally, run_network

QUICK_S = (1.5, 3.0)


@pytest.mark.timeout(240)
def test_a_network_survives_partitions_and_comes_back_in_time(tmp_path: Path) -> None:
    """Cut by the kernel where that is permitted, else by the proxies, which the other test uses in any case."""
    tally, dice = Tally(), random.Random(20_261_122)
    run_network(tmp_path, 4, ["halves", "one_way", "flapping"], dice, tally, QUICK_S, netns=may_split())
    assert [(result.fault, result.back_s) for result in tally.results if result.over_gate] == []
    assert tally.promised > 20, "hardly anything flowed"
    assert tally.clean, tally


@pytest.mark.timeout(240)
def test_a_key_on_both_sides_of_a_partition_forks_nothing_and_loses_its_seat(tmp_path: Path) -> None:
    """A contradiction that reached nobody, because its process ended with it, cannot be held against the key: then the
    dice are thrown once more."""
    for dice in (4, 9):
        cloned = clone_round(tmp_path / str(dice), 4, random.Random(dice), hold_s=3, length=40, idle_ms=300)
        assert cloned.forks == 0
        assert cloned.back_s is not None
        if not cloned.unpunished:
            return
    raise AssertionError(cloned)
