"""Fraud on real days: each function makes a tampered day from an honest one, with the device's own resolution.

The classes are those that verifiers of generation are measured on: generators in calm or dark, scaling, copies of good
days, shifts, flat blocks, peaks, and climate forged together with the power. Power is cut at nameplate, where the top
readings keep their jitter, unless the peak is the fraud.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from state.units import DAY_S
from verifier.device import DeviceFacts
from verifier.intake import MISSING, DayReadings
from verifier.profile import Profile
from verifier.solar import sun_at
from verifier.wind import WindCurve

Array = npt.NDArray[np.int64]
CALM_MM_S = 3_500


@dataclass(frozen=True, eq=False)
class Scene:
    """What a cheat has at hand: the true day, the days before it, the plant, its baseline and a seeded dice."""

    device: DeviceFacts
    profile: Profile
    day: DayReadings
    before: Sequence[DayReadings]
    dice: np.random.Generator

    @property
    def true_w(self) -> Array:
        return self.day.watts


Fraud = Callable[[Scene], DayReadings | None]


def idle_diesel(percent: float) -> Fraud:
    """A generator at a share of nameplate with 1.5 % ripple while the sun is down or the wind is weak."""

    def make(scene: Scene) -> DayReadings | None:
        return _with_power(scene, scene.true_w + _generator(scene, percent) * _idle(scene))

    return make


def busy_diesel(percent: float) -> Fraud:
    def make(scene: Scene) -> DayReadings | None:
        busy = scene.true_w * 50 > scene.device.nameplate_w
        return _with_power(scene, scene.true_w + _generator(scene, percent) * busy)

    return make


def scaled(percent: int) -> Fraud:
    return grown(lambda _: percent * 10_000)


def grown(ppm_of_day: Callable[[int], int]) -> Fraud:
    """Power times a factor (ppm) of the day's number."""

    def make(scene: Scene) -> DayReadings | None:
        return _with_power(scene, scene.true_w * ppm_of_day(scene.day.day) // 1_000_000)

    return make


def replayed(noise: float) -> Fraud:
    """One of the five best days of the last thirty."""

    def make(scene: Scene) -> DayReadings | None:
        best = sorted(scene.before[-30:], key=lambda day: -day.energy_wh)[:5]
        if not best:
            return None
        copied = best[int(scene.dice.integers(len(best)))].watts
        return _with_power(scene, _noisy(scene, copied, noise))

    return make


def shifted(hours: int) -> Fraud:
    def make(scene: Scene) -> DayReadings | None:
        return _with_power(scene, np.roll(scene.true_w, hours * 3_600 // scene.device.interval_s))

    return make


def flat(noise: float) -> Fraud:
    """60 % of nameplate for eight hours: round noon for solar, anywhere for wind."""

    def make(scene: Scene) -> DayReadings | None:
        slots = 8 * 3_600 // scene.device.interval_s
        power = scene.true_w.copy()
        start = _noon_slot(scene) - slots // 2 if scene.device.technology == "solar" else int(scene.dice.integers(200))
        block = (start + np.arange(slots)) % scene.device.slots
        level = np.full(slots, scene.device.nameplate_w * 60 // 100, dtype=np.int64)
        power[block] = np.maximum(power[block], _noisy(scene, level, noise))
        return _with_power(scene, power)

    return make


def peak(scene: Scene) -> DayReadings | None:
    """1.3 nameplate for an hour."""
    power = scene.true_w.copy()
    slots = 3_600 // scene.device.interval_s
    start = int(np.argmax(power[:-slots]))
    power[start : start + slots] = scene.device.nameplate_w * 13 // 10
    return replace(scene.day, power_w=_shown(scene, power))


def joint_scale(percent: int) -> Fraud:
    """Power scaled, and the plant's own sensor forged to agree: wind read off its curve, light scaled alike."""

    def make(scene: Scene) -> DayReadings | None:
        power = np.minimum(scene.true_w * percent // 100, scene.device.nameplate_w)
        if scene.device.technology == "solar":
            light = np.where(
                scene.day.insolation_mwh_m2 == MISSING, MISSING, scene.day.insolation_mwh_m2 * percent // 100
            )
            return replace(scene.day, power_w=_shown(scene, power), insolation_mwh_m2=light)
        assert isinstance(scene.profile.model, WindCurve)
        curve = np.maximum.accumulate(np.array(scene.profile.model.power_ppm))
        wind = np.searchsorted(curve, power * 1_000_000 // scene.device.nameplate_w) * 500 + 250
        forged = np.where(power * 100 > scene.device.nameplate_w, np.maximum(wind, scene.day.wind_mm_s), 0)
        forged = np.where(power * 100 > scene.device.nameplate_w, forged, scene.day.wind_mm_s)
        return replace(scene.day, power_w=_shown(scene, power), wind_mm_s=forged)

    return make


def joint_replay(scene: Scene) -> DayReadings | None:
    """Power and climate of a good day, both with 2 % noise."""
    best = sorted(scene.before[-30:], key=lambda day: -day.energy_wh)[:5]
    if not best:
        return None
    other = best[int(scene.dice.integers(len(best)))]
    wind, light = (
        np.where(values == MISSING, MISSING, _noisy(scene, values, 0.02))
        for values in (other.wind_mm_s, other.insolation_mwh_m2)
    )
    return replace(
        scene.day,
        power_w=_shown(scene, _noisy(scene, other.watts, 0.02)),
        temperature_centi_c=other.temperature_centi_c,
        wind_mm_s=wind,
        insolation_mwh_m2=light,
    )


def joint_evening(scene: Scene) -> DayReadings | None:
    """Solar only: the last lit hours go on for two hours more, light and power alike."""
    if scene.device.technology != "solar":
        return None
    slots = 2 * 3_600 // scene.device.interval_s
    up = _sun_up(scene)
    dark = np.flatnonzero(up[:-1] & ~up[1:])
    if not len(dark):
        return None
    block = (int(dark[0]) + 1 + np.arange(slots)) % scene.device.slots
    power, light = scene.true_w.copy(), scene.day.insolation_mwh_m2.copy()
    power[block] = np.maximum(power[block], int(scene.true_w.max()) * 3 // 10)
    light[block] = np.maximum(light[block], int(light.max()) * 3 // 10)
    return replace(scene.day, power_w=_shown(scene, power), insolation_mwh_m2=light)


CLASSES: dict[str, Fraud] = {
    "1 idle diesel 20 %": idle_diesel(20),
    "1 idle diesel 5 %": idle_diesel(5),
    "1 idle diesel 2 %": idle_diesel(2),
    "1d busy diesel +20 %": busy_diesel(20),
    "1d busy diesel +10 %": busy_diesel(10),
    "2 scale x1.1": scaled(110),
    "2 scale x1.2": scaled(120),
    "2 scale x1.5": scaled(150),
    "3 replay, exact": replayed(0.0),
    "3 replay, 2 % noise": replayed(0.02),
    "4 shift +1 h": shifted(1),
    "4 shift +3 h": shifted(3),
    "4 shift +6 h": shifted(6),
    "5 flat, exact": flat(0.0),
    "5 flat, 1 % noise": flat(0.01),
    "6 above nameplate": peak,
    "7a joint x1.3": joint_scale(130),
    "7b joint replay": joint_replay,
    "7d joint evening": joint_evening,
}


def _with_power(scene: Scene, power: Array) -> DayReadings:
    """Cut at nameplate; cut readings keep the jitter of a plant that runs full."""
    jitter = (scene.dice.normal(0, 0.002, len(power)) * scene.device.nameplate_w).astype(np.int64)
    full = scene.device.nameplate_w - np.abs(jitter)
    return replace(scene.day, power_w=_shown(scene, np.where(power > full, np.maximum(full, scene.true_w), power)))


def _shown(scene: Scene, power: Array) -> Array:
    """In the resolution of the device, and missing or own use where nothing was added."""
    shown = power // _resolution_w(scene.day) * _resolution_w(scene.day)
    return np.where(power == scene.true_w, scene.day.power_w, shown)


def _resolution_w(day: DayReadings) -> int:
    values = np.abs(day.power_w[day.present])
    return max(1, int(np.gcd.reduce(values))) if len(values) else 1


def _generator(scene: Scene, percent: float) -> Array:
    level = scene.device.nameplate_w * percent / 100
    return (level * (1 + 0.015 * scene.dice.standard_normal(scene.device.slots))).astype(np.int64)


def _noisy(scene: Scene, values: Array, noise: float) -> Array:
    if not noise:
        return values
    return (values * (1 + noise * scene.dice.standard_normal(len(values)))).astype(np.int64)


def _idle(scene: Scene) -> npt.NDArray[np.bool_]:
    if scene.device.technology == "solar":
        return ~_sun_up(scene)
    calm: npt.NDArray[np.bool_] = (scene.day.wind_mm_s != MISSING) & (scene.day.wind_mm_s < CALM_MM_S)
    return calm


def _sun_up(scene: Scene) -> npt.NDArray[np.bool_]:
    times = scene.day.day * DAY_S + np.arange(scene.device.slots, dtype=np.int64) * scene.device.interval_s
    sun = sun_at(times, scene.device.latitude_udeg, scene.device.longitude_udeg)
    up: npt.NDArray[np.bool_] = sun.up > 0
    return up


def _noon_slot(scene: Scene) -> int:
    return (DAY_S // 2 - scene.device.longitude_udeg * 240 // 1_000_000) % DAY_S // scene.device.interval_s
