"""Two made plants whose weather and power follow simple laws, and the three real units of the demo."""

import gzip
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from state.units import DAY_S
from verifier.device import DeviceFacts
from verifier.file_run import DeviceEntry, Records, parse_devices
from verifier.intake import DayReadings, read_day
from verifier.profile import Profile, profile_of_days
from verifier.reading import Reading
from verifier.solar import sun_at

FIRST_DAY = 17_000  # 2016-07-18
COMMISSIONING = 30  # days; the plants below run for longer

TURBINE = DeviceFacts("wind", 2_000_000, 600, 48_000_000, 5_000_000, channels=3)
ROOF = DeviceFacts("solar", 100_000, 900, 48_000_000, 11_000_000, channels=6)


def wind_days(count: int = 45, seed: int = 1) -> list[DayReadings]:
    """A turbine in wandering wind: cube law to rated power at 12 m/s, 5 % scatter, whole watts."""
    dice = np.random.default_rng(seed)
    slots = count * TURBINE.slots
    steps = dice.normal(0, 0.35, slots)
    wind = np.empty(slots)
    level = 7.0
    for place, step in enumerate(steps):
        level = max(0.5, level + step - 0.004 * (level - 7.5))
        wind[place] = level
    power = np.clip((wind - 3) ** 3 / 9**3, 0, 1) * (wind > 3) * (1 + dice.normal(0, 0.05, slots))
    watts = np.minimum(power * 2_000_000, 2_000_000 - np.abs(dice.normal(0, 4_000, slots)))
    return [
        read_day(
            TURBINE,
            FIRST_DAY + day,
            [
                Reading(
                    (FIRST_DAY + day) * DAY_S + slot * 600,
                    int(watts[day * 144 + slot]),
                    int(wind[day * 144 + slot] * 1_000),
                    1_200 + slot,
                )
                for slot in range(144)
            ],
        )
        for day in range(count)
    ]


def solar_days(count: int = 45, seed: int = 2, device: DeviceFacts = ROOF, first: int = FIRST_DAY) -> list[DayReadings]:
    """A flat plant under passing clouds; its pyranometer lies in its plane; 3 % scatter."""
    dice = np.random.default_rng(seed)
    times = first * DAY_S + np.arange(count * device.slots, dtype=np.int64) * device.interval_s
    up = np.maximum(sun_at(times, device.latitude_udeg, device.longitude_udeg).up, 0) / 2**30
    cloud = np.clip(np.repeat(dice.uniform(0.2, 1.0, count), device.slots) + dice.normal(0, 0.08, len(times)), 0.05, 1)
    light = 1_000 * up * cloud
    power = light / 1_000 * device.nameplate_w * (1 - 0.004 * (20 + 0.03 * light - 25))
    watts = power * (1 + dice.normal(0, 0.03, len(times))) * 0.9
    insolation = light * device.interval_s * 1_000 / 3_600
    return [
        read_day(
            device,
            first + day,
            [
                Reading(int(times[place]), int(watts[place]), None, 2_000, int(insolation[place]))
                for place in range(day * device.slots, (day + 1) * device.slots)
            ],
        )
        for day in range(count)
    ]


def baseline(device: DeviceFacts, days: list[DayReadings]) -> Profile:
    """From the commissioning days of a made plant."""
    chosen = days[:COMMISSIONING]
    return profile_of_days(device, chosen, chosen[0].day * DAY_S, (chosen[-1].day + 1) * DAY_S)


def moved_labels(device: DeviceFacts, days: list[DayReadings], hours: int) -> list[DayReadings]:
    """The same days under a logger whose clock runs `hours` late: every label grows, whole readings move along."""
    names = ("power_w", "wind_mm_s", "temperature_centi_c", "insolation_mwh_m2")
    shift = hours * 3_600 // device.interval_s
    columns = {name: np.roll(np.concatenate([getattr(day, name) for day in days]), shift) for name in names}
    slots = device.slots
    return [
        replace(day, **{name: columns[name][place * slots : (place + 1) * slots] for name in names})
        for place, day in enumerate(days)
    ]


@cache
def entries(folder: Path) -> dict[str, DeviceEntry]:
    return {entry.id: entry for entry in parse_devices((folder / "devices.json").read_bytes())}


@cache
def records(path: Path) -> Records:
    filled = Records()
    filled.add_csv(gzip.decompress(path.read_bytes()))
    return filled
