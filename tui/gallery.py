"""`python -m tui.gallery OUT_DIR`: pictures of the dashboard as SVG files, at the two sizes that it is made for.

The network in them is the rehearsal's, so that the pictures change only where the dashboard does.
"""

import asyncio
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tui.app import Dashboard
from tui.rehearsal import CAPTION, Recording, StillStory, story

SIZES = ((120, 40), (80, 24))
SETTLE_S = 0.4  # two paints
FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
FONTS = "Fira Code, DejaVu Sans Mono, Menlo, Consolas, monospace"  # of the reader's machine: nothing is fetched
SMALL = {"network": "1", "plants": "2", "statements": "5"}  # panel and its key
DOWN = "validator 3 was killed (kill -9): three of four are a quorum and go on; k starts it again"


@dataclass(frozen=True)
class Shot:
    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    down: int | None = None


def shots() -> list[Shot]:
    wide, small = SIZES
    return [
        Shot("dashboard", wide),
        Shot("killed-validator", wide, down=3),
        Shot("plants", wide, ("2",)),
        *(Shot(f"small-{name}", small, (key,)) for name, key in SMALL.items()),
        Shot("help", wide, ("question_mark",)),
    ]


async def take(shot: Shot) -> str:
    """The SVG text of one picture."""
    told = StillStory(DOWN if shot.down is not None else CAPTION, shot.down is not None)
    app = Dashboard(["https://wattest.example"], told)
    app.source = Recording(app.model, story(shot.down), shot.down)
    async with app.run_test(size=shot.size) as pilot:
        await pilot.pause(SETTLE_S)
        await pilot.press(*shot.keys)
        await pilot.pause(SETTLE_S)
        return _self_contained(app.export_screenshot(title="wattest"))


def _self_contained(svg: str) -> str:
    """Without the web font that Textual links to, and with class names that do not change from run to run."""
    svg = FONT_FACES.sub("", svg).replace("Fira Code", FONTS)
    return re.sub(r"terminal-\d+", "terminal", svg)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for shot in shots():
        (folder / f"{shot.name}.svg").write_text(asyncio.run(take(shot)), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tui.gallery OUT_DIR")
    main(Path(sys.argv[1]))
