"""Conservation: whatever happens on the ledger, in whatever order, nothing appears, doubles or vanishes.

A state machine plays random stories (`harness.stories`) against a plain dictionary (`harness.model`): certificate
number -> (holder, where it is). After each step the whole ledger is compared with it. Some stories are executed again
on a real ledger and audited: the books that know no rule must add up too. `WATTEST_EXAMPLES` multiplies the number of
stories, `WATTEST_STORIES` names it (`make stories`), `WATTEST_SEED` begins them elsewhere.
"""

import os
import tempfile
from pathlib import Path

import pytest
from harness.model import FIRST_DAYS, HOURLY, PEOPLE, START_EUROS, FinalTown, HashedTown
from harness.stories import LADDER, Stories
from harness.world import DAY, genesis_json
from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from node.auditing.chain_file import chain_records
from node.auditing.replay import Replay
from state.records import Expiry, Scheme
from state.transaction import SchemeContent

FACTOR = int(os.environ.get("WATTEST_EXAMPLES", "1"))
RUNS = int(os.environ.get("WATTEST_STORIES", "0")) or 60 * FACTOR
AUDITED = max(10, RUNS // 50)
PHASES = [Phase.generate]  # a failing story is printed as it was found: to shrink it takes minutes
SEED = int(os.environ.get("WATTEST_SEED", "0"))
STEPS = 40
SHORT = {"basis": "issue", "trade_months": 1, "retire_months": 2}
GENESIS = genesis_json(scheme={"expiry": SHORT})
HOUR = Scheme(3, "HOUR", "Wh", 1, 15, "EUR", Expiry("issue", 1, 2), True, 0, "verified", LADDER, 0, 0, 0)


@pytest.fixture(scope="module")
def template() -> HashedTown:
    """Plants 1 and 3 (by the hour) are the plant's, 2 the trader's."""
    town = HashedTown(GENESIS)
    town.device("trader")
    town.accredit(SchemeContent(HOUR), by="Organisation 0")
    assert town.device("plant", scheme=3) == HOURLY
    for name in PEOPLE:
        town.fund(name, START_EUROS)
    lot = town.issue(2, FIRST_DAYS[2, DAY])
    assert lot is not None
    town.move("trader", (lot,), town.piece("plant", 1, 3), town.piece("trader", 4, 6))
    town.move("plant", (town.lot,), town.piece("plant", 1, 4), town.piece("trader", 5, 10))
    return town


class AuditedStories(Stories):
    """On a real ledger, and at the end an audit that finds nothing."""

    def settle_down(self) -> HashedTown | FinalTown:
        return FinalTown(self.template, GENESIS)

    def teardown(self) -> None:
        town = getattr(self, "town", None)
        if not isinstance(town, FinalTown):
            return
        with tempfile.TemporaryDirectory() as folder:
            replay = Replay(Path(folder) / "state")
            replay.run(chain_records(town.store, town.genesis_text, town.height))
            replay.close()
        assert replay.findings.listed == []
        assert replay.totals.executed == town.height


def play(machine: type[Stories], template: HashedTown, runs: int) -> None:
    machine.template = template
    plan = settings(max_examples=runs, stateful_step_count=STEPS, deadline=None, derandomize=not SEED, phases=PHASES)
    print(f"seed {SEED}, {runs} stories")
    run_state_machine_as_test(seed(SEED)(machine) if SEED else machine, settings=plan)


def test_nothing_appears_doubles_or_vanishes(template: HashedTown) -> None:
    play(Stories, template, RUNS)


def test_the_chain_of_a_story_adds_up_by_books_that_know_no_rule(template: HashedTown) -> None:
    play(AuditedStories, template, AUDITED)
