"""Made plants under every fraud and every fault: what is red, what waits, what passes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from harness.plants import COMMISSIONING, FIRST_DAY, ROOF, TURBINE, baseline, moved_labels, solar_days, wind_days
from msgspec import structs

from verifier.device import INDEPENDENT_CLIMATE, DeviceFacts
from verifier.intake import MISSING, DayReadings
from verifier.physics import NIGHT_PPM
from verifier.profile import Profile, profile_hash, profile_of_days
from verifier.solar import sun_at
from verifier.verdict import DayVerdict, judge_day

WIND_DAYS, SOLAR_DAYS = wind_days(), solar_days()
WIND_BASELINE, SOLAR_BASELINE = baseline(TURBINE, WIND_DAYS), baseline(ROOF, SOLAR_DAYS)
DAY = COMMISSIONING + 6  # the day that gets tampered with

Days = list[DayReadings]


def judge(
    device: DeviceFacts, profile: Profile | None, days: Days, place: int = DAY, day: DayReadings | None = None
) -> DayVerdict:
    judged = day or days[place]
    return judge_day(device, profile, judged.day, judged, days[:place])


def judge_wind(**changes: object) -> DayVerdict:
    return judge(TURBINE, WIND_BASELINE, WIND_DAYS, day=replace(WIND_DAYS[DAY], **changes))  # type: ignore[arg-type]


def judge_solar(**changes: object) -> DayVerdict:
    return judge(ROOF, SOLAR_BASELINE, SOLAR_DAYS, day=replace(SOLAR_DAYS[DAY], **changes))  # type: ignore[arg-type]


def sun_is_down(day: DayReadings, device: DeviceFacts = ROOF) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    times = day.day * 86_400 + np.arange(device.slots, dtype=np.int64) * device.interval_s
    down: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = sun_at(
        times, device.latitude_udeg, device.longitude_udeg
    ).up < -(1 << 28)
    return down


@pytest.mark.parametrize(
    ("device", "profile", "days"), [(TURBINE, WIND_BASELINE, WIND_DAYS), (ROOF, SOLAR_BASELINE, SOLAR_DAYS)]
)
def test_honest_days_are_accepted_whole(device: DeviceFacts, profile: Profile, days: Days) -> None:
    assert profile.fit == ()
    for place in range(COMMISSIONING, len(days)):
        verdict = judge(device, profile, days, place)
        assert verdict.verdict == "accept", verdict.findings
        assert verdict.reasons == ("single_source",)
        assert verdict.accepted_wh == verdict.energy_wh == days[place].energy_wh
        assert verdict.withheld_wh == verdict.refused_wh == 0


def test_independent_climate_takes_the_label_away() -> None:
    device = replace_climate(ROOF)
    verdict = judge(device, baseline(device, SOLAR_DAYS), SOLAR_DAYS)
    assert (verdict.verdict, verdict.reasons) == ("accept", ())


def replace_climate(device: DeviceFacts) -> DeviceFacts:
    fields = {name: getattr(device, name) for name in device.__struct_fields__}
    return DeviceFacts(**(fields | {"climate_source": INDEPENDENT_CLIMATE}))


def test_curtailment_and_outage_are_accepted() -> None:
    assert judge_wind(power_w=WIND_DAYS[DAY].power_w // 3).verdict == "accept"
    assert judge_solar(power_w=np.zeros(96, dtype=np.int64)).verdict == "accept"


def test_a_day_with_gaps_is_accepted_for_what_it_has() -> None:
    power = WIND_DAYS[DAY].power_w.copy()
    power[20:50] = MISSING
    verdict = judge_wind(power_w=power, notes=("gap",))
    assert verdict.verdict == "accept"
    assert verdict.reasons == ("gap", "single_source")
    assert verdict.energy_wh < WIND_DAYS[DAY].energy_wh


# --- contradicted by physics


def test_rejects_power_at_night() -> None:
    day = SOLAR_DAYS[DAY]
    verdict = judge_solar(power_w=np.where(sun_is_down(day), 20_000, day.power_w))
    assert verdict.verdict == "reject"
    assert "night_power" in verdict.reasons
    assert verdict.refused_wh == verdict.energy_wh > day.energy_wh
    assert verdict.accepted_wh == 0


def test_power_at_night_below_one_percent_is_the_meter_idling() -> None:
    day = SOLAR_DAYS[DAY]
    idle = ROOF.nameplate_w * NIGHT_PPM // 1_000_000
    assert judge_solar(power_w=np.where(sun_is_down(day), idle, day.power_w)).verdict == "accept"


def test_rejects_power_above_nameplate() -> None:
    power = WIND_DAYS[DAY].power_w.copy()
    power[7] = TURBINE.nameplate_w * 103 // 100
    verdict = judge_wind(power_w=power)
    assert (verdict.verdict, "over_nameplate" in verdict.reasons) == ("reject", True)
    power[7] = TURBINE.nameplate_w * 1_005 // 1_000
    assert "over_nameplate" not in judge_wind(power_w=power).reasons


@pytest.mark.parametrize("percent", [100, 90, 70])
def test_rejects_an_earlier_day_copied_at_any_scale(percent: int) -> None:
    copied = max(WIND_DAYS[DAY - 20 : DAY], key=lambda day: day.energy_wh if day.power_w.max() < 1_800_000 else 0)
    assert "power_replay" in judge_wind(power_w=copied.power_w * percent // 100).reasons
    verdict = judge_solar(power_w=SOLAR_DAYS[DAY - 9].power_w * percent // 100)
    assert (verdict.verdict, "power_replay" in verdict.reasons) == ("reject", True)


def test_a_day_that_only_resembles_another_is_no_copy() -> None:
    """Clear days of one plant resemble each other to four digits of the cosine."""
    dice = np.random.default_rng(4)
    resembling = SOLAR_DAYS[DAY - 9].power_w * (1_000 + dice.integers(-9, 10, 96)) // 1_000
    assert "power_replay" not in judge_solar(power_w=resembling).reasons


def test_rejects_readings_that_are_equal_to_the_last_digit() -> None:
    power = WIND_DAYS[DAY].power_w.copy()
    power[30:36] = 400_000
    verdict = judge_wind(power_w=power)
    assert (verdict.verdict, "flat" in verdict.reasons) == ("reject", True)
    power[35] += 1
    assert "flat" not in judge_wind(power_w=power).reasons


def test_rejects_a_level_that_comes_back_to_the_last_digit() -> None:
    power = WIND_DAYS[DAY].power_w.copy()
    power[30:33] = power[90:93] = 400_000
    found = [finding for finding in judge_wind(power_w=power).findings if finding.code == "flat"]
    assert [(finding.value, finding.limit) for finding in found] == [(400_000, 6)]
    power[92] += 1  # two alike are chance
    assert "flat" not in judge_wind(power_w=power).reasons


def test_pairs_of_one_level_are_flat_and_pairs_of_many_are_a_coarse_meter() -> None:
    power = WIND_DAYS[DAY].power_w.copy()
    for first in (20, 50, 90):
        power[first : first + 2] = 400_000
    assert "flat" in judge_wind(power_w=power).reasons
    power[120:122] = 500_000
    assert "flat" not in judge_wind(power_w=power).reasons


def test_rejects_a_generator_at_dusk_beside_a_plant_that_is_cut_at_noon() -> None:
    """The day claims less than its weather allows; dusk alone shows it, and only a sensor of the plant knows dusk."""
    day = SOLAR_DAYS[DAY]
    dusk = (day.power_w > 2_000) & (day.power_w < 9_000)
    power = np.where(dusk, day.power_w + 10_000 + np.arange(96) * 3, day.power_w * 7 // 10)
    assert power.sum() < day.power_w.sum()
    assert judge_solar(power_w=power).verdict == "reject"
    guessed = structs.replace(ROOF, climate_source=INDEPENDENT_CLIMATE)
    profile = baseline(guessed, SOLAR_DAYS)
    assert judge(guessed, profile, SOLAR_DAYS, day=replace(day, power_w=power)).verdict == "accept"


def test_rejects_light_brighter_than_the_sky() -> None:
    light = SOLAR_DAYS[DAY].insolation_mwh_m2.copy()
    light[48] = 2_500 * 250
    verdict = judge_solar(insolation_mwh_m2=light)
    assert (verdict.verdict, "over_sky" in verdict.reasons) == ("reject", True)


def test_rejects_light_at_night() -> None:
    day = SOLAR_DAYS[DAY]
    light = np.where(sun_is_down(day), 80 * 250 + np.arange(96) * 7, day.insolation_mwh_m2)
    verdict = judge_solar(insolation_mwh_m2=light)
    assert (verdict.verdict, "night_light" in verdict.reasons) == ("reject", True)


def test_physics_outweighs_a_hold() -> None:
    power = np.where(sun_is_down(SOLAR_DAYS[DAY]), 20_000, SOLAR_DAYS[DAY].power_w)
    verdict = judge(ROOF, None, SOLAR_DAYS, day=replace(SOLAR_DAYS[DAY], power_w=power))
    assert verdict.verdict == "reject"
    assert {"baseline_missing", "night_power"} <= set(verdict.reasons)


# --- contradicted by the model


def test_rejects_a_generator_that_runs_in_calm() -> None:
    days = calm_days()
    power = days[DAY].power_w + np.where(days[DAY].wind_mm_s < 3_500, 100_000 + np.arange(144) * 11, 0)
    assert judge(TURBINE, WIND_BASELINE, days).verdict == "accept"
    verdict = judge(TURBINE, WIND_BASELINE, days, day=replace(days[DAY], power_w=power))
    assert (verdict.verdict, verdict.reasons) == ("reject", ("model_day", "single_source"))


def calm_days() -> Days:
    quiet = replace(
        WIND_DAYS[DAY],
        wind_mm_s=WIND_DAYS[DAY].wind_mm_s.clip(0, 3_000) - np.arange(144) * 3,
        power_w=np.arange(144, dtype=np.int64) % 13,
    )
    return [*WIND_DAYS[:DAY], quiet]


@pytest.mark.parametrize("judge_scaled", [judge_wind, judge_solar])
def test_rejects_power_scaled_by_half(judge_scaled: Callable[..., DayVerdict]) -> None:
    day = WIND_DAYS[DAY] if judge_scaled is judge_wind else SOLAR_DAYS[DAY]
    nameplate_w = TURBINE.nameplate_w if judge_scaled is judge_wind else ROOF.nameplate_w
    jitter = np.arange(len(day.power_w)) % 17
    verdict = judge_scaled(power_w=np.minimum(day.power_w * 3 // 2, nameplate_w - jitter))
    assert verdict.verdict == "reject"
    assert set(verdict.reasons) & {"model_day", "time_shift"}


def test_names_a_day_that_was_shifted_by_hours() -> None:
    verdict = judge_wind(power_w=np.roll(WIND_DAYS[DAY].power_w, 18))
    assert verdict.verdict == "reject"
    assert set(verdict.reasons) & {"model_day", "time_shift"}


# --- broken evidence


def test_holds_a_device_without_a_baseline() -> None:
    verdict = judge(TURBINE, None, WIND_DAYS)
    assert (verdict.verdict, verdict.reasons) == ("hold", ("baseline_missing", "single_source"))
    assert verdict.withheld_wh == verdict.energy_wh
    assert set(verdict.allowed_w) == {-1}


def test_holds_a_baseline_of_too_few_days() -> None:
    short = profile_of_days(ROOF, SOLAR_DAYS[:10], 0, 1)
    assert short.fit == ("baseline_poor",)
    assert judge(ROOF, short, SOLAR_DAYS).verdict == "hold"


def test_holds_a_baseline_whose_climate_is_not_its_own() -> None:
    dice = np.random.default_rng(3)
    mixed = []
    for day in SOLAR_DAYS:
        light = day.insolation_mwh_m2.copy()
        lit = light > 5_000
        light[lit] = dice.permutation(light[lit]) * dice.integers(1, 9, int(lit.sum())) // 8
        mixed.append(replace(day, insolation_mwh_m2=light))
    profile = baseline(ROOF, mixed)
    assert profile.fit == ("baseline_poor",)
    raised = replace(mixed[DAY], power_w=np.minimum(mixed[DAY].power_w * 3 // 2, 100_000 - np.arange(96)))
    verdict = judge(ROOF, profile, mixed, day=raised)
    assert (verdict.verdict, "baseline_poor" in verdict.reasons) == ("hold", True)


def test_holds_wind_that_was_computed_from_the_power() -> None:
    """As in a public record where every reading of 280 kW shows 6.665961 m/s."""
    forged = [
        replace(day, wind_mm_s=3_000 + np.cbrt(day.power_w / 2_000_000 * 9_000**3).astype(np.int64))
        for day in WIND_DAYS
    ]
    profile = baseline(TURBINE, forged)
    assert profile.fit == ("too_perfect",)
    assert judge(TURBINE, profile, forged).verdict == "hold"


def test_holds_ten_days_of_dead_irradiance() -> None:
    dead = [replace(day, insolation_mwh_m2=day.insolation_mwh_m2 * 0) for day in SOLAR_DAYS]
    for place in range(DAY - 5, DAY + 5):
        verdict = judge_day(ROOF, SOLAR_BASELINE, dead[place].day, dead[place], SOLAR_DAYS[: DAY - 5])
        assert (verdict.verdict, "climate_dead" in verdict.reasons) == ("hold", True)


def test_holds_a_dead_anemometer() -> None:
    verdict = judge_wind(wind_mm_s=np.zeros(144, dtype=np.int64))
    assert (verdict.verdict, "climate_dead" in verdict.reasons) == ("hold", True)


def test_an_hour_of_nacelle_wind_at_zero_is_calm() -> None:
    days = calm_days()
    wind = days[DAY].wind_mm_s.copy()
    wind[40:60] = 0
    assert judge(TURBINE, WIND_BASELINE, days, day=replace(days[DAY], wind_mm_s=wind)).verdict == "accept"


def test_holds_a_sensor_that_is_stuck_day_and_night() -> None:
    verdict = judge_solar(insolation_mwh_m2=np.full(96, 40 * 250, dtype=np.int64))
    assert verdict.verdict == "hold"
    assert "climate_stuck" in verdict.reasons
    assert "night_light" not in verdict.reasons


def test_a_sensor_that_sticks_only_in_the_dark_is_remarked() -> None:
    day = SOLAR_DAYS[DAY]
    verdict = judge_solar(insolation_mwh_m2=np.where(sun_is_down(day), 70 * 250, day.insolation_mwh_m2))
    assert (verdict.verdict, verdict.reasons) == ("accept", ("climate_stuck", "single_source"))


def test_holds_missing_climate() -> None:
    day = WIND_DAYS[DAY]
    wind = np.where(day.power_w > np.sort(day.power_w)[120], MISSING, day.wind_mm_s)
    verdict = judge_wind(wind_mm_s=wind)
    assert (verdict.verdict, "climate_missing" in verdict.reasons) == ("hold", True)


def test_a_few_readings_without_climate_are_accepted() -> None:
    wind = WIND_DAYS[DAY].wind_mm_s.copy()
    wind[::20] = MISSING
    assert judge_wind(wind_mm_s=wind).verdict == "accept"


def test_holds_three_days_filled_with_copies() -> None:
    days = [*SOLAR_DAYS[:DAY]]
    for place in range(DAY, DAY + 3):
        copied = replace(SOLAR_DAYS[place], insolation_mwh_m2=days[-1].insolation_mwh_m2)
        verdict = judge(ROOF, SOLAR_BASELINE, days, day=copied)
        assert (verdict.verdict, "climate_replay" in verdict.reasons) == ("hold", True)
        days.append(copied)


def test_holds_wind_that_cannot_be() -> None:
    verdict = judge_wind(wind_mm_s=np.full(144, 90_000, dtype=np.int64) + np.arange(144))
    assert (verdict.verdict, "climate_range" in verdict.reasons) == ("hold", True)


def test_a_broken_thermometer_is_remarked_only() -> None:
    verdict = judge_wind(temperature_centi_c=np.full(144, -27_320, dtype=np.int64))
    assert (verdict.verdict, verdict.reasons) == ("accept", ("climate_range", "single_source"))


def test_holds_days_whose_sun_the_baseline_never_saw() -> None:
    winter = solar_days(count=1, first=FIRST_DAY + 150)
    verdict = judge_day(ROOF, SOLAR_BASELINE, winter[0].day, winter[0], [])
    assert (verdict.verdict, "baseline_range" in verdict.reasons) == ("hold", True)


def test_hourly_light_interpolated_to_quarters_is_no_fault() -> None:
    def hourly(day: DayReadings) -> DayReadings:
        corners = np.arange(0, 96, 4)
        return replace(
            day, insolation_mwh_m2=np.interp(np.arange(96), corners, day.insolation_mwh_m2[corners]).astype(np.int64)
        )

    days = [hourly(day) for day in SOLAR_DAYS]
    profile = baseline(ROOF, days)
    assert profile.fit == ()
    assert {judge(ROOF, profile, days, place).verdict for place in range(COMMISSIONING, len(days))} == {"accept"}


# --- the clock


def test_a_logger_on_daylight_saving_is_aligned_and_never_rejected() -> None:
    honest = solar_days(count=80, first=FIRST_DAY - 70)  # into summer, so that no day leaves the baseline's sun
    summer = honest[:COMMISSIONING] + moved_labels(ROOF, honest, 1)[COMMISSIONING:]
    verdicts = [judge(ROOF, baseline(ROOF, honest), summer, place) for place in range(COMMISSIONING, 80)]
    assert "reject" not in {verdict.verdict for verdict in verdicts}
    later = verdicts[21:]
    assert {verdict.verdict for verdict in later} == {"accept"}
    assert any("clock_shift" in verdict.reasons for verdict in later)


def test_a_clock_that_was_wrong_from_the_start_is_aligned_in_the_baseline() -> None:
    late = moved_labels(ROOF, SOLAR_DAYS, 2)
    profile = baseline(ROOF, late)
    assert profile.lag_s == 7_200
    assert profile.fit == ()
    assert {judge(ROOF, profile, late, place).verdict for place in range(COMMISSIONING, 44)} == {"accept"}


def test_holds_everything_where_the_clock_fits_no_sun() -> None:
    wild = moved_labels(ROOF, SOLAR_DAYS, 9)
    profile = baseline(ROOF, wild)
    assert "clock_unknown" in profile.fit
    assert judge(ROOF, profile, wild).verdict == "hold"


def test_one_shifted_night_is_no_clock() -> None:
    power = np.roll(SOLAR_DAYS[DAY].power_w, 6 * 4)
    assert judge_solar(power_w=power).verdict == "reject"


# --- the baseline


def test_fraud_inside_the_commissioning_window_is_left_out_and_named() -> None:
    days = list(SOLAR_DAYS[:COMMISSIONING])
    days[5] = replace(days[5], power_w=np.where(sun_is_down(days[5]), 20_000, days[5].power_w))
    days[9] = replace(days[9], power_w=days[8].power_w)
    profile = profile_of_days(ROOF, days, 0, 1)
    named = {day.day - FIRST_DAY: set(day.codes) for day in profile.days_excluded}
    assert "night_power" in named[5]
    assert "power_replay" in named[9]
    assert profile.days_used == COMMISSIONING - 2


def test_profile_hash_changes_with_any_reading_that_changes_the_fit() -> None:
    days = list(WIND_DAYS)
    days[3] = replace(days[3], power_w=days[3].power_w * 99 // 100)
    assert profile_hash(baseline(TURBINE, days)) != profile_hash(WIND_BASELINE)
    assert profile_hash(baseline(TURBINE, list(WIND_DAYS))) == profile_hash(WIND_BASELINE)


def test_outages_do_not_lower_the_curve() -> None:
    days = list(WIND_DAYS)
    for place in (4, 11, 17):
        days[place] = replace(days[place], power_w=days[place].power_w // 20)
    profile = baseline(TURBINE, days)
    assert judge(TURBINE, profile, days).verdict == "accept"
    assert judge(TURBINE, profile, days).expected_wh * 100 >= judge(TURBINE, WIND_BASELINE, WIND_DAYS).expected_wh * 97
