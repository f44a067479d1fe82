"""Request bodies: nothing is parsed before its length, time, media type and encoding are known to be right."""

import asyncio
import json
import re
from typing import Any, NoReturn

from aiohttp import web

from node.api.refusals import BadJson, BodyTimeout, BodyTooLarge, LengthRequired, WrongMediaType

BODY_TIMEOUT_S = 10  # aiohttp itself has no limit on how long a body may drip
MAX_DEPTH = 8

JSON = "application/json"
MSGPACK = "application/msgpack"

_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)


def media_type(request: web.Request, allowed: tuple[str, ...]) -> str:
    """The declared media type; WrongMediaType unless it is one of `allowed` and the body is not encoded further."""
    if "Content-Encoding" in request.headers:
        raise WrongMediaType(why="Content-Encoding is not accepted, send the bytes as they are")
    kind, _, rest = request.headers.get("Content-Type", "").partition(";")
    if kind.strip().lower() not in allowed or rest.strip().lower() not in ("", "charset=utf-8"):
        raise WrongMediaType(why="The Content-Type must be " + " or ".join(allowed))
    return kind.strip().lower()


async def read_body(request: web.Request, limit: int) -> bytes:
    """At most `limit` bytes within BODY_TIMEOUT_S. The length is declared, because the sender's bucket pays by it."""
    if request.content_length is None:
        raise LengthRequired()
    if request.content_length > limit:
        raise BodyTooLarge(limit=limit)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
    except TimeoutError:
        raise BodyTimeout(seconds=BODY_TIMEOUT_S) from None
    return bytes(body)


def parse_json(data: bytes) -> Any:
    """Strict JSON of objects, arrays, strings, integers, booleans and null; BadJson for all else.

    Duplicate keys, NaN, Infinity, fractions, exponents and deep nesting are refused: each of them has more than one
    meaning, or costs more than it says.
    """
    try:
        text = data.decode("utf-8", errors="strict")
    except UnicodeDecodeError:
        raise BadJson(why="not UTF-8") from None
    _check_depth(text)
    try:
        return json.loads(
            text,
            parse_int=_integer,
            parse_float=_no_fraction,
            parse_constant=_no_fraction,
            object_pairs_hook=_no_duplicates,
        )
    except BadJson:
        raise
    except (ValueError, RecursionError) as error:
        raise BadJson(why=str(error)[:120]) from None


def fields(value: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    """The values of exactly these keys of an object, in this order."""
    if not isinstance(value, dict) or set(value) != set(names):
        raise BadJson(why="an object with exactly " + ", ".join(names))
    return tuple(value[name] for name in names)


def hex_field(value: Any, name: str, low: int, high: int) -> bytes:
    """`low` to `high` bytes written as lower-case hexadecimal."""
    if not isinstance(value, str) or not re.fullmatch(r"(?:[0-9a-f]{2})*", value, re.ASCII):
        raise BadJson(why=f"{name} must be lower-case hexadecimal")
    if not low <= len(value) // 2 <= high:
        raise BadJson(why=f"{name} must have {low} to {high} bytes" if low != high else f"{name} must have {low} bytes")
    return bytes.fromhex(value)


def integer_field(value: Any, name: str, high: int) -> int:
    """A whole number from 0 to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= high:
        raise BadJson(why=f"{name} must be a whole number up to {high}")
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for found in _STRUCTURE.finditer(text):
        match found.group():
            case "[" | "{":
                depth += 1
                if depth > MAX_DEPTH:
                    raise BadJson(why=f"nested deeper than {MAX_DEPTH}")
            case "]" | "}":
                depth -= 1


def _integer(text: str) -> int:
    if len(text) > 20:
        raise BadJson(why="an integer of more than 20 characters")
    return int(text)


def _no_fraction(text: str) -> NoReturn:
    raise BadJson(why=f"{text[:20]} is not a whole number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJson(why="a key appears twice in one object")
    return found
