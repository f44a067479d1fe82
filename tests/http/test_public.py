"""The listener of the pages alone, and the addresses at which other nodes show them."""

import json
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient, TestServer
from harness.served import Served
from harness.world import genesis_json

from contracts.genesis import parse_genesis
from node.api.routes import PAGES, ROUTES
from node.api.server import make_app
from state.errors import GenesisInvalid


async def test_listener_of_the_pages_answers_nothing_else(served: Served) -> None:
    async with TestClient(TestServer(make_app(served.services, PAGES))) as client:
        for path in ("/", "/search", "/block/3", "/genesis.json", "/verify_statement.py", "/v1/status", "/v1/supply"):
            assert (await client.get(path)).status == 200, path
        for path in ("/v1/participants", "/v1/devices", "/v1/events", "/v1/chain", "/metrics", "/livez", "/v1/blocks"):
            assert (await client.get(path)).status == 404, path
        for path in ("/v1/transactions", "/v1/readings", "/v1/days"):
            assert (await client.post(path, data=b"x")).status == 404, path
    assert {route.method for route in PAGES} == {"GET"}
    assert len(PAGES) < len(ROUTES)


async def test_pages_name_the_other_nodes(served: Served) -> None:
    urls = ("http://node.example", "https://b.example/wattest", "http://c.example:27690")
    services = replace(served.services, public_urls=urls)
    async with TestClient(TestServer(make_app(services))) as client:
        identity = (await (await client.get("/v1/statements")).json())["statements"][0]["id"]
        text = await (await client.get(f"/statement/{identity}?lang=en")).text()
    for url in urls[1:]:
        assert f'href="{url}/statement/{identity}?' in text or f'href="{url}/statement/{identity}"' in text
        assert f"{url}/statement/{identity}" in text
    assert 'href="http://node.example' not in text, "its own address is no other one"


def genesis_with(*urls: str) -> bytes:
    return json.dumps({**json.loads(genesis_json()), "public_urls": urls}).encode()


def test_genesis_may_name_where_pages_are_shown() -> None:
    assert parse_genesis(genesis_json()).public_urls == ()
    urls = ("https://a.example", "http://b.example:8080/registry")
    assert parse_genesis(genesis_with(*urls)).public_urls == urls


@pytest.mark.parametrize(
    "urls",
    [
        ("https://a.example/",),
        ("ftp://a.example",),
        ("a.example",),
        ("https://a.example/?x=<script>",),
        ('https://a.example" onload="',),
        ("https://a.example", "https://a.example"),
        tuple(f"https://{n}.example" for n in range(17)),
    ],
)
def test_refuses_addresses_that_no_page_may_link_to(urls: tuple[str, ...]) -> None:
    with pytest.raises(GenesisInvalid):
        parse_genesis(genesis_with(*urls))
