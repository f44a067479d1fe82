"""The attack that breaks Clique and AuRa: one validator's key runs on both sides of a partition at the same time."""

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cluster import Cluster, gate_s
from harness.net import keys_of
from harness.world import key_of

from consensus.evidence import contradict
from consensus.records import JournalRecord, OwnVote
from consensus.votes import Vote
from node.failures import NodeUnreachable, RefusedByNode
from node.journal import Journal
from state.codec import decode

EPOCH_LENGTH = 80
OWN_KEY_ELSEWHERE = 74
HOLD_S = 6.0
SEEN_S = 20.0
WITHIN_BLOCKS = 10
SHAMELESS = "harness.villains.shameless"


@dataclass(frozen=True)
class Cloned:
    """`contradictions`: how many views of one epoch hold votes of both lives that contradict each other, by their own
    journals. Without any there is nothing to be held against the key."""

    what: str
    contradictions: int
    forks: int
    back_s: float | None
    evidence_blocks: int | None  # from the healing to the block that holds the evidence
    revoked: bool  # in office no more after the end of that epoch
    exits: dict[int, int]

    @property
    def unpunished(self) -> bool:
        """There was something to be held against the key, and it was not on the ledger within ten blocks."""
        in_time = self.evidence_blocks is not None and self.evidence_blocks <= WITHIN_BLOCKS
        return bool(self.contradictions) and not (in_time and self.revoked)


def clone_round(
    directory: Path,
    count: int,
    dice: random.Random,
    hold_s: float = HOLD_S,
    length: int = EPOCH_LENGTH,
    idle_ms: int = 1_000,
) -> Cloned:
    """A network in which the key of one validator also runs as machine `count`, on the other side of a split.

    Which of the two is on the side that goes on is left to the dice, and so is whether the clone followed the chain
    before the split.
    """
    victim = dice.randrange(count)
    cluster = Cluster(directory, count, length, victim, idle_ms)
    clone = count
    cluster.start(*range(count))
    try:
        cluster.await_ready()
        others = dice.sample([machine for machine in range(count) if machine != victim], count - 1)
        at = dice.randint(1, count - 2)
        left, right = [victim, *others[:at]], [clone, *others[at:]]
        split = cluster.links.split(left, right)
        early = dice.random() < 0.5
        cluster.links.cut([way for way in split if clone in way] if early else split)
        cluster.start(clone, program=SHAMELESS)
        if early:
            cluster.await_heights(max(cluster.heights()), [clone], SEEN_S)
            while max(cluster.heights()) % length > length // 2:  # all of it is to happen within one epoch
                time.sleep(0.1)
            cluster.links.cut(split)
        else:
            cluster.await_heights(0, [clone], SEEN_S)
        time.sleep(hold_s)
        healed = max(cluster.heights())
        cluster.links.heal()
        back_s = cluster.await_heights(healed, others, gate_s(count))
        found = _evidence(cluster, others[0], SEEN_S)
        revoked = found is not None and _revoked(cluster, others, victim, found, length)
        forks = cluster.forks()
    finally:
        exits = cluster.stop()
    what = f"key of {victim}: {sorted(left)} | {sorted(right)}, the clone {'before' if early else 'after'} the split"
    contradictions = _contradictions(cluster, victim, clone)
    return Cloned(what, contradictions, forks, back_s, None if found is None else found - healed, revoked, exits)


def _contradictions(cluster: Cluster, *machines: int) -> int:
    one, other = (_own_votes(cluster, machine) for machine in machines)
    views = {(vote.epoch, vote.view) for vote in one for twin in other if contradict(vote, twin)}
    return len(views)


def _own_votes(cluster: Cluster, machine: int) -> list[Vote]:
    home, owner = cluster.homes[machine], machine if machine < cluster.count else cluster.clone
    assert owner is not None
    assert keys_of(owner).vote is not None
    journal = Journal.open(home / "data" / "journal", cluster.chain, key_of(f"vote_key{owner}"))
    journal.close()
    records = [decode(JournalRecord, record) for record in journal.recovered]  # type: ignore[arg-type]
    return [record.vote for record in records if isinstance(record, OwnVote)]


def _evidence(cluster: Cluster, machine: int, seconds: float) -> int | None:
    """Height of the first block that holds evidence, as one node tells it; None if none comes within `seconds`."""
    deadline, height = time.monotonic() + seconds, 1
    while time.monotonic() < deadline:
        if cluster.heights()[machine] < height:
            time.sleep(0.1)
            continue
        for txid in _get(cluster, machine, f"/v1/blocks/{height}")["transactions"]:
            if "contradicting votes" in str(_get(cluster, machine, f"/v1/transactions/{txid}")["actions"]):
                return height
        height += 1
    return None


def _revoked(cluster: Cluster, honest: list[int], victim: int, found: int, length: int) -> bool:
    end = ((found - 1) // length + 1) * length
    if cluster.await_heights(end, honest, 4 * length) is None:
        return False
    validators = _get(cluster, honest[0], "/v1/validators")["validators"]
    return victim + 1 not in [validator["participant"] for validator in validators]


def _get(cluster: Cluster, machine: int, path: str) -> dict[str, Any]:
    for _ in range(20):
        try:
            return cluster.clients[machine].get(path)
        except (NodeUnreachable, RefusedByNode):
            time.sleep(0.25)
    raise AssertionError(f"node {machine} does not answer {path}")
