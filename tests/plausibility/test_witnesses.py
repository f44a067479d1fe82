"""Neighbours and independent climate: what they clear, what they contradict, and what they never do."""

import gzip
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from harness.farm import DAYS, beside, final, hourly, plant
from harness.plants import COMMISSIONING, FIRST_DAY, TURBINE, entries, wind_days
from harness.shared import shared_folder

from verifier.climate import Climate, parse_climate, wind_at
from verifier.file_run import Records, Run
from verifier.finished import conclude
from verifier.intake import MISSING, Columns, DayReadings, Ints, columns_of
from verifier.reading import Reading
from verifier.wind_clock import lags_of, seam_of

PLACE = 50  # the day that is looked at


def changed(place: int, **fields: Ints) -> list[DayReadings]:
    return [replace(day, **fields) if n == place else day for n, day in enumerate(DAYS)]  # type: ignore[arg-type]


def forged(days: Sequence[DayReadings], factor: float, places: Sequence[int]) -> list[DayReadings]:
    """Power raised, and the wind with it, by the cube law that both follow."""
    chosen = set(places)
    return [
        replace(
            day,
            power_w=np.minimum((day.power_w * factor).astype(np.int64), 1_990_000),
            wind_mm_s=(3_000 + (day.wind_mm_s - 3_000) * factor ** (1 / 3)).astype(np.int64),
        )
        if place in chosen
        else day
        for place, day in enumerate(days)
    ]


def test_honest_days_beside_an_honest_neighbour_are_accepted_without_the_label() -> None:
    for verdict in final(DAYS).values():
        assert (verdict.verdict, verdict.reasons) == ("accept", ())
        assert verdict.accepted_wh == verdict.energy_wh
        assert verdict.prompt_wh == verdict.energy_wh * 9 // 10
    assert all(verdict.reasons == ("single_source",) for verdict in final(DAYS, others=()).values())


def test_a_neighbour_clears_what_a_frozen_anemometer_accuses() -> None:
    slow = DAYS[PLACE].wind_mm_s * 3 // 4
    assert final(changed(PLACE, wind_mm_s=slow))[PLACE].verdict == "reject"  # at 12 C and more nothing freezes
    frost = changed(PLACE, wind_mm_s=slow, temperature_centi_c=np.full(TURBINE.slots, -150, dtype=np.int64))
    assert final(frost, others=())[PLACE].verdict == "hold"
    cleared = final(frost)[PLACE]
    assert cleared.verdict == "accept"
    assert "model_day" in cleared.reasons


def test_a_neighbour_releases_what_is_held_for_a_dead_anemometer() -> None:
    dead = changed(PLACE, wind_mm_s=np.zeros(TURBINE.slots, dtype=np.int64))
    assert final(dead, others=())[PLACE].verdict == "hold"
    assert final(dead)[PLACE].verdict == "accept"


def test_a_neighbour_clears_no_fraud_of_a_day() -> None:
    cold = {"temperature_centi_c": np.full(TURBINE.slots, -150, dtype=np.int64)}
    lifted = changed(PLACE, power_w=np.minimum(DAYS[PLACE].power_w * 3 // 2, 1_990_000), **cold)
    assert final(lifted)[PLACE].accepted_wh == 0
    shifted = changed(PLACE, power_w=np.roll(DAYS[PLACE].power_w, 36), **cold)
    assert final(shifted)[PLACE].accepted_wh == final(shifted, others=())[PLACE].accepted_wh == 0


def test_power_and_wind_forged_together_are_contradicted_by_the_neighbour() -> None:
    days = forged(DAYS, 1.3, range(40, 70))
    alone, seen = final(days, others=()), final(days)
    assert sum(alone[place].verdict == "accept" for place in range(40, 70)) > 25
    assert all("single_source" in alone[place].reasons for place in range(40, 70))
    refused = [place for place in range(40, 70) if "neighbour" in seen[place].reasons]
    assert len(refused) >= 28
    excess = sum(seen[place].energy_wh - DAYS[place].energy_wh for place in range(40, 70))
    passed = sum(max(0, seen[place].accepted_wh - DAYS[place].energy_wh) for place in range(40, 70))
    assert passed * 20 <= excess


def test_a_neighbour_that_claims_too_much_or_stands_still_accuses_nobody() -> None:
    for factor in (1.4, 0.0):
        liar = [
            replace(day, power_w=np.minimum(day.power_w * factor, 2_000_000).astype(np.int64))
            for day in DAYS[COMMISSIONING:]
        ]
        verdicts = final(DAYS, others=[plant([*beside().days[:COMMISSIONING], *liar])])
        assert {verdict.verdict for verdict in verdicts.values()} == {"accept"}


def test_independent_climate_contradicts_forged_power_and_wind_and_takes_the_label_away() -> None:
    days = forged(DAYS, 1.5, range(40, 70))
    seen = final(days, others=(), climates=[hourly(DAYS)])
    assert sum("reanalysis" in seen[place].reasons for place in range(40, 70)) >= 25
    honest = final(DAYS, others=(), climates=[hourly(DAYS)])
    assert {verdict.verdict for verdict in honest.values()} == {"accept"}
    assert {verdict.reasons for verdict in honest.values()} == {()}


def test_prompt_energy_depends_on_nothing_later_than_a_week() -> None:
    days = [
        replace(day, power_w=np.minimum(day.power_w * (11 if n > 45 else 10) // 10, 1_990_000))
        for n, day in enumerate(DAYS)
    ]
    whole = final(days)
    for cut in (52, 60):
        shorter = final(days[:cut], others=[replace(beside(), days=beside().days[:cut])])
        for place in range(COMMISSIONING, cut - 7):
            assert shorter[place].prompt_wh == whole[place].prompt_wh


# --- the files


def test_climate_rows_that_are_broken_are_left_out() -> None:
    lines = [
        "timestamp,wind_spd_100m,t2m_k,density",
        "1388534400,8.0,278.4,1.225",
        "x,8.0,278.4,1.225",
        "1388538000,nan,278.4,1.225",
        "1388538000,10.0,278.4,1.225",
        "1388538000,9.0,278.4,1.225",
        "1388541600,8.0",
        "",
    ]
    climate = parse_climate(lines)
    assert climate is not None
    assert climate.times.tolist() == [1_388_534_400, 1_388_538_000]
    assert climate.wind_mm_s.tolist() == [8_000, 9_000]


def test_thin_air_weighs_less() -> None:
    rows = ["timestamp,wind_spd_50m,density", "3600,10.0,1.225", "7200,10.0,1.1"]
    climate = parse_climate(rows)
    assert climate is not None
    standard, thin = climate.wind_mm_s.tolist()
    assert standard == pytest.approx(10_000, abs=5)
    assert thin == pytest.approx(10_000 * (1.1 / 1.225) ** (1 / 3), abs=10)


@pytest.mark.parametrize("lines", [[], [""], ["timestamp,ghi", "3600,5"], ["wind_spd_10m", "5"]], ids=str)
def test_a_file_without_wind_is_no_climate(lines: list[str]) -> None:
    assert parse_climate(lines) is None


def test_wind_between_hours_lies_on_a_line_and_gaps_are_unknown() -> None:
    climate = Climate(np.array([0, 3_600, 20_000]), np.array([1_000, 4_000, 9_000]))
    asked = np.array([-1, 0, 1_200, 3_600, 10_000, 20_001])
    assert wind_at(climate, asked).tolist() == [MISSING, 1_000, 2_000, MISSING, MISSING, MISSING]


# --- the clock of a wind plant


def day_of(labels: Sequence[int]) -> Columns:
    return columns_of([Reading(86_400 * 100 + 600 * label, 1_000 + n) for n, label in enumerate(labels)])


def test_a_doubled_and_a_missing_hour_are_seams_and_other_gaps_are_not() -> None:
    whole = list(range(144))
    assert seam_of(day_of(whole), 600) == 0
    assert seam_of(day_of([*whole[:12], *whole[6:]]), 600) == 3_600
    assert seam_of(day_of([*whole[:6], *whole[12:]]), 600) == -3_600
    assert seam_of(day_of([*whole[:6], *whole[13:]]), 600) == 0
    assert seam_of(day_of([*whole[:12], *whole[10:]]), 600) == 0


def test_a_logger_that_moves_by_an_hour_without_a_seam_is_believed_after_weeks() -> None:
    days = wind_days(150)
    power = np.concatenate([day.power_w // 2 for day in days])
    times = FIRST_DAY * 86_400 + np.arange(len(power), dtype=np.int64) * 600
    moved = power.copy()
    moved[60 * 144 :] = np.roll(power, -6)[60 * 144 :]
    numbers = [day.day for day in days]
    lags, hours = lags_of(numbers, {}, moved, times, 144, [hourly(days)], FIRST_DAY + 50)
    assert set(hours[:60].tolist()) == {0}
    assert set(hours[-20:].tolist()) == {3_600}
    assert abs(int(lags[0])) <= 600


def test_a_missing_hour_alone_is_an_outage() -> None:
    days = wind_days(40)
    power = np.concatenate([day.power_w for day in days])
    times = FIRST_DAY * 86_400 + np.arange(len(power), dtype=np.int64) * 600
    numbers = [day.day for day in days]
    assert set(lags_of(numbers, {FIRST_DAY + 9: -3_600}, power, times, 144, [], 0)[1].tolist()) == {0}
    both = {FIRST_DAY + 9: 3_600, FIRST_DAY + 20: -3_600}
    hours = lags_of(numbers, both, power, times, 144, [], 0)[1].tolist()
    assert hours == [0] * 9 + [3_600] * 11 + [0] * 20


def test_the_farm_of_la_haute_borne_is_read_on_its_own_clock() -> None:
    folder = shared_folder("data")
    names = ("r80711", "r80721", "r80736")
    filled = Records()
    for name in names:
        filled.add_csv(gzip.decompress((folder / f"wind_lhb_{name}_2014.csv.gz").read_bytes()))
    climates = {
        name: climate
        for name in ("oracle_lhb_era5_2014.csv.gz", "oracle_lhb_merra2_2014.csv.gz")
        if (climate := parse_climate(text_of(folder / name))) is not None
    }
    run = Run([entries(folder)[f"LHB-{name.upper()}"] for name in names], filled, climates)
    change = (date(2014, 10, 26) - date(1970, 1, 1)).days
    shares = []
    for name in names:
        judged = conclude(run.case(f"LHB-{name.upper()}"))
        assert all(("clock_shift" in verdict.reasons) == (day.day < change) for day, verdict in judged)
        assert not any("single_source" in verdict.reasons for _, verdict in judged)
        energy_wh = sum(verdict.energy_wh for _, verdict in judged)
        shares.append(100 * sum(verdict.accepted_wh for _, verdict in judged) / energy_wh)
    assert min(shares) >= 97.5
    # Over all open plants the mean is 99.1 (docs/VERIFIER.md); here one day of ice on all three waits for a witness.
    assert sum(shares) / len(shares) >= 98.4


def text_of(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().split("\n")
