"""Validators that answer a late node's question for blocks with lies, one each: an honest answer goes in, what is sent
instead comes out (None: nothing at all)."""

from collections.abc import Callable

from harness.finalized import FinalizedWorld, lively_world
from msgspec import structs

from consensus.messages import MAX_BLOCKS, Blocks

Lie = Callable[[Blocks], Blocks | None]

replace = structs.replace


def wrong_body(answer: Blocks) -> Blocks:
    """One transaction more than the header names."""
    first = answer.blocks[0]
    return replace(answer, blocks=(replace(first, transactions=(*first.transactions, b"more")), *answer.blocks[1:]))


def wrong_finalization(answer: Blocks) -> Blocks:
    signatures = (bytes(64), *answer.finalization.signatures[1:])
    return replace(answer, finalization=replace(answer.finalization, signatures=signatures))


def too_few_signatures(answer: Blocks) -> Blocks:
    final = answer.finalization
    return replace(answer, finalization=replace(final, bitmap=b"\x01", signatures=final.signatures[:1]))


def gap(answer: Blocks) -> Blocks:
    """One block in the middle is left out."""
    return replace(answer, blocks=(answer.blocks[0], *answer.blocks[2:]))


def rewritten(answer: Blocks) -> Blocks:
    """A header that leads to another state, and all that follows it unchanged."""
    first = answer.blocks[0]
    changed = replace(first, header=replace(first.header, state_root=bytes(32)))
    return replace(answer, blocks=(changed, *answer.blocks[1:]))


class OtherChain:
    """Blocks of another network, as many as asked for and well signed there."""

    def __init__(self) -> None:
        self._world: FinalizedWorld = lively_world(max_outputs=100)

    def __call__(self, answer: Blocks) -> Blocks:
        heights = [block.header.height for block in answer.blocks]
        while self._world.height < heights[-1]:
            self._world.block()
        ledger = self._world.ledger
        blocks = tuple(block for block in map(ledger.block_at, heights) if block is not None)
        return Blocks(blocks, (), self._world.finalization(ledger.tip.hash, heights[-1]))


def more_than_asked(answer: Blocks) -> Blocks:
    """More blocks than any answer may hold."""
    return replace(answer, blocks=answer.blocks[:1] * (MAX_BLOCKS + 1))


def silence(answer: Blocks) -> None:
    return None


# each with what is held against the liar, "" where nothing can be
LIES: dict[str, tuple[Lie, str]] = {
    "wrong body": (wrong_body, "not that of its header"),
    "wrong Finalization": (wrong_finalization, "does not hold"),
    "too few signatures": (too_few_signatures, "signature"),
    "gap": (gap, "does not follow"),
    "rewritten": (rewritten, "does not follow"),
    "other chain": (OtherChain(), "does not follow"),
    "more than asked": (more_than_asked, "consensus message"),
    "silence": (silence, ""),
}
