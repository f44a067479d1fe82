"""The seam between the dashboard and a story that is played on the network: what it says now, and its knobs.

`wattest demo` hands in an object of its own that runs in another thread; without one the dashboard only watches.
Every method returns at once and may be called from the thread of the screen.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ProductionTime:
    """How far a device's record has been played: `timestamp` in seconds, `recorded` the year that it comes from."""

    device: int
    name: str
    recorded: int
    timestamp: int


@dataclass(frozen=True)
class StoryState:
    caption: str = ""  # one sentence: what happens now, and why it matters
    second_terminal: str = ""  # the exact line that another terminal can run
    pace: str = ""  # e.g. `full speed`, `1 post a second a unit`
    paused: bool = False
    production: tuple[ProductionTime, ...] = ()
    validator_down: bool = False  # the one that `toggle_validator` stops is stopped
    finished: bool = False


class StoryControl(Protocol):
    """Implemented by the demo's driver and by the stand-in of the tests; thread-safe, never blocking."""

    def state(self) -> StoryState: ...

    def faster(self) -> None: ...

    def slower(self) -> None: ...

    def toggle_pause(self) -> None: ...

    def toggle_validator(self) -> None:
        """Kill the last validator as `kill -9` would, or start it again."""
