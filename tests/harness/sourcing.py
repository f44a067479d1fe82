"""A climate source beside a turbine: the wind of the region, by somebody who has no plant."""

from collections.abc import Callable
from copy import copy
from random import Random
from typing import Any

from harness.judging import FIRST_DAY
from harness.metering import Meter, Plant
from harness.neighbouring import hours
from harness.world import FAR, WIND, key_of
from msgspec.structs import replace

from node.wire import DayClose, Readings
from state.records import Channel, DeviceFacts
from state.transaction import MeterContent
from verifier.source import TECHNOLOGY

Feel = Callable[[int, dict[str, Any]], None]  # day from the first, row
SOURCE = replace(
    WIND,
    name="Region",
    fuel="",
    technology=TECHNOLOGY,
    capacity_w=0,
    interval_s=3_600,
    channels=Channel.WIND | Channel.TEMPERATURE,
    latitude_udeg=WIND.latitude_udeg + 100_000,  # 11 km
    hub_height_cm=10_000,
)


def source_beside(plant: Plant, provider: str = "provider", facts: DeviceFacts = SOURCE) -> Plant:
    """Accredited with its own meter; nobody's profile is signed by this."""
    world, source = plant.world, copy(plant)
    if provider not in world.people:
        world.register(provider)
    source.device = world.device(provider, 1, facts, profile=False)
    world.accredit(MeterContent(source.device, key_of("reader"), 0, FAR), by=provider)
    return source


def weather_of(meter: Meter, days: int, feel: Feel = lambda *_: None, seed: int = 9) -> list[Readings | DayClose]:
    """The true wind by the hour, as a region knows it: no power, a few percent off."""
    dice = Random(seed)
    frames: list[Readings | DayClose] = []
    by_hour = hours(days)
    for day in range(days):
        texts = []
        for row in by_hour[day * 24 : day * 24 + 24]:
            feel(day, row)
            wind = row["wind_spd"]
            told = None if wind is None else f"{float(wind) * dice.gauss(1.1, 0.04):.3f}"
            texts.append(meter.text(row["timestamp"], None, wind_spd=told, t=row["t"], register_wh=None))
        frames += [meter.batch(texts), meter.close(FIRST_DAY + day)]
    return frames
