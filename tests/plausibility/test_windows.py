"""Windows over made balances: what a week, a month and a season show, and who may clear it."""

import numpy as np
import pytest

from verifier.windows import (
    LENGTHS,
    RAMP,
    RAMP_DAYS,
    WIND_LIMITS,
    Balance,
    Flag,
    Limits,
    balance,
    contradicted,
    flags_of,
    ramp_flags,
    widened,
)

FIRST, SLOTS = 1_000, 144
FULL = 300_000 * SLOTS  # a day at 30 % of nameplate
NEIGHBOURLY = Limits(((1, 400_000), (7, 200_000), (30, 60_000), (90, 30_000)))


def made(factors: list[float], counted: list[bool] | None = None) -> Balance:
    chosen = np.array(counted if counted is not None else [True] * len(factors))
    claimed = np.array([int(FULL * factor) for factor in factors], dtype=np.int64) * chosen
    return Balance(FIRST, claimed, np.full(len(factors), FULL, dtype=np.int64) * chosen, chosen, SLOTS)


def lengths(flags: list[Flag]) -> set[int]:
    return {flag.length for flag in flags}


def test_honest_seasons_raise_no_flag() -> None:
    seed = np.random.SeedSequence().entropy
    print(f"seed {seed}")
    dice = np.random.default_rng(seed)
    factors = (1 + dice.uniform(-0.1, 0.08, 200)).tolist()
    assert flags_of(made(factors), WIND_LIMITS) == []
    assert ramp_flags(made(factors), WIND_LIMITS) == []


@pytest.mark.parametrize(("factor", "seen"), [(1.06, {90}), (1.1, {30, 90}), (1.2, set(LENGTHS))])
def test_the_smaller_the_factor_the_longer_the_window_that_sees_it(factor: float, seen: set[int]) -> None:
    assert lengths(flags_of(made([1.0] * 90 + [factor] * 100), WIND_LIMITS)) == seen


def test_x1_2_is_seen_within_a_week() -> None:
    flags = flags_of(made([1.0] * 60 + [1.2] * 7), WIND_LIMITS)
    assert min(flag.end for flag in flags) < FIRST + 67


def test_curtailment_is_never_flagged() -> None:
    assert flags_of(made([1.0] * 60 + [0.3] * 60), WIND_LIMITS) == []


def test_windows_need_two_thirds_of_their_days() -> None:
    counted = [place % 2 == 0 for place in range(120)]
    assert flags_of(made([1.5] * 120, counted), WIND_LIMITS) == []
    assert flags_of(made([1.5] * 120), WIND_LIMITS)


def test_a_witness_contradicts_by_its_own_name() -> None:
    flags = flags_of(made([1.3] * 60), NEIGHBOURLY, code="neighbour")
    assert {flag.finding.code for flag in flags} == {"neighbour"}
    assert lengths(flags) == {7, 30, 90}


def test_honest_weeks_beside_a_tampered_month_are_spared() -> None:
    flags = flags_of(made([1.0] * 60 + [1.15] * 30 + [1.0] * 60), WIND_LIMITS)
    long = [flag for flag in flags if flag.length > 7]
    assert {flag.length for flag in long} == {30, 90}
    for flag in long:
        assert set(range(FIRST + 64, FIRST + 86)).isdisjoint(flag.spared)
        assert {*range(FIRST, FIRST + 56), *range(FIRST + 95, FIRST + 150)} <= flag.spared


def test_a_week_spares_nobody() -> None:
    assert all(not flag.spared for flag in flags_of(made([1.3] * 7), WIND_LIMITS))


def test_one_wild_day_does_not_accuse_its_week() -> None:
    wild = np.array([1, 1, 1, 3, 1, 1, 1], dtype=np.int64)
    days = np.arange(FIRST, FIRST + 7, dtype=np.int64)
    expected = np.full(7 * SLOTS, 300_000, dtype=np.int64)
    power = expected * np.repeat(wild, SLOTS)
    known, counted = np.ones(7 * SLOTS, dtype=np.bool_), np.ones(7, dtype=np.bool_)
    week = balance(FIRST, FIRST + 6, days, power, expected, known, counted, SLOTS)
    assert flags_of(week, WIND_LIMITS) == []
    uncut = balance(FIRST, FIRST + 6, days, power, expected, known, counted, SLOTS, cut=False)
    assert flags_of(uncut, WIND_LIMITS)
    assert contradicted(uncut, NEIGHBOURLY, FIRST + 3) is not None
    assert contradicted(uncut, NEIGHBOURLY, FIRST + 2) is None


def test_an_increase_that_lasts_is_a_ramp_and_a_windy_week_is_none() -> None:
    slow = made([1 + 0.001 * day for day in range(200)])
    flags = ramp_flags(slow, WIND_LIMITS)
    assert flags
    assert {flag.finding.code for flag in flags} == {RAMP}
    assert {flag.length for flag in flags} == {RAMP_DAYS}
    assert flags[0].end < FIRST + 130
    assert ramp_flags(made([1.0] * 60 + [1.3] * 7 + [1.0] * 90), WIND_LIMITS) == []


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


def test_a_season_accuses_lightly_and_a_month_does_not() -> None:
    flags = flags_of(made([1.0] * 90 + [1.1] * 100), WIND_LIMITS)
    assert {(flag.length, flag.lightly) for flag in flags} == {(30, False), (90, True)}
