"""A served world for every test of the HTTP API."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer
from harness.finalized import lively_world
from harness.served import Served

from node.api.server import LISTENING, make_app


@pytest.fixture
def served() -> Served:
    return Served(lively_world())


@pytest.fixture
async def client(served: Served) -> AsyncIterator[TestClient]:
    server = TestServer(make_app(served.services))
    await server.start_server(**LISTENING)
    async with TestClient(server) as found:
        yield found
