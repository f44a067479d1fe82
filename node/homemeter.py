"""A meter of this home: it signs readings into its chain and hands them in until a node has them on disk.

The chain is kept in `HOME/meters`, in the log that a gateway keeps for its units: what was signed is on disk before it
is sent, goes out until a node has acknowledged it, and the next call goes on where this one ended.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from node.failures import NodeUnreachable, RefusedByNode
from node.gateway import Gateway, Units
from node.keystore import PrivateKey
from node.spool import Spool
from node.unit import UnitSetting
from state.units import DAY_S
from verifier.reading import Reading

FOLDER = "meters"
BATCH = 1_440  # readings of one message: a day of minutes
GROUP = 500  # readings taken at once: one synced write
ROOM = 20_000  # readings that may wait before more are read from the file
LOOK_S = 0.02
# what a meter waits out
IMPATIENT = ("unreachable", "http_502", "http_503", "intake_busy", "rate_limited", "overloaded", "syncing")


@dataclass(frozen=True)
class HomeMeter:
    """`interval_s` of 0 is learnt from the readings."""

    home: Path
    device: int
    interval_s: int
    key: PrivateKey
    chain: bytes


@dataclass(frozen=True)
class Manner:
    """How readings go out. `rate`: readings a second, 0 = as fast as they are taken. `told` hears, as it grows, the
    sequence number up to which a node has them, and how many wait."""

    rate: float = 0.0
    batch: int = BATCH
    close_last: bool = False
    timeout_s: int = 60  # without progress
    mqtt_ca: str = ""
    mqtt_credentials: str = ""
    told: Callable[[int, int], None] = lambda sent_seq, waiting: None


def log_of(home: Path, device: int, chain: bytes) -> Path:
    return home / FOLDER / f"{device}-{chain.hex()[:16]}.log"


def deliver(meter: HomeMeter, readings: Sequence[Reading], urls: Sequence[str], manner: Manner) -> dict[str, Any]:
    """Sign all, send all; what became of them. A refusal of the node, or no progress for so long, is raised.

    Readings that were sent before are known and not sent again; those of days that this meter closed are left out as
    late. Not for a thread in which an event loop runs.
    """
    spool = Spool(log_of(meter.home, meter.device, meter.chain))
    units = Units(0, {str(meter.device): UnitSetting(meter.device, meter.interval_s)})

    async def run() -> dict[str, Any]:
        gateway = Gateway(
            units,
            meter.key.seed,
            meter.chain,
            urls,
            spool,
            mqtt_ca=manner.mqtt_ca,
            mqtt_credentials=manner.mqtt_credentials,
            batch=manner.batch,
        )
        return await _deliver(gateway, str(meter.device), readings, manner)

    try:
        return asyncio.run(run())
    finally:
        spool.close()


async def _deliver(gateway: Gateway, name: str, readings: Sequence[Reading], manner: Manner) -> dict[str, Any]:
    forwarding = asyncio.create_task(gateway.run())
    accepted = duplicates = late = 0
    due = time.monotonic()
    try:
        for group in _groups(readings, 1 if manner.rate else GROUP):
            await _until(gateway, forwarding, lambda at: at["waiting"] <= ROOM, manner)
            timely = [reading for reading in group if not _is_late(gateway.status()["units"][0], reading)]
            late += len(group) - len(timely)
            places = await gateway.take([(name, reading) for reading in timely])
            duplicates += places["repeated"]
            accepted += places.total() - places["repeated"]
            if manner.rate:
                due += len(group) / manner.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        if manner.close_last:
            await gateway.flush(name)
        await _until(gateway, forwarding, _all_sent, manner)
    finally:
        forwarding.cancel()
        await asyncio.gather(forwarding, return_exceptions=True)
    at = gateway.status()["units"][0]
    reached = {name: at[name] for name in ("seq", "sent_seq", "hash")}
    return {"accepted": accepted, "duplicates": duplicates, "late": late, **reached}


def _is_late(at: dict[str, Any], reading: "Reading") -> bool:
    """Of a day that this meter has closed: its root is signed."""
    day = reading.timestamp // DAY_S
    return bool(at["seq"]) and (day < at["day"] or (day == at["day"] and not at["open"]))


def _all_sent(at: dict[str, Any]) -> bool:
    return not at["waiting"] and (at["open"] or at["closed_day_sent"] == at["day"] or not at["seq"])


async def _until(
    gateway: Gateway, forwarding: "asyncio.Task[None]", fits: Callable[[dict[str, Any]], bool], manner: Manner
) -> None:
    reached, since = -1, time.monotonic()
    while not fits(at := gateway.status()["units"][0]):
        if forwarding.done():
            forwarding.result()
        trouble = at["trouble"]
        if trouble is not None and trouble["code"] not in IMPATIENT:
            raise RefusedByNode(trouble["code"], trouble["message"], {}, None, 409)
        if at["sent_seq"] != reached:
            reached, since = at["sent_seq"], time.monotonic()
            manner.told(at["sent_seq"], at["waiting"])
        if time.monotonic() - since > manner.timeout_s:
            why = trouble["message"] if trouble else "nothing was acknowledged"
            raise NodeUnreachable(url="the node", why=f"{why}; {at['waiting']} readings wait in this home")
        await asyncio.sleep(LOOK_S)


def _groups(readings: Sequence[Reading], size: int) -> Iterator[list[Reading]]:
    rest = iter(readings)
    while group := list(islice(rest, size)):
        yield group
