"""A day as it is compared: on the plant's clock or an aligned one, with its sun, what its health and physics show, and
what the plant's model says of it.

The days of a record are worked out together, since for a single day the cost is that of calling numpy; one day is a
record of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verifier import clock, health, physics, scores, solar, wind
from verifier.device import DeviceFacts
from verifier.finding import Finding
from verifier.intake import DayReadings, Flags, Ints, Series
from verifier.scores import DayScore, Tolerances
from verifier.solar import SolarYield, Sun
from verifier.tables import arcsine_centi_degrees
from verifier.wind import WindCurve

Model = WindCurve | SolarYield


@dataclass(frozen=True, eq=False)
class Told:
    """What the model lets expect of each interval, and how far the day's claim goes beyond it."""

    expected_ppm: Ints
    known: Flags
    score: DayScore
    unseen: DayScore | None  # the same if intervals without weather must be explained too; None where there are none
    expected_w: tuple[int, ...]  # -1 where the model knows nothing
    allowed_w: tuple[int, ...]
    expected_wh: int


@dataclass(frozen=True, eq=False)
class View:
    day: DayReadings
    series: Series
    sun: Sun | None
    found: Sequence[Finding]  # of health and physics: all that needs no baseline
    told: Told | None  # None without a model


def views_of(
    device: DeviceFacts,
    days: Sequence[DayReadings],
    lags: Sequence[int],
    alike: Sequence[Sequence[DayReadings]],
    before: DayReadings | None = None,
    model: Model | None = None,
    tolerances: Tolerances = scores.NOTHING_TOLERATED,
) -> list[View]:
    """Of each day, its clock off by `lags` (s). Copies of it are looked for among those of `alike`.

    `before` is the day before the first.
    """
    if not days:
        return []
    series = clock.aligned(device, days, [before, *days[:-1]], lags)
    sun = sun_of_series(device, series)
    found = zip(
        health.check(device, days, series, sun, alike), physics.check(device, days, series, sun, alike), strict=True
    )
    told = [None] * len(days) if model is None else _told(device, model, tolerances, series, sun)
    parts = _rows(device, series.all)
    suns = [None] * len(days) if sun is None else [Sun(*part) for part in _rows(device, sun.all)]
    rows = zip(days, parts, suns, found, told, strict=True)
    return [View(day, Series(*part), of_day, [*ill, *wrong], says) for day, part, of_day, (ill, wrong), says in rows]


def sun_of_series(device: DeviceFacts, series: Series) -> Sun | None:
    """None for wind."""
    if device.technology == "wind":
        return None
    return solar.sun_of_days(device, series.times[:: device.slots].tolist())


def compared(device: DeviceFacts, model: Model, series: Series, sun: Sun | None) -> tuple[Ints, Ints, Flags]:
    """Power and expected power in ppm of nameplate, and where it is known: a row for each day."""
    if isinstance(model, WindCurve):
        expected_ppm, known = wind.expected(model, series)
    else:
        assert sun is not None
        expected_ppm, known = solar.expected(device, model, series, sun)
    shape = (-1, device.slots)
    return series.power_ppm.reshape(shape), expected_ppm.reshape(shape), known.reshape(shape)


def noon_centi(sun: Sun) -> int:
    """The sun's highest point of the day, 0.01 degrees."""
    return arcsine_centi_degrees(int(sun.up.max()))


def _told(device: DeviceFacts, model: Model, tolerances: Tolerances, series: Series, sun: Sun | None) -> list[Told]:
    power_ppm, expected_ppm, known = compared(device, model, series, sun)
    blind = np.flatnonzero(~known.all(axis=1))
    asked = scores.of_days(power_ppm[blind], expected_ppm[blind], known[blind], unseen_claims=True)
    unseen = dict(zip(blind.tolist(), asked, strict=True))
    room = tolerances.usual[1] * (expected_ppm + scores.FLOOR_PPM) // 1_000_000
    allowed_ppm = np.minimum(expected_ppm + room, physics.NAMEPLATE_PPM)
    expected_w, allowed_w = (
        np.where(known, curve * device.nameplate_w // 1_000_000, -1) for curve in (expected_ppm, allowed_ppm)
    )
    expected_wh = np.maximum(expected_w, 0).sum(axis=1) * device.interval_s // 3600
    scored = scores.of_days(power_ppm, expected_ppm, known)
    curves = zip(expected_w.tolist(), allowed_w.tolist(), expected_wh.tolist(), strict=True)
    return [
        Told(expected_ppm[place], known[place], score, unseen.get(place), tuple(usual), tuple(most), total)
        for place, (score, (usual, most, total)) in enumerate(zip(scored, curves, strict=True))
    ]


def _rows(device: DeviceFacts, columns: Sequence[Ints]) -> list[tuple[Ints, ...]]:
    """The columns of each day."""
    return list(zip(*(column.reshape(-1, device.slots) for column in columns), strict=True))
