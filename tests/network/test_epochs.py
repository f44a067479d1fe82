"""Real nodes whose validators change while they run: one joins, one leaves, one rotates its key, transactions flow."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from harness.net import Running, free_ports, keys_of, make_home, make_homes, open_node, registration, running, signed
from harness.world import key_of, seed_of

from cli.verify_statement import Network, decode
from consensus.evidence import make_evidence
from consensus.votes import NOTARIZE, Position, make_vote
from contracts.transition import DecodedTx
from node.accusing import Accusing
from node.app import NodeKeys
from node.config import ConfigError, load_config
from node.journal import UNSETTLED
from node.keystore import CHEAP, generate_key, save_key
from node.proof import hops_to, prove
from node.queries.chain import finalization_of
from node.serving import canonical_json
from node.voting import NEXT_VOTE_KEY, begin_next_votes
from state.codec import encode
from state.crypto import sign
from state.keyspace import Space, key_owner_key, space_end
from state.records import KeyOwner, Proposal
from state.transaction import (
    ProposalContent,
    Propose,
    Register,
    RemoveValidatorContent,
    RotateVoteKeyContent,
    ValidatorContent,
    Vote,
)

LENGTH = 32
QUICK = {"epoch_length": LENGTH, "idle_interval_ms": 100, "min_interval_ms": 20, "delta_ms": 500}
ROTATED = NodeKeys(seed_of("node_key2"), seed_of("vote_key2"), seed_of("new vote key"))


async def final(nodes: list[Running], txid: bytes, timeout_s: float = 60.0) -> None:
    """Wait until the transaction is final on every node; what a node died of is raised."""
    async with asyncio.timeout(timeout_s):
        while not all(each.node.mempool._tip.is_final(txid) for each in nodes):
            for each in nodes:
                if each.task.done():
                    each.task.result()
            await asyncio.sleep(0.02)


async def epoch(nodes: list[Running], wanted: int, timeout_s: float = 60.0) -> None:
    for each in nodes:
        await each.height(wanted * LENGTH, timeout_s)


async def send(nodes: list[Running], raw: bytes) -> bytes:
    (taken,) = await nodes[0].node.mempool.admit([raw])
    assert isinstance(taken, DecodedTx), taken
    return taken.txid


class Consortium:
    """The governance keys of the first four, and whoever else proposes."""

    def __init__(self, nodes: list[Running]) -> None:
        self.nodes = nodes
        self.chain = nodes[0].node.chain

    def participant(self, name: str) -> int:
        owner = self.nodes[0].node.ledger.store.get(key_owner_key(key_of(name)))
        assert isinstance(owner, KeyOwner)
        return owner.participant

    async def decide(self, content: ProposalContent, by: str) -> None:
        """Propose, approve with a quorum, wait until it is enacted."""
        store = self.nodes[0].node.ledger.store
        propose = Propose(self.participant(by), content)
        await final(self.nodes, await send(self.nodes, signed(self.chain, by, propose)))
        low = bytes((Space.PROPOSAL,))
        number = max(p.id for _, p in store.scan(low, space_end(low)) if isinstance(p, Proposal))
        validators = self.nodes[0].node.ledger.validators
        for validator in validators[: len(validators) - (len(validators) - 1) // 3]:
            name = next(n for n in NAMES if key_of(n) == validator.governance_key)
            vote = Vote(number, validator.index, True, "")
            await final(self.nodes, await send(self.nodes, signed(self.chain, name, vote, salt=validator.index)))


NAMES = [*(f"governance_key{index}" for index in range(4)), "fifth"]


class Load:
    """People who register all the time, each at another node."""

    def __init__(self, nodes: list[Running]) -> None:
        self.nodes, self.sent = nodes, 0
        self.txids: list[bytes] = []

    async def run(self) -> None:
        while True:
            node = self.nodes[self.sent % len(self.nodes)].node
            self.sent += 1
            (taken,) = await node.mempool.admit([registration(node.chain, f"person {self.sent}")])
            assert isinstance(taken, DecodedTx), taken
            self.txids.append(taken.txid)
            await asyncio.sleep(0.05)


@asynccontextmanager
async def loaded(nodes: list[Running]) -> AsyncIterator[Load]:
    load = Load(nodes)
    task = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def fifth_home(tmp_path: Path, homes: list[Path]) -> tuple[Path, NodeKeys, str]:
    """A node outside of the genesis, with a vote key that waits; and its address."""
    genesis = json.loads((homes[0] / "genesis.json").read_text())
    ports = free_ports(2)
    keys = NodeKeys(seed_of("fifth node"), seed_of("fifth vote"))
    return make_home(tmp_path / "fifth", genesis, ports[0], ports[1], keys), keys, f"127.0.0.1:{ports[0]}"


def one_chain(nodes: list[Running]) -> None:
    lowest = min(each.node.ledger.tip.height for each in nodes)
    for height in range(lowest + 1):
        assert len({each.node.ledger.block_at(height) for each in nodes}) == 1, f"fork at {height}"


def light_client(node: Running, txid: bytes) -> Network:
    """A reader who knows the genesis alone is led to the transaction, by a verifier that shares no code with us."""
    genesis = canonical_json(node.node.config.genesis.read_bytes())
    store = node.node.ledger.store
    network = Network(genesis, node.node.ledger.chain)
    for hop in hops_to(store, node.node.ledger.tip.header.epoch):
        network.hop(decode(encode(hop), "hop"))
    network.transaction(decode(encode(prove(store, txid)), "proof"), "a transaction")
    return network


@pytest.mark.timeout(170)
async def test_one_joins_one_leaves_one_rotates_its_key_while_transactions_flow(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4, **QUICK)
    home, keys, address = fifth_home(tmp_path, homes)
    async with running(homes) as nodes:
        consortium = Consortium(nodes[:4])
        async with loaded([nodes[0], nodes[3]]) as load:
            register = Register(key_of("fifth"), "Fifth", "FR", b"")
            await final(nodes, await send(nodes, signed(consortium.chain, "fifth", register)))
            fifth = Running(open_node(home, keys))
            nodes.append(fifth)
            assert fifth.node.index is None
            content = ValidatorContent(
                consortium.participant("fifth"),
                "Fifth",
                key_of("fifth vote"),
                key_of("fifth node"),
                key_of("fifth escrow"),
                address,
            )
            await consortium.decide(content, "fifth")
            joined = nodes[0].node.ledger.epoch + 1
            await epoch(nodes, joined)
            await nodes[0].height(joined * LENGTH + 6)
            assert fifth.node.index == 4
            assert [each.node.index for each in nodes[:4]] == [0, 1, 2, 3]

            # the new key is put into the home of the node, which goes on running
            save_key(homes[2] / "keys", NEXT_VOTE_KEY, generate_key("vote", seed=ROTATED.next_vote), None, "test")
            begin_next_votes(load_config(homes[2], environment={}))
            consortium.nodes = nodes
            await consortium.decide(RotateVoteKeyContent(3, key_of("new vote key")), "governance_key2")
            await consortium.decide(RemoveValidatorContent(2), "governance_key0")
            rotated = nodes[0].node.ledger.epoch + 1
            await epoch(nodes, rotated + 1)
            await nodes[0].height((rotated + 1) * LENGTH + 6)
        names = [validator.vote_key for validator in nodes[0].node.ledger.validators]
        assert names == [key_of(n) for n in ("vote_key0", "new vote key", "vote_key3", "fifth vote")]
        assert [each.node.index for each in nodes] == [0, None, 1, 2, 3]

        # nobody stands still, everybody of the new set signs, nothing that was sent is lost
        tip = nodes[0].node.ledger.tip.height
        for each in nodes:
            await each.height(tip + 8)
        async with asyncio.timeout(20):
            while {0, 1, 2, 3} - _signers(nodes[0], tip):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert len(load.txids) > 50
        for txid in load.txids:
            await final(nodes, txid)
        one_chain(nodes)
        network = light_client(nodes[1], load.txids[-1])
        assert [len(found) for found in network.keys][-1] == 4
        assert max(len(found) for found in network.keys) == 5

    # and everybody finds its place again
    async with running([]) as none:
        again = [
            Running(open_node(path, its))
            for path, its in [(homes[0], keys_of(0)), (homes[2], ROTATED), (homes[3], keys_of(3)), (home, keys)]
        ]
        none.extend(again)
        assert [each.node.index for each in again] == [0, 1, 2, 3]
        tip = max(each.node.ledger.tip.height for each in again)
        for each in again:
            await each.height(tip + 4)
        one_chain(again)


def _signers(node: Running, above: int) -> set[int]:
    store, tip = node.node.ledger.store, node.node.ledger.tip.height
    found = [finalization_of(store, height) for height in range(above, tip + 1)]
    return {signer for finalization in found if finalization is not None for signer in finalization.signers}


@pytest.mark.timeout(120)
async def test_a_node_that_slept_through_epochs_is_led_through_them(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4, **QUICK)
    async with running(homes[:3]) as nodes:
        await epoch(nodes, 2)
        late = Running(open_node(homes[3], keys_of(3)))
        nodes.append(late)
        await epoch(nodes, 2)
        await late.height(nodes[0].node.ledger.tip.height)
        assert late.node.ledger.epoch >= 2
        one_chain(nodes)


@pytest.mark.timeout(120)
async def test_a_validator_that_slept_through_its_removal_learns_of_it(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4, **QUICK)
    async with running(homes) as nodes:
        consortium = Consortium(nodes)
        await consortium.decide(RemoveValidatorContent(4), "governance_key0")
        await nodes[3].stop()
        rest = nodes[:3]
        await epoch(rest, rest[0].node.ledger.epoch + 1)
        await rest[0].height(rest[0].node.ledger.tip.height + 4)
        nodes[3] = Running(open_node(homes[3], keys_of(3)))
        assert nodes[3].node.index == 3, "it does not know yet"
        await nodes[3].height(rest[0].node.ledger.tip.height + 2, 40)
        assert nodes[3].node.index is None
        assert len(nodes[3].node.ledger.validators) == 3
        one_chain(nodes)


@pytest.mark.timeout(120)
async def test_evidence_of_two_votes_ends_on_chain_and_costs_the_seat(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4, **QUICK)
    async with running(homes) as nodes:
        for each in nodes:
            each.node.parts.append(Accusing(each.node))
        chain = nodes[0].node.chain
        await nodes[0].height(3)
        votes = [
            make_vote(chain, NOTARIZE, Position(0, 900, 0, block), 3, lambda data: sign(seed_of("vote_key3"), data))
            for block in (b"\1" * 32, b"\2" * 32)
        ]
        for each in nodes[:3]:
            each.node.runtime._evidence(make_evidence(*votes))
        height = nodes[0].node.ledger.tip.height
        await epoch(nodes, 1)
        assert [v.participant for v in nodes[0].node.ledger.validators] == [1, 2, 3]
        blocks = [nodes[0].node.ledger.block_at(each) for each in range(height, height + 10)]
        assert any(block is not None and block.transactions for block in blocks), "not in a block within ten"
        await nodes[3].height(LENGTH + 5)
        assert nodes[3].node.index is None


@pytest.mark.timeout(60)
@pytest.mark.parametrize("begun", [True, False])
async def test_a_key_made_while_the_node_runs_is_taken_up_with_its_journal_or_not_at_all(
    tmp_path: Path, begun: bool
) -> None:
    homes = make_homes(tmp_path, 1, **{**QUICK, "epoch_length": 8})
    async with running(homes) as nodes:
        save_key(homes[0] / "keys", NEXT_VOTE_KEY, generate_key("vote", seed=seed_of("later")), None, "test")
        if begun:
            begin_next_votes(load_config(homes[0], environment={}))
        await nodes[0].height(9)
        assert nodes[0].node.office.vote_keys == [key_of("vote_key0"), *([key_of("later")] if begun else [])]
        await nodes[0].height(18)
        assert nodes[0].node.index == 0


@pytest.mark.timeout(60)
async def test_a_later_key_under_another_passphrase_does_not_stop_the_node(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 1, **{**QUICK, "epoch_length": 8})
    async with running(homes) as nodes:
        save_key(homes[0] / "keys", NEXT_VOTE_KEY, generate_key("vote"), b"not the node's", "file", limits=CHEAP)
        begin_next_votes(load_config(homes[0], environment={}))
        await nodes[0].height(12)
        assert len(nodes[0].node.office.vote_keys) == 1
    assert "next_vote_key_unusable" in (homes[0] / "node.log").read_text()


@pytest.mark.timeout(60)
async def test_a_waiting_key_without_its_journal_does_not_silence_the_key_in_office(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 1, **{**QUICK, "epoch_length": 8})
    async with running(homes) as nodes:
        await nodes[0].height(3)
    both = NodeKeys(keys_of(0).node, keys_of(0).vote, seed_of("spare"))
    node = Running(open_node(homes[0], both))
    assert node.node.index == 0
    await node.height(20)
    waiting = [seat.journal for seat in node.node.office._seats][1]
    assert waiting.header.valid_from_epoch == UNSETTLED, "nobody said that this key has never voted"
    await node.stop()


async def test_refuses_a_waiting_vote_key_where_the_set_never_changes(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 1)
    with pytest.raises(ConfigError, match="no validator's"):
        open_node(homes[0], NodeKeys(keys_of(0).node, seed_of("spare")))
