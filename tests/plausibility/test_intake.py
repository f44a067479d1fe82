"""A day on its grid: whatever arrives, in whatever order, energy is counted once and never too high."""

import random

import numpy as np
import pytest
from harness.plants import FIRST_DAY, ROOF, TURBINE

from state.errors import ReadingRefusal
from state.records import DeviceFacts as DeviceRecord
from state.units import DAY_S
from verifier.device import HORIZONTAL, INDEPENDENT_CLIMATE, DeviceFacts, facts_of_record, require_usable
from verifier.intake import MISSING, longest_runs, read_day
from verifier.reading import Reading

START = FIRST_DAY * DAY_S


def full_day(watts: int = 1_000) -> list[Reading]:
    return [Reading(START + slot * 600, watts + slot, 5_000, 1_000) for slot in range(144)]


def test_energy_is_divided_once_and_rounded_down() -> None:
    readings = [Reading(START + slot * 600, 1) for slot in range(7)]  # 7 x 600 W s = 1.17 Wh
    assert read_day(TURBINE, FIRST_DAY, readings).energy_wh == 1


def test_own_use_is_no_negative_energy() -> None:
    assert read_day(TURBINE, FIRST_DAY, [Reading(START, -5_000), Reading(START + 600, 6_000)]).energy_wh == 1_000


def test_missing_interval_is_a_gap_and_no_energy() -> None:
    day = read_day(TURBINE, FIRST_DAY, full_day()[1:])
    assert day.notes == ("gap",)
    assert day.power_w[0] == MISSING
    assert day.count == 143


def test_equal_readings_count_once() -> None:
    day = read_day(TURBINE, FIRST_DAY, full_day() + full_day())
    assert day.notes == ("duplicate",)
    assert day.energy_wh == read_day(TURBINE, FIRST_DAY, full_day()).energy_wh


def test_of_conflicting_readings_the_smallest_power_counts() -> None:
    day = read_day(TURBINE, FIRST_DAY, full_day(9_000) + full_day(1_000))
    assert day.notes == ("conflict",)
    assert day.energy_wh == read_day(TURBINE, FIRST_DAY, full_day(1_000)).energy_wh


def test_order_of_arrival_changes_nothing() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    readings = full_day(9_000)[:70] + full_day(1_000) + [Reading(START + 600, None, 7_000), Reading(START + 601, 5)]
    first = read_day(TURBINE, FIRST_DAY, readings)
    random.Random(seed).shuffle(readings)
    second = read_day(TURBINE, FIRST_DAY, readings)
    assert first.notes == second.notes == ("bad_time", "conflict", "gap")
    for name in ("power_w", "wind_mm_s", "temperature_centi_c", "insolation_mwh_m2"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_readings_off_the_grid_or_of_other_days_give_no_energy() -> None:
    strays = [Reading(START + 1, 10**9), Reading(START - 600, 10**9), Reading(START + DAY_S, 10**9)]
    day = read_day(TURBINE, FIRST_DAY, full_day() + strays)
    assert day.notes == ("bad_time",)
    assert day.energy_wh == read_day(TURBINE, FIRST_DAY, full_day()).energy_wh


def test_longest_runs_count_only_what_they_may_and_end_with_their_day() -> None:
    values = np.array([[5, 5, 5, 7, 7, 0, 0, 0, 0, 7], [7, 7, 3, 3, 4, 4, 4, 0, 0, 0]], dtype=np.int64)
    assert longest_runs(values, values > 0, 1) == [(0, 3, 0), (1, 3, 4)]
    assert longest_runs(values, values == 0, 4) == [(0, 4, 5)]
    assert longest_runs(values, values == 7, 2) == [(0, 2, 3), (1, 2, 0)]
    assert longest_runs(values, values > 100, 1) == []
    assert longest_runs(values, values != 4, 3) == [(0, 4, 5), (1, 3, 7)]
    assert longest_runs(values[1:], values[1:] >= 3, 2) == [(0, 3, 4)]
    assert longest_runs(values[1:, :4], values[1:, :4] >= 3, 2) == [(0, 2, 0)], "of equally long ones the first"


RECORD = DeviceRecord(
    *("Roof", "", "DE", "", "Munich", "F01040100", "T010000"),
    *(100_000, 16_000, 900, 6, 48_000_000, 11_000_000, False, 30_000_000, 180_500_000, 0, "satellite", ""),
)


def test_ledger_record_gives_the_facts_of_a_verdict() -> None:
    facts = facts_of_record(RECORD)
    assert (facts.technology, facts.nameplate_w, facts.azimuth_udeg) == ("solar", 100_000, 180_500_000)
    assert (facts.plane, facts.climate_source) == (HORIZONTAL, INDEPENDENT_CLIMATE)


def test_refuses_a_technology_it_does_not_know() -> None:
    with pytest.raises(ReadingRefusal, match="wind and solar"):
        facts_of_record(
            DeviceRecord(
                **{name: getattr(RECORD, name) for name in RECORD.__struct_fields__} | {"technology": "T030000"}
            )
        )


@pytest.mark.parametrize(
    "facts",
    [
        DeviceFacts("wind", 1_000, 700),
        DeviceFacts("solar", 1_000, 900),
        DeviceFacts("wind", 1_000, 600, 91_000_000, 0),
        DeviceFacts("solar", 1_000, 900, 1, 1, tilt_udeg=91_000_000, azimuth_udeg=0),
    ],
)
def test_refuses_facts_no_verdict_can_stand_on(facts: DeviceFacts) -> None:
    require_usable(ROOF)
    with pytest.raises(ReadingRefusal):
        require_usable(facts)
