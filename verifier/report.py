"""Verdicts of a file run as plain values: the JSON lines of `wattest verify` and its totals."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from verifier.file_run import DeviceEntry
from verifier.finding import HOLD, MODEL, PHYSICS, WINDOWS, WITNESS
from verifier.intake import DayReadings
from verifier.ladder import FinalVerdict
from verifier.profile import NamedDay, Profile, profile_hash
from verifier.words import explain_finding

COUNTING = HOLD | MODEL | PHYSICS | WINDOWS | WITNESS  # codes that a verdict can rest on
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


def table_lines(entry: DeviceEntry, judged: Judged) -> list[str]:
    """Certified at once, certified or open since, held, refused; then every day that is not accepted, and why."""
    verdicts = [verdict for _, verdict in judged]
    lines = ["", f"{entry.id}  {entry.facts.technology}  {entry.facts.nameplate_w // 1000:,} kW"]
    for name in ("accept", "hold", "reject"):
        chosen = [verdict for verdict in verdicts if verdict.verdict == name]
        energy_wh = sum(verdict.energy_wh for verdict in chosen)
        lines.append(f"  {name:<7}{len(chosen):>5} days {energy_wh // 1000:>14,} kWh")
    prompt_wh = sum(v.prompt_wh for v in verdicts)
    later_wh = sum(v.accepted_wh for v in verdicts) - prompt_wh
    held_wh, refused_wh = sum(v.withheld_wh for v in verdicts), sum(v.refused_wh for v in verdicts)
    lines.append(
        f"  certified within a week {prompt_wh // 1000:,} kWh, later {later_wh // 1000:,} kWh; "
        f"held {held_wh // 1000:,} kWh, refused {refused_wh // 1000:,} kWh"
    )
    open_days = [verdict for verdict in verdicts if verdict.open_until and verdict.verdict == "accept"]
    if open_days:
        review_wh = sum(verdict.accepted_wh - verdict.prompt_wh for verdict in open_days)
        until = day_text(max(verdict.open_until for verdict in open_days))
        lines.append(f"  in review {review_wh // 1000:,} kWh of it, until {until}: windows of 90 days are still open")
    for day, verdict in judged:
        if verdict.verdict != "accept":
            lines.append(f"  {day_text(day.day)}  {verdict.verdict}  {verdict.energy_wh // 1000:,} kWh")
            told = [found for found in verdict.findings if not found.info and found.code in COUNTING]
            lines += [f"      {explain_finding(finding)}" for finding in told]
    return lines


def day_text(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m-%d")


def _named(days: Sequence[NamedDay]) -> dict[str, list[str]]:
    return {day_text(named.day): list(named.codes) for named in days}
