"""`make sim SEEDS=a:b`: run the seeds of a range on all cores; the last line is one JSON object.

    python -m harness.sim.run 0:1000              a range
    python -m harness.sim.run 1234 --trace        one seed again, one line for each event
    python -m harness.sim.run 1234 --set n=4 --set villain=silent

A seed that fails prints its options, the command that plays it again and the last events before the failure.
"""

import argparse
import gc
import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from harness.sim.cluster import Cluster
from harness.sim.options import Options
from harness.sim.watch import SAFETY, STALL, VOTES, Violation

LAST_EVENTS = 40
CHUNK = 5  # seeds that a process takes at a time


@dataclass
class Result:
    seed: int
    kind: str = ""  # of the violation, empty where none was
    report: str = ""
    views: int = 0
    blocks: int = 0
    events: int = 0
    crashes: int = 0
    epochs: int = 0
    audit: str = ""
    kinds: dict[str, int] = field(default_factory=dict)


def play(seed: int, explained: bool = True, **fixed: object) -> Result:
    """One seed, and what came of it; a failure in one line unless it is to be `explained`."""
    cluster = Cluster(Options.draw(seed, **fixed))
    try:
        cluster.run()
    except Exception as failure:
        kind = failure.kind if isinstance(failure, Violation) else SAFETY
        line = f"{type(failure).__name__}: {failure}".splitlines()[0]
        return Result(seed, kind, explain(cluster, failure, fixed) if explained else line)
    return Result(
        seed,
        views=cluster.finality.max_views,
        blocks=len(cluster.watch.chain),
        events=cluster.events,
        crashes=cluster.crashes,
        epochs=max(cluster.watch.sets),
        audit=cluster.audit_hash,
        kinds=cluster.finality.books.kinds,
    )


def explain(cluster: Cluster, failure: Exception, fixed: dict[str, object]) -> str:
    """Why, in which network, and how to see it again."""
    lines: deque[str] = deque(maxlen=LAST_EVENTS)
    options = Options.draw(cluster.options.seed, **fixed)
    try:
        Cluster(options, lines.append).run()
    except Exception as again:
        if str(again) != str(failure):
            lines.append(f"another run of the seed ends otherwise: {again!r}")
    settings = "".join(f" --set {name}={value}" for name, value in fixed.items())
    return "\n".join(
        [
            f"seed {options.seed}: {type(failure).__name__}: {failure} (at {cluster.now_ms} ms)",
            f"  {Options.draw(options.seed, **fixed)}",
            f"  again: PYTHONPATH=.:tests python -m harness.sim.run {options.seed}{settings} --trace",
            *(f"  {line}" for line in lines),
        ]
    )


def run_range(first: int, last: int, processes: int, fixed: dict[str, object]) -> Iterator[Result]:
    """Results in the order of the seeds."""
    chunks = [range(start, min(start + CHUNK, last)) for start in range(first, last, CHUNK)]
    if processes == 1:
        for chunk in chunks:
            yield from _play_chunk(chunk, fixed)
        return
    with ProcessPoolExecutor(processes, initializer=_collect_seldom) as pool:
        for results in pool.map(_play_chunk, chunks, [fixed] * len(chunks)):
            yield from results


def _collect_seldom() -> None:
    """What was imported stays; a run makes few cycles, and looking for them as usual costs a twentieth of it."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _play_chunk(seeds: range, fixed: dict[str, object]) -> list[Result]:
    return [play(seed, **fixed) for seed in seeds]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__.splitlines()[0])
    parser.add_argument("seeds", help="a:b for the seeds a..b-1, or one seed")
    parser.add_argument("--trace", action="store_true", help="one line for each event, of one seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="fix an option")
    given = parser.parse_args(arguments)
    first, _, last = given.seeds.partition(":")
    fixed = dict(_setting(each) for each in given.set)
    if given.trace:
        return _trace(int(first), fixed)
    return _report(int(first), int(last or int(first) + 1), given.processes, fixed)


def _setting(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    for read in (int, float):
        try:
            return name, read(value)
        except ValueError:
            continue
    return name, {"true": True, "false": False}.get(value.lower(), value)


def _trace(seed: int, fixed: dict[str, object]) -> int:
    print(Options.draw(seed, **fixed))
    cluster = Cluster(Options.draw(seed, **fixed), print)
    try:
        cluster.run()
    except Exception as failure:
        print(f"{type(failure).__name__}: {failure}")
        return 1
    print(f"audit hash {cluster.audit_hash}, {cluster.events} events, {len(cluster.watch.chain)} blocks")
    return 0


def _report(first: int, last: int, processes: int, fixed: dict[str, object]) -> int:
    began, done = time.monotonic(), []
    for result in run_range(first, last, processes, fixed):
        done.append(result)
        if result.kind:
            print(result.report, flush=True)
        if len(done) % 100 == 0:
            print(f"{len(done)} seeds, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    kinds = [result.kind for result in done]
    summary = {
        "seeds": len(done),
        "safety_violations": kinds.count(SAFETY),
        "vote_violations": kinds.count(VOTES),
        "stalls": kinds.count(STALL),
        "max_views_to_finality": max(result.views for result in done),
        "seconds": round(time.monotonic() - began, 1),
        "blocks": sum(result.blocks for result in done),
        "events": sum(result.events for result in done),
        "crashes": sum(result.crashes for result in done),
        "epochs": sum(result.epochs for result in done),
    }
    print(json.dumps(summary))
    return int(any(kinds))


if __name__ == "__main__":
    raise SystemExit(main())
