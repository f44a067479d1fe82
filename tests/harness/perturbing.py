"""What can be done to a running network from outside: each a generator that strikes, yields, and heals.

What it yields says what was done and which machines still form a quorum that hears itself: those must go on.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.cluster import Cluster

SKEWS_MS = (-3_600_000, -30_000, -5_000, 5_000, 30_000, 3_600_000)
DISK_FAILED = 70


@dataclass(frozen=True)
class Struck:
    what: str
    goes_on: tuple[int, ...] = ()
    hold: Callable[[float], None] = time.sleep


Fault = Callable[[Cluster, random.Random], Iterator[Struck]]


def halves(cluster: Cluster, dice: random.Random) -> Iterator[Struck]:
    """Two sides, neither with a quorum: nothing can become final."""
    order = _shuffled(cluster, dice)
    left, right = order[: cluster.count // 2], order[cluster.count // 2 :]
    cluster.links.cut(cluster.links.split(left, right))
    yield Struck(f"{_named(left)} | {_named(right)}")
    cluster.links.heal()


def few_cut_off(cluster: Cluster, dice: random.Random) -> Iterator[Struck]:
    """At most f validators hear nobody and are heard by nobody."""
    order = _shuffled(cluster, dice)
    alone = order[: dice.randint(1, _f(cluster))]
    rest = order[len(alone) :]
    cluster.links.cut(cluster.links.split(rest))
    yield Struck(f"{_named(rest)} | {_named(alone)} each alone", tuple(rest))
    cluster.links.heal()


def all_alone(cluster: Cluster, dice: random.Random) -> Iterator[Struck]:
    cluster.links.cut(cluster.links.split())
    yield Struck("nobody hears anybody")
    cluster.links.heal()


def one_way(cluster: Cluster, dice: random.Random) -> Iterator[Struck]:
    """Deaf, mute, or a ring in which each hears one other only."""
    order = _shuffled(cluster, dice)
    victims, rest = order[: _f(cluster)], order[_f(cluster) :]
    kind = dice.choice(("deaf", "mute", "ring"))
    everybody = [(a, b) for a in order for b in order if a != b]
    heard = {(order[i - 1], order[i]) for i in range(len(order))}
    if kind == "ring":
        cluster.links.cut(pair for pair in everybody if pair not in heard)
        yield Struck(f"ring {_named(order)}")
    else:
        cluster.links.cut(pair for pair in everybody if pair[kind == "deaf"] in victims)
        yield Struck(f"{_named(victims)} {kind}", tuple(rest))
    cluster.links.heal()


def flapping(cluster: Cluster, dice: random.Random) -> Iterator[Struck]:
    """Another split every moment, open in between."""

    def flap(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            order = _shuffled(cluster, dice)
            at = dice.randint(1, cluster.count - 1)
            cluster.links.cut(cluster.links.split(order[:at], order[at:]))
            time.sleep(dice.uniform(0.2, 3.0))
            cluster.links.heal()
            time.sleep(dice.uniform(0.0, 1.5))

    yield Struck("another split every 0.2 to 4.5 s", hold=flap)
    cluster.links.heal()


def slow_links(cluster: Cluster, dice: random.Random) -> Iterator[Struck]:
    """Delays up to four times the bound that the timers are made for, on some links or all."""
    order = _shuffled(cluster, dice)
    pairs = [(a, b) for a in order for b in order if a != b and dice.random() < 0.7]
    delay = dice.choice((0.2, 0.5, 1.0, 2.0))
    cluster.links.slow(pairs, delay)
    yield Struck(f"{len(pairs)} directions {delay} s late")
    cluster.links.heal()


def killed(cluster: Cluster, dice: random.Random) -> Iterator[Struck]:
    """`kill -9` of some or all."""
    order = _shuffled(cluster, dice)
    victims = order[: dice.randint(1, cluster.count)]
    rest = order[len(victims) :]
    cluster.kill(*victims)
    yield Struck(f"kill -9 {_named(victims)}", tuple(rest) if len(rest) >= _quorum(cluster) else ())
    cluster.start(*victims)


def paused(cluster: Cluster, dice: random.Random) -> Iterator[Struck]:
    """SIGSTOP: the machine stands still and its connections stay open."""
    order = _shuffled(cluster, dice)
    victims = order[: dice.randint(1, cluster.count - 1)]
    rest = order[len(victims) :]
    cluster.pause(*victims)
    yield Struck(f"SIGSTOP {_named(victims)}", tuple(rest) if len(rest) >= _quorum(cluster) else ())
    cluster.resume()


def wrong_clocks(cluster: Cluster, dice: random.Random) -> Iterator[Struck]:
    """At most f clocks are wrong by seconds or an hour; the others must not care."""
    order = _shuffled(cluster, dice)
    victims, rest = order[: _f(cluster)], order[_f(cluster) :]
    told = []
    for victim in victims:
        skew = dice.choice(SKEWS_MS)
        told.append(f"{victim}: {skew / 1_000:+.0f} s")
        cluster.kill(victim)
        cluster.start(victim, WATTEST_CLOCK_SKEW_MS=str(skew))
    yield Struck("clocks " + ", ".join(told), tuple(rest))
    cluster.kill(*victims)
    cluster.start(*victims)


def failing_disk(cluster: Cluster, dice: random.Random) -> Iterator[Struck]:
    """One fdatasync of one validator fails, though the next would succeed: it must end at once with 70."""
    victim, call = dice.randrange(cluster.count), dice.randint(3, 40)
    cluster.kill(victim)
    tracer = ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fdatasync"]
    cluster.start(victim, under=[*tracer, "-e", f"inject=fdatasync:error=EIO:when={call}"])
    yield Struck(f"EIO at fdatasync {call} of {victim}", tuple(_others(cluster, victim)))
    code = cluster.nodes[victim].wait(60)
    assert code == DISK_FAILED, f"a failed sync ended node {victim} with {code}"
    cluster.start(victim)


def full_disk(cluster: Cluster, dice: random.Random) -> Iterator[Struck]:
    """The last validator's data lie on a disk of their own, which fills up: it must end with 70."""
    victim = cluster.count - 1
    filler = cluster.homes[victim] / "data" / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4_096))
    yield Struck(f"disk of {victim} full", tuple(_others(cluster, victim)))
    code = cluster.nodes[victim].wait(60)
    assert code == DISK_FAILED, f"a full disk ended node {victim} with {code}"
    filler.unlink()
    cluster.start(victim)


FAULTS: dict[str, Fault] = {
    "halves": halves,
    "few_cut_off": few_cut_off,
    "one_way": one_way,
    "flapping": flapping,
    "killed": killed,
    "paused": paused,
    "all_alone": all_alone,
    "wrong_clocks": wrong_clocks,
    "slow_links": slow_links,
    "failing_disk": failing_disk,
    "full_disk": full_disk,
}


def own_disk(data: Path, size_mib: int) -> None:
    """A tmpfs under a data directory that exists already. In a mount namespace of one's own, or it stays behind."""
    kept = data.with_name("begun")
    commands = (f"cp -a {data} {kept}", f"mount -t tmpfs -o size={size_mib}m tmpfs {data}", f"cp -a {kept}/. {data}/")
    for command in commands:
        assert os.system(command) == 0, command


def keep(data: Path) -> None:
    """Carry the data over to the disk below, and give the tmpfs back."""
    kept = data.with_name("ended")
    for command in (f"cp -a {data} {kept}", f"umount {data}", f"rm -rf {data}", f"mv {kept} {data}"):
        assert os.system(command) == 0, command


def _f(cluster: Cluster) -> int:
    return (cluster.count - 1) // 3


def _quorum(cluster: Cluster) -> int:
    return cluster.count - _f(cluster)


def _others(cluster: Cluster, victim: int) -> list[int]:
    return [machine for machine in range(cluster.count) if machine != victim]


def _shuffled(cluster: Cluster, dice: random.Random) -> list[int]:
    return dice.sample(range(cluster.count), cluster.count)


def _named(machines: list[int]) -> str:
    return ",".join(map(str, sorted(machines)))
