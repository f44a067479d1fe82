"""Where processes die: at places drawn at random, or at one that is named."""

from math import log
from random import Random

from harness.sim.options import Options

NEVER = 10**12


class Crashed(Exception):
    """The process died in the middle of what it did."""


class Deaths:
    """Counts down to the next death, so that a place where nobody dies costs a subtraction."""

    def __init__(self, options: Options, random: Random) -> None:
        self._options, self._random = options, random
        self.places = 0  # where the node of `die_at` could have died
        self.fetching = (0, 0)  # the first and last of them while it fetched a state
        self._left = self._draw()

    def reach(self, node: int, faulty: bool, fetches: bool = False) -> None:
        """A node is at a place where it can die; Crashed if it does."""
        chosen = self._options.die_at
        if chosen is not None and chosen[0] == node:
            self.places += 1
            if fetches:
                self.fetching = (self.fetching[0] or self.places, self.places)
            if self.places == chosen[1]:
                raise Crashed
        self._left -= 1
        if self._left <= 0:
            self._left = self._draw()
            if faulty:
                raise Crashed

    def _draw(self) -> int:
        chance = self._options.crash
        return NEVER if not chance else 1 + int(log(1 - self._random.random()) / log(1 - chance))
