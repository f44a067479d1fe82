"""How much honest energy the verifier accepts and how much fraud it stops, on real plants.

    python -m bench.verifier --data DIR [--every N] [--seed N] [--json]

DIR holds devices.json and the readings files it names. Every class tampers with single days of the honest record;
excess is claimed above true energy, blocked = 1 - sum max(0, accepted - true) / sum excess, per device, then the mean.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np

from bench.fraud import CLASSES, Scene
from verifier.file_run import DeviceEntry, Records, judge_file_days, parse_devices
from verifier.verdict import judge_day

DAMAGED = frozenset({"CN3"})  # its record is no honest one: reported, never averaged
BEFORE_DAYS = 40


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=3, help="tamper with every Nth day")
    parser.add_argument("--seed", type=int, default=20141)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    document = json.loads((options.data / "devices.json").read_text())
    files = {device["id"]: device["files"] for device in document["devices"]}
    report = {}
    for entry in parse_devices((options.data / "devices.json").read_bytes()):
        report[entry.id] = measure(entry, _load(options.data, files[entry.id]), options.every, options.seed)
        print(f"{entry.id}: {report[entry.id]['honest']}", file=sys.stderr)
    if options.json:
        print(json.dumps({"seed": options.seed, "every": options.every, "devices": report}))
    else:
        _print_tables(report)
    print(f"seed {options.seed}, every {options.every} days, {time.monotonic() - started:.0f} s", file=sys.stderr)


def measure(entry: DeviceEntry, records: Records, every: int, seed: int) -> dict[str, dict[str, float]]:
    """Honest shares of MWh, and for each class the share of excess blocked and of tampered days not accepted, in %."""
    profile, judged = judge_file_days(entry, records)
    total = sum(verdict.energy_wh for _, verdict in judged) or 1
    honest: dict[str, float] = {"days": len(judged)}
    for name in ("accept", "hold", "reject"):
        chosen = [verdict for _, verdict in judged if verdict.verdict == name]
        honest[name] = round(100 * sum(verdict.energy_wh for verdict in chosen) / total, 2)
        honest[f"{name}_days"] = len(chosen)
    blocked: dict[str, float] = {}
    flagged: dict[str, float] = {}
    if entry.id not in DAMAGED:
        days = records.days(entry)
        places = {day.day: place for place, day in enumerate(days)}
        dice = np.random.default_rng(seed)
        for name, fraud in CLASSES.items():
            excess, passed, stopped, count = 0, 0, 0, 0
            for day, _ in judged[::every]:
                before = days[max(0, places[day.day] - BEFORE_DAYS) : places[day.day]]
                tampered = fraud(Scene(entry.facts, profile, day, before, dice))
                if tampered is None or np.array_equal(tampered.power_w, day.power_w):
                    continue
                verdict = judge_day(entry.facts, profile, day.day, tampered, before)
                excess += max(0, verdict.energy_wh - day.energy_wh)
                passed += max(0, verdict.accepted_wh - day.energy_wh)
                stopped += verdict.verdict != "accept"
                count += 1
            if count:
                flagged[name] = round(100 * stopped / count, 1)
            if excess:
                blocked[name] = round(100 * (1 - passed / excess), 1)
    return {"honest": honest, "blocked": blocked, "flagged": flagged}


def _load(folder: Path, names: list[str]) -> Records:
    records = Records()
    for name in names:
        records.add_csv(gzip.decompress((folder / name).read_bytes()).decode().split("\n"))
    return records


def _print_tables(report: dict[str, dict[str, dict[str, float]]]) -> None:
    print("| device | days | MWh accepted % | held % | rejected % | days held / rejected |\n|---|---|---|---|---|---|")
    for name, parts in report.items():
        h = parts["honest"]
        print(
            f"| {name} | {h['days']} | {h['accept']} | {h['hold']} | {h['reject']} "
            f"| {h['hold_days']} / {h['reject_days']} |"
        )
    honest = [name for name in report if name not in DAMAGED]
    print(f"\n| class | {' | '.join(honest)} |\n|---|{'---|' * len(honest)}")
    for title in CLASSES:
        kind = "flagged" if title.startswith("4") else "blocked"
        cells = [str(report[name][kind].get(title, "-")) for name in honest]
        print(f"| {title}{', days flagged' if kind == 'flagged' else ''} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(sys.argv[1:])
