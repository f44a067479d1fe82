"""Who may connect to whom, and what becomes of connections that die, double, fall silent or are too slow."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from harness.net import free_ports
from harness.world import key_of, seed_of

from node import peers as module
from node.config import ConfigError
from node.faults import SystemClock
from node.gossip import BAN_AT, Reject, Sender
from node.log import open_log
from node.peers import Peers, SendQueue
from node.transport import NodeKey, certificate_key, transcript
from node.wire import (
    OBSERVER,
    PROTOCOL,
    VALIDATOR,
    Frame,
    Hello,
    HelloProof,
    Ping,
    Priority,
    Transactions,
    decode_frame,
    encode_frame,
    node_id,
)
from state.crypto import sign
from state.records import Validator
from state.units import MAX_FRAME_BYTES

CHAIN = b"\x0c" * 32


class Recorder:
    """What a node hears of its peers."""

    def __init__(self) -> None:
        self.up: list[int | None] = []
        self.down: list[int | None] = []
        self.frames: list[tuple[int | None, Frame]] = []
        self.rejecting = False

    def frame_received(self, sender: Sender, frame: Frame) -> None:
        if self.rejecting:
            raise Reject("not wanted here", BAN_AT)
        self.frames.append((sender.index, frame))

    def peer_up(self, sender: Sender) -> None:
        self.up.append(sender.index)

    def peer_down(self, sender: Sender) -> None:
        self.down.append(sender.index)


class Ring:
    """Validators that know each other's keys and addresses; any of them can be started, stopped and started anew."""

    def __init__(self, count: int) -> None:
        ports = free_ports(count)
        self.records = [
            Validator(
                index,
                index + 1,
                f"V{index}",
                key_of(f"vote_key{index}"),
                key_of(f"node_key{index}"),
                key_of(f"escrow_key{index}"),
                key_of(f"governance_key{index}"),
                f"127.0.0.1:{ports[index]}",
            )
            for index in range(count)
        ]
        self.started: list[Peers] = []

    async def start(self, index: int, chain: bytes = CHAIN) -> Peers:
        peers = Peers(
            NodeKey(seed_of(f"node_key{index}")),
            chain,
            self.records,
            self.records[index].address,
            SystemClock(),
            open_log(None),
        )
        return await self._start(peers)

    async def observer(self, name: str = "observer") -> Peers:
        peers = Peers(NodeKey(seed_of(name)), CHAIN, self.records, "127.0.0.1:0", SystemClock(), open_log(None))
        return await self._start(peers)

    async def _start(self, peers: Peers) -> Peers:
        peers.listener = Recorder()
        await peers.start()
        self.started.append(peers)
        return peers

    async def stop(self, peers: Peers) -> None:
        self.started.remove(peers)
        await peers.stop()

    def by_key(self) -> tuple[int, int]:
        """(validator with the smaller node key, the other)."""
        first, second = sorted(range(2), key=lambda index: self.records[index].node_key)
        return first, second


@pytest.fixture
async def ring() -> AsyncIterator[Ring]:
    ring = Ring(4)
    yield ring
    for peers in list(ring.started):
        await peers.stop()


def heard(peers: Peers) -> Recorder:
    assert isinstance(peers.listener, Recorder)
    return peers.listener


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for lies in several nodes
            await asyncio.sleep(0.01)


def linked(one: Peers, other: Peers) -> bool:
    return all(
        node_id(b.key.public).hex() in {c.sender.name for c in a.connected} for a, b in ((one, other), (other, one))
    )


async def test_four_validators_are_joined_by_one_connection_a_pair(ring: Ring) -> None:
    nodes = [await ring.start(index) for index in range(4)]
    await until(lambda: all(len(node.connected) == 3 for node in nodes))
    await asyncio.sleep(1.2)  # longer than any back-off: no second connection comes up and none flaps
    for node in nodes:
        assert len(node.connected) == 3
        assert len(heard(node).up) == len(set(heard(node).up)), "a connection was made twice"
        assert heard(node).down == []


async def test_frames_arrive_once_and_in_order(ring: Ring) -> None:
    one, other = await ring.start(0), await ring.start(1)
    await until(lambda: linked(one, other))
    for number in range(200):
        one.broadcast(encode_frame(Transactions((b"%d" % number,))), Priority.TRANSACTIONS)
    await until(lambda: len(heard(other).frames) == 200)
    assert [frame.raws[0] for _, frame in heard(other).frames] == [b"%d" % number for number in range(200)]  # type: ignore[union-attr]
    assert {index for index, _ in heard(other).frames} == {0}


async def test_a_frame_of_the_largest_size_arrives(ring: Ring) -> None:
    one, other = await ring.start(0), await ring.start(1)
    await until(lambda: linked(one, other))
    big = encode_frame(Transactions((secrets.token_bytes(250 * 1024),) * 16))
    one.broadcast(big, Priority.TRANSACTIONS)
    await until(lambda: bool(heard(other).frames))
    assert len(big) > 4_000_000


async def test_a_restarted_peer_is_back_within_two_seconds(ring: Ring) -> None:
    """Its old connection may still look alive: another session always wins."""
    small, large = ring.by_key()
    for stays, goes in ((small, large), (large, small)):
        one, other = await ring.start(stays), await ring.start(goes)
        await until(lambda one=one, other=other: linked(one, other))  # type: ignore[misc]
        await ring.stop(other)
        again = await ring.start(goes)
        await until(lambda one=one, again=again: linked(one, again), 2.0)  # type: ignore[misc]
        assert heard(one).up == [goes, goes]
        await ring.stop(one)
        await ring.stop(again)


async def test_an_observer_connects_without_a_certificate(ring: Ring) -> None:
    validator, observer = await ring.start(0), await ring.observer()
    await until(lambda: linked(validator, observer))
    assert heard(validator).up == [None]
    assert [c.sender.role for c in validator.connected] == [OBSERVER]
    validator.broadcast(encode_frame(Transactions((b"x",))), Priority.TRANSACTIONS, observers=False)
    validator.broadcast(encode_frame(Transactions((b"y",))), Priority.TRANSACTIONS)
    await until(lambda: bool(heard(observer).frames))
    assert [frame.raws for _, frame in heard(observer).frames] == [(b"y",)]  # type: ignore[union-attr]


async def test_a_silent_peer_is_dropped(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_S", 0.05)
    validator = await ring.start(0)
    async with dialled(validator) as socket:
        await until(lambda: len(validator.connected) == 1)
        await asyncio.sleep(0.3)
        assert validator.connected == []  # it only ever listened
        assert socket is not None


async def test_a_frame_that_comes_byte_by_byte_without_end_ends_the_connection(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a whole frame breaks the silence: bytes that never make one are silence too."""
    monkeypatch.setattr(module, "PING_S", 0.05)
    validator = await ring.start(0)
    async with dialled(validator) as socket:
        assert socket is not None
        await until(lambda: len(validator.connected) == 1)
        connection = socket._response.connection
        assert connection is not None
        transport = connection.transport
        assert transport is not None
        transport.write(b"\x82\xff" + (MAX_FRAME_BYTES - 1).to_bytes(8, "big") + bytes(4))  # binary, masked by zeros
        for _ in range(60):
            transport.write(b"\x00")
            await asyncio.sleep(0.01)
        assert validator.connected == []


async def test_a_frame_above_the_limit_ends_the_connection(ring: Ring) -> None:
    validator = await ring.start(0)
    async with dialled(validator) as socket:
        assert socket is not None
        await until(lambda: len(validator.connected) == 1)
        await socket.send_bytes(bytes(MAX_FRAME_BYTES + 1))
        await until(lambda: validator.connected == [])
        assert heard(validator).frames == []


async def test_a_peer_that_pings_stays(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_S", 0.05)
    one, other = await ring.start(0), await ring.start(1)
    await until(lambda: linked(one, other))
    await asyncio.sleep(0.6)
    assert heard(one).down == heard(other).down == []
    assert one.connected[0].round_trip_ms >= 0


async def test_a_peer_that_lies_is_left_alone_for_a_while(ring: Ring) -> None:
    one, other = await ring.start(0), await ring.start(1)
    await until(lambda: linked(one, other))
    heard(one).rejecting = True
    other.broadcast(encode_frame(Transactions((b"lie",))), Priority.TRANSACTIONS)
    await until(lambda: not one.connected)
    await asyncio.sleep(1.2)
    assert one.connected == []


# --- refusals


async def test_refuses_a_listener_with_another_key(ring: Ring) -> None:
    """The certificate is checked against the record before a byte of ours is sent."""
    impostor = NodeKey(secrets.token_bytes(32))
    listening = Peers(impostor, CHAIN, ring.records, ring.records[1].address, SystemClock(), open_log(None))
    await ring._start(listening)
    dialler = await ring.start(0)
    await asyncio.sleep(1.0)
    assert dialler.connected_validators == []


async def test_refuses_another_chain(ring: Ring) -> None:
    one, other = await ring.start(0), await ring.start(1, chain=b"\x0d" * 32)
    await asyncio.sleep(1.0)
    assert one.connected == other.connected == []


class dialled:  # noqa: N801 - used like a function
    """A hand-made dialler: shows the certificate of `shows`, claims to be `claims`, signs with `signs`."""

    def __init__(
        self,
        to: Peers,
        *,
        claims: bytes | None = None,
        signs: bytes | None = None,
        shows: bytes | None = None,
        role: int = OBSERVER,
        replayed: HelloProof | None = None,
    ) -> None:
        self._to, self._role, self._replayed = to, role, replayed
        self._signs = NodeKey(signs or seed_of("guest"))
        self._claims = claims or self._signs.public
        self._shows = NodeKey(shows) if shows else None
        self.proof: HelloProof | None = None

    async def __aenter__(self) -> aiohttp.ClientWebSocketResponse | None:
        self._session = aiohttp.ClientSession()
        key = self._shows or self._signs
        context = key.client_context(self._to.key.public, show_certificate=self._shows is not None)
        try:
            socket = await self._session.ws_connect(f"wss://{self._to.listen_address}/p2p", ssl=context)
        except (aiohttp.ClientError, OSError):
            await self._session.close()
            raise
        mine = Hello(PROTOCOL, CHAIN, self._role, self._claims, secrets.token_bytes(32), secrets.token_bytes(8), "", 0)
        await socket.send_bytes(encode_frame(mine))
        answer = await socket.receive()
        if answer.type is not aiohttp.WSMsgType.BINARY:
            return None
        theirs = decode_frame(answer.data)
        assert isinstance(theirs, Hello)
        certificate = self._to.key.certificate_der
        signature = sign(self._signs.seed, transcript(CHAIN, certificate, mine, theirs, True))
        self.proof = HelloProof(signature)
        await socket.send_bytes(encode_frame(self._replayed or self.proof))
        answer = await socket.receive()
        return socket if answer.type is aiohttp.WSMsgType.BINARY else None

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()


async def test_refuses_a_validator_without_its_certificate(ring: Ring) -> None:
    node = await ring.start(0)
    seed = seed_of("node_key1")
    async with dialled(node, role=VALIDATOR, signs=seed) as without:
        assert without is None
    async with dialled(node, role=VALIDATOR, signs=seed, shows=seed_of("node_key2")) as with_anothers:
        assert with_anothers is None
    async with dialled(node, role=VALIDATOR, signs=seed, shows=seed) as right:
        assert right is not None


async def test_refuses_a_certificate_that_no_validator_signed(ring: Ring) -> None:
    node = await ring.start(0)
    with pytest.raises((aiohttp.ClientError, OSError)):
        await dialled(node, shows=secrets.token_bytes(32)).__aenter__()


async def test_refuses_a_stranger_who_claims_to_be_a_validator(ring: Ring) -> None:
    node = await ring.start(0)
    async with dialled(node, role=VALIDATOR) as socket:
        assert socket is None


async def test_refuses_a_proof_by_another_key(ring: Ring) -> None:
    node = await ring.start(0)
    async with dialled(node, claims=key_of("somebody")) as socket:
        assert socket is None


async def test_refuses_a_proof_of_another_handshake(ring: Ring) -> None:
    node = await ring.start(0)
    first = dialled(node)
    async with first as socket:
        assert socket is not None
    async with dialled(node, replayed=first.proof) as socket:
        assert socket is None


async def test_refuses_more_observers_from_one_address_than_two(ring: Ring) -> None:
    node = await ring.start(0)
    async with dialled(node, signs=b"a" * 32) as one, dialled(node, signs=b"b" * 32) as two:
        await until(lambda: len(node.connected) == 2)
        async with dialled(node, signs=b"c" * 32) as three:
            assert (one is None, two is None, three is None) == (False, False, True)


async def test_refuses_a_dialler_that_says_nothing(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_S", 0.2)
    node = await ring.start(0)
    key = NodeKey(seed_of("guest"))
    async with aiohttp.ClientSession() as session:
        context = key.client_context(node.key.public, show_certificate=False)
        socket = await session.ws_connect(f"wss://{node.listen_address}/p2p", ssl=context)
        answer = await asyncio.wait_for(socket.receive(), 3)
        assert answer.type is not aiohttp.WSMsgType.BINARY
    assert node.connected == []


async def test_says_what_to_do_when_the_port_is_taken(ring: Ring) -> None:
    await ring.start(0)
    with pytest.raises(ConfigError, match="p2p_listen"):
        await ring.start(0)


def test_a_certificate_names_its_key() -> None:
    key = NodeKey(seed_of("node_key0"))
    assert certificate_key(key.certificate_der) == key.public
    assert certificate_key(b"no certificate") is None


# --- the queue to one peer


async def test_a_full_queue_drops_transactions_first_and_votes_last() -> None:
    queue = SendQueue(limit_bytes=40)
    for priority in (Priority.VOTES, Priority.QUORUMS, Priority.BODIES, Priority.TRANSACTIONS):
        queue.push(priority.name[:1].encode() * 10, priority)
    for _ in range(2):
        queue.push(b"V" * 10, Priority.VOTES)
    assert queue.dropped == 2
    assert [(await queue.pop())[:1] for _ in range(4)] == [b"V", b"V", b"V", b"Q"]
    queue.push(b"V" * 40, Priority.VOTES)
    queue.push(b"T", Priority.TRANSACTIONS)  # gives way to what waits
    assert await queue.pop() == b"V" * 40
    assert queue.frames == queue.bytes == 0


async def test_the_oldest_of_one_kind_gives_way() -> None:
    queue = SendQueue(limit_frames=3)
    for number in range(5):
        queue.push(b"%d" % number, Priority.VOTES)
    assert [await queue.pop() for _ in range(3)] == [b"2", b"3", b"4"]


async def test_a_ping_waits_behind_nothing() -> None:
    queue = SendQueue()
    queue.push(b"block", Priority.BODIES)
    queue.push(encode_frame(Ping(1)), Priority.VOTES)
    assert await queue.pop() == encode_frame(Ping(1))
