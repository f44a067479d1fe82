"""The meter's cumulative register against the energy that its readings claim."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.finding import HOLD
from verifier.reading import Reading, SignedReading
from verifier.register import check_register, name_fall

INTERVAL_S = 600
DAY_S = 86_400


def chain(powers: Sequence[int | None], counted: Sequence[int | None], step_wh: int = 1) -> list[SignedReading]:
    """Readings that claim `powers`; the register counts `counted` (W), None where it is not delivered."""
    total, found = 0, []
    for index, (power, own) in enumerate(zip(powers, counted, strict=True)):
        total += (own or 0) * INTERVAL_S
        register = None if own is None else total // 3_600 // step_wh * step_wh
        found.append(
            SignedReading(7, index + 1, bytes(32), Reading(100 * DAY_S + index * INTERVAL_S, power), register, 0)
        )
    return found


@pytest.mark.parametrize("step_wh", [1, 10, 1_000, 100_000])
def test_honest_readings_fit_the_register_at_any_resolution(step_wh: int) -> None:
    powers = [200_000 + 997 * index for index in range(144)]
    found = chain(powers, powers, step_wh)
    assert check_register(found[1:], found[0], INTERVAL_S) == ""


def test_a_day_claimed_a_tenth_too_high_is_held() -> None:
    powers = [200_000] * 144
    found = chain([power * 11 // 10 for power in powers], powers)
    assert check_register(found[1:], found[0], INTERVAL_S) == "register_differs"
    assert "register_differs" in HOLD


def test_one_interval_claimed_high_is_held_too() -> None:
    powers = [200_000] * 144
    claimed = [*powers[:70], 2_000_000 * 3, *powers[71:]]
    assert check_register(chain(claimed, powers)[1:], chain(claimed, powers)[0], INTERVAL_S) == "register_differs"


def test_lost_readings_are_no_mismatch_because_nobody_gains() -> None:
    powers = [200_000] * 144
    found = chain(powers, powers)
    assert check_register([*found[1:40], *found[80:]], found[0], INTERVAL_S) == ""
    blank = chain([None if 30 <= index < 60 else 200_000 for index in range(144)], powers)
    assert check_register(blank[1:], blank[0], INTERVAL_S) == ""


def test_a_second_value_for_a_time_counts_once_and_the_smaller() -> None:
    powers = [200_000] * 144
    found = chain(powers, powers)
    again = SignedReading(7, 145, bytes(32), Reading(100 * DAY_S + 600, 900_000), found[-1].register_wh, 0)
    assert check_register([*found[1:], again], found[0], INTERVAL_S) == ""


@pytest.mark.parametrize("known", [0, 1])
def test_without_two_values_nothing_is_said(known: int) -> None:
    counted: list[int | None] = [None] * 144
    counted[:known] = [200_000] * known
    assert check_register(chain([900_000] * 144, counted), None, INTERVAL_S) == ""


@given(st.permutations(range(12)), st.integers(0, 3), st.integers(1_000, 10**9))
def test_the_order_of_arrival_changes_nothing(order: list[int], over: int, power: int) -> None:
    powers = [power] * 12
    found = chain([each * (1 + over) for each in powers], powers)
    expected = check_register(found, None, INTERVAL_S)
    assert check_register([found[index] for index in order], None, INTERVAL_S) == expected
    assert bool(expected) == (over > 0)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (99_999_400, 300, "rollover of a counter of 8 digits"),
        (5_000_000, 0, "reset"),
        (5_000_000, 4_999_000, "backwards"),
    ],
)
def test_a_fall_is_named(before: int, after: int, word: str) -> None:
    assert word in name_fall(before, after)
