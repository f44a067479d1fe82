"""The ledger of one node: executes blocks on top of each other, keeps what is not final as overlays, stores what is.

    build or check      a block runs on the overlay of its parent; its own overlay is kept
    commit              a final block's overlay, indexes, events, body and Finalization become one synced batch

A block's state root is its parent's sum of all entries plus the block's difference, so it costs what the block
changed. Synchronous and without a clock: the caller brings the time, the peers and the quorums.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.context import BlockEnvironment, BlockOutput
from contracts.events import EventRecord
from contracts.genesis import Genesis, genesis_header, genesis_state
from contracts.membership import next_set, validators_in
from contracts.transition import DecodedTx, apply_block, build_block
from node.signatures import SignatureCache, SignatureVerifier
from state.block import VERSION, Block, Header, decode_block, encode_block, header_hash, tx_root, validators_hash
from state.codec import decode, encode
from state.epochs import ends_epoch, epoch_of, last_height
from state.errors import (
    BlockInvalid,
    DecodeError,
    ExecutionDiffers,
    OtherNetwork,
    Refusal,
    StoreMismatch,
    UnknownBlock,
    WattestError,
)
from state.history import derived_rows, height_of
from state.kept import Base, KeptHeader, base_of, kept_header
from state.keyspace import (
    BASE_KEY,
    META_KEY,
    PARAMETERS_KEY,
    Entry,
    block_key,
    events_key,
    finalization_key,
    header_key,
    vote_keys_key,
)
from state.lthash import LtHash, root_of
from state.overlay import Overlay, Snapshot
from state.records import Parameters, Validator
from state.store import FORMAT, MemoryStore, Meta, Store, encode_entry, read_through

LINKS_CHECKED = 16  # newest blocks whose links are followed at open
AUDIT_CHUNK = 4_096
PRUNED_AT_ONCE = 4  # bodies per block where the setting was lowered, so that the batch stays small


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest final block."""

    height: int
    hash: bytes
    header: Header
    view: int  # in which it was finalised


@dataclass(frozen=True, slots=True)
class Executed:
    """A block that ran here and is not final: everything that its commit will write."""

    block: Block
    hash: bytes
    transactions: tuple[DecodedTx, ...]
    overlay: Overlay
    output: BlockOutput
    rows: dict[bytes, bytes | None]  # its difference of the committed spaces
    decoded: dict[bytes, Entry]
    total: LtHash
    entry_count: int
    validators: tuple[Validator, ...]  # of the next block


@dataclass(frozen=True, slots=True)
class Difference:
    rows: dict[bytes, bytes | None]
    decoded: dict[bytes, Entry]
    total: LtHash
    entry_count: int


class Ledger:
    """One store and the unfinalised blocks above it."""

    def __init__(
        self, store: Store, verifier: SignatureVerifier, meta: Meta, header: Header, keep_blocks: int = 0
    ) -> None:
        self.store = store
        self.verifier = verifier
        self.chain = meta.chain
        self.tip = Tip(meta.height, meta.hash, header, meta.view)
        self.parameters = _parameters(store)
        self.validators = validators_in(store)  # of the block above the tip
        self._total = LtHash(meta.lthash)
        self._entry_count = meta.entry_count
        self._executed: dict[bytes, Executed] = {}
        self.base = base_of(store)
        self._keep_blocks = keep_blocks

    @classmethod
    def open(
        cls,
        store: Store,
        genesis: Genesis,
        chain: bytes,
        signatures: SignatureCache | None = None,
        verify_threads: int = 0,
        keep_blocks: int = 0,
    ) -> "Ledger":
        """The ledger in `store`, begun from the genesis where the store is empty. StoreMismatch if they do not fit.

        `chain` is the id of the genesis' JSON. `signatures` is shared with the mempool. `keep_blocks`: how many newest
        blocks keep their transactions, 0 for all.
        """
        block, beginning = genesis_block(genesis)
        meta = store.meta()
        if meta is None:
            meta = _begin(store, chain, block, beginning)
        header = _check_meta(store, meta, chain, header_hash(block.header))
        cache = SignatureCache() if signatures is None else signatures
        return cls(store, SignatureVerifier(cache, verify_threads), meta, header, keep_blocks)

    def close(self) -> None:
        self.verifier.close()
        self.store.close()

    # --- what is known

    @property
    def epoch(self) -> int:
        """Of the block above the tip."""
        return epoch_of(self.tip.height + 1, self.parameters.epoch_length)

    def boundary(self, epoch: int) -> tuple[Header, bytes] | None:
        """Header and encoded Finalization of an epoch's last block; None while it is not final here."""
        height = last_height(epoch, self.parameters.epoch_length)
        if height is None or height > self.tip.height:
            return None
        kept, finalization = kept_header(self.store, height), self.finalization_at(height)
        return (kept.header, finalization) if kept is not None and finalization is not None else None

    def view(self, block_hash: bytes) -> Snapshot:
        """The state after a block: of the tip, or of an unfinalised one. UnknownBlock for any other."""
        if block_hash == self.tip.hash:
            return self.store
        return self._kept(block_hash).overlay

    def knows(self, block_hash: bytes) -> bool:
        """Whether blocks can be built on and checked against it."""
        return block_hash == self.tip.hash or block_hash in self._executed

    def header(self, block_hash: bytes) -> Header:
        if block_hash == self.tip.hash:
            return self.tip.header
        return self._kept(block_hash).block.header

    def environment(self, parent_hash: bytes, time_ms: int) -> BlockEnvironment:
        """Of a block on `parent_hash`, for its rules and for admission to the mempool."""
        height = self.header(parent_hash).height + 1
        at_tip = parent_hash == self.tip.hash
        return BlockEnvironment(
            chain=self.chain,
            epoch=epoch_of(height, self.parameters.epoch_length),
            height=height,
            time_ms=time_ms,
            parent_hash=parent_hash,
            validators=self.validators if at_tip else self._kept(parent_hash).validators,
            parameters=self.parameters,
        )

    def block(self, block_hash: bytes) -> Block | None:
        """An unfinalised or final block."""
        executed = self._executed.get(block_hash)
        if executed is not None:
            return executed.block
        height = height_of(self.store, block_hash)
        return None if height is None else self.block_at(height)

    def block_at(self, height: int) -> Block | None:
        """The final block of a height; None above the tip and where its body is not kept."""
        data = self.store.get_raw(block_key(height))
        return None if data is None else _stored_block(height, data)

    def header_at(self, height: int) -> Header | None:
        """The header of a final height, which outlasts its body; None above the tip and before a snapshot."""
        kept = kept_header(self.store, height)
        return None if kept is None else kept.header

    def finalization_at(self, height: int) -> bytes | None:
        """The votes that made that very height final; None where only a later block's did, and for the genesis."""
        return self.store.get_raw(finalization_key(height)) or None

    def events_at(self, height: int) -> tuple[EventRecord, ...]:
        data = self.store.get_raw(events_key(height))
        return () if data is None else decode(tuple[EventRecord, ...], data)

    def transactions(self, block_hash: bytes) -> tuple[DecodedTx, ...]:
        """Decoded transactions of an unfinalised block: what the mempool drops when it becomes final."""
        return self._kept(block_hash).transactions

    # --- building and checking

    def build(self, parent_hash: bytes, candidates: Iterable[DecodedTx], time_ms: int, proposer: int) -> Block:
        """A block on `parent_hash` of those candidates that hold, in order. Their signatures are verified already."""
        return self.build_with_refused(parent_hash, candidates, time_ms, proposer)[0]

    def build_with_refused(
        self, parent_hash: bytes, candidates: Iterable[DecodedTx], time_ms: int, proposer: int
    ) -> tuple[Block, list[tuple[DecodedTx, Refusal]]]:
        """Also the candidates that do not hold on this parent, each with the refusal."""
        parent = self.header(parent_hash)
        environment = self.environment(parent_hash, max(time_ms, parent.timestamp_ms + 1))
        overlay = Overlay(self.view(parent_hash))
        chosen, output, refused = build_block(overlay, environment, candidates)
        raws = tuple(decoded.raw for decoded in chosen)
        difference = self._difference(parent_hash, overlay)
        handed_to = next_set(overlay, environment)
        header = _header(environment, proposer, tx_root(raws), difference.total.root(), _set_hash(handed_to))
        block = Block(header, raws)
        self._keep(block, tuple(chosen), overlay, output, difference, environment)
        return block, refused

    def check(self, block: Block, certified: bool = False) -> bytes:
        """Execute a proposed block and keep what it leaves; its hash. BlockInvalid says why not, UnknownBlock that
        its parent must be checked first. Who may propose in which view is the engine's business.

        `certified`: the block is final, and its transactions' signatures are left to those who made it so.
        """
        block_hash = header_hash(block.header)
        if block_hash in self._executed:
            if self._executed[block_hash].block.transactions != block.transactions:
                raise BlockInvalid(why="its transactions are not those of its header")
            return block_hash
        environment = self._check_header(block)
        try:
            verified = self.verifier.certified if certified else self.verifier.verified
            transactions = verified(block.transactions)
        except (Refusal, DecodeError) as error:
            raise BlockInvalid(why=str(error)) from error
        overlay = Overlay(self.view(block.header.parent_hash))
        output = apply_block(overlay, environment, transactions)
        difference = self._difference(block.header.parent_hash, overlay)
        if difference.total.root() != block.header.state_root:
            raise BlockInvalid(why="its state root is not the one that its transactions lead to")
        if _set_hash(next_set(overlay, environment)) != block.header.next_validators_hash:
            raise BlockInvalid(why="its next_validators_hash is wrong")
        self._keep(block, tuple(transactions), overlay, output, difference, environment)
        return block_hash

    def _check_header(self, block: Block) -> BlockEnvironment:
        header = block.header
        parent = self.header(header.parent_hash)
        environment = self.environment(header.parent_hash, header.timestamp_ms)
        expected = _header(
            environment,
            header.proposer,
            tx_root(block.transactions),
            header.state_root,
            header.next_validators_hash,  # like the state root, known after execution
        )
        for field in header.__struct_fields__:
            if getattr(header, field) != getattr(expected, field):
                raise BlockInvalid(why=f"its {field} is wrong")
        if header.timestamp_ms <= parent.timestamp_ms:
            raise BlockInvalid(why="its time is not after its parent's")
        if header.proposer >= len(environment.validators):
            raise BlockInvalid(why="its proposer is not a validator")
        return environment

    def _difference(self, parent_hash: bytes, overlay: Overlay) -> Difference:
        if parent_hash == self.tip.hash:
            total, count = self._total.copy(), self._entry_count
        else:
            parent = self._kept(parent_hash)
            total, count = parent.total.copy(), parent.entry_count
        return _difference(overlay, total, count)

    def _keep(
        self,
        block: Block,
        transactions: tuple[DecodedTx, ...],
        overlay: Overlay,
        output: BlockOutput,
        difference: Difference,
        environment: BlockEnvironment,
    ) -> None:
        block_hash = header_hash(block.header)
        last = ends_epoch(environment.height, environment.parameters.epoch_length)
        self._executed[block_hash] = Executed(
            block,
            block_hash,
            transactions,
            overlay,
            output,
            difference.rows,
            difference.decoded,
            difference.total,
            difference.entry_count,
            validators_in(overlay) if last else environment.validators,
        )

    def _kept(self, block_hash: bytes) -> Executed:
        found = self._executed.get(block_hash)
        if found is None:
            raise UnknownBlock(block=block_hash)
        return found

    # --- final

    def commit(self, block: Block, finalization: bytes, view: int) -> BlockOutput:
        """Store the block above the tip that a quorum made final, with everything that follows from it, durably.

        `finalization` is empty where the votes finalised a descendant. A block that was not checked before runs now;
        ExecutionDiffers if it does not hold here, for then this node must stop and not answer.
        """
        assert block.header.parent_hash == self.tip.hash, "final blocks are committed in order"
        try:
            executed = self._kept(self.check(block))
        except (Refusal, DecodeError) as error:
            raise ExecutionDiffers(
                height=block.header.height, block=header_hash(block.header), why=str(error)
            ) from error
        batch = self._batch(executed, finalization, view)
        pruned = self._prune(batch, block.header.height)
        self.store.write(batch, decoded=executed.decoded)
        self.base = pruned
        self.tip = Tip(block.header.height, executed.hash, block.header, view)
        self.validators = executed.validators
        self._total, self._entry_count = executed.total, executed.entry_count
        self._rebase()
        return executed.output

    def _batch(self, executed: Executed, finalization: bytes, view: int) -> dict[bytes, bytes | None]:
        header, output = executed.block.header, executed.output
        meta = Meta(
            FORMAT,
            self.chain,
            header.epoch,
            header.height,
            executed.hash,
            view,
            header.state_root,
            executed.total.to_bytes(),
            executed.entry_count,
        )
        txids = [decoded.txid for decoded in executed.transactions]
        batch = derived_rows(header.height, executed.hash, txids, output.movements)
        batch |= executed.rows
        batch[block_key(header.height)] = encode_block(executed.block)
        batch[finalization_key(header.height)] = finalization
        batch[events_key(header.height)] = encode(output.events)
        batch[META_KEY] = encode(meta)
        if ends_epoch(header.height, self.parameters.epoch_length):
            batch[vote_keys_key(header.epoch + 1)] = encode(tuple(each.vote_key for each in executed.validators))
        return batch

    def _prune(self, batch: dict[bytes, bytes | None], height: int) -> Base:
        """Drop the bodies that are older than the newest `keep_blocks` with the block of `height`; what is kept then.

        Block 0 stays: its hash is what ties the store to the genesis.
        """
        begin, end = max(1, self.base.bodies_from), height + 1 - self._keep_blocks
        if not self._keep_blocks or end <= begin:
            return self.base
        end = min(end, begin + PRUNED_AT_ONCE)
        for old in range(begin, end):
            kept = kept_header(self.store, old)
            assert kept is not None, "bodies are dropped in order"
            batch[header_key(old)] = encode(kept)
            batch[block_key(old)] = None
        base = Base(end, self.base.history_from)
        batch[BASE_KEY] = encode(base)
        return base

    def _rebase(self) -> None:
        """Keep the descendants of the new tip, the nearest directly on the store; drop every other branch."""
        kept: dict[bytes, Executed] = {}
        for block_hash, executed in self._executed.items():  # a parent was executed before its children
            parent_hash = executed.block.header.parent_hash
            if parent_hash == self.tip.hash:
                executed.overlay.base = self.store
            elif parent_hash not in kept:
                continue
            kept[block_hash] = executed
        self._executed = kept

    # --- audit

    def audit(self) -> None:
        """Sum all committed entries again; StoreMismatch if that is not the stored state. Seconds per million."""
        total, count, chunk = LtHash(), 0, []
        for row in self.store.scan_raw(b"\x00", b"\x80"):
            chunk.append(row)
            if len(chunk) == AUDIT_CHUNK:
                total.add(chunk)
                count += len(chunk)
                chunk = []
        total.add(chunk)
        count += len(chunk)
        if (total.to_bytes(), count) != (self._total.to_bytes(), self._entry_count):
            raise StoreMismatch(why=f"its {count} entries do not sum up to the state root of height {self.tip.height}")


def _header(
    environment: BlockEnvironment, proposer: int, body_root: bytes, state_root: bytes, next_hash: bytes
) -> Header:
    return Header(
        version=VERSION,
        epoch=environment.epoch,
        height=environment.height,
        parent_hash=environment.parent_hash,
        timestamp_ms=environment.time_ms,
        proposer=proposer,
        tx_root=body_root,
        state_root=state_root,
        validators_hash=_set_hash(environment.validators),
        next_validators_hash=next_hash,
    )


def _set_hash(validators: tuple[Validator, ...]) -> bytes:
    return validators_hash(tuple(validator.vote_key for validator in validators))


def _difference(overlay: Overlay, total: LtHash, count: int) -> Difference:
    """What the overlay changes: rows to write, and the sum and number of all entries after it."""
    rows: dict[bytes, bytes | None] = {}
    decoded: dict[bytes, Entry] = {}
    added: list[tuple[bytes, bytes]] = []
    removed: list[tuple[bytes, bytes]] = []
    for key, before, after in overlay.difference():
        if before is not None:
            removed.append((key, encode_entry(before)))
        if after is None:
            rows[key] = None
        else:
            rows[key] = data = encode_entry(after)
            decoded[key] = after
            added.append((key, data))
    total.add(added)
    total.remove(removed)
    return Difference(rows, decoded, total, count + len(added) - len(removed))


# --- opening


def genesis_block(genesis: Genesis) -> tuple[Block, Difference]:
    """Block 0 and the state that it commits."""
    beginning = _difference(genesis_state(genesis, MemoryStore()), LtHash(), 0)
    return Block(genesis_header(genesis, beginning.total.root()), ()), beginning


def _begin(store: Store, chain: bytes, block: Block, beginning: Difference) -> Meta:
    """Write block 0 into an empty store."""
    if next(store.scan_raw(b"", b"\xff"), None) is not None:
        raise StoreMismatch(why="it has rows but no meta row")
    block_hash = header_hash(block.header)
    meta = Meta(
        FORMAT,
        chain,
        block.header.epoch,
        0,
        block_hash,
        0,
        block.header.state_root,
        beginning.total.to_bytes(),
        beginning.entry_count,
    )
    batch = derived_rows(0, block_hash, (), ()) | beginning.rows
    batch[block_key(0)] = encode_block(block)
    batch[events_key(0)] = encode(())
    batch[META_KEY] = encode(meta)
    store.write(batch)
    return meta


def _check_meta(store: Store, meta: Meta, chain: bytes, genesis_hash: bytes) -> Header:
    """Header of the newest block, after everything that can be compared cheaply was found to fit."""
    if meta.format != FORMAT:
        raise StoreMismatch(why=f"it has format {meta.format}, this version reads format {FORMAT}")
    if meta.chain != chain:
        raise OtherNetwork(
            why=f"they are of chain {meta.chain.hex()[:16]}, genesis.json of chain {chain.hex()[:16]}; "
            "use the genesis that this home was made with, or another home"
        )
    header = _newest_header(store, meta)
    if header.state_root != meta.state_root or root_of(meta.lthash) != meta.state_root:
        raise StoreMismatch(why=f"the state root of block {meta.height} is not the stored state's")
    if height_of(store, genesis_hash) != 0:
        raise StoreMismatch(why="its block 0 is not the one of this genesis")
    count = read_through(store)
    if count != meta.entry_count:
        raise StoreMismatch(why=f"it has {count} entries instead of {meta.entry_count}: rows were lost")
    return header


def _newest_header(store: Store, meta: Meta) -> Header:
    newest: Header | None = None
    expected = meta.hash
    lowest = max(meta.height - LINKS_CHECKED, base_of(store).history_from - 2, -1)  # below it a snapshot began
    for height in range(meta.height, lowest, -1):
        kept = _kept_header(store, height)
        header = None if kept is None else kept.header
        if header is None or header.height != height or header_hash(header) != expected:
            raise StoreMismatch(why=f"block {height} is missing or not the one that meta and later blocks name")
        expected = header.parent_hash
        newest = newest or header
    assert newest is not None
    return newest


def _kept_header(store: Store, height: int) -> KeptHeader | None:
    """A body that is there must be readable, or the node could not serve it."""
    data = store.get_raw(block_key(height))
    if data is None:
        return kept_header(store, height)
    return KeptHeader(_stored_block(height, data).header, 0)


def _stored_block(height: int, data: bytes) -> Block:
    try:
        return decode_block(data)
    except WattestError as error:
        raise StoreMismatch(why=f"block {height} is not readable ({error})") from None


def _parameters(state: Snapshot) -> Parameters:
    found = state.get(PARAMETERS_KEY)
    assert isinstance(found, Parameters)
    return found
