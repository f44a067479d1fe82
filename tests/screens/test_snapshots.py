"""Every cabinet at every size as its words stand on the screen, line by line, beside this file in `snapshots/`.

What a cabinet says is a text that a reviewer reads in the difference of a commit; colours are the business of the
pictures. `WATTEST_SNAPSHOTS=write` writes them anew.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, market_town, wallet_of
from harness.desks import LARGE, SMALL, WIDE, at, dashboard
from textual.pilot import Pilot

SNAPSHOTS = Path(__file__).parent / "snapshots"
WRITES = os.environ.get("WATTEST_SNAPSHOTS") == "write"
SIZES = (SMALL, WIDE, LARGE)
WHO = {"N": None, "P": "owner", "H": "owner", "M": "trader", "A": None, "G": None}
NAMES = {"N": "network", "P": "plants", "H": "holder", "M": "market", "A": "auditor", "G": "authority"}
STILL = 40  # looks of a tenth of a second: names come behind the first picture
PORT = re.compile(r"127\.0\.0\.1:\d+")


@pytest.fixture(scope="module")
def node() -> Iterator[AnsweringNode]:
    found = AnsweringNode(market_town()).start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, node: AnsweringNode) -> Path:
    directory = wallet_of(tmp_path_factory.mktemp("wallets"), node.chain, "owner", "trader")
    return wallet_of(directory, node.chain, "Organisation 0", purpose="governance")


def screen_text(pilot: Pilot[None]) -> str:
    """What stands on the screen, a line for each row, without colours and trailing blanks."""
    strips = pilot.app.screen._compositor.render_strips()
    return "".join(f"{PORT.sub('127.0.0.1:PORT', strip.text).rstrip()}\n" for strip in strips)


async def settled(pilot: Pilot[None], wanted: str | None) -> str:
    """The screen once it is what is wanted, or else once it has changed no more for a while."""
    text, same = "", 0
    while text != wanted and same < STILL:
        await pilot.pause(0.1)
        before, text = text, screen_text(pilot)
        same = same + 1 if text == before else 0
    return text


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("key", WHO)
async def test_a_cabinet_says_what_it_said(node: AnsweringNode, home: Path, key: str, size: tuple[int, int]) -> None:
    path = SNAPSHOTS / f"{NAMES[key]}-{size[0]}x{size[1]}.txt"
    stored = None if WRITES else path.read_text(encoding="utf-8")
    app = dashboard(node, home, WHO[key])
    async with at(app, key, size) as pilot:
        text = await settled(pilot, stored)
    if WRITES:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    assert text == stored, "look at the difference; WATTEST_SNAPSHOTS=write writes it anew"
