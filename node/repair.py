"""A store that is older than its journal says: found at start, and led back to where it stood.

LevelDB opens without a word after its log or manifest was cut, at an earlier block. The journal lies elsewhere and
keeps, of its last two segments, every block that this node voted for and every Finalization that it learnt. So the
missing blocks are executed again from there, each under the Finalization of itself or of a descendant. What the journal
does not have the engine fetches from peers, up to the journal's own Finalization, before this node serves anything.
"""

from collections.abc import Iterable

from consensus.records import HeldQuorum, JournalRecord, VotedBlock
from consensus.votes import FINALIZE
from node.journal import Journal
from node.ledger import Ledger
from state.block import Block, header_hash
from state.codec import decode, encode
from state.errors import DecodeError, RolledBack, StoreMismatch


def rolled_back(ledger: Ledger, journal: Journal) -> bool:
    """Whether the store was at a later block when the journal was written, or at another one of that height."""
    stored = journal.stored
    if ledger.tip.height < stored.height:
        return True
    if stored.height < ledger.base.history_from - 1:
        return False  # a snapshot took the place of what the journal speaks of
    kept = ledger.header_at(stored.height)
    if stored.height and (kept is None or header_hash(kept) != stored.hash):
        raise StoreMismatch(why=f"its block {stored.height} is not the one that the journal names")
    return False


def replay(ledger: Ledger, journal: Journal) -> int:
    """Execute and store again what the journal can prove above the tip; the number of blocks.

    ExecutionDiffers where a block that a quorum made final does not hold here.
    """
    records = _decoded((*journal.earlier(), *journal.recovered))
    bodies = {header_hash(r.block.header): r.block for r in records if isinstance(r, VotedBlock)}
    final = [r.quorum for r in records if isinstance(r, HeldQuorum) and r.quorum.kind == FINALIZE]
    blocks = 0
    for quorum in sorted(final, key=lambda quorum: (quorum.epoch, quorum.view)):
        for block in _path(ledger, bodies, quorum.block_hash):
            own = header_hash(block.header) == quorum.block_hash
            ledger.commit(block, encode(quorum) if own else b"", quorum.view)
            blocks += 1
    return blocks


def require_peers(ledger: Ledger, journal: Journal) -> None:
    """RolledBack where blocks are still missing and there is nobody else to have them."""
    if ledger.tip.height < journal.stored.height and len(ledger.validators) == 1:
        raise RolledBack(
            why=f"data/state went back from block {journal.stored.height} to {ledger.tip.height}, the journal does not "
            "reach back so far, and no other validator holds the blocks between"
        )


def _path(ledger: Ledger, bodies: dict[bytes, Block], block_hash: bytes) -> list[Block]:
    """From the block after the tip up to `block_hash`; empty where a body is missing or it lies at or below the tip."""
    path: list[Block] = []
    while block_hash != ledger.tip.hash:
        block = bodies.get(block_hash)
        if block is None or block.header.height <= ledger.tip.height:
            return []
        path.append(block)
        block_hash = block.header.parent_hash
    return path[::-1]


def _decoded(records: Iterable[bytes]) -> list[JournalRecord]:
    """Records of a segment that is no longer needed for votes may be of any age: what is not read is left out."""
    found: list[JournalRecord] = []
    for record in records:
        try:
            found.append(decode(JournalRecord, record))  # type: ignore[arg-type]
        except DecodeError:
            continue
    return found
