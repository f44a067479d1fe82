"""Four real nodes with their readings' side, and the acts of a consortium that they all see."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.net import Running, keys_of, make_homes, open_node, signed

from node.metering import Metering
from state.errors import WattestError
from state.keyspace import counter_key
from state.records import Counter
from state.transaction import Action, ProposalContent, Propose, Vote

OWNER = 5  # after the four organisations


class Node:
    """A running node with its readings' side."""

    def __init__(self, home: Path, index: int) -> None:
        self.node = open_node(home, keys_of(index))
        self.metering = Metering(self.node)
        self.node.parts.append(self.metering)
        self.running = Running(self.node)

    def get(self, key: bytes) -> Any:
        return self.node.ledger.store.get(key)

    async def until(self, condition: Callable[[], Any], what: str, timeout_s: float = 80) -> None:
        for _ in range(int(timeout_s / 0.02)):
            if condition():
                return
            if self.running.task.done():
                self.running.task.result()
            await asyncio.sleep(0.02)
        raise AssertionError(what)


class Network:
    def __init__(self, directory: Path, scheme: dict[str, object] | None = None) -> None:
        self.homes = make_homes(directory, 4, scheme)
        self.nodes = [Node(home, index) for index, home in enumerate(self.homes)]
        self.salt = 0

    @property
    def chain(self) -> bytes:
        return self.nodes[0].node.chain

    async def send(self, signer: str, *actions: Action) -> None:
        self.salt += 1
        results = await self.nodes[0].node.mempool.admit([signed(self.chain, signer, *actions, salt=self.salt)])
        assert not isinstance(results[0], WattestError), results[0]

    async def accredit(self, content: ProposalContent) -> None:
        first = self.nodes[0]
        before = first.get(counter_key("proposal"))
        number = before.value if isinstance(before, Counter) else 1
        await self.send("owner", Propose(OWNER, content))
        await first.until(lambda: first.get(counter_key("proposal")) != before, "the proposal")
        for index in range(3):
            await self.send(f"governance_key{index}", Vote(number, index, True, ""))

    async def stop(self) -> None:
        for node in self.nodes:
            if not node.running.task.done():
                await node.running.stop()
