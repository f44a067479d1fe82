"""What of the past a node keeps: a node need not hold everything that it could prove once.

A node that *prunes* drops the transactions of old blocks; headers, Finalizations, events and all indexes stay. A node
that began from a *snapshot* never had what was before it: no bodies, no events, no indexes of what had ended by then.
Both keep the last header and Finalization of every epoch, so whoever trusts the genesis can follow them.
Where something is not held, that is said (`NotHeld`); it is never taken for something that never was.
"""

from typing import TypeVar

import msgspec

from state.block import Header
from state.codec import Wire, decode
from state.errors import DecodeError, NotHeld, StoreMismatch
from state.keyspace import BASE_KEY, block_key, header_key
from state.store import Store
from state.units import U32, U64

_block_decoder: msgspec.msgpack.Decoder[tuple[Header, tuple[msgspec.Raw, ...]]] = msgspec.msgpack.Decoder(
    tuple[Header, tuple[msgspec.Raw, ...]]
)  # a stored block; its transactions are only counted


class Base(Wire, frozen=True):
    """Where what is held begins; both 0 in an archive, which holds everything."""

    bodies_from: U64 = 0  # the transactions of every block from here on
    history_from: U64 = 0  # events and indexes of every block from here on; its state came whole from the block before


class KeptHeader(Wire, frozen=True):
    """A block without its body. `transactions` is their number, 0 where that was never known."""

    header: Header
    transactions: U32


def base_of(store: Store) -> Base:
    data = store.get_raw(BASE_KEY)
    return Base() if data is None else _decoded(Base, data)


def kept_header(store: Store, height: int) -> KeptHeader | None:
    """Of a final block, with or without its body; None above the tip and where not even the header is held."""
    data = store.get_raw(block_key(height))
    if data is not None:
        try:
            header, transactions = _block_decoder.decode(data)
        except msgspec.MsgspecError as error:
            raise StoreMismatch(why=f"block {height} is not readable ({error})") from None
        return KeptHeader(header, len(transactions))
    data = store.get_raw(header_key(height))
    return None if data is None else _decoded(KeptHeader, data)


def not_held(store: Store, what: str, identity: str | int) -> NotHeld | None:
    """The refusal for something of before the snapshot that this node began from; None in a node that saw all."""
    base = base_of(store)
    return NotHeld(what=what, id=identity, held_from=base.history_from) if base.history_from else None


T = TypeVar("T", bound=Wire)


def _decoded(kind: type[T], data: bytes) -> T:
    try:
        return decode(kind, data)
    except DecodeError as error:
        raise StoreMismatch(why=f"a row of what is kept is not readable ({error})") from None
