"""The baseline of one plant: fitted once on its commissioning window, quantised, hashed, signed, then frozen.

A model that went on learning would learn a slow fraud. Commissioning days are judged by the same stages as later days;
those found bad are left out and named. A window that does not fit its own climate holds everything that follows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from state.codec import Wire
from state.crypto import H
from verifier import clock, health, physics, scores, solar, wind
from verifier.copies import suspects
from verifier.device import HORIZONTAL, IN_PLANE, DeviceFacts
from verifier.finding import Finding, codes
from verifier.intake import MISSING, Columns, DayReadings, Flags, Ints, Series, columns_of, days_of, series_of
from verifier.reading import Reading
from verifier.scores import NOTHING_TOLERATED, DayScore, Tolerances
from verifier.solar import SolarYield, Sun
from verifier.tables import arcsine_centi_degrees
from verifier.wind import WindCurve

PROFILE_TAG = "wattest/profile"
VIEWS = 8  # whose expected power is kept: a verdict asks for it three times
FEWEST_DAYS = 14  # whole days that a baseline needs
WHOLE_PERCENT = 90  # of a day's intervals, for its scores to set a tolerance
POOR_PPM = 380_000  # sum |p - m| / sum p; honest plants show .06 to .28, a record with foreign climate .45
PERFECT_PPM = 20_000  # .010 where the wind was computed from the power
OUTLIER = 4  # times the 90th percentile of a score: no honest day, whatever it was
UNUSED_NOTES = frozenset({"gap", "duplicate"})


class NamedDay(Wire, frozen=True):
    day: int
    codes: tuple[str, ...]


class Profile(Wire, frozen=True):
    """All that a verdict takes from the past; `fit` codes (baseline_poor, too_perfect) hold every day."""

    device: DeviceFacts
    from_s: int
    to_s: int
    days_used: int
    days_excluded: tuple[NamedDay, ...]
    days_noted: tuple[NamedDay, ...]
    fit: tuple[str, ...]
    scatter_ppm: int
    model: WindCurve | SolarYield | None
    tolerances: Tolerances
    noon_low_centi: int  # lowest and highest sun at its highest point on the days used, 0.01 degrees
    noon_high_centi: int
    offset_s: int  # usual lag of the energy's middle after the light's
    lag_s: int  # whole hours by which the plant's clock was off the sun's throughout


@dataclass(frozen=True, eq=False)
class View:
    """One day as it is compared: on the plant's clock or an aligned one, with its sun."""

    day: DayReadings
    series: Series
    sun: Sun | None
    told: tuple[Ints, Flags] | None = None  # by the plant's model, where worked out with other days


def build_profile(device: DeviceFacts, readings: Iterable[Reading]) -> Profile:
    """The baseline from the readings of the commissioning window, in any order."""
    columns = columns_of(readings)
    return profile_of_days(device, days_of(device, columns), *_window(device, columns))


def profile_hash(profile: Profile) -> bytes:
    return H(PROFILE_TAG, profile)


def profile_of_days(device: DeviceFacts, days: Sequence[DayReadings], from_s: int, to_s: int) -> Profile:
    """The same from days that are already on their grid; `from_s` and `to_s` are what the profile will state."""
    offset, known_lags = _clock(device, days)
    lags = [0] * len(days) if known_lags is None else known_lags
    views: list[View] = []
    excluded: list[NamedDay] = []
    noted: list[NamedDay] = []
    alike = suspects(device, days, len(days))
    for index, (day, view) in enumerate(zip(days, views_of(device, days, lags), strict=True)):
        found = examine(device, view, alike[index])
        if known_lags is None:
            found = without_night(found)
        faults = codes(finding for finding in found if not finding.info)
        remarks = set(day.notes) - UNUSED_NOTES | {finding.code for finding in found if finding.info}
        if faults:
            excluded.append(NamedDay(day.day, faults))
        else:
            views.append(view)
            if remarks:
                noted.append(NamedDay(day.day, tuple(sorted(remarks))))
    lag_s = sorted(lags)[len(lags) // 2] if lags else 0
    facts = (device, from_s, to_s)
    if not views:
        return Profile(
            *facts,
            0,
            tuple(excluded),
            tuple(noted),
            ("baseline_poor",),
            0,
            None,
            NOTHING_TOLERATED,
            0,
            0,
            offset,
            lag_s,
        )
    model = _fit_model(device, views)
    views, strange = _without_outliers(device, model, views)
    if strange:
        excluded = sorted([*excluded, *strange], key=lambda named: named.day)
        noted = [named for named in noted if named.day not in {other.day for other in strange}]
        model = _fit_model(device, views)
    scatter = _scatter_ppm(device, model, views)
    whole = [view for view in views if int(view.day.present.sum()) * 100 >= WHOLE_PERCENT * device.slots]
    tolerances = scores.fit_tolerances(device.technology, _scores(device, model, whole or views), device.slots)
    noons = [noon_centi(view.sun) for view in whole or views if view.sun is not None] or [0]
    return Profile(
        *facts,
        days_used=len(views),
        days_excluded=tuple(excluded),
        days_noted=tuple(noted),
        fit=(*_fit_codes(len(whole), scatter), *(("clock_unknown",) if known_lags is None else ())),
        scatter_ppm=scatter,
        model=model,
        tolerances=tolerances,
        noon_low_centi=min(noons),
        noon_high_centi=max(noons),
        offset_s=offset,
        lag_s=lag_s,
    )


def view_of(device: DeviceFacts, day: DayReadings, before: DayReadings | None, lag_s: int) -> View:
    series = clock.aligned(device, day, before, lag_s)
    located = device.technology == "solar"
    sun = solar.sun_over(device, int(series.times[0]), device.slots) if located else None
    return View(day, series, sun)


def views_of(
    device: DeviceFacts, days: Sequence[DayReadings], lags: Sequence[int], model: WindCurve | SolarYield | None = None
) -> list[View]:
    """`view_of` for each of many days on end, worked out at once where no clock is off; `model` tells of each."""
    if any(lags) or not days:
        befores: list[DayReadings | None] = [None, *days]
        return [view_of(device, *each) for each in zip(days, befores[: len(days)], lags, strict=True)]
    whole = _whole(device, series_of(device, days), days[0])
    told = None if model is None else _expected(device, model, whole)
    views = []
    for place, day in enumerate(days):
        part = slice(place * device.slots, (place + 1) * device.slots)
        series = Series(*(column[part] for column in whole.series.all))
        sun = None if whole.sun is None else Sun(*(column[part] for column in whole.sun.all))
        views.append(View(day, series, sun, None if told is None else (told[0][part], told[1][part])))
    return views


def _whole(device: DeviceFacts, series: Series, first: DayReadings) -> View:
    """Days end to end as if they were one."""
    located = device.technology == "solar"
    return View(first, series, solar.sun_of_days(device, series.times[:: device.slots].tolist()) if located else None)


def examine(device: DeviceFacts, view: View, earlier: Sequence[DayReadings]) -> list[Finding]:
    """Health and physics of a day: all that needs no baseline. Copies are looked for in `earlier`."""
    return [
        *health.check(device, view.day, view.series, view.sun, earlier),
        *physics.check(device, view.day, view.series, view.sun, earlier),
    ]


def without_night(found: Iterable[Finding]) -> list[Finding]:
    """Without the findings that mean nothing where the plant's clock, or its sensor, is known to be wrong."""
    return [finding for finding in found if finding.code not in ("night_power", "night_light", "over_sky")]


@lru_cache(maxsize=VIEWS)
def expected(device: DeviceFacts, model: WindCurve | SolarYield, view: View) -> tuple[Ints, Flags]:
    """Expected power of each interval in ppm of nameplate, and where it is known."""
    return _expected(device, model, view) if view.told is None else view.told


def _expected(device: DeviceFacts, model: WindCurve | SolarYield, view: View) -> tuple[Ints, Flags]:
    if isinstance(model, WindCurve):
        return wind.expected(model, view.series)
    assert view.sun is not None
    return solar.expected(device, model, view.series, view.sun)


def score_of(device: DeviceFacts, model: WindCurve | SolarYield, view: View) -> DayScore:
    return scores.score(view.series.power_ppm, *expected(device, model, view))


def noon_centi(sun: Sun) -> int:
    """The sun's highest point of the day, 0.01 degrees."""
    return arcsine_centi_degrees(int(sun.up.max()))


def _window(device: DeviceFacts, columns: Columns) -> tuple[int, int]:
    if not len(columns.times):
        return 0, 0
    return int(columns.times.min()), int(columns.times.max()) + device.interval_s


def _clock(device: DeviceFacts, days: Sequence[DayReadings]) -> tuple[int, list[int] | None]:
    """The window's usual offset and each day's lag, by spans of three weeks; None if the clock fits no sun."""
    spans = [days[start : start + clock.WEEKS_DAYS] for start in range(0, len(days), clock.WEEKS_DAYS)]
    offsets = [clock.offset_s(device, span) for span in spans]
    known = sorted(offset for offset in offsets if offset is not None)
    usual = known[len(known) // 2] if known else 0
    relative = [(clock.lag_of(offset, usual) or 0, span) for span, offset in zip(spans, offsets, strict=True)]
    for hours in clock.WHOLE_HOURS if device.technology == "solar" else (0,):
        lags = [hours * clock.HOUR_S + lag for lag, span in relative for _ in span]
        lively = [(day, lag) for day, lag in zip(days, lags, strict=True) if clock.lively(device, day)]
        nights = sum(_works_at_night(device, day, lag) for day, lag in lively)
        if nights * 2 <= len(lively) and (hours == 0 or len(lively) >= clock.FEWEST_DAYS):
            return usual, lags
    return usual, None


def _works_at_night(device: DeviceFacts, day: DayReadings, lag_s: int) -> bool:
    if device.technology == "wind":
        return False
    series = clock.aligned(device, day, None, lag_s)
    dark = physics.dark_intervals(device, series)
    return bool((series.power_ppm[dark] > physics.NIGHT_PPM).any())


def _fit_model(device: DeviceFacts, views: Sequence[View]) -> WindCurve | SolarYield:
    series = _joined([view.series for view in views])
    if device.technology == "wind":
        return wind.fit(series)
    sun = solar.sun_of_days(device, series.times[:: device.slots].tolist())
    if not device.plane_known or device.plane == IN_PLANE:
        return solar.fit(device, series, sun, False)
    if device.plane == HORIZONTAL:
        return solar.fit(device, series, sun, True)
    # Nobody said how the sensor lies: the way that explains the plant better is the way it lies.
    candidates = [solar.fit(device, series, sun, transposed) for transposed in (True, False)]
    return min(candidates, key=lambda model: _scatter_ppm(device, model, views))


def _joined(parts: Sequence[Series]) -> Series:
    return Series(*(np.concatenate(columns) for columns in zip(*(part.all for part in parts), strict=True)))


def _without_outliers(
    device: DeviceFacts, model: WindCurve | SolarYield, views: Sequence[View]
) -> tuple[list[View], list[NamedDay]]:
    """Days whose total excess is far beyond the baseline's own: a fraud in the window must not widen its tolerance."""
    floor = 20_000 * device.slots
    excess: list[int] = []
    for day in _scores(device, model, views):
        excess.append(max(0, day.excess[1]) * 1_000_000 // (day.base[1] + floor))
    usual = sorted(excess)[len(excess) * 9 // 10]
    limit = OUTLIER * usual + 50_000
    kept = [view for view, value in zip(views, excess, strict=True) if value <= limit]
    strange = [NamedDay(v.day.day, ("model_day",)) for v, value in zip(views, excess, strict=True) if value > limit]
    return kept, strange


def _scores(device: DeviceFacts, model: WindCurve | SolarYield, views: Sequence[View]) -> list[DayScore]:
    return scores.of_days(*_rows(device, model, views))


def _rows(device: DeviceFacts, model: WindCurve | SolarYield, views: Sequence[View]) -> tuple[Ints, Ints, Flags]:
    """Power, expected power and where it is known, a row for each day."""
    series = _joined([view.series for view in views])
    power, known = _expected(device, model, _whole(device, series, views[0].day))
    shape = (len(views), device.slots)
    return series.power_ppm.reshape(shape), power.reshape(shape), known.reshape(shape)


def _scatter_ppm(device: DeviceFacts, model: WindCurve | SolarYield, views: Sequence[View]) -> int:
    """sum |p - m| / sum p over intervals with both."""
    power_ppm, allowed, known = _rows(device, model, views)
    both = known & (power_ppm != MISSING)
    wrong, total = int(np.abs(power_ppm[both] - allowed[both]).sum()), int(power_ppm[both].sum())
    return wrong * 1_000_000 // total if total else 1_000_000


def _fit_codes(whole_days: int, scatter_ppm: int) -> tuple[str, ...]:
    if whole_days < FEWEST_DAYS or scatter_ppm > POOR_PPM:
        return ("baseline_poor",)
    return ("too_perfect",) if scatter_ppm < PERFECT_PPM else ()
