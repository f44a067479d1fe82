"""Blocks above the committed one: their bodies, by hash, and whether they were executed here."""

from dataclasses import dataclass

from state.block import Block, Header, header_hash, tx_root


@dataclass
class Held:
    block: Block
    executed: bool | None = None  # None: not yet; False: its execution differs from its header
    asked: bool = False  # a CheckBlock is under way


@dataclass(frozen=True)
class Path:
    """The way from a block down to the committed one: `blocks` newest first, `missing` the hash where it breaks off.

    `gap` is the number of blocks missing above the committed one, as far as known (0: unknown, no block is held).
    `astray` means that it leads past the committed block, so the block is on no chain of ours.
    """

    blocks: tuple[tuple[bytes, Held], ...]
    missing: bytes | None = None
    gap: int = 0
    astray: bool = False


class Bodies:
    """The tree of blocks that may still become final. Everything in it has a body that matches its header."""

    def __init__(self, committed: Header) -> None:
        self.committed = committed
        self.committed_hash = header_hash(committed)
        self._held: dict[bytes, Held] = {}

    def add(self, block: Block) -> bytes | None:
        """Keep a block; None if its transactions are not those of its header, since one hash must be one body."""
        block_hash = header_hash(block.header)
        if block_hash in self._held or block_hash == self.committed_hash:
            return block_hash
        if tx_root(block.transactions) != block.header.tx_root:
            return None
        if block.header.height > self.committed.height:
            self._held[block_hash] = Held(block)
        return block_hash

    def get(self, block_hash: bytes) -> Held | None:
        return self._held.get(block_hash)

    def header(self, block_hash: bytes) -> Header | None:
        """The header of a held block or of the committed one."""
        if block_hash == self.committed_hash:
            return self.committed
        held = self._held.get(block_hash)
        return held.block.header if held else None

    def path(self, block_hash: bytes) -> Path:
        """From `block_hash` down to the committed block."""
        blocks: list[tuple[bytes, Held]] = []
        while block_hash != self.committed_hash:
            held = self._held.get(block_hash)
            if held is None:
                above = blocks[-1][1].block.header.height - 1 if blocks else self.committed.height
                if blocks and above <= self.committed.height:
                    return Path(tuple(blocks), astray=True)
                return Path(tuple(blocks), missing=block_hash, gap=above - self.committed.height)
            blocks.append((block_hash, held))
            block_hash = held.block.header.parent_hash
        return Path(tuple(blocks))

    def commit(self, header: Header, block_hash: bytes) -> None:
        """Make this the committed block and forget everything that can no longer become final."""
        self.committed, self.committed_hash = header, block_hash
        self._held = {key: held for key, held in self._held.items() if held.block.header.height > header.height}
