"""Whole nodes on the loopback in one process: blocks become final, latecomers catch up, conflicts have one winner."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from harness.net import Running, free_ports, keys_of, make_home, make_homes, open_node, registration, running, signed
from harness.world import key_of, seed_of
from msgspec import structs

from consensus.messages import Blocks, QuorumMessage, VoteMessage
from consensus.votes import FINALIZE, NOTARIZE, Quorum, Vote
from contracts.transition import DecodedTx
from node.app import NodeKeys
from node.config import ConfigError, load_config
from node.failures import KeyFileUnusable
from node.gossip import Sender
from node.runtime import FinalBlock, NodeHalted
from node.voting import begin_votes
from node.wire import VALIDATOR, Consensus, node_id
from state.codec import encode
from state.errors import StoreError, StoreMismatch, VoteStateLost, WattestError
from state.keyspace import key_owner_key
from state.transaction import Register


async def final_everywhere(nodes: list[Running], txid: bytes, timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not all(running.node.mempool._tip.is_final(txid) for running in nodes):
            for running in nodes:
                if running.task.done():
                    running.task.result()
            await asyncio.sleep(0.01)


def one_chain(nodes: list[Running]) -> int:
    """All nodes hold the same blocks and state roots up to the lowest tip, which is returned."""
    lowest = min(running.node.ledger.tip.height for running in nodes)
    for height in range(lowest + 1):
        assert len({running.node.ledger.block_at(height) for running in nodes}) == 1, f"fork at {height}"
    return lowest


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_validators_finalise_blocks_and_agree(tmp_path: Path, count: int) -> None:
    async with running(make_homes(tmp_path, count)) as nodes:
        for each in nodes:
            await each.height(4)
        assert one_chain(nodes) >= 4
        proposers = {nodes[0].node.ledger.block_at(height).header.proposer for height in range(1, 5)}
        assert len(proposers) == count  # everybody's turn comes


async def test_a_transaction_is_final_on_every_node_whichever_took_it(tmp_path: Path) -> None:
    async with running(make_homes(tmp_path, 4)) as nodes:
        for index, each in enumerate(nodes):
            (sent,) = await each.node.mempool.admit([registration(each.node.chain, f"person {index}")])
            assert isinstance(sent, DecodedTx)
            await final_everywhere(nodes, sent.txid)
        one_chain(nodes)
        assert [len(each.node.mempool) for each in nodes] == [0] * 4
        assert all(each.node.ledger.store.get(key_owner_key(key_of("person 3"))) for each in nodes)


async def test_of_two_conflicting_transactions_at_two_nodes_exactly_one_becomes_final(tmp_path: Path) -> None:
    async with running(make_homes(tmp_path, 4)) as nodes:
        chain = nodes[0].node.chain
        rivals = [signed(chain, "twin", Register(key_of("twin"), name, "FR", b"")) for name in ("one", "other")]
        first, second = await asyncio.gather(
            nodes[0].node.mempool.admit([rivals[0]]), nodes[1].node.mempool.admit([rivals[1]])
        )
        txids = [first[0].txid, second[0].txid]
        height = nodes[0].node.ledger.tip.height
        for each in nodes:
            await each.height(height + 6)
        final = [[each.node.mempool._tip.is_final(txid) for txid in txids] for each in nodes]
        assert final[0].count(True) == 1
        assert all(found == final[0] for found in final)
        loser = txids[final[0].index(False)]
        assert all(loser not in each.node.mempool for each in nodes)


async def test_three_of_four_go_on_and_the_fourth_catches_up_and_signs_again(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4, delta_ms=250)
    async with running(homes) as nodes:
        for each in nodes:
            await each.height(2)
        await nodes[3].stop()
        sent = [registration(nodes[0].node.chain, f"person {number}") for number in range(20)]
        results = await nodes[0].node.mempool.admit(sent)
        for each in nodes[:3]:
            await each.height(nodes[0].node.ledger.tip.height + 4)
        nodes[3] = Running(open_node(homes[3], keys_of(3)))
        await nodes[3].height(nodes[0].node.ledger.tip.height)
        await final_everywhere(nodes, results[-1].txid)
        feed = nodes[0].node.subscribe()
        async with asyncio.timeout(60):
            while True:
                final = await feed.get()
                assert isinstance(final, FinalBlock)
                if 3 in final.finalization.signers:
                    break
        one_chain(nodes)


async def test_all_stop_and_go_on_where_they_were(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4)
    async with running(homes) as nodes:
        for each in nodes:
            await each.height(3)
        reached = max(each.node.ledger.tip.height for each in nodes)
    async with running(homes) as nodes:
        assert min(each.node.ledger.tip.height for each in nodes) >= 3
        for each in nodes:
            await each.height(reached + 3)
        one_chain(nodes)


async def test_votes_survive_a_journal_that_rotates_at_every_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.runtime.SEGMENT_BYTES", 1)
    homes = make_homes(tmp_path, 4)
    for run in range(1, 4):
        async with running(homes) as nodes:
            for each in nodes:
                await each.height(3 * run)
            one_chain(nodes)
            assert not any(each.node.runtime.byzantine for each in nodes)
    assert all(each.node.journal.header.sequence > 6 for each in nodes)
    assert all(len(list((home / "data" / "journal").glob("*.journal"))) == 2 for home in homes)


async def test_a_latecomer_fetches_more_blocks_than_one_answer_holds(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4, idle_interval_ms=100, min_interval_ms=1, delta_ms=300)
    async with running(homes[:3]) as nodes:
        for each in nodes:
            await each.height(70, 60)
        late = Running(open_node(homes[3], keys_of(3)))
        nodes.append(late)
        await late.height(70)
        one_chain(nodes)


async def test_an_observer_follows_and_its_transactions_become_final(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4)
    genesis = json.loads((homes[0] / "genesis.json").read_text())
    ports = free_ports(2)
    keys = NodeKeys(seed_of("observer"))
    async with running(homes) as nodes:
        home = make_home(tmp_path / "observer", genesis, ports[0], ports[1], keys)
        observer = Running(open_node(home, keys))
        nodes.append(observer)
        assert observer.node.index is None
        await observer.height(3)
        (sent,) = await observer.node.mempool.admit([registration(observer.node.chain, "guest")])
        await final_everywhere(nodes, sent.txid)
        one_chain(nodes)
        await observer.stop()
        nodes[-1] = Running(open_node(home, keys))
        await nodes[-1].height(nodes[0].node.ledger.tip.height + 2)


async def test_final_blocks_reach_a_subscriber_in_order(tmp_path: Path) -> None:
    async with running(make_homes(tmp_path, 1)) as nodes:
        feed = nodes[0].node.subscribe()
        heights = [final.block.header.height for final in [await feed.get() for _ in range(4)] if final is not None]
        assert heights == [1, 2, 3, 4]


async def test_a_moved_validator_listens_before_it_votes(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 1, delta_ms=5, idle_interval_ms=100)
    async with running(homes) as nodes:
        await nodes[0].height(2)
    moved = tmp_path / "elsewhere"
    shutil.copytree(homes[0], moved)
    listener = Running(open_node(moved, keys_of(0)))
    height = listener.node.ledger.tip.height
    assert listener.node.listening
    await asyncio.wait_for(listener.task, 10)  # ends by itself
    async with running([moved]) as nodes:
        assert not nodes[0].node.listening
        assert nodes[0].node.ledger.tip.height == height, "it voted before it had listened"
        await nodes[0].height(height + 2)


async def test_a_copy_of_a_running_validator_ends_before_it_votes(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4)
    async with running(homes) as nodes:
        await nodes[3].height(2)
        await nodes[3].stop()
        copy = tmp_path / "copy"
        shutil.copytree(homes[3], copy)
        config = copy / "config.toml"
        address = load_config(copy, environment={}).text("node.p2p_listen")
        config.write_text(config.read_text().replace(address, "127.0.0.1:0"))
        nodes[3] = Running(open_node(homes[3], keys_of(3)))
        clone = Running(open_node(copy, keys_of(3)))
        with pytest.raises(NodeHalted) as halted:
            await asyncio.wait_for(clone.task, 30)
        assert halted.value.exit_code == 74
        height = nodes[0].node.ledger.tip.height
        for each in nodes:
            await each.height(height + 2)  # the original goes on


async def test_a_validator_that_sends_lies_is_dropped_and_the_others_go_on(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4, delta_ms=250)
    liar = Sender(node_id(key_of("node_key3")).hex(), VALIDATOR, 3)
    async with running(homes[:3]) as nodes:
        await nodes[0].height(2)
        tip = nodes[0].node.ledger.tip
        block = nodes[0].node.ledger.block_at(1)
        forged = Quorum(FINALIZE, 0, tip.view + 50, tip.view, bytes(32), b"\x07", (bytes(64),) * 3)
        lies = [
            QuorumMessage(forged),
            Blocks((structs.replace(block, header=structs.replace(block.header, height=tip.height + 1)),), (), forged),
            VoteMessage(Vote(NOTARIZE, 0, tip.view + 1, tip.view, bytes(32), 3, bytes(64))),
        ]
        for number in range(6):
            nodes[0].node.runtime.frame_received(liar, Consensus(encode(lies[number % 3])))
        async with asyncio.timeout(30):
            while not nodes[0].node.peers._conduct.banned(liar.name, nodes[0].node.clock.monotonic_ms()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for each in nodes:
            await each.height(tip.height + 3)
        one_chain(nodes)


# --- refusals


async def refused(home: Path, keys: NodeKeys, kind: type[WattestError], match: str) -> None:
    with pytest.raises(kind, match=match):
        open_node(home, keys)


async def stopped_home(tmp_path: Path) -> Path:
    """A home that has been used."""
    homes = make_homes(tmp_path, 1)
    async with running(homes) as nodes:
        await nodes[0].height(3)
    return homes[0]


async def test_refuses_a_second_node_of_one_home(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 1)
    async with running(homes) as nodes:
        await nodes[0].height(1)
        await refused(homes[0], keys_of(0), StoreError, "another process")


async def test_does_not_vote_after_all_data_is_gone(tmp_path: Path) -> None:
    """The mark beside the key remembers that it was used."""
    home = await stopped_home(tmp_path)
    (home / "data").rename(tmp_path / "lost")
    node = open_node(home, keys_of(0))
    node.close()
    assert not node.engine.standing().may_vote
    with pytest.raises(VoteStateLost, match="has voted before"):
        begin_votes(load_config(home, environment={}))


async def test_does_not_vote_with_a_journal_that_is_older_than_the_state(tmp_path: Path) -> None:
    """A backup of the journal alone, put back beside a state that went on."""
    homes = make_homes(tmp_path, 1)
    journal = homes[0] / "data" / "journal"
    async with running(homes) as nodes:
        await nodes[0].height(2)
        before = {path.name: path.read_bytes() for path in journal.iterdir()}
        await nodes[0].height(4)
    for path in journal.iterdir():
        path.unlink()
    for name, data in before.items():
        (journal / name).write_bytes(data)
    node = open_node(homes[0], keys_of(0))
    node.close()
    assert not node.engine.standing().may_vote
    assert "older" in node.journal.lost


async def test_refuses_a_home_of_another_network(tmp_path: Path) -> None:
    home = await stopped_home(tmp_path)
    genesis = json.loads((home / "genesis.json").read_text())
    genesis["parameters"]["name"] = "another"
    (home / "genesis.json").write_text(json.dumps(genesis))
    await refused(home, keys_of(0), StoreMismatch, "chain")


async def test_refuses_keys_that_the_records_do_not_name(tmp_path: Path) -> None:
    home = make_homes(tmp_path, 1)[0]
    await refused(home, NodeKeys(keys_of(0).node, seed_of("stranger")), ConfigError, "no validator's")
    await refused(home, NodeKeys(seed_of("stranger"), keys_of(0).vote), ConfigError, "not the one in the record")
    await refused(home, NodeKeys(keys_of(0).node), KeyFileUnusable, "vote.json is missing")
