"""A recording of the demo's screen in asciinema's format, small enough to lie beside the code.

    python -m tools.recording FILE          records, under two minutes; `make pictures` does it too
    asciinema play FILE                     plays it, with any player of asciicast version 2

A terminal of tmux runs the demo and is looked at once a second; a frame holds only the lines that changed since the one
before. So two minutes are a few hundred kilobytes, and whatever program draws the screen, the recording is its screen.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZE = (120, 40)
SESSION = "wattest-recording"
EVERY_S = 1.0
LONGEST_S = 105
STILL_S = 20  # without a change: the demo is over
PRESSED = ((62, "k"), (76, "k"), (88, "P"))  # once the story is told: a validator dies, comes back; the plants' cabinet
SCRATCH = re.compile(r"/\S*wattest-demo-\w+")  # where the demo keeps its homes on the machine that records
CLEAR = "\x1b[2J"


def main(file: Path) -> None:
    width, height = SIZE
    command = f"{sys.executable} -m cli.main demo"
    _tmux("new-session", "-d", "-s", SESSION, "-x", str(width), "-y", str(height), f"cd '{ROOT}' && {command}")
    try:
        events = list(recorded(_screen, _press, time.monotonic, time.sleep))
    finally:
        _tmux("send-keys", "-t", SESSION, "C-c")
        time.sleep(EVERY_S)
        subprocess.run(["tmux", "kill-session", "-t", SESSION], check=False, capture_output=True)
    header = {"version": 2, "width": width, "height": height, "title": "wattest: make demo"}
    lines = [json.dumps(header), *(json.dumps([at, "o", text], ensure_ascii=False) for at, text in events)]
    file.write_text("\n".join(lines) + "\n", "utf-8")


def recorded(
    screen: Callable[[], list[str]],
    press: Callable[[str], None],
    clock: Callable[[], float],
    wait: Callable[[float], None],
) -> Iterator[tuple[float, str]]:
    """(seconds, what to write) for each look at a screen that changed, until it is still or the time is over."""
    begun = changed = clock()
    before: list[str] = []
    left = list(PRESSED)
    while clock() - begun < LONGEST_S and (not before or clock() - changed < STILL_S):
        if left and clock() - begun >= left[0][0]:
            press(left.pop(0)[1])
        now = screen()
        text = difference(before, now)
        if text:
            changed = clock()
            yield round(changed - begun, 2), text if before else CLEAR + text
        before = now
        wait(EVERY_S)


def difference(before: list[str], now: list[str]) -> str:
    """Escape sequences that turn one screen into the next, a whole line at a time."""
    lines = enumerate(now)
    changed = [(row, line) for row, line in lines if row >= len(before) or before[row] != line]
    return "".join(f"\x1b[{row + 1};1H\x1b[0m\x1b[2K{line}" for row, line in changed)


def _screen() -> list[str]:
    shown = _tmux("capture-pane", "-e", "-p", "-t", SESSION).split("\n")[: SIZE[1]]
    return [SCRATCH.sub("demo", line) for line in shown]


def _press(key: str) -> None:
    _tmux("send-keys", "-t", SESSION, key)


def _tmux(*arguments: str) -> str:
    return subprocess.run(["tmux", *arguments], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]))
