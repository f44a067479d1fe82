"""Damage to what a node stored: found at the start or repaired, and never a wrong balance served.

The thirteen damages are those that LevelDB was measured with (assurance.md section 2); four of them it opens without a
word, at an earlier block.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.damage import LEVELDB, SILENT, cut, flip, forget_blocks, newest
from harness.net import Running, keys_of, make_homes, open_node, registration, running

from node.app import Node
from node.journal import Stored, _read_segment, _record
from state.errors import StoreError, StoreMismatch
from state.keyspace import PARAMETERS_KEY

KEPT_BLOCKS = 6


@dataclass
class Home:
    """The data of one stopped node, and how they were before anything was damaged."""

    path: Path
    backup: Path
    height: int
    rows: dict[bytes, bytes]

    @property
    def state(self) -> Path:
        return self.path / "data" / "state"

    @property
    def journal(self) -> Path:
        return self.path / "data" / "journal"

    def restore(self) -> None:
        """In place: a data directory of another inode would count as moved."""
        for folder in ("state", "journal"):
            for found in (self.path / "data").glob(f"{folder}*"):
                shutil.rmtree(found)
            shutil.copytree(self.backup / folder, self.path / "data" / folder)
        (self.path / "data" / "running").unlink(missing_ok=True)

    def open(self) -> Node:
        return open_node(self.path, keys_of(0))


def all_rows(node: Node) -> dict[bytes, bytes]:
    return dict(node.ledger.store.scan_raw(b"\x00", b"\xff"))


async def _lived(home: Path) -> tuple[int, dict[bytes, bytes]]:
    """Two lives, so that there are tables beside the log; the tip and all rows of the second one's end."""
    for life in range(2):
        running_node = Running(open_node(home, keys_of(0)))
        node = running_node.node
        for number in range(KEPT_BLOCKS):
            name = f"person {life} {number}"
            await node.mempool.admit([registration(node.chain, name)])
            await running_node.height(node.ledger.tip.height + 1)
        height, rows = node.ledger.tip.height, all_rows(node)
        await running_node.stop()
        assert node.ledger.tip.height == height
    return height, rows


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Home:
    directory = tmp_path_factory.mktemp("lived")
    (path,) = make_homes(directory, 1, idle_interval_ms=60_000)
    height, rows = asyncio.run(_lived(path))
    home = Home(path, directory / "backup", height, rows)
    for folder in ("state", "journal"):
        shutil.copytree(path / "data" / folder, home.backup / folder)
    return home


@pytest.fixture
def home(lived: Home) -> Iterator[Home]:
    lived.restore()
    yield lived
    lived.restore()


# --- the thirteen


def opened(home: Home) -> str:
    """How it was refused, or `whole` where the node holds every row that it held before."""
    try:
        node = home.open()
    except StoreError as error:
        return f"refused with {error.exit_code}"
    try:
        assert node.ledger.tip.height == home.height, "an older state would be served"
        assert all_rows(node) == home.rows
        node.ledger.audit()
    finally:
        node.close()
    return "whole"


def test_undamaged_data_open_as_they_were(home: Home) -> None:
    assert home.height >= 2 * KEPT_BLOCKS
    assert opened(home) == "whole"


@pytest.mark.parametrize("name", LEVELDB)
def test_damage_to_the_store_is_found_or_repaired(home: Home, name: str) -> None:
    before = _contents(home.state)
    LEVELDB[name](home.state)
    assert _contents(home.state) != before
    found = opened(home)
    print(f"{name}: {found}")
    if name in SILENT:
        assert found == "whole", "the journal's blocks lead back to where the store stood"
    else:
        assert found == "refused with 71"


@pytest.mark.parametrize("share", [number / 16 for number in range(16)])
def test_a_flipped_byte_anywhere_in_a_table_is_found_before_it_is_served(home: Home, share: float) -> None:
    """Without a comparison of checksums LevelDB hands such a value out."""
    flip(newest(home.state, "*.ldb"), share)
    assert opened(home) in (
        "refused with 71",
        "whole",
    )  # `whole` only where the byte belongs to nothing that is ever read


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.85])
def test_a_log_cut_anywhere_is_repaired(home: Home, share: float) -> None:
    cut(newest(home.state, "*.log"), share)
    assert opened(home) == "whole"


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


# --- the journal


JOURNAL_DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped at its head": lambda path: flip(path, 0.0),
    "flipped in the middle": lambda path: flip(path, 0.5),
    "flipped at its end": lambda path: flip(path, 1 - 1 / path.stat().st_size),
    "cut to a third": lambda path: cut(path, 1 / 3),
    "cut by a byte": lambda path: cut(path, 1 - 1 / path.stat().st_size),
    "emptied": lambda path: path.write_bytes(b""),
    "deleted": lambda path: path.unlink(),
}


def silent(home: Home) -> str:
    """Why the node of the home does not vote; it serves the state as it was."""
    node = home.open()
    try:
        assert not node.engine.standing().may_vote
        assert all_rows(node) == home.rows
        return node.journal.lost
    finally:
        node.close()


@pytest.mark.parametrize("name", JOURNAL_DAMAGES)
def test_damage_to_the_journal_is_found_and_the_node_does_not_vote(home: Home, name: str) -> None:
    (segment,) = home.journal.glob("*.journal")
    JOURNAL_DAMAGES[name](segment)
    why = silent(home)
    print(f"{name}: {why}")
    assert why


def test_a_journal_cut_between_two_records_is_found_after_an_orderly_stop(home: Home) -> None:
    """Every record that is left is good: only the length of the journal at the stop tells."""
    (segment,) = home.journal.glob("*.journal")
    payloads, _ = _read_segment(segment)
    segment.write_bytes(b"".join(map(_record, payloads[:-1])))
    assert "shorter than when the node stopped" in silent(home)


def test_a_journal_older_than_the_state_is_found_after_a_kill_too(home: Home) -> None:
    (segment,) = home.journal.glob("*.journal")
    payloads, _ = _read_segment(segment)
    segment.write_bytes(b"".join(map(_record, payloads[: len(payloads) // 2])))
    (home.journal / "closed").unlink()
    assert "older" in silent(home)


def test_a_damaged_journal_is_kept_beside_the_new_one(home: Home) -> None:
    (segment,) = home.journal.glob("*.journal")
    flip(segment)
    damaged = segment.read_bytes()
    assert silent(home)
    assert (home.journal.with_name("journal-lost-1") / segment.name).read_bytes() == damaged


# --- repair


def test_a_lone_validator_whose_journal_lacks_the_blocks_says_that_nobody_has_them(home: Home) -> None:
    forget_blocks(home.journal)
    shutil.rmtree(home.state)
    with pytest.raises(StoreMismatch, match="no other validator"):
        home.open()


def test_a_rolled_back_store_whose_journal_names_other_blocks_is_refused(home: Home) -> None:
    """The directories of two networks' nodes, or of two lives of one, put together."""
    (segment,) = home.journal.glob("*.journal")
    payloads, _ = _read_segment(segment)
    changed = [Stored(payload.height, bytes(32)) if isinstance(payload, Stored) else payload for payload in payloads]
    segment.write_bytes(b"".join(map(_record, changed)))
    with pytest.raises(StoreMismatch, match="not the one that the journal names"):
        home.open()


class Served:
    """A part of the node that notes what state it was started on."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.heights: list[int] = []

    async def start(self) -> None:
        self.heights.append(self._node.ledger.tip.height)

    async def stop(self) -> None:
        assert self._node.ledger.store.get(PARAMETERS_KEY) is not None


async def test_what_the_journal_lacks_is_fetched_from_peers_before_anything_is_served(tmp_path: Path) -> None:
    homes = make_homes(tmp_path, 4)
    async with running(homes) as nodes:
        for node in nodes:
            await node.height(8)
        await nodes[3].stop()
        stood = nodes[3].node.ledger.tip.height
        forget_blocks(homes[3] / "data" / "journal")
        shutil.rmtree(homes[3] / "data" / "state")
        again = open_node(homes[3], keys_of(3))
        assert again.ledger.tip.height == 0
        assert again.rolled_back
        part = Served(again)
        again.parts.append(part)
        nodes[3] = Running(again)
        await nodes[3].height(stood + 3)
        assert part.heights
        assert part.heights[0] >= stood
        again.ledger.audit()
        assert [again.ledger.block_at(h) for h in range(stood + 1)] == [
            nodes[0].node.ledger.block_at(h) for h in range(stood + 1)
        ]
