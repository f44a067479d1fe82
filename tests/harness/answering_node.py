"""A node that answers: the real HTTP API over a world's ledger, every admitted transaction a block of its own.

No consensus and no peers, so what wallets and commands do is tested against the real rules in milliseconds.
"""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.finalized import FinalizedWorld

from contracts.transition import DecodedTx, decode_signed
from node.api.limits import PROFILES
from node.api.server import serve
from node.api.services import Live, Services, Standing
from node.feed import Feed
from node.intake import Accepted, Intake
from node.keystore import generate_key, save_key
from node.metrics import Metrics
from node.past import Past
from node.queries.chain import block_message
from node.readings import Head, ReadingStore
from node.wire import Close, DayClose, Readings
from state.crypto import H
from state.errors import Unknown, WattestError
from state.store import MemoryRows


def market_town() -> FinalizedWorld:
    """A bank, an exchange, a plant with 3 MWh of certificates, a trader with 1,000 EUR."""
    world = FinalizedWorld()
    world.operators()
    world.register("owner")
    world.register("trader")
    world.fund("trader", 1_000)
    world.issue(world.device("owner"), 3_400_000)
    return world


class AnsweringNode:
    """`url` answers between `start` and `stop`. `profile_hash` is what it computes for any plant and window."""

    def __init__(self, chain: FinalizedWorld, past: Past | None = None) -> None:
        self.chain, self.past = chain, past
        self.url = ""
        self.profile_hash = H("test/profile", (1,)).hex()
        self.finalises = True
        self.feed = Feed(lambda height: block_message(chain.store, height))
        self.waiting: list[bytes] = []
        self._intake: Intake | None = None
        self.readings: ReadingStore | None = None  # what the node holds, where a test is about it
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> "AnsweringNode":
        self._thread.start()
        runner = asyncio.run_coroutine_threadsafe(serve(self._services(), "127.0.0.1", 0), self._loop).result(10)
        self._runner = runner
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def tell(self) -> None:
        """Wake whoever watches: blocks were made beside the API."""
        self._loop.call_soon_threadsafe(self.feed.live, "peer", {})

    async def _admit(self, raws: Sequence[bytes]) -> Sequence[DecodedTx | WattestError]:
        results: list[DecodedTx | WattestError] = []
        for raw in raws:
            try:
                decoded = decode_signed(raw)
                if self.finalises:
                    self.chain.block(decoded)
                else:
                    self.waiting.append(decoded.txid)
                results.append(decoded)
            except WattestError as error:
                results.append(error)
        return results

    def _standing(self, txid: bytes) -> Standing | None:
        return Standing("waiting") if txid in self.waiting else None

    async def _profile(self, device: int, start: int, end: int) -> dict[str, Any]:
        return {"profile_hash": self.profile_hash, "days_used": 90, "days_excluded": 0}

    def take_in(self, now_s: int) -> Intake:
        """From here on it takes readings, by a clock that stands at `now_s`."""
        world = self.chain
        self.readings = ReadingStore(MemoryRows())
        self._intake = Intake(self.readings, world.chain, lambda: (world.store, world.time_ms), lambda: now_s)
        return self._intake

    async def _take_readings(self, raws: Sequence[str], key: bytes, signature: bytes) -> Accepted:
        assert self._intake is not None, "this node takes no readings"
        return await self._intake.accept_batch(raws, key, signature)

    async def _take_close(self, close: Close, key: bytes, signature: bytes) -> bool:
        assert self._intake is not None, "this node takes no readings"
        return await self._intake.accept_close(close, key, signature)

    def evidence(self, device: int, day: int) -> tuple[DayClose | None, Sequence[Readings], list[str]]:
        held = self.readings
        if held is None:
            return None, (), []
        return held.close_of(device, day), held.batches_of_day(device, day), held.day(device, day)

    async def _curve(self, device: int, day: int) -> dict[str, Any]:
        raise Unknown(what="readings of device", id=device)

    def _services(self) -> Services:
        chain = self.chain
        return Services(
            store=chain.store,
            chain=chain.chain,
            genesis=chain.genesis_text,
            node_index=lambda: 0,
            version="0.0-test",
            public_url="http://test",
            feed=self.feed,
            metrics=Metrics(chain.chain, len(chain.validators)),
            live=lambda: Live(1, 0, (), len(self.waiting), False),
            admit=self._admit,
            standing=self._standing,
            take_readings=self._take_readings,
            take_close=self._take_close,
            readings_of_day=lambda device, day: self.evidence(device, day)[2],
            head_of_device=lambda device: (Head() if self.readings is None else self.readings.head(device), 0),
            evidence_of_day=lambda device, day: self.evidence(device, day)[:2],
            profile=self._profile,
            curve=self._curve,
            past=self.past,
            limits=PROFILES["bench"],
        )


def wallet_of(directory: Path, chain: FinalizedWorld, *names: str, purpose: str = "wallet") -> Path:
    """A home with the keys of people of the world (`test` keyring), each under its own name."""
    for name in names:
        key = generate_key(purpose, chain.chain.hex(), chain.seed(name))
        save_key(directory / "keys", name.replace(" ", "-"), key, None, "test")
    return directory
