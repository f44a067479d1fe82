"""What people type: amounts of money, moments, countries, certificate numbers. Never through a float."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from state.numbering import CertificateNumber

MICRO = 1_000_000
MAX_TEXT = 10_000  # characters of a file of numbers that are read


class Amount(click.ParamType[int]):
    """`12.50` in currency units becomes 12,500,000 millionths; more than six decimals are refused."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,13})(?:\.([0-9]{1,6}))?", str(value))
        if match is None:
            self.fail(f"{value!r} is no amount; write it like 12 or 12.50, without the currency.", param, ctx)
        return int(match[1]) * MICRO + int((match[2] or "").ljust(6, "0"))


class Moment(click.ParamType[int]):
    """A UTC date, a UTC time or seconds since 1970 become seconds."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value)
        if text.isascii() and text.isdigit():
            return int(text)
        try:
            parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            self.fail(f"{text!r} is no moment; write 2026-11-22, 2026-11-22T15:00 (UTC) or seconds.", param, ctx)
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())


class Month(click.ParamType[int]):
    """`201404`: a production month as it stands in a certificate's number."""

    name = "YYYYMM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not re.fullmatch(r"[0-9]{4}(0[1-9]|1[0-2])", text):
            self.fail(f"{text!r} is no month; write it like 201404.", param, ctx)
        return int(text)


class Technology(click.ParamType[str]):
    """An EECS technology or the beginning of one: T, and up to six digits."""

    name = "T…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).upper()
        if not re.fullmatch(r"T[0-9]{0,6}", text):
            self.fail(f"{value!r} is no EECS technology; solar is T01, wind T02, hydro T03.", param, ctx)
        return text


class Number(click.ParamType["CertificateNumber"]):
    """A certificate number or a range of them; a mistyped one says so before anything is asked of a node."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "CertificateNumber":
        from state.errors import BadNumber
        from state.numbering import CertificateNumber, parse_number

        if isinstance(value, CertificateNumber):
            return value
        try:
            return parse_number(str(value).strip().upper())
        except BadNumber as error:
            self.fail(str(error), param, ctx)


class HexKey(click.ParamType[bytes]):
    """A public key of 32 bytes in hexadecimal."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            key = bytes.fromhex(str(value))
        except ValueError:
            key = b""
        if len(key) != 32:
            self.fail(f"{value!r} is no public key: 64 hexadecimal digits.", param, ctx)
        return key


class Scaled(click.ParamType[int]):
    """A plain decimal in units of 10**-digits: with 6 digits `48.4569` becomes 48,456,900."""

    name = "decimal"

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(rf"(-?)([0-9]{{1,12}})(?:\.([0-9]{{1,{self.digits}}}))?", str(value))
        if match is None:
            self.fail(f"{value!r} is no decimal number with at most {self.digits} decimals.", param, ctx)
        number: int = int(match[2]) * 10**self.digits + int((match[3] or "").ljust(self.digits, "0"))
        return -number if match[1] else number


class WholeNumbers(click.ParamType[tuple[int, ...]]):
    """So many whole numbers, separated by commas or white space; or a file with them, as @FILE."""

    name = "numbers"

    def __init__(self, count: int) -> None:
        self.count = count

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        text = str(value)
        if text.startswith("@"):
            try:
                text = Path(text[1:]).read_text("utf-8")[:MAX_TEXT]
            except (OSError, UnicodeDecodeError) as error:
                self.fail(f"{text[1:]}: {getattr(error, 'strerror', None) or 'it is no text'}.", param, ctx)
        words = text.replace(",", " ").split()
        wrong = next((word for word in words if not re.fullmatch("[0-9]{1,18}", word)), None)
        if wrong is not None:
            self.fail(f"{wrong!r} is no whole number.", param, ctx)
        if len(words) != self.count:
            self.fail(f"{len(words)} numbers where {self.count} are expected.", param, ctx)
        return tuple(int(word) for word in words)


AMOUNT = Amount()
MOMENT = Moment()
MONTH = Month()
TECHNOLOGY = Technology()
NUMBER = Number()
KEY = HexKey()
HOURS_WH = WholeNumbers(24)
SHARES = WholeNumbers(3)
