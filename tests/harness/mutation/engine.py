"""Our own mutants of the engine, its certificate checks and its catch-up."""

from typing import Any

import pytest
from harness.mutation import mutant
from harness.mutation.rules import DENSE, _not_durable, _own

from consensus import bodies, catchup, engine, follower, light, proposals, votes
from consensus.engine import Engine
from consensus.follower import Follower
from consensus.held import HeldQuorums
from consensus.inputs import Peer
from consensus.messages import MAX_BLOCKS, GetBlock, GetBlocks
from consensus.proposals import Proposals
from consensus.timers import Presence
from consensus.validators import ValidatorSet
from consensus.votes import FINALIZE, NOTARIZE, Quorum, Verify
from node import sync
from node.signer import Signer
from state.block import Header


@mutant("A", **DENSE)
def finalize_not_durable(patch: pytest.MonkeyPatch) -> None:
    """FINALIZE votes are not kept in the journal"""
    _not_durable(patch, lambda record: _own(record, FINALIZE))


@mutant("B", **DENSE)
def notarize_not_durable(patch: pytest.MonkeyPatch) -> None:
    """NOTARIZE votes are not kept in the journal"""
    _not_durable(patch, lambda record: _own(record, NOTARIZE))


@mutant("C", n=4, liars=1, villain="invalid_proposer")
def header_not_checked(patch: pytest.MonkeyPatch) -> None:
    """height, epoch, proposer, time and validators of a proposed header are believed"""
    patch.setattr(Proposals, "_follows", lambda self, header, parent, position: True)


@mutant("D", n=4, liars=1, villain="invalid_proposer")
def future_times_accepted(patch: pytest.MonkeyPatch) -> None:
    """a block may be hours ahead of every clock"""
    patch.setattr(proposals, "MAX_AHEAD_MS", 10**12)


@mutant("E", n=4, liars=1, villain="invalid_proposer")
def votes_without_executing(patch: pytest.MonkeyPatch) -> None:
    """a proposal is voted for before its execution was compared"""
    patch.setattr(Follower, "executed", lambda self, block_hash: True)


@mutant("F", n=4, liars=1, villain="impersonator")
def quorum_signatures_not_checked(patch: pytest.MonkeyPatch) -> None:
    """a quorum is believed by its bitmap"""

    def believing(quorum: Quorum, validators: ValidatorSet, chain: bytes, verify: Verify) -> None:
        votes.check_quorum(quorum, validators, chain, lambda *_: True)

    patch.setattr(engine, "check_quorum", believing)


@mutant("G", n=4, liars=1, villain="impersonator")
def small_quorums_accepted(patch: pytest.MonkeyPatch) -> None:
    """a quorum of any number of signatures is one"""

    def believing(quorum: Quorum, validators: ValidatorSet, chain: bytes, verify: Verify) -> None:
        small = ValidatorSet(validators.vote_keys)
        small.quorum = 1
        whole(quorum, small, chain, verify)

    whole = votes.check_quorum
    for module in (votes, engine, light):
        patch.setattr(module, "check_quorum", believing)


@mutant("H", n=4, liars=1, villain="impersonator")
def vote_signatures_not_checked(patch: pytest.MonkeyPatch) -> None:
    """a vote is believed by its signer index"""
    patch.setattr(engine, "vote_holds", lambda vote, validators, chain, verify: vote.signer < validators.n)


@mutant("I", n=4, liars=1, villain="sign_everything", epoch_length=6)
def any_block_may_be_repeated(patch: pytest.MonkeyPatch) -> None:
    """a leader may propose any notarised block again, not only the epoch's last one"""

    def believing(self: Proposals, block_hash: bytes) -> bool | None:
        return self._follower.executed(block_hash)

    patch.setattr(Proposals, "_valid_again", believing)


@mutant("J", n=4, loss=0.1)
def builds_over_missing_nullifications(patch: pytest.MonkeyPatch) -> None:
    """a leader takes the newest Notarization for its parent, whatever lies between"""

    def careless(self: HeldQuorums, view: int) -> int | None:
        return max((v for v in range(self.final_view, view) if v == 0 or self.certified(v)), default=None)

    patch.setattr(HeldQuorums, "open_parent", careless)


@mutant("K", n=4, live=True, loss=0.25)
def proposals_without_reasons(patch: pytest.MonkeyPatch) -> None:
    """a proposal does not show the quorums that allow its parent"""
    patch.setattr(HeldQuorums, "just", lambda self, parent_view, view: ())


@mutant("L")
def reconnection_not_noticed(patch: pytest.MonkeyPatch) -> None:
    """a healed link is told nothing until the next timer"""
    patch.setattr(Engine, "_on_peer_up", lambda self, peer: None)


@mutant("M")
def skips_without_a_quorum_seen(patch: pytest.MonkeyPatch) -> None:
    """a leader gets no time although nobody else was heard of either"""
    patch.setattr(
        Presence, "skipped", lambda self, leader, view: self._last_seen[leader] + 2 * len(self._last_seen) < view
    )


@mutant("N", **DENSE)
def finalize_lost_with_a_kept_notarization(patch: pytest.MonkeyPatch) -> None:
    """after a restart no FINALIZE is made for a Notarization whose vote the crash took"""
    patch.setattr(HeldQuorums, "notarizations", lambda self: [])


@mutant("O")
def batches_not_checked_as_a_chain(patch: pytest.MonkeyPatch) -> None:
    """blocks of a peer's batch need not follow each other"""
    from consensus import follower
    from state.block import header_hash

    def believing(batch: Any, committed: Header, validators: Any, chain: bytes, verify: Any) -> tuple[bytes, ...]:
        last = batch.blocks[-1].header
        light.verify_finalization(last, batch.finalization, validators, chain, verify, batch.headers)
        return tuple(header_hash(block.header) for block in batch.blocks)

    patch.setattr(follower, "check_blocks", believing)


@mutant("P")
def batch_bodies_not_checked(patch: pytest.MonkeyPatch) -> None:
    """the transactions of a fetched block need not be those of its header"""
    patch.setattr(catchup, "tx_root", lambda transactions: _Any())


class _Any:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


@mutant("Q", "tests/proofs/test_proof.py")
def finalizations_of_others_accepted(patch: pytest.MonkeyPatch) -> None:
    """a Finalization need not be of the block that it is shown for"""
    patch.setattr(
        light,
        "verify_finalization",
        lambda header, finalization, validators, chain, verify, descendants=(): light.check_quorum(
            finalization, validators, chain, verify
        ),
    )
    patch.setattr(catchup, "verify_finalization", light.verify_finalization)


@mutant("R", "tests/network/test_network.py", n=4, loss=0.25, live=True, liars=1, villain="silent")
def the_same_peer_is_asked_again(patch: pytest.MonkeyPatch) -> None:
    """a request that was not answered goes to the same peer for ever"""
    whole = sync.peer_to_ask
    patch.setattr("harness.sim.node.peer_to_ask", lambda peers, height, attempt: whole(peers, 0, 0))
    patch.setattr("node.runtime.peer_to_ask", lambda peers, height, attempt: whole(peers, 0, 0))


@mutant("S", "tests/network/test_signer.py")
def no_guard_on_the_key(patch: pytest.MonkeyPatch) -> None:
    """the vote key signs whatever it is given"""

    def signing(self: Signer, message: bytes) -> bytes:
        return self.sign(message)

    patch.setattr(Signer, "sign_vote", signing)


@mutant("T", n=4, liars=1, villain="invalid_proposer")
def bodies_not_compared_with_headers(patch: pytest.MonkeyPatch) -> None:
    """a block's transactions need not be those of its header"""
    patch.setattr(bodies, "tx_root", lambda transactions: _Any())


@mutant("U", n=4, liars=1, villain="silent", loss=0.1, live=True)
def leaders_hold_back_for_ever(patch: pytest.MonkeyPatch) -> None:
    """a leader proposes once and not again when its proposal was lost"""
    patch.setattr(Engine, "_propose_again", lambda self, to: None)


@mutant("V")
def proposals_of_anybody(patch: pytest.MonkeyPatch) -> None:
    """whoever signs a proposal is taken for the leader of its view"""
    whole = Engine._on_propose

    def gullible(self: Engine, peer: Peer, message: Any) -> None:
        leader = self._validators.leader
        self._validators.leader = lambda view: message.vote.signer  # type: ignore[method-assign]
        try:
            whole(self, peer, message)
        finally:
            self._validators.leader = leader  # type: ignore[method-assign]

    patch.setattr(Engine, "_on_propose", gullible)


@mutant("W", snapshot=True, epoch_length=6, n=4, live=True)
def missing_asked_for_by_hash_alone(patch: pytest.MonkeyPatch) -> None:
    """a missing final block is asked for by its hash for ever, also where nobody keeps it"""

    def by_hash(self: Follower, block_hash: bytes, gap: int) -> None:
        batch = gap > follower.SHORT_GAP
        self.request(GetBlocks(self.committed.height + 1, min(gap, MAX_BLOCKS)) if batch else GetBlock(block_hash))

    patch.setattr(Follower, "_ask_missing", by_hash)
