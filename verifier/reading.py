"""One reading: from text to integers, without a float at any point.

Two JSON forms exist. The raw seed form (six keys, no keys of its own to sign with) is what a plant posts to a gateway.
The signed form, version 1, is what a gateway or meter puts on the wire: its text is signed, hashed and stored verbatim,
so it is parsed, never written again. Digits beyond a field's unit are cut toward zero, so no spelling gains energy.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from state.codec import Wire
from state.crypto import H
from state.errors import DecodeError, ReadingRefusal
from state.merkle import merkle_root
from state.units import U32, U64, Hash

READING_TAG = "wattest/reading"
MAX_READING_BYTES = 1_024  # a signed reading with every field at its longest has 420
MAX_NESTING = 16  # a reading is flat; the limit only keeps the parser's stack out of reach
LARGEST_EXPONENT = 308
MAX_TIMESTAMP = 9 * 10**9  # the year 2255; the sun's formulas stay inside 64 bits up to here
NO_PREVIOUS = bytes(32)  # `prev` of a device's first reading

SEED_KEYS = frozenset({"timestamp", "id", "pwr_avg", "wind_spd", "t", "insolation"})
SIGNED_KEYS = SEED_KEYS - {"id"} | {"v", "device", "seq", "prev", "register_wh", "origin"}
MEASURED = ("pwr_avg", "wind_spd", "t", "insolation")
DIGITS = {"pwr_avg": 3, "wind_spd": 3, "t": 2, "insolation": 6}  # kW -> W, m/s -> mm/s, C -> 0.01 C, kWh/m2 -> mWh/m2

_NUMBER = re.compile(r"(-?)([0-9]{1,9})(?:\.([0-9]{1,6}))?")
_TIMESTAMP = re.compile(r"[1-9][0-9]{0,10}")
_COUNT = re.compile(r"0|[1-9][0-9]{0,19}")
_HASH = re.compile(r"[0-9a-f]{64}")
_UNIT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Reading(Wire, frozen=True):
    """Means over one interval, quantised. None is a value that was not delivered, which is never the same as 0."""

    timestamp: int  # s since 1970, UTC
    power_w: int | None = None
    wind_mm_s: int | None = None
    temperature_centi_c: int | None = None
    insolation_mwh_m2: int | None = None  # mWh/m2 within the interval


class SeedReading(Wire, frozen=True):
    id: str
    reading: Reading


class SignedReading(Wire, frozen=True):
    """`prev` is `reading_hash` of the device's previous text, `origin` the number of the credential that signed it."""

    device: U32
    seq: U64
    prev: Hash
    reading: Reading
    register_wh: U64 | None
    origin: U32


def parse_seed(raw: bytes) -> SeedReading:
    """A raw post of a plant; a channel it does not have is omitted or null. DecodeError or ReadingRefusal."""
    return seed_of(guarded_json(raw))


def seed_of(value: Any) -> SeedReading:
    """The same for one element of a posted array, read by `guarded_json`."""
    fields = _fields(value)
    if not fields.keys() <= SEED_KEYS or not {"timestamp", "id"} <= fields.keys():
        raise ReadingRefusal(why="the keys are not timestamp, id, pwr_avg, wind_spd, t, insolation")
    unit = _text(fields, "id", _UNIT_ID)
    return SeedReading(unit, _reading(fields))


def parse_signed(raw: bytes) -> SignedReading:
    """A version 1 signed reading with exactly its eleven keys. DecodeError or ReadingRefusal."""
    fields = _fields(guarded_json(raw))
    if fields.keys() != SIGNED_KEYS:
        raise ReadingRefusal(why="the keys are not those of a version 1 signed reading")
    if fields["v"] != "1":
        raise ReadingRefusal(why="v is not 1")
    register = None if fields["register_wh"] is None else _count(fields, "register_wh", 64)
    return SignedReading(
        device=_count(fields, "device", 32),
        seq=_count(fields, "seq", 64),
        prev=bytes.fromhex(_text(fields, "prev", _HASH)),
        reading=_reading(fields),
        register_wh=register,
        origin=_count(fields, "origin", 32),
    )


def format_signed(signed: SignedReading) -> bytes:
    """The text a gateway signs: fixed key order, no spaces, measured values as decimal strings of their own unit."""
    reading = signed.reading
    return json.dumps(
        {
            "v": 1,
            "device": signed.device,
            "seq": signed.seq,
            "prev": signed.prev.hex(),
            "timestamp": reading.timestamp,
            "pwr_avg": decimal_text(reading.power_w, DIGITS["pwr_avg"]),
            "wind_spd": decimal_text(reading.wind_mm_s, DIGITS["wind_spd"]),
            "t": decimal_text(reading.temperature_centi_c, DIGITS["t"]),
            "insolation": decimal_text(reading.insolation_mwh_m2, DIGITS["insolation"]),
            "register_wh": signed.register_wh,
            "origin": signed.origin,
        },
        separators=(",", ":"),
    ).encode("ascii")


def reading_hash(raw: bytes) -> bytes:
    """What the next reading of the device names as `prev`."""
    return H(READING_TAG, raw)


def readings_root(raws: Iterable[bytes]) -> bytes:
    """RFC 6962 root over the raw texts of one device and day in (timestamp, seq) order, however they arrived."""
    ordered = sorted((_place(raw), raw) for raw in raws)
    return merkle_root([raw for _, raw in ordered])


def _place(raw: bytes) -> tuple[int, int]:
    signed = parse_signed(raw)
    return signed.reading.timestamp, signed.seq


def guarded_json(raw: bytes, limit: int = MAX_READING_BYTES) -> Any:
    """JSON with every number left as its text; DecodeError for anything a strict reader would not take.

    Order matters: length before decoding, nesting before parsing. Duplicate keys, NaN and Infinity are refused.
    """
    if len(raw) > limit:
        raise DecodeError(why=f"{len(raw)} bytes, the limit is {limit}")
    try:
        text = raw.decode("utf-8", "strict")
        _refuse_deep_nesting(text)
        return json.loads(
            text, parse_float=_decimal, parse_int=str, parse_constant=_refuse_constant, object_pairs_hook=_no_duplicates
        )
    except (ValueError, RecursionError) as error:
        raise DecodeError(why=str(error)[:200]) from None


def scaled(text: str, digits: int) -> int | None:
    """The decimal `text` in units of 10**-digits, cut toward zero; None if it is not in the grammar of readings."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, whole, fraction = match.groups()
    value = int(whole + (fraction or "")[:digits].ljust(digits, "0"))
    return -value if sign else value


def time_of(text: str) -> int | None:
    """Seconds since 1970, or None if the text is not a timestamp."""
    return int(text) if _TIMESTAMP.fullmatch(text) and int(text) <= MAX_TIMESTAMP else None


def decimal_text(value: int | None, digits: int) -> str | None:
    """The shortest decimal of `value` units of 10**-digits; None stays None."""
    if value is None:
        return None
    whole, fraction = divmod(abs(value), 10**digits)
    tail = str(fraction).rjust(digits, "0").rstrip("0")
    return f"{'-' if value < 0 else ''}{whole}{'.' if tail else ''}{tail}"


def _fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ReadingRefusal(why="a reading is one JSON object")
    return value


def _reading(fields: dict[str, Any]) -> Reading:
    timestamp = time_of(_text(fields, "timestamp", _TIMESTAMP))
    if timestamp is None:
        raise ReadingRefusal(why="timestamp is too far in the future")
    return Reading(timestamp, *(_measured(fields, name) for name in MEASURED))


def _measured(fields: dict[str, Any], name: str) -> int | None:
    text = fields.get(name)
    if text is None:
        return None
    value = scaled(text, DIGITS[name]) if isinstance(text, str) else None
    if value is None:
        raise ReadingRefusal(why=f"{name} is not a plain decimal number")
    return value


def _count(fields: dict[str, Any], name: str, bits: int) -> int:
    value = int(_text(fields, name, _COUNT))
    if value >= 2**bits:
        raise ReadingRefusal(why=f"{name} is too large")
    return value


def _text(fields: dict[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    text = fields[name]
    if not isinstance(text, str) or pattern.fullmatch(text) is None:
        raise ReadingRefusal(why=f"{name} is not in its form")
    return text


def _refuse_deep_nesting(text: str) -> None:
    depth = 0
    for mark in _STRING.sub("", text):
        if mark in "[{":
            depth += 1
            if depth > MAX_NESTING:
                raise ValueError(f"nested deeper than {MAX_NESTING}")
        elif mark in "]}":
            depth -= 1


def _decimal(text: str) -> str:
    """The number's own text; one that a strict reader of doubles would call infinite is refused."""
    _, _, exponent = text.lower().partition("e")
    if exponent and not exponent.startswith("-") and int(exponent[:6]) > LARGEST_EXPONENT:
        raise ValueError("a number is too large")
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key occurs twice")
    return fields
