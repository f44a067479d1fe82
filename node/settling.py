"""The market's side of a running node: a closed auction is settled without anybody asking.

The settlement is the only valid one, so any node may send it: the validator whose turn it is at once, the others when
it stays silent. Computed on a worker thread, because a full book takes tens of milliseconds.
"""

import asyncio
import secrets
from typing import Any

from contracts.expire import closed_auctions
from contracts.settle import build_settle
from node.app import LedgerTip, Node
from node.runtime import FinalBlock
from state.codec import encode
from state.errors import WattestError
from state.records import Auction
from state.transaction import Body, Settle, Transaction

OTHERS_S = 2.0
EXPIRY_BLOCKS = 100


class Settling:
    """A part of the node and a watcher of its blocks."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tip = LedgerTip(node.ledger, node.clock)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        node.runtime.watchers.append(self)

    async def start(self) -> None:
        self._look()

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def committed(self, final: FinalBlock) -> None:
        self._look()

    def live(self, kind: str, fields: dict[str, Any]) -> None:
        """Only blocks close auctions."""

    def _look(self) -> None:
        closed = {auction.id: auction for auction in closed_auctions(self._node.ledger.store)}
        for number in [number for number in self._tasks if number not in closed]:
            self._tasks.pop(number).cancel()
        for number, auction in closed.items():
            if number not in self._tasks:
                task = self._tasks[number] = asyncio.create_task(self._settle(auction))
                task.add_done_callback(self._ended)

    async def _settle(self, auction: Auction) -> None:
        """Send the settlement, now or after the one whose turn it is; again while it is not in a block."""
        validators = len(self._node.ledger.validators)
        mine = self._node.index is not None and auction.id % validators == self._node.index
        await asyncio.sleep(0 if mine else OTHERS_S)
        while True:
            settle = await asyncio.to_thread(build_settle, self._node.ledger.store, auction)
            for result in await self._node.mempool.admit([self._transaction(settle)]):
                if isinstance(result, WattestError):  # another validator was faster
                    self._node.log.info("settle_refused", auction=auction.id, code=result.code)
            await asyncio.sleep(OTHERS_S)

    def _transaction(self, settle: Settle) -> bytes:
        environment = self._tip.next_environment()
        expiry = environment.height + EXPIRY_BLOCKS
        return encode(Transaction(Body(environment.chain, (), (settle,), expiry, secrets.token_bytes(8)), ()))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._node.runtime.fail(error)
