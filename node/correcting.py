"""The registry's side of a running node: what a debt may take is withdrawn without anybody asking.

After a correction downwards the operator's own certificates are withdrawn, by a machine action that follows from the
state: any node may send it, the validator whose turn it is at once, the others when it stays silent.
"""

import asyncio
from typing import Any

from contracts.correct import open_debts, withdrawal
from node.app import LedgerTip, Node
from node.runtime import FinalBlock
from state.codec import encode
from state.errors import WattestError
from state.history import holdings
from state.keyspace import device_key
from state.records import Device
from state.transaction import Body, Transaction, Withdraw

OTHERS_S = 2.0
EXPIRY_BLOCKS = 100
RANGES = 64  # of one action
OUTPUTS = 4_096  # of an operator that are looked at
SALT = bytes(8)  # machine actions of equal content are equal transactions, whoever builds them


class Correcting:
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
        """Only blocks make debts."""

    def _look(self) -> None:
        owing = {debt.device for debt in open_debts(self._node.ledger.store)}
        for device in owing - self._tasks.keys():
            if self._withdrawal(device) is not None:
                task = self._tasks[device] = asyncio.create_task(self._withdraw(device))
                task.add_done_callback(self._ended)

    async def _withdraw(self, device: int) -> None:
        """Send what can be withdrawn, now or after the one whose turn it is, until there is nothing left."""
        validators = len(self._node.ledger.validators)
        mine = self._node.index is not None and device % validators == self._node.index
        await asyncio.sleep(0 if mine else OTHERS_S)
        while (action := self._withdrawal(device)) is not None:
            for result in await self._node.mempool.admit([self._transaction(action)]):
                if isinstance(result, WattestError):  # another validator was faster
                    self._node.log.info("withdraw_refused", device=device, code=result.code)
            await asyncio.sleep(OTHERS_S)
        del self._tasks[device]

    def _withdrawal(self, device: int) -> Withdraw | None:
        store = self._node.ledger.store
        record = store.get(device_key(device))
        assert isinstance(record, Device), "a debt names its device"
        held = holdings(store, record.owner, "bundle", limit=OUTPUTS)
        return withdrawal(store, self._tip.next_environment().time_s, record, held, RANGES)

    def _transaction(self, action: Withdraw) -> bytes:
        environment = self._tip.next_environment()
        expiry = environment.height + EXPIRY_BLOCKS
        return encode(Transaction(Body(environment.chain, (), (action,), expiry, SALT), ()))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._node.runtime.fail(error)
