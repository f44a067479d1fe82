"""Whether blocks follow each other and are final: from headers, votes and the genesis, without executing anything."""

from collections.abc import Sequence

from consensus.light import verify_finalization
from consensus.validators import ValidatorSet
from consensus.votes import Quorum
from contracts.genesis import chain_id, load_json, parse_genesis
from node.auditing.findings import Findings
from node.ledger import Ledger
from state.block import Header, header_hash, tx_root, validators_hash
from state.codec import decode
from state.crypto import verify
from state.epochs import ends_epoch, epoch_of
from state.errors import ConsensusRefusal, DecodeError
from state.store import MemoryStore


class Links:
    """Fed block by block from height 1. `validators` are those of the next block."""

    def __init__(
        self, chain: bytes, genesis: Header, vote_keys: Sequence[bytes], epoch_length: int, found: Findings
    ) -> None:
        self._chain = chain
        self._epoch_length = epoch_length
        self._found = found
        self._last, self._last_hash = genesis, header_hash(genesis)
        self._open: list[Header] = []  # not yet covered by a Finalization
        self.validators = ValidatorSet(tuple(vote_keys))
        self.signatures = 0

    @property
    def height(self) -> int:
        return self._last.height

    @property
    def hash(self) -> bytes:
        return self._last_hash

    def follow(
        self, header: Header, transactions: tuple[bytes, ...], finalization: bytes, next_keys: Sequence[bytes]
    ) -> None:
        place = f"block {header.height}"
        if header.height != self._last.height + 1 or header.parent_hash != self._last_hash:
            self._found.add(
                "link_broken",
                place,
                f"it follows {header.parent_hash.hex()[:16]}, before it stands block {self._last.height} "
                f"{self._last_hash.hex()[:16]}",
            )
        if header.timestamp_ms <= self._last.timestamp_ms:
            self._found.add("link_broken", place, "its time is not after the time of the block before it")
        if tx_root(transactions) != header.tx_root:
            self._found.add("body_differs", place, f"its {len(transactions)} transactions give another root")
        right_epoch = epoch_of(header.height, self._epoch_length)
        if header.epoch != right_epoch or header.validators_hash != self.validators.hash:
            self._found.add("validators_differ", place, f"it is of epoch {header.epoch}, by other validators")
        self._last, self._last_hash = header, header_hash(header)
        self._open.append(header)
        if finalization:
            self._check_finality(finalization, place)
        if ends_epoch(header.height, self._epoch_length):
            self._hand_over(header, next_keys, place)

    def end(self, height: int, block_hash: bytes) -> None:
        if (height, block_hash) != (self._last.height, self._last_hash):
            self._found.add("file_damaged", "the end", f"it names block {height}, the last one is {self._last.height}")
        self._leave_open("the end")

    def _check_finality(self, finalization: bytes, place: str) -> None:
        try:
            quorum = decode(Quorum, finalization)
            first, *descendants = self._open
            verify_finalization(first, quorum, self.validators, self._chain, verify, descendants)
            self.signatures += len(quorum.signatures)
        except DecodeError:
            self._found.add("finality_forged", place, "its Finalization is not readable")
        except ConsensusRefusal as refusal:
            self._found.add("finality_forged", place, str(refusal.params["why"]))
        self._open = []

    def _hand_over(self, header: Header, next_keys: Sequence[bytes], place: str) -> None:
        self._leave_open(place)
        if validators_hash(tuple(next_keys)) != header.next_validators_hash or not next_keys:
            self._found.add("validators_differ", place, "the vote keys that follow are not those that it hands over to")
            return
        self.validators = ValidatorSet(tuple(next_keys))

    def _leave_open(self, place: str) -> None:
        if self._open:
            first, last = self._open[0].height, self._open[-1].height
            self._found.add("finality_forged", place, f"no Finalization covers the blocks {first} to {last}")
            self._open = []


def links_from(genesis_text: bytes, found: Findings) -> tuple[bytes, Links]:
    """Chain id, and the links of a chain that begins with this genesis."""
    genesis, chain = parse_genesis(genesis_text), chain_id(load_json(genesis_text))
    ledger = Ledger.open(MemoryStore(), genesis, chain)
    keys = [validator.vote_key for validator in ledger.validators]
    return chain, Links(chain, ledger.tip.header, keys, ledger.parameters.epoch_length, found)
