"""Whole networks under faults and villains, a seed each: real engine, journal and rules (`harness/sim`).

The seeds themselves are `make sim SEEDS=a:b`, a step of its own in `make check`; here the simulator itself is tested. A
failure prints every option drawn from its seed, the command that plays it again, and the last events.
"""

import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import get_args

import pytest
from harness.sim.cluster import Cluster
from harness.sim.conservation import OUTPUTS, RECOUNT, Books
from harness.sim.disk import FakeDisk
from harness.sim.options import BLOCKS, LONGEST_MS, SIZES, Options
from harness.sim.run import play
from harness.sim.states import WHERE, States
from harness.sim.villains import VILLAINS
from harness.sim.watch import Violation, Watch

from node.staging import CURRENT
from state.keyspace import output_key, space_end
from state.outputs import Bundle
from state.store import Store
from state.transaction import Action

ROOT = Path(__file__).resolve().parents[2]
PATHS = (ROOT, ROOT / "tests")
SEEDS = (0, 4, 19, 107)  # the last with signatures and bytes as they are; `make check` plays the first three hundred
KINDS = {str(kind.__struct_config__.tag) for kind in get_args(Action)} - {"evidence"}  # that comes with who lies


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_one_chain_one_vote_nothing_lost_and_recovery_in_time(seed: int) -> None:
    result = play(seed)
    assert not result.kind, result.report


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [3, 7, 9, 27])
def test_one_seed_is_one_run(seed: int) -> None:
    first, second = play(seed), play(seed)
    print(f"seed {seed}: {first.events} events, audit hash {first.audit}")
    assert (first.audit, first.events, first.blocks) == (second.audit, second.events, second.blocks)
    assert first.events > 1_000


def test_a_run_does_not_depend_on_the_hashes_of_a_process() -> None:
    program = "from harness.sim.run import play; print(play(5, blocks=30).audit)"
    found = set()
    for hash_seed in ("0", "9"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(map(str, PATHS))}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1


def test_other_seeds_are_other_runs() -> None:
    assert len({play(seed, n=1).audit for seed in range(6)}) == 6


def test_every_size_and_villain_is_drawn() -> None:
    drawn = [Options.draw(seed) for seed in range(300)]
    assert {options.n for options in drawn} == set(SIZES) == {1, 4, 5, 6, 7, 10}
    assert {kind for options in drawn for kind in options.villains.values()} == set(VILLAINS)
    assert {options.live for options in drawn} == {True, False}
    assert any(options.forgetful for options in drawn)
    assert any(options.frozen for options in drawn)
    together = [o for o in drawn if o.epoch_length and o.changes and o.villains and o.crash and o.cuts]
    assert len(together) > len(drawn) / 20, "members change while others lie, crash and are cut off"


@pytest.mark.parametrize("seed", [1, 13])
def test_a_quiet_run_covers_a_hundred_blocks_and_ten_transactions_of_every_kind(seed: int) -> None:
    cluster = Cluster(Options.draw(seed, n=4, live=True)).run()
    assert len(cluster.watch.chain) >= BLOCKS or cluster.now_ms > LONGEST_MS
    assert {
        kind: cluster.finality.books.kinds.get(kind, 0)
        for kind in KINDS
        if cluster.finality.books.kinds.get(kind, 0) < 10
    } == {}


# --- the watchers themselves


def test_refuses_two_blocks_of_one_height() -> None:
    watch = Watch(4, ())
    watch.final(1, b"a")
    watch.final(1, b"a")
    with pytest.raises(Violation, match="two blocks are final at height 1"):
        watch.final(1, b"b")


def test_refuses_money_from_nowhere() -> None:
    cluster = Cluster(Options.draw(0, n=1, crash=0.0)).run()
    first = cluster.watch.chain[1]
    state, output = cluster.executions.view(first), cluster.executions.executed(first).output
    books = Books(state)  # type: ignore[arg-type]
    books.enter(1, state, {}, (), output)  # type: ignore[arg-type]
    books.money -= 1
    with pytest.raises(AssertionError, match="block 1 leaves"):
        books.enter(1, state, {}, (), output)  # type: ignore[arg-type]


def test_refuses_one_certificate_of_two_holders() -> None:
    cluster = Cluster(Options.draw(0, n=1, crash=0.0)).run()
    chain = cluster.watch.chain
    state, output = cluster.executions.view(chain[1]), cluster.executions.executed(chain[1]).output
    held = next(bundle for _, bundle in state.scan(OUTPUTS, space_end(OUTPUTS)) if isinstance(bundle, Bundle))
    with pytest.raises(AssertionError, match="certificates of two holders"):
        Books(state).enter(1, state, {output_key(bytes(34)): held}, (), output)  # type: ignore[arg-type]


def test_refuses_a_state_that_nothing_led_to() -> None:
    cluster = Cluster(Options.draw(0, n=1, crash=0.0)).run()
    chain = cluster.watch.chain
    first, last = (cluster.executions.view(chain[height]) for height in (1, max(chain)))
    books, output = Books(first), cluster.executions.executed(chain[1]).output  # type: ignore[arg-type]
    books.enter(RECOUNT - 1, last, {}, (), output)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match=f"block {RECOUNT} leaves"):
        books.enter(RECOUNT, last, {}, (), output)  # type: ignore[arg-type]


@pytest.mark.parametrize("torn", [b"\xf6", b"7", b"", b"rows 7"])
def test_a_state_that_was_torn_while_it_began_is_begun_again(tmp_path: Path, torn: bytes) -> None:
    class Living:
        def maybe_die(self) -> None:
            pass

    states = States(FakeDisk(tmp_path, Living(), Random(0)), lambda: None)
    states.begin(CURRENT)
    (states.data / CURRENT / WHERE).write_bytes(torn)
    assert Store(states.current()).meta() is None
