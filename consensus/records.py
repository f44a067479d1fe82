"""What a validator must find again after a crash: its own votes, the blocks it voted for, the quorums it learnt.

The journal stores `state.codec.encode(record)` and knows nothing else about it. `Recovered` is what the shell hands to
a new engine: the newest committed header and Finalization of the store, and the journal's records in their order.
"""

import msgspec

from consensus.votes import FINALIZE, Quorum, Vote
from state.block import Block, Header
from state.codec import Wire
from state.units import U64


class OwnVote(Wire, frozen=True, tag="own_vote"):
    """Durable before the vote is sent, or a crash could make this validator vote twice."""

    vote: Vote

    @property
    def epoch(self) -> int:
        return self.vote.epoch

    @property
    def view(self) -> int:
        return self.vote.view


class VotedBlock(Wire, frozen=True, tag="voted_block"):
    """The block of an own NOTARIZE vote: a quorum of voters can always produce what they notarised."""

    epoch: U64
    view: U64
    block: Block


class HeldQuorum(Wire, frozen=True, tag="held_quorum"):
    quorum: Quorum

    @property
    def epoch(self) -> int:
        return self.quorum.epoch

    @property
    def view(self) -> int:
        return self.quorum.view


JournalRecord = OwnVote | VotedBlock | HeldQuorum


class Recovered(msgspec.Struct, frozen=True):
    """`header` is that of the last committed block, `finalization` the newest stored one (None: the epoch's base).

    `records` are those of the journal, oldest first; records of other epochs and below the Finalization are harmless.
    """

    header: Header
    finalization: Quorum | None
    records: tuple[JournalRecord, ...] = ()


def prunable(record: JournalRecord, epoch: int, final_view: int) -> bool:
    """Whether a record may go once the block of the Finalization of (`epoch`, `final_view`) is itself committed.

    The Finalization of that view stays: without it a restart would not know that it may not vote so low any more.
    """
    if record.epoch != epoch:
        return record.epoch < epoch
    if isinstance(record, HeldQuorum) and record.quorum.kind == FINALIZE:
        return record.view < final_view
    return record.view <= final_view
