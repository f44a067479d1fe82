"""Following what is final: execution asked for in order, bodies fetched, blocks committed oldest first."""

from consensus.bodies import Bodies
from consensus.catchup import check_blocks
from consensus.clock import Clock
from consensus.effects import CheckBlock, Commit, Fetch, ServeBlock
from consensus.inputs import Peer
from consensus.messages import MAX_BLOCKS, BlockBody, Blocks, GetBlock, GetBlocks, GetQuorums
from consensus.outbox import Outbox
from consensus.safety import EXIT_CONFLICTING_QUORUMS, SafetyBroken
from consensus.validators import ValidatorSet
from consensus.votes import Finalization, Verify
from state.block import Block, Header, header_hash

SHORT_GAP = 2  # so many missing bodies are asked for one by one, more of them as a batch


class Follower:
    def __init__(self, committed: Header, out: Outbox, clock: Clock, delta_ms: int) -> None:
        self.bodies = Bodies(committed)
        self._out, self._clock = out, clock
        self._delta_ms = delta_ms
        self._quorums_due_ms = 0  # when quorums may be asked for again
        self._page_view = 0  # from where on the last page of them was asked for
        self._requests: dict[GetBlock | GetBlocks, tuple[int, int]] = {}  # -> (attempts, when to try again)

    @property
    def committed(self) -> Header:
        return self.bodies.committed

    @property
    def committed_hash(self) -> bytes:
        return self.bodies.committed_hash

    def commit(self, final: Finalization | None) -> None:
        """Commit the block of the best Finalization and its ancestors, as soon as all their bodies are here."""
        if final is None or self.reached(final):
            return
        path = self.bodies.path(final.block_hash)
        if path.astray:
            raise SafetyBroken(EXIT_CONFLICTING_QUORUMS, "a final block does not descend from the committed one")
        if path.missing is not None:
            self._ask_missing(path.missing, path.gap)
            return
        for block_hash, held in reversed(path.blocks):
            self._commit(block_hash, held.block, final)

    def _ask_missing(self, block_hash: bytes, gap: int) -> None:
        """A short gap by hashes. What is not handed out by its hash is asked for by its height too: who does not keep
        it cannot tell what a hash is of, but says from which height on it has blocks."""
        by_hash = GetBlock(block_hash)
        if gap <= SHORT_GAP:
            self.request(by_hash)
            if self._requests[by_hash][0] < 2:
                return
        self.request(GetBlocks(self.committed.height + 1, min(gap or MAX_BLOCKS, MAX_BLOCKS)))

    def reached(self, final: Finalization | None) -> bool:
        """Whether the final block is committed, so that nothing is missing below the blocks of today."""
        return final is None or final.block_hash == self.committed_hash

    def commit_batch(self, batch: Blocks, validators: ValidatorSet, chain: bytes, verify: Verify) -> bool:
        """Commit a peer's batch; False if it begins elsewhere (an answer that came too late).

        ConsensusRefusal if it is not final.
        """
        if not batch.blocks or batch.blocks[0].header.height != self.committed.height + 1:
            return False
        hashes = check_blocks(batch, self.committed, validators, chain, verify)
        for block_hash, block in zip(hashes, batch.blocks, strict=True):
            self._commit(block_hash, block, batch.finalization)
        return True

    def _commit(self, block_hash: bytes, block: Block, finalization: Finalization) -> None:
        self.bodies.commit(block.header, block_hash)
        self._requests.clear()
        self._out.ask(Commit(self._out.epoch, self._out.view, block_hash, block, finalization))

    def executed(self, block_hash: bytes) -> bool | None:
        """Whether the block's execution was right; None while it, or that of an ancestor, is under way."""
        path = self.bodies.path(block_hash)
        if path.missing is not None:
            self.request(GetBlock(path.missing))
            return None
        if path.astray:
            return False
        for its_hash, held in reversed(path.blocks):
            if held.executed is False:
                return False
            if held.executed is None:
                if not held.asked:
                    held.asked = True
                    self._out.ask(CheckBlock(self._out.epoch, self._out.view, its_hash, held.block))
                return None
        return True

    def on_checked(self, block_hash: bytes, ok: bool) -> None:
        held = self.bodies.get(block_hash)
        if held is not None:
            held.executed = ok

    def on_body(self, block: Block) -> None:
        """A block that was asked for; others would fill the memory."""
        wanted = GetBlock(header_hash(block.header))
        if wanted in self._requests and self.bodies.add(block) is not None:
            self._requests.pop(wanted)

    def request(self, request: GetBlock | GetBlocks) -> None:
        """Ask one peer, and another one when it does not answer in time."""
        attempts, due_ms = self._requests.get(request, (0, self._clock.now_ms))
        if self._clock.now_ms >= due_ms:
            due_ms = self._clock.now_ms + 2 * self._delta_ms
            self._requests[request] = (attempts + 1, due_ms)
            self._out.ask(Fetch(self._out.epoch, self._out.view, request, attempts))
        self._clock.wake_at(due_ms)

    def ask_again(self) -> None:
        """What came was a lie: another peer is asked at once. Who lies three times in a minute is not heard any more,
        so nobody can make this node ask without end."""
        for request, (attempts, _) in self._requests.items():
            self._requests[request] = (attempts, self._clock.now_ms)

    def ask_quorums(self, peer: Peer | None, final_view: int) -> None:
        """Not more often than once in delta, or a stream of far votes would become a stream of questions."""
        if self._clock.now_ms >= self._quorums_due_ms:
            self._quorums_due_ms = self._clock.now_ms + self._delta_ms
            self._page_view = final_view
            self._out.send(GetQuorums(self._out.epoch, final_view), peer)
        else:
            self._clock.wake_at(self._quorums_due_ms)

    def ask_next_page(self, peer: Peer, from_view: int) -> None:
        """A full answer has a next page, also when all of this one was known: the gap may lie higher. Each page lies
        above the one before, so nobody leads us in circles."""
        if from_view > self._page_view:
            self._page_view = from_view
            self._out.send(GetQuorums(self._out.epoch, from_view), peer)

    def serve(self, peer: Peer, block_hash: bytes) -> None:
        """A block that is not committed yet comes from memory, any other from the shell's disk."""
        held = self.bodies.get(block_hash)
        if held is not None:
            self._out.send(BlockBody(held.block), peer)
        else:
            self._out.ask(ServeBlock(self._out.epoch, self._out.view, peer, block_hash))
