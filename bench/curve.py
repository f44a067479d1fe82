"""The whole curve of fraud blocked against honest energy certified: the limits of all windows made tighter and wider.

    python -m bench.curve --data DIR [--seed N]

Each row multiplies every limit of the windows, of the plant's own weather and of witnesses, by a factor; the scores of
single days stay. Honest MWh certified and sustained classes blocked are means over the plants, in %.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.seasons import SUSTAINED, spans, tally
from bench.verifier import DAMAGED, honest, load
from verifier.finished import Case
from verifier.windows import Limits, OwnLimits

PERCENTS = (50, 70, 85, 100, 120, 150, 200)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=20141)
    options = parser.parse_args(arguments)
    run, entries = load(options.data)
    cases = [run.case(entry.id) for entry in entries if entry.id not in DAMAGED]
    print(f"| limits x | honest, mean | honest, worst | {' | '.join(SUSTAINED)} |")
    print(f"|---|---|---|{'---|' * len(SUSTAINED)}")
    for percent in PERCENTS:
        chosen = [scaled(case, percent) for case in cases]
        certified = [honest(case)["accepted"] for case in chosen]
        cells = [f"{sum(certified) / len(certified):.2f}", f"{min(certified):.2f}"]
        for sustained in SUSTAINED.values():
            dice = np.random.default_rng(options.seed)
            blocked = [
                share for case in chosen if (share := tally(list(spans(case, sustained, dice))).blocked) is not None
            ]
            cells.append(f"{sum(blocked) / len(blocked):.1f}" if blocked else "-")
        print(f"| {percent / 100:.2f} | {' | '.join(cells)} |", flush=True)


def scaled(case: Case, percent: int) -> Case:
    own = case.own
    moved = OwnLimits(times(own.whole, percent), times(own.running, percent), times(own.rise, percent), own.level_ppm)
    heard = [replace(said, limits=times(said.limits, percent)) for said in case.heard]
    return replace(case, own=moved, heard=heard)


def times(limits: Limits, percent: int) -> Limits:
    return Limits(tuple((length, share * percent // 100) for length, share in limits.shares))


if __name__ == "__main__":
    main(sys.argv[1:])
