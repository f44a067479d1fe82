"""Canonical bytes: MessagePack in array form, integers only, one encoding per value.

Every type that is stored, sent or hashed is a frozen `Wire` struct. `decode` accepts exactly the bytes that `encode`
would write: MessagePack itself has many spellings of one value, so at each boundary the decoded value is encoded again
and compared. Whatever is wrong becomes the one `DecodeError`.
"""

from functools import cache
from typing import Any, TypeVar

import msgspec

from state.errors import DecodeError
from state.units import MAX_FRAME_BYTES

MAX_DEPTH = 8

T = TypeVar("T")


class Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Base of everything that travels: an array, its first element the tag where the type has one.

    Subclasses repeat `frozen=True` for the type checker. `gc=False` is sound because a frozen tree of ints, strings,
    bytes and tuples cannot form a cycle.
    """


_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode


@cache
def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind)


def decode(kind: type[T], data: bytes, limit: int = MAX_FRAME_BYTES) -> T:
    """The value of type `kind` whose canonical encoding is `data`; DecodeError for anything else.

    `kind` may be a union of tagged structs. The result never holds a float, a map or an extension type, because no
    `Wire` type does.
    """
    if len(data) > limit:
        raise DecodeError(why=f"{len(data)} bytes, the limit is {limit}")
    try:
        value: T = _decoder(kind).decode(data)  # type: ignore[arg-type]
        again = encode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
        raise DecodeError(why=str(error)[:200]) from None
    if again != data:
        raise DecodeError(why="not the shortest form of its value")
    return value


def decode_value(data: bytes, limit: int = MAX_FRAME_BYTES) -> Any:
    """An untyped value built from None, bool, int, str, bytes and lists, at most `MAX_DEPTH` deep."""
    if len(data) > limit:
        raise DecodeError(why=f"{len(data)} bytes, the limit is {limit}")
    try:
        value = msgspec.msgpack.decode(data)
        _check_allowed(value, MAX_DEPTH)
        again = encode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError, TypeError) as error:
        raise DecodeError(why=str(error)[:200]) from None
    if again != data:
        raise DecodeError(why="not the shortest form of its value")
    return value


def _check_allowed(value: Any, depth: int) -> None:
    if isinstance(value, list):
        if depth == 0:
            raise ValueError("nested too deeply")
        for item in value:
            _check_allowed(item, depth - 1)
    elif not (value is None or isinstance(value, bool | int | str | bytes)):
        raise ValueError(f"{type(value).__name__} is not an allowed type")
