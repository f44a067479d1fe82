"""`python -m tui.gallery OUT_DIR`: pictures of the dashboard as SVG files, at the two sizes that it is made for.

The network in them is the rehearsal's, so that the pictures change only where the dashboard does. The cabinets ask a
node, so theirs are of a running network, such as the one of `make demo KEEP=net`:

    python -m tui.gallery OUT_DIR --of net          one picture of each cabinet, signed in as who works there
"""

import asyncio
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tui.app import Dashboard
from tui.rehearsal import CAPTION, Recording, StillStory, story

SIZES = ((120, 40), (80, 24))
SETTLE_S = 0.4  # two paints
LIVE_S = 2.5  # until a cabinet has read its node
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


@dataclass(frozen=True)
class LiveShot:
    """`key` opens the cabinet, `keys` are pressed in it; `who` is the key of the home that is signed in."""

    name: str
    key: str
    who: str
    keys: tuple[str, ...] = ()


LIVE = (
    LiveShot("plants", "P", "sun-owner", ("left",) * 9),
    LiveShot("cheat", "P", "cheat", ("left",) * 5),
    LiveShot("holder", "H", "trader"),
    LiveShot("market", "M", "trader"),
    LiveShot("auditor", "A", "auditor", ("v",)),
    LiveShot("authority", "G", "authority"),
)


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


async def take_live(shot: LiveShot, urls: list[str], home: Path) -> str:
    """A cabinet of a running network, once it has read its node."""
    app = Dashboard(urls, home=home, as_role=shot.who)
    async with app.run_test(size=SIZES[0]) as pilot:
        await pilot.pause(LIVE_S)
        await pilot.press(shot.key)
        await pilot.pause(LIVE_S)
        for key in shot.keys:
            await pilot.press(key)
            await pilot.pause(SETTLE_S)
        await pilot.pause(LIVE_S)
        return _self_contained(app.export_screenshot(title="wattest"))


def _self_contained(svg: str) -> str:
    """Without the web font that Textual links to, and with class names that do not change from run to run."""
    svg = FONT_FACES.sub("", svg).replace("Fira Code", FONTS)
    return re.sub(r"terminal-\d+", "terminal", svg)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for shot in shots():
        (folder / f"{shot.name}.svg").write_text(asyncio.run(take(shot)), encoding="utf-8")


def main_live(folder: Path, network: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    urls = [node["api"] for node in json.loads((network / "testnet.json").read_text())["nodes"]]
    for shot in LIVE:
        picture = asyncio.run(take_live(shot, urls, network / "wallets"))
        (folder / f"cabinet-{shot.name}.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [folder]:
            main(Path(folder))
        case [folder, "--of", network]:
            main_live(Path(folder), Path(network))
        case _:
            sys.exit("usage: python -m tui.gallery OUT_DIR [--of NETWORK]")
