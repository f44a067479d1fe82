"""Real processes whose links are cut: a few rounds of what `make partitions` does a hundred times."""

import random
from pathlib import Path

import pytest
from harness.cloning import OWN_KEY_ELSEWHERE, clone_round
from network.rounds import Tally, run_network

QUICK_S = (2.0, 3.5)


@pytest.mark.timeout(240)
def test_a_network_survives_a_round_of_each_partition_and_comes_back_in_time(tmp_path: Path) -> None:
    tally, dice = Tally(), random.Random(20_261_122)
    run_network(tmp_path, 4, ["halves", "one_way", "flapping", "paused"], dice, tally, QUICK_S)
    assert [(result.fault, result.back_s) for result in tally.results if result.over_gate] == []
    assert tally.promised > 20, "hardly anything flowed"
    assert tally.clean, tally


@pytest.mark.timeout(240)
def test_a_key_on_both_sides_of_a_partition_forks_nothing_and_loses_its_seat(tmp_path: Path) -> None:
    """The dice put the clone on the side that stands still, where it contradicts what the original signs."""
    cloned = clone_round(tmp_path, 4, random.Random(3))
    assert cloned.forks == 0
    assert cloned.back_s is not None
    assert not cloned.unpunished, cloned
    assert OWN_KEY_ELSEWHERE in cloned.exits.values(), "the original did not notice"
