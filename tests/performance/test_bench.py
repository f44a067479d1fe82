"""What is measured is lawful work: real chains, every transaction once, and a run that shows anything else is void."""

from pathlib import Path

import pytest

from bench.load import Load
from bench.network import Network, RunVoid
from consensus.validators import ValidatorSet
from consensus.votes import check_quorum
from contracts.transition import decode_signed
from state.block import header_hash
from state.crypto import verify
from state.history import where

HOLDERS, BUNDLES = 8, 40


def commit(load: Load, raws: list[bytes]) -> None:
    ledger = load.ledger
    block, refused = ledger.build_with_refused(
        ledger.tip.hash, [decode_signed(raw) for raw in raws], ledger.tip.header.timestamp_ms + 1_000, 0
    )
    assert not refused
    ledger.commit(block, b"", ledger.tip.view + 1)


@pytest.mark.parametrize("moves", [1, 3])
def test_load_knows_where_its_transfers_put_every_certificate(moves: int) -> None:
    load = Load(HOLDERS, BUNDLES)
    raws = load.transfers() if moves == 1 else load.transfers_of(moves)
    assert all(len(decode_signed(raw).body_actions) == moves for raw in raws)
    commit(load, raws)
    for serial in range(1, BUNDLES + 1):
        found = where(load.ledger.store, 1, serial)
        assert found is not None
        assert (found.holder, found.outpoint) == (load.holder_of(serial), load.outpoint_of(serial))


def test_preparation_is_a_chain_that_a_quorum_made_final() -> None:
    load = Load(HOLDERS, BUNDLES)
    validators = ValidatorSet(tuple(validator.vote_key for validator in load.ledger.validators))
    for height, (block, finalization) in enumerate(load.preparation, 1):
        assert block.header.height == height
        assert block.header.proposer == validators.leader(finalization.view)
        assert finalization.block_hash == header_hash(block.header)
        check_quorum(finalization, validators, load.chain, verify)


def test_same_load_twice_is_the_same_bytes() -> None:
    assert Load(HOLDERS, BUNDLES).transfers() == Load(HOLDERS, BUNDLES).transfers()


def test_four_processes_take_load_and_every_check_can_void_the_run(tmp_path: Path) -> None:
    network = Network(tmp_path / "network", HOLDERS, BUNDLES)
    single, ten = network.load.transfers(), network.load.transfers_of(2)
    with network:
        phases = [network.run(single, batch=7), network.run(ten, batch=3)]
        assert [phase.transactions for phase in phases] == [len(single), len(ten)]
        network.check_statuses(phases)
        network.check_owners()
        with pytest.raises(RunVoid, match="duplicate"):
            network.run(single[:1], batch=1)
        with pytest.raises(RunVoid, match="sent"):
            network.check_statuses(phases[:1])
        root = network.check_disks(phases)
        assert len(root) == 64
        network.load.transfers()  # booked, never sent
        with pytest.raises(RunVoid, match="not where it belongs"):
            network.check_disks(phases)
