"""Whole clusters under faults and villains, a seed each.

`WATTEST_SEEDS=50000` runs the full form, 200 simulated seconds of faults a seed; `WATTEST_FIRST_SEED` says where to
begin. A failure names its seed and every option drawn from it; `Simulation(Options.draw(seed)).run()` plays it again.
"""

import os

import pytest
from harness.simulation import Options, Simulation

LONG = "WATTEST_SEEDS" in os.environ
SEEDS = int(os.environ.get("WATTEST_SEEDS", "400"))
FIRST = int(os.environ.get("WATTEST_FIRST_SEED", "0"))
CHUNKS = 8


@pytest.mark.timeout(0 if LONG else 120)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_one_chain_one_vote_and_recovery_in_time(chunk: int) -> None:
    seeds = range(FIRST + chunk, FIRST + SEEDS, CHUNKS)
    print(f"seeds {seeds}")
    for seed in seeds:
        Simulation(Options.draw(seed, long=LONG)).run()


@pytest.mark.parametrize("seed", [3, 7, 11, 20])
def test_one_seed_is_one_run(seed: int) -> None:
    first, second = (Simulation(Options.draw(seed)).run() for _ in range(2))
    print(f"seed {seed}: {first.events} events, audit hash {first.audit_hash}")
    assert (first.audit_hash, first.events) == (second.audit_hash, second.events)
    assert first.events > 100


def test_other_seeds_are_other_runs() -> None:
    hashes = {Simulation(Options.draw(seed)).run().audit_hash for seed in range(20)}
    assert len(hashes) == 20


EPOCH_SEEDS = int(os.environ.get("WATTEST_EPOCH_SEEDS", "60"))


@pytest.mark.timeout(0 if LONG else 120)
@pytest.mark.parametrize("chunk", range(2))
def test_one_member_is_replaced_at_the_end_of_every_epoch(chunk: int) -> None:
    """The epoch rule under loss, partitions, crashes and one liar."""
    crossed = []
    for seed in range(FIRST + chunk, FIRST + EPOCH_SEEDS, 2):
        crossed.append(Simulation(Options.draw_epochs(seed)).run().epochs)
    print(f"seeds {FIRST + chunk}.. by 2: {min(crossed)} to {max(crossed)} epochs crossed, {sum(crossed)} in all")
    assert sum(crossed) >= len(crossed), "too few to say anything"
