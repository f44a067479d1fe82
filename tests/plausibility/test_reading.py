"""From the text of a reading to integers: what is taken, what is refused, and what is signed and hashed."""

import json
from hashlib import blake2b

import pytest
from harness.shared import checked_bytes, shared_folder

from state.errors import DecodeError, ReadingRefusal, WattestError
from state.merkle import merkle_root
from verifier.reading import (
    MAX_READING_BYTES,
    NO_PREVIOUS,
    Reading,
    SignedReading,
    decimal_text,
    format_signed,
    guarded_json,
    parse_seed,
    parse_signed,
    reading_hash,
    readings_root,
    scaled,
)

SEED = {"timestamp": 1388534400, "id": 3, "pwr_avg": 514.24, "wind_spd": 6.87, "t": 4.3, "insolation": 0.012345}
SIGNED = SignedReading(3, 17, NO_PREVIOUS, Reading(1_388_534_400, 514_240, 6_870, -430, None), 12_345, 1)


def text(**changes: object) -> bytes:
    return json.dumps({**SEED, **changes}).encode()


def signed_text(**changes: object) -> bytes:
    return json.dumps({**json.loads(format_signed(SIGNED)), **changes}).encode()


def test_seed_reading_becomes_integers_of_its_units() -> None:
    seed = parse_seed(text())
    assert seed.id == "3"
    assert seed.reading == Reading(1_388_534_400, 514_240, 6_870, 430, 12_345)


def test_numbers_may_be_json_numbers_or_decimal_strings() -> None:
    assert parse_seed(text(pwr_avg="514.24", timestamp="1388534400", id="3")) == parse_seed(text())


def test_missing_channels_may_be_null_or_left_out() -> None:
    raw = json.dumps({"timestamp": 1388534400, "id": "roof-1", "pwr_avg": 0, "t": None}).encode()
    assert parse_seed(raw).reading == Reading(1_388_534_400, 0)


@pytest.mark.parametrize(
    ("written", "watts"),
    [("1.9999", 1_999), ("-0.0039", -3), ("-0", 0), ("007", 7_000), ("999999999.999999", 999_999_999_999)],
)
def test_digits_beyond_the_unit_are_cut_toward_zero(written: str, watts: int) -> None:
    assert scaled(written, 3) == watts


@pytest.mark.parametrize(
    "written",
    [
        "1_900",
        "nan",
        "1e9",
        " 5",
        "5 ",
        "+5",
        "٣",
        "",
        "-",
        ".5",
        "5.",
        "1.2.3",
        "1234567890",
        "1.1234567",
        "0x10",
        "5\n",
    ],
)
def test_refuses_numbers_outside_the_grammar(written: str) -> None:
    assert scaled(written, 3) is None
    with pytest.raises(ReadingRefusal):
        parse_seed(text(pwr_avg=written))


@pytest.mark.parametrize("value", [True, [], {}, [1]])
def test_refuses_values_that_are_no_numbers(value: object) -> None:
    with pytest.raises(ReadingRefusal):
        parse_seed(text(pwr_avg=value))


@pytest.mark.parametrize("stamp", [0, -5, "01388534400", 1388534400.0, "13e8", 123456789012, 99999999999, None, "1 "])
def test_refuses_timestamps_outside_their_form(stamp: object) -> None:
    with pytest.raises(ReadingRefusal):
        parse_seed(text(timestamp=stamp))


@pytest.mark.parametrize("unit", ["", "a b", "é", "x" * 65, None, "../1"])
def test_refuses_ids_outside_their_form(unit: object) -> None:
    with pytest.raises(ReadingRefusal):
        parse_seed(text(id=unit))


def test_refuses_unknown_and_missing_keys() -> None:
    with pytest.raises(ReadingRefusal):
        parse_seed(text(extra=1))
    with pytest.raises(ReadingRefusal):
        parse_seed(b'{"id": 1, "pwr_avg": 3}')


def test_refuses_duplicate_keys() -> None:
    with pytest.raises(DecodeError, match="twice"):
        parse_seed(b'{"timestamp": 1388534400, "id": 1, "pwr_avg": 1, "pwr_avg": 2}')


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_refuses_constants_that_are_no_json(constant: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_seed(b'{"timestamp": 1388534400, "id": 1, "pwr_avg": ' + constant + b"}")


def test_refuses_long_and_deep_and_undecodable_texts() -> None:
    for raw in (b" " * (MAX_READING_BYTES + 1), b"[" * 1_000, b'"\xff"', b'\xef\xbb\xbf{"id":1}'):
        with pytest.raises(DecodeError):
            parse_seed(raw)


def test_signed_reading_survives_its_text() -> None:
    assert parse_signed(format_signed(SIGNED)) == SIGNED


def test_signed_text_is_pinned() -> None:
    """The text is signed and hashed by gateways: its form may not drift."""
    assert format_signed(SIGNED) == (
        b'{"v":1,"device":3,"seq":17,"prev":"' + b"00" * 32 + b'","timestamp":1388534400,"pwr_avg":"514.24",'
        b'"wind_spd":"6.87","t":"-4.3","insolation":null,"register_wh":12345,"origin":1}'
    )
    tagged = blake2b(format_signed(SIGNED), digest_size=32, person=b"wattest/reading")
    assert reading_hash(format_signed(SIGNED)) == tagged.digest()


@pytest.mark.parametrize(("value", "shown"), [(None, None), (0, "0"), (-3, "-0.003"), (1_500, "1.5"), (2_000, "2")])
def test_decimal_text_is_shortest(value: int | None, shown: str | None) -> None:
    assert decimal_text(value, 3) == shown


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": "01"},
        {"device": -1},
        {"device": 2**32},
        {"seq": 2**64},
        {"seq": None},
        {"prev": "00"},
        {"prev": "AA" * 32},
        {"register_wh": -1},
        {"origin": "gateway"},
        {"extra": 1},
    ],
    ids=str,
)
def test_refuses_signed_fields_outside_their_form(changes: dict[str, object]) -> None:
    with pytest.raises(ReadingRefusal):
        parse_signed(signed_text(**changes))


def test_refuses_a_signed_reading_without_one_of_its_keys() -> None:
    fields = json.loads(format_signed(SIGNED))
    for name in fields:
        with pytest.raises(ReadingRefusal):
            parse_signed(json.dumps({key: value for key, value in fields.items() if key != name}).encode())


def test_root_orders_by_time_then_sequence_whatever_arrives_first() -> None:
    texts = [
        format_signed(SignedReading(3, seq, NO_PREVIOUS, Reading(time, 5), None, 1))
        for time, seq in ((600, 9), (1_200, 7), (1_200, 8))
    ]
    assert readings_root(reversed(texts)) == readings_root(texts) == merkle_root(texts)


def test_json_test_suite_is_refused_and_accepted_as_its_readme_demands() -> None:
    vectors = shared_folder("vectors")
    accepted: dict[str, set[str]] = {"y": set(), "n": set(), "i": set()}
    files = sorted((vectors / "JSONTestSuite" / "test_parsing").iterdir())
    assert len(files) == 318
    for path in files:
        raw = checked_bytes(vectors, str(path.relative_to(vectors)))
        try:
            guarded_json(raw, 2**20)
        except DecodeError:
            continue
        accepted[path.name[0]].add(path.stem)
    assert accepted["n"] == set()
    assert {path.stem for path in files if path.name[0] == "y"} - accepted["y"] == {
        "y_object_duplicated_key",
        "y_object_duplicated_key_and_value",
    }
    assert len(accepted["i"]) == 15


def test_no_file_of_the_json_test_suite_is_a_reading() -> None:
    for path in sorted((shared_folder("vectors") / "JSONTestSuite" / "test_parsing").iterdir()):
        for parse in (parse_seed, parse_signed):
            with pytest.raises(WattestError):
                parse(path.read_bytes())
