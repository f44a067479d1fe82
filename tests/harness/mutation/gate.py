"""`make mutants`: each mutant lives alone, and something must kill it. The last line is one JSON object.

    python -m harness.mutation.gate                       all: the tests that know the rule, the simulator for the rest
    python -m harness.mutation.gate --only no_backoff     one of them
    python -m harness.mutation.gate --simulator-first     hours: how many seeds each of them lives through
    python -m harness.mutation.gate --seeds 9000000:9002000

What has no options to hunt it with is a rule that faults hardly ever touch: there the tests come first in any case.
A mutant is killed when a seed of the range fails, or a directed test does. What survives everything must be called
equivalent, with the argument in its entry, or the gate fails.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.mutation import Mutant, all_mutants
from harness.sim.run import play

ROOT = Path(__file__).resolve().parents[3]
SEEDS = "7000000:7002000"  # not used while rules, tests or mutants were written
CPU_S = 1_200  # for one mutant in the simulator


@dataclass(frozen=True)
class Verdict:
    mutant: str
    killer: str  # empty: it survived
    seeds: int  # that were played until then
    seconds: float
    how: str


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default=SEEDS)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=CPU_S, help="of processor time for each mutant")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--simulator-first", action="store_true")
    parser.add_argument("--table", type=Path, help="write the rows of a Markdown table")
    given = parser.parse_args(arguments)
    first, last = map(int, given.seeds.split(":"))
    names = given.only or list(all_mutants())
    verdicts = []
    with ProcessPoolExecutor(given.processes, max_tasks_per_child=1) as pool:
        limits = (first, last, given.seconds, not given.simulator_first)
        for verdict in pool.map(judge, names, [limits] * len(names)):
            verdicts.append(verdict)
            word = verdict.killer or ("equivalent" if all_mutants()[verdict.mutant].equivalent else "SURVIVED")
            print(
                f"{verdict.mutant}: {word}, {verdict.seeds} seeds, {verdict.seconds:.0f} s  {verdict.how}", flush=True
            )
    if given.table:
        given.table.write_text("".join(map(_row, verdicts)))
    equivalent = [v.mutant for v in verdicts if not v.killer and all_mutants()[v.mutant].equivalent]
    for name in equivalent:
        print(f"{name} is equivalent: {all_mutants()[name].equivalent}")
    killed = sum(bool(verdict.killer) for verdict in verdicts)
    print(json.dumps({"mutants": len(verdicts), "killed": killed, "equivalent": len(equivalent)}))
    return int(killed + len(equivalent) < len(verdicts))


def judge(name: str, limits: tuple[int, int, float, bool]) -> Verdict:
    """Hunt one mutant in a process of its own."""
    mutant = all_mutants()[name]
    began = time.monotonic()
    first, last, seconds, directed_first = limits
    seeds, how = 0, ""
    if directed_first or not mutant.hunt:  # without options to look at it is a rare rule, with a story of its own
        how = ask(mutant)
    killer = "directed" if how else ""
    if not how:
        seeds, how = hunt(mutant, first, last, seconds)
        killer = "simulator" if how else ""
    if not how and not directed_first and mutant.hunt:
        how = ask(mutant)
        killer = "directed" if how else ""
    return Verdict(name, killer, seeds, time.monotonic() - began, how)


def hunt(mutant: Mutant, first: int, last: int, seconds: float) -> tuple[int, str]:
    """(seeds played, what was noticed): nothing where the mutant lived through all of them."""
    hunting = dict(mutant.hunt)
    step = int(str(hunting.pop("seed_step", 1)))
    began, played = time.process_time(), 0
    with pytest.MonkeyPatch.context() as patch:
        mutant.change(patch)
        for seed in range(first, last):
            if step > 1 and seed % step != 7:
                continue
            if time.process_time() - began > seconds:
                break
            played += 1
            result = play(seed, explained=False, **hunting)
            if result.kind:
                return played, f"seed {seed}, {result.kind}: {result.report}"
    return played, ""


def ask(mutant: Mutant) -> str:
    """The first test that fails under the mutant."""
    if not mutant.tests:
        return ""  # or the whole suite would be asked
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "harness.mutation.plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *mutant.tests],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "WATTEST_MUTANT": mutant.name},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" - ")[0].removeprefix("FAILED ") if done.returncode == 1 and failed else ""


def _row(verdict: Verdict) -> str:
    mutant = all_mutants()[verdict.mutant]
    killer = f"{verdict.killer}: {verdict.how}" if verdict.killer else f"equivalent: {mutant.equivalent}"
    return f"| {mutant.number} | `{mutant.name}` | {mutant.about} | {verdict.seeds} | {killer} |\n"


if __name__ == "__main__":
    raise SystemExit(main())
