"""A whole chain executed again: every signature, every rule, every state root, and the books beside it.

The blocks of a chain file (or a stream of one) are fed one by one. State lies in a store of its own in a temporary
folder, so memory grows with what lives and not with the chain. Where a block does not hold, what it breaks is named,
and from there on only links and Finalizations can be followed: nobody can say what the state is behind a wrong block.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from contracts.context import BlockOutput
from contracts.events import Event
from contracts.genesis import Genesis, chain_id, load_json, parse_genesis
from contracts.transition import DecodedTx, kind_name
from node.auditing.books import Books, Terms
from node.auditing.chain_file import VERSION, Beginning, ChainBlock, ChainFileDamaged, ChainRecord, End
from node.auditing.findings import Findings
from node.auditing.links import Links
from node.auditing.stored import Evidence, check_state
from node.ledger import Ledger
from state.block import Block
from state.errors import (
    AlreadyIssued,
    AttestationInvalid,
    BlockInvalid,
    CarryDiffers,
    CertificateExpired,
    ExecutionDiffers,
    MoneyDiffers,
    PriceWrong,
    QuorumMissing,
    RangesDiffer,
    Refusal,
    Spent,
    StatementDiffers,
    WattestError,
)
from state.keyspace import scheme_key
from state.movement import Movement
from state.records import Scheme
from state.store import Batch, LevelStore
from state.transaction import Action, Issue

EvidenceOf = Callable[[Findings], Evidence]

# What a broken rule means for a registry, where it has a name of its own.
MEANING: dict[type[WattestError], str] = {
    AlreadyIssued: "energy_twice",
    AttestationInvalid: "issuance_unattested",
    QuorumMissing: "issuance_unattested",
    CarryDiffers: "issuance_differs",
    Spent: "spent_twice",
    RangesDiffer: "ranges_overlap",
    CertificateExpired: "dead_used",
    StatementDiffers: "retirement_differs",
    MoneyDiffers: "money_minted",
    PriceWrong: "settle_wrong",
}


class Scratch(LevelStore):
    """A store that nobody needs after the audit: nothing waits for the disk."""

    def write(self, batch: Batch, sync: bool = True, decoded: object = None) -> None:
        super().write(batch, sync=False, decoded=decoded)  # type: ignore[arg-type]


@dataclass
class Totals:
    blocks: int = 0
    transactions: int = 0
    actions: int = 0
    signatures: int = 0
    executed: int = 0  # the last height that was executed


class Replay:
    """`take` every record of a chain in order, then `end`; `findings` says what does not hold."""

    def __init__(self, folder: Path, verify_threads: int = 0, evidence: EvidenceOf | None = None) -> None:
        """`evidence` makes the comparison with readings, where some are at hand."""
        self.findings = Findings()
        self.totals = Totals()
        self._folder = folder
        self._threads = verify_threads
        self.broken = False
        self._opened: Ledger | None = None
        self.evidence = evidence(self.findings) if evidence else None

    def run(self, records: Iterable[ChainRecord]) -> None:
        """The whole chain. ChainFileDamaged only where there is nothing to audit at all."""
        source = iter(records)
        beginning = next(source, None)
        if not isinstance(beginning, Beginning) or beginning.version != VERSION:
            raise ChainFileDamaged(why="it does not begin with a genesis")
        self._begin(beginning.genesis)
        try:
            for record in source:
                match record:
                    case ChainBlock():
                        self._block(record)
                    case End():
                        self.links.end(record.height, record.hash)
                    case Beginning():
                        self.findings.add("file_damaged", f"block {self.links.height}", "it begins a second time")
        except ChainFileDamaged as damage:
            self.findings.add("file_damaged", f"after block {self.links.height}", str(damage.params["why"]))
        self.totals.signatures += self.links.signatures + self.books.attestations
        self.books.close()
        if not self.broken:
            check_state(self.books, self.ledger.store, self.findings)

    def _begin(self, data: bytes) -> None:
        self.genesis_text = data
        self.genesis: Genesis = parse_genesis(data)
        self.chain = chain_id(load_json(data))
        self.ledger = self._opened = Ledger.open(
            Scratch(self._folder), self.genesis, self.chain, verify_threads=self._threads
        )
        schemes = {scheme.id: Terms(scheme.face_value_wh, scheme.close_days) for scheme in self.genesis.schemes}
        self.books = Books(self.chain, schemes, self.findings)
        keys = [validator.vote_key for validator in self.ledger.validators]
        length = self.ledger.parameters.epoch_length
        self.links = Links(self.chain, self.ledger.tip.header, keys, length, self.findings)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    # --- one block

    def _block(self, record: ChainBlock) -> None:
        block = record.block
        vote_keys = self.links.validators.vote_keys
        self.links.follow(block.header, block.transactions, record.finalization, record.next_vote_keys)
        self.totals.blocks += 1
        self.totals.transactions += len(block.transactions)
        if not self.broken:
            self._execute(block, record.finalization, vote_keys)

    def _execute(self, block: Block, finalization: bytes, vote_keys: tuple[bytes, ...]) -> None:
        if block.header.parent_hash != self.ledger.tip.hash:
            self.broken = True  # the links have said so
            return
        try:
            block_hash = self.ledger.check(block)
            transactions = self.ledger.transactions(block_hash)
            output = self.ledger.commit(block, finalization, self.ledger.tip.view + 1)
        except (BlockInvalid, ExecutionDiffers) as refusal:
            self.broken = True
            self.findings.add(*_named(block, refusal))
            return
        self.totals.executed = block.header.height
        self._book(block, transactions, output, vote_keys)

    def _book(
        self, block: Block, transactions: tuple[DecodedTx, ...], output: BlockOutput, vote_keys: tuple[bytes, ...]
    ) -> None:
        actions: dict[bytes, tuple[Action, ...]] = {decoded.txid: decoded.body_actions for decoded in transactions}
        self.totals.signatures += sum(len(decoded.transaction.signatures) for decoded in transactions)
        events: dict[tuple[bytes, int], list[Event]] = {}
        for record in output.events:
            events.setdefault((record.txid, record.action_index), []).append(record.event)
        self.books.book_events(f"block {block.header.height}", events.get((_sweep(block), 0), ()))
        for movement in _whole_issues(output.movements):
            of_transaction = actions.get(movement.txid)
            action = None if of_transaction is None else of_transaction[movement.action_index]
            if action is not None and kind_name(action) != movement.kind:
                action = None  # what followed from it by itself, such as a share that is passed on
            place = f"block {block.header.height}"
            if of_transaction is not None:
                self.totals.actions += 1
                place += f", transaction {movement.txid.hex()[:16]}, action {movement.action_index} ({movement.kind})"
            if isinstance(action, Issue):
                self._learn_scheme(action.scheme)
            self.books.book(place, block.header.timestamp_ms, vote_keys, movement, action)
            if action is not None:
                self.books.book_events(place, events.get((movement.txid, movement.action_index), ()))
            if self.evidence is not None and isinstance(action, Issue):
                self.evidence.check(place, self.ledger.store, action)

    def _learn_scheme(self, number: int) -> None:
        """Schemes come by proposal too, and change their terms."""
        found = self.ledger.store.get(scheme_key(number))
        if isinstance(found, Scheme):
            self.books.schemes[number] = Terms(found.face_value, found.close_days)


def _whole_issues(movements: Sequence[Movement]) -> list[Movement]:
    """An hourly issue is one movement for each hour, with what standing rules pass on in between: one for the books."""
    whole: list[Movement] = []
    issues: dict[tuple[bytes, int], Movement] = {}
    for movement in movements:
        known = issues.get((movement.txid, movement.action_index)) if movement.kind == "issue" else None
        if known is not None:
            known.created.extend(movement.created)
            continue
        own = replace(movement, spent=list(movement.spent), created=list(movement.created))
        whole.append(own)
        if movement.kind == "issue":
            issues[movement.txid, movement.action_index] = own
    return whole


def _sweep(block: Block) -> bytes:
    """The name of what time did at the start of a block (`state/movement.py`)."""
    return bytes(24) + block.header.height.to_bytes(8, "big")


def _named(block: Block, refusal: WattestError) -> tuple[str, str, str]:
    """Kind, place and sentence for a block that does not hold."""
    place, why = f"block {block.header.height}", str(refusal.params["why"])
    cause = refusal.__cause__
    if isinstance(cause, Refusal):
        kind = MEANING.get(type(cause), "rule_broken")
        if isinstance(cause, CarryDiffers) and cause.params["field"] == "carry_in_wh":
            kind = "carry_missing"
        return kind, place, why
    if "state root" in why:
        return "state_root_wrong", place, why
    return "rule_broken", place, why
