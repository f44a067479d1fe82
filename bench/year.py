"""A picture of a plant's year: what it claimed day by day, what its weather allowed, and what became of the energy.

    python -m bench.year --data DIR --plant NAME [--cheat "x1.1, 30 d"] FILE.png

DIR is the folder that `bench.verifier` measures on. With `--cheat` thirty days in the middle of the record are tampered
with by that sustained class, to show what the verifier makes of them. Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.seasons import SUSTAINED, with_fraud
from bench.verifier import load
from state.units import DAY_S
from verifier.finished import Case, conclude

COLOURS = {"certified within a week": "#2f7d4f", "certified later": "#8fc3a3", "held": "#d9a441", "refused": "#b03a3a"}
MWH = 1_000_000


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--plant", required=True)
    parser.add_argument("--cheat", choices=sorted(SUSTAINED))
    parser.add_argument("--seed", type=int, default=20141)
    parser.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    run, _ = load(options.data)
    case = run.case(options.plant)
    title = options.plant
    if options.cheat:
        case, first, last = tampered(case, options.cheat, options.seed)
        title = f"{title}, {options.cheat} from {_date(first):%d %B %Y} to {_date(last):%d %B %Y}"
    draw(case, title, options.file)


def tampered(case: Case, name: str, seed: int) -> tuple[Case, int, int]:
    """The case with a span in the middle of its judged days tampered with, and the span's first and last day."""
    judged = sorted(case.plant.verdicts)
    sustained = SUSTAINED[name]
    start = max(0, (len(judged) - sustained.days) // 2)
    chosen = judged[start : start + sustained.days]
    return with_fraud(case, sustained.fraud, set(chosen), np.random.default_rng(seed)), chosen[0], chosen[-1]


def columns(case: Case) -> tuple[list[int], dict[str, list[float]], list[float]]:
    """Days, MWh of each fate by day, and the MWh that the plant's own weather let expect."""
    days: list[int] = []
    fates: dict[str, list[float]] = {name: [] for name in COLOURS}
    expected: list[float] = []
    for day, final in conclude(case):
        days.append(day.day)
        later_wh = final.accepted_wh - final.prompt_wh
        parts = (final.prompt_wh, later_wh, final.withheld_wh, final.refused_wh)
        for name, part_wh in zip(COLOURS, parts, strict=True):
            fates[name].append(part_wh / MWH)
        expected.append(case.plant.verdicts[day.day].expected_wh / MWH)
    return days, fates, expected


def draw(case: Case, title: str, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    days, fates, expected = columns(case)
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(12, 6), sharex=True, height_ratios=[3, 1])
    dates: Any = [_date(day) for day in days]
    bottom = np.zeros(len(days))
    for name, values in fates.items():
        above.bar(dates, values, width=1.0, bottom=bottom, color=COLOURS[name], label=name)
        bottom = bottom + np.array(values)
    above.step(dates, expected, where="mid", color="#222222", linewidth=0.8, label="expected from its weather")
    above.set_ylabel("MWh a day")
    above.set_title(title)
    above.legend(loc="upper right", fontsize=8, ncols=5)
    total = np.maximum(bottom, 1e-9)
    below.stackplot(
        dates, *(100 * np.array(values) / total for values in fates.values()), colors=list(COLOURS.values()), step="mid"
    )
    below.set_ylim(0, 100)
    below.set_ylabel("% of the day")
    figure.tight_layout()
    figure.savefig(file, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _date(day: int) -> datetime:
    return datetime.fromtimestamp(day * DAY_S, UTC)


if __name__ == "__main__":
    main(sys.argv[1:])
