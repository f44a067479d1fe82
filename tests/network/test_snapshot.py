"""A node that begins from a snapshot: what it takes over, what it can answer, how it goes on."""

import asyncio
import shutil
from pathlib import Path

from harness.joining import OBSERVER_KEYS, joining, observer_home, set_config
from harness.net import Process, Running, keys_of, make_homes, open_node, registration, running, until
from harness.world import key_of

from node.app import Node
from node.genesis import read_genesis
from node.journal import UNSETTLED
from node.ledger import Ledger
from node.queries.chain import header_at
from state.keyspace import key_owner_key
from state.lthash import root_of
from state.store import open_store


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


async def wiped(nodes: list[Running], home: Path, *folders: str) -> None:
    """Validator 3 loses what it has on disk, while the others go on."""
    await nodes[3].stop()
    for folder in folders:
        for found in (home / "data").glob(folder):
            shutil.rmtree(found) if found.is_dir() else found.unlink()
    height = nodes[0].node.ledger.tip.height
    await nodes[0].node.mempool.admit([registration(nodes[0].node.chain, "while it was away")])
    for each in nodes[:3]:
        await each.height(height + 3)


async def signs(nodes: list[Running], index: int, timeout_s: float = 60.0) -> None:
    """Wait for a Finalization with its signature."""
    feed = nodes[0].node.subscribe()
    async with asyncio.timeout(timeout_s):
        while (final := await feed.get()) is not None and index not in final.finalization.signers:
            continue


async def test_a_validator_that_lost_its_state_and_has_its_votes_takes_a_snapshot_and_votes_at_once(
    tmp_path: Path,
) -> None:
    homes = make_homes(tmp_path, 4, delta_ms=250)
    async with running(homes) as nodes:
        for each in nodes:
            await each.height(4)
        await wiped(nodes, homes[3], "state")
        assert await joining(homes[3], keys_of(3)).run()
        nodes[3] = Running(open_node(homes[3], keys_of(3)))
        assert nodes[3].node.journal.header.valid_from_epoch == 0
        assert not nodes[3].node.why_silent
        await signs(nodes, 3)
        assert not any(each.node.runtime.byzantine for each in nodes)


async def test_a_validator_that_lost_its_votes_too_observes_until_two_epochs_later(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4, epoch_length=1_000)
    async with running(homes) as nodes:
        for each in nodes:
            await each.height(4)
        await wiped(nodes, homes[3], "*")
        assert await joining(homes[3], keys_of(3)).run()
        nodes[3] = Running(open_node(homes[3], keys_of(3)))
        assert nodes[3].node.journal.header.valid_from_epoch == UNSETTLED
        async with asyncio.timeout(20):
            while nodes[3].node.journal.header.valid_from_epoch == UNSETTLED:  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.02)
        assert nodes[3].node.journal.header.valid_from_epoch == 2
        assert not nodes[3].node.engine.standing().may_vote


async def flow(node: Node) -> None:
    """A transaction every now and then, for as long as the test lasts."""
    for number in range(10_000):
        await node.mempool.admit([registration(node.chain, f"person {number}")])
        await asyncio.sleep(0.3)


async def test_a_killed_and_wiped_validator_is_back_while_transactions_flow(tmp_path: Path) -> None:
    """A process of its own, and the whole way: `sync = "snapshot"` in its configuration, its data gone."""
    homes = make_homes(tmp_path, 4, idle_interval_ms=600, min_interval_ms=200)
    set_config(homes[3], sync="snapshot")
    process = Process(homes[3])
    async with running(homes[:3]) as nodes:
        flowing = asyncio.create_task(flow(nodes[0].node))
        await until(process, lambda: process.height() >= 3)
        process.kill()
        shutil.rmtree(homes[3] / "data")
        (homes[3] / "node.log").unlink()
        await nodes[0].height(nodes[0].node.ledger.tip.height + 3)
        process = Process(homes[3], WATTEST_CRASH_AT="chunk:1")
        assert await asyncio.to_thread(process.wait) == 137  # in the middle of a state that nobody may use
        assert (homes[3] / "data" / "state.new").exists()
        assert not (homes[3] / "data" / "state").exists()
        process = Process(homes[3], WATTEST_CRASH_AT="commit:1")
        assert await asyncio.to_thread(process.wait) == 137  # right after the new state took its place
        process = Process(homes[3])
        try:
            target = nodes[0].node.ledger.tip.height + 3
            await until(process, lambda: process.height() >= target)
            flowing.cancel()
            assert await asyncio.to_thread(process.terminate) == 0
        finally:
            flowing.cancel()
            process.kill()
        assert sum(entry["transactions"] for entry in process.finals()) > 0
        genesis, chain = read_genesis(homes[3] / "genesis.json")
        ledger = Ledger.open(open_store(homes[3] / "data" / "state", create=False), genesis, chain)
        assert process.finals()[0]["height"] == ledger.base.history_from > 1, "what came after, it executed itself"
        await nodes[0].height(ledger.tip.height)
        same = header_at(nodes[0].node.ledger.store, ledger.tip.height)
        assert ledger.tip.header == same, "and the state is the same"
        ledger.audit()
        ledger.close()
