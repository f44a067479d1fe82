"""The dashboard: how soon it paints beside an empty Textual app, and a portfolio of 100,000 bundles in it.

The node answers from a process of its own, over HTTP, from a LevelDB of that size. `open_ms` is from the key that opens
the holder's cabinet to the first page of certificates on the screen; `page_ms` the longest that a page down kept the
screen from answering while more rows came in; `memory_mib` the dashboard's own process at the end.

python -m bench.dashboard [--quick] [--bundles N]       one JSON object
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench import search

BUNDLES = 100_000
HOLDER = 1
SIZE = (120, 40)
PAGES = 20  # page downs
PATIENCE_S = 60.0
PAINT = """
import sys, time
{imports}
async def once_painted(pilot):
    await pilot.pause()
    sys.stderr.write(f"painted {{time.thread_time()}}\\n")
    pilot.app.exit()
{app}.run(headless=True, size=(120, 40), auto_pilot=once_painted)
"""
EMPTY = PAINT.format(imports="from textual.app import App", app="App()")
FULL = PAINT.format(imports="from tui.app import Dashboard", app="Dashboard(['http://127.0.0.1:9'])")


def main(bundles: int, runs: int) -> dict[str, Any]:
    paints = _paints(runs)
    with tempfile.TemporaryDirectory() as directory:
        here, there = multiprocessing.Pipe()
        node = multiprocessing.get_context("spawn").Process(target=_node, args=(there, directory, bundles), daemon=True)
        node.start()
        port = here.recv()
        try:
            shown = asyncio.run(_portfolio(f"http://127.0.0.1:{port}", bundles))
        finally:
            node.terminate()
            node.join()
    return {"bundles": bundles, **paints, **shown}


# --- the first paint


def _paints(runs: int) -> dict[str, float]:
    """Medians of processes that take turns: the machine's noise meets both."""
    empty, full = [], []
    for _ in range(runs):
        empty.append(_cpu(EMPTY))
        full.append(_cpu(FULL))
    ratio = statistics.median(full) / statistics.median(empty)
    return {
        "empty_cpu_s": round(statistics.median(empty), 3),
        "dashboard_cpu_s": round(statistics.median(full), 3),
        "paint_ratio": round(ratio, 2),
    }


def _cpu(script: str) -> float:
    """CPU seconds of the screen's own thread until it has painted once; what it loads behind is not waited for."""
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stderr
    return float(next(line.split()[1] for line in told.splitlines() if line.startswith("painted")))


# --- a portfolio


def _node(pipe: Connection, directory: str, bundles: int) -> None:
    """Serve a registry that one holder owns; its port goes into the pipe."""
    asyncio.run(_serve(pipe, directory, bundles))


async def _serve(pipe: Connection, directory: str, bundles: int) -> None:
    from node.api.limits import PROFILES
    from node.api.server import serve
    from node.api.services import Live, Services
    from node.feed import Feed
    from node.metrics import Metrics
    from state.store import open_store

    search.HOLDERS = HOLDER
    store = open_store(Path(directory) / "store")
    search._fill(store, bundles, 1)
    services = Services(
        store=store,
        chain=bytes(32),
        genesis=b"{}",
        node_index=lambda: 0,
        version="bench",
        public_url="http://bench",
        feed=Feed(_nobody),
        metrics=Metrics(bytes(32), 1),
        live=lambda: Live(1, 0, (), 0, False),
        admit=_nobody,
        standing=lambda txid: None,
        take_readings=_nobody,
        take_close=_nobody,
        readings_of_day=lambda device, day: (),
        head_of_device=_nobody,
        evidence_of_day=_nobody,
        profile=_nobody,
        curve=_nobody,
        limits=PROFILES["bench"],
    )
    runner = await serve(services, "127.0.0.1", 0)
    pipe.send(runner.addresses[0][1])
    await asyncio.Event().wait()


def _nobody(*arguments: object) -> Any:
    raise AssertionError("the portfolio asks for none of this")


async def _portfolio(url: str, bundles: int) -> dict[str, Any]:
    from textual.widgets import DataTable

    from tui.app import Dashboard
    from tui.widgets.sheet import Sheet

    app = Dashboard([url])
    app.source = _Silent(url)
    nobody: Any = SimpleNamespace(id=HOLDER, name="holder 1", key=None, key_name="holder", locked=True, roles=())
    app.desk.account = nobody
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with app.run_test(size=SIZE) as pilot:
        await _read_ranges(url)
        began = time.perf_counter()
        await pilot.press("H")
        screen: Any = app.screen
        sheet = screen.query_one("#certificates", Sheet)
        async with asyncio.timeout(PATIENCE_S):
            while not sheet.lines:  # noqa: ASYNC110 - another process answers
                await asyncio.sleep(0.005)
        await pilot.pause()
        opened = time.perf_counter() - began
        table = sheet.query_one(DataTable)
        table.focus()
        stalls = [await _page_down(pilot) for _ in range(PAGES)]
        live = bundles - bundles // search.DEAD_EVERY
        assert f"of {live:,} ranges" in str(sheet.border_subtitle), sheet.border_subtitle
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "open_ms": round(opened * 1e3),
        "page_ms": round(max(stalls) * 1e3),
        "page_median_ms": round(statistics.median(stalls) * 1e3),
        "rows_shown": len(sheet.lines),
        "memory_mib": grown // 1024,
        "grown_mib": (grown - before) // 1024,
    }


async def _read_ranges(url: str) -> None:
    """A node reads its ranges once, at the first search after its start: that is its start and not the dashboard's."""
    from node.client import NodeClient

    client = NodeClient(url, PATIENCE_S)
    await asyncio.to_thread(client.get, "/v1/search", limit=1)
    client.close()


async def _page_down(pilot: Any) -> float:
    """The longest that the screen's loop was kept busy while a page went down and what came after it was read."""
    longest, last, until = 0.0, time.perf_counter(), time.perf_counter() + 0.25
    await pilot.press("pagedown")
    while time.perf_counter() < until:
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


class _Silent:
    """No stream: what is measured are questions and rows."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def run(self) -> None:
        await asyncio.Event().wait()

    def freshness(self) -> Any:
        return SimpleNamespace(text="live", stale=False)

    def answering(self) -> str:
        return self.url


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three paints instead of nine")
    parser.add_argument("--bundles", type=int, default=BUNDLES)
    given = parser.parse_args()
    print(json.dumps(main(given.bundles, 3 if given.quick else 9)))
