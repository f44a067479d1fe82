"""The product with one rule left out, or one line wrong: what the tests must notice, or their green means nothing.

A mutant is a function that changes modules through pytest's MonkeyPatch. `rules.py` has those of the protocol's own
list (consensus.md section 11, by their numbers), the other modules those of our own. `gate.py`
is `make mutants`: it lets each of them live alone and shows what kills it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

CORE = ("tests/consensus_rules", "tests/scenarios")  # seconds, and they know every clause of the engine

Change = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    number: str  # of the protocol's list, or a letter for our own
    change: Change
    hunt: dict[str, object] = field(default_factory=dict)  # options of the simulator that are looked at
    directed: tuple[str, ...] = ()  # tests that know this rule
    equivalent: str = ""  # why nothing can notice it

    @property
    def name(self) -> str:
        return self.change.__name__

    @property
    def tests(self) -> tuple[str, ...]:
        """Those that know the rule, whole networks of processes last."""
        tests = self.directed + (() if self.change.__module__.endswith("journal") else CORE)
        return tuple(sorted(tests, key=lambda test: test.startswith("tests/network") and "journal" not in test))

    @property
    def about(self) -> str:
        return (self.change.__doc__ or "").strip()


MUTANTS: dict[str, Mutant] = {}


def mutant(number: str, *directed: str, equivalent: str = "", **hunt: object) -> Callable[[Change], Change]:
    """Enter a mutant into the list."""

    def enter(change: Change) -> Change:
        found = Mutant(number, change, hunt, directed, equivalent)
        assert found.name not in MUTANTS, found.name
        MUTANTS[found.name] = found
        return change

    return enter


def all_mutants() -> dict[str, Mutant]:
    """Every mutant by its name, in the order of the files."""
    from harness.mutation import certificates, engine, epochs, journal, rules, snapshot  # noqa: F401

    return MUTANTS
