"""From a posted transaction to its place in a final block, and why one is refused."""

import pytest
from aiohttp.test_utils import TestClient
from harness.served import Served
from harness.world import DAY

from state.codec import encode
from state.outputs import Bundle, Funds
from state.transaction import Piece, Transfer
from state.units import MICRO

MSGPACK = {"Content-Type": "application/msgpack"}


def transfer(served: Served, by: str = "owner"):
    world = served.world
    point = world.outputs_of("owner", Bundle)[0]
    start = world.live()[point].start
    pieces = (Piece(world.people["trader"], start, start),)
    return world.transaction(Transfer(world.people["owner"], (point,), pieces, None), by=(by,))


async def test_posted_transaction_waits_and_becomes_final(served: Served, client: TestClient) -> None:
    decoded = transfer(served)
    path = f"/v1/transactions/{decoded.txid.hex()}"
    assert (await (await client.get(path)).json())["status"] == "unknown"

    response = await client.post("/v1/transactions", data=decoded.raw, headers=MSGPACK)
    assert (response.status, await response.json()) == (202, {"schema": "submitted/1", "txid": decoded.txid.hex()})
    assert (await (await client.get(path)).json())["status"] == "waiting"
    assert (await (await client.get("/v1/status")).json())["mempool"] == 1

    served.block(decoded)
    answer = await (await client.get(path)).json()
    assert (answer["status"], answer["height"], answer["index"]) == ("final", served.world.height, 0)
    assert answer["actions"][0].startswith("transfer")
    assert [event["kind"] for event in answer["events"]] == ["transferred"]
    assert answer["content"][0]["pieces"][0]["to"] == served.world.people["trader"]


async def test_transaction_is_taken_as_json_too(served: Served, client: TestClient) -> None:
    decoded = transfer(served)
    response = await client.post("/v1/transactions", json={"transaction": decoded.raw.hex()})
    assert response.status == 202
    assert decoded.txid in served.mempool


async def test_batch_answers_each_transaction_in_order(served: Served, client: TestClient) -> None:
    world = served.world
    point = world.outputs_of("trader", Funds)[0]
    good = transfer(served)
    foreign = world.transaction(Transfer(8, (point,), (Piece(7, 1, 1),), None), by=("trader",), chain=bytes(32))
    response = await client.post(
        "/v1/transactions/batch", data=encode([good.raw, b"\x00", foreign.raw, good.raw]), headers=MSGPACK
    )
    results = (await response.json())["results"]
    assert response.status == 202
    assert results[0] == {"txid": good.txid.hex()}
    assert [result["code"] for result in results[1:3]] == ["malformed", "wrong_chain"]


async def test_refuses_what_the_ledger_refuses_with_its_code_and_action(served: Served, client: TestClient) -> None:
    world = served.world
    point = world.outputs_of("owner", Bundle)[0]
    served.block(transfer(served))
    cases = [
        (Transfer(7, (point,), (Piece(8, 3, 3),), None), "owner", 409, "spent"),
        (Transfer(8, (world.outputs_of("trader", Bundle)[0],), (Piece(7, 3, 3),), None), "owner", 403, None),
        (Transfer(8, (world.outputs_of("trader", Funds)[0],), (Piece(7, 3, 3),), None), "trader", 409, "locked"),
    ]
    for action, by, status, code in cases:
        decoded = world.transaction(action, by=(by,))
        response = await client.post("/v1/transactions", data=decoded.raw, headers=MSGPACK)
        answer = await response.json()
        assert response.status == status, answer
        assert code in (None, answer["code"])
        assert answer["action_index"] == 0
        assert all(isinstance(value, str) for value in answer["params"].values())


async def test_refuses_what_was_retired_or_expired_by_that_name(served: Served, client: TestClient) -> None:
    world = served.world

    async def code(action: Transfer) -> str:
        decoded = world.transaction(action, by=("owner",))
        response = await client.post("/v1/transactions", data=decoded.raw, headers=MSGPACK)
        assert response.status == 409
        answer = await response.json()
        assert answer["params"]["outpoint"] == action.inputs[0].hex()
        return str(answer["code"])

    owner, to = world.people["owner"], world.people["trader"]
    point = world.outputs_of("owner", Bundle)[0]
    start, end = world.live()[point].start, world.live()[point].end
    device = world.live()[point].device
    served.block(world.transaction(world.retire_action("owner", point, start, end), by=("owner",)))
    assert await code(Transfer(owner, (point,), (Piece(to, start, end),), None)) == "retired"

    fresh = world.issue(device, 1_000_000, day=DAY + 1)
    assert fresh is not None
    start = world.live()[fresh].start
    served.block(seconds=20 * 31 * 86_400)
    assert await code(Transfer(owner, (fresh,), (Piece(to, start, start),), None)) == "lapsed"

    never = bytes(34)
    assert await code(Transfer(owner, (never,), (Piece(to, 1, 1),), None)) == "spent"


async def test_refuses_a_conflicting_spend_and_a_repeat(served: Served, client: TestClient) -> None:
    first, second = transfer(served), transfer(served)
    codes = []
    for decoded in (first, second, first):
        response = await client.post("/v1/transactions", data=decoded.raw, headers=MSGPACK)
        codes.append((response.status, (await response.json()).get("code")))
    assert codes == [(202, None), (409, "conflict"), (409, "duplicate")]


async def test_refuses_a_wrong_signature(served: Served, client: TestClient) -> None:
    decoded = transfer(served)
    spoilt = decoded.raw[:-1] + bytes([decoded.raw[-1] ^ 1])
    response = await client.post("/v1/transactions", data=spoilt, headers=MSGPACK)
    assert (response.status, (await response.json())["code"]) == (400, "bad_signature")


async def test_wide_integers_are_strings_and_small_ones_numbers(served: Served, client: TestClient) -> None:
    answer = await (await client.get("/v1/participants/8/outputs?kind=funds")).json()
    (funds,) = answer["outputs"]
    assert funds["amount"] == str(970 * MICRO)
    assert funds["holder"] == 8
    status = await (await client.get("/v1/status")).json()
    assert all(isinstance(status[name], int) for name in ("height", "time_ms", "epoch", "view"))


@pytest.mark.parametrize("kind", ["bundle", "offer"])
async def test_outputs_name_their_certificates(client: TestClient, kind: str) -> None:
    answer = await (await client.get(f"/v1/participants/7/outputs?kind={kind}")).json()
    (output,) = answer["outputs"]
    assert output["number"].startswith("WAT-FR-0000001-201404-00000000")
    assert output["status"] == {"bundle": "active", "offer": "locked"}[kind]
    assert len(output["outpoint"]) == 68


async def test_supply_adds_up_after_every_block(served: Served, client: TestClient) -> None:
    async def wind() -> tuple[int, ...]:
        line = (await (await client.get("/v1/supply")).json())["schemes"][0]
        return tuple(int(line[name]) for name in ("issued", "live", "retired", "expired"))

    assert await wind() == (3, 2, 1, 0)
    point = served.world.outputs_of("owner", Bundle)[0]
    served.block(served.world.transaction(served.world.retire_action("owner", point, 3, 3), by=("owner",)))
    assert await wind() == (3, 1, 2, 0)
    served.block(seconds=20 * 31 * 86_400)
    assert await wind() == (3, 0, 2, 1)
