"""`make fuzz INPUTS=1000000`: the long form of `tests/network/test_hostile_bytes.py`.

One line for each reader, and one JSON object as the last line. Exit code 1, with the input, for anything but our own
error within 50 ms.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness.fuzzing import Refused, attack
from harness.readers import Corpus, targets

GROWTH_KIB = 100 * 1024  # beyond what the first tenth of the inputs took: caches are full by then
ROUNDS = 10


@dataclass
class Reader:
    name: str
    inputs: int = 0
    refused: int = 0
    slowest_s: float = 0.0

    def __str__(self) -> str:
        slowest = self.slowest_s * 1_000
        return f"{self.name:18} {self.inputs:>9,} inputs  {self.refused:>9,} refused  slowest {slowest:5.1f} ms"


@dataclass
class Found:
    readers: list[Reader] = field(default_factory=list)
    warm_kib: int = 0  # of the process after the first round
    last_kib: int = 0

    @property
    def grown_kib(self) -> int:
        return self.last_kib - self.warm_kib


def throw_at_all(corpus: Corpus, inputs: int, random_: random.Random) -> Found:
    """Share the inputs among all readers by their weights, in ten rounds."""
    given = targets(corpus)
    total = sum(target.weight for target in given.values())
    found = Found([Reader(name) for name in given])
    for number in range(ROUNDS):
        for reader in found.readers:
            target = given[reader.name]
            count = -(-inputs * target.weight // (total * ROUNDS))
            refused, slowest_s = attack(reader.name, target.take, target.corpus, count, random_)
            reader.inputs += count
            reader.refused += refused
            reader.slowest_s = max(reader.slowest_s, slowest_s)
        found.last_kib = resident_kib()
        if number == 0:
            found.warm_kib = found.last_kib
    return found


def resident_kib() -> int:
    """Of this process, at most so far."""
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description="Mutated inputs to everything that reads bytes.")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=20_261_122)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wattest-fuzz-") as directory:
        try:
            found = throw_at_all(Corpus(Path(directory)), given.inputs, random.Random(given.seed))
        except Refused as wrong:
            print(json.dumps({"seed": given.seed, "wrong": str(wrong)}))
            return 1
    print("\n".join(map(str, found.readers)))
    slowest = max(found.readers, key=lambda reader: reader.slowest_s)
    answer = {
        "seed": given.seed,
        "readers": len(found.readers),
        "inputs": sum(reader.inputs for reader in found.readers),
        "refused": sum(reader.refused for reader in found.readers),
        "slowest_ms": round(slowest.slowest_s * 1_000, 2),
        "slowest_reader": slowest.name,
        "memory_growth_kib": found.grown_kib,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(answer))
    return 0 if found.grown_kib < GROWTH_KIB else 1


if __name__ == "__main__":
    sys.exit(main())
