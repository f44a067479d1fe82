"""The people of `World` on a real ledger whose blocks carry real Finalizations: for proofs and readers."""

import json

from harness.chain import LedgerWorld
from harness.world import DAY, FAR, genesis_json, key_of

from consensus.light import Hop
from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, Position, Quorum, make_quorum, make_vote
from contracts.events import Event
from contracts.transition import DecodedTx
from node.proof import StatementProof, build_proof
from node.queries.chain import finalization_of, header_at
from state.attestation import HOLD
from state.block import header_hash
from state.codec import decode, encode
from state.crypto import sign
from state.outputs import Bundle
from state.store import Store
from state.transaction import ConsumptionMeterContent, FileAppeal
from state.units import MICRO


class FinalizedWorld(LedgerWorld):
    """Every block is signed by the first q validators, or, while `finalizes` is off, covered by a later one."""

    def __init__(
        self, validators: int = 4, store: Store | None = None, genesis: bytes | None = None, **parameters: int
    ) -> None:
        data = genesis or genesis_json(validators, **parameters)
        super().__init__(store, data)
        self.genesis_text = json.dumps(
            json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=True
        ).encode()
        self.finalizes = True

    @property
    def set(self) -> ValidatorSet:
        """Of the next block."""
        return ValidatorSet(tuple(validator.vote_key for validator in self.ledger.validators))

    @property
    def store(self) -> Store:
        return self.ledger.store

    def block(self, *transactions: DecodedTx, seconds: int = 1) -> list[Event]:
        self.time_ms += seconds * 1000
        tip = self.ledger.tip
        proposer = (tip.header.height + 1) % self.set.n
        block, refused = self.ledger.build_with_refused(tip.hash, transactions, self.time_ms, proposer=proposer)
        if refused:
            raise refused[0][1]
        height = block.header.height
        epoch = block.header.epoch
        votes = encode(self.finalization(header_hash(block.header), height, epoch)) if self.finalizes else b""
        output = self.ledger.commit(block, votes, height)
        self.height, self.time_ms = height, block.header.timestamp_ms
        self.outputs.append(output)
        return [record.event for record in output.events]

    def finalization(self, block_hash: bytes, view: int, epoch: int = 0) -> Quorum:
        """By the first q validators, whatever the block says."""
        position = Position(epoch, view, view - 1, block_hash)
        votes = [
            make_vote(self.chain, FINALIZE, position, index, lambda data, key=key: sign(self.vote_seeds[key], data))
            for index, key in enumerate(self.set.vote_keys[: self.set.quorum])
        ]
        return make_quorum(votes, self.set)

    def last_txid(self) -> bytes:
        """Of the newest transaction that moved something."""
        return self.outputs[-1].movements[-1].txid


def lively_world(**parameters: int) -> FinalizedWorld:
    """Of certificates 1..3 number 1 is offered in auction 1, 2 retired, 3 held; and there is a bid."""
    world = FinalizedWorld(**parameters)
    world.operators()
    world.register("owner")
    world.register("trader")
    world.device("owner")
    bundle = world.issue(1, 3_400_000)
    assert bundle is not None
    world.do(world.retire_action("owner", bundle, 2, 2), by=("owner",))
    world.do(world.issue_action(1, (world.attested(1, DAY + 9, 5_000, verdict=HOLD),)))
    world.do(FileAppeal(world.people["owner"], 1, DAY + 9, 0, 0, "ice on the blades", b""), by=("owner",))
    world.accredit(
        ConsumptionMeterContent(world.people["owner"], key_of("flat"), "Flat 3", "FR", "FR", FAR), by="owner"
    )
    world.do(world.consumption(1, DAY, tuple(range(100, 124)), "flat"))
    auction = world.auction(seconds=3_600)
    world.offer("owner", auction, world.outputs_of("owner", Bundle)[0], 1, 1, 40 * MICRO)
    world.bid("trader", auction, 1, 30 * MICRO, world.fund("trader", 1_000))
    return world


def proof_over_an_epoch() -> tuple[FinalizedWorld, StatementProof]:
    """What was issued in epoch 0 is retired in epoch 1."""
    world = FinalizedWorld(epoch_length=32)
    world.register("owner")
    world.device("owner")
    bundle = world.issue(1, 1_000_000)
    assert bundle is not None
    while world.height < 32:
        world.block()
    action = world.retire_action("owner", bundle, 1, 1)
    world.do(action, by=("owner",))
    return world, decode(StatementProof, build_proof(world.store, action.statement_hash[:16]))


def hop_from(world: FinalizedWorld, height: int, hop: Hop) -> Hop:
    """As `hop`, by another block, which is final as well and names the same validators as the next ones."""
    header, finalization = header_at(world.store, height), finalization_of(world.store, height)
    assert finalization is not None
    assert header.next_validators_hash == hop.header.next_validators_hash
    return Hop(header, finalization, hop.next_vote_keys)
