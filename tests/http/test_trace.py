"""The trace page tells the whole life of one certificate, and only what happened to that one."""

from types import ModuleType
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from harness.finalized import FinalizedWorld
from harness.served import Served

from node.api.server import make_app
from node.pages.html import Frame
from node.pages.trace import STEPS, certificate
from node.pages.verifier import VERIFIER, verifier_sha256
from node.queries.trace import trace_dict
from node.texts import LANGUAGES, texts
from state.numbering import CertificateNumber, format_number
from state.outputs import Bundle, Funds, Offer
from state.transaction import Cancel, Payment, Piece, Transfer
from state.units import MICRO


def number(serial: int) -> str:
    return format_number(CertificateNumber("WAT", "FR", 1, 201404, serial, serial, 9))


def told(world: FinalizedWorld, serial: int) -> list[dict[str, Any]]:
    return trace_dict(world.store, number(serial))["life"]


def acts(world: FinalizedWorld, serial: int) -> list[str]:
    return [step["act"] for step in told(world, serial)]


BIRTH = ["generated", "fed", "judged", "attested", "issued"]


@pytest.fixture
def world() -> FinalizedWorld:
    """An owner with certificates 1..5, and a trader with money."""
    world = FinalizedWorld()
    world.operators()
    world.register("owner")
    world.register("trader")
    world.fund("trader", 1_000)
    world.device("owner")
    world.issue(1, 5_400_000)
    return world


def whole(world: FinalizedWorld) -> bytes:
    return world.outputs_of("owner", Bundle)[0]


def test_a_new_certificate_has_its_birth(world: FinalizedWorld) -> None:
    assert acts(world, 3) == BIRTH
    generated, fed, judged, attested, issued = told(world, 3)
    assert (fed["zone"], fed["point"], fed["meter"]) == ("FR", "", None)
    assert [(day["date"], day["energy_wh"]) for day in generated["days"]] == [("2014-04-02", "5400000")]
    assert len(generated["days"][0]["readings_root"]) == 64
    assert judged["verdict"] == "accept"
    assert attested["signers"] == ["Organisation 0", "Organisation 1", "Organisation 2"]
    assert (issued["count"], issued["carry_out_wh"], issued["to_name"]) == ("5", "400000", "owner")


def test_a_sale_in_an_auction_has_both_its_steps_and_the_price_of_one(world: FinalizedWorld) -> None:
    auction = world.auction(seconds=3_600)
    world.offer("owner", auction, whole(world), 2, 4, 30 * MICRO)
    world.bid("trader", auction, 2, 40 * MICRO, world.outputs_of("trader", Funds)[0])
    world.close(auction)
    world.settle(auction)
    assert acts(world, 2) == [*BIRTH, "offered", "delivered"]
    assert acts(world, 4) == [*BIRTH, "offered", "returned"]
    assert acts(world, 1) == [*BIRTH, "kept"], "its neighbours were offered, it was not"
    offered, delivered = told(world, 2)[-2:]
    assert (offered["limit"], offered["auction"], offered["currency"]) == (str(30 * MICRO), auction, "EUR")
    assert (delivered["from_name"], delivered["to_name"]) == ("owner", "trader")
    assert int(delivered["amount"]) == int(delivered["price"]) * 2
    assert 30 * MICRO <= int(delivered["price"]) <= 40 * MICRO


def test_an_offer_taken_back_leaves_it_where_it_was(world: FinalizedWorld) -> None:
    auction = world.auction(seconds=3_600)
    world.offer("owner", auction, whole(world), 1, 5, 30 * MICRO)
    world.do(Cancel(7, world.outputs_of("owner", Offer)[0]), by=("owner",))
    assert acts(world, 5) == [*BIRTH, "offered", "taken_back"]


def test_a_transfer_against_payment_tells_the_price_of_one(world: FinalizedWorld) -> None:
    payment = Payment(8, "EUR", 120 * MICRO, tuple(world.outputs_of("trader", Funds)))
    pieces = (Piece(8, 1, 4), Piece(7, 5, 5))
    world.do(Transfer(7, (whole(world),), pieces, payment), by=("owner", "trader"))
    assert acts(world, 4) == [*BIRTH, "transferred"]
    assert acts(world, 5) == [*BIRTH, "kept"]
    step = told(world, 4)[-1]
    assert (step["price"], step["amount"], step["count"]) == (str(30 * MICRO), str(120 * MICRO), "4")
    assert "price" not in told(world, 5)[-1]


def test_a_retirement_ends_it_with_the_claim(world: FinalizedWorld) -> None:
    world.do(world.retire_action("owner", whole(world), 2, 3), by=("owner",))
    assert acts(world, 3) == [*BIRTH, "retired"]
    step = told(world, 3)[-1]
    assert step["claim"]["beneficiary"]["name"] == "Bakery Dupont"
    assert len(step["statement"]) == 32
    assert acts(world, 4) == [*BIRTH, "kept"]


def test_an_expired_one_says_so_without_a_transaction(world: FinalizedWorld) -> None:
    world.pass_blocks(2, 3 * 366 * 86_400)
    assert acts(world, 1) == [*BIRTH, "expired"]
    assert told(world, 1)[-1]["txid"] is None
    assert "Expired unused" in page(trace_dict(world.store, number(1)))


def test_a_life_costs_what_happened_to_it_and_not_what_happened_around_it(world: FinalizedWorld) -> None:
    payment = Payment(8, "EUR", 10 * MICRO, tuple(world.outputs_of("trader", Funds)))
    world.do(Transfer(7, (whole(world),), (Piece(8, 1, 1), Piece(7, 2, 5)), payment), by=("owner", "trader"))
    before = reads_of(world, 1)
    for step in range(30):
        rest = next(point for point, lot in world.live().items() if isinstance(lot, Bundle) and lot.start == 2)
        giver, taker = ("owner", 8) if step % 2 == 0 else ("trader", 7)
        world.do(Transfer(7 if step % 2 == 0 else 8, (rest,), (Piece(taker, 2, 5),), None), by=(giver,))
    assert len(told(world, 2)) == len(BIRTH) + 31
    assert reads_of(world, 1) <= before
    assert reads_of(world, 2) > before


def reads_of(world: FinalizedWorld, serial: int) -> int:
    """Rows that the answer about one certificate read."""
    count, store = 0, world.store
    read, scan = store.get_raw, store.scan_raw

    def reading(key: bytes) -> bytes | None:
        nonlocal count
        count += 1
        return read(key)

    def scanning(low: bytes, high: bytes, reverse: bool = False) -> Any:
        nonlocal count
        for row in scan(low, high, reverse):
            count += 1
            yield row

    store.get_raw, store.scan_raw = reading, scanning
    try:
        trace_dict(store, number(serial))
    finally:
        store.get_raw, store.scan_raw = read, scan
    return count


def page(shown: dict[str, Any], language: str = "en") -> str:
    return certificate(Frame("network", "00" * 32, texts(language)), shown, "http://node.example", "00" * 32)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_step_and_every_status_has_words(world: FinalizedWorld, language: str) -> None:
    """Also of those that this ledger cannot make yet: a withdrawal, a delivery that waits."""
    shown = trace_dict(world.store, number(1))
    born = {step["act"]: step for step in shown["life"]}
    moved = {"from_name": "owner", "to_name": "trader", "number": number(1)}
    moved |= {"currency": "EUR", "price": "1", "limit": "1", "amount": "1", "count": "1"}
    claim = {"purpose": "voluntary", "note": "", "consumption_from": "0", "consumption_to": "1", "jurisdiction": "FR"}
    claim["beneficiary"] = dict.fromkeys(("name", "id", "location", "country"), "x")  # type: ignore[assignment]
    for act in STEPS:
        step = born.get(act, {**moved, "claim": claim, "statement": "00" * 16, "metered": []})
        text = page({**shown, "life": [{**step, "act": act}]}, language)
        assert "{" not in text[text.index("<body") :], act
    for status in ("active", "locked", "reserved", "retired", "expired", "withdrawn"):
        ranges = [{**shown["ranges"][0], "status": status}]
        text = page({**shown, "status": status, "ranges": ranges}, language)
        assert "{" not in text[text.index("<body") :], status


async def test_page_of_a_live_one_promises_no_proof_and_of_a_retired_one_gives_it(world: FinalizedWorld) -> None:
    world.do(world.retire_action("owner", whole(world), 2, 3), by=("owner",))
    async with TestClient(TestServer(make_app(Served(world).services))) as client:
        live = await (await client.get(f"/certificate/{number(1)}")).text()
        retired = await (await client.get(f"/certificate/{number(2).lower()}")).text()
    assert "no final proof of it yet" in live
    assert ".proof" not in live
    assert ".proof" in retired
    assert verifier_sha256() in retired


async def test_verifier_and_genesis_are_served_as_they_are(client: TestClient, world: FinalizedWorld) -> None:
    served = await (await client.get("/verify_statement.py")).read()
    assert served == VERIFIER.read_bytes()
    genesis = await client.get("/genesis.json")
    found = await (await client.get("/v1/genesis")).json()
    assert (await genesis.text()) == found["genesis"]


async def test_what_is_served_proves_the_statement_alone(client: TestClient) -> None:
    """The three downloads of the page, put together as the page says."""
    identity = (await (await client.get("/v1/statements")).json())["statements"][0]["id"]
    proof = await (await client.get(f"/v1/statements/{identity}/proof")).read()
    genesis = await (await client.get("/genesis.json")).read()
    module = ModuleType("served_verifier")
    exec(await (await client.get("/verify_statement.py")).text(), module.__dict__)
    assert module.verify_proof(proof, genesis)["statement_hash"][:16].hex() == identity


async def test_mistyped_number_is_told_where(client: TestClient) -> None:
    answer = await client.get("/certificate/WAT-FR-OOOOOO1-201404-000000002-53", params={"lang": "ru"})
    assert answer.status == 400
    assert "на месте 8 стоит буква O" in await answer.text()
