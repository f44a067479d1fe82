"""Readings as an attacker would write them: no verdict crashes, none releases more than the readings say."""

import random

import pytest
from harness.plants import FIRST_DAY, ROOF, TURBINE, baseline, solar_days, wind_days

from state.codec import decode, encode
from verifier.device import DeviceFacts
from verifier.intake import DayReadings, read_day
from verifier.profile import Profile, build_profile
from verifier.reading import Reading
from verifier.verdict import DayVerdict, judge_day

PLANTS = [(TURBINE, wind_days(34)), (ROOF, solar_days(34))]
PROFILES = [baseline(device, days) for device, days in PLANTS]
EXTREMES = (None, 0, 1, -1, 10**12 - 1, 1 - 10**12, 10**15 - 1, 59_999, -27_320)


def hostile_readings(dice: random.Random, device: DeviceFacts, day: int) -> list[Reading]:
    start = day * 86_400
    times = [start + dice.randrange(-2, 100) * device.interval_s + dice.choice((0, 0, 0, 1)) for _ in range(150)]
    power = [value for value in EXTREMES if value is None or abs(value) < 10**12]
    return [
        Reading(time, dice.choice(power), dice.choice(EXTREMES), dice.choice(EXTREMES), dice.choice(EXTREMES))
        for time in times
    ]


@pytest.mark.parametrize("plant", [0, 1])
def test_no_hostile_day_crashes_a_verdict_or_gains_energy(plant: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    device, days = PLANTS[plant]
    earlier = list(days)
    for place in range(25):
        day = read_day(device, FIRST_DAY + 40 + place, hostile_readings(dice, device, FIRST_DAY + 40 + place))
        for profile in (PROFILES[plant], None):
            verdict = judge_day(device, profile, day.day, day, earlier)
            check_sums(day, verdict)
            assert decode(DayVerdict, encode(verdict)) == verdict
        earlier.append(day)


def check_sums(day: DayReadings, verdict: DayVerdict) -> None:
    assert verdict.energy_wh == day.energy_wh
    assert verdict.accepted_wh + verdict.withheld_wh + verdict.refused_wh == verdict.energy_wh
    assert len(verdict.expected_w) == len(verdict.allowed_w) == len(day.power_w)
    assert verdict.expected_wh >= 0


@pytest.mark.parametrize("plant", [0, 1])
def test_a_baseline_of_hostile_readings_holds_everything(plant: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    device, days = PLANTS[plant]
    readings = [r for day in range(20) for r in hostile_readings(dice, device, FIRST_DAY - 20 + day)]
    profile = build_profile(device, readings)
    assert profile.fit
    assert judge_day(device, profile, days[3].day, days[3], days[:3]).verdict != "accept"
    assert decode(Profile, encode(profile)) == profile


def test_an_empty_window_is_no_baseline() -> None:
    for device, days in PLANTS:
        profile = build_profile(device, [])
        assert profile.fit == ("baseline_poor",)
        assert judge_day(device, profile, days[0].day, days[0], []).verdict == "hold"


def test_an_empty_day_is_accepted_with_nothing() -> None:
    for (device, days), profile in zip(PLANTS, PROFILES, strict=True):
        empty = read_day(device, days[33].day, [])
        verdict = judge_day(device, profile, empty.day, empty, days[:33])
        assert (verdict.energy_wh, verdict.accepted_wh) == (0, 0)
        assert "gap" in verdict.reasons


def test_more_readings_for_one_interval_never_add_energy() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    readings = [Reading(FIRST_DAY * 86_400 + slot * 600, 5_000 + slot, 6_000, 900) for slot in range(144)]
    energy_wh = read_day(TURBINE, FIRST_DAY, readings).energy_wh
    for _ in range(200):
        readings.append(Reading(dice.choice(readings).timestamp, dice.randrange(-(10**6), 10**9), 1, 1))
        assert read_day(TURBINE, FIRST_DAY, readings).energy_wh <= energy_wh
