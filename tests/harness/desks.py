"""A dashboard at a node of the tests: a cabinet opened, what its tables and lines say, a form filled in."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from harness.answering_node import AnsweringNode
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tui.app import Dashboard
from tui.widgets.sheet import Sheet
from tui.widgets.texts import TextPanel

WIDE, SMALL, LARGE = (120, 40), (80, 24), (200, 60)
WAIT_S = 30.0


def dashboard(node: AnsweringNode, home: Path | None, who: str | None = None) -> Dashboard:
    return Dashboard([node.url], as_role=who, home=home)


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not true():
            await pilot.pause(0.05)


@asynccontextmanager
async def at(app: Dashboard, key: str, size: tuple[int, int] = WIDE) -> Any:
    """A dashboard whose cabinet `key` is open and has read its node."""
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: bool(app.desk.model.chain.chain_id))
        if app._as is not None:
            await until(pilot, lambda: app.desk.account is not None and app.desk.account.id > 0)
            await pilot.pause(0.1)
        await pilot.press(key)
        await pilot.pause(0.1)
        screen: Any = app.screen
        if hasattr(screen, "_reading"):
            await until(pilot, lambda: screen._read_height != -2 and not screen._reading)
        yield pilot


def rows(app: Dashboard, sheet: str) -> list[tuple[str, ...]]:
    return [line.cells for line in app.screen.query_one(f"#{sheet}", Sheet).lines]


def told(app: Dashboard, panel: str) -> str:
    parts = app.screen.query_one(f"#{panel}", TextPanel).picture
    return "\n".join("".join(text for text, _ in line) for line in parts)


def says(app: Dashboard, widget: str) -> str:
    return str(app.screen.query_one(f"#{widget}", Static).render())


async def fill(pilot: Pilot[None], **values: str) -> None:
    for name, value in values.items():
        pilot.app.screen.query_one(f"#field-{name}", Input).value = value
    await pilot.pause()
