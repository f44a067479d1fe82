"""Money and auctions from the command line."""

import pytest
from harness.answering_node import AnsweringNode

ALL = "WAT-FR-0000001-201404-000000001/000000003-19"


def open_auction(act, node: AnsweringNode, *options: object) -> int:  # type: ignore[no-untyped-def]
    closes = node.chain.time_ms // 1000 + 60
    line = (
        "auction",
        "open",
        "--title",
        "Spring wind",
        "--scheme",
        "wind-mwh",
        "--closes",
        closes,
        "--from",
        "exchange",
    )
    ran = act(*line, *options, "--json")
    assert ran.code == 0, ran.err
    return int(ran.json["events"][0]["auction"])


def test_deposit_and_payout(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    assert act("deposit", "12.34", "--to", "owner", "--reference", "B-1", "--from", "bank").code == 0
    assert node.chain.money("owner") == 12_340_000
    line = ("payout", "2.30", "--operator", "bank", "--reference", "B-2", "--from", "owner")
    assert act(*line).code == 0
    assert node.chain.money("owner") == 10_040_000
    assert act(*line).code == 1, "a reference is used once"


def test_auction_from_opening_to_delivery(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node, "--technology", "t02")
    assert act("offer", number, "--quantity", 2, "--limit", "40", "--from", "owner").code == 0
    ran = act("bid", number, "--quantity", 2, "--limit", "45", "--from", "trader")
    assert "locks 90.00 EUR" in ran.err
    shown = act("auction", "show", number).out
    for words in ("Spring wind", "40.00 EUR", "45.00 EUR", "WAT-FR-0000001", "open"):
        assert words in shown
    assert "locked" in act("certificate", "list", "--holder", "owner").out
    node.chain.pass_blocks(12, seconds=10)
    assert act("auction", "show", number, "--json").json["status"] == "closed"
    assert "Spring wind" in act("auction", "list", "--status", "closed").out


def test_order_is_taken_back(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node)
    ran = act("bid", number, "--quantity", 2, "--limit", "45", "--from", "trader", "--json")
    order = ran.json["events"][0]["outpoint"]
    assert node.chain.money("trader") == 910_000_000
    assert act("cancel", order, "--from", "trader").code == 0
    assert node.chain.money("trader") == 1_000_000_000


def test_schemes_are_listed_and_named(act) -> None:  # type: ignore[no-untyped-def]
    assert "SOLAR-KWH" in act("auction", "schemes").out
    line = ("auction", "open", "--title", "x", "--scheme", "gold", "--closes", "10m", "--from", "exchange")
    ran = act(*line)
    assert ran.code == 2
    assert "1 = WIND-MWH" in ran.err


def test_refuses_a_bid_without_the_money(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node)
    ran = act("bid", number, "--quantity", 1_000, "--limit", "45", "--from", "trader")
    assert ran.code == 1
    assert "money_differs" in ran.err


def test_refuses_an_auction_by_somebody_without_the_role(act) -> None:  # type: ignore[no-untyped-def]
    line = ("auction", "open", "--title", "x", "--scheme", "1", "--closes", "2031-01-01", "--from", "trader")
    assert act(*line).code == 1


def test_refuses_an_unknown_auction(act) -> None:  # type: ignore[no-untyped-def]
    for line in (("auction", "show", 9), ("offer", 9, ALL, "--limit", "1", "--from", "owner")):
        ran = act(*line)
        assert ran.code == 1
        assert "no auction 9" in ran.err


@pytest.mark.parametrize("amount", ["-1", "1.1234567", "1e3", "12 EUR", "0x10", "NaN", "1,5"])
def test_refuses_amounts_that_are_none(act, amount: str) -> None:  # type: ignore[no-untyped-def]
    ran = act("deposit", "--to", "owner", "--reference", "r", "--from", "bank", "--", amount)
    assert ran.code == 2
    assert "is no amount" in ran.err


def test_refuses_an_order_that_is_no_outpoint(act) -> None:  # type: ignore[no-untyped-def]
    assert act("cancel", "ab", "--from", "trader").code == 2
