"""The baseline of one plant: fitted once on its commissioning window, quantised, hashed, signed, then frozen.

A model that went on learning would learn a slow fraud. Commissioning days are judged by the same stages as later days;
those found bad are left out and named. A window that does not fit its own climate holds everything that follows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from state.codec import Wire
from state.crypto import H
from verifier import clock, physics, scores, solar, wind
from verifier.copies import suspects
from verifier.device import HORIZONTAL, IN_PLANE, INDEPENDENT_CLIMATE, DeviceFacts
from verifier.finding import Finding, codes
from verifier.intake import MISSING, Columns, DayReadings, Series, columns_of, days_of, joined_series
from verifier.reading import Reading
from verifier.scores import NOTHING_TOLERATED, DayScore, Tolerances
from verifier.solar import SolarYield, Sun
from verifier.view import Model, View, compared, noon_centi, sun_of_series, views_of

PROFILE_TAG = "wattest/profile"
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
    model: Model | None
    tolerances: Tolerances
    noon_low_centi: int  # lowest and highest sun at its highest point on the days used, 0.01 degrees
    noon_high_centi: int
    offset_s: int  # usual lag of the energy's middle after the light's
    lag_s: int  # whole hours by which the plant's clock was off the sun's throughout


@dataclass(frozen=True, eq=False)
class Fit:
    model: Model
    scatter_ppm: int
    scored: Sequence[DayScore]  # of each day that it was fitted to


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
    for day, view in zip(days, views_of(device, days, lags, alike), strict=True):
        found = view.found if known_lags is not None else without_night(view.found)
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
    fit = _fit(device, views)
    views, strange = _without_outliers(device, fit, views)
    if strange:
        excluded = sorted([*excluded, *strange], key=lambda named: named.day)
        noted = [named for named in noted if named.day not in {other.day for other in strange}]
        fit = _fit(device, views)
    present = [int(view.day.present.sum()) for view in views]
    whole = [place for place, count in enumerate(present) if count * 100 >= WHOLE_PERCENT * device.slots]
    asked = whole or range(len(views))
    chosen = [fit.scored[place] for place in asked]
    tolerances = scores.fit_tolerances(device.technology, _guessed(device, fit.model), chosen, device.slots)
    noons = [noon_centi(sun) for place in asked if (sun := views[place].sun) is not None] or [0]
    return Profile(
        *facts,
        days_used=len(views),
        days_excluded=tuple(excluded),
        days_noted=tuple(noted),
        fit=(*_fit_codes(len(whole), fit.scatter_ppm), *(("clock_unknown",) if known_lags is None else ())),
        scatter_ppm=fit.scatter_ppm,
        model=fit.model,
        tolerances=tolerances,
        noon_low_centi=min(noons),
        noon_high_centi=max(noons),
        offset_s=offset,
        lag_s=lag_s,
    )


def without_night(found: Iterable[Finding]) -> list[Finding]:
    """Without the findings that mean nothing where the plant's clock, or its sensor, is known to be wrong."""
    return [finding for finding in found if finding.code not in ("night_power", "night_light", "over_sky")]


def _window(device: DeviceFacts, columns: Columns) -> tuple[int, int]:
    if not len(columns.times):
        return 0, 0
    return int(columns.times.min()), int(columns.times.max()) + device.interval_s


def _clock(device: DeviceFacts, days: Sequence[DayReadings]) -> tuple[int, list[int] | None]:
    """The window's usual offset and each day's lag, by spans of three weeks; None if the clock fits no sun."""
    moments = clock.moments(device, days)
    spans = [moments[start : start + clock.WEEKS_DAYS] for start in range(0, len(days), clock.WEEKS_DAYS)]
    offsets = [clock.offset_of(span) for span in spans]
    known = sorted(offset for offset in offsets if offset is not None)
    usual = known[len(known) // 2] if known else 0
    relative = [(clock.lag_of(offset, usual) or 0, span) for span, offset in zip(spans, offsets, strict=True)]
    lively = [place for place, says in enumerate(clock.lively(device, days)) if says]
    for hours in clock.WHOLE_HOURS if device.technology == "solar" else (0,):
        lags = [hours * clock.HOUR_S + lag for lag, span in relative for _ in span]
        nights = _working_at_night(device, [days[place] for place in lively], [lags[place] for place in lively])
        if nights * 2 <= len(lively) and (hours == 0 or len(lively) >= clock.FEWEST_DAYS):
            return usual, lags
    return usual, None


def _working_at_night(device: DeviceFacts, days: Sequence[DayReadings], lags: Sequence[int]) -> int:
    """How many of the days have power in the dark."""
    if device.technology == "wind" or not days:
        return 0
    series = clock.aligned(device, days, [None] * len(days), lags)
    at_work = physics.dark_intervals(device, series) & (series.power_ppm > physics.NIGHT_PPM)
    return int(at_work.reshape(len(days), -1).any(axis=1).sum())


def _fit(device: DeviceFacts, views: Sequence[View]) -> Fit:
    series = joined_series([view.series for view in views])
    sun = sun_of_series(device, series)
    if sun is None:
        return _weighed(device, wind.fit(series), series, sun)
    fits = [_weighed(device, solar.fit(device, series, sun, carried), series, sun) for carried in _planes(device)]
    return min(fits, key=lambda fit: fit.scatter_ppm)


def _planes(device: DeviceFacts) -> tuple[bool, ...]:
    """Whether the light is carried to the modules: both ways are tried where nobody said how the sensor lies.

    The way that explains the plant better is the way it lies.
    """
    if not device.plane_known or device.plane == IN_PLANE:
        return (False,)
    return (True,) if device.plane == HORIZONTAL else (True, False)


def _weighed(device: DeviceFacts, model: Model, series: Series, sun: Sun | None) -> Fit:
    """Scatter is sum |p - m| / sum p over intervals with both."""
    power, allowed, known = compared(device, model, series, sun)
    both = known & (power != MISSING)
    wrong, total = int(np.abs(power[both] - allowed[both]).sum()), int(power[both].sum())
    return Fit(model, wrong * 1_000_000 // total if total else 1_000_000, scores.of_days(power, allowed, known))


def _guessed(device: DeviceFacts, model: Model) -> bool:
    """Whether the light on the modules is another's measurement, or carried there from the horizontal."""
    return isinstance(model, SolarYield) and (model.transposed or device.climate_source == INDEPENDENT_CLIMATE)


def _without_outliers(device: DeviceFacts, fit: Fit, views: Sequence[View]) -> tuple[list[View], list[NamedDay]]:
    """Days whose total excess is far beyond the baseline's own: a fraud in the window must not widen its tolerance."""
    floor = 20_000 * device.slots
    excess = [max(0, day.excess[1]) * 1_000_000 // (day.base[1] + floor) for day in fit.scored]
    usual = sorted(excess)[len(excess) * 9 // 10]
    limit = OUTLIER * usual + 50_000
    kept = [view for view, value in zip(views, excess, strict=True) if value <= limit]
    strange = [NamedDay(v.day.day, ("model_day",)) for v, value in zip(views, excess, strict=True) if value > limit]
    return kept, strange


def _fit_codes(whole_days: int, scatter_ppm: int) -> tuple[str, ...]:
    if whole_days < FEWEST_DAYS or scatter_ppm > POOR_PPM:
        return ("baseline_poor",)
    return ("too_perfect",) if scatter_ppm < PERFECT_PPM else ()
