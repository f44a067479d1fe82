"""`wattest device debts|withdraw|buy-back`: what was certified in error is made good from the command line."""

from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode
from harness.world import DAY, MONTH

from contracts.accounts import accounts_of, debt_of
from contracts.calendar import date_of_day
from state.numbering import CertificateNumber, format_number
from state.outputs import Bundle
from state.transaction import Piece, Transfer, Vote

FACE_WH = 1_000_000


def number_of(device: int, start: int, end: int) -> str:
    return format_number(CertificateNumber("WAT", "FR", device, MONTH, start, end, 9))


def sell(node: AnsweringNode, start: int, end: int) -> None:
    """Certificates start..end of the owner's first bundle go to the trader."""
    world = node.chain
    point = world.outputs_of("owner", Bundle)[0]
    lot = world.live()[point]
    assert isinstance(lot, Bundle)
    pieces = [Piece(world.people["trader"], start, end)]
    pieces += [Piece(lot.holder, lot.start, start - 1)] if lot.start < start else []
    pieces += [Piece(lot.holder, end + 1, lot.end)] if end < lot.end else []
    world.do(Transfer(lot.holder, (point,), tuple(pieces), None), by=("owner",))


@pytest.fixture
def owing(node: AnsweringNode) -> AnsweringNode:
    """Plant 1 owes 1.1 MWh, all three of its certificates are sold; plant 2 of the same owner has four."""
    world = node.chain
    sell(node, 1, 3)
    world.issue(world.device("owner"), 4_700_000)
    world.correct(1, DAY, 1_900_000)
    debt = debt_of(world.state, 1)
    assert debt is not None
    assert debt.debt_wh == 1_100_000
    return node


def owed(node: AnsweringNode, device: int = 1) -> int:
    debt = debt_of(node.chain.state, device)
    return debt.debt_wh if debt else 0


# --- who owes what


def test_an_operator_sees_its_debts_and_what_its_pledge_would_pay(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    owing.chain.fund("owner", 100)
    assert act("device", "pledge", 1, "50", "--from", "owner").code == 0
    ran = act("device", "debts", "--from", "owner")
    assert ran.code == 0, ran.err
    assert "1.100 MWh" in ran.out
    assert "50.00 EUR" in ran.out
    assert "no auction has made a price" in ran.out
    assert "wattest device withdraw 1" in ran.out
    (debt,) = act("device", "debts", 1, "--json").json["debts"]
    assert (debt["device"], debt["certificates"], debt["pledged"]) == (1, "2", "50000000")
    assert act("device", "debts", "--owner", "trader").out.strip() == "nothing is owed"
    shown = act("device", "show", 1).out
    assert "1.100 MWh that were certified in error" in shown
    assert "50.00 EUR" in shown


def test_a_debt_that_is_paid_is_shown_only_when_asked_for(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    assert act("device", "withdraw", 1, "--from", "owner").code == 0
    assert act("device", "debts").out.strip() == "nothing is owed"
    assert "nothing any more" in act("device", "debts", "--all").out


# --- handing in


def test_as_many_certificates_of_other_plants_as_are_owed_are_handed_in(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    ran = act("device", "withdraw", 1, "--from", "owner")
    assert ran.code == 0, ran.err
    assert owed(owing) == 0
    assert owing.chain.certificates("owner") == 2
    carries = [account.carry_wh for account in accounts_of(owing.chain.state, 1)]
    assert carries == [900_000], "the rest of the second one is carried for the plant that owed"
    assert "withdrawn" in act("certificate", "where", number_of(2, 4, 4)).out


def test_named_certificates_and_fewer_than_are_owed_are_handed_in(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    ran = act("device", "withdraw", 1, number_of(2, 4, 4), "--from", "owner")
    assert ran.code == 0, ran.err
    assert "1 more will be owed" in ran.err
    assert owed(owing) == 100_000
    assert act("device", "withdraw", 1, "--quantity", 1, "--from", "owner").code == 0
    assert owed(owing) == 0


def test_refuses_to_hand_in_where_nothing_is_owed(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("device", "withdraw", 1, "--from", "owner")
    assert (ran.code, "[no_debt]" in ran.err) == (1, True)


def test_refuses_to_hand_in_what_is_not_there(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    ran = act("device", "withdraw", 1, "--quantity", 9, "--from", "owner")
    assert (ran.code, "[wrong_certificates]" in ran.err) == (1, True)
    assert "you hold 4 of scheme WIND-MWH" in ran.err
    assert owed(owing) == 1_100_000


def test_refuses_more_than_is_owed(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    ran = act("device", "withdraw", 1, "--quantity", 3, "--from", "owner")
    assert (ran.code, "[wrong_certificates]" in ran.err) == (1, True)
    assert owed(owing) == 1_100_000


def test_refuses_a_range_in_the_middle_of_a_bundle(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    ran = act("device", "withdraw", 1, number_of(2, 2, 2), "--from", "owner")
    assert (ran.code, "[bad_range]" in ran.err) == (1, True)


def test_refuses_to_hand_in_for_somebody_elses_plant(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    ran = act("device", "withdraw", 1, number_of(1, 3, 3), "--from", "trader")
    assert (ran.code, "[wrong_certificates]" in ran.err) == (1, True)


def test_refuses_certificates_of_a_plant_that_owes_itself(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    owing.chain.correct(2, DAY, 3_000_000)
    ran = act("device", "withdraw", 1, number_of(2, 4, 4), "--from", "owner")
    assert (ran.code, "[debt_open]" in ran.err) == (1, True)
    ran = act("device", "withdraw", 1, "--from", "owner")
    assert (ran.code, "without a debt" in ran.err) == (1, True)


def test_refuses_certificates_of_another_scheme(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    world = owing.chain
    third = world.device("owner", scheme=2)
    world.issue(third, 5_000)
    number = format_number(CertificateNumber("WAT", "FR", third, MONTH, 5, 5, 12))
    ran = act("device", "withdraw", 1, number, "--from", "owner")
    assert (ran.code, "[wrong_certificates]" in ran.err) == (1, True)


# --- buying back


def test_certificates_of_the_plant_are_bought_back_and_the_nodes_withdraw_them(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    world = owing.chain
    world.fund("owner", 100)
    line = ("device", "buy-back", 1, "--quantity", 2, "--seller", "trader", "--price", "31.50", "--from", "owner")
    ran = act(*line)
    assert ran.code == 0, ran.err
    assert "the nodes withdraw them" in ran.err
    assert world.money("trader") == 1_031_500_000
    world.do(world.withdrawal(1))
    assert owed(owing) == 0
    assert world.certificates("trader") == 1


def test_refuses_to_buy_back_more_than_is_owed(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    owing.chain.fund("owner", 100)
    line = ("device", "buy-back", 1, "--quantity", 3, "--seller", "trader", "--price", "9", "--from", "owner")
    ran = act(*line)
    assert (ran.code, "[wrong_certificates]" in ran.err) == (1, True)
    assert owing.chain.certificates("trader") == 3


def test_refuses_to_buy_back_without_money_and_from_oneself(act, owing: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    line = ("device", "buy-back", 1, "--quantity", 1, "--price", "9", "--from", "owner")
    ran = act(*line, "--seller", "trader")
    assert (ran.code, "[money_differs]" in ran.err) == (1, True)
    assert act(*line, "--seller", "owner").code == 2


def test_a_seller_elsewhere_signs_a_file(act, owing: AnsweringNode, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    owing.chain.fund("owner", 100)
    file = tmp_path / "buy.json"
    line = ("device", "buy-back", 1, "--quantity", 1, "--seller", "trader", "--price", "9", "--from", "owner")
    ran = act("tx", "build", "--out", file, *line[1:])
    assert ran.code == 0, ran.err
    assert act("tx", "sign", file, "--out", file, "--from", "owner").code == 0
    assert act("tx", "sign", file, "--out", file, "--from", "trader").code == 0
    assert act("tx", "send", file).code == 0
    assert owing.chain.certificates("trader") == 2


# --- what a proposal of the registry can say


def content_of(act, number: int) -> dict[str, object]:  # type: ignore[no-untyped-def]
    found: dict[str, object] = act("proposal", "show", number, "--json").json["content"]
    return found


def test_a_scheme_by_the_hour_has_a_ladder_and_a_change_of_terms_keeps_it(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    line = ("proposal", "scheme", 3, "--name", "HOUR", "--unit", "Wh", "--face-value-wh", 1, "--from", "owner")
    ran = act(*line, "--release-shares", "9000,600,400")
    assert ran.code == 0, ran.err
    number = node.chain.count("proposal")
    content = content_of(act, number)
    assert isinstance(content["scheme"], dict)
    assert content["scheme"]["release_shares"] == [9_000, 600, 400]
    for index in range(3):
        node.chain.do(Vote(number, index, True, ""), by=(f"Organisation {index}",))
    ran = act("proposal", "scheme", 3, "--not-tradable", "--from", "owner")
    assert ran.code == 0, ran.err
    changed = content_of(act, number + 1)["scheme"]
    assert isinstance(changed, dict)
    assert (changed["tradable"], changed["release_shares"]) == (False, [9_000, 600, 400])


@pytest.mark.parametrize("shares", ["9000", "9000,500,500,0", "9000,a,1000", "@/nowhere"])
def test_refuses_shares_that_are_none(act, shares: str) -> None:  # type: ignore[no-untyped-def]
    line = ("proposal", "scheme", 3, "--name", "HOUR", "--unit", "Wh", "--face-value-wh", 1, "--from", "owner")
    assert act(*line, "--release-shares", shares).code == 2


def test_refuses_a_correction_with_hours_of_a_plant_without_them(act, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    hours = tmp_path / "hours.txt"
    hours.write_text("\n".join(["0"] * 23 + ["5"]))
    line = ("proposal", "correct", 1, "--day", date_of_day(DAY).isoformat(), "--release-wh", 3_400_005)
    ran = act(*line, "--reason", "meter", "--added-hours", f"@{hours}", "--from", "owner")
    assert (ran.code, "[bad_field]" in ran.err, "hours_wh" in ran.err) == (1, True, True)
    ran = act("proposal", "correct", 1, "--day", "2014-13-01", "--release-wh", 1, "--reason", "x", "--from", "owner")
    assert (ran.code, "no day" in ran.err) == (2, True)


# --- who may audit


def test_whoever_may_not_audit_is_told_how_to_become_an_auditor(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("audit")
    assert (ran.code, "--as KEY" in ran.err) == (1, True)
    ran = act("audit", "--as", "trader")
    assert (ran.code, "wattest proposal role --role auditor --from trader" in ran.err) == (1, True)
