"""A world behind its HTTP API: a real ledger and mempool; meters and peers are played."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.finalized import FinalizedWorld

from contracts.context import BlockEnvironment, BlockOutput
from contracts.events import Event
from contracts.transition import DecodedTx
from node.api.limits import PROFILES
from node.api.services import Live, Peer, Services, Standing
from node.feed import Feed
from node.mempool import Mempool
from node.metrics import Metrics
from node.queries.chain import block_message, finalization_of
from node.readings import Head
from node.runtime import FinalBlock
from node.serving import canonical_json
from node.signatures import SignatureCache
from node.wire import Close
from state.errors import ReadingRefusal, Unknown
from state.history import transaction_position
from state.overlay import Snapshot


@dataclass(frozen=True)
class Taken:
    accepted: int
    duplicates: int


@dataclass
class Meters:
    """Takes every batch but those whose first reading says `bad`."""

    batches: list[tuple[str, ...]] = field(default_factory=list)
    closes: list[Close] = field(default_factory=list)

    async def take_readings(self, raws: Sequence[str], key: bytes, signature: bytes) -> Taken:
        if raws[0] == "bad":
            raise ReadingRefusal(why="it says so")
        known = tuple(raws) in self.batches
        self.batches.append(tuple(raws))
        return Taken(0, len(raws)) if known else Taken(len(raws), 0)

    async def take_close(self, close: Close, key: bytes, signature: bytes) -> bool:
        new = close not in self.closes
        self.closes.append(close)
        return new

    def readings_of_day(self, device: int, day: int) -> list[str]:
        return [f"reading of {device} on {day}"]

    async def profile(self, device: int, from_s: int, to_s: int) -> dict[str, Any]:
        if to_s - from_s < 10 * 86_400:
            raise Unknown(what="profile of so short a window of device", id=device)
        return {"profile_hash": "00" * 32, "days_used": 60, "days_excluded": 2}

    async def curve(self, device: int, day: int) -> dict[str, Any]:
        if day < 16_161:
            raise Unknown(what="readings of device", id=device)
        curves = {"measured_w": [0, 5, None], "expected_w": [0, 6, 6], "allowed_w": [0, 8, None]}
        judged = {"verdict": "accept", "reasons": ["single_source"]}
        return {"interval_s": 28_800, "readings": 2, "energy_wh": "40", **curves, **judged}


class Served:
    """`services` is what the application stands on; `block` makes the waiting transactions final and tells watchers."""

    def __init__(self, world: FinalizedWorld, profile: str = "bench") -> None:
        self.world = world
        self.meters = Meters()
        self.now_ms = world.time_ms
        self.live = Live(world.height + 1, 1, (Peer(1, True, world.height), Peer(2, True, world.height)), 0, False)
        self.mempool = Mempool(self, SignatureCache(), 0)
        self.feed = Feed(lambda height: block_message(world.store, height))
        self.metrics = Metrics(world.chain, world.set.n)
        self.services = Services(
            store=world.store,
            chain=world.chain,
            genesis=canonical_json(world.genesis_text),
            node_index=lambda: 0,
            version="0.0.0",
            public_url="http://node.example",
            feed=self.feed,
            metrics=self.metrics,
            live=lambda: replace(self.live, mempool=len(self.mempool)),
            admit=self.mempool.admit,
            standing=self.standing,
            take_readings=self.meters.take_readings,
            take_close=self.meters.take_close,
            readings_of_day=self.meters.readings_of_day,
            head_of_device=lambda device: (Head(), 0),
            evidence_of_day=lambda device, day: (None, ()),
            profile=self.meters.profile,
            curve=self.meters.curve,
            limits=PROFILES[profile],
            now_ms=lambda: self.now_ms,
        )

    def standing(self, txid: bytes) -> Standing | None:
        if txid in self.mempool:
            return Standing("waiting")
        refusal = self.mempool.refusal(txid)
        return Standing("refused", refusal) if refusal is not None else None

    def block(self, *transactions: DecodedTx, seconds: int = 1) -> list[Event]:
        events = self.world.block(*transactions, seconds=seconds)
        self.now_ms = self.world.time_ms
        height = self.world.height
        self.mempool.committed(height, transactions)
        block = self.world.ledger.block_at(height)
        finalization = finalization_of(self.world.store, height)
        assert block is not None
        assert finalization is not None
        output: BlockOutput = self.world.outputs[-1]
        final = FinalBlock(block, self.world.ledger.tip.hash, transactions, output, finalization)
        self.feed.committed(final)
        self.services.ranges.committed(final)
        self.metrics.committed(final)
        return events

    # --- what the mempool asks of the ledger (node.trial.Tip)

    @property
    def state(self) -> Snapshot:
        return self.world.store

    def next_environment(self) -> BlockEnvironment:
        return self.world.environment()

    def is_final(self, txid: bytes) -> bool:
        return transaction_position(self.world.store, txid) is not None
