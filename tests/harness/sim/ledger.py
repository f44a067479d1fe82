"""The ledgers of simulated nodes: the product's rules, run once for each block, or once for each block and node.

`Executions` is a `node.ledger.Ledger` that commits nothing and keeps the whole state after every block, so that the
nodes of a cluster share the work of executing. `SharedLedger` is what one node has of it: its own committed chain.
`OwnLedger` is the product's ledger on rows that survive crashes; one seed of fifty gives every node its own.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping

from harness.sim.beginning import Beginning

from contracts.context import BlockOutput
from contracts.transition import DecodedTx
from node.ledger import Executed, Ledger, Tip, _check_meta
from node.signatures import SignatureCache, SignatureVerifier
from state.block import Block, Header, header_hash
from state.epochs import epoch_of, last_height
from state.errors import BlockInvalid, Refusal
from state.keyspace import Entry
from state.overlay import Overlay, Snapshot
from state.records import Validator
from state.store import MemoryRows, Store


class Flat:
    """The whole state after one block, without a chain of overlays below it."""

    def __init__(self, entries: dict[bytes, Entry], keys: list[bytes]) -> None:
        self._entries, self._keys = entries, keys
        self.get = entries.get

    @classmethod
    def of(cls, entries: Mapping[bytes, Entry]) -> "Flat":
        return cls(dict(entries), sorted(entries))

    def changed(self, changes: Mapping[bytes, Entry | None]) -> "Flat":
        entries, keys = self._entries.copy(), self._keys.copy()
        for key, entry in changes.items():
            if entry is None:
                if entries.pop(key, None) is not None:
                    del keys[bisect_left(keys, key)]
                continue
            if key not in entries:
                insort(keys, key)
            entries[key] = entry
        return Flat(entries, keys)

    def scan(self, low: bytes, high: bytes) -> Iterator[tuple[bytes, Entry]]:
        entries = self._entries
        for key in self._keys[bisect_left(self._keys, low) : bisect_left(self._keys, high)]:
            yield key, entries[key]


class Executions(Ledger):
    """Every block that anybody executed in this run, and the state that it leaves."""

    def __init__(self, beginning: Beginning) -> None:
        super().__init__(beginning.store(), SignatureVerifier(SignatureCache()), beginning.meta, beginning.header)
        self._flats: dict[bytes, Flat] = {self.tip.hash: Flat.of(beginning.entries)}
        self._invalid: dict[bytes, str] = {}
        self.executions = 0

    def view(self, block_hash: bytes) -> Snapshot:
        return self._flats[block_hash]

    def check(self, block: Block, certified: bool = False) -> bytes:
        """As in `Ledger`; an invalid block is invalid for everybody, so that too is found out once."""
        block_hash = header_hash(block.header)
        known = self._executed.get(block_hash)
        if known is not None and known.block is block:
            return block_hash
        if block_hash in self._invalid:
            raise BlockInvalid(why=self._invalid[block_hash])
        try:
            return super().check(block, certified)
        except BlockInvalid as refusal:
            self._invalid[block_hash] = str(refusal)
            raise

    def executed(self, block_hash: bytes) -> Executed:
        return self._kept(block_hash)

    def _keep(self, block: Block, transactions: tuple[DecodedTx, ...], overlay: Overlay, *rest: object) -> None:
        super()._keep(block, transactions, overlay, *rest)  # type: ignore[arg-type]
        self.executions += 1
        self._flats[header_hash(block.header)] = self._flats[block.header.parent_hash].changed(overlay.changes)


class SharedLedger:
    """One node's committed chain: durable, and all that a crash leaves of its store."""

    def __init__(self, executions: Executions, around_write: Callable[[], None]) -> None:
        self._executions, self._around_write = executions, around_write
        genesis = executions.tip
        self.chain, self.parameters = executions.chain, executions.parameters
        self.tip = genesis
        self.validators: tuple[Validator, ...] = executions.validators
        self.base = executions.base  # every body is kept
        self._blocks: list[Block | None] = [None]
        self._headers = [genesis.header]
        self._finalizations = [b""]
        self._heights = {genesis.hash: 0}
        self._known = {genesis.hash}  # what this process executed, or committed last

    def reopen(self) -> None:
        """A new process: what was executed and not committed is forgotten."""
        self._known = {self.tip.hash}

    @property
    def epoch(self) -> int:
        return epoch_of(self.tip.height + 1, self.parameters.epoch_length)

    def boundary(self, epoch: int) -> tuple[Header, bytes] | None:
        height = last_height(epoch, self.parameters.epoch_length)
        if height is None or height > self.tip.height or not self._finalizations[height]:
            return None
        return self._headers[height], self._finalizations[height]

    def knows(self, block_hash: bytes) -> bool:
        return block_hash in self._known

    def header(self, block_hash: bytes) -> Header:
        return self._executions.header(block_hash)

    def block(self, block_hash: bytes) -> Block | None:
        height = self._heights.get(block_hash)
        if height is not None:
            return self._blocks[height]
        return self._executions.executed(block_hash).block if block_hash in self._known else None

    def block_at(self, height: int) -> Block | None:
        return self._blocks[height] if height <= self.tip.height else None

    def header_at(self, height: int) -> Header | None:
        return self._headers[height] if height <= self.tip.height else None

    def finalization_at(self, height: int) -> bytes | None:
        return self._finalizations[height] or None

    def transactions(self, block_hash: bytes) -> tuple[DecodedTx, ...]:
        return self._executions.transactions(block_hash)

    def build_with_refused(
        self, parent_hash: bytes, candidates: Iterable[DecodedTx], time_ms: int, proposer: int
    ) -> tuple[Block, list[tuple[DecodedTx, Refusal]]]:
        assert parent_hash in self._known, "a block is built on an executed parent"
        block, refused = self._executions.build_with_refused(parent_hash, candidates, time_ms, proposer)
        self._known.add(header_hash(block.header))
        return block, refused

    def check(self, block: Block) -> bytes:
        assert block.header.parent_hash in self._known, "a block is checked after its parent"
        block_hash = self._executions.check(block)
        self._known.add(block_hash)
        return block_hash

    def commit(self, block: Block, finalization: bytes, view: int) -> BlockOutput:
        """One batch: either all of it is there after a crash, or nothing."""
        header = block.header
        assert header.parent_hash == self.tip.hash, "final blocks are committed in order"
        executed = self._executions.executed(self.check(block))
        self._around_write()
        self.tip = Tip(header.height, executed.hash, header, view)
        self.validators = executed.validators
        self._blocks.append(block)
        self._headers.append(header)
        self._finalizations.append(finalization)
        self._heights[executed.hash] = header.height
        self._around_write()
        return executed.output


class CutRows(MemoryRows):
    """Rows that outlive the process that wrote them; it may die before or after a batch, never within one."""

    def __init__(self, around_write: Callable[[], None]) -> None:
        super().__init__()
        self._around_write = around_write

    def write(self, batch: Mapping[bytes, bytes | None], sync: bool = True) -> None:
        self._around_write()
        super().write(batch, sync)
        self._around_write()


class OwnLedger(Ledger):
    """The product's ledger, opened again on its rows after each crash."""

    @classmethod
    def on(cls, rows: MemoryRows, beginning: Beginning, cache: SignatureCache, keep_blocks: int = 0) -> "OwnLedger":
        store = Store(rows)
        meta = store.meta()
        if meta is None:
            beginning.fill(store)
            meta = beginning.meta
        header = _check_meta(store, meta, beginning.meta.chain, beginning.meta.hash)
        return cls(store, SignatureVerifier(cache), meta, header, keep_blocks)


NodeLedger = SharedLedger | OwnLedger
