"""MQTT 5 between those who send readings and those who keep them: a request on one topic, its answer on another.

    PREFIX/readings        signed batches, the same bytes as POST /v1/readings
    PREFIX/days            signed day closes, as POST /v1/days
    PREFIX/raw             seed objects of units without keys, for a gateway
    PREFIX/answers/NAME    where a sender hears what became of what it sent

A broker's acknowledgement says only that the broker has a message; it may still drop it. So whoever keeps readings
acknowledges to the broker only what is durable or refused for good, and answers on the response topic of the request;
whoever sends keeps everything until that answer, and sends it again without one. Repetition is harmless: what is held
already is a duplicate. About `RECEIVE_MAX` messages wait in a listener, each of bounded size: a slow listener makes the
broker wait, and its senders with it. Needs the extra `mqtt`.
"""

import asyncio
import json
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from structlog.typing import FilteringBoundLogger

from state.errors import DecodeError, IntakeBusy, SpoolFull, StoreError, WattestError

RECEIVE_MAX = 16  # messages that a listener has not acknowledged: with the largest packet, 34 MB at most
SESSION_S = 7 * 86_400  # how long a broker keeps what a listener that is away has not acknowledged
KEEPALIVE_S = 20
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0  # between tries to reach the broker, doubled
BUSY_S = 0.05  # before a full intake is asked again
ANSWER_S = 20.0  # how long a sender waits for an answer
MAX_TOPIC = 200

ANSWERS = "answers"

Body = dict[str, Any]
Handler = Callable[[bytes], Awaitable[Body]]
Refused = Callable[[WattestError], Body]


@dataclass(frozen=True)
class Broker:
    """Where a broker is, and how it lets one in. `prefix` is what every topic begins with."""

    host: str
    port: int
    prefix: str
    tls: bool = False
    ca: Path | None = None
    username: str | None = None
    password: str | None = None

    @property
    def shown(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}/{self.prefix}"


def parse_broker(url: str, ca: str = "", credentials: str = "") -> Broker:
    """`mqtt[s]://HOST[:PORT][/PREFIX]`; `credentials` is a file USER:PASSWORD. DecodeError names what is wrong."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise DecodeError(why=f"{url}: {error}") from None
    prefix = unquote(parts.path).strip("/") or "wattest"
    if parts.scheme not in ("mqtt", "mqtts") or not host or parts.password or parts.query or parts.fragment:
        raise DecodeError(why=f"{url} is not mqtt[s]://HOST[:PORT][/PREFIX]; a password stands in a file of its own")
    if any(mark in prefix for mark in "+#$\0") or len(prefix) > MAX_TOPIC // 2:
        raise DecodeError(why=f"{prefix!r} cannot begin a topic")
    tls = parts.scheme == "mqtts"
    if ca and not tls:
        raise DecodeError(why="an authority of certificates is named, but the address is not mqtts://")
    name, password = parts.username, None
    if credentials:
        name, _, password = _first_line(credentials).partition(":")
    return Broker(host, port or (8883 if tls else 1883), prefix, tls, Path(ca) if ca else None, name, password)


def _first_line(path: str) -> str:
    try:
        file = Path(path)
        if file.stat().st_mode & 0o077:
            raise DecodeError(why=f"{path} can be read by others; it must have mode 0600")
        line = file.read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DecodeError(why=f"{path}: {error}") from None
    if ":" not in line:
        raise DecodeError(why=f"{path} does not hold USER:PASSWORD")
    return line


class _Certain(asyncio.Queue[aiomqtt.Message]):
    """Takes nothing that a broker may lose: without an acknowledgement nothing bounds how much of it comes."""

    def put_nowait(self, item: aiomqtt.Message) -> None:
        if item.qos > 0 and not item.retain:
            super().put_nowait(item)


class _Client(aiomqtt.Client):
    """aiomqtt acknowledges what it has read, and reads whatever comes. Here both wait for the disk.

    The receive maximum alone does not bound what waits: mosquitto 2.0.11 sends more once acknowledgements flow. So the
    socket is not read while `RECEIVE_MAX` messages are here, and the broker's own sending comes to a stop.
    """

    _held: Any = None  # the socket that is not read at the moment
    _late = False

    def acknowledge_late(self) -> None:
        self._late = True
        self._client.manual_ack_set(True)

    def acknowledge(self, message: aiomqtt.Message) -> None:
        self._client.ack(message.mid, message.qos)

    def go_on(self) -> None:
        """Read again, where there is room."""
        if self._held is not None and len(self.messages) < RECEIVE_MAX:
            held, self._held = self._held, None
            current: Any = self._client.socket()
            if held is current and held.fileno() >= 0:
                self._loop.add_reader(held.fileno(), self._read)
                self._read()

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        super()._on_message(client, userdata, message)
        sock: Any = self._client.socket()
        if self._late and len(self.messages) >= RECEIVE_MAX and self._held is None and sock is not None:
            self._held = sock
            self._loop.remove_reader(sock.fileno())

    def _read(self) -> None:
        """As aiomqtt reads: a broken line ends the connection, and bytes that TLS has decrypted already come first."""
        try:
            self._client.loop_read()
            while self._held is None and getattr(self._client.socket(), "pending", int)():
                self._client.loop_read()
        except Exception as error:
            if not self._disconnected.done():
                self._disconnected.set_exception(error)


def _client(broker: Broker, identifier: str, session_s: int, receive: int, packet: int) -> _Client:
    """With a session the client takes only what the broker keeps until it is acknowledged."""
    properties = _properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = session_s
    properties.ReceiveMaximum = receive
    properties.MaximumPacketSize = packet
    context = ssl.create_default_context(cafile=broker.ca) if broker.tls else None
    client = _Client(
        broker.host,
        broker.port,
        username=broker.username,
        password=broker.password,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=session_s == 0,
        keepalive=KEEPALIVE_S,
        properties=properties,
        tls_context=context,
        queue_type=_Certain if session_s else None,
        socket_options=[
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ],  # or each answer waits 40 ms for an acknowledgement
    )
    client.pending_calls_threshold = 65_535  # what waits is bounded by whoever asks, and needs no warning
    return client


def _properties(packet: int) -> Any:
    """Of one packet: paho's own type sets its attributes by their names."""
    return Properties(packet)  # type: ignore[no-untyped-call]


class Listener:
    """Takes requests off the broker, one after the other, for ever. `handlers` by the last part of the topic.

    A handler answers once what it was given is durable, or raises a refusal, which is an answer too. StoreError ends
    `run`, and what was being handled comes again after the next start.
    """

    def __init__(
        self,
        broker: Broker,
        identifier: str,
        handlers: Mapping[str, Handler],
        refused: Refused,
        limit: int,
        log: FilteringBoundLogger,
        connected: Callable[[bool], None] = lambda is_connected: None,
    ) -> None:
        self._broker = broker
        self._identifier = identifier
        self._handlers = handlers
        self._refused = refused
        self._limit = limit
        self._log = log
        self._connected = connected
        self._client: _Client | None = None

    @property
    def waiting(self) -> int:
        """Messages that are here and not yet taken; at most `RECEIVE_MAX`."""
        return 0 if self._client is None else len(self._client.messages)

    async def run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                # More than the largest body: it is refused here with a code, where a broker would drop it in silence.
                packet = 2 * self._limit
                async with _client(self._broker, self._identifier, SESSION_S, RECEIVE_MAX, packet) as client:
                    client.acknowledge_late()
                    self._client = client
                    await client.subscribe([(f"{self._broker.prefix}/{name}", 1) for name in self._handlers])
                    self._log.info("broker_connected", broker=self._broker.shown)
                    self._connected(True)
                    pause_s = FIRST_PAUSE_S
                    async for message in client.messages:
                        await self._take(client, message)
                        client.go_on()
            except (aiomqtt.MqttError, OSError) as error:
                self._log.warning("broker_lost", broker=self._broker.shown, why=str(error) or type(error).__name__)
            finally:
                self._client = None
                self._connected(False)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _take(self, client: _Client, message: aiomqtt.Message) -> None:
        name = str(message.topic).removeprefix(self._broker.prefix + "/")
        answer = await self._answer(name, message.payload)
        client.acknowledge(message)
        topic, properties = self._way_back(message)
        if topic:
            await client.publish(topic, json.dumps(answer, default=str), qos=0, properties=properties)

    async def _answer(self, name: str, payload: Any) -> Body:
        body = bytes(payload) if isinstance(payload, bytes | bytearray) else b""
        try:
            if len(body) > self._limit:
                raise DecodeError(why=f"{len(body)} bytes, the limit is {self._limit}")
            while True:
                try:
                    return await self._handlers[name](body)
                except (IntakeBusy, SpoolFull):  # not a refusal: the broker waits, and its senders with it
                    await asyncio.sleep(BUSY_S)
        except StoreError:
            raise
        except WattestError as refusal:
            return self._refused(refusal)
        except Exception:
            self._log.exception("message_failed", topic=name)
            message = "This node made a mistake; its log has more."
            return {"schema": "error/1", "status": 500, "code": "internal", "message": message, "params": {}}

    def _way_back(self, message: aiomqtt.Message) -> tuple[str, Properties | None]:
        """Answers go to topics of answers alone: nobody makes this node speak where others listen for requests."""
        asked = message.properties
        topic = str(getattr(asked, "ResponseTopic", "")) if asked is not None else ""
        suffix = topic.removeprefix(f"{self._broker.prefix}/{ANSWERS}/")
        if suffix == topic or not suffix or len(topic) > MAX_TOPIC or any(mark in topic for mark in "+#\0"):
            return "", None
        properties = _properties(PacketTypes.PUBLISH)
        correlation = getattr(asked, "CorrelationData", None)
        if correlation is not None:
            properties.CorrelationData = correlation
        return topic, properties


class Unanswered(Exception):
    """No broker, or nobody behind it: whether what was sent arrived is not known. Send it again."""


class Requester:
    """Sends requests and waits for their answers. Use as a context; it finds the broker again by itself."""

    def __init__(self, broker: Broker, answer_s: float = ANSWER_S) -> None:
        self._broker = broker
        self._answer_s = answer_s
        self._topic = f"{broker.prefix}/{ANSWERS}/{secrets.token_hex(8)}"
        self._waiting: dict[bytes, asyncio.Future[Body]] = {}
        self._client: _Client | None = None
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._trouble = "not connected yet"

    async def __aenter__(self) -> "Requester":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def ask(self, name: str, body: bytes) -> Body:
        """The answer to `body` on PREFIX/`name`, whoever gives it first; Unanswered where none came in time."""
        correlation = secrets.token_bytes(12)
        answer: asyncio.Future[Body] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait for it any more
        self._waiting[correlation] = answer
        try:
            async with asyncio.timeout(self._answer_s):
                await self._ready.wait()
                assert self._client is not None
                properties = _properties(PacketTypes.PUBLISH)
                properties.ResponseTopic = self._topic
                properties.CorrelationData = correlation
                await self._client.publish(f"{self._broker.prefix}/{name}", body, qos=1, properties=properties)
                return await answer
        except TimeoutError:
            raise Unanswered(f"{self._broker.shown}: {self._trouble}") from None
        except (aiomqtt.MqttError, OSError) as error:
            raise Unanswered(f"{self._broker.shown}: {error}") from None
        finally:
            del self._waiting[correlation]

    async def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async with _client(self._broker, "", 0, 65_535, 2**20) as client:
                    await client.subscribe(self._topic, qos=0)
                    self._client, self._trouble, pause_s = client, "no node answered", FIRST_PAUSE_S
                    self._ready.set()
                    async for message in client.messages:
                        self._heard(message)
            except (aiomqtt.MqttError, OSError) as error:
                self._trouble = str(error) or type(error).__name__
            finally:
                self._lost()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _lost(self) -> None:
        """Answers that were on their way are lost with the connection: their requests are asked again at once."""
        self._ready.clear()
        self._client = None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(aiomqtt.MqttError(f"the connection was lost ({self._trouble})"))

    def _heard(self, message: aiomqtt.Message) -> None:
        correlation = getattr(message.properties, "CorrelationData", b"")
        waiting = self._waiting.get(bytes(correlation))
        if waiting is None or waiting.done():
            return
        try:
            body = json.loads(bytes(message.payload) if isinstance(message.payload, bytes | bytearray) else b"")
        except ValueError:
            return
        if isinstance(body, dict):
            waiting.set_result(body)
