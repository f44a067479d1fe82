"""What a plant's neighbours say of it: their power, each through its own curve frozen at commissioning.

A neighbour that stands still says nothing about the wind, so intervals in which it gives far less than its own weather
allows, or in which its anemometer may be frozen, are not heard. One that claims too much only raises what is expected
here: it can hide a cheat, never accuse.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from verifier import health, link
from verifier.device import DeviceFacts
from verifier.finding import PHYSICS, any_of
from verifier.intake import MISSING, DayReadings, Flags, Ints, series_of
from verifier.link import Witness
from verifier.verdict import DayVerdict

CODE = "neighbour"
STEP_PPM, BINS = 20_000, 51  # of the neighbour's nameplate
IDLE_PERCENT = 60  # of what its own weather allows: below it the neighbour is down or curtailed
IDLE_PPM = 20_000  # of nameplate: less is not asked about


def witness(times: Ints, power_ppm: Ints, window: Flags, told: Sequence[Ints]) -> Witness | None:
    """`told`: what each neighbour gave at `times`, from `heard`; `window` marks the sound commissioning intervals."""
    said = []
    for other in told:
        curve = link.fit(np.where(window, other, MISSING), np.where(window, power_ppm, MISSING), STEP_PPM, BINS)
        if curve is not None:
            said.append(link.through(curve, other))
    return link.middle(CODE, said) if said else None


def heard(
    device: DeviceFacts,
    days: Sequence[DayReadings],
    verdicts: Mapping[int, DayVerdict],
    expected_ppm: Ints,
    times: Ints,
) -> Ints:
    """A neighbour's power (ppm of its nameplate) at `times`, `MISSING` where it has none, was down or broke physics."""
    if not days:
        return np.full(len(times), MISSING, dtype=np.int64)
    series = series_of(device, days)
    down = (expected_ppm > IDLE_PPM) & (series.power_ppm * 100 < expected_ppm * IDLE_PERCENT)
    broken = [day.day in verdicts and any_of(verdicts[day.day].findings, PHYSICS) for day in days]
    # An anemometer that reads exactly nothing stands in a calm or is frozen, and so may be the turbine under it.
    down |= (device.technology == "wind") & (series.wind_mm_s == 0)
    frozen = np.repeat(np.array([bool(health.frost(device, day)) for day in days]), device.slots)
    down |= frozen & (series.power_ppm <= IDLE_PPM)
    power = np.where(down | np.repeat(np.array(broken), device.slots), MISSING, series.power_ppm)
    places = np.minimum(np.searchsorted(series.times, times), len(series.times) - 1)
    return np.where(series.times[places] == times, power[places], MISSING)
