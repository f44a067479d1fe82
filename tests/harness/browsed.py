"""`wattest dashboard --serve` over a node of the tests: one home with a bare key and a sealed one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp.test_utils import TestServer
from harness.answering_node import AnsweringNode, market_town, wallet_of

from node.keystore import generate_key, save_key
from tui.serving import DashboardServer

PATIENCE_S = 30


@asynccontextmanager
async def dashboard_server(folder: Path) -> AsyncIterator[TestServer]:
    node = AnsweringNode(market_town()).start()
    home = wallet_of(folder / "wallets", node.chain, "owner")
    save_key(home / "keys", "sealed", generate_key("wallet", node.chain.chain.hex()), b"a passphrase", "test")
    arguments = ["--home", str(home), "--node", node.url, "dashboard", "--session"]
    found = DashboardServer(arguments, "127.0.0.1", 0)
    found.initialize_logging = lambda: None  # type: ignore[method-assign]
    server = TestServer(await found._make_app())
    await server.start_server()
    assert server.port is not None
    found.port, found.public_url = server.port, f"http://127.0.0.1:{server.port}"
    try:
        yield server
    finally:
        async with asyncio.timeout(PATIENCE_S):
            while found.sessions:  # noqa: ASYNC110 - whoever visited has left, and his process with him
                await asyncio.sleep(0.02)
        await server.close()
        node.stop()
