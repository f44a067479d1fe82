"""A damaged state rebuilt from its own blocks, where nobody else has them: `wattest node salvage`.

LevelDB reads most of a folder whose MANIFEST or CURRENT is gone, or some of whose tables are damaged, but it cannot
say what is missing. Blocks say it themselves: each names its parent and the state root that it leads to. So a copy is
repaired, and its blocks are executed again from the genesis into a new folder, up to the last Finalization before the
first block that is missing. From there the journal leads on at the next start, or refuses what was lost. The damaged
folder is kept.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from consensus.votes import Quorum
from node.config import Config
from node.genesis import read_genesis
from node.home import DataDirectory
from node.ledger import Ledger
from state.block import Block, decode_block
from state.codec import decode
from state.errors import DecodeError, ExecutionDiffers, StoreError
from state.keyspace import block_key, finalization_key
from state.store import LevelRows, open_store, repair_folder


@dataclass(frozen=True)
class Salvaged:
    """How far the new state reaches, and where the damaged one is kept."""

    height: int
    kept: Path


def salvage(config: Config) -> Salvaged:
    """The node must be stopped. StoreError where there is no state."""
    genesis, chain = read_genesis(config.genesis)
    state = config.data / "state"
    copy, fresh = state.with_name("state-copy"), state.with_name("state-new")
    with DataDirectory(config, working=False):
        if not state.is_dir():
            raise StoreError(why=f"there is no {state} to salvage; start the node, it fetches or replays its blocks")
        for left_over in (copy, fresh):
            shutil.rmtree(left_over, ignore_errors=True)
        shutil.copytree(state, copy)
        repair_folder(copy)
        rows, ledger = LevelRows(copy), Ledger.open(open_store(fresh), genesis, chain)
        try:
            _execute(rows, ledger)
            height = ledger.tip.height
        finally:
            rows.close()
            ledger.close()
        kept = free_name(state)
        state.rename(kept)
        fresh.rename(state)
        shutil.rmtree(copy)
    return Salvaged(height, kept)


def _execute(rows: LevelRows, ledger: Ledger) -> None:
    """Commit the stored blocks in order; a run of them counts once the Finalization that covers it was read."""
    waiting: list[Block] = []
    for block, finalization in _stored(rows, ledger.tip.height + 1):
        waiting.append(block)
        if not finalization:
            continue
        quorum = decode(Quorum, finalization)
        for each in waiting:
            if each.header.parent_hash != ledger.tip.hash:
                return
            try:
                ledger.commit(each, finalization if each is block else b"", quorum.view)
            except ExecutionDiffers:
                return  # a block of another history; nothing above it can hold either
        waiting = []


def _stored(rows: LevelRows, height: int) -> Iterator[tuple[Block, bytes]]:
    """Blocks and Finalizations from `height` up to the first that cannot be read."""
    while True:
        try:
            data, finalization = rows.get_raw(block_key(height)), rows.get_raw(finalization_key(height))
            if data is None or finalization is None:
                return
            yield decode_block(data), finalization
        except (StoreError, DecodeError):
            return
        height += 1


def free_name(path: Path) -> Path:
    """Where a damaged folder is put aside."""
    number = 1
    while (aside := path.with_name(f"{path.name}-damaged-{number}")).exists():
        number += 1
    return aside
