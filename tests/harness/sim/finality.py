"""What becomes final in a run, and whether it may: one chain, the books, the clocks, the time of recovery."""

from harness.sim.conservation import Books
from harness.sim.ledger import Executions, NodeLedger
from harness.sim.node import SimNode
from harness.sim.options import HONEST_SKEW_MS, Options
from harness.sim.people import People
from harness.sim.watch import SAFETY, STALL, Violation, Watch
from harness.world import START_S

from consensus import effects
from consensus.proposals import MAX_AHEAD_MS
from node.ledger import Executed
from state.block import Block, Header, header_hash, validators_hash
from state.epochs import ends_epoch

START_MS = START_S * 1000


class Finality:
    def __init__(self, options: Options, executions: Executions, watch: Watch, people: People) -> None:
        self._options, self._executions, self._watch, self._people = options, executions, watch, people
        self.books = Books(executions.view(executions.tip.hash))  # type: ignore[arg-type]
        self.recovered: dict[int, int] = {}  # node -> when it had finalised a new block after the faults
        self.max_views = self._last_ms = 0
        self._healed_at: tuple[int, int] | None = None  # top epoch and view when the faults ended
        self._opened_at: dict[int, tuple[int, int]] = {}  # node -> the same when it had fetched a state after that
        timing = options.timing
        self.gate_ms = (options.f + 1) * timing.longest_ms + 16 * timing.delta_ms

    def heal(self) -> None:
        """Progress is demanded from now on."""
        self._healed_at = self._watch.top

    def opened(self, node: SimNode) -> None:
        """Views count for a node from when it has an engine: while it fetches a state it takes part in none."""
        if self._healed_at is not None and node.fetched_ms >= self._options.heal_ms:
            self._opened_at[node.index] = self._watch.top

    def stored(self, ledger: NodeLedger, now_ms: int) -> None:
        """A process may die between storing a block and saying so."""
        for height in range(len(self._watch.chain) + 1, ledger.tip.height + 1):
            block = ledger.block_at(height)
            assert block is not None
            self._final(block, header_hash(block.header), now_ms)

    def committed(self, node: SimNode, effect: effects.Commit, demanded: bool, now_ms: int) -> None:
        self.stored(node.ledger, now_ms)
        self._final(effect.block, effect.block_hash, now_ms)
        if self._healed_at is None or not demanded or node.index in self.recovered:
            return
        at = (effect.finalization.epoch, effect.finalization.view)
        since = self._opened_at.get(node.index, self._healed_at)
        if at > since:
            views = at[1] - (since[1] if at[0] == since[0] else 0)
            if node.term.index is not None:  # who observes asks for what has become final, maybe late
                self.max_views = max(self.max_views, views)
                if views > self._options.f + 4:
                    raise Violation(STALL, f"node {node.index} needed {views} views to finalise again")
            self.recovered[node.index] = now_ms

    def _final(self, block: Block, block_hash: bytes, now_ms: int) -> None:
        header, executions = block.header, self._executions
        if not self._watch.final(header.height, block_hash):
            return
        executions.check(block)  # nodes with ledgers of their own have not done it for us
        executed, state = executions.executed(block_hash), executions.view(block_hash)
        self._last_ms = now_ms
        self._require_lawful(header, executed, now_ms)
        changes = executed.overlay.changes
        self.books.enter(header.height, state, changes, executed.transactions, executed.output)  # type: ignore[arg-type]
        environment = executions.environment(block_hash, header.timestamp_ms + 1)
        txids = {decoded.txid for decoded in executed.transactions}
        self._people.final(header.height, state, header.timestamp_ms, txids, environment)  # type: ignore[arg-type]

    def _require_lawful(self, header: Header, executed: Executed, now_ms: int) -> None:
        """What a quorum of honest clocks and the rules of the state allow, whatever nodes agreed on."""
        if header.timestamp_ms > START_MS + now_ms + MAX_AHEAD_MS + HONEST_SKEW_MS:
            raise Violation(SAFETY, f"block {header.height} is ahead of every honest clock")
        if ends_epoch(header.height, self._options.epoch_length):
            keys = tuple(validator.vote_key for validator in executed.validators)
            if header.next_validators_hash != validators_hash(keys):
                raise Violation(SAFETY, f"boundary block {header.height} names another set than its state has")

    def require_recovery(self, expected: list[SimNode], deadline_ms: int) -> None:
        """Of all who are not broken for ever, whatever they had to fetch first."""
        late = [node.index for node in expected if node.index not in self.recovered]
        if late:
            raise Violation(STALL, f"nodes {late} finalised nothing new until {deadline_ms} ms")

    def require_progress(self, now_ms: int) -> None:
        """Healed networks go on, and do not stand still once everybody has recovered."""
        if self._healed_at is not None and now_ms - self._last_ms > self.gate_ms:
            raise Violation(STALL, f"nothing was finalised since {self._last_ms} ms")
