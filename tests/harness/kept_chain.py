"""A world whose blocks are really kept: in a store, with headers, indexes, and Finalizations of the validators' keys."""

import json

from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, Position, make_quorum, make_vote
from contracts.context import BlockOutput
from contracts.events import Event
from contracts.genesis import genesis_header
from contracts.transition import DecodedTx, apply_block, verify_signatures
from harness.world import START_S, World, genesis_json, seed_of
from state.block import VERSION, Block, Header, encode_block, header_hash, tx_root
from state.codec import encode
from state.crypto import H, sign
from state.history import derived_rows
from state.keyspace import META_KEY, block_key, events_key, finalization_key
from state.overlay import Overlay
from state.store import FORMAT, MemoryStore, Meta, encode_entry

PARTICIPANTS = ("bank", "exchange", "owner", "trader")


class Chain(World):
    """`state` is always an empty Overlay on `store`: what is asked of the store is what the rules see."""

    def __init__(self, validators: int = 4, **parameters: int) -> None:
        data = genesis_json(validators, **parameters)
        super().__init__(validators, data)
        value = json.loads(data)
        self.genesis_text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
        self.store = MemoryStore()
        self.headers = [genesis_header(self.genesis, self._root())]
        self.committed = 0
        self.own_finalization = True  # False: the next blocks are final only through a later one
        self._keep(Block(self.headers[0], ()), self.state, BlockOutput(), ())
        self.set = ValidatorSet(0, tuple(validator.vote_key for validator in self.validators))

    def block(self, *transactions: DecodedTx, seconds: int = 1) -> list[Event]:
        environment = self.environment(seconds)
        for decoded in transactions:
            verify_signatures(decoded)
        attempt = Overlay(self.store)
        output = apply_block(attempt, environment, transactions)
        raws = tuple(decoded.raw for decoded in transactions)
        self.height, self.time_ms = environment.height, environment.time_ms
        parent = self.headers[-1]
        header = Header(
            VERSION,
            0,
            self.height,
            header_hash(parent),
            self.time_ms,
            self.height % len(self.validators),
            tx_root(raws),
            self._root(),
            parent.validators_hash,
            parent.next_validators_hash,
        )
        self.headers.append(header)
        self._keep(Block(header, raws), attempt, output, tuple(decoded.txid for decoded in transactions))
        self.outputs.append(output)
        return [record.event for record in output.events]

    def last_txid(self) -> bytes:
        """Of the last movement of the newest block."""
        return self.outputs[-1].movements[-1].txid

    def _root(self) -> bytes:
        return H("wattest/state", encode((self.height,)))  # nobody here recomputes it

    def _keep(self, block: Block, overlay: Overlay, output: BlockOutput, txids: tuple[bytes, ...]) -> None:
        height, block_hash = block.header.height, header_hash(block.header)
        rows: dict[bytes, bytes | None] = {
            key: None if after is None else encode_entry(after) for key, _, after in overlay.difference()
        }
        rows.update(derived_rows(height, block_hash, txids, output.movements))
        rows[block_key(height)] = encode_block(block)
        rows[events_key(height)] = encode(tuple(output.events))
        if height and self.own_finalization:
            rows[finalization_key(height)] = encode(self._finalization(block_hash, height))
        meta = Meta(FORMAT, self.chain, 0, height, block_hash, height, block.header.state_root, b"", 0)
        rows[META_KEY] = encode(meta)
        self.store.write(rows)
        self.state = Overlay(self.store)

    def _finalization(self, block_hash: bytes, height: int) -> object:
        position = Position(0, height, height - 1, block_hash)
        votes = [
            make_vote(self.chain, FINALIZE, position, index, lambda data, index=index: sign(seed_of(f"vote_key{index}"), data))  # type: ignore[misc]
            for index in range(self.set.quorum)
        ]
        return make_quorum(votes, self.set)


def settled_chain() -> Chain:
    """A chain with something of everything: 3 MWh issued, 1 of them bought by a trader, 1 retired, an auction open."""
    chain = Chain()
    chain.operators()
    chain.register("owner")
    chain.register("trader")
    chain.fund("trader", 1_000)
    chain.device("owner")
    bundle = chain.issue(1, 3_400_000)
    assert bundle is not None
    chain.do(chain.retire_action("owner", bundle, 2, 2), by=("owner",))
    chain.auction(seconds=3_600)
    first = chain.outputs_of("owner", type(chain.live()[chain.outputs_of("owner", object)[0]]))[0]  # type: ignore[arg-type]
    chain.offer("owner", 1, first, 1, 1, 40_000_000)
    return chain


assert START_S
