"""Runs with one thing wrong each, under the names that commonware's test-suite of the same protocol gives them.

What the words of a clause say is in `tests/scenarios/`; here whole networks go through it, with the real journal and
rules, and have to go on: a liveness run fails unless everybody finalises again in time.
"""

import pytest
from harness.sim.cluster import Cluster
from harness.sim.options import Cut, Options

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
    "epoch_length": 0,
    "heal_ms": 8_000,
}


def run(seed: int = 900, **changed: object) -> Cluster:
    return Cluster(Options.draw(seed, **{**QUIET, **changed})).run()


def links(one: set[int], other: set[int]) -> tuple[tuple[int, int], ...]:
    return tuple(
        (a, b) for a in range(10) for b in range(10) if {(a, b), (b, a)} & {(x, y) for x in one for y in other}
    )


def test_all_online() -> None:
    """Nobody fails: a block a view, and no view is lost."""
    cluster = run(n=5)
    assert len(cluster.watch.chain) >= 100
    assert cluster.watch.top[1] <= len(cluster.watch.chain) + 3


def test_observer() -> None:
    """Who may join and has not joined follows, and says nothing."""
    cluster = run(epoch_length=12, changes=[("join", 4)], heal_ms=2_000)
    assert cluster.nodes[4].ledger.tip.height > 50


def test_unclean_shutdown() -> None:
    assert run(crash=0.004, heal_ms=40_000).crashes > 5


def test_backfill() -> None:
    """One is away for most of the run, and fetches what it missed as batches."""
    cluster = run(cuts=[Cut(1_000, 40_000, links({3}, {0, 1, 2}))], heal_ms=40_000)
    assert cluster.nodes[3].ledger.tip.height >= 50


def test_one_offline() -> None:
    assert len(run(liars=1, villain="silent").watch.chain) >= 100


def test_slow_validator() -> None:
    assert len(run(use="slow").watch.chain) >= 100


def test_all_recovery() -> None:
    """Nobody hears anybody for half a minute."""
    everybody = {0, 1, 2, 3}
    cluster = run(cuts=[Cut(2_000, 32_000, links(everybody, everybody))], heal_ms=32_000)
    assert max(cluster.finality.recovered.values()) > 32_000


@pytest.mark.parametrize(("one", "other"), [({0, 1}, {2, 3}), ({0, 1, 2}, {3})], ids=["2-2", "3-1"])
def test_partition(one: set[int], other: set[int]) -> None:
    run(cuts=[Cut(2_000, 15_000, links(one, other))], heal_ms=15_000)


def test_one_way_partition() -> None:
    """Two talk to the others and hear nothing of them."""
    deaf = tuple((a, b) for a in (0, 1) for b in (2, 3))
    run(cuts=[Cut(2_000, 15_000, deaf)], heal_ms=15_000)


def test_flapping_partition() -> None:
    run(cuts=[Cut(2_000, 20_000, links({0, 1}, {2, 3}), period_ms=300)], heal_ms=20_000)


def test_slow_and_lossy_links() -> None:
    run(loss=0.25, delay_ms=(1, 2_000), heal_ms=25_000)


def test_survives_burst() -> None:
    """All work comes at once, then nothing."""
    cluster = run(batched=True)
    assert sum(cluster.finality.books.kinds.values()) > 150


def test_hailstorm() -> None:
    """Processes die all the time, everywhere."""
    assert run(crash=0.02, heal_ms=25_000).crashes > 20


def test_twins() -> None:
    """One key on two machines, on both sides of a partition; then the chain must still grow."""
    cluster = run(liars=1, villain="equivocator", cuts=[Cut(2_000, 15_000, links({0, 1}, {2, 3}))], heal_ms=15_000)
    assert len(cluster.watch.chain) >= 100


@pytest.mark.parametrize(
    "villain",
    [
        pytest.param("sign_everything", id="conflicter"),
        pytest.param("invalid_proposer", id="invalid"),
        pytest.param("impersonator", id="impersonator"),
        pytest.param("equivocator", id="equivocator"),
        pytest.param("reconfigurer", id="reconfigurer"),
        pytest.param("nullify_spammer", id="nuller"),
        pytest.param("outdated", id="outdated"),
        pytest.param("withholder", id="withholder"),
        pytest.param("one_way_deaf", id="one_way_deaf"),
    ],
)
def test_one_of_four_lies(villain: str) -> None:
    assert len(run(liars=1, villain=villain, epoch_length=12, changes=[]).watch.chain) >= 100


def test_an_equivocator_loses_its_seat() -> None:
    """Evidence of two votes goes onto the ledger, and the next set of validators is without it."""
    cluster = run(seed=903, liars=1, villain="equivocator", epoch_length=12, changes=[])
    assert cluster.finality.books.kinds["evidence"] >= 1
    liar = next(iter(cluster.villains))
    assert liar not in cluster.watch.nodes_of(max(cluster.watch.sets))


def test_a_validator_that_lost_its_votes_observes_and_comes_back() -> None:
    cluster = run(seed=902, use="forgets", epoch_length=6, changes=[])
    node = cluster.nodes[cluster.options.forgetful[0]]
    assert 2 <= node.term.seat.journal.header.valid_from_epoch <= node.epoch
    assert node.term.engine.standing().may_vote


def test_one_joins_one_leaves_and_two_rotate_while_others_crash() -> None:
    changes = [("join", 6), ("leave", 0), ("rotate", 1), ("rotate", 2)]
    cluster = run(n=6, crash=0.002, loss=0.1, epoch_length=8, changes=changes, heal_ms=25_000)
    first, last = cluster.watch.sets[0], cluster.watch.sets[max(cluster.watch.sets)]
    assert cluster.watch.nodes_of(max(cluster.watch.sets)) == (1, 2, 3, 4, 5, 6)
    assert len({*first, *last}) == len(first) + 3, "one new member and two new keys"


def test_more_than_f_that_lost_their_votes_stop_the_chain_and_never_fork_it() -> None:
    """The way out is a new genesis from the last final state; a heuristic would be a fork."""
    cluster = run(live=False, heal_ms=10**9, forgetful=(0, 1), epoch_length=6, changes=[])
    assert 10 < len(cluster.watch.chain) < 100
    assert cluster.now_ms > 200_000
    assert not any(cluster.nodes[index].term.engine.standing().may_vote for index in (0, 1))


@pytest.mark.parametrize("wrong_ms", [3_600_000, -3_600_000])
def test_clock_of_one_is_an_hour_off(wrong_ms: int) -> None:
    cluster = run(skew_ms={0: 0, 1: wrong_ms, 2: 100, 3: -100})
    times = [cluster.executions.header(block_hash).timestamp_ms for block_hash in cluster.watch.chain.values()]
    assert times == sorted(set(times))
    assert times[-1] <= 1_700_000_000_000 + cluster.now_ms + 2_100, "no block is ahead of honest clocks"


def test_checking_a_block_takes_longer_than_the_first_timer() -> None:
    cluster = run(live=False, heal_ms=10**9, execution_ms=3_000)
    assert len(cluster.watch.chain) > 10


@pytest.mark.parametrize("n", [1, 2, 3])
def test_so_few_validators_bear_no_fault_but_any_number_of_restarts(n: int) -> None:
    assert run(n=n, crash=0.004).crashes > 0


def test_set_grows_from_one_to_three() -> None:
    cluster = run(n=1, epoch_length=5, changes=[("join", 1), ("join", 2)])
    assert cluster.watch.nodes_of(max(cluster.watch.sets)) == (0, 1, 2)


def test_a_validator_without_votes_that_dies_again_keeps_what_it_settled() -> None:
    """It had learnt from when on it may vote, and died before the next block: the journal was called older than the
    state and thrown away a second time."""
    Cluster(
        Options.draw(7_000_005, epoch_length=6, n=4, liars=0, changes=[("rotate", 0), ("rotate", 1)], crash=0.012)
    ).run()


# --- states of others


FETCHING: dict[str, object] = {"keep_blocks": 12, "loss": 0.02, "heal_ms": 20_000}


def test_who_joins_below_the_pruning_horizon_begins_from_a_state() -> None:
    cluster = run(**FETCHING, epoch_length=6, changes=[("join", 4)], late={4: 15_000}, snapshots=(4,))
    assert cluster.installed_states >= 1
    assert cluster.nodes[4].ledger.base.history_from > 12
    assert cluster.nodes[4].term.index is not None, "and is in office now"


def test_who_was_away_for_longer_than_bodies_are_kept_is_led_back_by_its_operator() -> None:
    """Nobody had told it to fetch states: it asks for blocks, hears that nobody keeps them, and says so."""
    cut = Cut(2_000, 40_000, links({3}, {0, 1, 2}))
    cluster = run(**{**FETCHING, "heal_ms": 40_000}, cuts=[cut], snapshots=())
    assert cluster.installed_states == 1
    assert cluster.nodes[3].term.engine.standing().may_vote, "its journal has learnt of the new state"


def test_who_knows_only_how_its_epoch_ended_hears_that_nobody_keeps_that_block() -> None:
    """It had a Finalization of it, asked for it by its hash for ever, and who has pruned it says nothing to a hash."""
    cluster = run(**FETCHING, epoch_length=6, changes=[("join", 4)], late={4: 18_000}, snapshots=())
    assert cluster.installed_states == 1
    assert cluster.nodes[4].ledger.base.history_from > 12


@pytest.mark.parametrize("epoch_length", [0, 6])
def test_who_lost_its_state_and_has_its_votes_never_contradicts_them(epoch_length: int) -> None:
    cluster = run(**FETCHING, epoch_length=epoch_length, changes=[], wiped=[(15_000, 2, False)], snapshots=(2,))
    assert cluster.nodes[2].term.engine.standing().may_vote
    assert cluster.nodes[2].ledger.tip.height > 50


def test_who_lost_its_state_and_its_votes_observes_for_two_epochs() -> None:
    cluster = run(**FETCHING, epoch_length=6, changes=[], wiped=[(10_000, 2, True)], snapshots=(2,))
    node = cluster.nodes[2]
    assert 2 <= node.term.seat.journal.header.valid_from_epoch <= node.epoch
    assert node.term.engine.standing().may_vote


def test_false_states_are_thrown_away() -> None:
    """Two of seven lie, each attempt another way; who asks them ends with a state of this chain all the same."""
    settings = {"n": 7, "liars": 2, "villain": "silent", "epoch_length": 6, "changes": [], "crash": 0.002}
    runs = [run(930 + seed, **settings, snapshot=True, heal_ms=20_000) for seed in range(4)]
    assert sum(cluster.installed_states for cluster in runs) > 3


def test_who_waits_for_a_state_does_not_stop_the_chain_that_needs_it() -> None:
    """Nobody can offer one while the tip is not final by its own votes, and without this node nothing becomes final."""
    Cluster(Options.draw(7_000_008, snapshot=True, n=4, liars=1, live=True, crash=0.012)).run()


def test_chunks_that_an_earlier_question_left_over_are_no_lie() -> None:
    """A slow peer was given up, asked again, and its old answers came first: it was banned for them."""
    for seed in (9, 14, 33):
        Cluster(Options.draw(seed, snapshot=True)).run()
