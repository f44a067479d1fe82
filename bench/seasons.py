"""Fraud over days and seasons on a real plant: which days are tampered with, and what is certified in the end."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.fraud import Fraud, Scene, grown, idle_diesel, joint_replay, joint_scale, replayed, scaled
from verifier.finished import Case, conclude, own_limits
from verifier.intake import series_of
from verifier.verdict import HISTORY_DAYS, judge_day
from verifier.windows import LIMITS, Limits

RAMP_PPM = 1_000  # +0.1 % a day


@dataclass(frozen=True)
class Tally:
    """Wh of excess over the truth, of it certified, and what happened to the honest days beside."""

    excess_wh: int
    passed_wh: int
    days: int
    stopped: int
    beside_wh: int
    beside_accepted_wh: int
    true_wh: int

    @property
    def blocked(self) -> float | None:
        return 100 * (1 - self.passed_wh / self.excess_wh) if self.excess_wh else None


def tally(parts: Sequence[Tally]) -> Tally:
    names = Tally.__dataclass_fields__
    return Tally(*(sum(getattr(part, name) for part in parts) for name in names))


@dataclass(frozen=True)
class Sustained:
    fraud: Fraud
    days: int
    only: str = ""  # the witness that is left when the whole farm is tampered with alike


SUSTAINED: dict[str, Sustained] = {
    "x1.05, 90 d": Sustained(scaled(105), 90),
    "x1.1, 30 d": Sustained(scaled(110), 30),
    "x1.1, 90 d": Sustained(scaled(110), 90),
    "x1.2, 7 d": Sustained(scaled(120), 7),
    "x1.2, 30 d": Sustained(scaled(120), 30),
    "x1.5, 30 d": Sustained(scaled(150), 30),
    "idle diesel 2 %, 30 d": Sustained(idle_diesel(2), 30),
    "daily replay 2 % noise, 30 d": Sustained(replayed(0.02), 30),
    "joint x1.3, 30 d": Sustained(joint_scale(130), 30),
    "joint x1.3, 90 d": Sustained(joint_scale(130), 90),
    "joint x1.3, 30 d, whole farm": Sustained(joint_scale(130), 30, "reanalysis"),
    "joint replay, 30 d": Sustained(joint_replay, 30),
}


def single_days(case: Case, fraud: Fraud, every: int, dice: np.random.Generator) -> Iterator[Tally]:
    judged = [day.day for day in case.plant.days if day.day in case.plant.verdicts]
    honest = accepted(case)
    for day in judged[every // 2 :: every]:
        yield measured(case, fraud, [day], dice, honest)


def spans(case: Case, one: Sustained, dice: np.random.Generator, count: int = 3) -> Iterator[Tally]:
    """`count` spans of consecutive judged days, spread over the record."""
    judged = [day.day for day in case.plant.days if day.day in case.plant.verdicts]
    if len(judged) < one.days:
        return
    if one.only:
        case = replace(case, heard=[said for said in case.heard if said.witness.code == one.only])
        if not case.heard:
            return
    honest = accepted(case)
    places = sorted({(len(judged) - one.days) * place // max(1, count - 1) for place in range(count)})
    for place in places:
        yield measured(case, one.fraud, judged[place : place + one.days], dice, honest)


def ramp(case: Case, dice: np.random.Generator) -> Tally:
    """From the first judged day to the last."""
    judged = [day.day for day in case.plant.days if day.day in case.plant.verdicts]
    fraud = grown(lambda day: 1_000_000 + RAMP_PPM * (day - judged[0]))
    return measured(case, fraud, judged, dice, accepted(case))


def accepted(case: Case) -> dict[int, int]:
    return {day.day: verdict.accepted_wh for day, verdict in conclude(case)}


def measured(
    case: Case, fraud: Fraud, days: Sequence[int], dice: np.random.Generator, honest: Mapping[int, int]
) -> Tally:
    """`honest`: what every day is certified for when nobody cheats."""
    chosen = frozenset(days)
    true = {day.day: day.energy_wh for day in case.plant.days}
    tampered = with_fraud(case, fraud, chosen, dice)
    made = {now.day: now for now, was in zip(tampered.plant.days, case.plant.days, strict=True) if now is not was}
    final = {day.day: verdict for day, verdict in conclude(tampered)}
    beside = [day for day in honest if day not in chosen]
    return Tally(
        excess_wh=sum(max(0, made[day].energy_wh - true[day]) for day in made),
        passed_wh=sum(max(0, final[day].accepted_wh - true[day]) for day in made),
        days=len(made),
        stopped=sum(final[day].verdict != "accept" for day in made),
        beside_wh=sum(honest[day] for day in beside),
        beside_accepted_wh=sum(min(honest[day], final[day].accepted_wh) for day in beside),
        true_wh=sum(true[day] for day in made),
    )


def with_fraud(case: Case, fraud: Fraud, chosen: Collection[int], dice: np.random.Generator) -> Case:
    """The case as it would stand if `chosen` days had been tampered with: readings, verdicts, sums."""
    plant, grid, slots = case.plant, case.grid, case.plant.device.slots
    device = plant.device
    days, verdicts = list(plant.days), dict(plant.verdicts)
    power, expected, known = grid.series.power_ppm.copy(), grid.expected_ppm.copy(), grid.known.copy()
    for place, day in enumerate(plant.days):
        if day.day not in chosen:
            continue
        honest_before = plant.days[max(0, place - HISTORY_DAYS) : place]
        made = fraud(Scene(device, plant.profile, day, honest_before, dice))
        if made is None:
            continue
        days[place] = made
        verdict = judge_day(device, plant.profile, day.day, made, days[max(0, place - HISTORY_DAYS) : place])
        verdicts[day.day] = verdict
        part = slice(place * slots, (place + 1) * slots)
        power[part] = series_of(device, [made]).power_ppm
        watts = np.array(verdict.expected_w, dtype=np.int64)
        known[part] = watts >= 0
        expected[part] = np.maximum(watts, 0) * 1_000_000 // device.nameplate_w
    return replace(
        case,
        plant=replace(plant, days=days, verdicts=verdicts),
        grid=replace(grid, series=replace(grid.series, power_ppm=power), expected_ppm=expected, known=known),
    )


def with_limits(case: Case, limits: Mapping[str, Limits]) -> Case:
    """The same case under limits that other sites set; where they say nothing, its own stay."""
    heard = [replace(said, limits=limits.get(said.witness.code, said.limits)) for said in case.heard]
    return replace(case, heard=heard, own=own_limits(case.plant, case.grid, {**LIMITS, **limits}))
