"""Light of a source beside a solar plant: on the plant's intervals, through the plant's own model, frozen."""

from dataclasses import astuple

import numpy as np
import pytest
from harness.sourcing import SOURCE
from msgspec.structs import replace

from state.records import Channel
from verifier.device import DeviceFacts
from verifier.intake import MISSING, Ints, Series, read_day
from verifier.light import Light, light_at, witness
from verifier.reading import Reading
from verifier.solar import SolarYield, fit, sun_at
from verifier.source import judge_source_day, station_of

FROM_S, DAYS = 1_400_025_600, 60  # 2014-05-14
PLANT = DeviceFacts("solar", 1_000_000, 900, 48_456_900, 5_584_700)
LIT = replace(SOURCE, channels=Channel.INSOLATION)
TIMES = FROM_S + 900 * np.arange(DAYS * 96, dtype=np.int64)
UP = np.maximum(sun_at(TIMES, PLANT.latitude_udeg, PLANT.longitude_udeg).up, 0)
CLEAR = np.repeat(np.random.default_rng(3).integers(30, 80, DAYS * 24), 4)  # percent of the sky's light, by the hour
LIGHT_MW = (UP >> 10) * CLEAR // 100
COMMISSIONING = slice(0, 40 * 96)
NOTHING = np.full(len(TIMES), MISSING, dtype=np.int64)


def series(percent: int = 100, first: int = 0) -> Series:
    """A plant whose power follows its light; from interval `first` on it claims `percent` of it."""
    power = LIGHT_MW * 9 // 10
    power[first:] = power[first:] * percent // 100
    return Series(TIMES, power, NOTHING, NOTHING, LIGHT_MW // 4)


def sky(errors: Ints | int = 1_000) -> Light:
    """`errors`: per mille of the true light, of each hour."""
    hourly = (LIGHT_MW // 4).reshape(-1, 4).sum(axis=1) * errors // 1_000
    return Light(3_600, TIMES[::4], hourly, NOTHING[::4])


def model() -> SolarYield:
    """What the plant's own light taught while it was honest."""
    sun = sun_at(TIMES[COMMISSIONING], PLANT.latitude_udeg, PLANT.longitude_udeg)
    taught = Series(*(column[COMMISSIONING] for column in astuple(series())))
    return fit(PLANT, taught, sun, False)


def excess(claimed: Series, part: slice, source: Light | None = None) -> float:
    window = np.arange(len(TIMES)) < 40 * 96
    said = witness(PLANT, model(), claimed, window, 0, [source or sky()])
    assert said is not None
    assert bool(said.known[part].all())
    return float(claimed.power_ppm[part].sum()) / float(said.expected_ppm[part].sum())


def test_an_honest_plant_gives_what_the_source_lets_expect_and_a_raised_one_more() -> None:
    after = slice(40 * 96, None)
    assert excess(series(), after) == pytest.approx(1, abs=0.03)
    assert excess(series(130, 40 * 96), after) == pytest.approx(1.3, abs=0.04)


def test_what_a_plant_says_of_its_own_light_and_heat_does_not_matter() -> None:
    honest = series()
    bright = Series(TIMES, honest.power_ppm, NOTHING, NOTHING + 3_000, honest.insolation_mwh_m2 * 2)
    after = slice(40 * 96, None)
    assert excess(bright, after) == excess(honest, after)


def test_a_source_that_always_reads_high_accuses_nobody_and_excuses_nobody() -> None:
    after = slice(40 * 96, None)
    assert excess(series(), after, sky(1_150)) == pytest.approx(1, abs=0.03)
    assert excess(series(130, 40 * 96), after, sky(1_150)) == pytest.approx(1.3, abs=0.04)


def test_errors_of_the_hour_do_not_make_a_bright_week_an_over_claim() -> None:
    """A model fitted on light with errors would be too flat, and every bright week would exceed it."""
    errors = 1_000 + np.clip(np.random.default_rng(7).normal(0, 250, DAYS * 24), -900, 900).astype(np.int64)
    days = LIGHT_MW[COMMISSIONING.stop : 54 * 96].reshape(-1, 7 * 96).sum(axis=1)
    week = COMMISSIONING.stop + int(np.argmax(days)) * 7 * 96
    assert excess(series(), slice(week, week + 7 * 96), sky(errors)) == pytest.approx(1, abs=0.07)


def test_a_longer_interval_is_shared_out_by_the_sun_and_shorter_ones_are_added() -> None:
    shared = light_at(sky(), TIMES, 900, sun_at(TIMES, PLANT.latitude_udeg, PLANT.longitude_udeg).up)
    hours = shared.reshape(-1, 4).sum(axis=1)
    assert bool((np.abs(hours - sky().insolation_mwh_m2) <= 4).all())
    quarters = Light(900, TIMES, LIGHT_MW // 4, NOTHING)
    added = light_at(quarters, TIMES[::4], 3_600, UP[::4])
    assert added.tolist() == sky().insolation_mwh_m2.tolist()


@pytest.mark.parametrize("missing", ["hour", "grid"])
def test_a_source_says_nothing_where_it_has_no_light_of_that_interval(missing: str) -> None:
    light = sky()
    if missing == "hour":
        kept = np.arange(len(light.times)) != 12
        gap = Light(3_600, light.times[kept], light.insolation_mwh_m2[kept], light.temperature_centi_c[kept])
        found = light_at(gap, TIMES, 900, UP)
        assert np.flatnonzero(found == MISSING).tolist() == [48, 49, 50, 51]
    else:
        assert bool((light_at(light, TIMES, 2_400, UP) == MISSING).all())


def test_a_short_commissioning_makes_no_witness() -> None:
    assert witness(PLANT, model(), series(), np.arange(len(TIMES)) < 900, 0, [sky()]) is None


def day_of(values: Ints) -> tuple[str, ...]:
    readings = [
        Reading(int(time), insolation_mwh_m2=None if value == MISSING else int(value))
        for time, value in zip(TIMES[:96:4], values, strict=True)
    ]
    day = read_day(station_of(LIT, "solar"), FROM_S // 86_400, readings)
    return tuple(sorted(finding.code for finding in judge_source_day(LIT, day, ())))


def test_a_whole_day_of_a_source_has_no_fault() -> None:
    assert day_of(sky().insolation_mwh_m2[:24]) == ()


@pytest.mark.parametrize("code", ["climate_missing", "climate_dead", "climate_stuck", "climate_range", "over_sky"])
def test_a_broken_day_of_a_source_is_named(code: str) -> None:
    light = sky().insolation_mwh_m2[:24].copy()
    if code == "climate_missing":
        light[:8] = MISSING
    elif code == "climate_dead":
        light[:] = 0
    elif code == "climate_stuck":
        light[8:14] = 400_000
    else:
        light[12] = -6_000 if code == "climate_range" else 2_600_000
    assert code in day_of(light)
