"""The dashboard in a real browser: it is painted there, keys reach it, and a visitor's session is his alone."""

import asyncio
import importlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from harness.browser import CHROMIUM, Page, chromium
from harness.pixels import rows

pytest.importorskip("tui.serving", reason="textual-serve is not installed: pip install wattest[browser]")
browsed = importlib.import_module("harness.browsed")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here"),
    pytest.mark.timeout(240),
]

# What the terminal in the page is told, without colours and movements.
LISTENING = r"""
window.told = "";
const Native = WebSocket;
window.WebSocket = class extends Native {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", async ({ data }) => {
      const text = typeof data === "string" ? data : await new Response(data).text();
      window.told += text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "");
    });
  }
};
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    async with browsed.dashboard_server(tmp_path) as found:
        yield found


async def visit(page: Page, server: TestServer) -> None:
    await page.before(LISTENING)
    await page.open(str(server.make_url("/")))
    await told(page, "looking on")


async def told(page: Page, text: str) -> None:
    await page.until(f"window.told.includes({json.dumps(text)})")


async def press(page: Page, key: str) -> None:
    await page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    await page.value("document.querySelector('.xterm-helper-textarea').focus()")
    pressed = {"key": key, "code": f"Key{key.upper()}", "windowsVirtualKeyCode": ord(key.upper())}
    await page.call("Input.dispatchKeyEvent", type="keyDown", text=key, **pressed)
    await page.call("Input.dispatchKeyEvent", type="keyUp", **pressed)


async def into_the_past(page: Page) -> None:
    """`R` again until a first block was heard: before that there is none to go back to."""
    async with asyncio.timeout(30):
        while "Esc: now" not in await page.value("window.told"):
            await press(page, "R")
            await asyncio.sleep(0.3)  # what is waited for happens in another process
    assert "REPLAY" in await page.value("window.told")


def colours(png: bytes) -> int:
    size = 4 if png[25] == 6 else 3
    return len({row[at : at + 3] for row in rows(png)[::4] for at in range(0, len(row), size)})


async def test_a_browser_paints_the_dashboard_and_its_keys_reach_one_session_only(
    server: TestServer, tmp_path: Path
) -> None:
    async with chromium(tmp_path / "profile") as browser, browser.page("desk") as one, browser.page("desk") as other:
        await visit(one, server)
        await visit(other, server)
        assert colours(await one.picture()) > 40
        await other.value("window.told = ''")
        await press(one, "S")
        await told(one, "sealed   not registered yet")
        assert "owner   owner" not in await one.value("window.told"), "a bare key is offered to whoever comes"
        assert "not registered yet" not in await other.value("window.told")
        await into_the_past(other)
        assert "REPLAY" not in await one.value("window.told"), "the past of one visitor is his alone"
