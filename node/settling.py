"""The market's side of a running node: sealed orders are opened and closed auctions settled without anybody asking.

The settlement is the only valid one, so any node may send it: the validator whose turn it is at once, the others when
it stays silent. Computed on a worker thread, because a full book takes tens of milliseconds. An auction that could not
be settled for long is voided. Sealed orders that were placed from this node's home are opened by it (node/openings.py).
What a buyer on margin did not pay in time is declared so, by the same order of turns.
"""

import asyncio
import itertools
import secrets
from typing import Any

from contracts.auction import OPENING, book_of
from contracts.expire import closed_auctions, opening_auctions
from contracts.obligation import at_work, obligations_due
from contracts.settle import build_settle, void_due
from node.app import LedgerTip, Node
from node.openings import kept
from node.runtime import FinalBlock
from state.codec import encode
from state.errors import WattestError
from state.keyspace import auction_key
from state.outputs import SealedBid, SealedOffer
from state.records import Auction
from state.transaction import Body, Default, Reveal, Settle, Transaction, VoidAuction

OTHERS_S = 2.0
VALIDATORS_S = 20.0
EXPIRY_BLOCKS = 100
REVEALS = 32  # at a time


class Settling:
    """A part of the node and a watcher of its blocks."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tip = LedgerTip(node.ledger, node.clock)
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by auction; what opens orders by the negative number
        self._opened: set[int] = set()
        self._overdue: asyncio.Task[None] | None = None
        node.runtime.watchers.append(self)

    async def start(self) -> None:
        self._look()

    async def stop(self) -> None:
        tasks = [*self._tasks.values(), *([self._overdue] if self._overdue is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def committed(self, final: FinalBlock) -> None:
        self._look()

    def live(self, kind: str, fields: dict[str, Any]) -> None:
        """Only blocks close auctions."""

    def _look(self) -> None:
        closed = {auction.id: auction for auction in closed_auctions(self._node.ledger.store)}
        for number in [number for number in self._tasks if number > 0 and number not in closed]:
            self._tasks.pop(number).cancel()
        for number, auction in closed.items():
            if number not in self._tasks:
                task = self._tasks[number] = asyncio.create_task(self._settle(auction))
                task.add_done_callback(self._ended)
        for auction in opening_auctions(self._node.ledger.store):
            if auction.id not in self._opened:
                self._opened.add(auction.id)
                task = self._tasks[-auction.id] = asyncio.create_task(self._open(auction))
                task.add_done_callback(self._ended)
        if (self._overdue is None or self._overdue.done()) and self._unpaid():
            self._overdue = asyncio.create_task(self._default())
            self._overdue.add_done_callback(self._ended)

    async def _open(self, auction: Auction) -> None:
        """Reveal what this home keeps of the auction's sealed orders, until every one of them is open.

        Where validators open them, only what they have left shut after a while.
        """
        if auction.terms.escrow:
            await asyncio.sleep(min(VALIDATORS_S, auction.terms.opening_s / 2))
        while True:
            reveals = await asyncio.to_thread(self._reveals, auction)
            if not reveals:
                return
            await self._node.mempool.admit([self._transaction(reveal) for reveal in reveals[:REVEALS]])
            await asyncio.sleep(OTHERS_S)

    def _reveals(self, auction: Auction) -> list[Reveal]:
        store, chain = self._node.ledger.store, self._tip.next_environment().chain
        found = {opening.commitment: opening for opening in kept(self._node.config.home, chain, [auction.id])}
        now = store.get(auction_key(auction.id))
        if not found or not isinstance(now, Auction) or now.status != OPENING:
            return []
        sealed = [order for _, order in book_of(store, now).values() if isinstance(order, SealedBid | SealedOffer)]
        return [found[order.commitment].reveal(order.number) for order in sealed if order.commitment in found]

    async def _settle(self, auction: Auction) -> None:
        """Send the settlement, now or after the one whose turn it is; again while it is not in a block."""
        validators = len(self._node.ledger.validators)
        mine = self._node.index is not None and auction.id % validators == self._node.index
        await asyncio.sleep(0 if mine else OTHERS_S)
        while True:
            settle = await asyncio.to_thread(build_settle, self._node.ledger.store, auction)
            late = void_due(self._tip.next_environment(), auction)
            action = VoidAuction(auction.id) if late else settle
            for result in await self._node.mempool.admit([self._transaction(action)]):
                if isinstance(result, WattestError):  # another validator was faster
                    self._node.log.info("settle_refused", auction=auction.id, code=result.code)
            await asyncio.sleep(OTHERS_S)

    def _unpaid(self) -> list[Default]:
        """Obligations whose time is over and of which nothing is being delivered."""
        store, now_s = self._node.ledger.store, self._tip.next_environment().time_s
        due = obligations_due(store, now_s)
        return [Default(each.auction, each.buyer) for each in due if not at_work(store, each)]

    async def _default(self) -> None:
        """Declare what was not paid, in one's turn, until nothing of the kind is left."""
        validators = len(self._node.ledger.validators)
        for turn in itertools.count():
            unpaid = self._unpaid()
            if not unpaid:
                return
            mine = [each for each in unpaid if turn or each.auction % validators == self._node.index]
            await self._node.mempool.admit([self._transaction(each) for each in mine[:REVEALS]])
            await asyncio.sleep(OTHERS_S)

    def _transaction(self, action: Settle | Reveal | VoidAuction | Default) -> bytes:
        environment = self._tip.next_environment()
        expiry = environment.height + EXPIRY_BLOCKS
        return encode(Transaction(Body(environment.chain, (), (action,), expiry, secrets.token_bytes(8)), ()))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._node.runtime.fail(error)
