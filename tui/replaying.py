"""Replay as the app runs it: the scrubber's wishes become models, made in a thread, and Play moves it on."""

from typing import TYPE_CHECKING

from tui.model import NetworkModel
from tui.replay import Replay
from tui.texts import t
from tui.widgets.scrubber import Scrubber

if TYPE_CHECKING:
    from tui.app import Dashboard

TICK_S = 0.25


class Replaying:
    """One for each app; it ticks only while somebody replays."""

    def __init__(self, app: "Dashboard") -> None:
        self._app = app
        self._making = False
        self._owed = 0.0  # of a block, by the pace

    def begin(self) -> None:
        """Once there is a block; again: the scrubber takes the keys."""
        desk = self._app.desk
        if desk.replay is None:
            if not desk.model.reel.heights:
                self._app.notify(t("There is no block to go back to yet."), severity="warning", timeout=4)
                return
            desk.begin_replay()
            self._make(desk.model.chain.height)
        for scrubber in self._app.screen.query(Scrubber):
            scrubber.follow()
            scrubber.focus()

    def end(self) -> None:
        self._app.desk.end_replay()
        for scrubber in self._app.screen.query(Scrubber):
            scrubber.follow()
        if isinstance(self._app.focused, Scrubber):
            self._app.screen.focus_next()

    def tick(self) -> None:
        replay = self._app.desk.replay
        if replay is None:
            return
        if replay.playing:
            self._owed += replay.pace * TICK_S
            replay.move(int(self._owed))
            self._owed %= 1
            replay.playing = replay.wanted < replay.last
        if not self._making and replay.wanted != self._app.desk.model.chain.height:
            self._make(replay.wanted)
        for scrubber in self._app.screen.query(Scrubber):
            scrubber.follow()

    def _make(self, height: int) -> None:
        replay = self._app.desk.replay
        assert replay is not None, "somebody replays"
        self._making = True
        self._app.run_worker(lambda: self._made(replay, height), thread=True, exit_on_error=False, group="replay")

    def _made(self, replay: Replay, height: int) -> None:
        try:
            model = replay.made(height)
        finally:
            self._making = False
        self._app.call_from_thread(self._show, replay, model)

    def _show(self, replay: Replay, model: NetworkModel) -> None:
        if self._app.desk.replay is replay:
            self._app.desk.model = model
