"""The reasons in sentences that a plant owner understands: one general, one with the day's numbers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from verifier.finding import Finding

GENERAL = {
    "bad_number": "Some lines held numbers that are no plain decimals; they were left out.",
    "bad_time": "Some readings had a time that is not on the interval grid; they were left out.",
    "truncated": "Some lines were cut off; they were left out.",
    "duplicate": "Some readings arrived twice; each was counted once.",
    "conflict": "Some intervals have two different readings; the smaller power was counted.",
    "late": "Readings that came after the close of the day were not counted.",
    "gap": "Some intervals have no power reading; they count as no energy.",
    "chain_break": "The chain of signed readings has a missing link.",
    "register_differs": "The readings claim more energy than the meter's own register counted.",
    "clock_shift": "The plant's clock is off by whole hours for weeks; the comparison was aligned to the sun.",
    "clock_unknown": "The plant's clock does not agree with the sun, and no steady shift explains it.",
    "climate_missing": "Too much of the energy comes from intervals without wind or light readings.",
    "climate_dead": "The wind or light sensor reads nothing while the plant runs: it seems to be dead.",
    "climate_stuck": "The wind or light sensor repeats one value for hours: it seems to be stuck.",
    "climate_frost": "It was cold enough to freeze the wind sensor, which then reads less than the wind that blew.",
    "climate_range": "A wind, light or temperature reading is outside what exists outdoors.",
    "climate_replay": "The wind or light readings of this day are a copy of an earlier day.",
    "too_perfect": "Power and weather agree better than any real plant does: one was computed from the other.",
    "baseline_poor": "The commissioning readings do not show how this plant answers to its weather: nothing is proven.",
    "baseline_missing": "The plant has no signed baseline yet.",
    "baseline_range": "The commissioning window has not seen such a sun or such winds, so the day cannot be compared.",
    "over_nameplate": "The plant claims more power than it can give.",
    "night_power": "The plant claims power while the sun is below the horizon.",
    "over_sky": "The light reading is brighter than the sky can be.",
    "night_light": "The light sensor claims light while the sun is below the horizon.",
    "flat": "The power is the same to the last digit for many readings: no weather does that.",
    "power_replay": "The power of this day is a copy of an earlier day.",
    "model_day": "The plant claims more than its weather allows.",
    "time_shift": "The power fits the weather only if the day is shifted by hours.",
    "window_1": "In normal operation the plant ran above its own level on this day; what still waited is refused.",
    "window_7": "Over a week the plant claims more than its weather allows.",
    "window_30": "Over a month the plant claims more than its weather allows.",
    "window_90": "Over a season the plant claims more than its weather allows.",
    "ramp": "The plant yields steadily more than at commissioning, and no event on record explains it.",
    "neighbour": "Neighbouring plants contradict the claim.",
    "reanalysis": "Independent weather data contradict the claim.",
    "single_source": "Power and weather readings come from one owner; nothing independent confirms them.",
}

NUMBERS = {
    "climate_missing": "{value} % of the day's energy has no weather beside it; {limit} % would be let pass.",
    "climate_stuck": "One value was repeated for {value} minutes.",
    "climate_frost": "The day's middle temperature was {value} C.",
    "climate_replay": "It is the weather of {value_day}.",
    "baseline_poor": "On the commissioning days, power and expectation differ by {value} % of the energy.",
    "over_nameplate": "At {at} UTC it claimed {value_power}; its nameplate is {limit_power}.",
    "night_power": "At {at} UTC it claimed {value_power}; by night up to {limit_power} would be let pass.",
    "over_sky": "At {at} UTC it read {value_light}; at most {limit_light} are possible.",
    "night_light": "At {at} UTC it read {value_light}.",
    "flat": "From {at} UTC on it gave {value_power} in {limit} readings.",
    "power_replay": "It is the power of {value_day}.",
    "model_day": "The excess is {value_energy}; up to {limit_energy} would be let pass.",
    "time_shift": "It would fit {value} hours earlier; as claimed, the excess is {limit_energy}.",
    "clock_shift": "The shift is {value_hours} h.",
    "window_1": "It ran {value} % above; up to {limit} % would be let pass.",
    "window_7": "The excess is {value} %; up to {limit} % would be let pass.",
    "window_30": "The excess is {value} %; up to {limit} % would be let pass.",
    "window_90": "The excess is {value} %; up to {limit} % would be let pass.",
    "ramp": "A month's excess has reached {value} %, after {limit} days of excess.",
    "neighbour": "The claim is {value} % above theirs; up to {limit} % would be let pass.",
    "reanalysis": "The claim is {value} % above what they allow; up to {limit} % would be let pass.",
}


def explain(code: str, params: Mapping[str, int] | None = None) -> str:
    """The sentence of a reason code; with `at_s`, `value`, `limit` of its finding also the numbers.

    An unknown code is answered by itself, so that a verdict of a newer verifier can still be shown.
    """
    general = GENERAL.get(code, code)
    numbers = NUMBERS.get(code, "")
    if params is None or not numbers or not params.get("value"):
        return general
    return f"{general} {numbers.format(**_shown(params))}"


def explain_finding(finding: Finding) -> str:
    return explain(finding.code, {"at_s": finding.at_s, "value": finding.value, "limit": finding.limit})


def _shown(params: Mapping[str, int]) -> dict[str, object]:
    value, limit = params.get("value", 0), params.get("limit", 0)
    shown: dict[str, object] = {"value": value, "limit": limit, "value_hours": f"{value // 3_600:+d}"}
    shown["at"] = _moment(params.get("at_s", 0)).strftime("%H:%M")
    shown["value_day"] = _moment(value * 86_400).strftime("%Y-%m-%d") if 0 <= value < 10**6 else ""
    for name, number in (("value", value), ("limit", limit)):
        shown[f"{name}_power"] = _with_unit(number, "W")
        shown[f"{name}_energy"] = _with_unit(number, "Wh")
        shown[f"{name}_light"] = f"{number // 1_000:,} W/m2"
    return shown


def _moment(seconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _with_unit(number: int, unit: str) -> str:
    """Thousands of the unit with one decimal, as plant owners read them: W, kW, MW."""
    for prefix, size in (("M", 10**6), ("k", 10**3)):
        if abs(number) >= size:
            whole, tenth = divmod(abs(number) * 10 // size, 10)
            return f"{'-' if number < 0 else ''}{whole:,}.{tenth} {prefix}{unit}"
    return f"{number} {unit}"
