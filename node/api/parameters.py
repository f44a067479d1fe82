"""Path and query parameters: each kind has one strict parser and its JSON Schema."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from node.api.refusals import BadParameter
from node.texts import LANGUAGES

MAX_PAGE = 200
MAX_BLOCKS = 64
MAX_LENGTH = 256  # characters of any parameter

# Why a parameter of a page is not allowed: people read these, so the catalogue of texts has them.
NO_NUMBER = "a whole number in plain digits is needed"
NO_DAY = "a day is needed, such as 2026-11-22"
NO_CURSOR = "not a cursor that this list handed out"
NO_TECHNOLOGY = "an EECS technology code or its beginning is needed, such as T02"
NO_COUNTRY = "a country in two capital letters is needed"
NO_STATEMENT = "a statement has 32 hexadecimal digits"
NO_PERIOD = "the period ends before it begins"
REASONS = (NO_NUMBER, NO_DAY, NO_CURSOR, NO_TECHNOLOGY, NO_COUNTRY, NO_STATEMENT, NO_PERIOD)

_EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Kind:
    """How a parameter is written. `parse` raises ValueError with the reason."""

    schema: dict[str, Any]
    parse: Callable[[str], Any]


@dataclass(frozen=True)
class Parameter:
    name: str
    kind: Kind
    description: str
    required: bool = False

    def read(self, text: str) -> Any:
        """The parsed value; BadParameter for anything else."""
        if len(text) > MAX_LENGTH:
            raise BadParameter(name=self.name, why=f"longer than {MAX_LENGTH} characters")
        try:
            return self.kind.parse(text)
        except ValueError as error:
            raise BadParameter(name=self.name, why=str(error)) from None


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"0|[1-9][0-9]{0,19}", text, re.ASCII):
            raise ValueError(NO_NUMBER)
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"{low} to {high}")
        return value

    return parse


def _shaped(pattern: str, why: str) -> Kind:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(why)
        return text

    return Kind({"type": "string", "pattern": f"^{pattern}$"}, parse)


def _hex(size: int, why: str = "") -> Callable[[str], bytes]:
    def parse(text: str) -> bytes:
        if not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", text, re.ASCII):
            raise ValueError(why or f"{2 * size} lower-case hexadecimal digits are needed")
        return bytes.fromhex(text)

    return parse


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError("one of " + ", ".join(names))
        return text

    return parse


def _day(text: str) -> int:
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        try:
            day = date.fromisoformat(text).toordinal() - _EPOCH_DAY
        except ValueError:
            day = -1
        if day < 0:
            raise ValueError(NO_DAY)
        return day
    if not text.isdecimal():
        raise ValueError(NO_DAY)
    return _integer(0, 2**32 - 1)(text)


def _height_or_hash(text: str) -> int | bytes:
    return _hex(32)(text) if len(text) == 64 else _integer(0, 2**53)(text)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable characters only")
    return text


def read_cursor(text: str) -> bytes:
    """The position that an earlier page handed out as `next`."""
    try:
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(NO_CURSOR) from None
    if not value or write_cursor(value) != text:
        raise ValueError(NO_CURSOR)
    return value


def write_cursor(position: bytes) -> str:
    return base64.urlsafe_b64encode(position).rstrip(b"=").decode()


def _number(low: int, high: int) -> Kind:
    return Kind({"type": "integer", "minimum": low, "maximum": high}, _integer(low, high))


def _digits(size: int, why: str = "") -> Kind:
    return Kind({"type": "string", "pattern": f"^[0-9a-f]{{{2 * size}}}$"}, _hex(size, why))


def choice(*names: str) -> Kind:
    return Kind({"type": "string", "enum": list(names)}, _one_of(*names))


ID = _number(0, 2**32 - 1)
HEIGHT = _number(0, 2**53)
SECONDS = _number(0, 2**53)
PAGE = _number(1, MAX_PAGE)
BLOCKS = _number(1, MAX_BLOCKS)
HASH = _digits(32)
STATEMENT_ID = _digits(16, NO_STATEMENT)
CHAIN_PREFIX = _digits(4)
DAY = Kind({"type": "string", "description": "YYYY-MM-DD (UTC), or days since 1970"}, _day)
BLOCK = Kind({"type": "string", "description": "height, or block hash in hexadecimal"}, _height_or_hash)
CURSOR = Kind({"type": "string", "description": "`next` of the page before"}, read_cursor)
TEXT = Kind({"type": "string", "maxLength": MAX_LENGTH}, _printable)
LANGUAGE = choice(*LANGUAGES)
TECHNOLOGY = _shaped("T[0-9]{0,6}", NO_TECHNOLOGY)
COUNTRY = _shaped("[A-Z]{2}", NO_COUNTRY)
FLAG = Kind({"type": "string", "description": "present = yes", "allowEmptyValue": True}, lambda text: True)
