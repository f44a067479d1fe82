"""Bringing evidence onto the ledger: a validator voted twice, and every node that saw it may say so.

The validator whose turn it is says it at once, the others after a moment. All build the same transaction, so the
mempools of the network hold it once.
"""

import asyncio

from consensus.messages import Evidence
from node.app import LedgerTip, Node
from state.codec import encode
from state.errors import WattestError
from state.transaction import Body, Transaction
from state.transaction import Evidence as ShowEvidence

OTHERS_S = 2.0
AGAIN_S = 4.0
ATTEMPTS = 20
EXPIRY_STEP = 100  # expiry heights are multiples of it, so that everybody means the same transaction


class Accusing:
    """A part of the node. It has nothing to do where one epoch lasts for ever: nobody could be removed."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tip = LedgerTip(node.ledger, node.clock)
        self._tasks: set[asyncio.Task[None]] = set()
        if node.ledger.parameters.epoch_length:
            node.runtime.accuse = self.accuse

    async def start(self) -> None:
        """What was found before a restart is found again, or was shown by somebody else."""

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def accuse(self, evidence: Evidence) -> None:
        if self._node.index is not None:
            task = asyncio.create_task(self._show(evidence))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def _show(self, evidence: Evidence) -> None:
        """Until it is in a block, or can be in none any more."""
        vote = evidence.first
        mine = (vote.signer + 1) % len(self._node.ledger.validators) == self._node.index  # not the accused itself
        await asyncio.sleep(0 if mine else OTHERS_S)
        for _ in range(ATTEMPTS):
            (result,) = await self._node.mempool.admit([self._transaction(evidence)])
            if isinstance(result, WattestError) and result.code in ("already_exists", "unknown"):
                return
            await asyncio.sleep(AGAIN_S)

    def _transaction(self, evidence: Evidence) -> bytes:
        environment, vote = self._tip.next_environment(), evidence.first
        expiry = (environment.height // EXPIRY_STEP + 2) * EXPIRY_STEP
        action = ShowEvidence(vote.epoch, vote.signer, encode(evidence.first), encode(evidence.second))
        return encode(Transaction(Body(environment.chain, (), (action,), expiry, bytes(8)), ()))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._node.runtime.fail(error)
