"""Windows over made balances: what a week, a month and a season show, and who may clear it."""

import numpy as np
import pytest

from verifier.windows import (
    LENGTHS,
    RAMP,
    RAMP_DAYS,
    WIND_LIMITS,
    Balance,
    Limits,
    balance,
    own_flags,
    ramp_flags,
    widened,
    witness_flags,
)

FIRST, SLOTS = 1_000, 144
FULL = 300_000 * SLOTS  # a day at 30 % of nameplate
CLEARING = Limits(((1, 400_000), (7, 200_000), (30, 60_000), (90, 30_000)), clear_ppm=10_000)


def made(factors: list[float], counted: list[bool] | None = None) -> Balance:
    chosen = np.array(counted if counted is not None else [True] * len(factors))
    claimed = np.array([int(FULL * factor) for factor in factors], dtype=np.int64) * chosen
    return Balance(FIRST, claimed, np.full(len(factors), FULL, dtype=np.int64) * chosen, chosen, SLOTS)


def lengths(flags: list[object]) -> set[int]:
    return {flag.length for flag in flags}  # type: ignore[attr-defined]


def test_honest_seasons_raise_no_flag() -> None:
    seed = np.random.SeedSequence().entropy
    print(f"seed {seed}")
    dice = np.random.default_rng(seed)
    factors = (1 + dice.uniform(-0.1, 0.08, 200)).tolist()
    assert own_flags(made(factors), WIND_LIMITS, []) == []
    assert ramp_flags(made(factors), WIND_LIMITS, []) == []


@pytest.mark.parametrize(("factor", "seen"), [(1.06, {90}), (1.1, {30, 90}), (1.2, set(LENGTHS))])
def test_the_smaller_the_factor_the_longer_the_window_that_sees_it(factor: float, seen: set[int]) -> None:
    assert lengths(own_flags(made([1.0] * 90 + [factor] * 100), WIND_LIMITS, [])) == seen


def test_x1_2_is_seen_within_a_week() -> None:
    flags = own_flags(made([1.0] * 60 + [1.2] * 7), WIND_LIMITS, [])
    assert min(flag.end for flag in flags) < FIRST + 67


def test_curtailment_is_never_flagged() -> None:
    assert own_flags(made([1.0] * 60 + [0.3] * 60), WIND_LIMITS, []) == []


def test_windows_need_two_thirds_of_their_days() -> None:
    counted = [place % 2 == 0 for place in range(120)]
    assert own_flags(made([1.5] * 120, counted), WIND_LIMITS, []) == []
    assert own_flags(made([1.5] * 120), WIND_LIMITS, [])


def test_a_witness_who_finds_the_claim_right_clears_the_plants_own_windows() -> None:
    own, witness = made([1.2] * 120), made([1.0] * 120)
    assert own_flags(own, WIND_LIMITS, [(witness, CLEARING)]) == []
    assert ramp_flags(own, WIND_LIMITS, [(witness, CLEARING)]) == []
    assert own_flags(own, WIND_LIMITS, [(made([1.05] * 120), CLEARING)])


def test_a_witness_contradicts_by_its_own_name() -> None:
    flags = witness_flags("neighbour", made([1.3] * 60), CLEARING)
    assert {flag.finding.code for flag in flags} == {"neighbour"}
    assert lengths(flags) == {7, 30, 90}  # type: ignore[arg-type]


def test_an_increase_that_lasts_is_a_ramp_and_a_windy_week_is_none() -> None:
    slow = made([1 + 0.001 * day for day in range(200)])
    flags = ramp_flags(slow, WIND_LIMITS, [])
    assert flags
    assert {flag.finding.code for flag in flags} == {RAMP}
    assert {flag.length for flag in flags} == {RAMP_DAYS}
    assert flags[0].end < FIRST + 130
    assert ramp_flags(made([1.0] * 60 + [1.3] * 7 + [1.0] * 90), WIND_LIMITS, []) == []


def test_commissioning_that_went_higher_widens_the_limits_and_never_narrows_them() -> None:
    wild = widened(WIND_LIMITS, made([1.4] * 7 + [1.0] * 60))
    assert wild.share(7) > WIND_LIMITS.share(7)
    assert widened(WIND_LIMITS, made([0.9] * 60)) == WIND_LIMITS


def test_a_day_counts_only_where_most_of_its_claim_is_known() -> None:
    days = np.array([FIRST, FIRST + 1], dtype=np.int64)
    power = np.full(2 * SLOTS, 500_000, dtype=np.int64)
    known = np.ones(2 * SLOTS, dtype=np.bool_)
    known[:SLOTS] = np.arange(SLOTS) < SLOTS // 2
    made_up = balance(FIRST, FIRST + 1, days, power, power, known, np.array([True, True]), SLOTS)
    assert made_up.counted.tolist() == [False, True]
    assert made_up.claimed.tolist() == [0, 500_000 * SLOTS]
