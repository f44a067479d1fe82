"""Which days of a long record could be copies of much earlier ones.

A validator lays a day beside the weeks before it. Who has a whole record at hand wants copies of last year found too,
and to compare each day with four hundred others is most of a run's work and nearly always in vain. So one sweep over
the record names the pairs that could be copies, and baseline and verdict look at those. It leaves out no pair that
`physics` or `health` would call one.
"""

from collections.abc import Sequence

import numpy as np

from verifier import health, physics
from verifier.device import DeviceFacts
from verifier.intake import DayReadings, Flags, Ints

PARTS = 4  # of the day
# Two unit vectors whose cosine is above 1 - 10^-7 are at most sqrt(2 x 10^-7) apart, so are their parts, and the
# squares of the lengths of these at most twice that: 895 ppm, with one more for each division.
APART_PPM = 897
NOTHING = -1_000_000_000  # share of a day without power: near to no other


def suspects(device: DeviceFacts, days: Sequence[DayReadings], most: int) -> list[list[DayReadings]]:
    """For each day those of the `most` before it that could be what it copies, in order."""
    if not days:
        return []
    shares = _shares(device, days)
    climate, places, highest = _peaks(device, days)
    found = []
    for index in range(len(days)):
        first = max(0, index - most)
        alike: Flags = (np.abs(shares[first:index] - shares[index]) <= APART_PPM).all(axis=1)
        alike |= climate[first:index, places[index]] == highest[index]
        found.append([days[first + place] for place in np.flatnonzero(alike).tolist()])
    return found


def _shares(device: DeviceFacts, days: Sequence[DayReadings]) -> Ints:
    """Of the square of a day's power, the parts (ppm) that fall into each part of the day."""
    power = np.stack([physics.shape(device.nameplate_w, day) for day in days])
    edges = [part * device.slots // PARTS for part in range(PARTS)]
    parts: list[list[int]] = np.add.reduceat(power * power, edges, axis=1).tolist()
    shares = [[part * 1_000_000 // (sum(of_day) or 1) for part in of_day] for of_day in parts]
    return np.array([of_day if any(of_day) else [NOTHING] * PARTS for of_day in shares], dtype=np.int64)


def _peaks(device: DeviceFacts, days: Sequence[DayReadings]) -> tuple[Ints, Ints, Ints]:
    """The climate of all days, and for each the place and value of its highest: a copy has the same there."""
    climate = np.stack([health.climate_of(device, day) for day in days])
    usable = ~health.unusable(device, climate) & (climate > 0)
    places = np.argmax(np.where(usable, climate, -1), axis=1)
    highest: Ints = climate[np.arange(len(days)), places]
    return climate, places, highest
