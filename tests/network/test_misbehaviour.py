"""What a peer may not do, over real connections: bounded, counted, and held against that peer and no other.

One real node, validator 0 of four. Validator 1 misbehaves, validator 2 is honest; both are played by the test.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from harness.intruder import Intruder
from harness.net import Running, keys_of, make_homes, open_node, running
from harness.world import key_of, seed_of

from consensus.messages import (
    Blocks,
    ConsensusMessage,
    Evidence,
    GetBlocks,
    GetQuorums,
    QuorumMessage,
    Status,
    VoteMessage,
)
from consensus.votes import FINALIZE, NOTARIZE, NULLIFY, Position, Quorum, Vote, make_vote, nullified
from node.gossip import BYTE_RATES, VALIDATOR_RATES, Ignore, Rate, Sender
from node.runtime import MAX_ADMISSIONS_EACH
from node.wire import VALIDATOR, Consensus, Transactions, encode_frame, node_id
from state.codec import encode
from state.crypto import sign
from state.units import MAX_FRAME_BYTES

LIAR, HONEST = 1, 2
FAR = 10**6


class Watched:
    """The node, what it holds against whom, and what it says to the liar."""

    def __init__(self, running_node: Running) -> None:
        self.running, self.node = running_node, running_node.node
        self.chain = self.node.chain
        self.said: list[ConsensusMessage] = []

    def peer(self, index: int, heard: Callable[[ConsensusMessage], None] | None = None) -> Intruder:
        peers = self.node.peers
        seed = seed_of(f"node_key{index}")
        return Intruder(peers.listen_address, peers.key.public, self.chain, seed, VALIDATOR, heard=heard)

    def points(self, index: int) -> int:
        name = node_id(key_of(f"node_key{index}")).hex()
        return self.node.peers._conduct.points(name, self.node.clock.monotonic_ms())

    def connected(self) -> set[int | None]:
        return {connection.sender.index for connection in self.node.peers.connected}

    def vote(self, kind: int, position: Position, signer: int = LIAR) -> Vote:
        seed = seed_of(f"vote_key{signer}")
        return make_vote(self.chain, kind, position, signer, lambda message: sign(seed, message))

    async def until(self, condition: Callable[[], bool], timeout_s: float = 40.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                if self.running.task.done():
                    self.running.task.result()
                await asyncio.sleep(0.01)


@asynccontextmanager
async def alone(tmp_path: Path) -> AsyncIterator[tuple[Watched, Intruder]]:
    """Validator 0, with validator 2 connected and honest; at the end that one is still there and blameless."""
    home, *_ = make_homes(tmp_path, 4)
    node = Running(open_node(home, keys_of(0)))
    try:
        watched = Watched(node)
        await watched.until(lambda: node.node.peers.listen_address.rpartition(":")[2] != "0" and _listens(node))
        async with watched.peer(HONEST), watched.peer(LIAR, watched.said.append) as liar:
            await watched.until(lambda: watched.connected() == {LIAR, HONEST})
            yield watched, liar
            assert HONEST in watched.connected()
            assert watched.points(HONEST) == 0
    finally:
        await node.stop()


def _listens(node: Running) -> bool:
    return hasattr(node.node.peers, "_runner") and bool(node.node.peers._runner.addresses)


SPOILT = {
    "a frame over the limit": bytes(MAX_FRAME_BYTES + 1),
    "an unknown kind": encode(["teleport", 1]),
    "another spelling": b"\xdc\x00\x02\xa4ping\x01",
    "no message inside": encode_frame(Consensus(b"\xc0")),
    "an unknown message": encode_frame(Consensus(encode(["teleport", 1]))),
}


@pytest.mark.parametrize("name", SPOILT)
async def test_bans_the_sender_of_what_is_no_frame(tmp_path: Path, name: str) -> None:
    async with alone(tmp_path) as (watched, liar):
        for _ in range(2):
            await liar.send(SPOILT[name])
        assert await liar.closed()
        await watched.until(lambda: LIAR not in watched.connected())
        assert watched.node.peers.refused["banned"] == 1
        assert watched.node.peers.refused["blamed"] >= 1


# bitmap, and whose signatures stand beside it; each signature is right
QUORUMS = {
    "a signature counted twice": (b"\x06", (1, 2, 2)),
    "one signer under two bits": (b"\x0e", (1, 2, 2)),
    "fewer signatures than signers": (b"\x0e", (1, 2)),
    "more signatures than signers": (b"\x0e", (1, 2, 3, 3)),
    "a signer beyond the set": (b"\x1e", (1, 2, 3, 3)),
    "a bitmap that is too wide": (b"\x0e\x00", (1, 2, 3)),
    "no bitmap": (b"", (1, 2, 3)),
    "fewer than a quorum": (b"\x06", (1, 2)),
    "another order": (b"\x0e", (2, 1, 3)),
}


def quorum_of(watched: Watched, bitmap: bytes, signers: tuple[int, ...]) -> QuorumMessage:
    """A Nullification of view 1."""
    votes = [watched.vote(NULLIFY, nullified(0, 1), signer) for signer in signers]
    return QuorumMessage(Quorum(NULLIFY, 0, 1, 0, bytes(32), bitmap, tuple(vote.signature for vote in votes)))


@pytest.mark.parametrize("name", QUORUMS)
async def test_blames_the_sender_of_a_quorum_that_does_not_hold(tmp_path: Path, name: str) -> None:
    async with alone(tmp_path) as (watched, liar):
        spoilt = quorum_of(watched, *QUORUMS[name])
        await liar.say(spoilt)
        await watched.until(lambda: watched.points(LIAR) > 0)
        assert LIAR in watched.connected(), "one lie is not enough for a ban"
        for _ in range(2):
            await liar.say(spoilt)
        assert await liar.closed()
        assert watched.node.engine.standing().view == 1


async def test_takes_a_quorum_that_holds_from_anybody(tmp_path: Path) -> None:
    async with alone(tmp_path) as (watched, liar):
        await liar.say(quorum_of(watched, b"\x0e", (1, 2, 3)))
        await watched.until(lambda: watched.node.engine.standing().view == 2)
        assert watched.points(LIAR) == 0


async def test_blames_the_sender_of_a_vote_or_evidence_that_is_forged(tmp_path: Path) -> None:
    async with alone(tmp_path) as (watched, liar):
        forged_vote = Vote(NULLIFY, 0, 1, 0, bytes(32), HONEST, bytes(64))
        await liar.say(VoteMessage(forged_vote))
        await watched.until(lambda: watched.points(LIAR) > 0)
        before = watched.points(LIAR)
        two = [Vote(FINALIZE, 0, 1, 0, bytes([mark]) * 32, HONEST, bytes(64)) for mark in (1, 2)]
        await liar.say(Evidence(*two))
        await watched.until(lambda: watched.points(LIAR) > before)
        assert watched.node.runtime.byzantine == set()


async def test_evidence_names_who_signed_and_not_who_told_it(tmp_path: Path) -> None:
    async with alone(tmp_path) as (watched, liar):
        for mark in (1, 2):
            position = Position(0, 1, 0, bytes([mark]) * 32)
            await liar.say(VoteMessage(watched.vote(NOTARIZE, position, signer=3)))
        await watched.until(lambda: watched.node.runtime.byzantine == {3})
        assert watched.points(LIAR) == 0


async def test_votes_of_far_views_are_not_kept_and_nobody_is_blamed(tmp_path: Path) -> None:
    async with alone(tmp_path) as (watched, liar):
        for view in range(FAR, FAR + 300):
            await liar.say(VoteMessage(watched.vote(NULLIFY, nullified(0, view))))
        await watched.until(lambda: any(isinstance(message, GetQuorums) for message in watched.said))
        await asyncio.sleep(0.2)
        engine = watched.node.engine
        assert all(view <= engine.standing().view + 2 for view in engine._tally._votes)
        questions = [message for message in watched.said if isinstance(message, GetQuorums)]
        assert len(questions) < 10, "once in delta, however many votes ask for it"
        assert watched.points(LIAR) == 0


async def test_messages_of_another_epoch_are_asked_about_and_nobody_is_blamed(tmp_path: Path) -> None:
    async with alone(tmp_path) as (watched, liar):
        for _ in range(50):
            await liar.say(VoteMessage(watched.vote(NULLIFY, nullified(7, 1))))
            await liar.say(Status(9, 1, 5, bytes(32)))
        await watched.until(lambda: any(isinstance(message, GetQuorums) for message in watched.said))
        assert len(watched.said) < 60
        assert watched.points(LIAR) == 0
        assert LIAR in watched.connected()


async def test_a_flood_of_messages_is_held_back_and_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VALIDATOR_RATES, Consensus, Rate(50, 200))  # type: ignore[arg-type]
    async with alone(tmp_path) as (watched, liar):
        status = encode_frame(Consensus(encode(Status(0, 1, 0, bytes(32)))))
        for _ in range(1_000):
            await liar.send(status)
        await watched.until(lambda: watched.node.peers.refused["ignored"] > 500)
        assert LIAR in watched.connected(), "too fast is not a lie"
        assert watched.points(LIAR) == 0
        honest = [c for c in watched.node.peers.connected if c.sender.index == HONEST]
        silent = honest[0].silent_ticks
        assert silent <= 2, "its pings are answered and read meanwhile"


async def test_more_bytes_than_the_rate_are_read_later_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BYTE_RATES, VALIDATOR, Rate(4_000, 2_000))  # type: ignore[arg-type]
    async with alone(tmp_path) as (watched, liar):
        began = time.monotonic()
        for _ in range(100):
            await liar.say(Status(0, 1, 0, bytes(32)))
        await liar.say(VoteMessage(watched.vote(NULLIFY, nullified(0, 1))))
        await watched.until(lambda: watched.node.engine._tally.first(NULLIFY, 1, LIAR) is not None)
        assert time.monotonic() - began > 0.5, "100 frames of some 70 bytes"
        assert watched.node.peers.refused["held_back"] > 3
        assert watched.points(LIAR) == 0


async def test_a_flood_of_transactions_leaves_room_for_others(tmp_path: Path) -> None:
    async with alone(tmp_path) as (watched, liar):
        runtime = watched.node.runtime
        sender = next(c.sender for c in watched.node.peers.connected if c.sender.index == LIAR)
        other = next(c.sender for c in watched.node.peers.connected if c.sender.index == HONEST)
        frame = Transactions((b"x" * 1_000,) * 20)
        before = runtime._admissions.qsize()
        taken = [_taken(watched, sender, frame) for _ in range(MAX_ADMISSIONS_EACH + 20)]
        assert 0 < sum(taken) <= MAX_ADMISSIONS_EACH - before
        assert not all(taken)
        assert _taken(watched, other, Transactions((b"y",)))
        await watched.until(lambda: runtime._admissions.empty() and not runtime._admissions_of, 30.0)
        assert runtime._admission_bytes == 0
        assert liar is not None
        await watched.until(lambda: watched.points(LIAR) > 0)  # for what was no transaction
        watched.node.peers._conduct._points.pop(other.name, None)  # the one that this test put into its mouth


def _taken(watched: Watched, sender: Sender, frame: Transactions) -> bool:
    try:
        watched.node.runtime.frame_received(sender, frame)
    except Ignore:
        return False
    return True


async def test_a_validator_is_never_banned_for_being_behind(tmp_path: Path) -> None:
    """Validator 3 says for a long time what it would have said long ago, and is answered."""
    homes = make_homes(tmp_path, 4)
    async with running(homes[:3]) as nodes:
        await nodes[0].height(4)
        watched = Watched(nodes[0])
        heard: list[ConsensusMessage] = []
        async with watched.peer(3, heard.append) as late:
            for _ in range(100):
                await late.say(Status(0, 1, 0, bytes(32)))
                await late.say(VoteMessage(watched.vote(NULLIFY, nullified(0, 1), signer=3)))
                await late.say(VoteMessage(watched.vote(NOTARIZE, Position(0, 2, 1, bytes(32)), signer=3)))
                await late.say(GetQuorums(0, 0))
            await late.say(GetBlocks(1, 5))
            await watched.until(lambda: any(isinstance(message, Blocks) for message in heard))
            assert watched.points(3) == 0
            assert 3 in watched.connected()
            assert watched.node.peers.refused["blamed"] == 0
