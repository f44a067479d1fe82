"""One reason of a verdict: its code, where in the day it was seen, and the numbers behind it."""

from collections.abc import Iterable

from state.codec import Wire

INFO = frozenset(
    {"bad_number", "bad_time", "truncated", "duplicate", "conflict", "gap", "clock_shift", "single_source"}
)
REGISTER = "register_differs"  # sixteen letters, the most that a reason on the ledger may have
FROST = "climate_frost"
HOLD = frozenset(
    {
        REGISTER,
        "clock_unknown",
        "climate_missing",
        "climate_dead",
        FROST,
        "climate_stuck",
        "climate_range",
        "climate_replay",
        "too_perfect",
        "baseline_poor",
        "baseline_missing",
        "baseline_range",
    }
)
# What a neighbour may vouch for: the plant's sensor is broken, or its baseline has not seen such a day.
RELEASABLE = frozenset(
    {"climate_missing", "climate_dead", "climate_stuck", "climate_range", "climate_replay", FROST, "baseline_range"}
)
PHYSICS = frozenset({"over_nameplate", "night_power", "over_sky", "night_light", "flat", "power_replay"})
WITNESS = frozenset({"neighbour", "reanalysis"})
MODEL = frozenset({"model_day", "time_shift"})
RAMP = "ramp"
WINDOWS = frozenset({"window_1", "window_7", "window_30", "window_90", RAMP})


class Finding(Wire, frozen=True):
    """`value` against `limit` in the unit of the code's sentence; `at_s` is 0 where the whole day is meant.

    `info` marks a fault that the verdict does not depend on, of a code that otherwise holds.
    """

    code: str
    at_s: int = 0
    value: int = 0
    limit: int = 0
    info: bool = False


def by_day(count: int, found: Iterable[tuple[int, Finding]]) -> list[list[Finding]]:
    """What was found in each of `count` days, from pairs of a day's place and a finding."""
    listed: list[list[Finding]] = [[] for _ in range(count)]
    for place, finding in found:
        listed[place].append(finding)
    return listed


def codes(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(sorted({finding.code for finding in findings}))


def any_of(findings: Iterable[Finding], kind: frozenset[str]) -> bool:
    """Whether a finding that counts is of one of these codes."""
    return any(finding.code in kind and not finding.info for finding in findings)
