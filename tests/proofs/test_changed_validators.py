"""One proof leads from the genesis through every change of the validators, and only over all of its hops."""

from collections.abc import Callable

import pytest
from harness.finalized import FinalizedWorld, hop_from, proof_over_an_epoch
from harness.forger import replace
from harness.world import DAY, key_of, seed_of

from cli.verify_statement import NotProven, verify_proof
from consensus.light import Hop
from node.failures import VerificationFailed
from node.proof import StatementProof, build_proof
from node.proven import read_proof
from state.codec import decode, encode
from state.crypto import H
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
    assert answer["statement_hash"]
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


# --- one hop


@pytest.fixture(scope="module")
def handed_over() -> tuple[FinalizedWorld, StatementProof]:
    return proof_over_an_epoch()


def test_hop_over_four_validators_is_small(handed_over: tuple[FinalizedWorld, StatementProof]) -> None:
    world, proof = handed_over
    assert verify_proof(encode(proof), world.genesis_text)["height"] == 33
    assert read_proof(encode(proof), world.genesis_text).total_wh == 1_000_000
    (hop,) = proof.hops
    assert len(encode(hop)) <= 600


WRONG: dict[str, tuple[Callable[[FinalizedWorld, Hop], tuple[Hop, ...]], str]] = {
    "none": (lambda world, hop: (), "validators of epoch 1"),
    "twice": (lambda world, hop: (hop, hop), "not the ends of the epochs"),
    "of other validators": (lambda _, hop: (replace(hop, next_vote_keys=(H("test/seed", b"x"),)),), "are others"),
    # before the last block a header names who would follow if nothing else were decided: not who did
    "from before the end": (lambda world, hop: (hop_from(world, 31, hop),), "not the ends of the epochs: block 31"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refuses_a_hop_that_hands_nothing_over(name: str, handed_over: tuple[FinalizedWorld, StatementProof]) -> None:
    world, proof = handed_over
    hops, why = WRONG[name]
    data = encode(replace(proof, hops=hops(world, proof.hops[0])))
    with pytest.raises(NotProven, match=why):
        verify_proof(data, world.genesis_text)
    with pytest.raises(VerificationFailed):
        read_proof(data, world.genesis_text)
