"""Where an engine stands, for status pages, metrics and dumps; nothing is decided by it."""

import msgspec

from consensus.votes import Quorum, Vote


class Standing(msgspec.Struct, frozen=True):
    epoch: int
    view: int
    leader: int
    final_view: int
    height: int
    block_hash: bytes
    me: int | None
    may_vote: bool
    last_seen: tuple[int, ...]  # by validator: the view of its last vote
    own_votes: tuple[Vote, ...]
    quorums: tuple[Quorum, ...]
