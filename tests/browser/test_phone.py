"""The pages in a real browser, as a phone and as a desk sees them: they fit, they are complete, their QR code reads.

Needs Chromium and a reader of QR codes (`zbarimg`); without them these tests say so and are skipped. The pages are
served by the listener of the public pages alone, as on a network of strangers.
"""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from harness.finalized import lively_world
from harness.pixels import right_edge
from harness.served import Served

from node.api.routes import PAGES
from node.api.server import LISTENING, make_app

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ZBARIMG = shutil.which("zbarimg")
NUMBER = "WAT-FR-0000001-201404-000000002-53"
WHOLE = bool(os.environ.get("WATTEST_BROWSER"))  # `make browser`: every page at every size; else one
SIZES = {"phone": "390,1600", "desk": "1280,1400"}

whole = pytest.mark.skipif(not WHOLE, reason="of the whole form: make browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here"),
    pytest.mark.timeout(240),
]


@pytest.fixture
async def address() -> AsyncIterator[str]:
    server = TestServer(make_app(Served(lively_world()).services, PAGES))
    await server.start_server(**LISTENING)
    yield f"http://127.0.0.1:{server.port}"
    await server.close()


async def run(*command: object) -> str:
    """What a program prints. In a thread of its own: what a loop of an earlier test left behind cannot touch it."""
    words = list(map(str, command))
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{words[0]}: exit {done.returncode}, {done.stderr[-500:]}"
    return done.stdout


async def browse(tmp_path: Path, *arguments: object) -> str:
    return await run(
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}",
        *arguments,
    )


async def pictured(tmp_path: Path, size: str, url: str) -> Path:
    picture = tmp_path / "page.png"
    await browse(tmp_path, f"--window-size={SIZES[size]}", f"--screenshot={picture}", url)
    assert picture.stat().st_size > 10_000
    return picture


async def read_code(picture: Path) -> str:
    if ZBARIMG is None:
        pytest.skip("no zbarimg is installed here, so nobody reads the QR code")
    return (await run(ZBARIMG, "--quiet", "--raw", picture)).strip()


@pytest.mark.parametrize("size", ["phone", pytest.param("desk", marks=whole)])
async def test_code_of_a_statement_reads_back_from_the_picture(size: str, address: str, tmp_path: Path) -> None:
    home = await run("curl", "-s", f"{address}/")
    identity = re.search(r"/statement/([0-9a-f]{32})", home)
    assert identity
    picture = await pictured(tmp_path, size, f"{address}/statement/{identity[1]}?lang=ru")
    assert re.fullmatch(rf"http://node\.example/statement/{identity[1]}\?c=[0-9a-f]{{8}}", await read_code(picture))


@whole
async def test_code_of_a_certificate_leads_to_its_page(address: str, tmp_path: Path) -> None:
    picture = await pictured(tmp_path, "phone", f"{address}/certificate/{NUMBER}")
    assert await read_code(picture) == f"http://node.example/certificate/{NUMBER}"


@whole
@pytest.mark.parametrize("path", ["/", f"/certificate/{NUMBER}", "/search", "/block/3"])
async def test_no_page_is_wider_than_a_phone(path: str, address: str, tmp_path: Path) -> None:
    """The right edge of the picture is the page's background from top to bottom: nothing runs out of it."""
    picture = await pictured(tmp_path, "phone", f"{address}{path}")
    edge = right_edge(picture.read_bytes())
    assert len(set(edge)) == 1, f"{path}: something reaches the edge of the screen"
