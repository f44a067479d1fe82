"""Names of individuals stay in the home that made them; the ledger has a salted hash."""

import json
from pathlib import Path

import pytest

from node.failures import KeystoreError
from node.personal import commitment, is_commitment, keep, revealed


def test_a_person_is_registered_under_a_hash(act, wallets: Path) -> None:  # type: ignore[no-untyped-def]
    act("keys", "add", "zoe")
    assert (
        act("participant", "register", "--person", "--name", "Zoé Dupont", "--country", "FR", "--from", "zoe").code == 0
    )
    shown = act("participant", "show", "zoe", "--json").json
    assert is_commitment(shown["name"])
    assert revealed(wallets, shown["name"]) == "Zoé Dupont"


def test_the_holders_own_statement_names_the_person_and_the_ledger_does_not(
    act, wattest, node, wallets: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    line = ("retire", "--quantity", "1", "--person", "--beneficiary", "Jean Dupont", "--from", "owner", "--json")
    ran = act(*line)
    assert ran.code == 0, ran.err
    identity = next(event["statement"] for event in ran.json["events"] if event["kind"] == "retired")
    assert "Jean Dupont" in act("statement", "show", identity).out
    stranger = wattest("--home", tmp_path / "stranger", "--node", node.url, "statement", "show", identity)
    assert "Jean Dupont" not in stranger.out
    assert "person:" in stranger.out


def test_a_name_goes_on_the_ledger_by_choice(act) -> None:  # type: ignore[no-untyped-def]
    line = ("retire", "--quantity", "1", "--person", "--public-name", "--beneficiary", "Jean Dupont", "--from", "owner")
    ran = act(*line, "--json")
    assert "Jean Dupont" in ran.out


def test_refuses_a_person_with_a_number_or_a_place(act) -> None:  # type: ignore[no-untyped-def]
    line = ("retire", "--quantity", "1", "--person", "--from", "owner")
    assert act(*line).code == 2
    assert act(*line, "--beneficiary", "Jean", "--location", "12 rue X").code == 2


def test_two_hashes_of_one_name_differ(tmp_path: Path) -> None:
    first, second = keep(tmp_path, "Jean"), keep(tmp_path, "Jean")
    assert first != second
    assert {revealed(tmp_path, first), revealed(tmp_path, second)} == {"Jean"}
    assert next((tmp_path / "persons").iterdir()).stat().st_mode & 0o777 == 0o600


def test_refuses_a_kept_name_that_is_another(tmp_path: Path) -> None:
    public = keep(tmp_path, "Jean")
    path = next((tmp_path / "persons").iterdir())
    path.write_text(json.dumps({"name": "Jeanne", "salt": "00" * 16}))
    with pytest.raises(KeystoreError):
        revealed(tmp_path, public)
    path.write_text("{")
    with pytest.raises(KeystoreError):
        revealed(tmp_path, public)
    assert revealed(tmp_path, commitment("x", b"y")) == commitment("x", b"y")
