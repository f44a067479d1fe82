"""A judged day under the windows of its own plant: what a validator asks before each step of a day's release.

A step looks at the days up to `STEP_DAYS` after the day and never further, so that validators who hold the same closed
days say the same, whenever they look. `review_step` asks the plant's own weather, `review_beside` its neighbours and
climate sources too, of whom the ledger names the days that are heard (`contracts/hearing.py`).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from state.attestation import STEP_DAYS
from state.codec import Wire
from verifier import finished
from verifier.climate import Climate
from verifier.device import DeviceFacts
from verifier.finding import FROST, HOLD, PHYSICS, WITNESS, Finding, any_of
from verifier.finished import Grid, Plant, case_of
from verifier.intake import DayReadings, series_of
from verifier.ladder import LONGEST_DAYS, climb_step
from verifier.light import Light
from verifier.verdict import DayVerdict, Outcome
from verifier.windows import (
    LIMITS,
    LONG,
    RAMP_DAYS,
    RAMP_RATIO,
    SHORT,
    OwnLimits,
    Tally,
    balance_of,
    flags_of,
    ramp_flags,
    running_flags,
    running_of,
    tally,
)

BACK_DAYS = LONGEST_DAYS + RAMP_DAYS + RAMP_RATIO  # what a window or a ramp over a day can reach back to


class WeighedDay(Wire, frozen=True):
    """A day as its windows see it."""

    verdict: Outcome
    findings: tuple[Finding, ...]
    tally: Tally

    @property
    def counts_in_weeks(self) -> bool:
        """A week of x1.2 of which half is refused by the day is still a week of x1.2."""
        return not any_of(self.findings, PHYSICS | HOLD - {FROST})


def weigh(device: DeviceFacts, day: DayReadings, verdict: DayVerdict) -> WeighedDay:
    """`verdict`: the one on `day`, whose expectation it carries."""
    watts = np.array(verdict.expected_w, dtype=np.int64)
    expected_ppm = np.maximum(watts, 0) * 1_000_000 // device.nameplate_w
    power_ppm = series_of(device, [day]).power_ppm
    return WeighedDay(verdict.verdict, verdict.findings, tally(power_ppm, expected_ppm, watts >= 0))


def review_step(
    step: int, day: int, days: Mapping[int, WeighedDay], limits: OwnLimits, slots: int
) -> tuple[Outcome, tuple[Finding, ...]]:
    """The outcome of a step for an accepted `day`. `days`: at least those judged in `span(day, step)`."""
    first, last = span(day, step)
    seen = {number: one for number, one in days.items() if first <= number <= last}
    weeks = {number: one.tally for number, one in seen.items() if one.counts_in_weeks}
    longer = {number: one.tally for number, one in seen.items() if one.verdict == "accept"}
    own = balance_of(first, last, longer, slots)
    flags = flags_of(balance_of(first, last, weeks, slots), limits.whole, SHORT)
    flags += flags_of(own, limits.whole, LONG)
    flags += running_flags(running_of(first, last, weeks, slots, limits.level_ppm), limits)
    return climb_step(step, [*flags, *ramp_flags(own, limits.whole)], day)


def review_beside(
    step: int,
    day: int,
    plant: Plant,
    others: Sequence[tuple[Plant, Grid]],
    sources: Sequence[Climate] = (),
    skies: Sequence[Light] = (),
) -> tuple[Outcome, tuple[Finding, ...]]:
    """The outcome of a step and every reason for it, `others` being the neighbours with the days that are heard.

    `sources` and `skies` are the climate sources likewise: they contradict or confirm, and vouch for no broken sensor.

    `plant` has the days of its commissioning and, judged, those in `span(day, step)` and no later ones. What a broken
    sensor holds is accepted where they vouch for it, and waits where nobody does.
    """
    case = case_of(plant, others, sources, LIMITS, skies)
    verdicts = finished.reviewed_days(case)
    found = verdicts[day].findings
    if verdicts[day].verdict != "accept":
        return verdicts[day].verdict, found
    outcome, against = climb_step(step, finished.flags_over(case, verdicts), day)
    if any_of(against, WITNESS):  # somebody independent has spoken
        found = tuple(finding for finding in found if finding.code != "single_source")
    return outcome, (*found, *against)


def span(day: int, step: int) -> tuple[int, int]:
    """First and last day that can matter for a step of `day`."""
    return day - BACK_DAYS, day + STEP_DAYS[step]
