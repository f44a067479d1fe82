"""What a seed decides: the network, its faults, its liars, and how the validators change meanwhile."""

from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from harness.sim.beginning import JOINERS

from consensus.timers import Timing

SIZES = (1, 4, 4, 4, 4, 4, 4, 4, 5, 5, 6, 6, 7, 1, 4, 4, 4, 4, 4, 4, 4, 5, 5, 6, 6, 7, 10)
KINDS = (
    "sign_everything",
    "sign_everything",
    "equivocator",
    "equivocator",
    "silent",
    "one_way_deaf",
    "withholder",
    "outdated",
    "impersonator",
    "reconfigurer",
    "invalid_proposer",
    "nullify_spammer",
)
LONGEST_MS = 200_000  # of a run
BLOCKS = 100  # that a run covers, unless it ends by its time
HOUR_MS = 3_600_000
SNAPSHOT_SHARE = 0.12  # of the seeds: there each node executes for itself
HONEST_SKEW_MS = 400  # between a clock that is right and the time

Link = tuple[int, int]
T = TypeVar("T")


@dataclass(frozen=True)
class Cut:
    """Links that carry nothing for a while; with a period they come and go."""

    begin_ms: int
    end_ms: int
    links: tuple[Link, ...]
    period_ms: int = 0


@dataclass
class Options:
    """Printed when a run fails."""

    seed: int
    n: int
    live: bool  # the faults end and progress is demanded; else they never end
    whole: bool  # real signatures, messages as bytes, a ledger for each node
    villains: dict[int, str]
    loss: float
    duplication: float
    crash: float  # at every place where a process can die
    delay_ms: tuple[int, int]
    cuts: list[Cut]
    heal_ms: int
    frozen: list[int]  # stay down for ever when the rest is healed
    skew_ms: dict[int, int]
    clock_steps: list[tuple[int, int, int]]  # when, whose, to what
    forgetful: tuple[int, ...]  # lose their votes once
    slow: int | None  # its links take longer than any timer allows for, for ever
    epoch_length: int
    changes: list[tuple[str, int]]  # what happens to the set of validators, in this order
    segment_bytes: int
    batched: bool  # all transactions come early, so that blocks are full and then the chain idles
    keep_blocks: int = 0  # bodies that a node keeps, 0 for all; then each has a ledger of its own
    snapshots: tuple[int, ...] = ()  # who begins from a state of others, at each start
    late: dict[int, int] = field(default_factory=dict)  # when a process is started for the first time
    wiped: list[tuple[int, int, bool]] = field(default_factory=list)  # when, whose state is gone, its votes too
    execution_ms: int = 20  # what checking or building a block takes at most
    die_at: tuple[int, int] | None = None  # a node, and which of its places to die at it dies at, once
    blocks: int = BLOCKS  # a run covers; fewer than usual: then it does not wait for the stories to end
    timing: Timing = field(default_factory=lambda: Timing(500, 1_000, 200))

    @property
    def everybody(self) -> int:
        """Nodes: the validators of the genesis, and who may join."""
        return self.n + sum(kind == "join" for kind, _ in self.changes)

    @property
    def f(self) -> int:
        return (self.n - 1) // 3

    @property
    def own_ledgers(self) -> bool:
        return self.whole or self.keep_blocks > 0

    @classmethod
    def draw(cls, seed: int, **fixed: object) -> "Options":
        """`fixed` are options that are not drawn; `villain` names what every liar does, `liars` how many there are,
        `use` what the rest of the faulty nodes suffer (frozen, clock, slow, forgets, none), `snapshot` whether
        blocks are pruned and states are fetched."""
        random = Random(seed)
        n = _either(fixed, "n", random.choice(SIZES))
        f = (n - 1) // 3
        live = _either(fixed, "live", random.random() < 0.6)
        dense = random.random() < 0.3
        liars = random.sample(range(n), _either(fixed, "liars", f if random.random() < 0.75 else 0))
        kinds = {liar: random.choice(KINDS) for liar in liars}
        villain = fixed.pop("villain", None)
        villains = {liar: str(villain or kind) for liar, kind in kinds.items()}
        honest = [node for node in range(n) if node not in villains]
        spare = random.sample(honest, f - len(liars))
        drawn_use = random.choice(("frozen", "clock", "slow", "forgets", "none")) if spare else "none"
        use = _either(fixed, "use", drawn_use)
        epoch_length = _either(fixed, "epoch_length", random.choice((0, 0, 6, 8, 12)))
        drawn_changes = _draw_changes(random, n, f if spare else len(liars))
        changes = _either(fixed, "changes", drawn_changes if epoch_length else [])
        everybody = n + sum(kind == "join" for kind, _ in changes)
        heal_ms = random.choice((8_000, 15_000, 25_000, 40_000)) if live else 10**9
        last_ms = min(heal_ms, 60_000)
        drawn = cls(
            seed=seed,
            n=n,
            live=live,
            whole=seed % 50 == 7,
            villains=villains,
            loss=random.choice((0.0, 0.02, 0.1, 0.25)),
            duplication=random.choice((0.0, 0.05)),
            crash=random.choice((0.004, 0.012)) if dense else random.choice((0.0, 0.0, 0.0005, 0.002)),
            delay_ms=(1, 2_000) if random.random() < 0.08 else random.choice(((5, 50), (1, 250), (100, 400))),
            cuts=_draw_cuts(random, everybody, last_ms),
            heal_ms=heal_ms,
            frozen=spare if use == "frozen" else [],
            skew_ms={node: random.randrange(-HONEST_SKEW_MS, HONEST_SKEW_MS) for node in range(everybody)},
            clock_steps=_draw_steps(random, n, last_ms),
            forgetful=tuple(spare[:1]) if use == "forgets" and epoch_length else (),
            slow=spare[0] if use == "slow" else None,
            epoch_length=epoch_length,
            changes=changes,
            segment_bytes=random.choice((6_000, 40_000, 400_000)),
            batched=random.random() < 0.2,
        )
        if use == "clock":
            drawn.skew_ms[spare[0]] = random.choice((-HOUR_MS, HOUR_MS, -30_000, 30_000))
            drawn.clock_steps.append((random.randrange(last_ms), spare[0], random.choice((HOUR_MS, -HOUR_MS, 0))))
        snapshots = fixed.pop("snapshot", Random(seed ^ 0x54A7).random() < SNAPSHOT_SHARE)
        if snapshots and n > 1:
            _draw_snapshots(Random(seed ^ 0x54A70), drawn, last_ms)
        for name, value in fixed.items():
            assert hasattr(drawn, name), name
            setattr(drawn, name, value)
        return drawn


def _either(fixed: dict[str, object], name: str, drawn: T) -> T:
    """What was fixed, or what was drawn all the same."""
    return fixed.pop(name, drawn)  # type: ignore[return-value]


def _draw_cuts(random: Random, everybody: int, last_ms: int) -> list[Cut]:
    """Between any two groups of nodes, both ways or one, for good or flapping."""
    cuts = []
    for _ in range(random.choice((0, 1, 2, 4))):
        begin = random.randrange(last_ms)
        side = {node for node in range(everybody) if random.random() < 0.5}
        links = [(a, b) for a in range(everybody) for b in range(everybody) if (a in side) != (b in side)]
        if random.random() < 0.4:
            links = [(a, b) for a, b in links if a in side]
        period = random.choice((300, 900)) if random.random() < 0.25 else 0
        cuts.append(Cut(begin, min(last_ms, begin + random.randrange(1_000, 10_000)), tuple(links), period))
    return cuts


def _draw_steps(random: Random, n: int, last_ms: int) -> list[tuple[int, int, int]]:
    """Clocks that are set, a little, as a time daemon does."""
    if random.random() < 0.5:
        return []
    return [
        (random.randrange(last_ms), random.randrange(n), random.randrange(-HONEST_SKEW_MS, HONEST_SKEW_MS))
        for _ in range(4)
    ]


def _draw_snapshots(random: Random, drawn: Options, last_ms: int) -> None:
    """Bodies are pruned; who joins starts late, somebody loses its state, somebody is away for longer than bodies last.

    Dice of its own, so that all other seeds are what they were."""
    honest = [node for node in range(drawn.everybody) if node not in drawn.villains]
    drawn.keep_blocks = random.choice((12, 16, 24))
    joiners = [node for node in honest if node >= drawn.n]
    drawn.late = {node: random.randrange(last_ms) for node in joiners if random.random() < 0.7}
    members = [node for node in honest if node < drawn.n and node not in (*drawn.frozen, drawn.slow)]
    for node in random.sample(members, min(len(members), random.choice((0, 1, 1, 2)))):
        drawn.wiped.append((random.randrange(2_000, last_ms), node, False))
    if drawn.forgetful:
        drawn.wiped.append((random.randrange(2_000, last_ms), drawn.forgetful[0], True))
        drawn.forgetful = ()
    away = random.sample(members, min(len(members), drawn.f - len(drawn.villains)))
    for node in away[:1]:
        begin = random.randrange(last_ms)
        links = tuple((a, b) for a in range(drawn.everybody) for b in range(drawn.everybody) if node in (a, b))
        drawn.cuts.append(Cut(begin, min(last_ms, begin + 30_000), links))
    chosen = {*joiners, *away, *(node for _, node, _ in drawn.wiped)}
    drawn.snapshots = tuple(sorted({*chosen, *random.sample(members, min(len(members), 1))}))


def _draw_changes(random: Random, n: int, faulty: int) -> list[tuple[str, int]]:
    """Joins and rotations of anybody; somebody leaves only while the rest still bears all that is faulty."""
    possible = [*(("rotate", node) for node in random.sample(range(n), min(n, 2)))]
    if n > 1 and (n - 2) // 3 >= faulty:
        possible.append(("leave", random.randrange(n)))
    joins = [("join", n + which) for which in range(random.choice((0, 1, 1, JOINERS)))]
    changes = [*joins, *random.sample(possible, random.randint(0, len(possible)))]
    random.shuffle(changes)
    return changes
