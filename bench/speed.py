"""Readings a second from file to verdict, beside a bare pass of the csv module over the same file, in one run.

    python -m bench.speed --data DIR [--plant NAME ...]

CPU seconds of one process; the pass splits rows and turns every cell into an integer, and does nothing with them.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench.verifier import files_of
from verifier.batch import Part, judge_part, lines_of
from verifier.file_run import parse_devices

Given = TypeVar("Given")
Answer = TypeVar("Answer")
PLANTS = ["CN1", "LHB-R80721", "PVDAQ50-E", "TR1"]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--plant", nargs="*", default=PLANTS)
    options = parser.parse_args(arguments)
    raw = (options.data / "devices.json").read_bytes()
    entries = {entry.id: entry for entry in parse_devices(raw)}
    print("| plant | readings | csv pass, a second | file to verdict, a second | ratio | verdicts a second |")
    print("|---|---|---|---|---|---|")
    for name in options.plant:
        files = tuple((options.data / file).read_bytes() for file in files_of(raw)[name])
        bare_s, rows = timed(bare_pass, files)
        whole_s, result = timed(judge_part, Part((entries[name],), files, ()))
        days = sum(len(plant.days) for plant in result.plants)
        speeds = f"{rows / bare_s:,.0f} | {rows / whole_s:,.0f} | {bare_s / whole_s:.3f} | {days / whole_s:,.0f}"
        print(f"| {name} | {rows:,} | {speeds} |")


def timed(call: Callable[[Given], Answer], given: Given) -> tuple[float, Answer]:
    start = time.process_time()
    answer = call(given)
    return max(time.process_time() - start, 1e-6), answer


def bare_pass(files: tuple[bytes, ...]) -> int:
    rows = 0
    for raw in files:
        for row in csv.reader(lines_of(raw)[1:]):
            for cell in row[2:]:
                int(cell.replace(".", "") or 0)
            rows += bool(row)
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
