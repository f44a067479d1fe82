"""Transfers that ask, rules that stand, lists, corrections and amendments from the command line."""

from pathlib import Path
from typing import Any

import pytest
from harness.answering_node import AnsweringNode, wallet_of
from harness.world import DAY

from contracts.calendar import date_of_day
from state.numbering import CertificateNumber, format_number


@pytest.fixture
def numbers(act) -> list[str]:  # type: ignore[no-untyped-def]
    """The owner's three certificates, one by one."""
    return [format_number(CertificateNumber("WAT", "FR", 1, 201_404, n, n, 9)) for n in (1, 2, 3)]


def bundles(act, who: str) -> list[dict[str, Any]]:  # type: ignore[no-untyped-def]
    outputs = act("participant", "show", who, "--json").json["outputs"]
    return [item for item in outputs if item["kind"] == "bundle"]


def holds(act, who: str) -> int:  # type: ignore[no-untyped-def]
    return sum(int(item["quantity"]) for item in bundles(act, who))


# --- asking


def test_a_transfer_that_asks_moves_when_it_is_accepted(act) -> None:  # type: ignore[no-untyped-def]
    assert (
        act("transfer", "--to", "trader", "--quantity", "2", "--ask", "--until", "2033-01-01", "--from", "owner").code
        == 0
    )
    assert (holds(act, "owner"), holds(act, "trader")) == (1, 0)
    (waiting,) = act("handover", "list", "--from", "trader", "--json").json["handovers"]
    assert act("handover", "accept", waiting["outpoint"], "--from", "trader").code == 0
    assert (holds(act, "owner"), holds(act, "trader")) == (1, 2)


def test_a_sender_takes_back_what_nobody_accepted(act) -> None:  # type: ignore[no-untyped-def]
    act("transfer", "--to", "trader", "--quantity", "3", "--ask", "--until", "2033-01-01", "--from", "owner")
    (waiting,) = act("handover", "list", "--from", "owner", "--json").json["handovers"]
    assert "to participant" in act("handover", "list", "--from", "owner").out
    assert act("handover", "decline", waiting["outpoint"], "--from", "owner").code == 0
    assert holds(act, "owner") == 3


def test_refuses_an_answer_to_what_is_not_there(act) -> None:  # type: ignore[no-untyped-def]
    assert act("handover", "accept", "00", "--from", "trader").code == 2
    ran = act("handover", "accept", "00" * 34, "--from", "trader")
    assert (ran.code, "[spent]" in ran.err) == (1, True)


def test_refuses_to_ask_against_a_price(act) -> None:  # type: ignore[no-untyped-def]
    assert act("transfer", "--to", "trader", "--quantity", "1", "--ask", "--price", "1", "--from", "owner").code == 2


@pytest.mark.parametrize(("option", "value"), [("--technology", "wind"), ("--month", "201413"), ("--device", "0")])
def test_refuses_attributes_that_no_certificate_can_have(act, option: str, value: str) -> None:  # type: ignore[no-untyped-def]
    ran = act("transfer", "--quantity", "1", option, value, "--to", "trader", "--from", "owner")
    assert (ran.code, option in ran.err) == (2, True)


# --- standing


def test_a_standing_transfer_shares_every_issue_out(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    line = ("standing", "set", "--device", "1", "--to", "trader", "--share", "50", "--until", "2033-01-01")
    assert act(*line, "--from", "owner").code == 0
    node.chain.issue(1, 4_000_000, day=DAY + 1)
    assert holds(act, "trader") == 2
    assert "50 %" in act("standing", "list").out
    assert act("standing", "end", "1", "1", "--from", "trader").code == 0
    assert act("standing", "list", "--device", "1", "--json").json["standing"] == []


def test_refuses_a_share_that_is_no_percentage(act) -> None:  # type: ignore[no-untyped-def]
    line = ("standing", "set", "--device", "1", "--to", "trader", "--share", "half", "--until", "2033-01-01")
    assert act(*line, "--from", "owner").code == 2


# --- lists


def test_a_list_moves_as_one(act, numbers: list[str], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "list.csv"
    file.write_text(f"number,to\n{numbers[0]},trader\n")
    ran = act("batch", file, "--from", "owner", "--json")
    assert [item["status"] for item in ran.json["results"]] == ["final"]
    assert holds(act, "trader") == 1


def test_a_list_with_a_bad_line_moves_nothing_and_says_which(act, numbers: list[str], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "list.csv"
    file.write_text(f"{numbers[0]},trader\n{numbers[1]},nobody\n")
    ran = act("batch", file, "--from", "owner", "--json")
    assert ran.code == 1
    assert [item["status"] for item in ran.json["results"]] == ["not sent", "refused"]
    assert "nobody" in ran.json["results"][1]["why"]
    assert holds(act, "trader") == 0


def test_lines_of_one_bundle_move_as_one(act, numbers: list[str], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "list.csv"
    file.write_text(f"\ufeffnumber,to\n{numbers[0]},trader\n{numbers[2]},bank\n{numbers[1]},trader\n", "utf-8")
    ran = act("batch", file, "--from", "owner", "--json")
    assert [item["status"] for item in ran.json["results"]] == ["final"] * 3
    assert (holds(act, "owner"), holds(act, "trader"), holds(act, "bank")) == (0, 2, 1)


def test_a_list_cannot_give_a_certificate_away_twice(act, numbers: list[str], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "list.csv"
    file.write_text(f"{numbers[0]},trader\n{numbers[0]},bank\n")
    ran = act("batch", file, "--from", "owner", "--json")
    assert [item["status"] for item in ran.json["results"]] == ["not sent", "refused"]
    assert "line 1 gives" in ran.json["results"][1]["why"]


def test_each_line_by_itself_moves_what_can_move(act, numbers: list[str], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "list.csv"
    file.write_text(f"{numbers[0]},trader\n# a comment\n{numbers[0]},trader\n{numbers[2]},bank\n")
    ran = act("batch", file, "--each", "--from", "owner", "--json")
    assert ran.code == 1
    assert [item["status"] for item in ran.json["results"]] == ["final", "refused", "final"]
    assert "ranges_differ" in ran.json["results"][1]["why"]
    assert (holds(act, "owner"), holds(act, "trader"), holds(act, "bank")) == (1, 1, 1)


@pytest.mark.parametrize("text", ["", "no comma", "WAT,"])
def test_refuses_a_list_that_is_none(act, tmp_path: Path, text: str) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "list.csv"
    file.write_text(text)
    assert act("batch", file, "--from", "owner").code == 2


def test_refuses_a_list_that_is_not_text(act, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "list.csv"
    file.write_bytes(b"\xff\xfe,1\n")
    assert act("batch", file, "--from", "owner").code == 2


# --- split and merge


def test_neighbours_given_to_oneself_become_one_bundle(act, numbers: list[str]) -> None:  # type: ignore[no-untyped-def]
    act("transfer", numbers[1], "--to", "owner", "--from", "owner")
    assert len(bundles(act, "owner")) == 3
    act("transfer", *numbers, "--to", "owner", "--from", "owner")
    assert len(bundles(act, "owner")) == 1


def test_refuses_to_move_a_range_over_two_issues(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    node.chain.issue(1, 2_000_000, day=DAY + 1)
    number = format_number(CertificateNumber("WAT", "FR", 1, 201_404, 2, 4, 9))
    ran = act("transfer", number, "--to", "trader", "--from", "owner")
    assert (ran.code, "bad_number" in ran.err, "beyond 3" in ran.err) == (1, True, True)
    assert holds(act, "trader") == 0


# --- corrections, pledges, amendments


def test_a_correction_is_proposed_approved_and_shown(act, node: AnsweringNode, wallets: Path) -> None:  # type: ignore[no-untyped-def]
    names = ("Organisation 0", "Organisation 1", "Organisation 2")
    wallet_of(wallets, node.chain, *names, purpose="governance")
    day = date_of_day(DAY).isoformat()
    line = ("proposal", "correct", 1, "--day", day, "--release-wh", 1_400_000, "--reason", "wrong ratio")
    ran = act(*line, "--from", "Organisation-0")
    assert ran.code == 0, ran.err
    number = node.chain.count("proposal")
    for name in names:
        assert act("proposal", "approve", number, "--from", name.replace(" ", "-")).code == 0
    shown = act("device", "show", 1, "--json").json
    assert shown["debt"]["debt_wh"] == "1600000"
    ran = act("transfer", "--to", "trader", "--quantity", "1", "--from", "owner")
    assert (ran.code, "[debt_open]" in ran.err) == (1, True)
    node.chain.do(node.chain.withdrawal(1))
    assert holds(act, "owner") == 1


def test_a_pledge_is_locked_and_noticed(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    node.chain.fund("owner", 50)
    assert act("device", "pledge", 1, "20", "--from", "owner").code == 0
    assert "20.00 EUR pledged for plant 1" in act("participant", "show", "owner").out
    assert act("device", "unpledge", 1, "--from", "owner").code == 0
    ran = act("device", "unpledge", 1, "--from", "owner")
    assert (ran.code, "[not_yet]" in ran.err) == (1, True)


def test_an_amendment_stands_beside_the_statement(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("retire", "--quantity", "1", "--beneficiary", "Bakry Dupont", "--from", "owner", "--json")
    identity = next(event["statement"] for event in ran.json["events"] if event["kind"] == "retired")
    assert act("statement", "amend", identity, "--beneficiary", "Bakery Dupont", "--from", "owner").code == 0
    shown = act("statement", "show", identity).out
    assert "Bakry Dupont" in shown
    assert "Bakery Dupont" in shown
    ran = act("statement", "amend", identity, "--note", "again", "--from", "owner")
    assert (ran.code, "[already_exists]" in ran.err) == (1, True)
    assert act("statement", "amend", identity, "--from", "owner").code == 2
