"""Two turbines in one wind on one ledger, and four validators who judge both: a plant and its neighbour."""

import asyncio
import random
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from typing import Any

from harness.judging import COMMISSIONING_DAYS, Validators
from harness.metering import Plant, record_of
from harness.world import FAR, WIND, key_of

from node.judge import ALL_SIGNED_MS, OTHERS_MS
from node.judge import RETRY_MS as ISSUE_RETRY_MS
from state.errors import BlockInvalid
from state.transaction import MeterContent

Tamper = Callable[[int, dict[str, Any]], None]
MOST_KW = WIND.capacity_w * 99 / 100_000
QUIET_ROUNDS = 60  # without a word of any validator: all is said


def beside(plant: Plant) -> Plant:
    """Another turbine at the same place, with its own meter."""
    other = copy(plant)
    other.device = plant.world.device("owner", 1, WIND, profile=False)
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
        for row in record_of("unit3_wind_lhb_2014", COMMISSIONING_DAYS * 144)
        if row["pwr_avg"] and row["wind_spd"]
    )
    powers = [power_kw for power_kw, _ in seen]

    def tamper(day: int, row: dict[str, Any]) -> None:
        if first <= day - COMMISSIONING_DAYS <= last:
            scaled(row, factor)
            row["wind_spd"] = f"{seen[bisect_left(powers, float(row['pwr_avg'])) % len(seen)][1]:.2f}"

    return tamper


def dead_anemometer(*days: int) -> Tamper:
    def tamper(day: int, row: dict[str, Any]) -> None:
        if day - COMMISSIONING_DAYS in days:
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


async def settle(validators: Validators) -> None:
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
            with suppress(BlockInvalid):  # an issue that was agreed on before the ledger named other inputs
                validators.block(raw)
        quiet = 0 if busy or sent else quiet + 1
