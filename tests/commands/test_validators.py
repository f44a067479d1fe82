"""Validators from the command line: listed, proposed, approved, removed; a vote key rotated."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, wallet_of
from harness.finalized import FinalizedWorld
from harness.world import key_of, seed_of

from node.journal import Journal
from node.keystore import generate_key, read_key_file, save_key

ORGANISATIONS = ("Organisation 0", "Organisation 1", "Organisation 2")


@pytest.fixture
def node() -> Iterator[AnsweringNode]:
    """Of a network with epochs."""
    world = FinalizedWorld(epoch_length=32)
    world.register("trader")
    answering = AnsweringNode(world).start()
    yield answering
    answering.stop()


@pytest.fixture
def council(node: AnsweringNode, tmp_path: Path) -> Path:
    home = wallet_of(tmp_path / "council", node.chain, *ORGANISATIONS, purpose="governance")
    (home / "config.toml").write_text(f'[client]\nnode = "{node.url}"\nkeyring = "test"\n')
    (home / "genesis.json").write_bytes(node.chain.genesis_text)
    return home


def by(wattest, council: Path, name: str, *words: object):  # type: ignore[no-untyped-def]
    return wattest("--home", council, "-y", *words, "--from", name.replace(" ", "-"))


def approved(wattest, council: Path, ran) -> None:  # type: ignore[no-untyped-def]
    assert ran.code == 0, ran.err
    number = ran.json["events"][0]["proposal"]
    for name in ORGANISATIONS:
        vote = by(wattest, council, name, "validator", "approve", number)
        assert vote.code == 0, vote.err


def test_an_organisation_joins(wattest, act, council: Path, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    keys = [part for kind in ("vote", "node", "escrow") for part in (f"--{kind}-key", key_of(f"trader {kind}").hex())]
    join = ("validator", "propose", "--name", "Trader", "--address", "192.0.2.1:7000", *keys, "--from", "trader")
    approved(wattest, council, act(*join, "--json"))
    listed = act("validator", "list")
    assert "Trader (organisation" in listed.out
    assert "ends with block 32" in listed.out
    while node.chain.height < 32:
        node.chain.block()
    found = act("validator", "list", "--json").json
    assert (found["epoch"], found["last_height"], found["waiting"]) == (1, 64, [])
    assert [item["name"] for item in found["validators"]][4:] == ["Trader"]


def test_a_validator_is_removed(wattest, council: Path) -> None:  # type: ignore[no-untyped-def]
    approved(wattest, council, by(wattest, council, "Organisation 0", "validator", "remove", 4, "--json"))
    listed = wattest("--home", council, "validator", "list")
    assert "the validator of organisation 4 leaves" in listed.out


def test_a_vote_key_is_rotated_and_its_journal_begun(wattest, council: Path, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    rotate = ("validator", "rotate-key", "--keyring", "test", "--json")
    ran = by(wattest, council, "Organisation 2", *rotate)
    approved(wattest, council, ran)
    assert (council / "keys" / "vote-next.json").exists()
    (directory,) = (council / "data").glob("journal-*")
    assert Journal.exists(directory)
    listed = wattest("--home", council, "validator", "list")
    assert "the validator of organisation 3 votes with key" in listed.out
    while node.chain.height < 32:
        node.chain.block()
    again = by(wattest, council, "Organisation 2", *rotate)
    assert again.code == 2
    assert "in office already" in again.err


def test_a_network_of_one_epoch_says_so(wattest, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    fixed = AnsweringNode(FinalizedWorld()).start()
    ran = wattest("--home", tmp_path, "--node", fixed.url, "validator", "list")
    fixed.stop()
    assert "never change" in ran.out, ran.err


def test_an_escrow_key_is_rotated_and_the_old_one_stays(wattest, council: Path, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    rotate = ("validator", "rotate-escrow-key", "--keyring", "test", "--json")
    assert by(wattest, council, "Organisation 2", *rotate).code == 2
    old = generate_key("escrow", seed=seed_of("escrow_key2"))
    save_key(council / "keys", "escrow", old, None, "test")
    ran = by(wattest, council, "Organisation 2", *rotate)
    approved(wattest, council, ran)
    new = read_key_file(council / "keys" / "escrow-2.json").pubkey
    listed = wattest("--home", council, "validator", "list")
    assert f"the validator of organisation 3 opens sealed orders with key {new[:16]}" in listed.out
    again = by(wattest, council, "Organisation 2", *rotate)
    assert again.code == 1, "the same key is proposed twice"
    while node.chain.height < 32:
        node.chain.block()
    assert node.chain.validators[2].escrow_key.hex() == new
    assert read_key_file(council / "keys" / "escrow.json").pubkey == old.public.hex()
