"""A finished run: the day verdicts of a plant, reviewed by its neighbours, independent climate and the windows over it.

What one day cannot show, other evidence may: it clears what a broken sensor accused, releases what was held for lack of
a sensor, and refuses what the plant's own sensors were forged to allow.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from msgspec import structs

from state.units import DAY_S
from verifier import climate, light, neighbours, scores, solar, wind, wind_clock, windows
from verifier.climate import Climate
from verifier.device import DeviceFacts
from verifier.finding import FROST, HOLD, MODEL, PHYSICS, RELEASABLE, Finding, any_of, codes
from verifier.intake import DayReadings, Flags, Ints, Series, series_of
from verifier.ladder import FinalVerdict, climb
from verifier.light import Light
from verifier.link import Witness
from verifier.profile import Profile
from verifier.solar import SolarYield
from verifier.verdict import DayVerdict, combine
from verifier.wind import WindCurve
from verifier.windows import Balance, Flag, Limits, OwnLimits


@dataclass(frozen=True, eq=False)
class Plant:
    """All that a run knows of one plant: every day with readings, and the verdicts from commissioning on."""

    device: DeviceFacts
    profile: Profile
    from_s: int
    to_s: int
    days: Sequence[DayReadings]
    verdicts: Mapping[int, DayVerdict]  # by day
    seams: Mapping[int, int]  # from `wind_clock.seam_of`, by day


@dataclass(frozen=True, eq=False)
class Grid:
    """The days of a plant end to end, with what its own weather let expect."""

    days: Ints
    series: Series
    expected_ppm: Ints
    known: Flags
    commissioning: Flags  # by interval


@dataclass(frozen=True, eq=False)
class Spoken:
    """`running`: of a source of light, its limits over normal operation, and the plant's level there by it."""

    witness: Witness
    limits: Limits
    running: Limits | None = None
    level_ppm: int = 1_000_000


@dataclass(frozen=True, eq=False)
class Case:
    """A plant with all that is said about it, before anybody concludes from it."""

    plant: Plant
    grid: Grid
    hours: Mapping[int, int]  # whole hours (s) that a wind logger is behind independent wind, by day
    heard: Sequence[Spoken]
    own: OwnLimits  # for the plant's own weather


def grid_of(plant: Plant) -> Grid:
    device, days = plant.device, plant.days
    series = series_of(device, days)
    expected, known = _expected(device, plant.profile, series)
    slots = device.slots
    for place, day in enumerate(days):
        verdict = plant.verdicts.get(day.day)
        if verdict is not None:
            watts = np.array(verdict.expected_w, dtype=np.int64)
            part = slice(place * slots, (place + 1) * slots)
            known[part] = watts >= 0
            expected[part] = np.maximum(watts, 0) * 1_000_000 // device.nameplate_w
    inside = (series.times >= plant.from_s) & (series.times < plant.to_s)
    bad = {named.day for named in plant.profile.days_excluded}
    sound = np.repeat(np.array([day.day not in bad for day in days], dtype=np.bool_), slots)
    return Grid(np.array([day.day for day in days], dtype=np.int64), series, expected, known, inside & sound)


def case_of(
    plant: Plant,
    others: Sequence[tuple[Plant, Grid]],
    sources: Sequence[Climate],
    limits: Mapping[str, Limits],
    skies: Sequence[Light] = (),
) -> Case:
    """`others`: the neighbours that are in the run, by name; `sources` of wind, `skies` of light."""
    grid = grid_of(plant)
    lags, hours = _clock(plant, grid, sources)
    heard = [
        Spoken(witness, _widened(limits[witness.code], plant, grid, witness.expected_ppm, witness.known))
        for witness in _witnesses(plant, grid, others, sources, lags)
    ]
    heard += _light(plant, grid, skies, limits)
    return Case(plant, grid, hours, heard, own_limits(plant, grid, limits))


def own_limits(plant: Plant, grid: Grid, limits: Mapping[str, Limits] = windows.LIMITS) -> OwnLimits:
    """For the plant's own weather: its technology's, raised where its honest commissioning went higher."""
    whole = _widened(limits[plant.device.technology], plant, grid, grid.expected_ppm, grid.known)
    usual = limits[f"running {plant.device.technology}"]
    level_ppm, levelled = _level(plant, grid)
    if levelled is None:
        return OwnLimits(whole, usual, limits["rise"])
    rise = windows.widened_rise(limits["rise"], levelled)
    return OwnLimits(whole, windows.widened_running(usual, levelled), rise, level_ppm)


def conclude(case: Case) -> list[tuple[DayReadings, FinalVerdict]]:
    """The final verdicts of the judged days."""
    judged = [day for day in case.plant.days if day.day in case.plant.verdicts]
    if not judged:
        return []
    last = judged[-1].day
    verdicts = reviewed_days(case)
    by_day = _by_day(flags_over(case, verdicts), judged[0].day, last)
    return [(day, climb(day.day, verdicts[day.day], by_day.get(day.day, ()), last)) for day in judged]


def reviewed_days(case: Case) -> dict[int, DayVerdict]:
    given = case.plant.verdicts
    unbroken = {day for day, verdict in given.items() if not any_of(verdict.findings, PHYSICS)}
    asked = [(one, balance(case, unbroken, one.witness.expected_ppm, one.witness.known, False)) for one in case.heard]
    verdicts = {}
    for place, day in enumerate(case.plant.days):
        if day.day not in given:
            continue
        verdict = _reviewed(case, place, given[day.day], asked)
        shift = case.hours.get(day.day, 0)
        found = [*verdict.findings, *([Finding("clock_shift", 0, -shift)] if shift else [])]
        verdicts[day.day] = _with(verdict, found) if shift else verdict
    return verdicts


def _expected(device: DeviceFacts, profile: Profile, series: Series) -> tuple[Ints, Flags]:
    if profile.model is None:
        return np.zeros(len(series.times), dtype=np.int64), np.zeros(len(series.times), dtype=np.bool_)
    if isinstance(profile.model, WindCurve):
        return wind.expected(profile.model, series)
    sun = solar.sun_of_days(device, (series.times[:: device.slots] - profile.lag_s).tolist())
    expected, known = solar.expected(device, profile.model, series, sun)
    return expected, known


def _clock(plant: Plant, grid: Grid, sources: Sequence[Climate]) -> tuple[Ints, dict[int, int]]:
    """Each day's lag for comparison with independent climate, and the whole hours of it that its logger is off."""
    if plant.device.technology != "wind":
        return np.zeros(len(grid.days), dtype=np.int64), {}
    days = grid.days.tolist()
    commissioned = plant.to_s // DAY_S
    series = grid.series
    lags, hours = wind_clock.lags_of(
        days, plant.seams, series.power_ppm, series.times, plant.device.slots, sources, commissioned
    )
    return lags, dict(zip(days, hours.tolist(), strict=True))


def _witnesses(
    plant: Plant,
    grid: Grid,
    others: Sequence[tuple[Plant, Grid]],
    sources: Sequence[Climate],
    lags: Ints,
) -> list[Witness]:
    times, power, window = grid.series.times, grid.series.power_ppm, grid.commissioning
    told = [
        neighbours.heard(other.device, other.days, other.verdicts, seen.expected_ppm, times) for other, seen in others
    ]
    found = [neighbours.witness(times, power, window, told)] if told else []
    if sources and plant.device.technology == "wind":
        moved = times + np.repeat(lags, plant.device.slots)
        found.append(climate.witness(moved, power, window, sources))
    return [witness for witness in found if witness is not None]


def _light(plant: Plant, grid: Grid, skies: Sequence[Light], limits: Mapping[str, Limits]) -> list[Spoken]:
    """What sources of light say of a solar plant, over all intervals and over those of normal operation."""
    model = plant.profile.model
    if not skies or not isinstance(model, SolarYield):
        return []
    said = light.witness(plant.device, model, grid.series, grid.commissioning, plant.profile.lag_s, skies)
    if said is None:
        return []
    whole = _widened(limits["sky"], plant, grid, said.expected_ppm, said.known)
    level_ppm, ran = _level(plant, _seen_by(grid, said))
    usual = limits["running sky"]
    return [Spoken(said, whole, windows.widened_running(usual, ran) if ran else usual, level_ppm)]


def _seen_by(grid: Grid, witness: Witness) -> Grid:
    """The grid with what the witness let expect in place of the plant's own weather."""
    return replace(grid, expected_ppm=witness.expected_ppm, known=witness.known)


def _level(plant: Plant, grid: Grid) -> tuple[int, Balance | None]:
    """What the plant claimed by what was expected in normal operation of its commissioning, ppm, and that at its level;
    None without a sound day."""
    slots, days = plant.device.slots, sound_days(plant, grid)
    if not days:
        return 1_000_000, None
    ran = running_over(grid, slots, days[0], days[-1], set(days), 1_000_000)
    expected = int(ran.expected.sum())
    level_ppm = int(ran.claimed.sum()) * 1_000_000 // expected if expected else 1_000_000
    return level_ppm, running_over(grid, slots, days[0], days[-1], set(days), level_ppm)


def balance(case: Case, counting: Collection[int], expected_ppm: Ints, known: Flags, cut: bool = True) -> Balance:
    """Over the judged days, of those in `counting`."""
    judged = case.plant.verdicts
    return _balance_of(case.grid, case.plant.device.slots, min(judged), max(judged), counting, expected_ppm, known, cut)


def running(case: Case, counting: Collection[int]) -> Balance:
    """`balance` of the plant's own weather over normal operation."""
    judged = case.plant.verdicts
    return running_over(case.grid, case.plant.device.slots, min(judged), max(judged), counting, case.own.level_ppm)


def running_over(grid: Grid, slots: int, first: int, last: int, counting: Collection[int], level_ppm: int) -> Balance:
    counted = np.array([day in counting for day in grid.days.tolist()], dtype=np.bool_)
    power_ppm = grid.series.power_ppm
    return windows.running_balance(
        first, last, grid.days, power_ppm, grid.expected_ppm, grid.known, counted, slots, level_ppm
    )


def _balance_of(
    grid: Grid,
    slots: int,
    first: int,
    last: int,
    counting: Collection[int],
    expected_ppm: Ints,
    known: Flags,
    cut: bool,
) -> Balance:
    counted = np.array([day in counting for day in grid.days.tolist()], dtype=np.bool_)
    return windows.balance(first, last, grid.days, grid.series.power_ppm, expected_ppm, known, counted, slots, cut)


def _widened(limits: Limits, plant: Plant, grid: Grid, expected_ppm: Ints, known: Flags) -> Limits:
    """By the sound days of commissioning."""
    slots, days = plant.device.slots, sound_days(plant, grid)
    if not days:
        return limits
    return windows.widened(limits, _balance_of(grid, slots, days[0], days[-1], set(days), expected_ppm, known, True))


def sound_days(plant: Plant, grid: Grid) -> list[int]:
    """Whole days of commissioning in which the baseline found no fault."""
    days: list[int] = grid.days[grid.commissioning.reshape(-1, plant.device.slots).all(axis=1)].tolist()
    return days


def _reviewed(case: Case, place: int, verdict: DayVerdict, asked: Sequence[tuple[Spoken, Balance]]) -> DayVerdict:
    """A day after the witnesses of that day: contradicted, cleared, released, or as it was without its label."""
    day = case.plant.days[place].day
    heard = [(one, balance) for one, balance in asked if balance.counted[day - balance.first]]
    if not heard:
        return verdict
    found = [finding for finding in verdict.findings if finding.code != "single_source"]
    against = []
    for one, balance in heard:
        percent = windows.contradicted(balance, one.limits, day)
        if percent is not None:
            against.append(Finding(one.witness.code, 0, percent, one.limits.share(windows.DAY) // 10_000))
    broken = any_of(found, RELEASABLE)  # then what the model says rests on that sensor
    excused = RELEASABLE | (MODEL if broken else frozenset())
    if not against and any_of(found, excused) and _vouched(case, place, [one for one, _ in heard]):
        found = [structs.replace(finding, info=True) if finding.code in excused else finding for finding in found]
    return _with(verdict, [*found, *against])


def _vouched(case: Case, place: int, heard: Sequence[Spoken]) -> bool:
    """Whether the day fits, if in every interval the kinder of its own weather and its neighbours is believed."""
    profile, slots = case.plant.profile, case.plant.device.slots
    if not any(one.witness.code == neighbours.CODE for one in heard):
        return False
    part = slice(place * slots, (place + 1) * slots)
    expected, known = _kinder(case, heard, part)
    score = scores.score(case.grid.series.power_ppm[part], expected, known, unseen_claims=True)
    return scores.exceeded(score, profile.tolerances, slots) is None


def _kinder(case: Case, heard: Sequence[Spoken], part: slice) -> tuple[Ints, Flags]:
    """Of the intervals in `part`: what own weather or neighbours let expect, whichever is more."""
    grid = case.grid
    expected, known = np.where(grid.known[part], grid.expected_ppm[part], 0), grid.known[part]
    for witness in (one.witness for one in heard if one.witness.code == neighbours.CODE):
        expected = np.where(witness.known[part], np.maximum(expected, witness.expected_ppm[part]), expected)
        known = known | witness.known[part]
    return expected, known


def _with(verdict: DayVerdict, found: Sequence[Finding]) -> DayVerdict:
    outcome = combine(found)
    return structs.replace(
        verdict,
        verdict=outcome,
        reasons=codes(found),
        accepted_wh=verdict.energy_wh if outcome == "accept" else 0,
        findings=tuple(sorted(found, key=lambda finding: (finding.code, finding.at_s, finding.value))),
    )


def flags_over(case: Case, verdicts: Mapping[int, DayVerdict]) -> list[Flag]:
    """Windows over accepted days; a week also counts those that the model or a witness refused.

    A week of x1.2 of which half is refused by the day is still a week of x1.2; a month keeps to what may be certified.
    Days that a neighbour cleared are weighed by what cleared them, since their own sensor was broken.
    """
    standing = {day for day, verdict in verdicts.items() if verdict.verdict == "accept"}
    asked = {day for day, verdict in verdicts.items() if not any_of(verdict.findings, PHYSICS | HOLD - {FROST})}
    cleared = {day for day in asked if any(f.info and f.code in MODEL | HOLD for f in verdicts[day].findings)}
    case = _with_kinder(case, cleared)
    flags: list[Flag] = []
    for one in (said for said in case.heard if said.witness.code == neighbours.CODE):
        over = balance(case, asked, one.witness.expected_ppm, one.witness.known)
        flags += windows.flags_of(over, windows.NEIGHBOUR_LIGHT, (windows.DAY,), neighbours.CODE, lightly=True)
    for days, lengths in ((asked, windows.SHORT), (standing, windows.LONG)):
        for one in case.heard:
            over = balance(case, days, one.witness.expected_ppm, one.witness.known)
            flags += windows.flags_of(over, one.limits, lengths, one.witness.code)
        own = balance(case, days, case.grid.expected_ppm, case.grid.known)
        flags += windows.flags_of(own, case.own.whole, lengths)
    flags += windows.running_flags(running(case, asked), case.own)
    flags += [flag for one in case.heard if one.running for flag in _running_by(case, one, one.running, asked)]
    return [*flags, *windows.ramp_flags(own, case.own.whole)]


def _running_by(case: Case, one: Spoken, limits: Limits, counting: Collection[int]) -> list[Flag]:
    """Normal operation as a witness sees it; as of the plant's own weather, a month's limit refuses lightly."""
    seen, judged = _seen_by(case.grid, one.witness), case.plant.verdicts
    ran = running_over(seen, case.plant.device.slots, min(judged), max(judged), counting, one.level_ppm)
    week = windows.flags_of(ran, limits, windows.SHORT, one.witness.code)
    return week + windows.flags_of(ran, limits, windows.LONG, one.witness.code, lightly=True)


def _with_kinder(case: Case, cleared: Collection[int]) -> Case:
    """The case with the kinder expectation on the days of `cleared`."""
    if not cleared:
        return case
    grid, slots = case.grid, case.plant.device.slots
    expected, known = grid.expected_ppm.copy(), grid.known.copy()
    for place, day in enumerate(grid.days.tolist()):
        if day in cleared:
            part = slice(place * slots, (place + 1) * slots)
            expected[part], known[part] = _kinder(case, case.heard, part)
    return replace(case, grid=replace(grid, expected_ppm=expected, known=known))


def _by_day(flags: Sequence[Flag], first: int, last: int) -> dict[int, list[Flag]]:
    covered: dict[int, list[Flag]] = {}
    for flag in flags:
        for day in range(max(first, flag.end - flag.length + 1), min(last, flag.end) + 1):
            covered.setdefault(day, []).append(flag)
    return covered
