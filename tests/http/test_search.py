"""The search of the API: filters, totals, exports; and what a crowd of askers may not do to the node."""

import csv
import io
import json

import pytest
from aiohttp.test_utils import TestClient
from harness.served import Served

from node.api.search import EXPORTS, SEARCHES
from node.queries.exports import HEAD, csv_line
from node.queries.groups import BY


async def asked(client: TestClient, **query: str | int) -> dict[str, object]:
    response = await client.get("/v1/search", params=query)
    assert response.status == 200, await response.text()
    return await response.json()  # type: ignore[no-any-return]


async def test_totals_are_of_everything_whatever_the_page_shows(client: TestClient) -> None:
    found = await asked(client, limit=1)
    assert (found["total"], found["quantity"], found["energy_wh"]) == ("3", "3", "3000000")
    assert len(found["certificates"]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("by", BY)
async def test_groups_add_up_to_what_was_found(client: TestClient, by: str) -> None:
    found = await (await client.get("/v1/search/summary", params={"by": by})).json()
    for figure in ("total", "quantity", "energy_wh"):
        assert sum(int(group[figure]) for group in found["groups"]) == int(found[figure]) > 0


async def test_name_of_a_group_finds_its_rows_again(client: TestClient) -> None:
    for by in ("technology", "source", "device", "scheme", "holder", "status"):
        for group in (await (await client.get("/v1/search/summary", params={"by": by})).json())["groups"]:
            rows = await asked(client, **{by: group["name"]})
            assert {name: rows[name] for name in ("total", "quantity", "energy_wh")} == {
                name: group[name] for name in ("total", "quantity", "energy_wh")
            }


async def test_summary_of_nothing_has_no_groups(client: TestClient) -> None:
    found = await (await client.get("/v1/search/summary?by=month&holder=424242")).json()
    assert (found["groups"], found["total"]) == ([], "0")


async def test_a_block_is_seen_by_the_next_question(served: Served, client: TestClient) -> None:
    assert (await asked(client, status="retired"))["total"] == "1"
    world = served.world
    point = next(iter(world.outputs_of("owner", type(next(o for o in world.live().values() if hasattr(o, "start"))))))
    served.block(world.transaction(world.retire_action("owner", point, 3, 3), by=("owner",)))
    found = await asked(client, status="retired")
    assert (found["total"], found["height"]) == ("2", world.height)
    assert (await asked(client, status="active"))["total"] == "0"


async def test_pages_go_on_where_they_were_when_blocks_come_between(served: Served, client: TestClient) -> None:
    first = await asked(client, limit=2)
    served.block(seconds=5)
    second = await asked(client, limit=2, cursor=str(first["cursor"]))
    shown = [item["start"] for page in (first, second) for item in page["certificates"]]  # type: ignore[attr-defined]
    assert shown == ["1", "2", "3"]
    assert second["cursor"] is None


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_export_says_before_it_begins_how_much_comes(client: TestClient, form: str) -> None:
    response = await client.get("/v1/search/export", params={"format": form, "status": "live"})
    text = await response.text()
    assert response.headers["X-Total-Count"] == "2"
    assert f'certificates-{response.headers["X-Ledger-Height"]}.{form}"' in response.headers["Content-Disposition"]
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        assert tuple(rows[0]) == HEAD
    else:
        rows = [json.loads(line) for line in text.splitlines()]
        assert tuple(rows[0]) == HEAD
    assert [row["certificate_bundle_status"] for row in rows] == ["Locked", "Active"]


async def test_export_and_trace_say_the_same_of_a_certificate(client: TestClient) -> None:
    line = json.loads((await (await client.get("/v1/search/export?format=json&status=retired")).text()).splitlines()[0])
    shown = await (await client.get(f"/v1/certificates/{line['number']}")).json()
    assert shown["energytag"].items() <= line.items()
    assert shown["codes"].items() <= line.items()
    assert shown["statement"] == line["statement"]


def test_no_cell_is_a_formula_in_a_spreadsheet() -> None:
    assert csv_line(iter(["=1+1", "+49", "-2", "@x", 'a "b"', "", None, True])) == (
        b'\'=1+1,\'+49,\'-2,\'@x,"a ""b""",,,true\r\n'
    )


async def test_refuses_more_exports_than_the_node_can_carry(client: TestClient) -> None:
    searches = client.server.app[SEARCHES]  # type: ignore[attr-defined]
    searches.exports = EXPORTS
    response = await client.get("/v1/search/export?format=csv")
    assert (response.status, (await response.json())["code"]) == (429, "overloaded")
    searches.exports = 0
    assert (await client.get("/v1/search/export?format=csv")).status == 200
    assert searches.exports == 0


async def test_refuses_cursors_that_no_page_handed_out(client: TestClient) -> None:
    for cursor in ("AAAA", "x", "A" * 200):
        response = await client.get("/v1/search", params={"cursor": cursor})
        assert (response.status, (await response.json())["code"]) == (400, "bad_parameter")
