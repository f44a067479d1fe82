"""Runs the book against a field and says what came of it: a table, and one JSON object."""

import json
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from attacks import floods, malformed, minting, proofs, readings, spending, votes
from attacks.book import BOOK, Attack, Attempt
from attacks.field import Field
from attacks.sight import harm, look

# The order of the book is that of these modules: what takes a validator down comes last.
ORDER = (spending, minting, readings, proofs, malformed, floods, votes)
COLUMNS = ("attack", "what was tried", "who refused it", "code")


@dataclass(frozen=True)
class Verdict:
    attack: Attack
    attempt: Attempt
    harm: list[str]
    seconds: float

    @property
    def held(self) -> bool:
        return not self.harm and not self.attempt.succeeded and bool(self.attempt.refused)


def run(short: bool, directory: Path | None = None, names: tuple[str, ...] = ()) -> list[Verdict]:
    """Every attack of the book, or those of `names`, one after the other on one network."""
    place = directory or Path(tempfile.mkdtemp(prefix="wattest-attack-"))
    try:
        with Field(place) as field:
            return [try_out(field, each, short) for each in in_order() if not names or each.name in names]
    finally:
        if directory is None:
            shutil.rmtree(place, ignore_errors=True)


def in_order() -> list[Attack]:
    modules = [module.__name__ for module in ORDER]
    return sorted(BOOK, key=lambda each: modules.index(each.act.__module__))


def try_out(field: Field, each: Attack, short: bool) -> Verdict:
    """Look, try, look again."""
    began = time.monotonic()
    attempt, before = Attempt(short), look(field)
    each.act(field, attempt)
    found = harm(field, before, frozenset(attempt.movers))
    return Verdict(each, attempt, found, time.monotonic() - began)


def table(verdicts: list[Verdict]) -> str:
    rows = [COLUMNS]
    for verdict in verdicts:
        who, codes = _refused(verdict.attempt)
        rows.append((verdict.attack.name, verdict.attack.trying, who, codes))
        for wrong in (*verdict.attempt.succeeded, *verdict.harm):
            rows.append(("", f"HARM: {wrong}", "", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join((lines[0], "  ".join("-" * width for width in widths), *lines[1:]))


def _refused(attempt: Attempt) -> tuple[str, str]:
    """Who refused, nodes in one word; the codes with their numbers."""
    nodes = sorted({who.split()[1] for who, _ in attempt.refused if who.startswith("node ")})
    others = sorted({who for who, _ in attempt.refused if not who.startswith("node ")})
    named = [f"node{'s' * (len(nodes) > 1)} {', '.join(nodes)}"] if nodes else []
    codes = [code if number == 1 else f"{code} ×{number}" for code, number in _codes(attempt).most_common()]
    return "; ".join(named + others), ", ".join(codes)


def _codes(attempt: Attempt) -> Counter[str]:
    codes: Counter[str] = Counter()
    for (_, code), number in attempt.refused.items():
        codes[code] += number
    return codes


def summary(verdicts: list[Verdict], seconds: float) -> str:
    """The last line: what a script reads."""
    return json.dumps(
        {
            "attacks": len(verdicts),
            "harmless": sum(verdict.held for verdict in verdicts),
            "tried": sum(verdict.attempt.tried for verdict in verdicts),
            "harm": {
                verdict.attack.name: [*verdict.attempt.succeeded, *verdict.harm] or ["nothing was refused"]
                for verdict in verdicts
                if not verdict.held
            },
            "refused": {verdict.attack.name: dict(_codes(verdict.attempt)) for verdict in verdicts},
            "attack_seconds": {verdict.attack.name: round(verdict.seconds, 1) for verdict in verdicts},
            "seconds": round(seconds, 1),
        }
    )
