"""The shape of an attack, and the list of all of them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from attacks.field import Field


@dataclass
class Attempt:
    """What one attack notes while it runs. `succeeded` are things that should have been refused and were not."""

    short: bool
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)  # (who, code)
    succeeded: list[str] = field(default_factory=list)
    movers: set[int] = field(default_factory=set)  # participants who lawfully hold other outputs afterwards
    tried: int = 0

    def expect(self, who: str, code: str, *lawful: str) -> None:
        """One thing was tried: it came back with `code`, which must be one of `lawful`."""
        self.tried += 1
        if code in lawful:
            self.refused[who, code] += 1
        else:
            self.succeeded.append(f"{who} answered {code}, not {' or '.join(lawful)}")


Act = Callable[[Field, Attempt], None]


@dataclass(frozen=True)
class Attack:
    name: str
    trying: str  # what it tries, in words
    act: Act


BOOK: list[Attack] = []


def attack(name: str, trying: str) -> Callable[[Act], Act]:
    """Enter a function into the book."""

    def enter(act: Act) -> Act:
        BOOK.append(Attack(name, trying, act))
        return act

    return enter
