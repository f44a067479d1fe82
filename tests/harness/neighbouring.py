"""Two turbines in one wind on one ledger, and four validators who judge both: a plant and its neighbour."""

import asyncio
import json
import random
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from typing import Any

from harness.judging import FIRST_DAY, Validators
from harness.metering import Meter, Plant, record_of
from harness.world import FAR, WIND, key_of
from msgspec.structs import replace

from node.baselines import Baselines
from node.judge import ALL_SIGNED_MS, OTHERS_MS
from node.judge import RETRY_MS as ISSUE_RETRY_MS
from node.readings import ReadingStore
from node.wire import DayClose, Readings
from state.errors import BlockInvalid, Refusal
from state.keyspace import device_key
from state.records import Device
from state.transaction import MeterContent, ProfileContent
from state.units import DAY_S
from verifier.reading import parse_seed

Tamper = Callable[[int, dict[str, Any]], None]  # day from the first, row
HOURLY = replace(WIND, interval_s=3_600)
COMMISSIONED = 50  # days of an hour's readings that a curve between neighbours needs
FIRST_JUDGED = FIRST_DAY + COMMISSIONED
FROM_S, TO_S = FIRST_DAY * DAY_S, FIRST_JUDGED * DAY_S
MOST_KW = WIND.capacity_w * 99 / 100_000
QUIET_ROUNDS = 60  # without a word of any validator: all is said


def frames_of(meter: Meter, days: int, tamper: Tamper = lambda *_: None) -> list[Readings | DayClose]:
    """The record of unit 3 by the hour, signed: for each day its batch and its close."""
    frames: list[Readings | DayClose] = []
    by_hour = hours(days)
    for day in range(days):
        texts = []
        for row in by_hour[day * 24 : day * 24 + 24]:
            tamper(day, row)
            reading = parse_seed(json.dumps(row).encode()).reading
            fields = {name: row[name] for name in ("wind_spd", "t", "insolation")}
            texts.append(meter.text(reading.timestamp, reading.power_w, **fields, register_wh=None))
        if texts:
            frames += [meter.batch(texts), meter.close(FIRST_DAY + day)]
    return frames


def hours(days: int) -> list[dict[str, Any]]:
    """Hourly means of the record, hours without a reading left without values."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in record_of("unit3_wind_lhb_2014", days * 144):
        found.setdefault(int(row["timestamp"]) // 3_600, []).append(row)
    return [_mean(hour * 3_600, found.get(hour, [])) for hour in range(FROM_S // 3_600, FROM_S // 3_600 + days * 24)]


def _mean(timestamp: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    mean: dict[str, Any] = {"timestamp": timestamp, "id": "3", "insolation": None}
    for name in ("pwr_avg", "wind_spd", "t"):
        values = [float(row[name]) for row in rows if row[name] is not None]
        mean[name] = f"{sum(values) / len(values):.2f}" if values else None
    return mean


def sign_profile(plant: Plant, store: ReadingStore) -> None:
    record = plant.world.state.get(device_key(plant.device))
    assert isinstance(record, Device)
    described = Baselines(store).describe(record, FROM_S, TO_S)
    content = ProfileContent(plant.device, bytes.fromhex(described["profile_hash"]), FROM_S, TO_S)
    plant.world.accredit(content, by="owner")


def beside(plant: Plant) -> Plant:
    """Another turbine at the same place, with its own meter."""
    other = copy(plant)
    other.device = plant.world.device("owner", 1, HOURLY, profile=False)
    plant.world.accredit(MeterContent(other.device, key_of("reader"), 0, FAR), by="owner")
    return other


def scattered(seed: int = 5) -> Tamper:
    """The same wind, felt by another machine."""
    dice = random.Random(seed)

    def tamper(_: int, row: dict[str, Any]) -> None:
        scaled(row, 1 + dice.gauss(0, 0.04))

    return tamper


def joint(factor: float, first: int, last: int) -> Tamper:
    """Power raised from judged day `first` to `last`, under winds at which the plant gave as much before."""
    seen = sorted(
        (float(row["pwr_avg"]), float(row["wind_spd"]))
        for row in hours(COMMISSIONED)
        if row["pwr_avg"] and row["wind_spd"]
    )
    powers = [power_kw for power_kw, _ in seen]

    def tamper(day: int, row: dict[str, Any]) -> None:
        if first <= day - COMMISSIONED <= last:
            scaled(row, factor)
            row["wind_spd"] = f"{seen[bisect_left(powers, float(row['pwr_avg'])) % len(seen)][1]:.2f}"

    return tamper


def dead_anemometer(*days: int) -> Tamper:
    def tamper(day: int, row: dict[str, Any]) -> None:
        if day - COMMISSIONED in days:
            row["wind_spd"] = None

    return tamper


def both(*tampers: Tamper) -> Tamper:
    def tamper(day: int, row: dict[str, Any]) -> None:
        for one in tampers:
            one(day, row)

    return tamper


def scaled(row: dict[str, Any], factor: float) -> None:
    power_kw = float(row["pwr_avg"] or 0)
    row["pwr_avg"] = f"{min(power_kw * factor, max(power_kw, MOST_KW)) if power_kw > 0 else power_kw:.2f}"


async def settle(validators: Validators, committed: Callable[[bytes], None] = lambda _: None) -> None:
    """Let everybody judge, exchange and issue until nobody has anything left to say."""
    quiet = 0
    while quiet < QUIET_ROUNDS:
        for judge in validators.judges:  # behind whatever it is at
            await asyncio.get_running_loop().run_in_executor(judge._worker, int)
        await asyncio.sleep(0.01)
        busy = bool(validators.sent) or any(judge._queued for judge in validators.judges)
        validators.exchange()
        validators.sent.clear()
        sent = await validators.tick(OTHERS_MS + ALL_SIGNED_MS + ISSUE_RETRY_MS)
        for _, raw in sent[:1]:
            with suppress(Refusal, BlockInvalid):  # an issue that was agreed on before the ledger named other inputs
                validators.block(raw)
                committed(raw)
        quiet = 0 if busy or sent else quiet + 1
