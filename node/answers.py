"""Ledger values out of a node's JSON: the inverse of how the API writes them.

Bytes come as hexadecimal, wide integers as texts, structs as objects by field name. A wallet rebuilds the very structs
that the rules speak of, so what it signs is computed by the same code as on a validator.
"""

from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from node.failures import NodeUnreachable
from state.codec import Wire

T = TypeVar("T", bound=Wire)


def struct_of(kind: type[T], answer: Any) -> T:
    """The struct whose fields an answer names; fields that it has beside are left aside.

    NodeUnreachable when the answer is not of this shape: whoever wrote it does not speak our protocol.
    """
    try:
        return _struct(kind, answer)
    except (KeyError, TypeError, ValueError) as error:
        raise NodeUnreachable(url="the node", why=f"its {kind.__name__} cannot be read ({error!r})") from None


def _struct(kind: type[T], answer: Any) -> T:
    return kind(**{name: _value(hint, answer[name]) for name, hint in _hints(kind).items()})


def _value(hint: Any, value: Any) -> Any:
    if hint is bytes:
        return bytes.fromhex(value)
    if hint is bool:
        if not isinstance(value, bool):
            raise TypeError(f"{value!r} is neither true nor false")
        return value
    if hint is int:
        return int(value)
    if hint is str:
        return str(value)
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_value(inner[0], item) for item in value)
        return tuple(_value(part, item) for part, item in zip(inner, value, strict=True))
    if get_origin(hint) in (Union, UnionType):
        if value is None and NoneType in get_args(hint):
            return None
        kinds = {part.__struct_config__.tag: part for part in get_args(hint) if part is not NoneType}
        return _struct(kinds[value["kind"]], value)
    if isinstance(hint, type) and issubclass(hint, Wire):
        return _struct(hint, value)
    raise TypeError(f"no value of the ledger is a {hint}")


@cache
def _hints(kind: type[Wire]) -> dict[str, Any]:
    """Field types without their bounds, which the ledger checks."""
    return get_type_hints(kind)
