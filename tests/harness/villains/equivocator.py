"""The cloned key: two honest engines with one key, each talking to its part of the network.

The Attack of the Clones, which makes Clique and AuRa pay twice. Each twin keeps its own journal and proposes its own
blocks, so the key signs two NOTARIZE votes for every view it leads.
"""

from typing import Any

from harness.sim_node import SimNode
from harness.vote_keys import VoteKeys

from consensus import effects, inputs
from consensus.engine import Engine
from consensus.messages import ConsensusMessage
from consensus.own_votes import OwnVotes
from consensus.votes import Position
from state.block import Header


class _Shameless(OwnVotes):
    def require_own(self, signer: int, kind: int, position: Position, final_view: int) -> None:
        """An honest node would stop here."""


class _Twin(Engine):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._own = _Shameless(settings["chain"], settings["signer"], self._me, True)


class Equivocator:
    def __init__(self, index: int, world: Any, keys: VoteKeys, genesis: Header) -> None:
        self.index, self._world = index, world
        self._twins = [
            SimNode(
                index,
                _TwinWorld(self, which),
                world.schedule,
                genesis,
                keys.signers[index],
                keys.verify,
                world.options.timing,
                _Twin,
            )
            for which in (0, 1)
        ]
        # some hear both twins, and make evidence of what they say
        sides = [world.random.choice((1, 2, 3)) for _ in range(world.schedule.everybody)]
        self.sides = tuple({i for i, side in enumerate(sides) if side & bit and i != index} for bit in (1, 2))

    def start(self) -> None:
        for which, twin in enumerate(self._twins):
            twin.mempool.add(b"paid to %d" % which)
            twin.start()
            self._give(twin, inputs.Start(self._world.now_ms, self.time()))

    def receive(self, source: int, message: ConsensusMessage) -> None:
        for twin, side in zip(self._twins, self.sides, strict=True):
            if source in side or self._world.random.random() < 0.2:
                given = inputs.MessageReceived(self._world.now_ms, self.time(), str(source), message)
                self._give(twin, given)

    def _give(self, twin: SimNode, given: inputs.Input) -> None:
        try:
            twin.take(given)
        except AssertionError:
            twin.engine = None  # a twin that the other one has outwitted
        twin.mempool.add(b"paid to %d" % self._twins.index(twin))

    def time(self) -> int:
        return int(self._world._time(self._twins[0]))


class _TwinWorld:
    """The real world, seen by one twin: it reaches its own side only."""

    def __init__(self, villain: Equivocator, which: int) -> None:
        self._villain, self._which = villain, which

    def transmit(self, source: int, message: ConsensusMessage, to: str | None) -> None:
        world = self._villain._world
        for target in sorted(self._villain.sides[self._which]):
            if to is None or int(to) == target:
                world.carry(source, target, message)

    def later(self, node: SimNode, at_ms: int, make: Any) -> None:
        world, villain = self._villain._world, self._villain

        def happen() -> None:
            given = make(world.now_ms, villain.time())
            if not isinstance(given, inputs.TimerFired) or node.timers.get(given.purpose) == at_ms:
                villain._give(node, given)

        world.at(world.now_ms + 5 if at_ms < 0 else at_ms, happen)

    def crash_here(self, node: SimNode) -> bool:
        return False

    def pick(self, bound: int) -> int:
        return 0

    def first_input(self, node: SimNode) -> inputs.Start:
        return inputs.Start(self._villain._world.now_ms, self._villain.time())

    def committed(self, node: SimNode, effect: effects.Commit) -> None:
        """Nobody believes a villain."""
