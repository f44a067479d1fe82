"""A node that works as the product does, on strings: what it hears and what it says goes through a villain."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from harness.sim.beginning import vote_key_name
from harness.sim.node import SimNode
from harness.sim.villains.speaker import Villain

from consensus import effects, inputs
from consensus.messages import ConsensusMessage
from contracts.context import BlockOutput


class Puppeteer(Villain):
    """A villain that plays one honest node and changes what it hears and says."""

    def __init__(self, index: int, cluster: Any) -> None:
        super().__init__(index, cluster)
        self.puppets = [Puppet(self, 0)]

    def start(self) -> None:
        for puppet in self.puppets:
            puppet.start()

    def receive(self, source: int, message: ConsensusMessage) -> None:
        for puppet in self.puppets:
            if self.hears(puppet, source, message):
                time_ms = puppet.time_ms(puppet.node)
                puppet.hear(inputs.MessageReceived(puppet.now_ms, time_ms, str(source), message))

    def hears(self, puppet: "Puppet", source: int, message: ConsensusMessage) -> bool:
        return True

    def says(self, puppet: "Puppet", message: ConsensusMessage, to: int | None) -> None:
        """As an honest node would; what is overridden is the lie."""
        for target in self.others if to is None else [to]:
            self.tell(target, message)


class Puppet:
    """One node and the world as it sees it: it never crashes, and nobody believes what it commits."""

    def __init__(self, villain: Puppeteer, which: int) -> None:
        self._villain, self._cluster, self.which = villain, villain.cluster, which
        keys = (vote_key_name(villain.index),)
        name = f"villain{villain.index}-{which}"
        self.node = SimNode(villain.index, self, self._cluster.settings, keys, self._cluster.ledger_opener, name)

    def start(self) -> None:
        self.node.start()

    def hear(self, given: inputs.Input) -> None:
        try:
            self.node.take(given)
        except AssertionError:
            self.node.engine = None  # it was outwitted by its own lies

    # --- harness.sim.node.Surroundings

    @property
    def now_ms(self) -> int:
        return int(self._cluster.now_ms)

    @property
    def random(self) -> Random:
        found: Random = self._cluster.random
        return found

    @property
    def first_directory(self) -> Path:
        return Path(self._cluster.first_directory)

    def time_ms(self, node: SimNode) -> int:
        return int(self._cluster.time_ms(node)) + 7 * self.which

    def transmit(self, node: SimNode, message: ConsensusMessage, to: int | None) -> None:
        self._villain.says(self, message, to)

    def later(self, node: SimNode, at_ms: int, make: Callable[[int, int], inputs.Input]) -> None:
        def happen() -> None:
            if at_ms < 0 or at_ms in node.timers.values():
                self.hear(make(self.now_ms, self.time_ms(node)))

        self._cluster.at(self.now_ms + 5 if at_ms < 0 else at_ms, happen)

    def maybe_die(self, node: SimNode) -> None:
        """Never."""

    def no_blocks(self, node: SimNode, peer: int) -> None:
        """It lets them ask."""

    def blocks_gone(self, node: SimNode) -> None:
        """It is left behind."""

    def term_began(self, node: SimNode) -> None:
        node.term.engine._own.require_own = lambda *_: None  # type: ignore[method-assign]  # an honest node would stop
        for other in self._villain.others:
            self.later(node, -1, lambda now, time, peer=str(other): inputs.PeerUp(now, time, peer))

    def committed(self, node: SimNode, effect: effects.Commit, output: BlockOutput) -> None:
        """Nobody asks."""

    def accuse(self, node: SimNode, evidence: effects.EvidenceFound) -> None:
        """It keeps that to itself."""
