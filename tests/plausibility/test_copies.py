"""A long record's copies are found as if each day had been laid beside every earlier one."""

import random
from dataclasses import replace

import numpy as np
import pytest
from harness.plants import ROOF, TURBINE, solar_days, wind_days

from verifier import health, physics
from verifier.copies import suspects
from verifier.device import DeviceFacts
from verifier.intake import DayReadings, series_of
from verifier.view import sun_of_series

MOST = 60


def record(device: DeviceFacts, days: list[DayReadings], dice: random.Random) -> list[DayReadings]:
    """The days with copies among them: power at a scale, climate, or both, of some earlier day."""
    found = list(days)
    for index in range(20, len(found), 4):
        source = found[dice.randrange(index)]
        scale = dice.choice((1_000, 1_200, 700, 37))
        blur = np.array([dice.randint(-3, 3) for _ in source.power_w])  # in 10^4: still a copy, no longer to the digit
        power = np.where(source.power_w > 0, source.power_w * scale * (10_000 + blur) // 10**7, source.power_w)
        climate = {"wind_mm_s": source.wind_mm_s, "insolation_mwh_m2": source.insolation_mwh_m2}
        changed = dice.choice([{"power_w": power}, climate, {"power_w": power, **climate}])
        found[index] = replace(found[index], **changed)
    return found


@pytest.mark.parametrize(("device", "days"), [(TURBINE, wind_days(70)), (ROOF, solar_days(70))])
def test_no_copy_is_missed_and_few_others_are_named(device: DeviceFacts, days: list[DayReadings]) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    listed = record(device, days, random.Random(seed))
    named = suspects(device, listed, MOST)
    every = [listed[max(0, index - MOST) : index] for index in range(len(listed))]
    assert all([day.day for day in found] == sorted(day.day for day in found) for found in named)
    assert suspects(device, listed, MOST, 50) == named[50:]
    series = series_of(device, listed)
    copies = 0
    for check in (physics.check, health.check):
        asked = check(device, listed, series, sun_of_series(device, series), every)
        assert check(device, listed, series, sun_of_series(device, series), named) == asked
        copies += sum(finding.code.endswith("replay") for found in asked for finding in found)
    assert copies >= 5  # the dice name five or more in all, of one kind sometimes two
    assert sum(map(len, named)) < sum(min(MOST, index) for index in range(len(listed))) // 3


def test_a_record_without_days_has_no_copies() -> None:
    assert suspects(TURBINE, [], MOST) == []
