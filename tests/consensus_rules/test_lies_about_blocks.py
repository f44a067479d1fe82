"""One engine that is late: what it does with a batch of blocks that does not hold."""

import pytest
from harness.lone_engine import FINALIZE, LoneEngine

from consensus.effects import Blame, Commit, Fetch
from consensus.messages import MAX_BLOCKS, BlockBody, Blocks, GetBlock, GetBlocks
from state.block import Block, header_hash

LATE = 5


@pytest.fixture
def late() -> tuple[LoneEngine, list[Block]]:
    """It knows that block 5 is final and has asked for the four below it."""
    alone = LoneEngine()
    blocks: list[Block] = []
    for height in range(1, LATE + 1):
        blocks.append(alone.block(blocks[-1].header if blocks else alone.genesis, height))
    alone.hear_quorum(FINALIZE, alone.position(blocks[-1], LATE, LATE - 1))
    alone.hear(BlockBody(blocks[-1]))
    assert [fetch.request for fetch in alone.wanted(Fetch)] == [GetBlocks(1, LATE - 1)]
    return alone, blocks


def batch(alone: LoneEngine, blocks: list[Block]) -> Blocks:
    final = alone.quorum(FINALIZE, alone.position(blocks[-1], LATE, LATE - 1))
    return Blocks(tuple(blocks[:-1]), (blocks[-1].header,), final)


def test_a_batch_that_holds_is_committed_with_what_was_there(late: tuple[LoneEngine, list[Block]]) -> None:
    alone, blocks = late
    alone.hear(batch(alone, blocks))
    assert [commit.block for commit in alone.wanted(Commit)] == blocks
    assert not alone.wanted(Blame)


def test_a_lie_is_blamed_and_another_peer_asked_at_once(late: tuple[LoneEngine, list[Block]]) -> None:
    alone, blocks = late
    alone.hear(batch(alone, [blocks[0], *blocks[2:]]), "liar")
    assert [blame.peer for blame in alone.wanted(Blame)] == ["liar"]
    assert not alone.wanted(Commit)
    assert [(fetch.request, fetch.attempt) for fetch in alone.wanted(Fetch)] == [(GetBlocks(1, LATE - 1), 1)]


def test_silence_costs_two_delays_and_then_another_peer_is_asked(late: tuple[LoneEngine, list[Block]]) -> None:
    alone, _ = late
    alone.fire(99)
    assert not alone.wanted(Fetch)
    alone.pass_time(2 * 500)
    alone.fire(99)  # any input: the follower looks at the time itself
    assert [fetch.attempt for fetch in alone.wanted(Fetch)] == [1]


@pytest.mark.parametrize("known", [0, 1], ids=["no block", "the newest block"])
def test_final_block_that_nobody_hands_out_is_asked_for_by_height_too(known: int) -> None:
    """Who does not keep it answers nothing to its hash; to a height it says from where on it keeps blocks."""
    alone = LoneEngine()
    first = alone.block(alone.genesis, 1)
    second = alone.block(first.header, 2)
    alone.hear_quorum(FINALIZE, alone.position(second, 2, 1))
    if known:
        alone.hear(BlockBody(second))
    by_hash = GetBlock(header_hash((first if known else second).header))
    assert [fetch.request for fetch in alone.wanted(Fetch)] == [by_hash]
    alone.pass_time(2 * 500)
    alone.fire(99)
    assert [fetch.request for fetch in alone.wanted(Fetch)] == [by_hash, GetBlocks(1, 1 if known else MAX_BLOCKS)]
    alone.hear(Blocks((first, second), (), alone.quorum(FINALIZE, alone.position(second, 2, 1))))
    assert [commit.block for commit in alone.wanted(Commit)] == [first, second]


def test_an_answer_that_comes_too_late_is_no_lie(late: tuple[LoneEngine, list[Block]]) -> None:
    alone, blocks = late
    alone.hear(batch(alone, blocks))
    alone.hear(batch(alone, blocks), "slow")
    assert not alone.wanted(Blame)
    assert not alone.wanted(Commit)
