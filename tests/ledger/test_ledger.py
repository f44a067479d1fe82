"""Blocks on blocks: built and checked on overlays, committed whole, the same state on every node."""

import random
from itertools import pairwise

import pytest
from harness.chain import FINALIZATION, LedgerWorld, genesis_and_chain, hash_of, summed_root
from harness.world import genesis_json
from msgspec.structs import replace

from contracts.settle import build_settle
from contracts.transition import DecodedTx, decode_signed
from node.ledger import Ledger
from state.block import Block, tx_root
from state.codec import encode
from state.errors import BlockInvalid, ExecutionDiffers, UnknownBlock
from state.history import height_of, history, ranges, transaction_position, where
from state.keyspace import auction_key, device_key
from state.outputs import Bundle
from state.overlay import Overlay
from state.records import Auction, Device
from state.store import MemoryStore
from state.transaction import Piece, Transaction, Transfer
from state.units import MICRO, Outpoint


def other_node(world: LedgerWorld) -> Ledger:
    """A second node that follows the blocks of the world up to its tip."""
    ledger = Ledger.open(MemoryStore(), *genesis_and_chain(genesis_json()))
    for view, block in enumerate(world.chain_of_blocks):
        ledger.check(block)
        ledger.commit(block, FINALIZATION, view + 1)
    return ledger


def transfer(world: LedgerWorld, point: Outpoint, sender: str, to: str) -> DecodedTx:
    """The whole bundle at `point`."""
    bundle = world.live()[point]
    assert isinstance(bundle, Bundle)
    action = Transfer(world.people[sender], (point,), (Piece(world.people[to], bundle.start, bundle.end),), None)
    return world.transaction(action, by=(sender,))


def test_genesis_becomes_block_0_and_a_second_opening_goes_on_from_it() -> None:
    store, (genesis, chain) = MemoryStore(), genesis_and_chain(genesis_json())
    first = Ledger.open(store, genesis, chain)
    assert (first.tip.height, first.tip.view) == (0, 0)
    assert len(first.validators) == 4
    assert first.tip.header.state_root == summed_root(store)
    assert first.block_at(0) == Block(first.tip.header, ())
    assert first.finalization_at(0) is None
    second = Ledger.open(store, genesis, chain)
    assert second.tip == first.tip
    first.audit()


def test_the_whole_life_of_a_certificate_leaves_two_nodes_with_one_state() -> None:
    world = LedgerWorld()
    world.operators()
    (lot,) = world.with_bundles(whole_mwh=(10,))
    money = world.fund("trader", 100)
    auction = world.auction()
    world.offer("plant", auction, lot, 1, 8, 3 * MICRO)
    world.bid("trader", auction, 5, 4 * MICRO, money)
    world.pass_blocks(9, 10)
    closed = world.state.get(auction_key(auction))
    assert isinstance(closed, Auction)
    world.do(build_settle(world.state, closed))
    bought = world.outputs_of("trader", Bundle)[0]
    start = world.live()[bought].start  # type: ignore[union-attr]
    world.do(world.retire_action("trader", bought, start, start + 1), by=("trader",))

    world.ledger.audit()
    follower = other_node(world)
    follower.audit()
    assert follower.tip.hash == world.ledger.tip.hash
    assert list(follower.store.scan_raw(b"", b"\xff")) == list(world.ledger.store.scan_raw(b"", b"\xff"))

    store = world.ledger.store
    kinds = [(step.kind, step.holder_to) for step in history(store, 1, start)]
    plant, trader = world.people["plant"], world.people["trader"]
    assert kinds == [("issue", plant), ("offer", plant), ("settle", trader), ("retire", 0)]
    found = where(store, 1, start)
    assert found is not None
    assert (found.status, found.holder, found.ended_height) == ("retired", trader, world.ledger.tip.height)
    device = store.get(device_key(1))
    assert isinstance(device, Device)
    covered = [(first, last) for first, last, _ in ranges(store, 1)]
    assert covered[0][0] == 1
    assert all(one[1] + 1 == other[0] for one, other in pairwise(covered))
    assert covered[-1][1] == device.next_serial - 1


def test_expired_certificates_stay_in_the_index() -> None:
    world = LedgerWorld()
    world.with_bundles(whole_mwh=(2,))
    world.pass_blocks(1, 4 * 366 * 86_400)
    found = where(world.ledger.store, 1, 2)
    assert found is not None
    assert (found.status, found.start, found.end) == ("expired", 1, 2)
    assert [step.kind for step in history(world.ledger.store, 1, 1)] == ["issue", "expire"]
    world.ledger.audit()


def test_blocks_transactions_events_and_finalizations_are_found_again() -> None:
    world = LedgerWorld()
    world.register("plant")
    ledger, block = world.ledger, world.chain_of_blocks[-1]
    decoded = decode_signed(block.transactions[0])
    assert transaction_position(ledger.store, decoded.txid) == (1, 0)
    assert height_of(ledger.store, ledger.tip.hash) == 1
    assert ledger.block_at(1) == ledger.block(ledger.tip.hash) == block
    assert ledger.finalization_at(1) == FINALIZATION
    assert [(record.txid, record.event) for record in ledger.events_at(1)] == [
        (decoded.txid, world.outputs[-1].events[0].event)
    ]
    assert (ledger.block_at(2), ledger.block(bytes(32)), ledger.events_at(2)) == (None, None, ())


def test_unfinalised_blocks_chain_and_a_dropped_branch_is_forgotten() -> None:
    world = LedgerWorld()
    (point,) = world.with_bundles()
    ledger, tip = world.ledger, world.ledger.tip
    move = transfer(world, point, "plant", "trader")
    other = transfer(world, point, "plant", "consumer")
    first = ledger.build(tip.hash, [move], world.time_ms + 1, 0)
    sibling = ledger.build(tip.hash, [other], world.time_ms + 1, 1)
    child = ledger.build(hash_of(first), [other], world.time_ms + 2, 1)
    grandchild = ledger.build(hash_of(child), [], world.time_ms + 3, 2)
    nephew = ledger.build(hash_of(sibling), [], world.time_ms + 3, 2)
    assert first.transactions == (move.raw,)
    assert child.transactions == (), "what its parent spent is not spent again"
    for block in (first, sibling, child, grandchild, nephew):
        assert summed_root(ledger.view(hash_of(block))) == block.header.state_root

    ledger.commit(first, b"", 7)
    assert (ledger.tip.hash, ledger.tip.view) == (hash_of(first), 7)
    assert ledger.finalization_at(first.header.height) is None
    for dropped in (sibling, nephew):
        with pytest.raises(UnknownBlock):
            ledger.view(hash_of(dropped))
    nearest = ledger.view(hash_of(child))
    assert isinstance(nearest, Overlay)
    assert nearest.base is ledger.store, "the overlay of what is final would be held for ever"
    for kept in (child, grandchild):
        assert summed_root(ledger.view(hash_of(kept))) == kept.header.state_root
    ledger.commit(child, FINALIZATION, 8)
    ledger.commit(grandchild, FINALIZATION, 9)
    ledger.audit()


@pytest.mark.parametrize("seed", range(4))
def test_any_tree_of_blocks_keeps_the_root_of_each_branch(seed: int) -> None:
    print(f"seed {seed}")
    rng = random.Random(seed)
    world = LedgerWorld()
    points = world.with_bundles(whole_mwh=(3, 4, 5))
    ledger = world.ledger
    moves = [transfer(world, point, "plant", rng.choice(["trader", "consumer"])) for point in points]
    blocks: dict[bytes, Block] = {}
    time_ms = world.time_ms
    for _ in range(25):
        time_ms += 1
        parents = [ledger.tip.hash, *(block_hash for block_hash in blocks if ledger.knows(block_hash))]
        block = ledger.build(rng.choice(parents), rng.sample(moves, 2), time_ms, rng.randrange(4))
        blocks[hash_of(block)] = block
        assert summed_root(ledger.view(hash_of(block))) == block.header.state_root
        if rng.random() < 0.3:
            ready = [b for b in blocks.values() if b.header.parent_hash == ledger.tip.hash]
            ledger.commit(rng.choice(ready), FINALIZATION, time_ms)
            assert summed_root(ledger.store) == ledger.tip.header.state_root
            ledger.audit()


def test_an_early_time_is_raised_above_the_parents() -> None:
    world = LedgerWorld()
    block = world.ledger.build(world.ledger.tip.hash, [], 0, 0)
    assert block.header.timestamp_ms == world.ledger.tip.header.timestamp_ms + 1


def test_a_candidate_that_does_not_hold_is_left_out_with_its_refusal() -> None:
    world = LedgerWorld()
    (point,) = world.with_bundles()
    good, late = transfer(world, point, "plant", "trader"), transfer(world, point, "plant", "consumer")
    block, refused = world.ledger.build_with_refused(world.ledger.tip.hash, [good, late], world.time_ms, 0)
    assert block.transactions == (good.raw,)
    assert [(decoded.txid, refusal.code) for decoded, refusal in refused] == [(late.txid, "spent")]


# --- refusals of a block


@pytest.fixture(name="proposal")
def _proposal() -> tuple[Ledger, Block, LedgerWorld]:
    """A follower's ledger and a good block for it."""
    world = LedgerWorld()
    (point,) = world.with_bundles()
    follower = other_node(world)
    move = transfer(world, point, "plant", "trader")
    return follower, world.ledger.build(world.ledger.tip.hash, [move], world.time_ms + 5, 1), world


Proposal = tuple[Ledger, Block, LedgerWorld]


def test_a_good_proposal_is_accepted_and_checked_once(proposal: Proposal) -> None:
    follower, block, _ = proposal
    assert follower.check(block) == hash_of(block)
    assert follower.check(block) == hash_of(block)
    assert [decoded.raw for decoded in follower.transactions(hash_of(block))] == list(block.transactions)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("epoch", 1),
        ("height", 1),
        ("tx_root", bytes(32)),
        ("validators_hash", bytes(32)),
        ("next_validators_hash", bytes(32)),
        ("proposer", 4),
    ],
)
def test_refuses_a_wrong_header_field(proposal: Proposal, field: str, value: object) -> None:
    follower, block, _ = proposal
    with pytest.raises(BlockInvalid, match=field):
        follower.check(Block(replace(block.header, **{field: value}), block.transactions))


def test_refuses_a_wrong_state_root(proposal: Proposal) -> None:
    follower, block, _ = proposal
    with pytest.raises(BlockInvalid, match="state root"):
        follower.check(Block(replace(block.header, state_root=bytes(32)), block.transactions))


def test_refuses_a_block_that_is_not_later_than_its_parent(proposal: Proposal) -> None:
    follower, block, _ = proposal
    with pytest.raises(BlockInvalid, match="time"):
        follower.check(Block(replace(block.header, timestamp_ms=follower.tip.header.timestamp_ms), block.transactions))


def test_refuses_a_block_on_an_unknown_parent(proposal: Proposal) -> None:
    follower, block, _ = proposal
    with pytest.raises(UnknownBlock):
        follower.check(Block(replace(block.header, parent_hash=bytes(32)), block.transactions))


def test_refuses_other_transactions_under_a_known_header(proposal: Proposal) -> None:
    follower, block, _ = proposal
    follower.check(block)
    with pytest.raises(BlockInvalid, match="not those of its header"):
        follower.check(Block(block.header, ()))


def test_refuses_a_block_with_a_bad_signature(proposal: Proposal) -> None:
    follower, block, _ = proposal
    with pytest.raises(BlockInvalid, match="bad_signature"):
        follower.check(with_transactions(block, forged(block.transactions[0])))


def test_refuses_a_bad_signature_on_a_body_that_was_seen_with_a_good_one(proposal: Proposal) -> None:
    follower, block, _ = proposal
    follower.check(block)
    with pytest.raises(BlockInvalid, match="bad_signature"):
        follower.check(with_transactions(block, forged(block.transactions[0])))


def test_refuses_a_block_with_a_malformed_transaction(proposal: Proposal) -> None:
    follower, block, _ = proposal
    with pytest.raises(BlockInvalid, match="malformed"):
        follower.check(with_transactions(block, block.transactions[0] + b"\x00"))


def test_refuses_a_block_that_spends_an_output_twice(proposal: Proposal) -> None:
    follower, block, world = proposal
    point = world.outputs_of("plant", Bundle)[0]
    again = transfer(world, point, "plant", "consumer")
    with pytest.raises(BlockInvalid, match="spent"):
        follower.check(with_transactions(block, block.transactions[0], again.raw))


def test_a_refused_block_leaves_no_trace(proposal: Proposal) -> None:
    follower, block, _ = proposal
    rows = list(follower.store.scan_raw(b"", b"\xff"))
    with pytest.raises(BlockInvalid):
        follower.check(Block(replace(block.header, state_root=bytes(32)), block.transactions))
    assert list(follower.store.scan_raw(b"", b"\xff")) == rows
    assert follower.check(block) == hash_of(block)


def test_a_final_block_that_does_not_hold_here_stops_the_node_with_code_72(proposal: Proposal) -> None:
    follower, block, _ = proposal
    wrong = Block(replace(block.header, state_root=bytes(32)), block.transactions)
    with pytest.raises(ExecutionDiffers, match="state root") as stopped:
        follower.commit(wrong, FINALIZATION, 9)
    assert stopped.value.exit_code == 72
    assert follower.tip.height == block.header.height - 1


def test_a_final_block_that_was_never_checked_runs_at_its_commit(proposal: Proposal) -> None:
    follower, block, world = proposal
    output = follower.commit(block, FINALIZATION, 9)
    assert [record.txid for record in output.events] == [decode_signed(block.transactions[0]).txid]
    assert follower.tip.hash == hash_of(block)
    assert world.ledger.tip.hash == block.header.parent_hash


def forged(raw: bytes) -> bytes:
    transaction = decode_signed(raw).transaction
    signature = bytearray(transaction.signatures[0])
    signature[0] ^= 1
    return encode(Transaction(transaction.body, (bytes(signature),)))


def with_transactions(block: Block, *raws: bytes) -> Block:
    return Block(replace(block.header, tx_root=tx_root(raws)), raws)
