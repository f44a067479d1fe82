"""Which plants feel the same weather: by registration data alone, so that everyone finds the same ones."""

from collections.abc import Mapping
from math import isqrt
from typing import TypeVar

import numpy as np

from verifier.device import DeviceFacts
from verifier.tables import brads, cosine

REACH_M = {"wind": 5_000, "solar": 20_000}  # a ridge changes the wind in kilometres, clouds pass over tens of them
MOST = 8
Name = TypeVar("Name", str, int)
METRES_PER_DEGREE = 111_195  # of a sphere of 6,371 km


def distance_m(one: DeviceFacts, other: DeviceFacts) -> int:
    """Over the plane that touches the globe between them; good to a thousandth within `REACH_M`."""
    middle = (one.latitude_udeg + other.latitude_udeg) // 2
    apart_udeg = abs(other.longitude_udeg - one.longitude_udeg)
    east_udeg = min(apart_udeg, 360_000_000 - apart_udeg)
    narrowing = int(cosine(np.array([brads(middle)], dtype=np.int64))[0])
    east = (east_udeg * narrowing >> 30) * METRES_PER_DEGREE // 1_000_000
    north = abs(other.latitude_udeg - one.latitude_udeg) * METRES_PER_DEGREE // 1_000_000
    return isqrt(east * east + north * north)


def nearby(name: Name, devices: Mapping[Name, DeviceFacts]) -> tuple[Name, ...]:
    """The nearest first, of equal ones by name or number; estimated coordinates make nobody a neighbour."""
    one = devices[name]
    if not _placed(one):
        return ()
    alike = (
        (distance_m(one, other), key)
        for key, other in devices.items()
        if key != name and _placed(other) and (other.technology, other.interval_s) == (one.technology, one.interval_s)
    )
    return tuple(key for metres, key in sorted(alike) if metres <= REACH_M[one.technology])[:MOST]


def _placed(device: DeviceFacts) -> bool:
    return device.located and not device.coordinates_estimated
