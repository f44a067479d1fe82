"""Money and auctions from the command line."""

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from harness.answering_node import AnsweringNode
from harness.escrow import give

from cli.main import root
from state.transaction import Vote

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


def test_a_payout_is_asked_for_locked_and_confirmed(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    until = node.chain.time_ms // 1000 + 60
    line = ("payout", "12.50", "--operator", "bank", "--until", until, "--from", "trader")
    ran = act(*line)
    assert ran.code == 0, ran.err
    assert "to pay out 12.50 EUR; locked until it answers" in ran.err
    assert node.chain.money("trader") == 987_500_000
    (asked,) = act("payouts", "list", "--from", "bank", "--json").json["payouts"]
    assert "12.50 EUR" in act("payouts", "list", "--from", "trader").out
    assert act("payouts", "confirm", asked["outpoint"], "--reference", "B-9", "--from", "owner").code == 2
    ran = act("payouts", "confirm", asked["outpoint"], "--reference", "B-9", "--from", "bank")
    assert "confirm that 12.50 EUR was paid to participant" in ran.err
    assert act("payouts", "list", "--from", "bank").out.strip() == "no payout waits"
    assert act("handover", "list", "--from", "bank").out.strip() == "nothing waits"


def test_a_payout_that_nobody_answers_is_taken_back_after_its_time(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    until = node.chain.time_ms // 1000 + 60
    assert act("payout", "1", "--operator", "bank", "--until", until, "--from", "trader").code == 0
    (asked,) = act("payouts", "list", "--from", "trader", "--json").json["payouts"]
    ran = act("payouts", "drop", asked["outpoint"], "--from", "trader")
    assert (ran.code, "not_yet" in ran.err) == (1, True)
    node.chain.pass_blocks(7, seconds=10)
    assert act("payouts", "drop", asked["outpoint"], "--from", "trader").code == 0
    assert node.chain.money("trader") == 1_000_000_000


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


def test_a_schedule_is_proposed_like_an_auction_and_shown_with_its_scheme(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node, "--margin", 20, "--fee", 50)
    line = ("proposal", "scheme", 1, "--from", "owner")
    assert act(*line, "--every", "1d").code == 2
    assert act(*line, "--sessions-like", number).code == 2
    ran = act(*line, "--sessions-like", number, "--every", "1d", "--open-for", "2h")
    assert ran.code == 0, ran.err
    assert "an auction 'Spring wind' every 86400 s" in ran.err + ran.out
    for index in range(3):
        node.chain.do(Vote(node.chain.count("proposal"), index, True, ""), by=(f"Organisation {index}",))
    assert "open for 7200 s, the next at" in act("auction", "schemes").out


def test_attributes_are_completed_from_the_auction_or_all_open_ones(act, node: AnsweringNode, wallets: Path) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node, "--by", "technology=T01,T02", "--by", "zone=FR,DK")

    def completed(*line: object, given: str) -> list[str]:
        words = ["--home", str(wallets), *map(str, line), "--want"]
        return [item.value for item in ShellComplete(root, {}, "wattest", "X").get_completions(words, given)]

    assert completed("bid", number, given="zo") == ["zone=DK", "zone=FR"]
    assert completed("bid", number, given="w") == ["wind"]
    assert completed("deals", "every", given="technology=") == [
        "technology=T01",
        "technology=T02",
        "technology=solar",
        "technology=wind",
    ]
    assert completed("bid", 99, given="zo") == []
    assert act("bid", number, "--quantity", 1, "--limit", "2", "--want", "wind", "--from", "trader").code == 0
    (order,) = (item["outpoint"] for item in act("auction", "show", number, "--json").json["live_orders"])
    assert completed("replace", order, given="zo") == ["zone=DK", "zone=FR"]
    assert completed("replace", order, "--quantity", 2, given="w") == ["wind"]
    assert completed("replace", "0" * 68, given="zo") == []


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


def test_a_bid_by_attribute_is_previewed_and_told_its_price(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node, "--by", "technology=T01,T02", "--by", "zone=FR,DK", "--fee", 100)
    assert "technology: T01, T02" in act("auction", "show", number).out
    assert act("offer", number, "--quantity", 3, "--limit", "40", "--from", "owner").code == 0
    line = ("bid", number, "--quantity", 2, "--limit", "45", "--from", "trader")
    ran = act(*line, "--want", "wind", "--want", "zone=fr")
    assert "of T02 FR on offer so far: 3 certificates, from 40.00 EUR each" in ran.err
    assert "if it closed now you would get 2 of 2 at 40.00 EUR each" in ran.err
    ran = act(*line, "--want", "solar")
    assert "of T01 nothing is on offer so far" in ran.err
    node.chain.settle(number)
    shown = act("auction", "results", number).out
    assert "T02 FR" in shown
    assert "(thin)" in shown
    receipt = act("auction", "receipt", number, "--participant", "trader").out
    assert "2 of 2 bought at 40.00 EUR each, 80.00 EUR in all" in receipt
    assert "your limit was 45.00 EUR" in receipt
    assert "Nobody offered certificates of the kind" in receipt
    assert "less a fee of 0.80 EUR" in act("auction", "receipt", number, "--participant", "owner").out


def test_refuses_an_attribute_that_the_auction_cannot_tell(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node, "--by", "zone=FR,DK")
    ran = act("bid", number, "--quantity", 2, "--limit", "45", "--want", "wind", "--from", "trader")
    assert ran.code == 2
    assert "There is: zone: FR, DK" in ran.err
    line = ("auction", "open", "--title", "x", "--scheme", "1", "--closes", "10m", "--from", "exchange")
    assert act(*line, "--by", "colour=green").code == 2


def test_an_order_is_replaced_in_one_transaction(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node)
    ran = act("bid", number, "--quantity", 2, "--limit", "45", "--from", "trader", "--json")
    order = ran.json["events"][0]["outpoint"]
    ran = act("replace", order, "--quantity", 3, "--limit", "50", "--from", "trader", "--json")
    assert ran.code == 0, ran.err
    assert "60.00 EUR more are locked" in ran.err
    assert node.chain.money("trader") == 850_000_000
    again = ran.json["events"][0]["outpoint"]
    assert act("replace", order, "--quantity", 1, "--limit", "50", "--from", "trader").code == 2
    ran = act("replace", again, "--quantity", 1, "--limit", "50", "--from", "trader")
    assert "100.00 EUR come back" in ran.err
    assert node.chain.money("trader") == 950_000_000


@pytest.mark.parametrize("opened_by", ["owners", "validators"])
def test_sealed_orders_are_kept_and_opened_after_the_close(act, node: AnsweringNode, opened_by: str) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node, "--sealed", "10m", "--opened-by", opened_by)
    ran = act("offer", number, "--quantity", 2, "--limit", "40", "--from", "owner")
    assert ran.code == 0, ran.err
    ran = act("bid", number, "--quantity", 2, "--limit", "45", "--stake", "100", "--from", "trader")
    assert "locks 100.00 EUR" in ran.err
    assert "nobody can read it before the close" in ran.err
    assert "45.00 EUR" not in act("auction", "show", number).out
    assert act("auction", "reveal", "--json").json["waiting"] == [number]
    while act("auction", "show", number, "--json").json["status"] == "open":
        node.chain.pass_blocks(1, seconds=10)
    assert len(act("auction", "reveal", number, "--json").json["opened"]) == 2
    assert act("auction", "reveal", number).out.strip() == "nothing to open"
    assert "45.00 EUR" in act("auction", "show", number).out
    node.chain.settle(number)
    receipt = act("auction", "receipt", number, "--participant", "trader").out
    assert "Until the auction closed nobody could read your order" in receipt
    assert node.chain.certificates("trader") == 2


def test_an_order_that_validators_opened_meanwhile_is_not_an_error(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node, "--sealed", "10m")
    act("bid", number, "--quantity", 2, "--limit", "45", "--from", "trader")
    ran = act("bid", number, "--quantity", 1, "--limit", "44", "--from", "trader")
    assert "then the validators open it, nothing is left to do" in ran.err
    assert "a quorum of validators opens it" in ran.err
    assert "opened by a quorum of validators" in act("auction", "show", number).out
    while act("auction", "show", number, "--json").json["status"] == "open":
        node.chain.pass_blocks(1, seconds=10)
    give(node.chain, number, 0, 1, 2)  # the next block opens both, before the reveals that are in it
    ran = act("auction", "reveal", number, "--json")
    assert ran.json["opened"] == []
    assert "is open or was taken back" in ran.err
    node.chain.block()
    assert "45.00 EUR" in act("auction", "show", number).out


def test_refuses_to_say_who_opens_an_open_book(act) -> None:  # type: ignore[no-untyped-def]
    line = ("auction", "open", "--title", "x", "--scheme", "1", "--closes", "10m", "--from", "exchange")
    assert act(*line, "--opened-by", "validators").code == 2


def test_a_posted_lot_is_bought_in_part_and_taken_back(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    assert act("deals", "board").out.strip() == "nothing is posted"
    until = node.chain.time_ms // 1000 + 1_000
    ran = act("deals", "post", "--quantity", 3, "--price", "7.50", "--until", until, "--from", "owner", "--json")
    assert "all of it for 22.50 EUR" in ran.err
    lot = ran.json["events"][0]["outpoint"]
    assert "7.50 EUR" in act("deals", "board").out
    ran = act("buy", lot, "--quantity", 2, "--from", "trader", "--json")
    assert "15.00 EUR go to participant" in ran.err
    assert (node.chain.certificates("trader"), node.chain.money("owner")) == (2, 15_000_000)
    assert act("buy", lot, "--from", "trader").code == 2
    (rest,) = act("deals", "board", "--json").json["listings"]
    assert act("cancel", rest["outpoint"], "--from", "owner").code == 0
    assert act("deals", "board").out.strip() == "nothing is posted"


def test_a_lot_for_one_participant_shows_among_his_deals(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    until = node.chain.time_ms // 1000 + 1_000
    line = ("deals", "post", "--quantity", 1, "--price", "5", "--to", "trader", "--until", until, "--from", "owner")
    assert act(*line).code == 0
    assert "for you" in act("deals", "list", "--from", "trader").out
    assert "listing" in act("deals", "list", "--participant", "owner").out


def test_on_margin_a_buyer_reads_what_he_owes_and_pays_it_in_two_parts(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node, "--margin", 20, "--pay-within", "2h")
    assert "20 %, the rest within 7200 s" in act("auction", "show", number).out
    assert act("offer", number, "--quantity", 2, "--limit", "40", "--from", "owner").code == 0
    ran = act("bid", number, "--quantity", 2, "--limit", "40", "--from", "trader")
    assert "locks 16.00 EUR" in ran.err
    assert "to be paid within 2 h" in ran.err
    node.chain.settle(number)
    shown = act("deals", "list", "--from", "trader")
    assert "64.00 EUR" in shown.out
    assert "reserved" in act("deals", "list", "--from", "owner").out
    ran = act("pay", number, "10", "--from", "trader")
    assert ran.code == 0, ran.err
    assert "54.00 EUR is still owed" in ran.out
    line = ("pay", number, "--buyer", "trader", "--reference", "wire 8", "--from", "bank")
    ran = act(*line)
    assert ran.code == 0, ran.err
    assert "nothing is owed any more" in ran.out
    node.chain.block()
    assert node.chain.certificates("trader") == 2
    assert act("pay", number, "--from", "trader").code == 2
    assert act("pay", number, "--buyer", "trader", "--from", "bank").code == 2


def test_a_standing_bid_is_placed_listed_and_ended(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    line = ("deals", "every", "--scheme", 1, "--quantity", 2, "--limit", "3", "--purse", "30", "--from", "trader")
    ran = act(*line, "--want", "technology=wind", "--json")
    assert ran.code == 0, ran.err
    assert "locks 30.00 EUR" in ran.err
    (standing,) = act("deals", "list", "--from", "trader", "--json").json["standing_bids"]
    assert standing["wanted"] == [{"dimension": "technology", "node": "T02"}]
    assert act("deals", "end", standing["id"], "--scheme", 1, "--from", "trader").code == 0
    assert node.chain.money("trader") == 1_000_000_000
    assert act(*line, "--want", "gold").code == 2
    assert act(*line, "--want", "wind").code == 0
    assert "30.00 EUR" in act("deals", "list", "--from", "trader").out


@pytest.mark.parametrize("amount", ["-1", "1.1234567", "1e3", "12 EUR", "0x10", "NaN", "1,5"])
def test_refuses_amounts_that_are_none(act, amount: str) -> None:  # type: ignore[no-untyped-def]
    ran = act("deposit", "--to", "owner", "--reference", "r", "--from", "bank", "--", amount)
    assert ran.code == 2
    assert "is no amount" in ran.err


def test_refuses_an_order_that_is_no_outpoint(act) -> None:  # type: ignore[no-untyped-def]
    assert act("cancel", "ab", "--from", "trader").code == 2


def test_an_offer_is_previewed_in_the_class_of_its_plant(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    number = open_auction(act, node, "--by", "technology=T01,T02", "--by", "zone=FR,DK")
    line = ("offer", number, "--limit", "40", "--from", "owner", "--quantity")
    assert "if it closed now" not in act(*line, 1).err, "nobody bids yet"
    assert act("bid", number, "--quantity", 2, "--limit", "45", "--want", "wind", "--from", "trader").code == 0
    assert "if it closed now you would sell 1 of 2 at 40.00 EUR each" in act(*line, 2).err


def test_an_order_that_would_take_no_part_is_told_so_before_it_is_signed(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    """Sealed, where the ledger could say it only after the close; of sealed bids the kept openings know."""
    number = open_auction(
        act, node, "--sealed", "10m", "--cap", 5, "--floor", "10", "--ceiling", "50", "--by", "zone=FR,DK"
    )
    bid = ("bid", number, "--from", "owner", "--limit")
    assert "MIND" not in act("offer", number, "--quantity", 1, "--limit", "40", "--from", "owner").err
    assert (
        "MIND: above the ceiling of 50.00 EUR"
        in act("offer", number, "--quantity", 1, "--limit", "51", "--from", "owner").err
    )
    assert act("deposit", "900", "--to", "owner", "--reference", "B-7", "--from", "bank").code == 0
    assert "MIND" not in act(*bid, "12", "--quantity", 3, "--want", "DK").err
    ran = act(*bid, "12", "--quantity", 3, "--want", "DK")
    assert "MIND: with your other bids this is above the cap of 5 certificates" in ran.err
    assert "MIND: below the floor of 10.00 EUR" in act(*bid, "9", "--quantity", 1, "--want", "DK").err
    assert "MIND: you offer in a class that this bid accepts" in act(*bid, "12", "--quantity", 1).err
    ran = act("offer", number, "--quantity", 1, "--limit", "40", "--from", "owner")
    assert "MIND: a bid of yours accepts this class" in ran.err


def test_a_sealed_order_behind_many_others_is_opened_by_hand(  # type: ignore[no-untyped-def]
    act, node: AnsweringNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders come in pages, and none is beyond reach: half of its stake hangs on being found."""
    monkeypatch.setattr("node.queries.market.MAX_ORDERS", 2)
    monkeypatch.setattr("node.client.PAGE", 2)
    number = open_auction(act, node, "--sealed", "10m", "--opened-by", "owners")
    for _ in range(5):
        assert act("bid", number, "--quantity", 1, "--limit", "45", "--from", "trader").code == 0
    assert len(act("auction", "show", number, "--json").json["live_orders"]) == 5
    while act("auction", "show", number, "--json").json["status"] == "open":
        node.chain.pass_blocks(1, seconds=10)
    opened = act("auction", "reveal", number, "--json").json["opened"]
    assert [each["order"] for each in opened] == [0, 1, 2, 3, 4]
