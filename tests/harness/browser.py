"""A real Chromium, driven over its DevTools connection: pages of one size, scripts before theirs, pictures.

One browser serves many pages; each page is a context of its own, so nothing that one keeps is there for the next.
"""

import asyncio
import json
import re
import shutil
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIZES = {"phone": (390, 844), "desk": (1280, 900)}
PATIENCE_S = 60
MAX_PICTURE = 64 * 1024 * 1024
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")


class Page:
    """One page at one size."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser, self._session = browser, session

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return await self._browser.call(method, self._session, **parameters)

    async def before(self, script: str) -> None:
        """Runs in every page that is opened from now on, before its own scripts."""
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def value(self, expression: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """The value of the expression as soon as it is one."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                value = await self.value(expression)
                if value:
                    return value
                await asyncio.sleep(0.02)  # what is waited for happens in another process

    async def picture(self) -> bytes:
        """The whole page as PNG, also what lies below the screen."""
        answer = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return b64decode(answer["data"])


class Browser:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        await self._socket.send_str(json.dumps(asked | ({"sessionId": session} if session else {})))
        async with asyncio.timeout(PATIENCE_S):
            while True:  # events pass by
                said = json.loads(await self._socket.receive_str())
                if said.get("id") == self._number:
                    if "error" in said:
                        raise AssertionError(f"{method}: {said['error']}")
                    return dict(said["result"])

    @asynccontextmanager
    async def page(self, size: str = "phone") -> AsyncIterator[Page]:
        context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        target = (await self.call("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = Page(self, session)
        width, height = SIZES[size]
        shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
        await page.call("Emulation.setDeviceMetricsOverride", **shape)
        await page.call("Page.enable")
        yield page
        await self.call("Target.disposeBrowserContext", browserContextId=context)


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Browser]:
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            url = await _listening(process)
        async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=MAX_PICTURE) as socket:
            yield Browser(socket)
    finally:
        process.kill()
        await process.wait()


async def _listening(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        found = re.search(rb"DevTools listening on (ws://\S+)", line)
        if found:
            return found[1].decode()
    raise AssertionError("Chromium ended before it listened")
