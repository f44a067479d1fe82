"""Transactions by steps, between signers who do not share a machine."""

import json
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, wallet_of

ALL = "WAT-FR-0000001-201404-000000001/000000003-19"


@pytest.fixture
def homes(tmp_path: Path, node: AnsweringNode) -> dict[str, Path]:
    """A home for each side of a deal."""
    return {name: wallet_of(tmp_path / f"home-{name}", node.chain, name) for name in ("owner", "trader")}


def test_a_sale_is_built_signed_twice_and_sent(wattest, node: AnsweringNode, homes, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file, chain = tmp_path / "sale.json", node.chain.chain.hex()
    line = ("tx", "build", "--out", file, "transfer", ALL, "--to", "trader", "--price", "99", "--node", node.url)
    built = wattest("--home", homes["owner"], *line)
    assert built.code == 0, built.err
    assert "against 99.00 EUR of participant 8" in built.err
    for name in ("owner", "trader"):
        assert wattest("tx", "send", file, "-y", "--node", node.url).code == 1, "not all have signed"
        signed = wattest(
            "--home", homes[name], "tx", "sign", file, "--offline", "--chain-id", chain, "--out", file, "-y"
        )
        assert signed.code == 0, signed.err
    shown = wattest("tx", "show", file, "--json").json
    assert shown["missing"] == []
    sent = wattest("tx", "send", file, "-y", "--node", node.url, "--json")
    assert sent.code == 0, sent.err
    assert sent.json["txid"] == shown["txid"]
    assert node.chain.money("owner") == 99_000_000
    assert "final" in wattest("tx", "show", shown["txid"], "--node", node.url).out


def test_built_transaction_is_the_answer_on_stdout(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("tx", "build", "transfer", ALL, "--to", "trader", "--from", "owner")
    assert json.loads(ran.out)["schema"] == "transaction_file/1"
    assert json.loads(ran.out)["signatures"] == {}


def test_payer_elsewhere_is_told_to_build(wattest, node: AnsweringNode, homes) -> None:  # type: ignore[no-untyped-def]
    line = ("transfer", ALL, "--to", "trader", "--price", "99", "--node", node.url, "-y")
    ran = wattest("--home", homes["owner"], *line)
    assert ran.code == 2
    assert "tx build" in ran.err


def test_refuses_to_sign_offline_without_a_network(wattest, act, homes, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "t.json"
    act("tx", "build", "--out", file, "transfer", ALL, "--to", "trader", "--from", "owner")
    ran = wattest("--home", homes["owner"], "tx", "sign", file, "--offline", "-y")
    assert ran.code == 2
    assert "--chain-id" in ran.err


def test_refuses_to_sign_for_another_network(wattest, act, homes, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "t.json"
    act("tx", "build", "--out", file, "transfer", ALL, "--to", "trader", "--from", "owner")
    ran = wattest("--home", homes["owner"], "tx", "sign", file, "--offline", "--chain-id", "11" * 32, "-y")
    assert ran.code == 1
    assert "wrong_chain" in ran.err


def test_refuses_a_file_that_is_no_transaction(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "t.json"
    for text in ("", "{}", "[]", '{"schema":"transaction_file/1"}'):
        file.write_text(text)
        assert wattest("tx", "show", file).code == 2


def test_refuses_what_was_sent_already(act, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "t.json"
    act("tx", "build", "--out", file, "transfer", ALL, "--to", "trader", "--from", "owner")
    act("tx", "sign", file, "--from", "owner", "--out", file)
    assert act("tx", "send", file).code == 0
    again = act("tx", "send", file)
    assert again.code in (0, 1)
    assert "spent" in again.err or "final" in again.out


def test_refuses_to_show_what_no_node_knows(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("tx", "show", "ab" * 32, "--json")
    assert (ran.code, ran.out) == (1, "")
    assert json.loads(ran.err)["code"] == "unknown"
    assert "never handed in" in ran.err
