"""One day of one plant: accept, hold or reject, with its reasons and its energy.

    accept   the evidence supports the energy
    hold     evidence is missing or broken; the energy waits and nobody is accused
    reject   the evidence contradicts the energy

Precedence: a contradiction by physics beats a hold, a hold beats a contradiction by the model, because a model that
stands on broken evidence proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from state.attestation import VERDICT_NAMES
from state.codec import Wire
from verifier import clock, health, scores
from verifier.device import INDEPENDENT_CLIMATE, DeviceFacts
from verifier.finding import HOLD, INFO, MODEL, PHYSICS, WITNESS, Finding, any_of, codes
from verifier.intake import DayReadings, Series
from verifier.profile import Profile, without_night
from verifier.view import Told, View, noon_centi, views_of
from verifier.wind import BIN_MM_S, WindCurve, corrected_mm_s

VERIFIER_VERSION = 4  # of the rules: any change that can change a verdict raises it
HISTORY_DAYS = 40  # earlier days that a node hands to `judge_day`; an audit of a file may hand over more
RANGE_CENTI, RANGE_KNOWN_CENTI = 600, 2_300  # sun heights beyond the baseline's: without, and with known geometry
STRONG_PERCENT = 20  # of a day's energy in winds that the baseline never saw
SHIFT_S = 3_600
SHIFTS = (-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6)  # hours tried to tell a shifted day from any other excess

Outcome = Literal["accept", "hold", "reject"]


class DayVerdict(Wire, frozen=True):
    """`accepted_wh + withheld_wh + refused_wh = energy_wh`; the tuples have one entry for each interval of the day.

    `allowed_w` is what the model would at most let pass in an interval (-1 where it knows nothing), for charts only.
    """

    verdict: Outcome
    reasons: tuple[str, ...]
    energy_wh: int
    accepted_wh: int
    expected_wh: int
    expected_w: tuple[int, ...]
    allowed_w: tuple[int, ...]
    findings: tuple[Finding, ...]

    @property
    def withheld_wh(self) -> int:
        return self.energy_wh if self.verdict == "hold" else 0

    @property
    def refused_wh(self) -> int:
        return self.energy_wh if self.verdict == "reject" else 0


@dataclass(frozen=True, eq=False)
class Past:
    """What a verdict takes from the days before."""

    before: DayReadings | None  # the last of them
    alike: Sequence[DayReadings]  # among which copies are looked for: all of them, or `copies.suspects`
    offset_s: int | None  # of the last three weeks, by `clock.offset_of`


def judge_day(
    device: DeviceFacts,
    profile: Profile | None,
    day: int,
    day_readings: DayReadings,
    earlier: Sequence[DayReadings],
) -> DayVerdict:
    """The verdict on UTC day `day`. `earlier`: the device's days before it, in order, commissioning included.

    Validators must hand over the same earlier days, or their attestations differ: the last `HISTORY_DAYS` that have
    readings.
    """
    assert day == day_readings.day
    before = [other for other in earlier if other.day < day]
    trailing = clock.moments(device, before[-clock.WEEKS_DAYS :])
    past = Past(before[-1] if before else None, before, clock.offset_of(trailing))
    return judge_view(device, profile, _view(device, profile, day_readings, past, _usual_lag(profile)), past)


def judge_view(device: DeviceFacts, profile: Profile | None, usual: View, past: Past) -> DayVerdict:
    """`judge_day` for who has worked out many days at once: `usual` is the day on the clock of its baseline."""
    lags = _lags(device, profile, past)
    views = [usual, *(_view(device, profile, usual.day, past, lag) for lag in lags[1:])]
    tried = [_found(device, profile, view) for view in views]
    best = min(range(len(lags)), key=lambda place: VERDICT_NAMES.index(combine(tried[place])))
    view, found = views[best], tried[best]
    if best:
        found = [*found, Finding("clock_shift", 0, lags[best] - lags[0])]
    elif device.technology == "solar" and _clock_explains(device, profile, usual.day, past, found):
        found = [finding for finding in found if finding.code in INFO or finding.info]
        found.append(Finding("clock_unknown"))
    found += [Finding(code) for code in view.day.notes]
    if device.climate_source != INDEPENDENT_CLIMATE:
        found.append(Finding("single_source"))
    return _verdict(device, view, found)


def _usual_lag(profile: Profile | None) -> int:
    return 0 if profile is None else profile.lag_s


def _lags(device: DeviceFacts, profile: Profile | None, past: Past) -> list[int]:
    """Clocks under which the day may be read: the trailing weeks' and the baseline's."""
    if profile is None or device.technology != "solar":
        return [0]
    trailing = clock.lag_of(past.offset_s, profile.offset_s)
    return list(dict.fromkeys([profile.lag_s, profile.lag_s if trailing is None else trailing]))


def _view(device: DeviceFacts, profile: Profile | None, day: DayReadings, past: Past, lag_s: int) -> View:
    fitted = () if profile is None else (profile.model, profile.tolerances)
    return views_of(device, [day], [lag_s], [past.alike], past.before, *fitted)[0]


def _found(device: DeviceFacts, profile: Profile | None, view: View) -> list[Finding]:
    found = list(view.found)
    if profile is not None and "clock_unknown" in profile.fit:
        found = without_night(found)
    elif any(finding.code in ("climate_dead", "climate_stuck") for finding in found):
        # A stuck sensor glows in the dark: that is its fault, not the plant's claim.
        found = [f for f in found if f.code not in ("night_light", "over_sky")]
    return found + _against_baseline(device, profile, view)


def _against_baseline(device: DeviceFacts, profile: Profile | None, view: View) -> list[Finding]:
    if profile is None:
        return [Finding("baseline_missing")]
    found = [Finding(code, 0, profile.scatter_ppm // 10_000) for code in profile.fit]
    if view.told is None:
        return found
    found += _outside_range(device, profile, view)
    score = view.told.score
    index = scores.exceeded(score, profile.tolerances, device.slots)
    if index is None and _unseen_exceeds(device, profile, view.told):
        found.append(Finding("climate_missing"))
    if index is not None:
        limit = scores.allowances(score, profile.tolerances, device.slots)[index]
        hours = _shift_hours(device, profile, view.series, view.told)
        code = "model_day" if hours == 0 else "time_shift"
        to_wh = device.nameplate_w * device.interval_s
        values = (score.excess[index] * to_wh // 3_600_000_000, limit * to_wh // 3_600_000_000)
        found.append(Finding(code, 0, *(values if hours == 0 else (hours, values[0]))))
        found += health.frost(device, view.day)
    return found


def _unseen_exceeds(device: DeviceFacts, profile: Profile, told: Told) -> bool:
    """Whether the day fits its weather only as long as nobody asks for the energy of intervals without weather."""
    score = told.unseen
    if score is None:
        return False
    whole, over = scores.allowances(score, profile.tolerances, device.slots)[:2]
    return score.excess[0] > whole or score.excess[1] > over


def _outside_range(device: DeviceFacts, profile: Profile, view: View) -> list[Finding]:
    """Whether the baseline has seen this day's sun, or these winds."""
    if view.sun is not None:
        noon = noon_centi(view.sun)
        margin = RANGE_KNOWN_CENTI if device.plane_known else RANGE_CENTI
        outside = not profile.noon_low_centi - margin <= noon <= profile.noon_high_centi + margin
        return [Finding("baseline_range", 0, noon // 100, profile.noon_low_centi // 100)] if outside else []
    assert isinstance(profile.model, WindCurve)
    wind = corrected_mm_s(view.series.wind_mm_s, view.series.temperature_centi_c, profile.model.gain)
    power = np.maximum(view.series.power_ppm, 0)
    strong = wind >= (profile.model.strongest + 2) * BIN_MM_S
    if int(power[strong].sum()) * 100 <= STRONG_PERCENT * int(power.sum()):
        return []
    return [Finding("baseline_range", 0, int(wind.max()) // 1_000, profile.model.strongest * BIN_MM_S // 1_000)]


def _shift_hours(device: DeviceFacts, profile: Profile, series: Series, told: Told) -> int:
    """The smallest shift of power within the day that would make it honest, or 0."""
    for hours in sorted(SHIFTS, key=lambda hours: (abs(hours), hours)):
        moved = np.roll(series.power_ppm, -hours * SHIFT_S // device.interval_s)
        score = scores.score(moved, told.expected_ppm, told.known)
        if scores.exceeded(score, profile.tolerances, device.slots) is None:
            return hours
    return 0


def _clock_explains(
    device: DeviceFacts,
    profile: Profile | None,
    day: DayReadings,
    past: Past,
    found: Sequence[Finding],
) -> bool:
    """Whether a night or model contradiction vanishes on a clock one hour off: daylight saving may just have begun."""
    suspects = {finding.code for finding in found if finding.code in PHYSICS | MODEL}
    shifted = any(finding.code == "time_shift" and abs(finding.value) == 1 for finding in found)
    if not (suspects & {"night_power", "night_light"} or (shifted and device.climate_source == INDEPENDENT_CLIMATE)):
        return False
    if not suspects <= {"night_power", "night_light", "model_day", "time_shift"}:
        return False
    lags = (_usual_lag(profile) + hour for hour in (SHIFT_S, -SHIFT_S))
    return any(
        not any_of(_found(device, profile, _view(device, profile, day, past, lag)), PHYSICS | MODEL) for lag in lags
    )


def combine(found: Sequence[Finding]) -> Outcome:
    """The verdict that these reasons make."""
    if any_of(found, PHYSICS | WITNESS):
        return "reject"
    if any_of(found, HOLD):
        return "hold"
    return "reject" if any_of(found, MODEL) else "accept"


def _verdict(device: DeviceFacts, view: View, found: Sequence[Finding]) -> DayVerdict:
    outcome = combine(found)
    energy_wh = view.day.energy_wh
    nothing = (-1,) * device.slots
    return DayVerdict(
        verdict=outcome,
        reasons=codes(found),
        energy_wh=energy_wh,
        accepted_wh=energy_wh if outcome == "accept" else 0,
        expected_wh=0 if view.told is None else view.told.expected_wh,
        expected_w=nothing if view.told is None else view.told.expected_w,
        allowed_w=nothing if view.told is None else view.told.allowed_w,
        findings=tuple(sorted(found, key=lambda finding: (finding.code, finding.at_s, finding.value))),
    )
