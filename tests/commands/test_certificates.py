"""Certificates from the command line: looked up, handed on, sold, retired; by number or by attribute."""

import json
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, wallet_of

from node.keystore import CHEAP, generate_key, save_key
from state.numbering import CertificateNumber, format_number
from state.outputs import Bundle

ALL = "WAT-FR-0000001-201404-000000001/000000003-19"
FIRST = "WAT-FR-0000001-201404-000000001-56"
SECOND, THIRD = (format_number(CertificateNumber("WAT", "FR", 1, 201404, serial, serial, 9)) for serial in (2, 3))


def numbers(ran) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return {item["number"]: item["holder_name"] for item in ran.json["certificates"]}


def test_list_of_all_of_a_holder_and_of_a_key(act) -> None:  # type: ignore[no-untyped-def]
    assert numbers(act("certificate", "list", "--json")) == {ALL: "owner"}
    assert numbers(act("certificate", "list", "--holder", "trader", "--json")) == {}
    assert numbers(act("certificate", "list", "--from", "owner", "--json")) == {ALL: "owner"}
    assert ALL in act("certificate", "list").out


def test_show_where_and_history(act) -> None:  # type: ignore[no-untyped-def]
    act("transfer", FIRST, "--to", "trader", "--from", "owner")
    shown = act("certificate", "show", FIRST).out
    for words in ("trader (8)", "La Haute Borne", "T020001", "WIND-MWH", "active"):
        assert words in shown
    parts = act("certificate", "where", ALL, "--json").json["ranges"]
    assert [(part["quantity"], part["holder"]) for part in parts] == [("1", 8), ("2", 7)]
    steps = act("certificate", "history", FIRST, "--json").json["history"]
    assert [step["event"] for step in steps] == ["issue", "transfer"]
    assert "owner -> trader" in act("certificate", "history", FIRST).out


def test_transfer_by_number_splits_the_bundle(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    ran = act("transfer", SECOND.lower(), "--to", "trader", "--from", "owner", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["status"] == "final"
    assert [event["kind"] for event in ran.json["events"]] == ["transferred"]
    assert (node.chain.certificates("owner"), node.chain.certificates("trader")) == (2, 1)


def test_transfer_by_attribute(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    line = ("transfer", "--quantity", 2, "--to", "trader", "--from", "owner")
    assert act(*line, "--technology", "T01").code == 1
    assert act(*line, "--month", 201403).code == 1
    assert act(*line, "--device", 2).code == 1
    assert act(*line, "--technology", "t02", "--month", 201404, "--device", 1).code == 0
    assert node.chain.certificates("trader") == 2


def test_transfer_against_payment_moves_both_legs(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    ran = act("transfer", ALL, "--to", "trader", "--price", "120.50", "--from", "owner")
    assert ran.code == 0, ran.err
    assert node.chain.money("owner") == 120_500_000
    assert node.chain.money("trader") == 879_500_000
    assert node.chain.certificates("trader") == 3


def test_words_are_shown_before_anything_moves(wattest, wallets: Path, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("--home", wallets, "transfer", ALL, "--to", "trader", "--from", "owner")
    assert ran.code == 2
    assert "transfer 3 certificates (1..3) to participant 8" in ran.err
    assert "participant 8 is trader" in ran.err
    assert "--yes" in ran.err
    assert node.chain.certificates("owner") == 3


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_no_is_the_default_answer(  # type: ignore[no-untyped-def]
    wattest, wallets: Path, node: AnsweringNode, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from io import StringIO

    terminal = StringIO(answer)
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    ran = wattest("--home", wallets, "transfer", ALL, "--to", "trader", "--from", "owner")
    assert ran.code == 130
    assert node.chain.certificates("owner") == 3


def test_retirement_names_its_statement_and_is_final(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    line = ("retire", FIRST, "--from", "owner", "--beneficiary", "Bakery Dupont", "--note", "Spring bread")
    ran = act(*line, "--json")
    assert ran.code == 0, ran.err
    statement = ran.json["events"][0]["statement"]
    assert "a retirement is final" in ran.err
    shown = act("statement", "show", statement)
    for words in ("Bakery Dupont", "Spring bread", "1 MWh", FIRST, "completed"):
        assert words in shown.out
    assert statement in act("statement", "list", "--holder", "owner").out
    assert "retired" in act("certificate", "show", FIRST).out
    again = act(*line)
    assert again.code == 1
    assert "ranges_differ" in again.err


def test_retirement_of_several_bundles_is_one_statement(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    node.chain.issue(1, 2_000_000, day=16_163)
    ran = act("retire", "--quantity", 4, "--from", "owner", "--json")
    assert ran.code == 0, ran.err
    assert len({event["statement"] for event in ran.json["events"]}) == 1
    assert node.chain.certificates("owner") == 1


def test_answer_without_waiting_is_the_id(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    node.finalises = False
    ran = act("transfer", ALL, "--to", "trader", "--from", "owner", "--no-wait", "--json")
    assert (ran.code, ran.json["status"]) == (0, "waiting")
    assert act("tx", "show", ran.json["txid"], "--json").json["status"] == "waiting"


def test_refuses_a_mistyped_number_before_asking_the_node(wattest) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("certificate", "show", FIRST.replace("-56", "-57"), "--node", "http://127.0.0.1:1")
    assert ran.code == 2
    assert "check digits do not fit" in ran.err


def test_refuses_a_number_whose_decoration_is_anothers(act) -> None:  # type: ignore[no-untyped-def]
    wrong = format_number(CertificateNumber("WAT", "DK", 1, 201404, 1, 1, 9))
    for line in (("certificate", "show", wrong), ("transfer", wrong, "--to", "trader", "--from", "owner")):
        ran = act(*line)
        assert ran.code == 1
        assert "country is FR, not DK" in ran.err


def test_refuses_certificates_of_somebody_else(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("transfer", ALL, "--to", "bank", "--from", "trader")
    assert ran.code == 1
    assert "not yours to move" in ran.err


def test_refuses_unknown_participant_and_names_the_nearest(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("transfer", ALL, "--to", "tradr", "--from", "owner")
    assert ran.code == 2
    assert "Did you mean 'trader'?" in ran.err
    assert act("transfer", ALL, "--to", 99, "--from", "owner").code == 1


def test_refuses_when_it_is_not_said_which_certificates(act) -> None:  # type: ignore[no-untyped-def]
    for extra in ((), (ALL, "--quantity", 1), (ALL, "--technology", "T02")):
        assert act("transfer", *extra, "--to", "trader", "--from", "owner").code == 2


def test_refuses_a_key_that_is_not_registered(act, wallets: Path, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    wallet_of(wallets, node.chain, "stranger")
    ran = act("transfer", ALL, "--to", "trader", "--from", "stranger")
    assert ran.code == 1
    assert "participant register --from stranger" in ran.err


def test_refuses_when_several_keys_could_sign(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("transfer", ALL, "--to", "trader")
    assert ran.code == 2
    assert "--from: bank, exchange, owner, trader" in ran.err


def test_refuses_a_node_of_another_network(act, wallets: Path) -> None:  # type: ignore[no-untyped-def]
    ran = act("transfer", ALL, "--to", "trader", "--from", "owner", "--chain-id", "00" * 32)
    assert ran.code == 1
    assert "wrong_network" in ran.err


def test_refuses_two_ranges_of_one_bundle_in_one_retirement(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("retire", FIRST, THIRD, "--from", "owner")
    assert ran.code == 2
    assert "one bundle" in ran.err


def test_refuses_proof_that_was_touched(act, node: AnsweringNode, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "bad.proof").write_bytes(b"\x93\x01\x02\x03")
    (tmp_path / "genesis.json").write_bytes(node.chain.genesis_text)
    ran = act("statement", "verify", tmp_path / "bad.proof", "--genesis", tmp_path / "genesis.json")
    assert ran.code == 6
    assert "Verification failed" in ran.err


def test_wallet_and_ledger_speak_of_the_same_bundle(act, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    """What the wallet rebuilds from JSON is the very output of the ledger."""
    from node.answers import struct_of

    found = act("participant", "show", "owner", "--json").json["outputs"][0]
    assert struct_of(Bundle, found) == node.chain.live()[bytes.fromhex(found["outpoint"])]
    assert json.dumps(found)


def test_one_prompt_unlocks_both_sides_of_a_sale(  # type: ignore[no-untyped-def]
    wattest, node: AnsweringNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = []
    home = tmp_path / "sealed"
    for name in ("owner", "trader"):
        key = generate_key("wallet", node.chain.chain.hex(), node.chain.seed(name))
        save_key(home / "keys", name, key, b"secret", "file", limits=CHEAP)
    monkeypatch.setattr("cli.session._terminal", lambda: True)
    monkeypatch.setattr("click.prompt", lambda text, **_: prompts.append(text) or "secret")
    line = ("transfer", ALL, "--to", "trader", "--price", "5", "--from", "owner", "-y", "--node", node.url)
    assert wattest("--home", home, *line).code == 0
    assert prompts == ["Passphrase of owner"]


def test_shows_the_numbers_before_value_moves(act) -> None:  # type: ignore[no-untyped-def]
    """Numbers of a range are of one plant only: without the whole number nobody knows what is about to end."""
    ran = act("retire", "--from", "owner", "--quantity", "1")
    assert ran.code == 0, ran.err
    assert FIRST in ran.err
