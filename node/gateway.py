"""The gateway: raw posts of units that have no keys become signed readings on the validators.

    POST /  or /readings      one seed object {timestamp, id, pwr_avg, wind_spd, t, insolation}, or an array of them
    POST /flush[?unit=ID]     close the open day of one unit or all, where no next day will
    GET  /status              where each unit's chain stands, what waits, and what a validator refused
    MQTT PREFIX/raw           the same posts over a broker, where one is named

An answer of 200 means that the post is on this gateway's disk. It says how many readings were held already, came after
a later one of their day, or give a time a second value; all but the first are kept (decision 0022). From there they go
to a validator in signed batches, are sent again until a validator has acknowledged them, and only then forgotten. When
too much waits, the sender is told to come again (503; over a broker nothing is acknowledged until there is room),
never to believe that something was taken which was not.
"""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from node.chaining import MAX_BATCH_READINGS
from node.delivering import DAYS_PATH, READINGS_PATH, Delivery, Trouble
from node.intake import CLOSE_TAG, READINGS_TAG
from node.log import UNHEARD, open_log
from node.spool import Spool
from node.unit import Closed, Place, Record, Sent, Signed, Unit, UnitSetting
from state.codec import decode, encode
from state.crypto import public_key, sign, signed_bytes
from state.errors import (
    BatchRefused,
    DecodeError,
    FutureReading,
    LateReading,
    ReadingRefusal,
    SpoolFull,
    StoreError,
    UnknownUnit,
    WattestError,
)
from verifier.reading import MAX_READING_BYTES, Reading, SeedReading, guarded_json, seed_of

if TYPE_CHECKING:
    from node.mqtt import Broker, Listener

MAX_BODY_BYTES = 512 * 1024  # 1,440 seed objects of at most 360 bytes
BODY_TIMEOUT_S = 10  # aiohttp has no limit of its own on how long a body may drip
MAX_UNSENT = 30_000  # readings of one unit that may wait for the validators: half a year of quarter hours, 12 MB
REWRITE_BYTES = 64 * 1024 * 1024  # of acknowledged history in the log before it is shortened at a start
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0  # between tries to reach a validator, doubled
GATHER_S = (
    0.1  # between batches of one unit: a fast stream costs each validator ten synced writes a second, not hundreds
)


class Units(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """units.json: {"gateway": 1, "units": {"3": {"device": 7, "interval_s": 600, "channels": ["wind"]}}}."""

    gateway: int  # the ledger's number of this gateway's credential
    units: dict[str, UnitSetting]


def read_units(path: Path) -> Units:
    """DecodeError that names what is wrong with the file."""
    try:
        units = msgspec.json.decode(path.read_bytes(), type=Units)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise DecodeError(why=f"{path}: {error}") from None
    read_by: dict[int, str] = {}
    for name, setting in units.units.items():
        other = read_by.setdefault(setting.device, name)
        if other != name:  # each would begin a chain of its own, and validators take one
            raise DecodeError(why=f"{path}: units {other} and {name} both are device {setting.device}")
    return units


class Gateway:
    """`seed` is the credential's private half, `nodes` addresses of validators or brokers in order of preference."""

    def __init__(
        self,
        units: Units,
        seed: bytes,
        chain: bytes,
        nodes: Sequence[str],
        spool: Spool,
        clock: Callable[[], int] = lambda: int(time.time()),
        resend: bool = False,
        mqtt_ca: str = "",
        mqtt_credentials: str = "",
        batch: int = MAX_BATCH_READINGS,
    ) -> None:
        """`batch`: the most readings of one message. `resend` offers again all that the log still holds."""
        self._units = {name: Unit(name, setting, units.gateway) for name, setting in units.units.items()}
        self._seed = seed
        self._key = public_key(seed)
        self._chain = chain
        self._delivery = Delivery(nodes, mqtt_ca, mqtt_credentials)
        self._batch_most = min(batch, MAX_BATCH_READINGS)
        self._spool = spool
        self._clock = clock
        self._work = {name: asyncio.Event() for name in self._units}
        self._trouble: dict[str, Trouble] = {}
        self._senders: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._restore(resend)

    def _restore(self, resend: bool) -> None:
        for data in self._spool.records:
            record: Record = decode(Record, data)  # type: ignore[arg-type]
            unit = self._units.get(record.unit)
            if unit is None:
                raise StoreError(
                    why=f"{self._spool.path} holds readings of unit {record.unit}, which units.json does not name"
                )
            if isinstance(record, Sent) and resend:
                continue
            unit.apply(record)
            unit.made_durable(record)
        self._spool.records.clear()
        if self._spool.size > REWRITE_BYTES:
            self._spool.rewrite(encode(record) for unit in self._units.values() for record in unit.records())

    # --- raw posts

    async def post(self, body: bytes) -> Counter[Place]:
        """How the posted readings stood to what came before, after they are durable; all of an array or nothing."""
        return await self.take([(seed.id, seed.reading) for seed in parse_posts(body)])

    async def take(self, readings: Sequence[tuple[str, Reading]]) -> Counter[Place]:
        """The same for readings of named units that were parsed already."""
        posted = [(self._unit(name), reading) for name, reading in readings]
        now_s = self._clock()
        for unit in {id(unit): unit for unit, _ in posted}.values():
            own = [reading for of, reading in posted if of is unit]
            if unit.waiting + len(own) > MAX_UNSENT:
                raise SpoolFull(unit=unit.name, waiting=unit.waiting)
            unit.require_acceptable(own, now_s)
        records: list[Record] = []
        places: Counter[Place] = Counter()
        for unit, reading in posted:
            places[unit.place(reading)] += 1
            for record in unit.take(reading):
                unit.apply(record)
                records.append(record)
        await self._keep(records)
        return places

    async def flush(self, name: str | None = None) -> int:
        """Close the open day of one unit, or of all; how many were closed."""
        units = [self._unit(name)] if name is not None else list(self._units.values())
        records: list[Record] = []
        for unit in units:
            for record in unit.close_day():
                unit.apply(record)
                records.append(record)
        await self._keep(records)
        return len(records)

    def status(self) -> dict[str, Any]:
        return {
            "schema": "gateway/1",
            "units": [
                {
                    "id": unit.name,
                    "device": unit.setting.device,
                    "seq": unit.at.seq,
                    "hash": unit.at.prev.hex(),
                    "sent_seq": unit.at.sent_seq,
                    "time_s": unit.at.time_s,
                    "day": unit.at.day,
                    "open": unit.at.open,
                    "closed_day_sent": unit.at.sent_day,
                    "waiting": unit.waiting,
                    "trouble": None if (trouble := self._trouble.get(unit.name)) is None else vars(trouble),
                }
                for unit in self._units.values()
            ],
        }

    def _unit(self, name: str) -> Unit:
        unit = self._units.get(name)
        if unit is None:
            raise UnknownUnit(unit=name)
        return unit

    async def _keep(self, records: Iterable[Record]) -> None:
        """Durable before anybody is told. A repeated post waits too: its first copy may still be on its way to disk."""
        records = list(records)
        try:
            await self._spool.append(encode(record) for record in records)
        except StoreError as error:
            if not self._failed.done():
                self._failed.set_exception(error)  # memory is ahead of the disk: only a restart is honest now
            raise
        for record in records:
            self._units[record.unit].made_durable(record)
            self._work[record.unit].set()

    # --- to the validators

    async def run(self) -> None:
        """Forward until cancelled. StoreError when the disk fails."""
        async with self._delivery:
            self._senders = [asyncio.create_task(self._forward(unit)) for unit in self._units.values()]
            try:
                await asyncio.wait([self._failed, *self._senders], return_when=asyncio.FIRST_COMPLETED)
                for ended in [self._failed, *self._senders]:
                    if ended.done():
                        ended.result()
            finally:
                for sender in self._senders:
                    sender.cancel()
                await asyncio.gather(*self._senders, return_exceptions=True)

    async def _forward(self, unit: Unit) -> None:
        """One unit's readings and closes, in order. What a validator refuses stays and is offered again: the ledger
        may accredit the unit later, and a reading is never dropped here."""
        pause_s, turn = FIRST_PAUSE_S, 0
        while True:
            self._work[unit.name].clear()
            sending = self._next(unit)
            if sending is None:
                await self._work[unit.name].wait()
                continue
            path, body, sent = sending
            answer = await self._delivery.deliver(turn, path, body)
            if not isinstance(answer, Trouble):
                pause_s = FIRST_PAUSE_S
                self._trouble.pop(unit.name, None)
                unit.apply(sent)
                await self._keep([sent])
                if path == READINGS_PATH and unit.next_close() is None:
                    await asyncio.sleep(GATHER_S)
                continue
            self._trouble[unit.name] = answer
            turn += 1
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _next(self, unit: Unit) -> tuple[str, dict[str, Any], Sent] | None:
        readings = unit.next_readings(self._batch_most)
        if readings:
            return READINGS_PATH, self._batch(readings), Sent(unit.name, readings[-1].seq, unit.at.sent_day)
        close = unit.next_close()
        if close is not None:
            return DAYS_PATH, self._day(unit, close), Sent(unit.name, unit.at.sent_seq, close.day)
        return None

    def _batch(self, readings: Sequence[Signed]) -> dict[str, Any]:
        texts = [reading.text for reading in readings]
        return self._with_signature({"readings": texts}, signed_bytes(READINGS_TAG, self._chain, texts))

    def _day(self, unit: Unit, close: Closed) -> dict[str, Any]:
        numbers = [unit.setting.device, close.day, close.last_seq, close.count]
        message = signed_bytes(CLOSE_TAG, self._chain, [*numbers, close.head_hash, close.readings_root])
        return self._with_signature({"close": [*numbers, close.head_hash.hex(), close.readings_root.hex()]}, message)

    def _with_signature(self, body: dict[str, Any], message: bytes) -> dict[str, Any]:
        return body | {"signature": sign(self._seed, message).hex(), "key": self._key.hex()}


def parse_posts(body: bytes) -> list[SeedReading]:
    """One seed object or an array of 1..1,440 of them; the refusal of the first that is wrong."""
    value = guarded_json(body, MAX_BODY_BYTES)
    if not isinstance(value, list):
        if len(body) > MAX_READING_BYTES:
            raise DecodeError(why=f"one reading of {len(body)} bytes, the limit is {MAX_READING_BYTES}")
        return [seed_of(value)]
    if not 1 <= len(value) <= MAX_BATCH_READINGS:
        raise BatchRefused(why=f"it has {len(value)} readings, 1 to {MAX_BATCH_READINGS} are allowed")
    return [seed_of(item) for item in value]


def posted(places: Counter[Place]) -> dict[str, Any]:
    """The answer to a raw post, however it came."""
    return {
        "schema": "gateway_accepted/1",
        "accepted": places.total() - places["repeated"],
        "duplicates": places["repeated"],
        "out_of_order": places["out_of_order"],
        "second_values": places["second_value"],
    }


# --- HTTP


def gateway_app(gateway: Gateway) -> web.Application:
    async def post(request: web.Request) -> web.Response:
        return web.json_response(posted(await gateway.post(await read_body(request, MAX_BODY_BYTES))))

    async def flush(request: web.Request) -> web.Response:
        closed = await gateway.flush(request.query.get("unit"))
        return web.json_response({"schema": "gateway_flushed/1", "closed": closed})

    async def status(_: web.Request) -> web.Response:
        return web.json_response(gateway.status())

    app = web.Application(middlewares=[refusals_to_json], client_max_size=MAX_BODY_BYTES)
    app.router.add_post("/", post)
    app.router.add_post("/readings", post)
    app.router.add_post("/flush", flush)
    app.router.add_get("/status", status)
    return app


async def read_body(request: web.Request, limit: int) -> bytes:
    """At most `limit` bytes, plain, within BODY_TIMEOUT_S."""
    if "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType(text="a body is sent as it is, without Content-Encoding")
    if (request.content_length or 0) > limit:
        raise web.HTTPRequestEntityTooLarge(limit, request.content_length or 0)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise web.HTTPRequestEntityTooLarge(limit, len(body))
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the body took longer than {BODY_TIMEOUT_S} s") from None
    return bytes(body)


@web.middleware
async def refusals_to_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except WattestError as error:
        headers = {"Retry-After": "1"} if isinstance(error, SpoolFull) else {}
        return _refusal(http_status(error), error.code, str(error), error.params, headers)
    except web.HTTPException as error:
        return _refusal(error.status, f"http_{error.status}", error.text or error.reason, {}, {})
    except Exception:
        open_log(None, to_stderr=True).exception("request failed", method=request.method, path=request.path)
        return _refusal(500, "internal", "This gateway made a mistake; what it says on stderr has more.", {}, {})


def _refusal_body(code: str, message: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"schema": "error/1", "code": code, "message": message, "params": params, "action_index": None}


def _refusal(status: int, code: str, message: str, params: dict[str, Any], headers: dict[str, str]) -> web.Response:
    body = _refusal_body(code, message, params)
    return web.json_response(body, status=status, headers=headers, dumps=lambda value: json.dumps(value, default=str))


def http_status(error: WattestError) -> int:
    match error:
        case SpoolFull() | StoreError():
            return 503
        case UnknownUnit():
            return 404
        case LateReading() | FutureReading():
            return 409
        case ReadingRefusal() | DecodeError():
            return 400
        case _:
            return 400


# --- over a broker


def listener_of(gateway: Gateway, broker: "Broker", identifier: str) -> "Listener":
    """Takes raw posts off PREFIX/raw: acknowledged, and answered, once they are on this gateway's disk."""
    from node.mqtt import Listener

    async def post(body: bytes) -> dict[str, Any]:
        return {"status": 200, **posted(await gateway.post(body))}

    def refused(refusal: WattestError) -> dict[str, Any]:
        return {"status": http_status(refusal), **_refusal_body(refusal.code, str(refusal), refusal.params)}

    log = open_log(None, to_stderr=True)
    return Listener(broker, identifier, {"raw": post}, refused, MAX_BODY_BYTES, log)


async def serve(
    gateway: Gateway,
    host: str,
    port: int,
    started: Callable[[int], None],
    listener: "Listener | None" = None,
) -> None:
    """Listen and forward until cancelled; `started` is told the port. OSError where the port is taken."""
    listening: asyncio.Task[None] | None = None  # a disk that fails ends `gateway.run` too
    runner = web.AppRunner(gateway_app(gateway), access_log=None, handle_signals=False, logger=UNHEARD)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        started(runner.addresses[0][1])
        if listener is not None:
            listening = asyncio.create_task(listener.run())
        await gateway.run()
    finally:
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        await runner.cleanup()


def open_spool(directory: Path, chain: bytes) -> Spool:
    """The log of this gateway on this network; logs of other networks stay beside it."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    return Spool(directory / f"spool-{chain.hex()[:16]}.log")
