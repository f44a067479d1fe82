"""A ledger small enough to simulate: a state root is the hash of the parent's one and the transactions.

Real headers and bodies, so that the engine cannot tell; whether a block is right can be seen from two headers.
"""

from consensus.validators import ValidatorSet
from state.block import VERSION, Block, Header, header_hash, tx_root
from state.crypto import H


def genesis_header(validators: ValidatorSet, timestamp_ms: int = 0) -> Header:
    """Height 0 of a toy chain."""
    root = tx_root(())
    return Header(VERSION, 0, 0, bytes(32), timestamp_ms, 0, root, bytes(32), validators.hash, validators.hash)


def state_after(parent: Header, root: bytes) -> bytes:
    return H("toy/state", parent.state_root + root)


def build(
    parent: Header,
    transactions: tuple[bytes, ...],
    timestamp_ms: int,
    proposer: int,
    validators_hash: bytes,
    epoch: int | None = None,
    handed_to: bytes | None = None,
) -> Block:
    """The block that a shell answers to a BuildBlock with; in the epoch of its parent, if no other is named."""
    root = tx_root(transactions)
    header = Header(
        VERSION,
        parent.epoch if epoch is None else epoch,
        parent.height + 1,
        header_hash(parent),
        timestamp_ms,
        proposer,
        root,
        state_after(parent, root),
        validators_hash,
        validators_hash if handed_to is None else handed_to,
    )
    return Block(header, transactions)


def executes(parent: Header, block: Block) -> bool:
    """What a shell answers to a CheckBlock."""
    header = block.header
    return header.parent_hash == header_hash(parent) and header.state_root == state_after(
        parent, tx_root(block.transactions)
    )
