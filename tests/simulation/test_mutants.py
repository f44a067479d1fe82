"""The simulator must notice every rule that is left out, in seeds that were not used while it was written.

A green simulation says nothing by itself: uniform faults miss the worst mistakes. `WATTEST_MUTANT_SEEDS` raises the
number of seeds that a mutant may survive, `WATTEST_MUTANT_FIRST` moves to a fresh range.
"""

import os
from typing import Any

import pytest
from harness import mutants
from harness.simulation import Options, Simulation

LIMIT = int(os.environ.get("WATTEST_MUTANT_SEEDS", "400"))
FIRST = int(os.environ.get("WATTEST_MUTANT_FIRST", "5000000"))

SIGNER: dict[str, Any] = {"villain": "sign_everything", "dense": True}
CLONE: dict[str, Any] = {"villain": "equivocator"}

# the mutant, and the faults that are looked for first
MUTANTS: list[tuple[mutants.Mutant, dict[str, Any]]] = [
    (mutants.finalize_after_nullify, {}),
    (mutants.quorum_of_2f_plus_1, {"n": 5}),
    (mutants.parent_not_checked, SIGNER | {"n": 4}),
    (mutants.sent_before_durable, {"dense": True}),
    (mutants.nullify_not_durable, {"dense": True}),
    (mutants.builds_again_after_restart, {"dense": True}),
    (mutants.last_proposal_wins, CLONE | {"n": 4}),
    (mutants.signer_counted_twice, {}),
    (mutants.own_votes_not_counted_again, {"n": 2, "dense": True}),
    (mutants.nothing_sent_again, {}),
    (mutants.nullified_node_ignores_the_notarization, {}),
    (mutants.view_advanced_by_timer, {"n": 4}),
]


@pytest.mark.parametrize(("mutant", "faults"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_the_simulator_notices(mutant: mutants.Mutant, faults: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = mutant(monkeypatch)
    for seed in range(FIRST, FIRST + LIMIT):
        try:
            Simulation(Options.draw(seed, **faults), **settings).run()
        except AssertionError as noticed:
            print(f"{mutant.__name__}: seed {seed}, after {seed - FIRST + 1} runs: {str(noticed).splitlines()[0]}")
            return
    raise AssertionError(f"{mutant.__name__} survived seeds {FIRST} to {FIRST + LIMIT - 1}")
