"""What the ledger keeps of sealed orders that a quorum of validators opens (`contracts/sealing.py`, `open_shares`).

An auction's escrow sets and pages of shares go when it is settled or void.
"""

from typing import Annotated

from msgspec import Meta

from state.codec import Wire
from state.units import U32, U64, Key

BOX_BYTES = 80  # ephemeral X25519 key, and a secretbox of 32 bytes
TAG_BYTES = 16
SAID_BYTES = 29  # quantity u32, limit u32, five nodes u8, and a tag of 16 bytes
MOST = 100  # validators of one epoch
PAGE_ORDERS = 1_000  # orders that one `open_shares` answers for

Share = Annotated[bytes, Meta(max_length=32)]  # empty = none


class Envelope(Wire, frozen=True):
    """The sealed half of an order: what it says, one share of its key for each validator, and a mark of each share.

    Nothing in it is longer or shorter for another quantity, limit or filter.
    """

    epoch: U64  # whose validators hold the shares
    said: Annotated[bytes, Meta(min_length=SAID_BYTES, max_length=SAID_BYTES)]
    boxes: Annotated[bytes, Meta(max_length=BOX_BYTES * MOST)]  # by index of the validator
    tags: Annotated[bytes, Meta(max_length=TAG_BYTES * MOST)]


class EscrowMember(Wire, frozen=True):
    participant: U32
    vote_key: Key
    escrow_key: Key


class EscrowSet(Wire, frozen=True, tag="escrow_set"):
    """The validators of an epoch in which orders of an auction were sealed, and how far they opened them.

    Who has given every page has *served* the auction. Orders are walked through when a quorum has served, and again
    when another validator has.
    """

    auction: U32
    epoch: U64
    members: tuple[EscrowMember, ...]
    pages: tuple[U32, ...]  # how many each of them has given
    served: U32 = 0  # how many had served when the last whole walk began
    walking: U32 = 0  # the same of the walk that goes on, 0 = none does
    cursor: U32 = 0  # the order that it goes on with


class SharePage(Wire, frozen=True, tag="share_page"):
    """One validator's shares of the orders of one page, by number; empty where it has none."""

    shares: Annotated[tuple[Share, ...], Meta(min_length=1, max_length=PAGE_ORDERS)]
