"""How long a view lasts, and whose time is up."""

import pytest
from harness import toy_ledger
from harness.vote_keys import VoteKeys

from consensus.leading import block_time_ms, hold_back_ms
from consensus.timers import Presence, Timing

LAN = Timing()


@pytest.mark.parametrize(
    ("views", "patience_ms"), [(1, 2_000), (2, 2_000), (3, 3_000), (4, 4_500), (5, 6_750), (8, 16_000), (1_000, 16_000)]
)
def test_patience_grows_with_views_since_finalization_up_to_its_cap(views: int, patience_ms: int) -> None:
    assert LAN.patience_ms(100 + views, 100) == patience_ms


def test_no_timer_is_longer_than_the_longest() -> None:
    assert LAN.wait_ms(False) + LAN.patience_ms(10**6, 0) == LAN.longest_ms == 26_000


def test_work_shortens_the_wait() -> None:
    assert (LAN.wait_ms(True), LAN.wait_ms(False)) == (200, 10_000)


def presence(view: int, *seen: int) -> Presence:
    made = Presence(4, 3, 1)
    for signer, last in enumerate(seen):
        made.saw(signer, last)
    return made


def test_leader_that_was_silent_for_2n_views_gets_no_time() -> None:
    assert presence(1, 10, 1, 10, 10).skipped(1, 10)
    assert not presence(1, 9, 1, 9, 9).skipped(1, 9)


def test_leader_is_not_skipped_while_too_few_others_are_heard() -> None:
    assert not presence(1, 10, 1, 10, 1).skipped(1, 10)


def test_leader_that_speaks_again_is_waited_for_again() -> None:
    heard = presence(1, 10, 1, 10, 10)
    heard.saw(1, 10)
    assert not heard.skipped(1, 13)


def test_node_that_just_started_skips_nobody() -> None:
    fresh = Presence(4, 3, 500)
    assert not any(fresh.skipped(leader, 501) for leader in range(4))


PARENT = toy_ledger.genesis_header(VoteKeys(1).validators, 1_000_000)


@pytest.mark.parametrize(
    ("time_ms", "work", "held_ms"),
    [
        (1_000_000, False, 10_000),
        (1_004_000, False, 6_000),
        (1_010_000, False, 0),
        (1_050_000, False, 0),
        (1_000_000, True, 200),
        (1_000_300, True, 0),
        (1_000_000 - 3_600_000, False, 10_000),  # a clock that is an hour slow costs one interval, not an hour
        (1_000_000 - 3_600_000, True, 200),
    ],
)
def test_leader_holds_its_block_back_from_the_parents_time(time_ms: int, work: bool, held_ms: int) -> None:
    assert hold_back_ms(PARENT, time_ms, LAN, work) == held_ms


def test_block_time_is_the_leaders_clock_but_after_the_parent() -> None:
    assert block_time_ms(PARENT, 1_000_500) == 1_000_500
    assert block_time_ms(PARENT, 1_000_000) == 1_000_001
    assert block_time_ms(PARENT, 5) == 1_000_001
