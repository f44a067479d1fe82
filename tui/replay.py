"""The network as it was: the dashboard's model after an earlier block, made from the blocks that it heard.

What no block records has no past: who answered, votes in flight, what waited, readings as they came. Those places stay
empty. What a node keeps is asked of it with the height (`Desk.at`), so that both halves of a screen are of one block.
"""

import pickle
from collections import deque
from dataclasses import replace

from tui.feed import Freshness, Source
from tui.model import NetworkModel
from tui.parts.names import Names
from tui.texts import t

MARKS = 32  # models kept along the reel: a jump folds at most the blocks between two of them
MARK_EVERY = 512  # at least
PACES = (1, 4, 16, 64)  # blocks a second


class Replay:
    """`wanted` is where the scrubber stands, `model` the newest one that was made."""

    def __init__(self, live: NetworkModel) -> None:
        self.live = live
        self.wanted = live.chain.height
        self.model = live
        self.playing = False
        self.pace = PACES[1]
        self._marks: deque[tuple[int, bytes]] = deque()
        self._newest: tuple[int, bytes] | None = None

    # --- where it stands

    @property
    def first(self) -> int:
        return self.live.reel.first

    @property
    def last(self) -> int:
        return self.live.reel.last

    @property
    def time_ms(self) -> int:
        return self.live.reel.time_of(self.wanted)

    def want(self, height: int) -> None:
        self.wanted = min(max(height, self.first), self.last)

    def move(self, blocks: int) -> None:
        self.want(self.wanted + blocks)

    def faster(self, step: int) -> None:
        place = PACES.index(self.pace) + step
        self.pace = PACES[min(max(place, 0), len(PACES) - 1)]

    # --- the model

    def made(self, height: int) -> NetworkModel:
        """A model of its own, as the live one was after that block. Slow where it is far from what was made last."""
        live = self.live
        start, data = self._nearest(height)
        model = pickle.loads(data) if data else NetworkModel(live.public_url, kept=False)
        every = max(MARK_EVERY, len(live.reel.heights) // MARKS)
        for message in live.reel.messages(start, height):
            model.apply_block(message)
            model.chain.replay(message)
            if message["height"] % every == 0:
                self._mark(message["height"], model)
        self._newest = height, pickle.dumps(model)
        self._dress(model, height)
        return model

    def _nearest(self, height: int) -> tuple[int, bytes]:
        known = [*self._marks, *((self._newest,) if self._newest is not None else ())]
        return max((mark for mark in known if mark[0] <= height), key=lambda mark: mark[0], default=(-1, b""))

    def _mark(self, height: int, model: NetworkModel) -> None:
        if all(height != known for known, _ in self._marks):
            self._marks.append((height, pickle.dumps(model)))
            if len(self._marks) > 2 * MARKS:
                self._marks.popleft()

    def _dress(self, model: NetworkModel, height: int) -> None:
        """Names as they are known now, of the plants that there were."""
        live = self.live
        born = live.births
        now = live.names
        names = Names(now.registry, dict(now.participants), {}, dict(now.schemes), wanted=False)
        names.devices = {device: name for device, name in now.devices.items() if born.get(device, 0) <= height}
        vars(model.names).update(vars(names))
        model.chain.chain_id, model.chain.name = live.chain.chain_id, live.chain.name


class Past:
    """A `Source` that says so: the title line never takes the past for live."""

    def __init__(self, live: Source, replay: Replay) -> None:
        self.live, self.replay = live, replay

    async def run(self) -> None:
        """Nothing comes in by itself."""

    def freshness(self) -> Freshness:
        return replace(self.live.freshness(), text=t("replay: not live"), stale=True)

    def answering(self) -> str:
        return self.live.answering()
