"""Nodes that keep the transactions of the newest blocks only: what stays, what is said of the rest."""

import pytest
from harness.finalized import FinalizedWorld, lively_world

from cli.verify_statement import verify_proof
from node.ledger import Ledger
from node.proof import build_proof, hops_to
from node.queries.certificates import certificate_dict, certificates_page
from node.queries.chain import block_at, block_message, events_of, header_at, transaction_dict
from node.queries.supply import Supply
from node.sync import Source, blocks_from, peer_to_ask
from node.texts import texts
from state.errors import NotHeld
from state.history import where
from state.kept import Base
from state.records import Statement
from state.store import MemoryStore

LENGTH, KEPT = 32, 20


@pytest.fixture(scope="module")
def world() -> FinalizedWorld:
    world = lively_world(epoch_length=LENGTH)
    while world.height < 2 * LENGTH + 5:
        world.block()
    return world


def follow(world: FinalizedWorld, ledger: Ledger) -> Ledger:
    for height in range(ledger.tip.height + 1, world.height + 1):
        block, finalization = world.ledger.block_at(height), world.ledger.finalization_at(height)
        assert block is not None
        assert finalization is not None
        ledger.commit(block, finalization, height)
    return ledger


def opened(world: FinalizedWorld, store: MemoryStore, keep_blocks: int = KEPT) -> Ledger:
    return Ledger.open(store, world.parsed_genesis, world.chain, keep_blocks=keep_blocks)


@pytest.fixture
def pruned(world: FinalizedWorld) -> Ledger:
    return follow(world, opened(world, MemoryStore()))


def test_the_newest_blocks_keep_their_transactions_and_older_ones_their_headers(
    world: FinalizedWorld, pruned: Ledger
) -> None:
    first = world.height - KEPT + 1
    assert pruned.base == Base(first, 0)
    for height in range(1, world.height + 1):
        assert (pruned.block_at(height) is not None) == (height >= first)
        assert header_at(pruned.store, height) == header_at(world.store, height)
        assert pruned.finalization_at(height) == world.ledger.finalization_at(height)
        assert events_of(pruned.store, height) == events_of(world.store, height)
        assert block_message(pruned.store, height) == block_message(world.store, height)
    pruned.audit()


def test_indexes_histories_supply_and_light_proofs_outlast_the_transactions(
    world: FinalizedWorld, pruned: Ledger
) -> None:
    for serial in (1, 2, 3):
        assert where(pruned.store, 1, serial) == where(world.store, 1, serial)
    number = certificates_page(world.store, None, None, None, 10)[0][0]["number"]
    assert certificate_dict(pruned.store, number) == certificate_dict(world.store, number)
    assert hops_to(pruned.store, 2) == hops_to(world.store, 2)
    counted, whole = Supply(), Supply()
    assert not counted.advance(pruned.store, 1_000)
    assert not whole.advance(world.store, 1_000)
    assert counted.schemes == whole.schemes


def test_it_opens_again_and_goes_on(world: FinalizedWorld) -> None:
    store = MemoryStore()
    follow(world, opened(world, store))
    again = opened(world, store)
    assert again.base == Base(world.height - KEPT + 1, 0)
    assert blocks_from(again, world.height - 3, 64) == blocks_from(world.ledger, world.height - 3, 64)


def test_a_setting_that_was_lowered_takes_effect_a_few_blocks_at_a_time(world: FinalizedWorld) -> None:
    store = MemoryStore()
    archive = opened(world, store, keep_blocks=0)
    for height in range(1, world.height - 4):
        block, finalization = world.ledger.block_at(height), world.ledger.finalization_at(height)
        assert block is not None
        assert finalization is not None
        archive.commit(block, finalization, height)
    assert archive.base == Base()
    lowered = follow(world, opened(world, store))
    assert 1 < lowered.base.bodies_from < world.height - KEPT + 1
    assert lowered.block_at(0) is not None  # what ties the store to the genesis is never dropped


def test_refuses_what_needs_dropped_transactions_and_an_archive_still_proves_it(
    world: FinalizedWorld, pruned: Ledger
) -> None:
    statement = next(row for _, row in world.store.scan(b"\x20", b"\x21") if isinstance(row, Statement))
    for question in (
        lambda: block_at(pruned.store, 5),
        lambda: transaction_dict(pruned.store, statement.txid, texts("en")),
        lambda: build_proof(pruned.store, statement.id),
    ):
        with pytest.raises(NotHeld) as refused:
            question()
        assert refused.value.params["held_from"] == pruned.base.bodies_from
    assert verify_proof(build_proof(world.store, statement.id), world.genesis_text)["statement_hash"]


def test_no_blocks_are_sent_from_below_what_is_kept(pruned: Ledger) -> None:
    assert blocks_from(pruned, 5, 64) is None


def test_blocks_are_asked_of_everybody_in_turn_and_of_nobody_who_dropped_them() -> None:
    sources = [Source("a", 100), Source("b", 100), Source("c", 100, bodies_from=60), Source("d", 10)]
    assert {peer_to_ask(sources, 50, 0, turn) for turn in range(6)} == {"a", "b"}
    assert {peer_to_ask(sources, 70, 0, turn) for turn in range(6)} == {"a", "b", "c"}
    assert {peer_to_ask(sources, 50, attempt) for attempt in range(8)} == {"a", "b", "d"}
    assert peer_to_ask([Source("c", 100, bodies_from=60)], 50, 0) is None
    assert peer_to_ask([], 50, 0) is None
