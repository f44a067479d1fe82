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
from verifier.intake import DayReadings, Ints

PARTS = 8  # of the day
BLOCK = 64  # days that are laid beside those before them at once
# Two unit vectors whose cosine is above 1 - 10^-7 are at most sqrt(2 x 10^-7) apart, so are their parts, and the
# squares of the lengths of these at most twice that: 895 ppm, with one more for each division.
APART_PPM = 897
NOTHING = -1_000_000_000  # share of a day without power: near to no other


def suspects(device: DeviceFacts, days: Sequence[DayReadings], most: int, since: int = 0) -> list[list[DayReadings]]:
    """For each day from place `since` on those of the `most` before it that could be what it copies, in order."""
    if not days:
        return []
    shares, climate = _shares(device, days), np.stack([health.climate_of(device, day) for day in days]).T.copy()
    places = _peaks(device, climate)
    found = []
    for start in range(since, len(days), BLOCK):
        ours = slice(start, min(start + BLOCK, len(days)))
        theirs = slice(max(0, start - most), ours.stop)
        rows = np.arange(len(days))[ours, None]
        back = rows - np.arange(len(days))[theirs]
        alike = np.all([np.abs(part[ours, None] - part[theirs]) <= APART_PPM for part in shares], axis=0)
        alike |= np.all([climate[place[ours], theirs] == climate[place[ours, None], rows] for place in places], axis=0)
        alike &= (back > 0) & (back <= most)
        found += [[days[theirs.start + place] for place in np.flatnonzero(row).tolist()] for row in alike]
    return found


def _shares(device: DeviceFacts, days: Sequence[DayReadings]) -> Ints:
    """Of the square of a day's power, the parts (ppm) that fall into each part of the day: a row for each part."""
    power = np.stack([physics.shape(device.nameplate_w, day) for day in days])
    edges = [part * device.slots // PARTS for part in range(PARTS)]
    parts: list[list[int]] = np.add.reduceat(power * power, edges, axis=1).tolist()
    shares = [[part * 1_000_000 // (sum(of_day) or 1) for part in of_day] for of_day in parts]
    listed = [of_day if any(of_day) else [NOTHING] * PARTS for of_day in shares]
    return np.array(listed, dtype=np.int64).T.copy()


def _peaks(device: DeviceFacts, climate: Ints) -> list[Ints]:
    """Where each day's climate (a column) is highest in each half of the day: a copy has the same there."""
    usable = ~health.unusable(device, climate) & (climate > 0)
    heights = np.where(usable, climate, -1)
    half = device.slots // 2
    places = [heights[:half].argmax(axis=0), heights[half:].argmax(axis=0) + half]
    whole = heights.argmax(axis=0)
    each = np.arange(climate.shape[1])
    return [np.where(heights[place, each] > 0, place, whole) for place in places]
