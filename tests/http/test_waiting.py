"""A node that has no state yet: it says how far it is, and answers nothing else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from harness.finalized import FinalizedWorld
from harness.joining import joining, observer_home
from harness.net import free_ports

from cli.node import _kept_in_words, _sync_in_words
from node.config import ConfigError
from node.joining import Joining, Progress
from node.waiting import Waiting


@pytest.fixture
def begun(tmp_path: Path) -> Joining:
    return joining(observer_home(tmp_path / "observer", FinalizedWorld().genesis_text))


@pytest.fixture
async def url(begun: Joining) -> AsyncIterator[str]:
    (port,) = free_ports(1)
    waiting = Waiting(begun, bytes(32), "a network", "127.0.0.1", port)
    await waiting.start()
    yield f"http://127.0.0.1:{port}"
    await waiting.stop()


async def test_status_says_how_far_the_snapshot_is(begun: Joining, url: str) -> None:
    begun.progress = Progress("fetching", 2, 12_345, 250, 1_000, 3, 1)
    async with aiohttp.ClientSession() as client, client.get(f"{url}/v1/status") as answer:
        shown = await answer.json()
    assert (answer.status, shown["syncing"], shown["height"], shown["peers"]) == (200, True, 0, 3)
    assert (shown["sync"]["stage"], shown["sync"]["target_height"]) == ("fetching", 12_345)
    assert _sync_in_words(shown["sync"]) == "snapshot of height 12,345: 250 of 1,000 entries (25 %)"


async def test_metrics_and_probes_know_it_too(begun: Joining, url: str) -> None:
    begun.progress = replace(Progress(), entries=250, of_entries=1_000, dropped=1)
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{url}/metrics") as answer:
            text = await answer.text()
        async with client.get(f"{url}/readyz") as ready, client.get(f"{url}/livez") as alive:
            assert (ready.status, alive.status) == (503, 200)
    for line in ("syncing", "entries", "of_entries", "dropped_peers"):
        assert f'wattest_statesync_{line}{{chain_id="' in text
    assert 'wattest_statesync_entries{chain_id="0000000000000000"} 250.0' in text


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/supply"), ("GET", "/"), ("POST", "/v1/transactions"), ("GET", "/v1/events")]
)
async def test_refuses_everything_else_as_syncing(begun: Joining, url: str, method: str, path: str) -> None:
    begun.progress = Progress("fetching", 2, 12_345, 250, 1_000, 3, 1)
    async with aiohttp.ClientSession() as client, client.request(method, url + path, data=b"") as answer:
        body = await answer.json()
    assert (answer.status, body["code"]) == (503, "syncing")
    assert "12345" in body["message"]


async def test_refuses_a_port_that_is_taken(begun: Joining, url: str) -> None:
    port = int(url.rsplit(":", 1)[1])
    with pytest.raises(ConfigError, match="cannot listen"):
        await Waiting(begun, bytes(32), "a network", "127.0.0.1", port).start()


def test_each_stage_has_words() -> None:
    sync = {"target_height": 7, "entries": 0, "of_entries": 0}
    said = [
        _sync_in_words({**sync, "stage": stage}) for stage in ("looking", "proving", "installing", "stuck", "blocks")
    ]
    assert len(set(said)) == 5
    assert _kept_in_words({"bodies_from": 5, "history_from": 0}).endswith("from the beginning")
    assert _kept_in_words({"bodies_from": 5, "history_from": 5}).endswith("from 5")
