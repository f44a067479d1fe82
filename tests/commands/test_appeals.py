"""`wattest device appeal|answer|appeals`: filed, answered and read back from the command line."""

from hashlib import sha256
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, wallet_of
from harness.world import DAY, FAR

from contracts.calendar import date_of_day
from state.attestation import HOLD
from state.transaction import RoleContent

HELD = date_of_day(DAY + 3).isoformat()


@pytest.fixture
def held(node: AnsweringNode, wallets: Path) -> None:
    world = node.chain
    world.register("judge")
    world.accredit(RoleContent(world.people["judge"], "authority", FAR), by="judge")
    world.do(world.issue_action(1, (world.attested(1, DAY + 3, 5_000, verdict=HOLD),)))
    wallet_of(wallets, world, "judge")


@pytest.mark.usefixtures("held")
def test_an_objection_and_its_answer_are_listed(act, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    evidence = tmp_path / "ice.jpg"
    evidence.write_bytes(b"a picture")
    ran = act("device", "appeal", 1, "--day", HELD, "--reason", "ice", "--evidence", evidence, "--from", "owner")
    assert ran.code == 0, ran.err
    (found,) = act("device", "appeals", 1, "--json").json["appeals"]
    assert (found["status"], found["overdue"]) == ("open", False)
    assert found["evidence_hash"] == sha256(b"a picture").hexdigest()
    ran = act("device", "answer", 1, "--day", HELD, "--uphold", "--answer", "seen", "--from", "judge")
    assert ran.code == 0, ran.err
    assert "upheld" in act("device", "appeals").out
    assert "ice" in act("device", "appeals", "--status", "upheld").out


@pytest.mark.usefixtures("held")
def test_refuses_an_answer_of_somebody_without_the_role(act) -> None:  # type: ignore[no-untyped-def]
    act("device", "appeal", 1, "--day", HELD, "--reason", "ice", "--from", "owner")
    ran = act("device", "answer", 1, "--day", HELD, "--dismiss", "--answer", "no", "--from", "trader")
    assert (ran.code, "[role_needed]" in ran.err) == (1, True)


def test_refuses_a_day_that_is_none(act) -> None:  # type: ignore[no-untyped-def]
    assert act("device", "appeal", 1, "--day", "yesterday", "--reason", "x", "--from", "owner").code == 2


def test_refuses_evidence_that_is_not_there(act) -> None:  # type: ignore[no-untyped-def]
    line = ("device", "appeal", 1, "--day", HELD, "--reason", "x", "--evidence", "/nowhere", "--from", "owner")
    assert act(*line).code == 2
