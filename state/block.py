"""Blocks: a header whose hash names everything, and the signed transactions as the bytes they arrived in."""

from functools import lru_cache
from typing import Annotated

from msgspec import Meta

from state.codec import Wire, decode, encode
from state.crypto import H
from state.merkle import merkle_root
from state.units import MAX_BLOCK_ACTIONS, MAX_BLOCK_BYTES, U16, U64, Hash

VERSION = 1


class Header(Wire, frozen=True):
    """Height 0 commits the genesis state. `state_root` is the root *after* this block's own transactions."""

    version: U16
    epoch: U64
    height: U64
    parent_hash: Hash
    timestamp_ms: U64
    proposer: U16
    tx_root: Hash
    state_root: Hash
    validators_hash: Hash
    next_validators_hash: Hash


class Block(Wire, frozen=True):
    """`transactions` holds full signed transaction bytes: the leaves of `tx_root`, so one hash is one body."""

    header: Header
    transactions: Annotated[tuple[bytes, ...], Meta(max_length=MAX_BLOCK_ACTIONS)]


def header_hash(header: Header) -> bytes:
    return H("wattest/header", header)


@lru_cache(maxsize=4)  # consensus and ledger both ask it of the same body
def tx_root(transactions: tuple[bytes, ...]) -> bytes:
    """RFC 6962 root with SHA-256 over the signed transactions."""
    return merkle_root(transactions)


def encode_block(block: Block) -> bytes:
    return encode(block)


def decode_block(data: bytes) -> Block:
    """DecodeError unless canonical and at most 2 MiB."""
    return decode(Block, data, MAX_BLOCK_BYTES)


def validators_hash(vote_keys: tuple[bytes, ...]) -> bytes:
    """Hash over the ordered vote keys of an epoch and nothing else."""
    return H("wattest/valset", vote_keys)
