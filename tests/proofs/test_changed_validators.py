"""One proof leads from the genesis through every change of the validators, and only over all of its hops."""

import pytest
from harness.finalized import FinalizedWorld
from harness.forger import replace
from harness.world import DAY, key_of, seed_of

from cli.verify_statement import NotProven, verify_proof
from node.proof import StatementProof, build_proof
from node.proven import read_proof
from state.codec import decode, encode
from state.outputs import Bundle
from state.transaction import RemoveValidatorContent, RotateVoteKeyContent, ValidatorContent


def ended(world: FinalizedWorld) -> None:
    """Blocks to the end of the epoch."""
    world.block()
    while world.height % 32:
        world.block()


CHANGED = tuple(key_of(name) for name in ("vote_key0", "new vote", "vote_key3", "fifth vote"))


def changed_world() -> FinalizedWorld:
    """A fifth validator joins, one of the first four leaves, another one rotates its key: one change an epoch."""
    world = FinalizedWorld(epoch_length=32)
    world.operators()
    world.register("owner")
    world.device("owner")
    first = world.issue(1, 1_000_000)
    assert first is not None
    number = world.register("fifth")
    ended(world)  # so that all three are decided by one set
    for name in ("fifth vote", "new vote"):
        world.vote_seeds[key_of(name)] = seed_of(name)
    keys = (key_of("fifth vote"), key_of("fifth node"), key_of("fifth escrow"))
    world.accredit(ValidatorContent(number, "fifth", *keys, "192.0.2.5:7000"), by="fifth")
    world.accredit(RemoveValidatorContent(2), by="fifth")
    world.accredit(RotateVoteKeyContent(3, key_of("new vote")), by="Organisation 2")
    while world.set.vote_keys != CHANGED:
        ended(world)
    return world


def test_proof_leads_from_the_genesis_through_every_change_of_the_validators() -> None:
    world = changed_world()
    bundle = world.issue(1, 2_000_000, day=DAY + 1)
    assert bundle is not None
    old = world.outputs_of("owner", Bundle)
    action = world.retire_action("owner", bundle, 2, 3)
    world.do(action, by=("owner",))
    data = build_proof(world.store, action.statement_hash[:16])
    answer = verify_proof(data, world.genesis_text)
    assert answer["verified"]
    assert read_proof(data, world.genesis_text).total_wh == 2_000_000
    assert len(old) == 2
    proof = decode(StatementProof, data)
    assert len(proof.hops) == world.ledger.epoch >= 3
    assert {len(hop.next_vote_keys) for hop in proof.hops} == {4, 5}
    assert proof.hops[-1].next_vote_keys == CHANGED
    for gone in range(len(proof.hops)):
        hops = proof.hops[:gone] + proof.hops[gone + 1 :]
        with pytest.raises(NotProven):
            verify_proof(encode(replace(proof, hops=hops)), world.genesis_text)
