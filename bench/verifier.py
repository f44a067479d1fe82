"""How much honest energy the verifier certifies and how much fraud it stops, on real plants.

    python -m bench.verifier --data DIR [--every N] [--spans N] [--seed N] [--json] [--only DEVICE ...]

DIR holds devices.json, the readings files it names and their independent climate. Single-day classes tamper with every
Nth day, one at a time, sustained ones with spans of days; each time the whole finished run is concluded anew. Excess is
claimed above true energy, blocked = 1 - sum max(0, accepted - true) / sum excess, per device, then the mean.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.fraud import CLASSES
from bench.seasons import SUSTAINED, ramp, single_days, spans, tally, with_limits
from verifier import health
from verifier.batch import lines_of, text_of
from verifier.climate import Climate, parse_climate
from verifier.file_run import DeviceEntry, Records, Run, parse_devices
from verifier.finished import Case, balance, conclude, running, running_over, sound_days
from verifier.windows import (
    LENGTHS,
    PASSING_PERCENT,
    RESERVE_PERCENT,
    RUNNING_LIMITS,
    SHORT,
    Balance,
    Limits,
    exceedances,
    rises,
)

DAMAGED = frozenset({"CN3"})  # its record is no honest one: reported, never averaged
ALONE = {"x1.1, 30 d", "x1.1, 90 d", "x1.2, 7 d", "x1.2, 30 d"}  # measured again under limits of other sites
WEEK = 7
LIGHT_PPM = 50_000  # by which daily totals of a pyranometer may be off (WMO Guide No. 8, "good quality")
OTHERS_PERCENT = 150  # of the highest honest exceedance of the other sites: three or four sites are few
STEP_PPM = 5_000  # limits of other sites are rounded up to half a percent


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=6, help="tamper with every Nth day")
    parser.add_argument("--spans", type=int, default=3, help="spans of each sustained class")
    parser.add_argument("--seed", type=int, default=20141)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="*", default=[], help="measure fraud on these devices only")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    run, entries = load(options.data)
    cases = {entry.id: run.case(entry.id) for entry in entries}
    honest_cases = {name: case for name, case in cases.items() if name not in DAMAGED}
    report: dict[str, Any] = {name: {"honest": honest(case)} for name, case in cases.items()}
    for name, case in honest_cases.items():
        if not options.only or name in options.only:
            report[name] |= measure(case, options.every, options.spans, options.seed)
            elsewhere = with_limits(case, limits_of_others(name, honest_cases))
            report[name]["elsewhere"] = honest(elsewhere) | {
                title: _blocked(
                    list(spans(elsewhere, SUSTAINED[title], np.random.default_rng(options.seed), options.spans))
                )
                for title in sorted(ALONE)
            }
        print(f"{name}: {report[name]['honest']}, {time.monotonic() - started:.0f} s", file=sys.stderr)
    if options.json:
        print(json.dumps({"seed": options.seed, "every": options.every, "devices": report}))
    else:
        print_tables(report)
    print(f"seed {options.seed}, every {options.every} days, {time.monotonic() - started:.0f} s", file=sys.stderr)


def load(folder: Path) -> tuple[Run, list[DeviceEntry]]:
    raw = (folder / "devices.json").read_bytes()
    entries = parse_devices(raw)
    records = Records()
    for name in (name for names in files_of(raw).values() for name in names):
        records.add_csv(text_of((folder / name).read_bytes()))
    names = {name for entry in entries for name in entry.climate if (folder / name).exists()}
    read = {name: parse_climate(lines_of((folder / name).read_bytes())) for name in sorted(names)}
    climates: dict[str, Climate] = {name: climate for name, climate in read.items() if climate is not None}
    return Run(entries, records, climates), entries


def files_of(devices: bytes) -> dict[str, list[str]]:
    """Names of readings files by device."""
    return {device["id"]: device["files"] for device in json.loads(devices)["devices"]}


def honest(case: Case) -> dict[str, Any]:
    """Shares of MWh in %, and days."""
    verdicts = [verdict for _, verdict in conclude(case)]
    total = sum(verdict.energy_wh for verdict in verdicts) or 1
    shares = {
        name: round(100 * sum(getattr(verdict, f"{name}_wh") for verdict in verdicts) / total, 2)
        for name in ("accepted", "prompt", "withheld", "refused")
    }
    days = {f"{name}_days": sum(v.verdict == name for v in verdicts) for name in ("accept", "hold", "reject")}
    alone = sum("single_source" in verdict.reasons for verdict in verdicts)
    lacks = ", ".join(health.lacking(case.plant.device, case.plant.days)) or "nothing"
    return {
        "lacks": lacks,
        "days": len(verdicts),
        "mwh": round(total / 10**6, 1),
        **shares,
        **days,
        "single_source_days": alone,
    }


def measure(case: Case, every: int, count: int, seed: int) -> dict[str, dict[str, Any]]:
    """By class: % of excess blocked, of tampered days not accepted, of honest MWh beside that stay certified."""
    blocked: dict[str, Any] = {}
    flagged: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    for title, fraud in CLASSES.items():
        parts = list(single_days(case, fraud, every, np.random.default_rng(seed)))
        together = tally(parts)
        blocked[title] = _blocked(parts)
        flagged[title] = round(100 * together.stopped / together.days, 1) if together.days else None
    for title, sustained in SUSTAINED.items():
        parts = list(spans(case, sustained, np.random.default_rng(seed), count))
        together = tally(parts)
        blocked[title] = _blocked(parts)
        share = together.beside_accepted_wh / together.beside_wh if together.beside_wh else 1
        beside[title] = round(100 * share, 2)
    slow = ramp(case, np.random.default_rng(seed))
    beside["ramp"] = round(100 * slow.passed_wh / max(1, slow.true_wh), 2)
    return {"blocked": blocked, "flagged": flagged, "beside": beside}


def limits_of_others(name: str, cases: dict[str, Case]) -> dict[str, Limits]:
    """What the honest records of every other site would set for the plant's own weather, rounded up.

    Weeks and sums over all intervals: the highest, with a reserve, since a few sites have not seen everything. Months
    and seasons of normal operation: what one honest window in twenty of the technology passes, with its reserve.
    """
    technology = cases[name].plant.device.technology
    others = [case for other, case in cases.items() if other.split("-")[0] != name.split("-")[0]]
    sums = [(case.plant.device.technology, _honest(case)) for case in others]
    whole: list[tuple[int, int]] = []
    ran: list[tuple[int, int]] = []
    for length in LENGTHS:
        highest = max((exceedances(one, length) or [0])[-1] for _, (one, _, _) in sums)
        whole.append((length, _rounded_up(highest * OTHERS_PERCENT // 100)))
        if length in SHORT:
            passing = max((exceedances(one, length) or [0])[-1] for _, (_, *parts) in sums for one in parts)
        else:
            alike = [one for kind, (_, *parts) in sums for one in parts if kind == technology]
            # Each record's hundredths, so that a long one weighs no more than a short one.
            seen = [part for one in alike if (part := exceedances(one, length))]
            pooled = sorted(part[len(part) * percent // 100] for part in seen for percent in range(100))
            passing = max(0, pooled[len(pooled) * PASSING_PERCENT[length] // 100]) if pooled else 0
        least = LIGHT_PPM if technology == "solar" and length not in SHORT else 0
        ran.append((length, max(least, _rounded_up(passing * RESERVE_PERCENT // 100))))
    top = max(rise for _, (_, *parts) in sums for one in parts for _, rise, _ in rises(one, WEEK))
    both = Limits(tuple(whole))
    days = RUNNING_LIMITS[technology].shares[:1]  # single days are not left out
    return {
        "wind": both,
        "solar": both,
        f"running {technology}": Limits((*days, *ran)),
        "rise": Limits(((WEEK, _rounded_up(top * RESERVE_PERCENT // 100)),)),
    }


def _honest(case: Case) -> list[Balance]:
    """The judged days over all intervals, and over normal operation; the same of commissioning."""
    accepted = {day for day, verdict in case.plant.verdicts.items() if verdict.verdict == "accept"}
    whole = balance(case, accepted, case.grid.expected_ppm, case.grid.known)
    days = sound_days(case.plant, case.grid)
    slots, level = case.plant.device.slots, case.own.level_ppm
    return [whole, running(case, accepted), running_over(case.grid, slots, days[0], days[-1], set(days), level)]


def _rounded_up(share: int) -> int:
    return -(-share // STEP_PPM) * STEP_PPM


def print_tables(report: dict[str, dict[str, Any]]) -> None:
    heads = ("lacks", "days", "mwh", "accepted", "prompt", "withheld", "refused", "hold_days", "reject_days")
    print(f"| device | {' | '.join(heads)} | with limits of other sites |\n|---|{'---|' * (len(heads) + 1)}")
    for name, parts in report.items():
        elsewhere = parts.get("elsewhere", {}).get("accepted", "-")
        print(f"| {name} | {' | '.join(str(parts['honest'][head]) for head in heads)} | {elsewhere} |")
    shown = [name for name in report if "blocked" in report[name]]
    print(f"\n| class | {' | '.join(shown)} | mean |\n|---|{'---|' * (len(shown) + 1)}")
    for title in [*CLASSES, *SUSTAINED]:
        kind = "flagged" if title.startswith("4") else "blocked"
        _print_row(f"{title}{', days flagged' if kind == 'flagged' else ''}", [report[n][kind][title] for n in shown])
    _print_row("ramp, excess left % of honest MWh", [report[name]["beside"]["ramp"] for name in shown])
    for title in SUSTAINED:
        _print_row(f"{title}: honest MWh beside", [report[name]["beside"][title] for name in shown])
    for title in sorted(ALONE):
        _print_row(f"{title}, limits of other sites", [report[name]["elsewhere"][title] for name in shown])


def _print_row(title: str, values: list[float | None]) -> None:
    known = [value for value in values if value is not None]
    mean = round(sum(known) / len(known), 1) if known else "-"
    print(f"| {title} | {' | '.join('-' if value is None else str(value) for value in values)} | {mean} |")


def _blocked(parts: list[Any]) -> float | None:
    share = tally(parts).blocked
    return None if share is None else round(share, 1)


if __name__ == "__main__":
    main(sys.argv[1:])
