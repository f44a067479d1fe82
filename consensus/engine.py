"""The engine: `step(input) -> effects`, one handler for every clause of the protocol (the package's own text).

    engine = Engine(chain=..., epoch=0, validators=ValidatorSet(keys), timing=Timing(...), verify=crypto.verify,
                    recovered=Recovered(header, finalization, records), signer=Signer(vote_key, sign), may_vote=True)
    for effect in engine.step(Start(now_ms, time_ms)): perform(effect)

Pure: no clock, no randomness, no disk, no network; the same inputs give the same effects. `signer` None, or a key that
is not a validator's, makes an observer: it follows and commits but never votes. After a `Halt` every step is empty.
"""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from consensus import inputs
from consensus.bodies import Bodies
from consensus.catchup import check_blocks
from consensus.effects import (
    Blame,
    BuildBlock,
    CheckBlock,
    Commit,
    Effect,
    EvidenceFound,
    Fetch,
    ServeBlock,
    ServeBlocks,
    ServeBoundary,
)
from consensus.evidence import check_evidence, make_evidence
from consensus.held import HeldQuorums
from consensus.inputs import VIEW, WAKE, Input, Peer
from consensus.messages import (
    MAX_BLOCKS,
    MAX_JUST,
    Again,
    BlockBody,
    Blocks,
    Compact,
    ConsensusMessage,
    Evidence,
    Full,
    GetBlock,
    GetBlocks,
    GetQuorums,
    Propose,
    QuorumMessage,
    Quorums,
    Status,
    VoteMessage,
)
from consensus.outbox import Outbox
from consensus.proposals import MAX_AHEAD_MS, block_time_ms, follows, hold_back_ms
from consensus.records import HeldQuorum, OwnVote, Recovered, VotedBlock
from consensus.tally import Counted, Tally
from consensus.timers import Presence, Timing
from consensus.validators import ValidatorSet
from consensus.votes import (
    FINALIZE,
    KIND_WORDS,
    NOTARIZE,
    NULLIFY,
    Position,
    Quorum,
    Sign,
    Verify,
    Vote,
    check_quorum,
    make_vote,
    nullified,
    vote_holds,
)
from state.block import Block, header_hash
from state.errors import ConsensusRefusal, WattestError

# A vote of a kind is never made in a view where this node already made one of these.
FORBIDDEN_AFTER = {
    NOTARIZE: (NOTARIZE, NULLIFY),
    NULLIFY: (NULLIFY, FINALIZE),
    FINALIZE: (FINALIZE, NULLIFY),
}
VIEWS_AHEAD = 2  # votes are counted this far above the current view: bounded memory
STATUS_EVERY_MS = 2_000
EXIT_CONFLICTING_QUORUMS = 73
EXIT_OWN_KEY_ELSEWHERE = 74


class Signer(msgspec.Struct, frozen=True):
    vote_key: bytes
    sign: Sign


class Standing(msgspec.Struct, frozen=True):
    """Where the engine stands, for status pages and dumps; nothing is decided by it."""

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


class SafetyBroken(WattestError):
    """More than f validators lie, or this node's key is used twice: nothing after this can be trusted."""

    sentence = "{why}"

    def __init__(self, exit_code: int, why: str) -> None:
        super().__init__(why=why)
        self.exit_code = exit_code


class Engine:
    def __init__(
        self,
        *,
        chain: bytes,
        epoch: int,
        validators: ValidatorSet,
        timing: Timing,
        verify: Verify,
        recovered: Recovered,
        signer: Signer | None = None,
        may_vote: bool = True,
    ) -> None:
        self._chain, self._epoch, self._validators, self._timing = chain, epoch, validators, timing
        self._verify = verify
        self._signer = signer
        self._me = validators.index_of(signer.vote_key) if signer else None
        self._may_vote = may_vote and self._me is not None

        self._view = 0
        self._held = HeldQuorums(recovered.finalization)
        self._bodies = Bodies(recovered.header)
        self._base_hash = None if recovered.finalization else self._bodies.committed_hash
        self._tally = Tally(validators)
        self._sent: dict[tuple[int, int], Vote] = {}  # (view, kind) -> own vote
        self._proposals: dict[int, Position] = {}  # view -> first validly signed proposal
        self._evidenced: set[tuple[int, int]] = set()  # (signer, view) already told
        self._building: tuple[int, int] | None = None  # (view, parent_view) of the BuildBlock under way
        self._requests: dict[GetBlock | GetBlocks, tuple[int, int]] = {}  # -> (attempt, when to try again)
        self._replay(recovered)

        self._presence = Presence(validators.n, validators.quorum, 0)
        self._out = Outbox(epoch)
        self._halted = False
        self._now_ms = self._time_ms = 0
        self._entered_ms = self._entered_time_ms = 0
        self._deadline_ms = 0
        self._deadline_is_idle = False
        self._wake_ms: int | None = None  # when the engine wants to run again, apart from the view's timer
        self._wake_armed_ms: int | None = None
        self._status_due_ms = 0
        self._quorums_due_ms = 0
        self._work_waits = False

    def step(self, given: Input) -> list[Effect]:
        """Take one input and say what is to be done, in order (`consensus.effects`)."""
        if self._halted:
            return []
        self._now_ms, self._time_ms = given.now_ms, given.time_ms
        self._wake_ms = None
        try:
            self._handle(given)
            self._progress()
        except SafetyBroken as broken:
            self._halted = True
            return self._out.halt(broken.exit_code, str(broken.params["why"]))
        self._set_wake_timer()
        return self._out.drain()

    def standing(self) -> Standing:
        return Standing(
            self._epoch,
            self._view,
            self._validators.leader(self._view),
            self._held.final_view,
            self._bodies.committed.height,
            self._bodies.committed_hash,
            self._me,
            self._may_vote,
            tuple(self._presence.last_seen(signer) for signer in range(self._validators.n)),
            tuple(self._sent[key] for key in sorted(self._sent)),
            self._held.newest(),
        )

    def _handle(self, given: Input) -> None:
        match given:
            case inputs.Start():
                self._start()
            case inputs.MessageReceived(peer=peer, message=message):
                self._on_message(peer, message)
            case inputs.TimerFired(epoch=epoch, view=view, purpose=purpose):
                if epoch == self._epoch and purpose == VIEW:
                    self._on_timer(view)
                elif purpose == WAKE:
                    self._wake_armed_ms = None
            case inputs.BlockChecked(epoch=epoch, block_hash=block_hash, ok=ok):
                if epoch == self._epoch:
                    self._on_checked(block_hash, ok)
            case inputs.BlockBuilt(epoch=epoch, view=view, block=block):
                if epoch == self._epoch and view == self._view:
                    self._on_built(view, block)
            case inputs.BodyReceived(block=block):
                self._on_body(block)
            case inputs.PeerUp(peer=peer):
                self._on_peer_up(peer)
            case inputs.WorkWaits(waiting=waiting):
                self._on_work_waits(waiting)
            case _:
                raise AssertionError(f"unknown input {type(given).__name__}")

    # --- start

    def _replay(self, recovered: Recovered) -> None:
        """Take back what the journal kept: quorums, blocks, own votes, above the committed block given to us."""
        for record in recovered.records:
            if record.epoch != self._epoch:
                continue
            match record:
                case HeldQuorum(quorum=quorum):
                    self._held.add(quorum)
                case VotedBlock(block=block):
                    self._bodies.add(block)
                case OwnVote(vote=vote):
                    self._sent[vote.view, vote.kind] = vote
                case _:
                    assert_never(record)
        self._forget_below_final()

    def _start(self) -> None:
        view = max(self._held.final_view, self._held.highest_view) + 1
        self._presence = Presence(self._validators.n, self._validators.quorum, view)
        self._status_due_ms = self._now_ms + STATUS_EVERY_MS
        self._enter(view)
        self._recount_own_votes()
        for quorum in self._held.newest():
            # a crash may have kept the Notarization and lost the FINALIZE vote that belongs to it
            if quorum.kind == NOTARIZE:
                self._vote(FINALIZE, quorum.position)

    def _recount_own_votes(self) -> None:
        """Without this a restart of everybody would be a deadlock: all votes are in journals, none in a tally."""
        for key in sorted(self._sent):
            if key in self._sent:
                self._count(self._sent[key])

    # --- votes

    def _vote(self, kind: int, position: Position, block: Block | None = None) -> Vote | None:
        """The only place where a vote is made. None if this node may not make it."""
        view = position.view
        if self._signer is None or self._me is None or not self._may_vote or view <= self._held.final_view:
            return None  # below the Finalization the journal is pruned: an earlier vote may be forgotten
        if any((view, other) in self._sent for other in FORBIDDEN_AFTER[kind]):
            return None
        vote = make_vote(self._chain, kind, position, self._me, self._signer.sign)
        self._sent[view, kind] = vote
        if block is not None:
            self._out.persist(VotedBlock(self._epoch, view, block))
        self._out.persist(OwnVote(vote))
        self._out.send(VoteMessage(vote))
        self._count(vote)
        return vote

    def _on_vote(self, peer: Peer, vote: Vote) -> None:
        if vote.view > self._view + VIEWS_AHEAD:
            self._ask_quorums(peer)
        if not self._in_window(vote.view) or self._tally.first(vote.kind, vote.view, vote.signer) == vote:
            return
        if not vote_holds(vote, self._validators, self._chain, self._verify):
            self._blame(peer, "a vote whose signature does not hold")
            return
        self._require_own(vote.signer, vote.kind, vote.position)
        self._count(vote)

    def _count(self, vote: Vote) -> None:
        """Count a verified vote; q equal ones make a quorum."""
        counted, earlier = self._tally.add(vote)
        if counted is Counted.CONFLICTING and earlier is not None:
            self._tell_evidence(make_evidence(earlier, vote))
            return
        self._presence.saw(vote.signer, vote.view)
        if self._held.get(vote.kind, vote.view) is None:
            quorum = self._tally.quorum(vote.kind, vote.position)
            if quorum is not None:
                self._on_quorum(quorum)

    def _give_up(self, view: int) -> None:
        """The view's time is over, or its leader, its block or this node's own building failed: vote to nullify it."""
        self._vote(NULLIFY, nullified(self._epoch, view))

    # --- quorums

    def _learn(self, peer: Peer, quorum: Quorum) -> None:
        """A quorum from a peer: of any view from the best Finalization up, because it proves itself."""
        if quorum.epoch != self._epoch or quorum.view < self._held.final_view:
            return
        held = self._held.get(quorum.kind, quorum.view)
        if held is not None and held.position == quorum.position:
            return
        try:
            check_quorum(quorum, self._validators, self._chain, self._verify)
        except ConsensusRefusal as refusal:
            self._blame(peer, str(refusal))
            return
        self._on_quorum(quorum)

    def _on_quorum(self, quorum: Quorum) -> None:
        """The first time for its kind and view: keep, relay, and go on to the next view."""
        if quorum.view < self._held.final_view:
            return
        self._require_consistent(quorum)
        for signer in quorum.signers:
            self._require_own(signer, quorum.kind, quorum.position)
            self._presence.saw(signer, quorum.view)
        self._held.add(quorum)
        self._out.persist(HeldQuorum(quorum))
        self._out.send(QuorumMessage(quorum))
        match quorum.kind:
            case 1:
                # also for a block unknown here, and the view is left also when this node voted to nullify it
                self._vote(FINALIZE, quorum.position)
            case 3:
                self._forget_below_final()
        self._enter(quorum.view + 1)

    def _require_consistent(self, quorum: Quorum) -> None:
        other = self._held.contradiction(quorum)
        if other is not None:
            words = f"{KIND_WORDS[other.kind]} and {KIND_WORDS[quorum.kind]}"
            raise SafetyBroken(EXIT_CONFLICTING_QUORUMS, f"conflicting quorums of view {quorum.view}: {words}")

    def _require_own(self, signer: int, kind: int, position: Position) -> None:
        """A vote with this node's signature that its journal does not hold: the key is used elsewhere too."""
        if signer != self._me or not self._may_vote or position.view <= self._held.final_view:
            return
        own = self._sent.get((position.view, kind))
        if own is None or own.position != position:
            raise SafetyBroken(
                EXIT_OWN_KEY_ELSEWHERE,
                f"a {KIND_WORDS[kind]} vote of view {position.view} bears this validator's signature "
                "but is not in its journal",
            )

    def _forget_below_final(self) -> None:
        final_view = self._held.final_view
        self._tally.prune(final_view)
        self._sent = {key: vote for key, vote in self._sent.items() if key[0] > final_view}
        self._proposals = {view: position for view, position in self._proposals.items() if view > final_view}
        self._evidenced = {key for key in self._evidenced if key[1] > final_view}

    # --- views

    def _enter(self, view: int) -> None:
        """Go to a view; the caller holds a quorum of the one before it."""
        if view <= self._view:
            return
        self._view = self._out.view = view
        self._entered_ms, self._entered_time_ms = self._now_ms, self._time_ms
        self._building = None
        leader = self._validators.leader(view)
        if leader != self._me and self._presence.skipped(leader, view):
            self._arm_timer(0, idle=False)
        else:
            patience = self._timing.patience_ms(view, self._held.final_view)
            self._arm_timer(self._timing.wait_ms(self._work_waits) + patience, idle=not self._work_waits)
        self._propose_again(None)

    def _arm_timer(self, after_ms: int, idle: bool) -> None:
        self._deadline_ms, self._deadline_is_idle = self._now_ms + after_ms, idle
        self._out.timer(VIEW, self._deadline_ms)

    def _progress(self) -> None:
        """Do whatever the last input made possible: commit, propose, vote for the proposal of the current view."""
        while True:
            before = (self._view, self._held.final_view, len(self._sent))
            self._commit()
            self._try_propose()
            self._try_notarize()
            leader = self._validators.leader(self._view)
            if self._tally.first(NULLIFY, self._view, leader):
                self._give_up(self._view)
            if before == (self._view, self._held.final_view, len(self._sent)):
                return

    # --- proposing

    def _try_propose(self) -> None:
        """Ask for a block once this node leads the view, knows its parent, has the state, and the time has come."""
        view = self._view
        if self._validators.leader(view) != self._me or not self._may_vote or self._building is not None:
            return
        if (view, NOTARIZE) in self._sent or (view, NULLIFY) in self._sent:
            return
        parent_view = self._held.open_parent(view)
        parent_hash = None if parent_view is None else self._parent_hash(parent_view)
        if parent_view is None or parent_hash is None:
            self._ask_quorums(None)
            return
        executed = self._executed(parent_hash)
        if executed is False:
            self._give_up(view)
        if not executed:
            return
        parent = self._bodies.header(parent_hash)
        assert parent is not None, "an executed block has a header"
        due_ms = self._entered_ms + hold_back_ms(parent, self._entered_time_ms, self._timing, self._work_waits)
        if self._now_ms < due_ms:
            self._wake_at(due_ms)
            return
        self._building = (view, parent_view)
        timestamp_ms = block_time_ms(parent, self._time_ms)
        self._out.ask(BuildBlock(self._epoch, view, parent, parent_hash, timestamp_ms, self._me, self._validators.hash))

    def _on_built(self, view: int, block: Block | None) -> None:
        """Vote for the own block and propose it. It was executed while it was built."""
        if self._building is None or self._building[0] != view:
            return
        if block is None:
            self._give_up(view)
            return
        parent_view = self._building[1]
        block_hash = self._bodies.add(block)
        held = self._bodies.get(block_hash) if block_hash else None
        if block_hash is None or held is None:
            return  # its parent's height became final while it was built
        held.executed = True
        position = Position(self._epoch, view, parent_view, block_hash)
        self._proposals.setdefault(view, position)
        # taken before the vote: alone, or as the last of a quorum, it finalises at once
        just = self._held.just(parent_view, view)
        vote = self._vote(NOTARIZE, position, block)
        if vote is not None:
            self._out.send(Propose(Full(block), vote, just))

    def _propose_again(self, to: Peer | None) -> None:
        """Send the very proposal of the journal again: building twice for one view would be voting twice."""
        vote = self._sent.get((self._view, NOTARIZE))
        if vote is None or self._validators.leader(self._view) != self._me:
            return
        held = self._bodies.get(vote.block_hash)
        if held is not None:
            self._out.send(Propose(Full(held.block), vote, self._held.just(vote.parent_view, vote.view)), to)

    # --- judging a proposal

    def _on_propose(self, peer: Peer, message: Propose) -> None:
        vote = message.vote
        if vote.view > self._view + VIEWS_AHEAD:
            self._ask_quorums(peer)
        if not self._in_window(vote.view):
            return
        if vote.kind != NOTARIZE or vote.signer != self._validators.leader(vote.view):
            self._blame(peer, "a proposal that is not of the view's leader")
            return
        known = self._tally.first(NOTARIZE, vote.view, vote.signer) == vote
        if not known and not vote_holds(vote, self._validators, self._chain, self._verify):
            self._blame(peer, "a proposal whose signature does not hold")
            return
        for quorum in message.just:
            self._learn(peer, quorum)
        if not self._in_window(vote.view):
            return
        self._require_own(vote.signer, NOTARIZE, vote.position)
        self._keep_proposal(message)
        self._count(vote)

    def _keep_proposal(self, message: Propose) -> None:
        """The first validly signed one of a view; the tally makes evidence of a second."""
        position = message.vote.position
        first = self._tally.first(NOTARIZE, position.view, message.vote.signer)
        if first is not None and first.position != position:
            return
        match message.content:
            case Full(block=block):
                if header_hash(block.header) != position.block_hash:
                    return
                self._bodies.add(block)
            case Compact() | Again():
                pass  # the body is looked up, and fetched if need be, by the hash that the leader signed
            case _:
                assert_never(message.content)
        self._proposals.setdefault(position.view, position)

    def _try_notarize(self) -> None:
        """Run again whenever a missing input arrived."""
        view = self._view
        position = self._proposals.get(view)
        if position is None or (view, NOTARIZE) in self._sent or (view, NULLIFY) in self._sent:
            return
        valid = self._valid(position)
        if valid is False:
            self._give_up(view)
        elif valid:
            held = self._bodies.get(position.block_hash)
            assert held is not None, "a valid block has a body"
            self._vote(NOTARIZE, position, held.block)

    def _valid(self, position: Position) -> bool | None:
        """Whether the block may be notarised; None while something is still missing."""
        parent_hash = self._parent_hash(position.parent_view)
        allowed = self._parent_allowed(position)
        if not allowed or parent_hash is None:
            return allowed and None
        held = self._bodies.get(position.block_hash)
        if held is None:
            self._request(GetBlock(position.block_hash))
            return None
        if held.block.header.parent_hash != parent_hash:
            return False
        parent = self._bodies.header(parent_hash)
        if parent is None:
            self._request(GetBlock(parent_hash))
            return None
        header, leader = held.block.header, self._validators.leader(position.view)
        if header.epoch != self._epoch or not follows(header, parent, parent_hash, leader, self._validators.hash):
            return False
        too_early_ms = header.timestamp_ms - (self._time_ms + MAX_AHEAD_MS)
        if too_early_ms > 0:
            self._wake_at(self._now_ms + too_early_ms)
            return None
        return self._executed(position.block_hash)

    def _parent_allowed(self, position: Position) -> bool | None:
        """The parent is notarised, or the base of the epoch, and every view between is nullified; None: not known."""
        if not self._held.final_view <= position.parent_view < position.view:
            return False
        known = position.parent_view == 0 or self._held.certified(position.parent_view) is not None
        if known and self._held.all_nullified(position.parent_view, position.view):
            return True
        self._ask_quorums(None)
        return None

    def _parent_hash(self, parent_view: int) -> bytes | None:
        quorum = self._held.certified(parent_view)
        if quorum is not None:
            return quorum.block_hash
        return self._base_hash if parent_view == 0 else None

    def _executed(self, block_hash: bytes) -> bool | None:
        """Whether the block's execution was right; None while it, or that of an ancestor, is under way."""
        path = self._bodies.path(block_hash)
        if path.missing is not None:
            self._request(GetBlock(path.missing))
            return None
        if path.astray:
            return False
        for its_hash, held in reversed(path.blocks):
            if held.executed is False:
                return False
            if held.executed is None:
                if not held.asked:
                    held.asked = True
                    self._out.ask(CheckBlock(self._epoch, self._view, its_hash, held.block))
                return None
        return True

    def _on_checked(self, block_hash: bytes, ok: bool) -> None:
        held = self._bodies.get(block_hash)
        if held is not None:
            held.executed = ok

    # --- timers, connections, work

    def _on_timer(self, view: int) -> None:
        """Progress goes by view, not by the order of events: a stale timer is ignored."""
        if view != self._view:
            return
        if self._now_ms < self._deadline_ms:
            self._out.timer(VIEW, self._deadline_ms)
            return
        self._give_up(view)
        if self._view == view:
            # from now on nothing is waited for but lost messages, so the interval for a block is left out
            self._arm_timer(self._timing.patience_ms(view, self._held.final_view), idle=False)
            self._recount_own_votes()
            self._send_again(None)

    def _send_again(self, to: Peer | None) -> None:
        """Quorums first, so that the receiver is in the view of the votes that follow."""
        for quorum in self._held.newest():
            self._out.send(QuorumMessage(quorum), to)
        self._propose_again(to)
        for view, kind in sorted(self._sent):
            if self._held.get(kind, view) is None:
                self._out.send(VoteMessage(self._sent[view, kind]), to)

    def _on_peer_up(self, peer: Peer) -> None:
        """A healed link goes on at once, not with the next capped timer. No vote is made."""
        self._send_again(peer)
        self._out.send(self._status(), peer)

    def _on_work_waits(self, waiting: bool) -> None:
        self._work_waits = waiting
        if waiting and self._deadline_is_idle:
            after_ms = self._timing.min_interval_ms + self._timing.patience_ms(self._view, self._held.final_view)
            if self._now_ms + after_ms < self._deadline_ms:
                self._arm_timer(after_ms, idle=False)

    def _wake_at(self, at_ms: int) -> None:
        self._wake_ms = at_ms if self._wake_ms is None else min(self._wake_ms, at_ms)

    def _set_wake_timer(self) -> None:
        if self._now_ms >= self._status_due_ms:
            self._status_due_ms = self._now_ms + STATUS_EVERY_MS
            self._out.send(self._status())
        self._wake_at(self._status_due_ms)
        assert self._wake_ms is not None, "the next status is always due"
        if self._wake_ms != self._wake_armed_ms:
            self._wake_armed_ms = self._wake_ms
            self._out.timer(WAKE, self._wake_ms)

    # --- committing and catching up

    def _commit(self) -> None:
        """Commit the best Finalization's block and its ancestors, oldest first, as soon as all bodies are here."""
        final = self._held.final
        if final is None or final.block_hash == self._bodies.committed_hash:
            return
        path = self._bodies.path(final.block_hash)
        if path.astray:
            raise SafetyBroken(EXIT_CONFLICTING_QUORUMS, "a final block does not descend from the committed one")
        if path.missing is not None:
            if path.gap > 2:
                self._request(GetBlocks(self._bodies.committed.height + 1, min(path.gap, MAX_BLOCKS)))
            else:
                self._request(GetBlock(path.missing))
            return
        for block_hash, held in reversed(path.blocks):
            self._commit_block(block_hash, held.block, final)

    def _commit_block(self, block_hash: bytes, block: Block, finalization: Quorum) -> None:
        self._bodies.commit(block.header, block_hash)
        self._requests.clear()
        self._out.ask(Commit(self._epoch, self._view, block_hash, block, finalization))

    def _on_blocks(self, peer: Peer, batch: Blocks) -> None:
        committed = self._bodies.committed
        if not batch.blocks or batch.blocks[0].header.height != committed.height + 1:
            return  # an answer that came too late
        if batch.finalization.epoch != self._epoch:
            return
        try:
            hashes = check_blocks(batch, committed, self._validators, self._chain, self._verify)
        except ConsensusRefusal as refusal:
            self._blame(peer, str(refusal))
            return
        self._learn(peer, batch.finalization)
        for block_hash, block in zip(hashes, batch.blocks, strict=True):
            self._commit_block(block_hash, block, batch.finalization)

    def _on_body(self, block: Block) -> None:
        """A block that was asked for; others would fill the memory."""
        wanted = GetBlock(header_hash(block.header))
        if wanted in self._requests and self._bodies.add(block) is not None:
            del self._requests[wanted]

    def _request(self, request: GetBlock | GetBlocks) -> None:
        """Ask one peer, and another one when it does not answer in time."""
        attempt, due_ms = self._requests.get(request, (0, self._now_ms))
        if self._now_ms >= due_ms:
            due_ms = self._now_ms + 2 * self._timing.delta_ms
            self._requests[request] = (attempt + 1, due_ms)
            self._out.ask(Fetch(self._epoch, self._view, request, attempt))
        self._wake_at(due_ms)

    def _ask_quorums(self, peer: Peer | None, from_view: int | None = None) -> None:
        """Not more often than once in delta, or a stream of far votes would become a stream of questions."""
        if from_view is None:
            if self._now_ms < self._quorums_due_ms:
                return
            self._quorums_due_ms = self._now_ms + self._timing.delta_ms
            from_view = self._held.final_view
        self._out.send(GetQuorums(self._epoch, from_view), peer)

    # --- messages

    def _on_message(self, peer: Peer, message: ConsensusMessage) -> None:
        if not self._same_epoch(peer, message):
            return
        match message:
            case Propose():
                self._on_propose(peer, message)
            case VoteMessage(vote=vote):
                self._on_vote(peer, vote)
            case QuorumMessage(quorum=quorum):
                self._learn(peer, quorum)
            case GetQuorums(from_view=from_view):
                self._out.send(Quorums(self._epoch, None, self._held.page(from_view)), peer)
            case Quorums(quorums=quorums):
                self._on_quorums(peer, quorums)
            case GetBlocks(from_height=from_height, count=count):
                self._out.ask(ServeBlocks(self._epoch, self._view, peer, from_height, count))
            case Blocks():
                self._on_blocks(peer, message)
            case GetBlock(block_hash=block_hash):
                self._serve_block(peer, block_hash)
            case BlockBody(block=block):
                self._on_body(block)
            case Status():
                self._on_status(peer, message)
            case Evidence():
                self._on_evidence(peer, message)
            case _:
                assert_never(message)

    def _same_epoch(self, peer: Peer, message: ConsensusMessage) -> bool:
        """An older epoch is answered with its end, never dropped; for a newer one the end of our own is asked for."""
        match message:
            case Propose(vote=vote) | VoteMessage(vote=vote):
                epoch = vote.epoch
            case QuorumMessage(quorum=quorum):
                epoch = quorum.epoch
            case GetQuorums(epoch=epoch) | Quorums(epoch=epoch) | Status(epoch=epoch):
                pass
            case _:
                return True
        if epoch < self._epoch:
            self._out.ask(ServeBoundary(self._epoch, self._view, peer, epoch))
        elif epoch > self._epoch:
            self._ask_quorums(peer)
        return epoch == self._epoch

    def _on_quorums(self, peer: Peer, quorums: Sequence[Quorum]) -> None:
        before = self._view
        for quorum in quorums:
            self._learn(peer, quorum)
        if len(quorums) == MAX_JUST and self._view > before:
            self._ask_quorums(peer, quorums[-1].view + 1)

    def _serve_block(self, peer: Peer, block_hash: bytes) -> None:
        held = self._bodies.get(block_hash)
        if held is not None:
            self._out.send(BlockBody(held.block), peer)
        else:
            self._out.ask(ServeBlock(self._epoch, self._view, peer, block_hash))

    def _on_status(self, peer: Peer, status: Status) -> None:
        """A claim, so it is only a reason to ask for quorums, which prove themselves."""
        if status.view > self._view or status.height > self._bodies.committed.height:
            self._ask_quorums(peer)

    def _status(self) -> Status:
        return Status(self._epoch, self._view, self._bodies.committed.height, self._bodies.committed_hash)

    def _on_evidence(self, peer: Peer, evidence: Evidence) -> None:
        if evidence.first.epoch != self._epoch or not self._in_window(evidence.first.view):
            return
        try:
            check_evidence(evidence, self._validators, self._chain, self._verify)
        except ConsensusRefusal as refusal:
            self._blame(peer, str(refusal))
            return
        self._tell_evidence(evidence)

    def _tell_evidence(self, evidence: Evidence) -> None:
        key = (evidence.first.signer, evidence.first.view)
        if key not in self._evidenced:
            self._evidenced.add(key)
            self._out.send(evidence)
            self._out.ask(EvidenceFound(self._epoch, self._view, evidence))

    def _in_window(self, view: int) -> bool:
        return self._held.final_view < view <= self._view + VIEWS_AHEAD

    def _blame(self, peer: Peer, why: str) -> None:
        self._out.ask(Blame(self._epoch, self._view, peer, why))
