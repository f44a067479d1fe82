"""The people of `World` on a real ledger: blocks are built, checked and committed as a node does it."""

import json
from collections.abc import Sequence

from harness.world import World, genesis_json

from contracts.context import BlockEnvironment
from contracts.events import Event
from contracts.genesis import Genesis, chain_id, parse_genesis
from contracts.transition import DecodedTx
from node.ledger import Ledger
from state.block import Block, header_hash
from state.lthash import LtHash
from state.overlay import Snapshot
from state.store import MemoryStore, Store, encode_entry

FINALIZATION = b"votes of a quorum"


def genesis_and_chain(data: bytes) -> tuple[Genesis, bytes]:
    return parse_genesis(data), chain_id(json.loads(data))


class LedgerWorld(World):
    """Each block of the world is one committed block of `ledger`."""

    def __init__(self, store: Store | None = None, genesis: bytes | None = None) -> None:
        data = genesis or genesis_json()
        super().__init__(genesis=data)
        self.parsed_genesis, _ = genesis_and_chain(data)
        self.ledger = Ledger.open(store or MemoryStore(), *genesis_and_chain(data))
        self.state = self.ledger.store  # type: ignore[assignment]
        self.chain_of_blocks: list[Block] = []

    def environment(self, seconds: int = 1) -> BlockEnvironment:
        return self.ledger.environment(self.ledger.tip.hash, self.time_ms + seconds * 1000)

    def block(self, *transactions: DecodedTx, seconds: int = 1) -> list[Event]:
        self.time_ms += seconds * 1000
        tip = self.ledger.tip
        block, refused = self.ledger.build_with_refused(tip.hash, transactions, self.time_ms, proposer=0)
        if refused:
            raise refused[0][1]
        output = self.ledger.commit(block, FINALIZATION, tip.view + 1)
        self.height, self.time_ms = self.ledger.tip.height, block.header.timestamp_ms
        self.outputs.append(output)
        self.chain_of_blocks.append(block)
        return [record.event for record in output.events]

    def with_bundles(self, device_owner: str = "plant", whole_mwh: Sequence[int] = (10,)) -> list[bytes]:
        """A plant with one bundle for each number of MWh, issued from consecutive days."""
        for name in (device_owner, "trader", "consumer"):
            self.register(name)
        device = self.device(device_owner)
        points = [self.issue(device, mwh * 1_000_000, day=16_162 + day) for day, mwh in enumerate(whole_mwh)]
        return [point for point in points if point is not None]


def summed_root(state: Snapshot) -> bytes:
    """The state root by summing every committed entry, as nobody does while it runs."""
    total = LtHash()
    total.add((key, encode_entry(entry)) for key, entry in state.scan(b"\x00", b"\x80"))
    return total.root()


def hash_of(block: Block) -> bytes:
    return header_hash(block.header)
