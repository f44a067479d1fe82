"""The MessagePack suite: of 233 encodings exactly the 51 canonical ones of allowed types are accepted."""

import json
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from harness.shared import checked_bytes, shared_folder

from state.codec import decode_value, encode
from state.errors import DecodeError

ACCEPTED = {
    "10.nil": 1,
    "11.bool": 2,
    "12.binary": 3,
    "20.number-positive": 11,
    "21.number-negative": 8,
    "22.number-float": 0,
    "23.number-bignum": 9,
    "30.string-ascii": 4,
    "31.string-utf8": 5,
    "32.string-emoji": 2,
    "40.array": 5,
    "41.map": 0,
    "42.nested": 1,
    "50.timestamp": 0,
    "60.ext": 0,
}


def decode_with_msgpack(data: bytes) -> Any:
    """The same rule on the other library, as the stand-alone statement verifier applies it."""
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=False, timestamp=0)
        if not _allowed(value) or msgpack.packb(value, use_bin_type=True) != data:
            raise DecodeError(why="not canonical")
    except (ValueError, TypeError, OverflowError, msgpack.exceptions.StackError) as error:
        raise DecodeError(why=str(error)) from None
    return value


@pytest.mark.parametrize("decode", [decode_value, decode_with_msgpack])
def test_exactly_the_canonical_encodings_are_accepted(decode: Callable[[bytes], Any]) -> None:
    accepted, refused = dict.fromkeys(ACCEPTED, 0), 0
    for section, case, data in _encodings():
        try:
            value = decode(data)
        except DecodeError:
            refused += 1
            continue
        accepted[section] += 1
        assert value == _expected(case)
        assert encode(value) == data
    assert (accepted, refused) == (ACCEPTED, 182)


def test_the_msgpack_library_reads_all_and_writes_most_differently() -> None:
    different = 0
    for _, _, data in _encodings():
        value = msgpack.unpackb(data, raw=False, strict_map_key=False, timestamp=0)
        different += msgpack.packb(value, use_bin_type=True) != data
    assert different == 137


def _encodings() -> list[tuple[str, dict[str, Any], bytes]]:
    suite = json.loads(checked_bytes(shared_folder("vectors"), "msgpack-test-suite/msgpack-test-suite.json"))
    found = [
        (section[: -len(".yaml")], case, bytes.fromhex(text.replace("-", "")))
        for section, cases in suite.items()
        for case in cases
        for text in case["msgpack"]
    ]
    assert len(found) == 233
    return found


def _allowed(value: Any) -> bool:
    if isinstance(value, list):
        return all(_allowed(item) for item in value)
    return value is None or isinstance(value, bool | int | str | bytes)


def _expected(case: dict[str, Any]) -> Any:
    if "binary" in case:
        return bytes.fromhex(case["binary"].replace("-", ""))
    if "bignum" in case:
        return int(case["bignum"])
    return next(case[name] for name in ("nil", "bool", "number", "string", "array") if name in case)
