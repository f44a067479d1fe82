"""The story under the dashboard: runs the acts behind the screen, and obeys its keys.

Everything here is called from two threads: `drive` by the story's own, the rest by the screen. What they share are
single values, replaced as a whole.
"""

import os
import queue
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from cli.demo.play import SEED_PACE, Interrupted, Performance
from cli.demo.stream import FULL_SPEED
from cli.processes import Processes
from node.client import NodeClient
from tui.story import ProductionTime, StoryState
from tui.texts import t

PACES = (SEED_PACE, 10.0, 100.0, FULL_SPEED)
VICTIM = 3  # the validator that the key kills; the dashboard follows another one
READY_S = 30.0
LINE_S = 8.0  # each line for a second terminal stands this long
SECOND_TERMINAL = (
    "certificate list --from trader",
    "transfer --quantity 1 --technology T02 --from trader --to consumer",
    "retire --quantity 1 --technology T02 --from consumer",
)


class DemoControl:
    """Implements `tui.story.StoryControl`."""

    def __init__(self, performance: Performance, processes: Processes) -> None:
        self.performance = performance
        self.processes = processes
        self.error = ""
        self._victim_runs = True
        self._orders: queue.Queue[str] = queue.Queue()
        self._state = StoryState(caption="four validators run; their people come onto the ledger next")
        home = f"{invoked_as()} --home {performance.directory / 'wallets'}"
        self._lines = [f"{home} {line}" for line in SECOND_TERMINAL]
        performance.caption = self._caption

    # --- for the screen

    def state(self) -> StoryState:
        streams = self.performance.streams
        line = self._lines[int(time.monotonic() / LINE_S) % len(self._lines)]
        if streams is None:
            return replace(self._state, second_terminal=line, pace="commissioning")
        return replace(
            self._state,
            second_terminal=line,
            pace=pace_in_words(streams.pace),
            paused=streams.paused,
            production=self._production(),
            validator_down=not self._victim_runs,
            finished=streams.finished,
        )

    def _production(self) -> tuple[ProductionTime, ...]:
        performance = self.performance
        assert performance.streams is not None
        progress = performance.streams.progress
        return tuple(
            ProductionTime(
                performance.outcome.devices[unit.id], unit.name, unit.recorded, progress[unit.id].last_timestamp
            )
            for unit in performance.units
            if unit.id in progress
        )

    def faster(self) -> None:
        self._change_pace(1)

    def slower(self) -> None:
        self._change_pace(-1)

    def toggle_pause(self) -> None:
        streams = self.performance.streams
        if streams is not None:
            streams.paused = not streams.paused

    def toggle_validator(self) -> None:
        self._orders.put("validator")

    def _change_pace(self, step: int) -> None:
        streams = self.performance.streams
        if streams is not None:
            at = PACES.index(streams.pace) + step
            streams.pace = PACES[min(max(at, 0), len(PACES) - 1)]

    def _caption(self, text: str) -> None:
        self._state = replace(self._state, caption=text)

    # --- behind it

    def drive(self, resume: bool) -> None:
        """The acts, then whatever the keys ask for, until the screen is left."""
        keys = threading.Thread(target=self._obey, name="keys", daemon=True)
        keys.start()
        try:
            self.performance.act(self.processes, resume, None)
            streams = self.performance.streams
            assert streams is not None
            self.performance.describe_cheat()
            streams.pace, streams.reserve = SEED_PACE, 0
            self._caption(
                t("the story is told; the stream goes on at the seed's pace: + and - change it, k kills a validator")
            )
        except Interrupted:
            pass
        except Exception as error:  # the screen must say it: there is nobody above this thread
            self.error = f"{type(error).__name__}: {error}"
            self._caption(t("the story stopped: {error}", error=self.error))
        self.performance.stopping.wait()
        keys.join(READY_S)

    def _obey(self) -> None:
        """Kills and starts, one at a time. Lives as long as the screen: the kernel ends a child with its thread."""
        while not self.performance.stopping.is_set():
            try:
                self._orders.get(timeout=0.2)
            except queue.Empty:
                continue
            try:
                self._toggle()
            except Exception as error:
                self._caption(t("validator {VICTIM} could not be started: {error}", VICTIM=VICTIM, error=error))

    def _toggle(self) -> None:
        stage = self.performance.stage
        assert stage is not None
        home = self.performance.directory / f"node{VICTIM}"
        if self._victim_runs:
            self.processes.kill_node(home)
            self._victim_runs = False
            self._caption(
                t(
                    "validator {VICTIM} was killed (kill -9): three of four are a quorum and go on; k starts it again",
                    VICTIM=VICTIM,
                )
            )
            return
        self.processes.start_node(home)
        self.processes.wait_ready(NodeClient(stage.urls[VICTIM]), READY_S)
        self._victim_runs = True
        self._caption(
            t("validator {VICTIM} is back: it replays its journal, catches up, and signs again", VICTIM=VICTIM)
        )


def invoked_as() -> str:
    """How a second terminal in the same folder calls this command."""
    program = Path(sys.argv[0])
    return os.path.relpath(program) if program.name == "wattest" else "wattest"


def pace_in_words(pace: float) -> str:
    if pace == FULL_SPEED:
        return t("full speed")
    if pace == SEED_PACE:
        return t("1 post a second a unit")
    return t("{pace} posts a second a unit", pace=f"{pace:g}")
