"""Final blocks taken with their signatures left to those who made them final: what is skipped, and what never is."""

import pytest
from harness.finalized import FinalizedWorld, lively_world
from msgspec import structs

from node.ledger import Ledger
from state.block import Block, tx_root
from state.errors import BlockInvalid
from state.store import MemoryStore
from state.transaction import decode_transaction, encode_transaction

replace = structs.replace


@pytest.fixture(scope="module")
def world() -> FinalizedWorld:
    return lively_world()


def before(world: FinalizedWorld, height: int) -> Ledger:
    """A ledger at the block below `height`."""
    ledger = Ledger.open(MemoryStore(), world.parsed_genesis, world.chain)
    for each in range(1, height):
        block = world.ledger.block_at(each)
        assert block is not None
        ledger.commit(block, b"", each)
    return ledger


def signed_block(world: FinalizedWorld) -> Block:
    """The newest block with a transaction that somebody signed."""
    blocks = (world.ledger.block_at(height) for height in range(world.height, 0, -1))
    return next(b for b in blocks if b and b.transactions and decode_transaction(b.transactions[0]).signatures)


def with_a_bad_signature(block: Block) -> Block:
    """As a quorum could sign it that checks nothing: everything right but one signature."""
    transaction = decode_transaction(block.transactions[0])
    forged = replace(transaction, signatures=(bytes(64), *transaction.signatures[1:]))
    transactions = (encode_transaction(forged), *block.transactions[1:])
    return replace(block, header=replace(block.header, tx_root=tx_root(transactions)), transactions=transactions)


def test_every_block_leads_to_the_same_state_with_its_signatures_left_out(world: FinalizedWorld) -> None:
    ledger = Ledger.open(MemoryStore(), world.parsed_genesis, world.chain)
    for height in range(1, world.height + 1):
        block = world.ledger.block_at(height)
        assert block is not None
        ledger.check(block, certified=True)
        ledger.commit(block, b"", height)
    assert ledger.tip.header == world.ledger.tip.header
    assert len(ledger.verifier.cache) == 0, "what was not checked is not remembered as good"
    ledger.audit()


def test_full_checking_finds_a_quorum_that_let_a_forged_signature_pass(world: FinalizedWorld) -> None:
    block = signed_block(world)
    ledger = before(world, block.header.height)
    with pytest.raises(BlockInvalid, match="signature"):
        ledger.check(with_a_bad_signature(block))


def test_certified_checking_takes_the_quorums_word_for_it(world: FinalizedWorld) -> None:
    block = signed_block(world)
    ledger = before(world, block.header.height)
    ledger.check(with_a_bad_signature(block), certified=True)


def test_certified_checking_still_executes_and_compares_the_state(world: FinalizedWorld) -> None:
    block = signed_block(world)
    ledger = before(world, block.header.height)
    with pytest.raises(BlockInvalid, match="state root"):
        ledger.check(replace(block, header=replace(block.header, state_root=bytes(32))), certified=True)
    with pytest.raises(BlockInvalid, match="tx_root"):
        ledger.check(replace(block, transactions=(*block.transactions, block.transactions[0])), certified=True)
    twice = (*block.transactions, block.transactions[0])  # a replay, however it is signed
    replayed = replace(block, header=replace(block.header, tx_root=tx_root(twice)), transactions=twice)
    with pytest.raises(BlockInvalid):
        ledger.check(replayed, certified=True)
