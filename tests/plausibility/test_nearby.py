"""Who is whose neighbour: by where a plant stands, how it makes power and how it measures."""

from msgspec.structs import replace

from verifier.device import NO_COORDINATE, DeviceFacts
from verifier.nearby import MOST, distance_m, nearby

ONE = DeviceFacts("wind", 2_000_000, 600, 48_450_000, 5_590_000)
NORTH_1_KM = replace(ONE, latitude_udeg=48_459_000)


def test_distance_is_the_one_on_the_globe() -> None:
    """Against the haversine: 1,001 m north, 7,377 m for a tenth of a degree east at 48.45 north."""
    assert abs(distance_m(ONE, NORTH_1_KM) - 1_001) <= 1
    assert abs(distance_m(ONE, replace(ONE, longitude_udeg=5_690_000)) - 7_374) <= 8
    assert distance_m(ONE, ONE) == 0
    assert distance_m(ONE, NORTH_1_KM) == distance_m(NORTH_1_KM, ONE)


def test_the_date_line_does_not_part_neighbours() -> None:
    west = replace(ONE, longitude_udeg=179_999_000)
    east = replace(ONE, longitude_udeg=-179_999_000)
    assert distance_m(west, east) < 200


def test_the_nearest_come_first_and_at_most_eight() -> None:
    row = {f"T{place}": replace(ONE, latitude_udeg=48_450_000 + place * 1_000) for place in range(12)}
    assert nearby("T0", row) == tuple(f"T{place}" for place in range(1, MOST + 1))


def test_others_are_no_neighbours() -> None:
    others = {
        "far": replace(ONE, latitude_udeg=48_500_000),
        "solar": replace(NORTH_1_KM, technology="solar"),
        "hourly": replace(NORTH_1_KM, interval_s=3_600),
        "estimated": replace(NORTH_1_KM, coordinates_estimated=True),
        "nowhere": replace(NORTH_1_KM, latitude_udeg=NO_COORDINATE),
    }
    assert nearby("one", {"one": ONE, **others}) == ()
    assert nearby("one", {"one": ONE, "near": NORTH_1_KM, **others}) == ("near",)
    assert nearby("estimated", {"near": NORTH_1_KM, **others}) == ()
    assert nearby("nowhere", {"near": NORTH_1_KM, **others}) == ()


def test_clouds_reach_further_than_wind() -> None:
    far = replace(ONE, latitude_udeg=48_550_000)  # 11 km
    sun = {"a": replace(ONE, technology="solar"), "b": replace(far, technology="solar")}
    assert nearby("a", {"a": ONE, "b": far}) == ()
    assert nearby("a", sun) == ("b",)
