"""Votes and quorums of votes: the only signed bytes of the ledger with a fixed width.

    vote bytes (104) = "wattest/vote/1\\0" (15) ‖ chain (32) ‖ kind u8 ‖ epoch ‖ view ‖ parent_view ‖ block_hash (32)

Integers are u64 big-endian. A NULLIFY vote speaks about a view only: parent_view is 0, block_hash 32 zero bytes.
A `Quorum` is at least `validators.quorum` votes of one kind for one position: a Notarization, a Nullification or a
Finalization, by its kind. It proves itself and never enters a hashed block, because signer sets differ between nodes.
"""

import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated, NamedTuple

from msgspec import Meta

from consensus.validators import MAX_VALIDATORS, ValidatorSet
from state.codec import Wire
from state.errors import ConsensusRefusal
from state.units import U16, U64, Hash, Signature

NOTARIZE, NULLIFY, FINALIZE = 1, 2, 3
KIND_WORDS = {NOTARIZE: "notarize", NULLIFY: "nullify", FINALIZE: "finalize"}
NO_BLOCK = bytes(32)

VOTE_TAG = b"wattest/vote/1\0"
_LAYOUT = struct.Struct(">15s32sBQQQ32s")

Kind = Annotated[int, Meta(ge=1, le=3)]
Verify = Callable[[bytes, bytes, bytes], bool]  # (public key, message, signature)
Sign = Callable[[bytes], bytes]


class Position(NamedTuple):
    """What a vote is about. The parent's view is voted on too: a re-proposed block has one hash and many parents."""

    epoch: int
    view: int
    parent_view: int
    block_hash: bytes


def vote_bytes(chain: bytes, kind: int, position: Position) -> bytes:
    """The 104 bytes that a vote signs."""
    return _LAYOUT.pack(VOTE_TAG, chain, kind, *position)


def nullified(epoch: int, view: int) -> Position:
    """The position of a NULLIFY vote."""
    return Position(epoch, view, 0, NO_BLOCK)


def same_position(one: "Position | Vote | Quorum", other: "Position | Vote | Quorum") -> bool:
    """As `one.position == other.position`, for the comparisons that every message goes through."""
    return (
        one.block_hash == other.block_hash
        and one.view == other.view
        and one.parent_view == other.parent_view
        and one.epoch == other.epoch
    )


def well_formed(kind: int, position: Position) -> bool:
    """Whether an honest validator could have signed this at all."""
    if kind == NULLIFY:
        return position.view > 0 and position.parent_view == 0 and position.block_hash == NO_BLOCK
    return position.parent_view < position.view


class Vote(Wire, frozen=True):
    kind: Kind
    epoch: U64
    view: U64
    parent_view: U64
    block_hash: Hash
    signer: U16
    signature: Signature

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.view, self.parent_view, self.block_hash)


def make_vote(chain: bytes, kind: int, position: Position, signer: int, sign: Sign) -> Vote:
    return Vote(kind, *position, signer, sign(vote_bytes(chain, kind, position)))


def vote_holds(vote: Vote, validators: ValidatorSet, chain: bytes, verify: Verify) -> bool:
    """Whether the vote is well formed, by a validator, and truly signed; the caller has checked its epoch."""
    if vote.signer >= validators.n or not well_formed(vote.kind, vote.position):
        return False
    return verify(validators.vote_keys[vote.signer], vote_bytes(chain, vote.kind, vote.position), vote.signature)


class Quorum(Wire, frozen=True):
    """Signer i is byte i // 8, bit i % 8 of `bitmap`; spare bits are 0; signatures stand in index order."""

    kind: Kind
    epoch: U64
    view: U64
    parent_view: U64
    block_hash: Hash
    bitmap: Annotated[bytes, Meta(max_length=MAX_VALIDATORS // 8)]
    signatures: Annotated[tuple[Signature, ...], Meta(max_length=MAX_VALIDATORS)]

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.view, self.parent_view, self.block_hash)

    @property
    def signers(self) -> tuple[int, ...]:
        """Indices of the bits that are set, rising."""
        return _set_bits(self.bitmap)


@lru_cache(maxsize=4_096)
def _set_bits(bitmap: bytes) -> tuple[int, ...]:
    return tuple(i for i in range(8 * len(bitmap)) if bitmap[i // 8] >> (i % 8) & 1)


# By their kind; one type, because they are told apart by a number that is signed.
Notarization = Quorum
Nullification = Quorum
Finalization = Quorum


def make_quorum(votes: Iterable[Vote], validators: ValidatorSet) -> Quorum:
    """The quorum of equal, already verified votes of distinct signers."""
    by_signer = {vote.signer: vote for vote in votes}
    first = next(iter(by_signer.values()))
    bitmap = bytearray((validators.n + 7) // 8)
    for signer in by_signer:
        bitmap[signer // 8] |= 1 << (signer % 8)
    signatures = tuple(by_signer[signer].signature for signer in sorted(by_signer))
    return Quorum(first.kind, *first.position, bytes(bitmap), signatures)


def check_quorum(quorum: Quorum, validators: ValidatorSet, chain: bytes, verify: Verify) -> None:
    """ConsensusRefusal unless the bitmap is exact and every one of its q..n signatures holds.

    The caller has checked that `validators` is the set of `quorum.epoch`.
    """
    if not well_formed(quorum.kind, quorum.position):
        raise ConsensusRefusal(why="a quorum for an impossible position")
    if len(quorum.bitmap) != (validators.n + 7) // 8:
        raise ConsensusRefusal(why=f"a bitmap of {len(quorum.bitmap)} bytes for {validators.n} validators")
    signers = quorum.signers
    if signers and signers[-1] >= validators.n:
        raise ConsensusRefusal(why="a spare bit of the bitmap is set")
    if len(signers) < validators.quorum or len(signers) != len(quorum.signatures):
        raise ConsensusRefusal(
            why=f"{len(signers)} signers and {len(quorum.signatures)} signatures, the quorum is {validators.quorum}"
        )
    message = vote_bytes(chain, quorum.kind, quorum.position)
    for signer, signature in zip(signers, quorum.signatures, strict=True):
        if not verify(validators.vote_keys[signer], message, signature):
            raise ConsensusRefusal(why=f"the signature of validator {signer} does not hold")
