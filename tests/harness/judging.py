"""Four judges over one ledger, told the same readings in different orders: what tests of verdicts begin with."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from harness.metering import Meter, Plant, give, record_of
from harness.world import World, seed_of

from contracts.transition import decode_signed
from node.baselines import Baselines
from node.judge import Judge, Ports
from node.readings import ReadingStore
from node.wire import AttestationMsg, Readings
from state.crypto import sign
from state.keyspace import device_key
from state.records import Device
from state.store import MemoryRows
from state.transaction import ProfileContent
from state.units import DAY_S
from verifier.reading import parse_seed, reading_hash

FIRST_DAY = 16_071  # 2014-01-01
COMMISSIONING_DAYS = 24
JUDGED_DAYS = 10  # they cross from January into February
FIRST_JUDGED = FIRST_DAY + COMMISSIONING_DAYS
FROM_S = FIRST_DAY * DAY_S
TO_S = FROM_S + COMMISSIONING_DAYS * DAY_S - 3_600  # within a day: verdicts begin with the first whole one after it


Tamper = Callable[[int, dict[str, Any]], None]


def honest(day: int, row: dict[str, Any]) -> None:
    """The record as it is."""


def frames_of(plant: Plant, days: int, tamper: Tamper = honest) -> list[Any]:
    """The record of unit 3, signed: for each day its batch and its close."""
    meter = plant.meter()
    by_day: dict[int, list[str]] = {}
    for row in record_of("unit3_wind_lhb_2014", days * 144):
        tamper(int(row["timestamp"]) // DAY_S - FIRST_DAY, row)
        reading = parse_seed(json.dumps(row).encode()).reading
        text = meter.text(
            reading.timestamp,
            reading.power_w,
            wind_spd=row["wind_spd"],
            t=row["t"],
            insolation=row["insolation"],
        )
        by_day.setdefault(reading.timestamp // DAY_S, []).append(text)
    return _framed(meter, by_day)


def _framed(meter: Meter, by_day: dict[int, list[str]]) -> list[Any]:
    frames: list[Any] = []
    seq, last = 0, {}
    for day, texts in by_day.items():
        seq += len(texts)
        last[day] = seq
    for day, texts in by_day.items():
        meter.seq, meter.prev = last[day], reading_hash(texts[-1].encode())
        frames += [meter.batch(texts), meter.close(day)]
    return frames


class Validators:
    """Four judges on one ledger. `clock` is moved by hand; what they send is delivered by `exchange`."""

    def __init__(self, plant: Plant, stores: list[ReadingStore]) -> None:
        self.world: World = plant.world
        self.plant = plant
        self.now_ms = 0
        self.sent: list[AttestationMsg] = []
        self.submitted: list[tuple[int, bytes]] = []
        self.announced: list[dict[str, Any]] = []
        self.judges = [self._judge(index, store) for index, store in enumerate(stores)]

    def _judge(self, index: int, store: ReadingStore) -> Judge:
        async def submit(raw: bytes) -> None:
            self.submitted.append((index, raw))

        ports = Ports(
            tip=lambda: (self.world.state, self.world.environment()),
            send=self.sent.append,
            submit=submit,
            sign=lambda message: sign(seed_of(f"vote_key{index}"), message),
            now_ms=lambda: self.now_ms,
            announce=self.announced.append,
        )
        return Judge(store, Baselines(store), index, ports)

    async def running(self, scenario: Callable[[], Awaitable[None]]) -> None:
        tasks = [asyncio.create_task(judge.run()) for judge in self.judges]
        try:
            await scenario()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def judged(self, days: int, judges: int = 4) -> None:
        """Wait until so many attestations were sent."""
        for _ in range(3_000):
            if len(self.sent) >= days * judges:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.sent)} attestations")

    def exchange(self) -> None:
        for message in self.sent:
            for index, judge in enumerate(self.judges):
                if index != message.validator:
                    judge.on_attestation(message)

    async def tick(self, milliseconds: int) -> list[tuple[int, bytes]]:
        self.now_ms += milliseconds
        self.submitted = []
        for judge in self.judges:
            await judge.on_tick()
        return self.submitted

    def block(self, *raws: bytes) -> list[Any]:
        events = self.world.block(*(decode_signed(raw) for raw in raws))
        for judge in self.judges:
            judge.on_block()
        return events


def sign_profile(plant: Plant, store: ReadingStore) -> dict[str, Any]:
    record = plant.world.state.get(device_key(plant.device))
    assert isinstance(record, Device)
    described = Baselines(store).describe(record, FROM_S, TO_S)
    content = ProfileContent(plant.device, bytes.fromhex(described["profile_hash"]), FROM_S, TO_S)
    plant.world.accredit(content, by="owner")
    return described


@dataclass(frozen=True)
class Told:
    """What two intakes hold that were told the same, each with the profile that it computed of it by itself."""

    rows: tuple[MemoryRows, MemoryRows]
    profile: ProfileContent


TOLD: dict[tuple[bytes | None, int], Told] = {}


async def told(genesis: bytes | None, days: int, tamper: Tamper = honest) -> Told:
    """Kept for the tests after this one: to sign, take in and parse a month of readings costs a second."""
    if tamper is honest and (genesis, days) in TOLD:
        return TOLD[genesis, days]
    plant = Plant(genesis=genesis)
    rows = (MemoryRows(), MemoryRows())
    stores = await held_by_two(plant, frames_of(plant, days, tamper), rows)
    described = sign_profile(plant, stores[0])
    record = plant.world.state.get(device_key(plant.device))
    assert isinstance(record, Device)
    for store in stores[:2]:
        Baselines(store).signed(record)
    content = ProfileContent(plant.device, bytes.fromhex(described["profile_hash"]), FROM_S, TO_S)
    found = Told(rows, content)
    if tamper is honest:
        TOLD[genesis, days] = found
    return found


async def four_told(genesis: bytes | None, days: int, tamper: Tamper = honest) -> Validators:
    """Four validators of a world of its own, of whom two and two were told alike."""
    found = await told(genesis, days, tamper)
    plant = Plant(genesis=genesis)
    plant.world.accredit(found.profile, by="owner")
    return Validators(plant, [ReadingStore(rows.frozen()) for rows in found.rows] * 2)


async def held_by_two(
    plant: Plant, frames: list[Any], rows: tuple[MemoryRows, MemoryRows] | None = None
) -> list[ReadingStore]:
    """Two intakes that were told the same in another order: as it came, and as gossip brings it after an outage."""
    in_order, shuffled = (plant.intake(each) for each in rows or (MemoryRows(), MemoryRows()))
    await give(in_order, *frames)
    mixed = list(frames)
    random.Random(7).shuffle(mixed)
    for _ in range(3):  # what did not fit at once is brought again
        for frame in mixed:
            await (shuffled.on_readings(frame) if isinstance(frame, Readings) else shuffled.on_day_close(frame))
    assert in_order.store.head(plant.device) == shuffled.store.head(plant.device)
    return [in_order.store, shuffled.store, in_order.store, shuffled.store]
