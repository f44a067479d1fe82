"""What an honest source of light is worth against x1.3 of power and own light together, on a real solar plant.

    python -m bench.light --data DIR [--plant CN1] [--error 20] [--daily 8] [--season 3] [--seed 4]

No independent light is among the open data, so the source is made: the plant's own honest light by the hour, with a
normal error of each hour, one of each day, and a swing over the year, all in percent. The forgery is begun on every
fifteenth day of the record.
"""

import argparse
import gzip
import math
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np

from state.units import DAY_S
from verifier.file_run import DeviceEntry, Records, judge_file_days, parse_devices
from verifier.finished import Plant, case_of, conclude
from verifier.intake import MISSING, DayReadings, Ints, series_of
from verifier.ladder import FinalVerdict
from verifier.light import Light
from verifier.profile import Profile
from verifier.verdict import HISTORY_DAYS, DayVerdict, judge_day
from verifier.windows import LIMITS

HOUR_S = 3_600
FACTOR_PERCENT = 130
EVERY = 15  # days between two beginnings
RAN_PERCENT = 90  # of its weather over the span: less is a plant that was cut or down, where x1.3 may stay below it
YEAR_S = 365 * 86_400
LENGTHS = (30, 90)

Judged = dict[int, DayVerdict]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--plant", default="CN1")
    parser.add_argument("--error", type=int, default=20, help="percent of an hour's light")
    parser.add_argument("--daily", type=int, default=0, help="percent, the same for all hours of a day")
    parser.add_argument("--season", type=int, default=0, help="percent, the height of a wave over the year")
    parser.add_argument("--seed", type=int, default=4)
    chosen = parser.parse_args()
    entries = {entry.id: entry for entry in parse_devices((chosen.data / "devices.json").read_bytes())}
    entry, records = entries[chosen.plant], Records()
    for file in sorted(chosen.data.glob("solar_*.csv.gz")):
        records.add_csv(gzip.decompress(file.read_bytes()))
    days = records.days(entry)
    profile, judged = judge_file_days(entry, records, days)
    honest = {day.day: verdict for day, verdict in judged}
    sky = made_sky(entry, days, profile.lag_s, chosen.error, chosen.seed)
    sky = lasting(sky, chosen.daily, chosen.season, chosen.seed)
    errors = f"{chosen.error} % off by the hour, {chosen.daily} by the day, {chosen.season} by the season"
    print(f"{chosen.plant}, {len(honest)} judged days, a source {errors}")
    for name, skies in (("own light", []), ("the source", [sky])):
        final = finished(entry, profile, days, honest, skies)
        energy_wh = sum(one.energy_wh for one in final.values())
        accepted = 100 * sum(one.accepted_wh for one in final.values()) / energy_wh
        alone = sum("single_source" in one.reasons for one in final.values())
        print(f"  honest, {name:10}  {accepted:5.1f} % accepted, single_source on {alone} days")
    for length in LENGTHS:
        shown: dict[str, list[float]] = {"own light": [], "the source": []}
        ran: list[bool] = []
        for begin in range(min(honest), max(honest) - length + 1, EVERY):
            span = range(begin, begin + length)
            ran.append(given_percent(entry, honest, span) >= RAN_PERCENT)
            claimed = [forged(entry, day) if day.day in span else day for day in days]
            verdicts = {
                day.day: judge_day(entry.facts, profile, day.day, day, claimed[max(0, place - HISTORY_DAYS) : place])
                for place, day in enumerate(claimed)
                if day.day in honest
            }
            for name, skies in (("own light", []), ("the source", [sky])):
                final = finished(entry, profile, claimed, verdicts, skies)
                shown[name].append(blocked(final, {day.day: day.energy_wh for day in days}, span))
        for name, shares in shown.items():
            mean, middle = sum(shares) / len(shares), sorted(shares)[len(shares) // 2]
            running = [share for share, whole in zip(shares, ran, strict=True) if whole]
            print(
                f"  joint x1.3 over {length} days, {name:10}  {mean:5.1f} % of excess blocked in the mean of", end=" "
            )
            print(
                f"{len(shares)} beginnings, {middle:.1f} in the median; where the plant gave {RAN_PERCENT} % of its",
                end=" ",
            )
            print(f"weather or more, {sum(running) / len(running):.1f} in the mean of {len(running)}")


def given_percent(entry: DeviceEntry, honest: Judged, span: range) -> float:
    """What the plant honestly gave by what its own light let expect."""
    told = [honest[day] for day in span if day in honest]
    expected_wh = sum(max(0, watts) for one in told for watts in one.expected_w) * entry.facts.interval_s / HOUR_S
    return 100 * sum(one.energy_wh for one in told) / max(1, expected_wh)


def made_sky(entry: DeviceEntry, days: list[DayReadings], lag_s: int, error: int, seed: int) -> Light:
    series, dice = series_of(entry.facts, days), Random(seed)
    times, slots = series.times - lag_s, HOUR_S // entry.facts.interval_s
    found: list[tuple[int, int, int]] = []
    for start in range(0, len(times), slots):
        light = series.insolation_mwh_m2[start : start + slots]
        if not (light == MISSING).any():
            told = int(max(0, int(light.sum())) * max(0.0, dice.gauss(1, error / 100)))
            found.append((int(times[start]) // HOUR_S * HOUR_S, told, int(series.temperature_centi_c[start])))
    columns: list[Ints] = [np.array(column, dtype=np.int64) for column in zip(*found, strict=True)]
    return Light(HOUR_S, *columns)


def lasting(sky: Light, daily: int, season: int, seed: int) -> Light:
    """The same with errors that last: of a day, and of a season."""
    dice, of_day = Random(seed + 100), dict[int, float]()
    factors = [
        of_day.setdefault(time // DAY_S, 1 + dice.gauss(0, daily / 100))
        * (1 + season / 100 * math.sin(math.tau * time / YEAR_S + seed))
        for time in sky.times.tolist()
    ]
    light = sky.insolation_mwh_m2 * np.maximum(np.array(factors), 0)
    return replace(sky, insolation_mwh_m2=light.astype(np.int64))


def forged(entry: DeviceEntry, day: DayReadings) -> DayReadings:
    most = entry.facts.nameplate_w * 99 // 100
    raised = np.maximum(day.power_w, np.minimum(day.power_w * FACTOR_PERCENT // 100, most))
    light = day.insolation_mwh_m2
    return replace(
        day,
        power_w=np.where(day.present, raised, MISSING),
        insolation_mwh_m2=np.where(light == MISSING, MISSING, light * FACTOR_PERCENT // 100),
    )


def finished(
    entry: DeviceEntry, profile: Profile, days: list[DayReadings], verdicts: Judged, skies: list[Light]
) -> dict[int, FinalVerdict]:
    plant = Plant(entry.facts, profile, entry.from_s, entry.to_s, days, verdicts, {})
    return {day.day: verdict for day, verdict in conclude(case_of(plant, [], [], LIMITS, skies))}


def blocked(final: dict[int, FinalVerdict], true_wh: dict[int, int], span: range) -> float:
    told = [day for day in span if day in final]
    excess = sum(max(0, final[day].energy_wh - true_wh[day]) for day in told)
    return 100 - 100 * sum(max(0, final[day].accepted_wh - true_wh[day]) for day in told) / excess


if __name__ == "__main__":
    main()
