"""`wattest keys rotate` and its kin: what was held stays held, and both keys are told."""

from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode
from harness.world import FAR

from state.transaction import MeterContent, Vote

pytestmark = pytest.mark.usefixtures("node")


def public_of(wallets: Path, wattest, name: str) -> str:  # type: ignore[no-untyped-def]
    return wattest("--home", wallets, "keys", "show", name, "--json").json["public_key"]


def test_rotate_makes_a_key_that_signs_for_what_was_held(act, wattest, wallets: Path) -> None:  # type: ignore[no-untyped-def]
    before = public_of(wallets, wattest, "owner")
    assert act("keys", "rotate", "owner", "--new", "owner-2").code == 0
    assert act("transfer", "--to", "trader", "--quantity", "1", "--from", "owner-2").code == 0
    shown = act("keys", "history", "owner-2", "--json")
    (change,) = shown.json["changes"]
    assert (change["former"], change["key"]) == (before, public_of(wallets, wattest, "owner-2"))


def test_the_old_key_is_refused_with_a_code(act) -> None:  # type: ignore[no-untyped-def]
    act("keys", "rotate", "owner", "--new", "owner-2")
    ran = act("transfer", "--to", "trader", "--quantity", "1", "--from", "owner")
    assert ran.code == 1
    assert "not_registered" in ran.err


def test_a_recovery_key_named_later_replaces_a_lost_key(act, wattest, wallets: Path) -> None:  # type: ignore[no-untyped-def]
    act("keys", "add", "safe")
    safe = public_of(wallets, wattest, "safe")
    assert act("keys", "set-recovery", "--recovery-key", safe, "--from", "owner").code == 0
    ran = act("keys", "recover", "owner", "--recovery", "safe", "--new", "fresh")
    assert ran.code == 0, ran.err
    assert act("transfer", "--to", "trader", "--quantity", "1", "--from", "fresh").code == 0
    assert act("keys", "history", "fresh", "--json").json["changes"][0]["reason"] == "recovery"


def test_a_meter_rotates_with_three_signatures(act, wattest, wallets: Path, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    world = node.chain
    act("keys", "add", "meter", "--purpose", "device")
    meter = bytes.fromhex(public_of(wallets, wattest, "meter"))
    world.accredit(MeterContent(1, meter, 0, FAR), by="owner")
    ran = act("keys", "rotate", "meter", "--new", "meter-2", "--device", "1", "--from", "owner")
    assert ran.code == 0, ran.err
    found = act("keys", "history", "--device", "1", "--json").json
    assert found["key"] == public_of(wallets, wattest, "meter-2")
    assert found["changes"][0]["former"] == meter.hex()


def test_a_quorum_recovery_is_proposed_shown_and_vetoed(act, node: AnsweringNode, governance: str) -> None:  # type: ignore[no-untyped-def]
    world = node.chain
    owner = world.people["owner"]
    ran = act("proposal", "recover", str(owner), "--new", "fresh", "--reason", "passport shown", "--from", governance)
    assert ran.code == 0, ran.err
    for index in range(3):
        world.do(Vote(world.count("proposal"), index, True, ""), by=(f"Organisation {index}",))
    assert "a recovery waits" in act("keys", "history", "owner").out
    assert act("keys", "veto", "--from", "owner").code == 0
    assert "a recovery waits" not in act("keys", "history", "owner").out


def test_refuses_a_veto_where_nothing_waits(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("keys", "veto", "--from", "owner")
    assert (ran.code, "[unknown]" in ran.err) == (1, True)


def test_refuses_a_recovery_by_a_key_that_was_not_named(act) -> None:  # type: ignore[no-untyped-def]
    act("keys", "add", "safe")
    ran = act("keys", "recover", "owner", "--recovery", "safe", "--new", "x")
    assert (ran.code, "[unknown]" in ran.err) == (1, True)


def test_refuses_a_device_and_a_gateway_at_once(act) -> None:  # type: ignore[no-untyped-def]
    assert act("keys", "rotate", "owner", "--new", "x", "--device", "1", "--gateway", "1").code == 2
