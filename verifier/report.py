"""Verdicts of a file run as plain values: the JSON lines of `wattest verify` and its totals."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from verifier.file_run import DeviceEntry
from verifier.intake import DayReadings
from verifier.ladder import FinalVerdict
from verifier.profile import NamedDay, Profile, profile_hash

Judged = Sequence[tuple[DayReadings, FinalVerdict]]


def day_line(entry: DeviceEntry, day: DayReadings, verdict: FinalVerdict) -> dict[str, Any]:
    """One day after every window: `prompt_wh` is the part of `accepted_wh` that was certifiable a week later."""
    return {
        "device": entry.id,
        "day": day_text(day.day),
        "verdict": verdict.verdict,
        "energy_wh": verdict.energy_wh,
        "accepted_wh": verdict.accepted_wh,
        "prompt_wh": verdict.prompt_wh,
        "withheld_wh": verdict.withheld_wh,
        "refused_wh": verdict.refused_wh,
        "reasons": list(verdict.reasons),
    }


def summary_line(entry: DeviceEntry, profile: Profile, judged: Judged) -> dict[str, Any]:
    verdicts = [verdict for _, verdict in judged]
    counts = {name: sum(v.verdict == name for v in verdicts) for name in ("accept", "hold", "reject")}
    return {
        "device": entry.id,
        "summary": {
            "days": len(verdicts),
            **counts,
            "energy_wh": sum(v.energy_wh for v in verdicts),
            "accepted_wh": sum(v.accepted_wh for v in verdicts),
            "prompt_wh": sum(v.prompt_wh for v in verdicts),
            "withheld_wh": sum(v.withheld_wh for v in verdicts),
            "refused_wh": sum(v.refused_wh for v in verdicts),
        },
        "baseline": {
            "from": profile.from_s,
            "to": profile.to_s,
            "days_used": profile.days_used,
            "days_excluded": _named(profile.days_excluded),
            "days_noted": _named(profile.days_noted),
            "profile_hash": profile_hash(profile).hex(),
        },
    }


def day_text(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m-%d")


def _named(days: Sequence[NamedDay]) -> dict[str, list[str]]:
    return {day_text(named.day): list(named.codes) for named in days}
