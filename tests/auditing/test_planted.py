"""Every kind of violation is planted into a chain that is otherwise sound, and the audit must name it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.bent import VIOLATIONS
from harness.busy import BusyTown
from msgspec.structs import replace

from consensus.votes import Quorum
from node.auditing.chain_file import Beginning, ChainBlock, ChainRecord, End, chain_records
from node.auditing.findings import KINDS
from node.auditing.replay import Replay
from state.block import header_hash
from state.codec import decode, encode

SEED = 6


def a_town(blocks: int = 12) -> BusyTown:
    print(f"seed {SEED}")
    town = BusyTown(SEED)
    town.live_on(blocks)
    return town


def records(town: BusyTown) -> list[ChainRecord]:
    return list(chain_records(town.store, town.genesis_text, town.height))


def audited(chain: list[ChainRecord], folder: Path) -> Replay:
    replay = Replay(folder / "state")
    replay.run(chain)
    replay.close()
    return replay


def kinds(replay: Replay) -> set[str]:
    return {finding.kind for finding in replay.findings.listed}


def test_a_sound_chain_of_everything_adds_up(tmp_path: Path) -> None:
    town = a_town(60)
    town.years_later()
    town.live_on(5)
    replay = audited(records(town), tmp_path)
    assert replay.findings.listed == []
    assert replay.totals.executed == town.height
    assert replay.books.statements
    assert {how for plant in replay.books.plants.values() for _, _, how in plant.ended} == {"retired", "expired"}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_rules_name_a_violation(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted, town = VIOLATIONS[name], a_town()
    with monkeypatch.context() as bent:
        planted.bend(bent, town.height + 1)
        planted.act(town)
    town.block()
    replay = audited(records(town), tmp_path)
    assert planted.by_rules in kinds(replay), replay.findings.listed
    assert f"block {replay.totals.executed + 1}" in replay.findings.listed[0].place


@pytest.mark.parametrize("name", [name for name, planted in VIOLATIONS.items() if planted.by_books])
def test_books_name_it_even_where_the_rules_are_bent(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted, town = VIOLATIONS[name], a_town()
    planted.bend(monkeypatch, town.height + 1)
    planted.act(town)
    town.block()
    replay = audited(records(town), tmp_path)
    assert planted.by_books in kinds(replay), replay.findings.listed
    assert replay.totals.executed == town.height, "the bent rules themselves see nothing"


# --- the chain of blocks


@pytest.fixture(scope="module")
def chain() -> list[ChainRecord]:
    return records(a_town())


def changed(chain: list[ChainRecord], at: int, **fields: object) -> list[ChainRecord]:
    """The chain with another block `at`."""
    record = chain[at]
    assert isinstance(record, ChainBlock)
    return [*chain[:at], replace(record, **fields), *chain[at + 1 :]]  # type: ignore[arg-type]


def test_names_a_block_that_is_left_out(chain: list[ChainRecord], tmp_path: Path) -> None:
    replay = audited([*chain[:5], *chain[6:]], tmp_path)
    assert "link_broken" in kinds(replay)
    assert "block 6" in replay.findings.listed[0].place


def test_names_a_changed_body(chain: list[ChainRecord], tmp_path: Path) -> None:
    at = next(at for at, r in enumerate(chain) if isinstance(r, ChainBlock) and r.block.transactions and at > 3)
    record = chain[at]
    assert isinstance(record, ChainBlock)
    found = kinds(audited(changed(chain, at, block=replace(record.block, transactions=())), tmp_path))
    assert "body_differs" in found


def forgeries(chain: list[ChainRecord]) -> Iterator[tuple[str, bytes]]:
    record, other = chain[7], chain[6]
    assert isinstance(record, ChainBlock)
    assert isinstance(other, ChainBlock)
    quorum = decode(Quorum, record.finalization)
    flipped = bytes((quorum.signatures[0][0] ^ 1,)) + quorum.signatures[0][1:]
    yield "a changed signature", encode(replace(quorum, signatures=(flipped, *quorum.signatures[1:])))
    yield "too few", encode(replace(quorum, bitmap=b"\x03", signatures=quorum.signatures[:2]))
    yield "another signer", encode(replace(quorum, bitmap=b"\x0e"))
    yield "another block's", other.finalization
    yield "not readable", b"\x00"


def test_names_forged_finalizations(chain: list[ChainRecord], tmp_path: Path) -> None:
    for name, finalization in forgeries(chain):
        replay = audited(changed(chain, 7, finalization=finalization), tmp_path / name)
        assert "finality_forged" in kinds(replay), name
        assert replay.findings.listed[0].place == "block 7", name


def test_names_blocks_that_no_finalization_covers(chain: list[ChainRecord], tmp_path: Path) -> None:
    last = len(chain) - 2
    replay = audited(changed(chain, last, finalization=b""), tmp_path / "last")
    assert kinds(replay) == {"finality_forged"}
    covered = audited(changed(chain, last - 1, finalization=b""), tmp_path / "covered")
    assert not covered.findings, "the next one's Finalization covers it"


def test_names_a_header_that_tells_another_state(chain: list[ChainRecord], tmp_path: Path) -> None:
    record = chain[7]
    assert isinstance(record, ChainBlock)
    header = replace(record.block.header, state_root=bytes(32))
    found = kinds(audited(changed(chain, 7, block=replace(record.block, header=header)), tmp_path))
    assert {"state_root_wrong", "finality_forged", "link_broken"} <= found


def test_names_other_validators(chain: list[ChainRecord], tmp_path: Path) -> None:
    record = chain[7]
    assert isinstance(record, ChainBlock)
    header = replace(record.block.header, validators_hash=bytes(32))
    assert "validators_differ" in kinds(
        audited(changed(chain, 7, block=replace(record.block, header=header)), tmp_path)
    )


def test_names_an_end_that_is_not_the_last_block(chain: list[ChainRecord], tmp_path: Path) -> None:
    assert "file_damaged" in kinds(audited([*chain[:-1], End(99, bytes(32))], tmp_path / "end"))
    assert "file_damaged" in kinds(audited([*chain[:3], chain[0], *chain[3:]], tmp_path / "twice"))
    assert isinstance(chain[0], Beginning)


def test_epochs_hand_over_in_the_file(tmp_path: Path) -> None:
    town = BusyTown(SEED, epoch_length=32)
    while town.height < 70:
        town.live_on(3)
    chain = records(town)
    replay = audited(chain, tmp_path / "sound")
    assert replay.findings.listed == []
    assert replay.links.validators.n == 4
    handing = chain[32]
    assert isinstance(handing, ChainBlock)
    assert handing.block.header.height == 32
    assert len(handing.next_vote_keys) == 4
    strangers = tuple(bytes((n,)) * 32 for n in range(4))
    found = kinds(audited(changed(chain, 32, next_vote_keys=strangers), tmp_path / "strangers"))
    assert "validators_differ" in found
    assert header_hash(handing.block.header) in {
        record.block.header.parent_hash for record in chain if isinstance(record, ChainBlock)
    }


def test_every_kind_of_finding_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "AUDIT.md").read_text()
    named = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE))
    assert named == KINDS
