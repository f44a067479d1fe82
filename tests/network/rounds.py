"""Rounds of real faults against real processes: strike a running network, hold, heal, and take the time.

    PYTHONPATH=.:tests python -m network.rounds --rounds 100 [--validators 4,7] [--seed 1] [--netns]

A line for each round, one JSON object at the end, exit code 0 only without a fork, a lost transaction, a stall or a
round above the gate of research/consensus.md section 9. A round is back when every node has a final block above the
highest one that any of them had when the fault ended. Of a node that was down the fault ends when it listens again.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.cloning import Cloned, clone_round
from harness.cluster import Cluster, gate_s
from harness.machine import may_mount, may_trace
from harness.perturbing import FAULTS, keep, own_disk
from harness.traffic import Traffic

HOLD_S = (5.0, 12.0)
CALM_S = 1.5
SOON_S = 10.0
DISK_MIB = 48
ROUNDS_OF_ONE_NETWORK = 25  # then another one begins, so that no fault hides in a long history


@dataclass
class Result:
    fault: str
    validators: int
    back_s: float | None
    blocks: int  # that became final while the fault lasted
    must_go_on: bool

    @property
    def over_gate(self) -> bool:
        return self.back_s is None or self.back_s > gate_s(self.validators)


@dataclass
class Tally:
    results: list[Result] = field(default_factory=list)
    forks: int = 0
    lost: list[str] = field(default_factory=list)
    retracted: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    promised: int = 0
    heights: int = 0
    unequal_ends: int = 0
    bad_exits: list[str] = field(default_factory=list)
    clones: list[Cloned] = field(default_factory=list)

    def summary(self, seed: int, seconds: float, faults: Sequence[str]) -> dict[str, object]:
        steady = [result for result in self.results if result.fault != "flapping"]
        flapping = [result for result in self.results if result.fault == "flapping"]
        times = sorted(result.back_s for result in self.results if result.back_s is not None)
        return {
            "rounds": len(self.results),
            "validators": sorted({result.validators for result in self.results}),
            "seed": seed,
            "forks": self.forks + sum(cloned.forks for cloned in self.clones),
            "over_gate": sum(result.over_gate for result in self.results),
            "within_10_s": _share(steady),
            "within_10_s_flapping": _share(flapping),
            "back_s_median": round(times[len(times) // 2], 1) if times else None,
            "back_s_max": round(times[-1], 1) if times else None,
            "quorum_stood_still": sum(result.must_go_on and not result.blocks for result in self.results),
            "transactions_final": self.promised,
            "lost": len(self.lost),
            "retracted": len(self.retracted),
            "both_rivals_final": len(self.double),
            "unequal_ends": self.unequal_ends,
            "bad_exits": len(self.bad_exits),
            "clones": len(self.clones),
            "clones_contradicting": sum(bool(cloned.contradictions) for cloned in self.clones),
            "clones_revoked": sum(cloned.revoked for cloned in self.clones),
            "evidence_blocks_max": max((c.evidence_blocks for c in self.clones if c.evidence_blocks), default=None),
            "blocks": self.heights,
            "faults": {name: sum(r.fault == name for r in self.results) for name in faults},
            "seconds": round(seconds),
        }

    @property
    def clean(self) -> bool:
        harm = (self.forks, self.lost, self.retracted, self.double, self.unequal_ends, self.bad_exits)
        clones = any(cloned.forks or cloned.back_s is None or cloned.unpunished for cloned in self.clones)
        return not any(harm) and not clones and not any(result.over_gate for result in self.results)


def run_network(
    directory: Path,
    validators: int,
    faults: Sequence[str],
    dice: random.Random,
    tally: Tally,
    hold: tuple[float, float],
    netns: bool = False,
) -> None:
    """One network from its genesis through all of `faults` to its end."""
    cluster = Cluster(directory, validators, netns=netns)
    if "full_disk" in faults:
        own_disk(cluster.homes[-1] / "data", DISK_MIB)
    cluster.start(*range(validators))
    traffic: Traffic | None = None
    try:
        cluster.await_ready()
        traffic = Traffic(cluster)
        for name in faults:
            tally.results.append(_round(cluster, traffic, name, dice, hold))
            forks = cluster.forks()
            tally.forks += forks
            if forks:
                print(f"FORK at {forks} heights", flush=True)
            time.sleep(CALM_S)
        traffic.stop()
        top = max(cluster.heights())
        if cluster.await_heights(top, range(validators), gate_s(validators)) is None:
            tally.bad_exits.append(f"no block after the last round, heights {cluster.heights()}")
        tally.forks += cluster.forks()
    finally:
        if traffic is not None:
            traffic.stop()
        codes = cluster.stop()
        if "full_disk" in faults:
            keep(cluster.homes[-1] / "data")
    tally.bad_exits += [f"node {machine} ended with {code}" for machine, code in codes.items() if code]
    _look_at_the_end(cluster, traffic, tally)


def _round(cluster: Cluster, traffic: Traffic, name: str, dice: random.Random, hold: tuple[float, float]) -> Result:
    before = max(cluster.heights())
    fault = FAULTS[name](cluster, dice)
    struck = next(fault)
    here, there = dice.sample(range(cluster.count), 2)
    if cluster.runs(here) and cluster.runs(there):
        traffic.rival(here, there)
    struck.hold(dice.uniform(*hold))
    held = max(cluster.heights())
    next(fault, None)
    after = max(cluster.heights())
    start_s = cluster.await_started()
    back_s = cluster.await_heights(after, range(cluster.count), gate_s(cluster.count) * 1.5)
    result = Result(name, cluster.count, back_s, held - before, bool(struck.goes_on))
    told = "NOT back" if back_s is None else f"back after {back_s:5.1f} s"
    told += f" (started in {start_s:.1f} s)" if start_s > CALM_S else ""
    late = "  OVER THE GATE" if result.over_gate else ""
    print(f"n={cluster.count} {name:13} {told}, {result.blocks:3} blocks meanwhile  {struck.what}{late}", flush=True)
    return result


def _look_at_the_end(cluster: Cluster, traffic: Traffic, tally: Tally) -> None:
    """Every chain read from disk and audited, and everything that was called final looked up in each."""
    machines = list(range(cluster.count))
    chains = [cluster.blocks(machine) for machine in machines]
    shortest = min(map(len, chains))
    tally.unequal_ends += sum(chain[:shortest] != chains[0][:shortest] for chain in chains)
    tally.heights += shortest
    tally.promised += len(traffic.promised)
    tally.retracted += traffic.retracted
    tally.double += traffic.double()
    # the tips may differ by the blocks of the moment at which the nodes were told to stop
    lost = traffic.missing(machines)
    tally.lost += lost
    for each in lost[:5]:
        print(f"LOST {each}", flush=True)
    agree = "all chains equal" if not tally.unequal_ends else "CHAINS DIFFER"
    print(f"ended at height {shortest - 1}: {agree}, {len(traffic.promised)} final transactions looked up", flush=True)


def _share(results: Sequence[Result]) -> str:
    return f"{sum(r.back_s is not None and r.back_s <= SOON_S for r in results)} of {len(results)}"


def possible(names: Sequence[str]) -> list[str]:
    """Those that this machine permits; the others are named with the reason."""
    allowed = []
    for name in names:
        if (name == "full_disk" and not may_mount()) or (name == "failing_disk" and not may_trace()):
            print(f"{name} left out: this machine permits no {'tmpfs' if name == 'full_disk' else 'strace'}")
        else:
            allowed.append(name)
    return allowed


def plan(
    rounds: int, validators: Sequence[int], names: Sequence[str], dice: random.Random
) -> list[tuple[int, list[str]]]:
    """Networks, each with its rounds: every fault equally often, in an order of chance."""
    every = [names[number % len(names)] for number in range(rounds)]
    dice.shuffle(every)
    parts = [every[at : at + ROUNDS_OF_ONE_NETWORK] for at in range(0, len(every), ROUNDS_OF_ONE_NETWORK)]
    return [(validators[number % len(validators)], part) for number, part in enumerate(parts)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--validators", default="4,7", help="sizes of the networks in turn")
    parser.add_argument(
        "--clones", type=int, default=0, help="rounds with a cloned vote key, each a network of its own"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--netns", action="store_true", help="cut by the kernel in network namespaces; needs root")
    parser.add_argument("--keep", type=Path, help="leave the homes there")
    options = parser.parse_args()
    if may_mount() and not os.environ.get("WATTEST_ROUNDS_INSIDE"):
        os.environ["WATTEST_ROUNDS_INSIDE"] = "1"  # a namespace of our own, so that no mount stays behind
        os.execvp("unshare", ["unshare", "-m", sys.executable, "-m", "network.rounds", *sys.argv[1:]])
    dice, tally, began = random.Random(options.seed), Tally(), time.monotonic()
    faults = possible(options.faults.split(","))
    if options.netns:
        faults = [name for name in faults if name != "slow_links"]  # plain kernels cannot delay
    sizes = [int(size) for size in options.validators.split(",")]
    networks = plan(options.rounds, sizes, faults, dice)
    with tempfile.TemporaryDirectory(prefix="wattest-rounds-", ignore_cleanup_errors=True) as folder:
        place = options.keep or Path(folder)
        for number, (validators, names) in enumerate(networks):
            print(f"network {number}: {validators} validators, {len(names)} rounds, seed {options.seed}", flush=True)
            run_network(place / f"network{number}", validators, names, dice, tally, HOLD_S, options.netns)
        for number in range(options.clones):
            cloned = clone_round(place / f"clone{number}", sizes[number % len(sizes)], dice)
            print(told(cloned), flush=True)
            tally.clones.append(cloned)
    for each in tally.bad_exits:
        print(f"BAD {each}", flush=True)
    print(json.dumps(tally.summary(options.seed, time.monotonic() - began, faults)))
    return 0 if tally.clean else 1


def told(cloned: Cloned) -> str:
    back = "NOT back" if cloned.back_s is None else f"back after {cloned.back_s:5.1f} s"
    found = "nothing to be found" if not cloned.contradictions else f"evidence {cloned.evidence_blocks} blocks later"
    return f"clone of {cloned.what}: {back}, {found}, revoked: {cloned.revoked}, exits {cloned.exits}"


if __name__ == "__main__":
    sys.exit(main())
