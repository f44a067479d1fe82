"""What the market answers over HTTP: receipts in words, results by class, the board of posted lots, standing bids."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from harness.finalized import FinalizedWorld
from harness.served import Served

from node.api.server import LISTENING, make_app
from state.outputs import Bundle, Funds
from state.records import AuctionTerms
from state.transaction import ListLot, Pay, PlaceStandingBid
from state.units import MICRO


@pytest.fixture
def world() -> FinalizedWorld:
    """An owner with certificates 1..5, and a trader with money."""
    world = FinalizedWorld()
    world.operators()
    world.register("owner")
    world.register("trader")
    world.device("owner")
    world.issue(1, 5_000_000)
    world.fund("trader", 1_000)
    return world


async def answer(world: FinalizedWorld, *paths: str) -> list[dict[str, Any]]:
    server = TestServer(make_app(Served(world).services))
    await server.start_server(**LISTENING)
    async with TestClient(server) as client:
        return [await (await client.get(path)).json() for path in paths]


async def test_a_receipt_says_what_why_who_could_see_it_and_what_is_next(world: FinalizedWorld) -> None:
    auction, trader = world.auction(seconds=3_600), world.people["trader"]
    world.offer("owner", auction, world.outputs_of("owner", Bundle)[0], 1, 3, 30 * MICRO)
    world.bid("trader", auction, 2, 40 * MICRO, world.outputs_of("trader", Funds)[0])
    world.settle(auction)
    path = f"/v1/auctions/{auction}"
    whole, mine, shown = await answer(world, f"{path}/receipts", f"{path}/receipts?participant={trader}", path)
    assert [row["side"] for row in whole["receipts"]] == ["offer", "bid"]
    (receipt,) = mine["receipts"]
    assert (receipt["filled"], receipt["price"], receipt["amount"]) == ("2", str(30 * MICRO), str(60 * MICRO))
    assert receipt["result"] == "2 of 2 bought at 30.00 EUR each, 60.00 EUR in all"
    assert "your limit was 40.00 EUR" in receipt["why_this_price"]
    assert receipt["who_could_see"].startswith("Everybody could read your order")
    assert "certificates came and money went" in receipt["what_is_next"]
    assert [(row["label"], row["volume"], row["thin"]) for row in shown["results"]] == [("all", "2", True)]


async def test_an_auction_that_runs_has_no_receipts_yet_and_an_unknown_one_is_unknown(world: FinalizedWorld) -> None:
    auction = world.auction(seconds=3_600)
    running, missing = await answer(world, f"/v1/auctions/{auction}/receipts", "/v1/auctions/99/receipts")
    assert (running["status"], running["receipts"]) == ("open", [])
    assert missing["code"] == "unknown"


async def test_a_buyer_on_margin_reads_what_he_owes_and_until_when(world: FinalizedWorld) -> None:
    terms = AuctionTerms(margin=2_000, pay_s=3_600)
    auction, trader = world.auction(seconds=3_600, terms=terms), world.people["trader"]
    world.offer("owner", auction, world.outputs_of("owner", Bundle)[0], 1, 3, 30 * MICRO)
    world.bid("trader", auction, 2, 30 * MICRO, world.outputs_of("trader", Funds)[0])
    world.settle(auction)
    receipts, mine, others = await answer(
        world,
        f"/v1/auctions/{auction}/receipts",
        f"/v1/obligations?participant={trader}",
        f"/v1/obligations?participant={world.people['owner']}",
    )
    sold, bought = (receipt["what_is_next"] for receipt in receipts["receipts"])
    assert bought.startswith("Pay 48.00 EUR before 2")
    assert "have until 2" in sold
    (owed,) = mine["obligations"]
    assert (owed["status"], owed["owed"], owed["held"]) == ("due", str(48 * MICRO), str(12 * MICRO))
    assert others["obligations"] == []
    world.do(Pay(auction, trader, 48 * MICRO, (world.outputs_of("trader", Funds)[0],)), by=("trader",))
    receipts, mine = await answer(world, f"/v1/auctions/{auction}/receipts", "/v1/obligations")
    assert mine["obligations"][0]["status"] == "paid"
    world.block()
    receipts, mine = await answer(world, f"/v1/auctions/{auction}/receipts", "/v1/obligations")
    assert mine["obligations"] == []
    sold, bought = (receipt["what_is_next"] for receipt in receipts["receipts"])
    assert bought.startswith("Nothing is left to do: what you owed is paid")
    assert sold.startswith("Nothing is left to do: what buyers owed")


async def test_posted_lots_and_standing_bids_are_listed_by_participant(world: FinalizedWorld) -> None:
    owner, trader = world.people["owner"], world.people["trader"]
    until = world.time_ms // 1000 + 1_000
    lot, money = world.outputs_of("owner", Bundle)[0], world.outputs_of("trader", Funds)[0]
    world.do(ListLot(owner, lot, 1, 2, 3 * MICRO, "EUR", trader, until), by=("owner",))
    world.do(PlaceStandingBid(trader, 1, (), 2, MICRO, 5 * MICRO, (money,)), by=("trader",))
    paths = ["/v1/listings", f"/v1/listings?participant={trader}", "/v1/listings?participant=1"]
    every, for_me, none = await answer(world, *paths)
    assert every["listings"] == for_me["listings"] != none["listings"] == []
    (listing,) = every["listings"]
    assert (listing["quantity"], listing["price"], listing["to"]) == ("2", str(3 * MICRO), trader)
    mine, others = await answer(
        world, f"/v1/standing-bids?participant={trader}", f"/v1/standing-bids?participant={owner}"
    )
    assert [(bid["quantity"], bid["left"]) for bid in mine["standing_bids"]] == [("2", str(5 * MICRO))]
    assert others["standing_bids"] == []
