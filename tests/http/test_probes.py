"""What machines ask: alive, ready, metrics."""

import re
from dataclasses import replace
from pathlib import Path

from aiohttp.test_utils import TestClient
from harness.finalized import FinalizedWorld
from harness.served import Served

from node.api.services import Peer
from node.metrics import Metrics

API_PAGE = Path(__file__).resolve().parents[2] / "docs" / "API.md"


async def test_alive_and_ready_while_in_step(client: TestClient) -> None:
    for path in ("/livez", "/readyz"):
        response = await client.get(path)
        assert (response.status, await response.text()) == (200, "ok\n")
    text = await (await client.get("/readyz?verbose")).text()
    assert text.count("[+]") == 4


async def ready(client: TestClient) -> tuple[int, list[str]]:
    response = await client.get("/readyz?verbose")
    return response.status, [line for line in (await response.text()).splitlines() if line.startswith("[-]")]


async def test_not_ready_without_peers(served: Served, client: TestClient) -> None:
    served.live = replace(served.live, peers=(Peer(1, False, 0),))
    status, failed = await ready(client)
    assert (status, len(failed)) == (503, 1)
    assert "peers 0 >= 1" in failed[0]


async def test_not_ready_behind_the_others(served: Served, client: TestClient) -> None:
    served.live = replace(served.live, peers=(Peer(1, True, served.world.height + 3),))
    assert await ready(client) == (503, ["[-] blocks behind 3 <= 2"])


async def test_not_ready_with_an_old_tip(served: Served, client: TestClient) -> None:
    served.now_ms += 301_000
    assert await ready(client) == (503, ["[-] tip age 301 s <= 300 s"])


async def test_not_ready_while_syncing(served: Served, client: TestClient) -> None:
    served.live = replace(served.live, syncing=True)
    assert await ready(client) == (503, ["[-] not syncing"])


async def test_network_of_one_needs_no_peer(aiohttp_client) -> None:
    from node.api.server import make_app

    served = Served(FinalizedWorld(validators=1))
    served.live = replace(served.live, peers=())
    client = await aiohttp_client(make_app(served.services))
    assert (await client.get("/readyz")).status == 200


def sample(text: str, name: str, **labels: str) -> float:
    """The value of one series."""
    for line in text.splitlines():
        found = re.fullmatch(rf"{name}{{(.*)}} (\S+)", line)
        if found and all(f'{label}="{value}"' in found[1] for label, value in labels.items()):
            return float(found[2])
    raise AssertionError(f"no {name} {labels}")


async def test_metrics_follow_the_chain(served: Served, client: TestClient) -> None:
    for _ in range(2):
        served.block(seconds=3)
    text = await (await client.get("/metrics")).text()
    assert sample(text, "wattest_consensus_height", chain_id=served.world.chain.hex()[:16]) == served.world.height
    assert sample(text, "wattest_consensus_validator_last_signed_height", validator="0") == served.world.height
    assert sample(text, "wattest_consensus_validator_missed_blocks_total", validator="3") == 2
    assert sample(text, "wattest_consensus_missing_validators") == 1
    assert sample(text, "wattest_consensus_block_interval_seconds_sum") == 3
    assert sample(text, "wattest_registry_issued_wh", scheme="WIND-MWH") == 3_000_000
    assert sample(text, "wattest_registry_live_wh", scheme="WIND-MWH") == 2_000_000
    assert sample(text, "wattest_market_auctions_open") == 1
    assert sample(text, "wattest_p2p_peers") == 2
    assert sample(text, "wattest_state_block_processing_seconds_count") == 2


async def test_bytes_of_peers_are_counted_on(served: Served, client: TestClient) -> None:
    for received in (100, 250):
        served.live = replace(served.live, peers=(Peer(1, True, 0, received, 40),))
        text = await (await client.get("/metrics")).text()
        assert sample(text, "wattest_p2p_peer_receive_bytes_total", peer="1") == received
        assert sample(text, "wattest_p2p_peer_send_bytes_total", peer="1") == 40


async def test_what_was_refused_to_other_nodes_is_counted_on(served: Served, client: TestClient) -> None:
    for banned in (1, 3):
        served.live = replace(served.live, refused={"banned": banned, "ignored": 7})
        text = await (await client.get("/metrics")).text()
        assert sample(text, "wattest_p2p_refused_total", reason="banned") == banned
        assert sample(text, "wattest_p2p_refused_total", reason="ignored") == 7


async def test_requests_are_counted_by_route_and_never_by_what_was_asked(client: TestClient) -> None:
    for number in (1, 2, 999):
        await client.get(f"/v1/participants/{number}")
    await client.get("/nowhere/at/all")
    text = await (await client.get("/metrics")).text()
    assert sample(text, "wattest_api_requests_total", route="/v1/participants/{id}", status="200") == 2
    assert sample(text, "wattest_api_requests_total", route="/v1/participants/{id}", status="404") == 1
    assert "nowhere" not in text


def test_every_metric_is_documented_and_well_named() -> None:
    page = API_PAGE.read_text()
    names = Metrics(bytes(32), 4).names()
    assert set(re.findall(r"^\| `(wattest_\w+)`", page, re.MULTILINE)) == set(names)
    assert all(re.fullmatch(r"wattest_[a-z0-9]+(_[a-z0-9]+)+", name) for name in names)
