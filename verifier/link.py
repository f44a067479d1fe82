"""A witness of a plant's power: something else that felt the same weather, through a curve frozen at commissioning.

The power of a neighbour and the wind of a reanalysis know nothing of a forged anemometer. How they answer to this plant
is learned once, on the commissioning window, and never again: a curve that went on learning would learn a slow fraud.
"""

from dataclasses import dataclass

import numpy as np

from verifier.intake import MISSING, Flags, Ints

FEWEST = 6  # readings of a bin that may speak for themselves
FEWEST_READINGS = 1_000  # of commissioning, about a week of 10-minute readings; fewer make no witness
OUTAGE_PERCENT = 30  # of a bin's median: below it the plant was down, which is no answer to the witness


@dataclass(frozen=True, eq=False)
class Link:
    """Mean power of the plant (ppm of nameplate) at the middle of each bin of the witness's value."""

    step: int  # width of a bin, in the unit of the witness
    power_ppm: Ints


@dataclass(frozen=True, eq=False)
class Witness:
    """What one kind of witness says the plant should have given, interval by interval; ppm of nameplate."""

    code: str  # the reason it gives when it contradicts: neighbour or reanalysis
    expected_ppm: Ints
    known: Flags


def fit(values: Ints, power_ppm: Ints, step: int, bins: int) -> Link | None:
    """From the commissioning intervals; None where too few have both. Bins with few readings lean on the one below."""
    both = (values != MISSING) & (power_ppm != MISSING)
    if int(both.sum()) < FEWEST_READINGS:
        return None
    places = np.minimum(values[both] // step, bins - 1)
    power = np.maximum(power_ppm[both], 0)
    means: list[int] = []
    for place in range(bins):
        members = np.sort(power[places == place])
        if len(members) >= FEWEST:
            normal = members[members * 100 >= OUTAGE_PERCENT * members[len(members) // 2]]
            means.append(int(normal.sum()) // len(normal))
        else:
            means.append(means[-1] if means else 0)
    return Link(step, np.array(means, dtype=np.int64))


def through(link: Link, values: Ints) -> Ints:
    """Expected power, linear between the middles of bins; `MISSING` where the witness has no value."""
    known = values != MISSING
    top = (len(link.power_ppm) - 1) * link.step - 1
    offset = np.clip(np.where(known, values, 0) - link.step // 2, 0, top)
    low, part = offset // link.step, offset % link.step
    between = link.power_ppm[low] + (link.power_ppm[low + 1] - link.power_ppm[low]) * part // link.step
    return np.where(known, between, MISSING)


def middle(code: str, said: list[Ints]) -> Witness:
    """The median of several witnesses in each interval, of two their mean: one that lies is outvoted by two others."""
    stacked = np.sort(np.stack([np.where(one == MISSING, 2**62, one) for one in said]), axis=0)
    count = (stacked < 2**62).sum(axis=0)
    low = np.take_along_axis(stacked, np.maximum((count - 1) // 2, 0)[None], axis=0)[0]
    high = np.take_along_axis(stacked, np.minimum(count // 2, len(said) - 1)[None], axis=0)[0]
    known = count > 0
    return Witness(code, np.where(known, (np.where(known, low, 0) + np.where(known, high, 0)) // 2, 0), known)
