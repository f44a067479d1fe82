"""Connections to other nodes: WebSocket over TLS 1.3, one connection per pair of validators.

Each validator listens and dials every other one; the one with the smaller node key dials at once, the other only where
it is left alone, so that normally one connection comes into being. Where two do, both ends keep the one that the
smaller key dialled. A connection of another *session* always wins: its peer was restarted, and the old one is a corpse
that has not been noticed yet.

At the end of an epoch `change` takes in the new validators: who left is not dialled and not let in as a validator any
more, who joined is dialled. A validator that the others have already let go, because it has not yet seen the end of the
epoch, is refused everywhere; it then knocks as an observer for a moment, asking only, and so learns what it missed.

What is sent waits in a bounded queue per peer; when a slow peer lets it fill, transactions give way first and votes
last. Every second each side pings; three seconds without a frame end the connection. Silence is counted in ticks of
our own loop, not by a clock: a loop that was starved must not mistake its own pause for the peer's.
"""

import asyncio
import secrets
import ssl
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import aiohttp
from aiohttp import WebSocketError, WSMsgType, web
from structlog.typing import FilteringBoundLogger

from node.config import ConfigError, parse_address
from node.faults import Clock
from node.gossip import BAN_AT, MALFORMED, Buckets, Conduct, Ignore, Reject, Sender
from node.transport import NodeKey, certificate_key, transcript
from node.wire import (
    OBSERVER,
    PROTOCOL,
    VALIDATOR,
    Frame,
    Hello,
    HelloProof,
    Ping,
    Pong,
    Priority,
    decode_frame,
    encode_frame,
    node_id,
)
from state.crypto import sign, verify
from state.errors import DecodeError
from state.records import Validator
from state.units import MAX_FRAME_BYTES

PATH = "/p2p"
HANDSHAKE_S = 5.0
PING_S = 1.0
SILENT_TICKS = 3
ASKING_S = 5.0  # how long a refused validator stays connected as an observer before it tries as itself again
BACKOFF_S = (0.1, 0.2, 0.5, 1.0)  # at most a second: after a partition heals everybody is back within the next view
YIELD_S = 0.5  # the larger key waits this long before it dials, to leave the dialling to the smaller
CLOSE_S = 1.0
QUEUE_BYTES = 32 * 1024 * 1024  # per peer: eight frames of the largest size
QUEUE_FRAMES = 20_000
MAX_OBSERVERS = 64
MAX_HANDSHAKES = 64  # under way at one time, or strangers could hold any number of connections for five seconds each
MAX_OBSERVERS_PER_ADDRESS = 2
PAUSE_S = {VALIDATOR: 0.001, OBSERVER: 0.02}  # before more is read of a peer that sends too fast: TCP holds it back

WebSocket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse
Received = TypeVar("Received", Hello, HelloProof)


class Listener(Protocol):
    """What the node does about its peers. All are called on the loop and must return at once."""

    def frame_received(self, sender: Sender, frame: Frame) -> None: ...

    def peer_up(self, sender: Sender) -> None: ...

    def peer_down(self, sender: Sender) -> None: ...


class SendQueue:
    """Frames that wait for one peer, by priority; bounded in bytes and number."""

    def __init__(self, limit_bytes: int = QUEUE_BYTES, limit_frames: int = QUEUE_FRAMES) -> None:
        self._waiting: tuple[deque[bytes], ...] = tuple(deque() for _ in Priority)
        self._limits = (limit_bytes, limit_frames)
        self.bytes = 0
        self.frames = 0
        self.dropped = 0
        self._ready = asyncio.Event()

    def push(self, data: bytes, priority: Priority) -> None:
        """Queue a frame; over the limit the oldest frames of the lowest priority give way, perhaps this one itself."""
        self._waiting[priority].append(data)
        self.bytes += len(data)
        self.frames += 1
        while self.bytes > self._limits[0] or self.frames > self._limits[1]:
            lowest = next(queue for queue in self._waiting if queue)
            self.bytes -= len(lowest.popleft())
            self.frames -= 1
            self.dropped += 1
        self._ready.set()

    async def pop(self) -> bytes:
        """The oldest frame of the highest priority."""
        while not self.frames:
            self._ready.clear()
            await self._ready.wait()
        highest = next(queue for queue in reversed(self._waiting) if queue)
        data = highest.popleft()
        self.bytes -= len(data)
        self.frames -= 1
        return data


@dataclass
class Traffic:
    """Payload bytes exchanged with one peer, over all its connections."""

    received: int = 0
    sent: int = 0


class Connection:
    """One live, authenticated connection."""

    def __init__(
        self, socket: WebSocket, hello: Hello, sender: Sender, dialled: bool, address: str, asking: bool = False
    ) -> None:
        self.socket = socket
        self.hello = hello
        self.sender = sender
        self.dialled = dialled
        self.asking = asking  # the peer takes this node for an observer: it may ask and not tell
        self.address = address
        self.queue = SendQueue()
        self.silent_ticks = 0
        self.round_trip_ms = 0
        self.traffic = Traffic()
        self.closing = asyncio.Event()
        self._ping: tuple[int, int] = (0, 0)  # nonce, sent at

    def ping(self, now_ms: int) -> None:
        self._ping = (self._ping[0] + 1, now_ms)
        self.queue.push(encode_frame(Ping(self._ping[0])), Priority.VOTES)

    def pong(self, nonce: int, now_ms: int) -> None:
        if nonce == self._ping[0]:
            self.round_trip_ms = now_ms - self._ping[1]


class HandshakeFailed(Exception):
    """The other side is not who it should be, or does not speak our protocol."""


class Peers:
    """All connections of one node. `validators` are the chain's records of the epoch, `overrides` addresses by key."""

    def __init__(
        self,
        key: NodeKey,
        chain: bytes,
        validators: Iterable[Validator],
        listen: str,
        clock: Clock,
        log: FilteringBoundLogger,
        overrides: Mapping[bytes, str] | None = None,
    ) -> None:
        self.key = key
        self.listen_address = listen
        self._chain = chain
        self._overrides = overrides or {}
        self._validators = {validator.node_key: validator for validator in validators}
        self.role = VALIDATOR if key.public in self._validators else OBSERVER
        self._server_context = key.server_context(self._validators)
        self._dialling: dict[bytes, asyncio.Task[None]] = {}  # by node key
        self._session = secrets.token_bytes(8)
        self._clock = clock
        self._log = log
        self._conduct = Conduct()
        self._connections: dict[str, Connection] = {}
        self.traffic: dict[int, Traffic] = {}  # by validator index
        self.refused: Counter[str] = Counter()  # what was not taken of other nodes since the start, by its reason
        self._dropped = 0  # frames that gave way in queues of connections that have ended
        self._handshakes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._gone: dict[str, asyncio.Event] = {}
        self.listener: Listener | None = None
        self.final_height: Callable[[], int] = lambda: 0

    # --- life

    async def start(self) -> None:
        """Listen and begin to dial. ConfigError where the port is taken."""
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, connect=HANDSHAKE_S))
        application = web.Application()
        application.router.add_get(PATH, self._accept)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSE_S)
        await self._runner.setup()
        host, port = parse_address(self.listen_address)
        site = web.TCPSite(self._runner, host, port, ssl_context=self._server_context)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(
                why=f"cannot listen for nodes on {self.listen_address}: {error.strerror or error}; is another node "
                "running there? Set p2p_listen in config.toml or WATTEST_P2P_LISTEN to a free port"
            ) from error
        bound = self._runner.addresses[0]
        self.listen_address = f"{bound[0]}:{bound[1]}"
        self._dial_everybody()

    def change(self, validators: Iterable[Validator]) -> None:
        """The validators of a new epoch. Connections that are right for it stay."""
        indexes = {key: validator.index for key, validator in self._validators.items()}
        self._validators = {validator.node_key: validator for validator in validators}
        self.key.also_trust(self._server_context, self._validators)
        moved = {indexes[key]: v.index for key, v in self._validators.items() if key in indexes}
        self.traffic = {moved[index]: traffic for index, traffic in self.traffic.items() if index in moved}
        role = VALIDATOR if self.key.public in self._validators else OBSERVER
        turned = role != self.role
        if turned:
            self.role = role
            self._session = secrets.token_bytes(8)  # what others still hold of this node is not it any more
        for key in [key for key in self._dialling if turned or key not in self._validators]:
            self._dialling.pop(key).cancel()
        for connection in self._connections.values():
            self._judge_again(connection, turned)
        self._dial_everybody()

    def _judge_again(self, connection: Connection, turned: bool) -> None:
        validator = self._validators.get(connection.hello.node_key)
        observes = connection.sender.role == OBSERVER
        if turned or connection.asking or observes != (validator is None):
            connection.closing.set()
        elif validator is not None:
            connection.sender = replace(connection.sender, index=validator.index)

    def _dial_everybody(self) -> None:
        for key in self._validators:
            if key != self.key.public and key not in self._dialling:
                self._dialling[key] = self._spawn(self._keep_dialling(key), f"dial {node_id(key).hex()[:8]}")

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()
        await self._runner.cleanup()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- sending

    def send(self, to: str, data: bytes, priority: Priority, asks: bool = False) -> bool:
        """Queue an encoded frame for one peer; False where it is not connected, or would take no more than questions.

        `asks`: a frame that an observer may send.
        """
        connection = self._connections.get(to)
        if connection is None or (connection.asking and not asks):
            return False
        connection.queue.push(data, priority)
        return True

    def broadcast(self, data: bytes, priority: Priority, observers: bool = True, asks: bool = False) -> None:
        """Queue an encoded frame for every connected validator and, unless it is not for them, observer."""
        for connection in self._connections.values():
            if (observers or connection.sender.role == VALIDATOR) and (asks or not connection.asking):
                connection.queue.push(data, priority)

    def blame(self, name: str, points: int, why: str) -> None:
        """Hold something against a peer; with enough of it the connection ends and none is made for a while."""
        self._log.warning("peer_blamed", peer=name, points=points, why=why)
        self.refused["blamed"] += 1
        if self._conduct.blame(name, points, self._clock.monotonic_ms()) and name in self._connections:
            self._log.warning("peer_banned", peer=name)
            self.refused["banned"] += 1
            self._connections[name].closing.set()

    # --- who is there

    @property
    def dropped(self) -> int:
        """Frames that gave way because a peer did not take them fast enough, since the start."""
        return self._dropped + sum(connection.queue.dropped for connection in self._connections.values())

    @property
    def validator_count(self) -> int:
        return len(self._validators)

    @property
    def connected(self) -> list[Connection]:
        return list(self._connections.values())

    @property
    def connected_validators(self) -> list[Connection]:
        return [c for c in self._connections.values() if c.sender.role == VALIDATOR]

    # --- dialling

    async def _keep_dialling(self, node_key: bytes) -> None:
        """Hold a connection to one validator for as long as it is one."""
        name = node_id(node_key).hex()
        gone = self._gone.setdefault(name, asyncio.Event())
        failures, refused = 0, False
        while True:
            if self.key.public > node_key:
                await asyncio.sleep(YIELD_S)
            if name in self._connections:
                failures = 0
                gone.clear()
                await gone.wait()
                continue
            if not self._conduct.banned(name, self._clock.monotonic_ms()):
                asking, refused = refused and self.role == VALIDATOR, False
                try:
                    await self._dial(self._validators[node_key], asking)
                    failures = 0
                except (OSError, aiohttp.ClientError, TimeoutError, HandshakeFailed) as error:
                    refused = not asking and _is_refusal(error)
                    self._log.debug("dial_failed", validator=name, refused=refused, why=str(error)[:200])
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1

    async def _dial(self, validator: Validator, asking: bool) -> None:
        role = OBSERVER if asking else self.role
        context = self.key.client_context(validator.node_key, show_certificate=role == VALIDATOR)
        address = self._overrides.get(validator.node_key, validator.address)
        async with asyncio.timeout(HANDSHAKE_S):
            socket = await self._client.ws_connect(
                f"wss://{address}{PATH}",
                ssl=context,
                compress=0,
                max_msg_size=MAX_FRAME_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
            )
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                hello = await self._greet_listener(socket, validator, role)
            now = self._validators.get(hello.node_key)
            if now is None or (role != self.role and not asking):
                return  # the epoch ended meanwhile
            connection = Connection(
                socket, hello, Sender(node_id(hello.node_key).hex(), VALIDATOR, now.index), True, address, asking
            )
            if asking:
                asyncio.get_running_loop().call_later(ASKING_S, connection.closing.set)
            await self._serve(connection)
        finally:
            await socket.close()

    async def _greet_listener(self, socket: aiohttp.ClientWebSocketResponse, validator: Validator, role: int) -> Hello:
        mine = self._hello(role)
        await socket.send_bytes(encode_frame(mine))
        theirs = await _receive(socket, Hello)
        self._check_hello(theirs)
        if theirs.node_key != validator.node_key:
            raise HandshakeFailed("the listener is another node")
        certificate = _shown_certificate(socket.get_extra_info("ssl_object"))
        if certificate is None:
            raise HandshakeFailed("the listener showed no certificate")
        await socket.send_bytes(encode_frame(self._proof(certificate, mine, theirs, True)))
        proof = await _receive(socket, HelloProof)
        if not verify(theirs.node_key, transcript(self._chain, certificate, mine, theirs, False), proof.signature):
            raise HandshakeFailed("the listener's proof does not hold")
        return theirs

    # --- listening

    async def _accept(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=CLOSE_S, max_msg_size=MAX_FRAME_BYTES, compress=False)
        await socket.prepare(request)
        assert request.transport is not None
        address = str(request.remote)
        shown = _shown_certificate(request.transport.get_extra_info("ssl_object"))
        self._handshakes += 1
        try:
            if self._handshakes > MAX_HANDSHAKES:
                raise HandshakeFailed("too many handshakes at once")
            async with asyncio.timeout(HANDSHAKE_S):
                hello = await self._greet_dialler(socket, shown, address)
        except (TimeoutError, HandshakeFailed, OSError) as error:
            self._log.info("handshake_refused", address=address, why=str(error)[:200])
            self.refused["handshake"] += 1
            await socket.close()
            return socket
        finally:
            self._handshakes -= 1
        validator = self._validators.get(hello.node_key) if hello.role == VALIDATOR else None
        if validator is None and hello.role == VALIDATOR:  # the epoch ended meanwhile
            await socket.close()
            return socket
        sender = Sender(node_id(hello.node_key).hex(), hello.role, validator.index if validator else None)
        await self._serve(Connection(socket, hello, sender, False, address))
        await socket.close()
        return socket

    async def _greet_dialler(self, socket: web.WebSocketResponse, shown: bytes | None, address: str) -> Hello:
        theirs = await _receive(socket, Hello)
        self._check_hello(theirs)
        if theirs.role == VALIDATOR:
            if theirs.node_key not in self._validators:
                raise HandshakeFailed("not a validator of this chain")
            if shown is None or certificate_key(shown) != theirs.node_key:
                raise HandshakeFailed("a validator must show the certificate of its node key")
        else:
            self._check_room(address)
        mine = self._hello(self.role)
        await socket.send_bytes(encode_frame(mine))
        proof = await _receive(socket, HelloProof)
        certificate = self.key.certificate_der
        if not verify(theirs.node_key, transcript(self._chain, certificate, theirs, mine, True), proof.signature):
            raise HandshakeFailed("the dialler's proof does not hold")
        await socket.send_bytes(encode_frame(self._proof(certificate, theirs, mine, False)))
        return theirs

    def _check_room(self, address: str) -> None:
        observers = [c for c in self._connections.values() if c.sender.role == OBSERVER]
        if len(observers) >= MAX_OBSERVERS or sum(c.address == address for c in observers) >= MAX_OBSERVERS_PER_ADDRESS:
            raise HandshakeFailed("no room for another observer from there")

    def _check_hello(self, hello: Hello) -> None:
        if hello.protocol != PROTOCOL:
            raise HandshakeFailed(f"protocol {hello.protocol}, this node speaks {PROTOCOL}")
        if hello.chain != self._chain:
            raise HandshakeFailed(f"chain {hello.chain.hex()[:16]}, this network is {self._chain.hex()[:16]}")
        if hello.node_key == self.key.public:
            raise HandshakeFailed("that is this node itself")
        if self._conduct.banned(node_id(hello.node_key).hex(), self._clock.monotonic_ms()):
            raise HandshakeFailed("banned for a while")

    def _hello(self, role: int) -> Hello:
        return Hello(
            protocol=PROTOCOL,
            chain=self._chain,
            role=role,
            node_key=self.key.public,
            nonce=secrets.token_bytes(32),
            session=self._session,
            address=self.listen_address,
            height=self.final_height(),
        )

    def _proof(self, certificate: bytes, dialler: Hello, listener: Hello, by_dialler: bool) -> HelloProof:
        return HelloProof(sign(self.key.seed, transcript(self._chain, certificate, dialler, listener, by_dialler)))

    # --- one connection

    async def _serve(self, connection: Connection) -> None:
        """Until it ends: take its frames, send what is queued, ping."""
        name = connection.sender.name
        if not self._register(connection):
            return
        self._log.info("peer_up", peer=name, validator=connection.sender.index, dialled=connection.dialled)
        workers = [
            self._spawn(self._write(connection), "write"),
            self._spawn(self._tick(connection), "tick"),
            self._spawn(self._read(connection), "read"),
            self._spawn(_wait(connection.closing), "closing"),
        ]
        try:
            if self.listener is not None:
                self.listener.peer_up(connection.sender)
            await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for worker in workers:
                worker.cancel()
                if worker.done() and not worker.cancelled() and (error := worker.exception()) is not None:
                    self._log.error("connection_failed", peer=name, why=repr(error))
            self._dropped += connection.queue.dropped
            if self._connections.get(name) is connection:
                del self._connections[name]
                self._log.info("peer_down", peer=name, validator=connection.sender.index)
                if self.listener is not None:
                    self.listener.peer_down(connection.sender)
                if name in self._gone:
                    self._gone[name].set()

    def _register(self, new: Connection) -> bool:
        """Whether the connection is the one to keep; the one it replaces is closed."""
        old = self._connections.get(new.sender.name)
        if old is not None and old.hello.session == new.hello.session:
            smaller_dials = self.key.public < new.hello.node_key
            if old.dialled == smaller_dials and new.dialled != smaller_dials:
                return False
        if old is not None:
            old.closing.set()
        self._connections[new.sender.name] = new
        if new.sender.index is not None:
            new.traffic = self.traffic.setdefault(new.sender.index, new.traffic)
        return True

    async def _read(self, connection: Connection) -> None:
        buckets = Buckets(connection.sender.role, self._clock.monotonic_ms())
        async for message in connection.socket:
            connection.silent_ticks = 0
            connection.traffic.received += len(message.data) if message.type is WSMsgType.BINARY else 0
            now_ms = self._clock.monotonic_ms()
            if message.type is WSMsgType.ERROR:
                if isinstance(message.data, WebSocketError):  # any other error is the network's, and nobody's fault
                    self.blame(connection.sender.name, BAN_AT, f"no WebSocket frame of ours: {message.data}")
                continue
            if message.type is not WSMsgType.BINARY:
                self.blame(connection.sender.name, MALFORMED, "a message that is not binary")
                continue
            try:
                frame = decode_frame(message.data)
                buckets.take(type(frame), now_ms)
                self._deliver(connection, frame, now_ms)
            except DecodeError as error:
                self.blame(connection.sender.name, MALFORMED, str(error))
            except Reject as rejected:
                self.blame(connection.sender.name, rejected.points, rejected.why)
            except Ignore as ignored:
                self._log.debug("frame_ignored", peer=connection.sender.name, why=str(ignored))
                self.refused["ignored"] += 1
                await asyncio.sleep(PAUSE_S[connection.sender.role])
            pause_ms = buckets.pause_ms(len(message.data), now_ms)
            if pause_ms:
                self.refused["held_back"] += 1
                await asyncio.sleep(pause_ms / 1_000)

    def _deliver(self, connection: Connection, frame: Frame, now_ms: int) -> None:
        if isinstance(frame, Ping):
            connection.queue.push(encode_frame(Pong(frame.nonce)), Priority.VOTES)
        elif isinstance(frame, Pong):
            connection.pong(frame.nonce, now_ms)
        elif self.listener is not None:
            self.listener.frame_received(connection.sender, frame)

    async def _write(self, connection: Connection) -> None:
        with suppress(OSError, aiohttp.ClientError):
            while True:
                data = await connection.queue.pop()
                await connection.socket.send_bytes(data)
                connection.traffic.sent += len(data)

    async def _tick(self, connection: Connection) -> None:
        while connection.silent_ticks < SILENT_TICKS:
            connection.silent_ticks += 1
            connection.ping(self._clock.monotonic_ms())
            await asyncio.sleep(PING_S)
        self._log.info("peer_silent", peer=connection.sender.name)


# --- frames of the handshake


def _is_refusal(error: Exception) -> bool:
    """Whether somebody was there and would not talk to this node as what it is."""
    unreachable = isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError)
    return not unreachable and not isinstance(error, TimeoutError)


async def _receive(socket: WebSocket, kind: type[Received]) -> Received:
    message = await socket.receive()
    if message.type is not WSMsgType.BINARY:
        raise HandshakeFailed("the connection ended within the handshake")
    try:
        frame = decode_frame(message.data)
    except DecodeError as error:
        raise HandshakeFailed(str(error)) from None
    if not isinstance(frame, kind):
        raise HandshakeFailed(f"a {type(frame).__name__} frame within the handshake")
    return frame


def _shown_certificate(tls: ssl.SSLObject | None) -> bytes | None:
    """The other side's certificate in DER, which OpenSSL has checked against the validators' anchors."""
    return tls.getpeercert(binary_form=True) if tls is not None else None


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
