"""The engine: `step(input) -> effects`, one handler for every clause of the protocol (the package's own text).

    engine = Engine(chain=..., epoch=0, validators=ValidatorSet(keys), timing=Timing(...), verify=crypto.verify,
                    recovered=Recovered(header, finalization, records), signer=Signer(vote_key, sign), may_vote=True)
    for effect in engine.step(Start(now_ms, time_ms)): perform(effect)

Pure: no clock, no randomness, no disk, no network; the same inputs give the same effects. `signer` None, or a key that
is not a validator's, makes an observer: it follows and commits but never votes. After a `Halt` every step is empty.
"""

from typing import assert_never

from consensus import inputs
from consensus.accusing import Accusing
from consensus.clock import Clock
from consensus.effects import Effect, ServeBlocks, ServeBoundary
from consensus.evidence import check_evidence, make_evidence
from consensus.follower import Follower
from consensus.held import HeldQuorums
from consensus.hindsight import Former, Hindsight, votes_of
from consensus.inputs import VIEW, WAKE, Input, Peer
from consensus.leading import Leading
from consensus.messages import (
    MAX_JUST,
    BlockBody,
    Blocks,
    ConsensusMessage,
    Evidence,
    GetBlock,
    GetBlocks,
    GetQuorums,
    Propose,
    QuorumMessage,
    Quorums,
    Status,
    VoteMessage,
    epoch_of,
)
from consensus.outbox import Outbox
from consensus.own_votes import OwnVotes, Signer
from consensus.proposals import Proposals
from consensus.records import HeldQuorum, OwnVote, Recovered, VotedBlock
from consensus.safety import SafetyBroken, require_consistent
from consensus.standing import Standing
from consensus.tally import Counted, Tally
from consensus.timers import Presence, Timing
from consensus.validators import ValidatorSet
from consensus.votes import (
    FINALIZE,
    NOTARIZE,
    NULLIFY,
    Position,
    Quorum,
    Verify,
    Vote,
    check_quorum,
    nullified,
    same_position,
    vote_holds,
)
from state.block import Block
from state.errors import ConsensusRefusal

VIEWS_AHEAD = 2  # votes are counted this far above the current view: bounded memory
MAX_TOLD = 1_024  # peers whose last answer about an older epoch is remembered


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
        last_height: int | None = None,
        former: Former | None = None,
    ) -> None:
        """`last_height` is that of the epoch's last block, None where one epoch lasts for ever. `former` is what the
        engine of the epoch before remembers."""
        self._chain, self._epoch, self._validators, self._timing = chain, epoch, validators, timing
        self._verify = verify
        self._me = validators.index_of(signer.vote_key) if signer else None
        self._out = Outbox(epoch)
        self._clock = Clock(self._out, timing)
        self._own = OwnVotes(chain, signer, self._me, may_vote)
        self._held = HeldQuorums(recovered.finalization)
        self._follower = Follower(recovered.header, self._out, self._clock, timing.delta_ms)
        base_hash = None if recovered.finalization else self._follower.committed_hash
        self._last_height = last_height
        self._proposals = Proposals(validators, self._held, self._follower, self._clock, base_hash, last_height)
        self._leading = Leading(
            validators, timing, self._held, self._proposals, self._follower, self._clock, self._out, last_height
        )
        self._accusing = Accusing(self._out)
        self._tally = Tally(validators)
        self._hindsight = Hindsight()
        self._former = former
        self._presence = Presence(validators.n, validators.quorum, 0)

        self._view = 0
        self._work_waits = False
        self._halted = False
        self._boundary_due_ms: dict[Peer, int] = {}  # when a peer may be told again how an older epoch ended
        self._replay(recovered)

    def step(self, given: Input) -> list[Effect]:
        """Take one input and say what is to be done, in order (`consensus.effects`)."""
        if self._halted or self.ended:
            return []
        self._clock.tick(given.now_ms, given.time_ms)
        try:
            self._handle(given)
            self._progress()
        except SafetyBroken as broken:
            self._halted = True
            return self._out.halt(broken.exit_code, str(broken.params["why"]))
        if self._clock.status_is_due():
            self._out.send(self._status())
        self._clock.set_wake_timer()
        return self._out.drain()

    @property
    def ended(self) -> bool:
        """Whether the epoch's last block is committed: everything from now on is for the next epoch's engine."""
        return self._last_height is not None and self._follower.committed.height == self._last_height

    def remembered(self) -> Former:
        """For the engine of the next epoch."""
        return Former(self._epoch, self._validators, self._hindsight)

    def standing(self) -> Standing:
        return Standing(
            self._epoch,
            self._view,
            self._validators.leader(self._view),
            self._held.final_view,
            self._follower.committed.height,
            self._follower.committed_hash,
            self._me,
            self._own.may_vote,
            tuple(self._presence.last_seen(signer) for signer in range(self._validators.n)),
            tuple(self._own),
            self._held.newest(),
        )

    def _handle(self, given: Input) -> None:
        match given:
            case inputs.MessageReceived(peer=peer, message=message):
                if self._same_epoch(peer, message):
                    self._on_message(peer, message)
            case inputs.Start():
                self._start()
            case inputs.TimerFired(epoch=epoch, view=view, purpose=purpose):
                if purpose == WAKE:
                    self._clock.woken()
                elif purpose == VIEW and epoch == self._epoch:
                    self._on_timer(view)
            case inputs.BlockChecked(epoch=epoch, block_hash=block_hash, ok=ok):
                if epoch == self._epoch:
                    self._follower.on_checked(block_hash, ok)
            case inputs.BlockBuilt(epoch=epoch, view=view, block=block):
                if (epoch, view) == (self._epoch, self._view):
                    self._on_built(view, block)
            case inputs.BodyReceived(block=block):
                self._follower.on_body(block)
            case inputs.PeerUp(peer=peer):
                self._on_peer_up(peer)
            case inputs.WorkWaits(waiting=waiting):
                self._on_work_waits(waiting)
            case _:
                raise AssertionError(f"unknown input {type(given).__name__}")

    def _on_message(self, peer: Peer, message: ConsensusMessage) -> None:
        match message:
            case VoteMessage(vote=vote):
                self._on_vote(peer, vote)
            case QuorumMessage(quorum=quorum):
                self._learn(peer, quorum)
            case Propose():
                self._on_propose(peer, message)
            case GetQuorums(from_view=from_view):
                self._out.send(Quorums(self._epoch, None, self._held.page(from_view)), peer)
            case Quorums():
                self._on_quorums(peer, message)
            case GetBlocks(from_height=from_height, count=count):
                self._out.ask(ServeBlocks(self._epoch, self._view, peer, from_height, count))
            case Blocks():
                self._on_blocks(peer, message)
            case GetBlock(block_hash=block_hash):
                self._follower.serve(peer, block_hash)
            case BlockBody(block=block):
                self._follower.on_body(block)
            case Status():
                self._on_status(peer, message)
            case Evidence():
                self._on_evidence(peer, message)
            case _:
                assert_never(message)

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
                    self._follower.bodies.add(block)
                case OwnVote(vote=vote):
                    self._own.restore(vote)
                case _:
                    assert_never(record)
        self._forget_below_final()

    def _start(self) -> None:
        view = max(self._held.final_view, self._held.highest_view) + 1
        self._presence = Presence(self._validators.n, self._validators.quorum, view)
        self._enter(view)
        self._recount_own_votes()
        for quorum in self._held.notarizations():
            # a crash may have kept the Notarization and lost the FINALIZE vote that belongs to it
            self._vote(FINALIZE, quorum.position)

    def _recount_own_votes(self) -> None:
        """Without this a restart of everybody would be a deadlock: all votes are in journals, none in a tally."""
        for vote in self._own:
            if vote.view > self._held.final_view:
                self._count(vote)

    # --- votes

    def _vote(self, kind: int, position: Position, block: Block | None = None, propose: bool = False) -> None:
        """Vote if this node may: keep the vote and its block, send it (a leader: as its proposal), count it."""
        vote = self._own.make(kind, position, self._held.final_view)
        if vote is None:
            return
        if block is not None:
            self._out.persist(VotedBlock(self._epoch, position.view, block))
        self._out.persist(OwnVote(vote))
        if block is not None and propose:
            self._out.send(self._leading.proposal(block, vote))
        else:
            self._out.send(VoteMessage(vote))
        self._count(vote)

    def _give_up(self, view: int) -> None:
        """The view's time is over, or its leader gave it up, or its block is bad: vote to nullify it."""
        self._vote(NULLIFY, nullified(self._epoch, view))

    def _on_vote(self, peer: Peer, vote: Vote) -> None:
        if vote.view > self._view + VIEWS_AHEAD:
            self._follower.ask_quorums(peer, self._held.final_view)
        if vote.view <= self._held.final_view:
            self._on_late_vote(peer, vote)
        if not self._in_window(vote.view) or self._tally.first(vote.kind, vote.view, vote.signer) == vote:
            return
        if not vote_holds(vote, self._validators, self._chain, self._verify):
            self._accusing.blame(peer, "a vote whose signature does not hold")
            return
        self._own.require_own(vote.signer, vote.kind, vote.position, self._held.final_view)
        self._count(vote)

    def _on_late_vote(self, peer: Peer, vote: Vote) -> None:
        """It counts for nothing any more, but it may contradict what its signer said to the rest of us."""
        earlier = None if self._accusing.knows_late(vote.signer) else self._hindsight.against(vote)
        if earlier is None:
            return
        if not vote_holds(vote, self._validators, self._chain, self._verify):
            self._accusing.blame(peer, "a vote whose signature does not hold")
            return
        self._accusing.tell_late(make_evidence(earlier, vote))

    def _count(self, vote: Vote) -> None:
        """Count a verified vote; q equal ones make a quorum."""
        counted, earlier = self._tally.add(vote)
        if counted is Counted.CONFLICTING and earlier is not None:
            self._accusing.tell(make_evidence(earlier, vote))
            return
        self._presence.saw(vote.signer, vote.view)
        if self._held.get(vote.kind, vote.view) is None:
            quorum = self._tally.quorum(vote.kind, vote.position)
            if quorum is not None:
                self._on_quorum(quorum)

    def _in_window(self, view: int) -> bool:
        return self._held.final_view < view <= self._view + VIEWS_AHEAD

    # --- quorums

    def _learn(self, peer: Peer, quorum: Quorum) -> None:
        """A quorum from a peer: of any view from the best Finalization up, because it proves itself."""
        if quorum.epoch != self._epoch or quorum.view < self._held.final_view:
            return
        held = self._held.get(quorum.kind, quorum.view)
        if held is not None and same_position(held, quorum):
            return
        try:
            check_quorum(quorum, self._validators, self._chain, self._verify)
        except ConsensusRefusal as refusal:
            self._accusing.blame(peer, str(refusal))
            return
        self._on_quorum(quorum)

    def _on_quorum(self, quorum: Quorum) -> None:
        """The first time for its kind and view: keep it, relay it, vote to finalise, go on to the next view."""
        if quorum.view < self._held.final_view:
            return
        require_consistent(self._held, quorum)
        for signer in quorum.signers:
            self._own.require_own(signer, quorum.kind, quorum.position, self._held.final_view)
            self._presence.saw(signer, quorum.view)
        self._hold_against(quorum)
        self._held.add(quorum)
        self._out.persist(HeldQuorum(quorum))
        self._out.send(QuorumMessage(quorum))
        if quorum.kind == NOTARIZE:
            # also when the block is unknown here; the view is left also when this node voted to nullify it
            self._vote(FINALIZE, quorum.position)
        if quorum.kind == FINALIZE:
            self._forget_below_final()
        self._enter(quorum.view + 1)

    def _hold_against(self, quorum: Quorum) -> None:
        """Compare a quorum with what its signers told this node themselves. Of views that it was led past without
        seeing their end, it passes on what might contradict the end that others saw."""
        for vote in votes_of(quorum):
            earlier = self._tally.contradicted(vote)
            if earlier is not None:
                self._accusing.tell(make_evidence(earlier, vote))
        self._hindsight.remember(quorum)
        if quorum.kind != FINALIZE:
            return
        for view in self._tally.views_below(quorum.view):
            if self._held.certified(view) or self._held.nullification(view):
                continue
            for vote in self._tally.votes(view):
                telling = vote.kind == NULLIFY or (vote.kind == NOTARIZE and vote.signer == self._leader(view))
                if telling and vote.signer != self._me:
                    self._out.send(VoteMessage(vote))

    def _forget_below_final(self) -> None:
        final_view = self._held.final_view
        self._tally.prune(final_view)
        self._own.forget(final_view)
        self._proposals.forget(final_view)
        self._accusing.forget(final_view)

    # --- views

    def _enter(self, view: int) -> None:
        """Go to a view; the caller holds a quorum of the one before it."""
        if view <= self._view:
            return
        self._view = self._out.view = view
        self._leading.enter_view()
        leader = self._leader(view)
        if leader != self._me and self._presence.skipped(leader, view):
            self._clock.enter_view(0, idle=False)
        else:
            wait_ms = self._timing.wait_ms(self._work_waits)
            self._clock.enter_view(wait_ms + self._patience_ms(), idle=not self._work_waits)
        self._propose_again(None)

    def _progress(self) -> None:
        """Whatever the input made possible: commit, propose, vote for the proposal of the current view."""
        held, follower, before = self._held, self._follower, None
        while before != (before := (self._view, held.final_view, len(self._own))):
            if not follower.reached(held.final):
                follower.commit(held.final)
            if self.ended:
                return
            if follower.reached(held.final):  # every lawful block descends from the final one
                self._try_propose()
                self._try_notarize()
            if self._tally.first(NULLIFY, self._view, self._leader(self._view)):
                self._give_up(self._view)

    def _leader(self, view: int) -> int:
        return self._validators.leader(view)

    def _patience_ms(self) -> int:
        return self._timing.patience_ms(self._view, self._held.final_view)

    # --- proposing

    def _try_propose(self) -> None:
        """Ask for a block when this node leads the view and has not voted in it."""
        if self._leader(self._view) != self._me or not self._own.may_vote:
            return
        if self._own.made(self._view, NOTARIZE, NULLIFY):
            return
        again = self._leading.again(self._view)
        if again is not None:
            position, block = again
            self._vote(NOTARIZE, position, block, propose=True)
        elif not self._leading.try_build(self._view, self._work_waits):
            self._give_up(self._view)

    def _on_built(self, view: int, block: Block | None) -> None:
        """Vote for the own block, which makes it a proposal."""
        if block is None:
            self._give_up(view)
            return
        position = self._leading.built(view, block)
        if position is not None:
            self._vote(NOTARIZE, position, block, propose=True)

    def _propose_again(self, to: Peer | None) -> None:
        """Send the very proposal of the journal again: building twice for one view would be voting twice."""
        vote = self._own.get(NOTARIZE, self._view)
        if vote is None or self._leader(self._view) != self._me:
            return
        held = self._follower.bodies.get(vote.block_hash)
        if held is not None:
            self._out.send(self._leading.proposal(held.block, vote), to)

    # --- judging proposals

    def _on_propose(self, peer: Peer, message: Propose) -> None:
        vote = message.vote
        if vote.view > self._view + VIEWS_AHEAD:
            self._follower.ask_quorums(peer, self._held.final_view)
        if vote.view <= self._held.final_view:
            self._on_late_vote(peer, vote)
        if not self._in_window(vote.view):
            return
        if vote.kind != NOTARIZE or vote.signer != self._leader(vote.view):
            self._accusing.blame(peer, "a proposal that is not of the view's leader")
            return
        known = self._tally.first(NOTARIZE, vote.view, vote.signer) == vote
        if not known and not vote_holds(vote, self._validators, self._chain, self._verify):
            self._accusing.blame(peer, "a proposal whose signature does not hold")
            return
        for quorum in message.just:
            self._learn(peer, quorum)
        if not self._in_window(vote.view):
            return
        self._own.require_own(vote.signer, NOTARIZE, vote.position, self._held.final_view)
        first = self._tally.first(NOTARIZE, vote.view, vote.signer)
        if first is None or first.position == vote.position:
            self._proposals.keep(vote.position, message.content)
        self._count(vote)  # a second, different one is evidence

    def _try_notarize(self) -> None:
        """Run again whenever a missing input arrived."""
        position = self._proposals.get(self._view)
        if position is None or self._own.made(self._view, NOTARIZE, NULLIFY):
            return
        valid = self._proposals.valid(position)
        if valid is False:
            self._give_up(self._view)
        elif valid:
            self._vote(NOTARIZE, position, self._proposals.block(position))

    # --- timers, connections, work

    def _on_timer(self, view: int) -> None:
        """Progress goes by view, not by the order of events: a stale timer is ignored."""
        if view != self._view or not self._clock.view_is_over():
            return
        # from now on nothing is waited for but lost messages, so the interval for a block is left out
        self._clock.arm(self._patience_ms(), idle=False)
        self._send_again(None)
        self._recount_own_votes()
        self._give_up(view)

    def _send_again(self, to: Peer | None) -> None:
        """Quorums first, so that the receiver is in the view of the votes that follow."""
        for quorum in self._held.newest():
            self._out.send(QuorumMessage(quorum), to)
        self._propose_again(to)
        for vote in self._own:
            if self._held.get(vote.kind, vote.view) is None:
                self._out.send(VoteMessage(vote), to)

    def _on_peer_up(self, peer: Peer) -> None:
        """A healed link goes on at once, not with the next capped timer. No vote is made."""
        self._send_again(peer)
        self._out.send(self._status(), peer)

    def _on_work_waits(self, waiting: bool) -> None:
        self._work_waits = waiting
        if waiting:
            self._clock.shorten(self._timing.min_interval_ms + self._patience_ms())

    # --- catching up

    def _on_blocks(self, peer: Peer, batch: Blocks) -> None:
        if batch.finalization.epoch != self._epoch:
            return
        try:
            if self._follower.commit_batch(batch, self._validators, self._chain, self._verify):
                self._learn(peer, batch.finalization)
        except ConsensusRefusal as refusal:
            self._accusing.blame(peer, str(refusal))
            self._follower.ask_again()

    def _on_quorums(self, peer: Peer, message: Quorums) -> None:
        for quorum in message.quorums:
            self._learn(peer, quorum)
        if len(message.quorums) == MAX_JUST:
            self._follower.ask_next_page(peer, message.quorums[-1].view + 1)

    def _on_status(self, peer: Peer, status: Status) -> None:
        """A claim, so it is only a reason to ask for quorums, which prove themselves."""
        if status.view > self._view or status.height > self._follower.committed.height:
            self._follower.ask_quorums(peer, self._held.final_view)

    def _status(self) -> Status:
        return Status(self._epoch, self._view, self._follower.committed.height, self._follower.committed_hash)

    def _same_epoch(self, peer: Peer, message: ConsensusMessage) -> bool:
        """An older epoch is answered with its end, never dropped; for a newer one the end of our own is asked for."""
        epoch = epoch_of(message)
        if epoch is None or epoch == self._epoch:
            return True
        if epoch < self._epoch:
            self._hear_of_former(peer, epoch, message)
            # once in delta: every answer is the same, and what made us answer may come in hundreds
            if self._clock.now_ms >= self._boundary_due_ms.get(peer, self._clock.now_ms):
                if len(self._boundary_due_ms) >= MAX_TOLD:
                    self._boundary_due_ms.clear()
                self._boundary_due_ms[peer] = self._clock.now_ms + self._timing.delta_ms
                self._out.ask(ServeBoundary(self._epoch, self._view, peer, epoch))
        else:
            self._follower.ask_quorums(peer, self._held.final_view)
        return False

    # --- misbehaviour

    def _hear_of_former(self, peer: Peer, epoch: int, message: ConsensusMessage) -> None:
        """A vote of the epoch before, which its signer contradicted there."""
        if self._former is None or epoch != self._former.epoch:
            return
        try:
            evidence = self._former.judge(message, self._chain, self._verify)
        except ConsensusRefusal as refusal:
            self._accusing.blame(peer, str(refusal))
            return
        if evidence is not None:
            self._accusing.tell_of_former(evidence)

    def _on_evidence(self, peer: Peer, evidence: Evidence) -> None:
        vote = evidence.first
        self._hear_of_former(peer, vote.epoch, evidence)
        late = vote.view <= self._held.final_view
        if vote.epoch != self._epoch or vote.view > self._view + VIEWS_AHEAD:
            return
        if late and self._accusing.knows_late(vote.signer):
            return
        try:
            check_evidence(evidence, self._validators, self._chain, self._verify)
        except ConsensusRefusal as refusal:
            self._accusing.blame(peer, str(refusal))
            return
        if late:
            self._accusing.tell_late(evidence)
        else:
            self._accusing.tell(evidence)
