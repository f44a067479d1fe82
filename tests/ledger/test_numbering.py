"""Certificate numbers: what is printed is read back, and what is mistyped is noticed."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.errors import BadNumber
from state.numbering import SERIAL_DIGITS, CertificateNumber, format_number, parse_number, require_decoration

ONE = "WAT-DK-0001234-202611-000004567-16"
RANGE = "WAT-DK-0001234-202611-000004567/000004666-93"


@st.composite
def numbers(draw: st.DrawFn) -> CertificateNumber:
    digits = draw(st.sampled_from(SERIAL_DIGITS))
    start = draw(st.integers(1, 10**digits - 1))
    return CertificateNumber(
        registry=draw(st.text(string.ascii_uppercase, min_size=3, max_size=3)),
        country=draw(st.text(string.ascii_uppercase, min_size=2, max_size=2)),
        device=draw(st.integers(1, 9_999_999)),
        month=draw(st.integers(1970, 9999)) * 100 + draw(st.integers(1, 12)),
        start=start,
        end=draw(st.just(start) | st.integers(start, 10**digits - 1)),
        serial_digits=digits,
    )


def test_published_numbers_are_read_and_written() -> None:
    one, many = parse_number(ONE), parse_number(RANGE)
    assert one == CertificateNumber("WAT", "DK", 1234, 202611, 4567, 4567, 9)
    assert many == CertificateNumber("WAT", "DK", 1234, 202611, 4567, 4666, 9)
    assert (format_number(one), format_number(many)) == (ONE, RANGE)


@given(numbers())
def test_every_number_survives_print_and_parse(number: CertificateNumber) -> None:
    assert parse_number(format_number(number)) == number


@given(numbers(), st.data())
def test_every_mistyped_character_is_caught(number: CertificateNumber, data: st.DataObject) -> None:
    text = format_number(number)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from([c for c in string.ascii_uppercase + string.digits + "-/" if c != text[at]]))
    with pytest.raises(BadNumber):
        parse_number(text[:at] + other + text[at + 1 :])


@given(numbers())
def test_every_swap_of_neighbours_is_caught(number: CertificateNumber) -> None:
    text = format_number(number)
    for at in range(len(text) - 1):
        swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        if swapped != text:
            with pytest.raises(BadNumber):
                parse_number(swapped)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not of the form"),
        (ONE.lower(), "place 1 holds w, which stands in no number"),
        (ONE + "\n", "place 35 holds"),
        (" " + ONE, "place 1 holds"),
        (ONE.replace("WAT", "ΩAT"), "place 1 holds Ω"),
        (ONE.replace("0001234", "٠٠٠١٢٣٤"), "place 8 holds"),  # other scripts' digits
        (ONE.replace("0001234", "OOO1234"), "place 8 holds the letter O where only a digit"),
        (ONE.replace("DK", "D1"), "place 6 holds the digit 1 where only a letter"),
        (ONE.replace("WAT", "WATT"), "three letters"),
        (ONE.replace("DK", "DNK"), "two letters"),
        (ONE.replace("0001234", "1234"), "third part is 1234; a device has seven digits"),
        (ONE.replace("202611", "2611"), "fourth part is 2611"),
        (ONE.replace("000004567", "00004567"), "fifth part is 00004567"),
        (RANGE.replace("/000004666", "/000000004666"), "fifth part"),
        (ONE[:-1], "ends in 1; the check digits are two"),
        (ONE[:-3], "5 parts"),
        ("WAT-" * 1000, "16 parts between hyphens; a number has six"),
    ],
)
def test_refuses_text_that_has_not_the_form_and_says_where(text: str, why: str) -> None:
    with pytest.raises(BadNumber, match=why):
        parse_number(text)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"month": 202613}, "month"),
        ({"start": 0, "end": 0}, "counted from 1"),
        ({"start": 8, "end": 7}, "reversed"),
        ({"start": 10**9, "end": 10**9}, "serial"),
        ({"device": 10_000_000}, "device"),
        ({"serial_digits": 10}, "serial"),
    ],
)
def test_refuses_to_print_what_is_no_number(change: dict[str, int], why: str) -> None:
    fields = {"registry": "WAT", "country": "DK", "device": 1, "month": 202611, "start": 1, "end": 1}
    with pytest.raises(BadNumber, match=why):
        format_number(CertificateNumber(**(fields | {"serial_digits": 9} | change)))  # type: ignore[arg-type]


def test_refuses_decoration_that_is_not_the_issuances() -> None:
    number = parse_number(ONE)
    require_decoration(number, "WAT", "DK", 202611, 9)
    for wrong in (
        ("XAT", "DK", 202611, 9),
        ("WAT", "DE", 202611, 9),
        ("WAT", "DK", 202612, 9),
        ("WAT", "DK", 202611, 12),
    ):
        with pytest.raises(BadNumber, match="not"):
            require_decoration(number, *wrong)
