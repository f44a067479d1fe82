"""The dashboard in a browser: who may open a session, and whose keys are offered there."""

import asyncio
import importlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

pytest.importorskip("tui.serving", reason="textual-serve is not installed: pip install wattest[browser]")
browsed = importlib.import_module("harness.browsed")
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
WAIT_S = 60


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    async with browsed.dashboard_server(tmp_path) as found:
        yield found


async def shown(socket: aiohttp.ClientWebSocketResponse, wanted: bytes) -> bytes:
    """What the terminal was told until `wanted` stood in it, without colours and movements."""
    seen = b""
    async with asyncio.timeout(WAIT_S):
        while wanted not in seen:
            message = await socket.receive()
            assert message.type is aiohttp.WSMsgType.BINARY or message.type is aiohttp.WSMsgType.TEXT, message
            if message.type is aiohttp.WSMsgType.BINARY:
                seen += ESCAPES.sub(b"", message.data)
    return seen


async def press(socket: aiohttp.ClientWebSocketResponse, keys: str) -> None:
    await socket.send_str(json.dumps(["stdin", keys]))


async def test_visitor_sees_the_network_and_is_offered_sealed_keys_only(server: TestServer) -> None:
    origin = {"Origin": f"http://127.0.0.1:{server.port}"}
    address = server.make_url("/ws?width=120&height=40")
    async with aiohttp.ClientSession() as session, session.ws_connect(address, headers=origin) as socket:
        await shown(socket, b"looking on")
        await press(socket, "S")
        offered = await shown(socket, b"sealed   not registered yet")
        assert b"owner   owner" not in offered, "whoever reaches the page could sign with a bare key"
        await press(socket, "\x1b")
        await press(socket, "\x03")
        async with asyncio.timeout(WAIT_S):
            while not socket.closed:  # its process has ended
                await socket.receive()


async def test_page_asks_for_nothing_from_elsewhere(server: TestServer) -> None:
    async with aiohttp.ClientSession() as session, session.get(server.make_url("/")) as answer:
        page = await answer.text()
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        addresses = re.findall(r'(?:href|src)="(https?://[^"]*)"', page)
        assert addresses
        assert all(address.startswith(f"http://127.0.0.1:{server.port}/") for address in addresses)
        assert "<script>" not in page


@pytest.mark.parametrize("origin", ["http://evil.example", "", "null"])
async def test_refuses_sessions_that_another_site_opens(server: TestServer, origin: str) -> None:
    headers = {"Origin": origin} if origin else {}
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect(server.make_url("/ws"), headers=headers)
    assert refusal.value.status == 403


async def test_refuses_names_that_are_not_its_own(server: TestServer) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(server.make_url("/"), headers={"Host": "rebound.example"}) as answer:
            assert answer.status == 403
        async with session.get(server.make_url("/static/")) as answer:
            assert answer.status == 404
