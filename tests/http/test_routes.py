"""The table of routes: each line answers as it says, and stands in the OpenAPI document and in docs/API.md."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from harness.served import Served

from node.api.calls import Route
from node.api.routes import ROUTES
from node.queries import pages

API_PAGE = Path(__file__).resolve().parents[2] / "docs" / "API.md"
EMPTY = {
    "/v1/blocks",
    "/v1/listings",
    "/v1/standing-bids",
    "/v1/obligations",
}  # shown in test_market_routes.py
READS = [route for route in ROUTES if route.method == "GET" and route.answer]


def examples(served: Served) -> dict[str, str]:
    """A value that exists in the lively world for each parameter of a path, and for each query that is required."""
    statement = next(
        record.event
        for output in served.world.outputs
        for record in output.events
        if type(record.event).__name__ == "Retired"
    ).statement.hex()
    return {
        "/v1/blocks/{block}": "/v1/blocks/3",
        "/v1/transactions/{txid}": f"/v1/transactions/{served.world.last_txid().hex()}",
        "/v1/participants/{id}": "/v1/participants/1",
        "/v1/participants/{id}/outputs": "/v1/participants/7/outputs",
        "/v1/devices/{id}": "/v1/devices/1",
        "/v1/devices/{id}/days": "/v1/devices/1/days",
        "/v1/consumption/{id}": "/v1/consumption/1?from=2014-04-01&to=2014-04-03",
        "/v1/consumption/{id}/match": "/v1/consumption/1/match?from=2014-04-01&to=2014-04-03",
        "/v1/devices/{id}/appeals": "/v1/devices/1/appeals",
        "/v1/devices/{id}/readings": "/v1/devices/1/readings?day=2014-04-02",
        "/v1/devices/{id}/curve": "/v1/devices/1/curve?day=2014-04-02",
        "/v1/search/summary": "/v1/search/summary?by=technology",
        "/v1/devices/{id}/head": "/v1/devices/1/head",
        "/v1/devices/{id}/evidence": "/v1/devices/1/evidence?day=2014-04-02",
        "/v1/devices/{id}/profile": "/v1/devices/1/profile?from=1388534400&to=1396310400",
        "/v1/certificates/{number}": "/v1/certificates/WAT-FR-0000001-201404-000000002-53",
        "/v1/auctions/{id}": "/v1/auctions/1",
        "/v1/auctions/{id}/orders": "/v1/auctions/1/orders",
        "/v1/auctions/{id}/receipts": "/v1/auctions/1/receipts",
        "/v1/proposals/{id}": "/v1/proposals/1",
        "/v1/statements/{id}": f"/v1/statements/{statement}",
    }


@pytest.mark.parametrize("route", READS, ids=lambda route: route.path)
async def test_answer_has_exactly_the_documented_fields(route: Route, served: Served, client: TestClient) -> None:
    response = await client.get(examples(served).get(route.path, route.path))
    answer = await response.json()
    assert response.status == 200, answer
    assert answer["schema"] == route.answer
    expected = {"schema", *route.fields}
    if route.path.endswith("/profile"):
        assert expected <= set(answer)  # and how it was computed, as the verifier describes it
    else:
        assert set(answer) == expected
    filled = [value for value in answer.values() if value not in (None, [], {}, "")]
    assert len(filled) > 1 or route.path in EMPTY, f"the example of {route.path} shows nothing"


async def test_openapi_document_is_the_table(client: TestClient) -> None:
    document = await (await client.get("/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    listed = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert listed == {(route.method, route.path) for route in ROUTES}
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))


def test_every_endpoint_and_parameter_is_documented() -> None:
    page = API_PAGE.read_text()
    for route in ROUTES:
        row = re.search(rf"^.*`{re.escape(f'{route.method} {route.path}')}`.*$", page, re.MULTILINE)
        assert row, f"docs/API.md does not name `{route.method} {route.path}`"
        for parameter in route.query:
            assert f"`{parameter.name}`" in row.group(), f"{route.path}: {parameter.name}"
    named = set(re.findall(r"`((?:GET|POST) /[^`?\s]*)`", page))
    assert named == {f"{route.method} {route.path}" for route in ROUTES}


async def test_the_application_has_no_route_beside_the_table(client: TestClient) -> None:
    found = {
        (route.method, route.resource.canonical)
        for route in client.server.app.router.routes()  # type: ignore[attr-defined]
        if route.resource is not None
    }
    assert found == {(route.method, route.path) for route in ROUTES}


async def test_every_answer_carries_a_request_id_and_no_permission_for_other_sites(
    client: TestClient,
) -> None:
    first = await client.get("/v1/status", headers={"Origin": "https://elsewhere.example"})
    second = await client.get("/nowhere")
    assert re.fullmatch(r"[0-9a-f]{16}", first.headers["X-Request-Id"])
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    assert not [name for name in first.headers if name.startswith("Access-Control")]
    assert first.headers["X-Content-Type-Options"] == "nosniff"


REFUSED = [
    ("GET", "/nowhere", 404, "not_found"),
    ("DELETE", "/v1/status", 405, "method_not_allowed"),
    ("GET", "/v1/status?colour=red", 400, "bad_parameter"),
    ("GET", "/v1/blocks?from=1&from=2", 400, "bad_parameter"),
    ("GET", "/v1/blocks?from=-1", 400, "bad_parameter"),
    ("GET", "/v1/blocks?from=01", 400, "bad_parameter"),
    ("GET", "/v1/blocks?count=65", 400, "bad_parameter"),
    ("GET", "/v1/participants?limit=201", 400, "bad_parameter"),
    ("GET", "/v1/participants?cursor=!!", 400, "bad_parameter"),
    ("GET", "/v1/participants/7/outputs?cursor=AAAA", 400, "bad_parameter"),
    ("GET", "/v1/participants/7/outputs?kind=gold", 400, "bad_parameter"),
    ("GET", "/v1/devices/1/readings", 400, "bad_parameter"),
    ("GET", "/v1/devices/1/readings?day=2014-02-30", 400, "bad_parameter"),
    ("GET", "/v1/devices/1/curve", 400, "bad_parameter"),
    ("GET", "/v1/devices/99/curve?day=2014-04-02", 404, "unknown"),
    ("GET", "/v1/search/summary", 400, "bad_parameter"),
    ("GET", "/v1/search/summary?by=colour", 400, "bad_parameter"),
    ("GET", "/v1/devices/1/profile?from=9&to=5", 400, "bad_parameter"),
    ("GET", "/v1/devices/1/profile?from=1388534400&to=1388620800", 404, "unknown"),
    ("GET", "/v1/transactions/ABCD", 400, "bad_parameter"),
    ("GET", "/v1/blocks/999", 404, "unknown"),
    ("GET", f"/v1/blocks/{'0' * 64}", 404, "unknown"),
    ("GET", "/v1/participants/999", 404, "unknown"),
    ("GET", f"/v1/participants?key={'0' * 64}", 404, "unknown"),
    ("GET", "/v1/devices/999", 404, "unknown"),
    ("GET", "/v1/auctions/999", 404, "unknown"),
    ("GET", "/v1/proposals/999", 404, "unknown"),
    ("GET", f"/v1/statements/{'0' * 32}", 404, "unknown"),
    ("GET", f"/v1/statements/{'0' * 32}/proof", 404, "unknown"),
    ("GET", "/v1/certificates/WAT-FR-0000001-201404-000000002-54", 400, "bad_number"),
    ("GET", "/v1/certificates/WAT-DE-0000001-201404-000000002-23", 400, "bad_number"),
    ("GET", "/v1/certificates/WAT-FR-0000001-201404-000000009-32", 404, "unknown"),
    ("GET", "/v1/events", 400, "bad_request"),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), REFUSED, ids=lambda value: str(value)[:60])
async def test_refuses_with_a_code(client: TestClient, method: str, path: str, status: int, code: str) -> None:
    response = await client.request(method, path)
    answer: dict[str, Any] = json.loads(await response.read())
    assert (response.status, answer["code"]) == (status, code)
    assert set(answer) == {"schema", "code", "message", "params", "action_index"}
    assert answer["schema"] == "error/1"
    assert answer["message"].endswith(".")


async def test_lists_are_read_page_by_page(client: TestClient) -> None:
    whole = (await (await client.get("/v1/participants")).json())["participants"]
    found: list[Any] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        query = {"limit": "3", **({"cursor": cursor} if cursor else {})}
        answer = await (await client.get("/v1/participants", params=query)).json()
        assert len(answer["participants"]) <= 3
        found += answer["participants"]
        cursor = answer["cursor"]
        pages += 1
    assert found == whole
    assert pages == 3
    assert [one["name"] for one in whole][4:] == ["bank", "exchange", "owner", "trader"]


async def test_a_cursor_of_another_list_reads_nothing_else(client: TestClient) -> None:
    foreign = (await (await client.get("/v1/participants", params={"limit": "1"})).json())["cursor"]
    answer = await (await client.get("/v1/devices", params={"cursor": foreign})).json()
    assert [one["id"] for one in answer["devices"]] == [1]
    answer = await (await client.get("/v1/schemes")).json()
    beyond = (await (await client.get("/v1/proposals", params={"limit": "1"})).json())["cursor"]
    answer = await (await client.get("/v1/participants", params={"cursor": beyond})).json()
    assert answer["participants"] == []


async def test_a_page_ends_early_where_a_filter_fits_little(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LOOKED_AT", 2)
    first = await (await client.get("/v1/proposals", params={"status": "open"})).json()
    assert first["proposals"] == []
    assert first["cursor"] is not None
    found, cursor = [], ""
    while cursor is not None:
        answer = await (await client.get("/v1/certificates", params={"cursor": cursor} if cursor else {})).json()
        found += answer["certificates"]
        cursor = answer["cursor"]
    assert [(one["start"], one["status"]) for one in found] == [("1", "locked"), ("3", "active")]


async def test_lists_by_holder_device_owner_and_days(served: Served, client: TestClient) -> None:
    async def listed(path: str, name: str) -> list[Any]:
        return (await (await client.get(path)).json())[name]

    assert len(await listed("/v1/certificates?holder=7", "certificates")) == 2
    assert await listed("/v1/certificates?holder=8", "certificates") == []
    assert await listed("/v1/certificates?holder=7&device=2", "certificates") == []
    assert [one["id"] for one in await listed("/v1/devices?owner=7", "devices")] == [1]
    assert await listed("/v1/devices?owner=8", "devices") == []
    assert [one["quantity"] for one in await listed("/v1/statements?holder=7", "statements")] == ["1"]
    (day,) = await listed("/v1/devices/1/days?from=2014-04-01&to=2014-04-02", "days")
    assert (day["date"], day["verdict"], day["release_wh"]) == ("2014-04-02", "accept", "3400000")
    assert await listed("/v1/devices/1/days?from=2014-04-12", "days") == []
    assert await listed("/v1/devices/1/days?from=9&to=3", "days") == []


async def test_blocks_are_read_by_height_hash_and_newest(served: Served, client: TestClient) -> None:
    tip = served.world.ledger.tip
    newest = (await (await client.get("/v1/blocks?count=3")).json())["blocks"]
    assert [block["height"] for block in newest] == [tip.header.height - 2, tip.header.height - 1, tip.header.height]
    upward = (await (await client.get("/v1/blocks?from=0&count=2")).json())["blocks"]
    assert [block["height"] for block in upward] == [0, 1]
    by_hash = await (await client.get(f"/v1/blocks/{tip.hash.hex()}")).json()
    assert by_hash["height"] == tip.header.height
    assert by_hash["transactions"] == [served.world.last_txid().hex()]
    assert by_hash["signers"] == [0, 1, 2]
