"""The people of `World` on a running network: each block of the world is whatever blocks its transactions end up in."""

import asyncio
import time
from typing import Any

from harness.town import Town, one_of_each
from harness.world import World

from contracts.context import BlockEnvironment
from contracts.events import Event, Settled
from contracts.settle import build_settle
from contracts.transition import DecodedTx
from node.app import Node
from node.runtime import FinalBlock
from state.errors import WattestError
from state.keyspace import auction_key
from state.outputs import Bid, Bundle, Funds
from state.records import Auction
from state.transaction import Cancel, Payout, Piece, Transfer
from state.units import MICRO

FINAL_S = 60.0


class LiveWorld(World):
    """Lives on a thread of its own; `node` runs on `loop` in this process."""

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(genesis=node.config.genesis.read_bytes())
        self.node, self._loop = node, loop
        self.state = node.ledger.store  # type: ignore[assignment]
        self.kinds: set[str] = set()
        self.heights: list[int] = []
        self._look()

    def environment(self, seconds: int = 1) -> BlockEnvironment:
        return self.node.ledger.environment(self.node.ledger.tip.hash, self.time_ms + seconds * 1_000)

    def block(self, *transactions: DecodedTx, seconds: int = 1) -> list[Event]:
        """`seconds` is for worlds whose clock is theirs."""
        finals = asyncio.run_coroutine_threadsafe(self._final(transactions), self._loop).result(FINAL_S)
        self.outputs += [final.output for final in finals]
        self.heights += [final.block.header.height for final in finals]
        self.kinds |= {type(action).__name__ for tx in transactions for action in tx.transaction.body.actions}
        self._look()
        return [record.event for final in finals for record in final.output.events]

    def _look(self) -> None:
        self.height, self.time_ms = self.node.ledger.tip.height, int(time.time() * 1_000)

    async def _final(self, transactions: tuple[DecodedTx, ...]) -> list[FinalBlock]:
        """The blocks in which they became final, which are also those that moved anything."""
        queue = self.node.subscribe()
        for result in await self.node.mempool.admit([tx.raw for tx in transactions]):
            if isinstance(result, WattestError):
                raise result
        waiting = {tx.txid for tx in transactions}
        finals: list[FinalBlock] = []
        while waiting:
            final = await queue.get()
            assert final is not None
            waiting -= {tx.txid for tx in final.transactions}
            finals.append(final)
        return finals

    def until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + FINAL_S
        while not condition():
            assert time.monotonic() < deadline, what
            time.sleep(0.02)
        self._look()


class LiveTown(LiveWorld, Town):
    """The town of the rules' tests, founded on a running network."""

    real_clock = True

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(node, loop)
        Town.found(self)

    def found(self) -> None:
        """Not before the network is there."""

    def wait_for(self, auction: int, status: str) -> None:
        self.until(lambda: self.phase(auction) == status, f"auction {auction} to be {status}")


def every_kind(town: LiveTown) -> None:
    """One of each action that there is but `void`, which takes ten minutes, and whatever has to be there before."""
    for by, actions in one_of_each(town).values():
        town.do(*actions, by=by)
    auction = town.auction(seconds=3)
    town.wait_for(auction, "closed")
    closed = town.state.get(auction_key(auction))
    assert isinstance(closed, Auction)
    town.do(build_settle(town.state, closed))


def live_story(world: LiveWorld, number: int = 0) -> None:
    """Every kind of transaction at least once; `number` keeps several stories of one world apart."""
    plant, trader, consumer = (f"{name} {number}" for name in ("plant", "trader", "consumer"))
    if not number:
        world.operators()
    for name in (plant, trader, consumer):
        world.register(name)
    device = world.device(plant)
    assert world.issue(device, 9_400_000) is not None
    lot = world.outputs_of(plant, Bundle)[0]
    money = world.fund(trader, 100, f"money {number}")

    auction = world.auction(seconds=6)
    world.offer(plant, auction, lot, 1, 8, 3 * MICRO)
    world.bid(trader, auction, 5, 4 * MICRO, money)
    world.do(Cancel(world.people[trader], world.outputs_of(trader, Bid)[0]), by=(trader,))
    money = world.outputs_of(trader, Funds)[-1]
    world.bid(trader, auction, 5, 4 * MICRO, money)
    world.until(lambda: _status(world, auction) == "closed", "the auction's end")
    closed = world.state.get(auction_key(auction))
    assert isinstance(closed, Auction)
    events = world.do(build_settle(world.state, closed))
    assert any(isinstance(event, Settled) for event in events)
    world.until(lambda: world.certificates(trader) == 5, "the delivery")

    bought = world.outputs_of(trader, Bundle)[0]
    start = world.live()[bought].start  # type: ignore[union-attr]
    people = (world.people[consumer], world.people[trader])
    pieces = (Piece(people[0], start, start + 2), Piece(people[1], start + 3, start + 4))
    world.do(Transfer(people[1], (bought,), pieces, None), by=(trader,))
    mine = world.outputs_of(consumer, Bundle)[0]
    world.do(world.retire_action(consumer, mine, start, start + 1), by=(consumer,))
    rest = world.outputs_of(trader, Funds)
    payout = Payout(world.people["bank"], world.people[trader], tuple(rest), "EUR", 30 * MICRO, f"out {number}")
    world.do(payout, by=(trader, "bank"))


def _status(world: LiveWorld, auction: int) -> str:
    found = world.state.get(auction_key(auction))
    return found.status if isinstance(found, Auction) else ""
