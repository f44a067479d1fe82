"""Those who use the ledger: ten rounds of everything that can be done on it, and the consortium that changes itself.

Each story is a generator. It yields how to make its next transaction, waits until that is final, and goes on from the
state of that block. What was lost is sent again, what has become wrong meanwhile is made anew.
"""

from collections.abc import Callable, Generator
from copy import copy
from dataclasses import dataclass
from random import Random

from harness.sim import care, market, stories
from harness.sim.beginning import Townsfolk
from harness.sim.ledger import Flat

from contracts.context import BlockEnvironment
from contracts.transition import DecodedTx, check_transaction
from state.errors import Refusal
from state.transaction import Action

ROUNDS = 10
EVERY_BLOCKS = 2  # new stories begin
AT_ONCE = 4
AGAIN_MS = 3_000
LIVES = 9_000  # blocks until a transaction expires: longer than any run
MOST_ATTEMPTS = 6  # at one transaction, before a story goes on without it

Made = tuple[tuple[Action, ...], tuple[str, ...]]  # actions, and who signs
Story = Generator[Callable[[], Made | None], bool, None]


@dataclass
class Running:
    story: Story
    make: Callable[[], Made | None]
    sent: DecodedTx | None = None
    attempts: int = 0


class People:
    def __init__(
        self,
        world: Townsfolk,
        random: Random,
        submit: Callable[[DecodedTx], None],
        changes: list[tuple[str, int]],
        batched: bool,
    ) -> None:
        self.world, self._random, self._submit = copy(world), random, submit
        self.world.vote_seeds = dict(world.vote_seeds)
        self._every = 1 if batched else EVERY_BLOCKS
        self._coming = [stories.trade(self.world, number) for number in range(ROUNDS)]
        self._coming += [stories.decide(self.world, number) for number in range(ROUNDS)]
        self._coming += [care.keys(self.world, number) for number in range(ROUNDS)]
        self._coming += [care.works(self.world, number) for number in range(ROUNDS)]
        self._coming += [market.deal(self.world, number) for number in range(ROUNDS)]
        self._coming.sort(key=lambda story: random.random())
        self._changes = [stories.change(self.world, *change) for change in changes]
        self._running: list[Running] = []
        self.height = 0

    @property
    def finished(self) -> bool:
        return not self._running and not self._coming and not self._changes

    def final(self, height: int, state: Flat, time_ms: int, txids: set[bytes], environment: BlockEnvironment) -> None:
        """A block became final somewhere: whoever waited for it goes on."""
        world = self.world
        world.state, world.height, world.time_ms = state, height, time_ms  # type: ignore[assignment]
        self.height = height
        for running in list(self._running):
            if running.sent is not None and running.sent.txid in txids:
                running.sent = None
                self._go_on(running, True)
            elif running.sent is None:
                self._make(running)
            elif self._refused(running.sent, environment):
                running.sent = None
                self._make(running)
        if height % self._every == 0 and self._coming:
            for _ in range(min(AT_ONCE, len(self._coming))):
                self._begin(self._coming.pop())
        if height % 10 == 5 and self._changes:
            self._begin(self._changes.pop(0))

    def remind(self) -> None:
        """Send again what is not final yet: mempools forget when their nodes crash."""
        for running in self._running:
            if running.sent is not None:
                self._submit(running.sent)

    def accuse(self, action: Action) -> None:
        """Evidence that a node found."""
        self._begin(stories.show(action))

    def _refused(self, decoded: DecodedTx, environment: BlockEnvironment) -> bool:
        try:
            check_transaction(self.world.state, environment, decoded)
        except Refusal:
            return True
        return False

    def _begin(self, story: Story) -> None:
        try:
            running = Running(story, next(story))
        except StopIteration:
            return
        self._running.append(running)
        self._make(running)

    def _go_on(self, running: Running, done: bool) -> None:
        try:
            running.make, running.attempts = running.story.send(done), 0
        except StopIteration:
            self._running.remove(running)
            return
        self._make(running)

    def _make(self, running: Running) -> None:
        try:
            made = running.make()
        except stories.NotPossible:
            self._go_on(running, False)
            return
        if made is None:
            return  # it is not time yet
        if running.attempts >= MOST_ATTEMPTS:
            self._go_on(running, False)
            return
        running.attempts += 1
        actions, by = made
        running.sent = self.world.transaction(*actions, by=by, lives=LIVES)
        self._submit(running.sent)
