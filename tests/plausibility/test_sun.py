"""Integer tables and the sun against floating-point oracles; they make tests, they decide nothing."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from harness.plants import ROOF, entries, records, solar_days
from harness.shared import shared_folder

from verifier.device import DeviceFacts
from verifier.intake import series_of
from verifier.physics import NIGHT_DEGREES, dark_intervals
from verifier.solar import light_mw, plane_light_mw, sun_at
from verifier.tables import (
    arcsine_centi_degrees,
    brads,
    density_factor,
    diffuse_table,
    sine,
    sine_of_degrees,
    sine_table,
)

PLACES = ((39.742, -105.173), (-33.9, 151.2), (69.6, 18.9), (0.0, 0.0))


def test_sine_table_is_right_to_the_last_bit() -> None:
    table = sine_table()
    exact = [round(2**30 * math.sin(step * math.pi / 8192)) for step in range(len(table))]
    assert max(abs(int(value) - right) for value, right in zip(table, exact, strict=True)) <= 1


def test_sine_between_steps_errs_less_than_two_in_a_hundred_million() -> None:
    angles = np.arange(-(10**9), 10**9, 999_983, dtype=np.int64)
    exact = np.sin(angles / 2**32 * 2 * math.pi)
    assert np.abs(sine(angles) / 2**30 - exact).max() < 2.5e-8


def test_arcsine_finds_the_degree_again() -> None:
    for degrees in range(-90, 91):
        assert abs(arcsine_centi_degrees(sine_of_degrees(degrees)) - degrees * 100) <= 3


def test_density_factor_is_the_cube_root_of_the_temperature_ratio() -> None:
    centi = np.array([-6_000, -2_000, 0, 1_500, 6_000], dtype=np.int64)
    exact = (288.15 / (centi / 100 + 273.15)) ** (1 / 3)
    assert np.abs(density_factor(centi) / 2**20 - exact).max() < 2e-6


def test_diffuse_share_falls_as_the_sky_clears() -> None:
    table = diffuse_table()
    assert table[0] == 1_000_000
    assert table[1_000] == 165_000
    assert (np.diff(table[:780]) <= 0).all()  # the polynomial turns just before its end
    assert np.abs(np.diff(table)).max() < 4_000


def test_sun_stands_in_the_south_at_noon_and_below_ground_at_midnight() -> None:
    noon, midnight = np.array([1_466_510_400]), np.array([1_466_467_200])  # 2016-06-21 12:00 and 00:00 UTC
    high = sun_at(noon, brads_of(50.0), 0)
    assert abs(arcsine_centi_degrees(int(high.up[0])) - 6_344) < 10
    assert high.north[0] < 0
    assert sun_at(midnight, brads_of(50.0), 0).up[0] < 0


def test_an_interval_is_dark_only_if_the_sun_is_down_from_one_before_it_to_one_after() -> None:
    days = solar_days(6)
    series = series_of(ROOF, [*days[:2], *days[4:]])
    sides = [sun_at(series.times + step, ROOF.latitude_udeg, ROOF.longitude_udeg).up for step in (-900, 0, 900)]
    down = np.max(sides, axis=0) < sine_of_degrees(NIGHT_DEGREES)
    assert (dark_intervals(ROOF, series) == down).all()
    assert not (down == (sides[1] < sine_of_degrees(NIGHT_DEGREES))).all(), "dusk tells the two rules apart"


def brads_of(degrees: float) -> int:
    assert brads(360_000_000) == 2**32
    return round(degrees * 1_000_000)


@pytest.mark.parametrize(("latitude", "longitude"), PLACES)
def test_sun_agrees_with_pvlib_within_two_hundredths_of_a_degree(latitude: float, longitude: float) -> None:
    solarposition = pytest.importorskip("pvlib.solarposition")
    pandas = pytest.importorskip("pandas")
    times = np.arange(1_262_304_000, 1_924_992_000, 86_400 * 3 + 4_567, dtype=np.int64)  # 2010 to 2031
    sun = sun_at(times, round(latitude * 1e6), round(longitude * 1e6))
    right = solarposition.get_solarposition(pandas.to_datetime(times, unit="s", utc=True), latitude, longitude)
    elevation = np.degrees(np.arcsin(sun.up / 2**30))
    azimuth = np.degrees(np.arctan2(sun.east, sun.north)) % 360
    turned = (azimuth - right["azimuth"].to_numpy() + 180) % 360 - 180
    assert np.abs(elevation - right["elevation"].to_numpy()).max() < 0.02
    assert np.abs(turned * np.cos(np.radians(elevation))).max() < 0.02


@dataclass(frozen=True)
class Golden:
    """Golden, Colorado: the plane of unit 1 of the demo."""

    device: DeviceFacts
    times: np.ndarray
    insolation: np.ndarray


def golden() -> Golden:
    folder = shared_folder("demo")
    entry = entries(folder)["1"]
    days = records(folder / "unit1_solar_serf_east_2016.csv.gz").days(entry)[1:60]
    times = np.concatenate([day.day * 86_400 + np.arange(96, dtype=np.int64) * 900 for day in days])
    return Golden(entry.facts, times, np.concatenate([day.insolation_mwh_m2 for day in days]))


def test_light_on_a_tilted_plane_agrees_with_pvlib_above_ten_degrees() -> None:
    pvlib = pytest.importorskip("pvlib")
    pandas = pytest.importorskip("pandas")
    scene = golden()
    index = pandas.to_datetime(scene.times, unit="s", utc=True)
    position = pvlib.solarposition.get_solarposition(index, 39.742, -105.173)
    horizontal = light_mw(scene.device, scene.insolation)
    zenith = position["zenith"].to_numpy()
    split = pvlib.irradiance.erbs(horizontal / 1_000, zenith, index)
    right = pvlib.irradiance.get_total_irradiance(
        *(45, 158, zenith, position["azimuth"].to_numpy(), split["dni"], horizontal / 1_000, split["dhi"]),
        dni_extra=pvlib.irradiance.get_extra_radiation(index).to_numpy(),
        model="haydavies",
        albedo=0.2,
    )["poa_global"]
    sun = sun_at(scene.times, scene.device.latitude_udeg, scene.device.longitude_udeg)
    ours = plane_light_mw(scene.device, sun, horizontal) / 1_000
    high = zenith < 80
    assert np.abs(ours - np.asarray(right))[high].max() < 3  # W/m2
