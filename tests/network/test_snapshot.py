"""A node that begins from a snapshot: what it takes over, what it can answer, how it goes on."""

import asyncio
from pathlib import Path

from harness.joining import OBSERVER_KEYS, joining, observer_home
from harness.net import Running, make_homes, open_node, registration, running
from harness.world import key_of

from node.app import Node
from state.keyspace import key_owner_key
from state.lthash import root_of


def committed_rows(node: Node) -> dict[bytes, bytes]:
    return dict(node.ledger.store.scan_raw(b"\x00", b"\x80"))


async def test_an_observer_installs_the_state_of_a_peer_and_goes_on_from_there(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4)
    async with running(homes) as nodes:
        await nodes[0].node.mempool.admit([registration(nodes[0].node.chain, "early")])
        for each in nodes:
            await each.height(4)
        home = observer_home(tmp_path / "observer", (homes[0] / "genesis.json").read_bytes())
        async with asyncio.timeout(20):
            assert await joining(home).run()
        observer = Running(open_node(home, OBSERVER_KEYS))
        begun_at = observer.node.ledger.tip.height
        try:
            assert begun_at >= 4
            assert observer.node.ledger.base.history_from == begun_at + 1
            assert observer.node.ledger.store.get(key_owner_key(key_of("early"))) is not None
            await nodes[0].node.mempool.admit([registration(nodes[0].node.chain, "late")])
            await observer.height(begun_at + 4)
            assert observer.node.ledger.store.get(key_owner_key(key_of("late"))) is not None
            observer.node.ledger.audit()
            header = observer.node.ledger.tip.header
            meta = observer.node.ledger.store.meta()
            assert meta is not None
            assert root_of(meta.lthash) == header.state_root
            same = nodes[0].node.ledger.block_at(header.height)
            assert same is None or same.header == header
        finally:
            await observer.stop()
        reopened = open_node(home, OBSERVER_KEYS)
        assert reopened.ledger.tip.height > begun_at
        reopened.close()
