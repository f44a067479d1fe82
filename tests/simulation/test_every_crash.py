"""One process dies once, at each place where something becomes durable, is sent or is stored, and starts again.

Nobody may contradict itself, everybody finalises again in time, and all ledgers agree. The full form takes every place
of every node: `WATTEST_EVERY_CRASH=1`, some thousand runs; here every three-hundredth of one of them.
"""

import os

import pytest
from harness.sim.cluster import Cluster
from harness.sim.options import Options

FULL = "WATTEST_EVERY_CRASH" in os.environ
STRIDE = 1 if FULL else 300
QUIET: dict[str, object] = {
    "n": 4,
    "live": True,
    "liars": 0,
    "use": "none",
    "loss": 0.0,
    "crash": 0.0,
    "duplication": 0.0,
    "delay_ms": (5, 50),
    "cuts": [],
    "clock_steps": [],
    "epoch_length": 6,
    "changes": [("rotate", 0), ("join", 4)],
    "segment_bytes": 6_000,  # so that places of a rotation are among them
    "heal_ms": 12_000,
    "blocks": 14,
}


def dying(node: int, place: int) -> Cluster:
    return Cluster(Options.draw(77, die_at=(node, place), **QUIET)).run()


@pytest.mark.timeout(0 if FULL else 120)
@pytest.mark.parametrize("node", range(5) if FULL else [0])
def test_a_process_may_die_anywhere(node: int) -> None:
    places = dying(node, 0).deaths.places
    assert places > 300
    for place in range(1 + node, places, STRIDE):
        print(f"node {node} dies at place {place} of {places}")
        cluster = dying(node, place)
        assert cluster.crashes == 1
        assert len({each.ledger.block_at(10) for each in cluster.nodes}) == 1


FETCHING = {"keep_blocks": 12, "snapshots": (1,), "wiped": [(9_000, 1, False)], "changes": [], "blocks": 30}


@pytest.mark.timeout(0 if FULL else 120)
def test_a_process_may_die_anywhere_while_it_fetches_a_state() -> None:
    """Between two chunks, before and after each rename, and while its journal learns of the new state."""

    def dying_at(place: int) -> Cluster:
        return Cluster(Options.draw(77, die_at=(1, place), **{**QUIET, **FETCHING, "heal_ms": 20_000})).run()

    whole = dying_at(0)
    first, last = whole.deaths.fetching
    assert whole.installed_states == 1
    assert last - first > 30, "chunks, rows, renames and the journal"
    for place in range(first, last + 2, 1 if FULL else 17):
        cluster = dying_at(place)
        assert cluster.crashes == 2, "when it lost its state, and when it died"
        assert cluster.installed_states in (1, 2)
        assert len({each.ledger.header_at(28) for each in cluster.nodes} - {None}) == 1
