"""Certificate numbers as people read and type them.

    WAT-DK-0001234-202611-000004567-16               one certificate
    WAT-DK-0001234-202611-000004567/000004666-93     a range, both ends inclusive

Registry code, country of the device (ISO 3166-1), device sequence, production month (UTC), serial in the scheme's
fixed width, check digits. For the ledger a certificate is (device, serial); code, country and month are decoration
that a reader checks against the issuance and refuses where they differ (`require_decoration`).

The check digits are ISO 7064 MOD 97-10, as in IBAN and LEI: without `-` and `/`, letters as A=10 .. Z=35, the whole
number is 1 modulo 97. Every wrong character and every swap of neighbours is caught: by the modulus, or by the fixed
width and kind of each position. All characters are of the QR alphanumeric set.
"""

import re
from dataclasses import dataclass

from state.errors import BadNumber

SERIAL_DIGITS = (9, 12, 15)  # MWh and tCO2e, kWh, Wh
MAX_DEVICE = 9_999_999  # seven digits
MAX_TEXT = 60  # a range of 15 digits has 56 characters

_SERIALS = "|".join(f"[0-9]{{{digits}}}(?:/[0-9]{{{digits}}})?" for digits in SERIAL_DIGITS)
_FORM = re.compile(rf"([A-Z]{{3}})-([A-Z]{{2}})-([0-9]{{7}})-([0-9]{{6}})-({_SERIALS})-([0-9]{{2}})")
_VALUES = {character: str(int(character, 36)) for character in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


@dataclass(frozen=True, slots=True)
class CertificateNumber:
    """One certificate where start == end, else the range `[start, end]`."""

    registry: str  # 3 letters, of the genesis
    country: str
    device: int
    month: int  # year * 100 + month
    start: int
    end: int
    serial_digits: int


def format_number(number: CertificateNumber) -> str:
    """The text of a number; BadNumber for one that has none (a serial too long for its scheme, a reversed range)."""
    width = number.serial_digits
    serials = f"{number.start:0{width}d}"
    if number.end != number.start:
        serials += f"/{number.end:0{width}d}"
    stem = f"{number.registry}-{number.country}-{number.device:07d}-{number.month:06d}-{serials}"
    text = f"{stem}-{check_digits(stem)}"
    if parse_number(text) != number:
        raise BadNumber(number=text, why="its parts do not fit the format")
    return text


def parse_number(text: str) -> CertificateNumber:
    """The number that `text` spells exactly; BadNumber says what is wrong with it."""
    match = _FORM.fullmatch(text) if len(text) <= MAX_TEXT else None
    if match is None:
        raise BadNumber(number=text[:MAX_TEXT], why="it is not of the form WAT-DK-0001234-202611-000004567-16")
    registry, country, device, month, serials, check = match.groups()
    if check_digits(text[:-3]) != check:
        raise BadNumber(number=text, why="its check digits do not fit, so a character is mistyped")
    start, _, end = serials.partition("/")
    if not 1 <= int(month[4:]) <= 12:
        raise BadNumber(number=text, why=f"{month} is no month")
    if int(start) == 0:
        raise BadNumber(number=text, why="serials are counted from 1")
    if end and int(end) <= int(start):
        raise BadNumber(number=text, why="its range is reversed or has a single number")
    return CertificateNumber(registry, country, int(device), int(month), int(start), int(end or start), len(start))


def require_decoration(number: CertificateNumber, registry: str, country: str, month: int, serial_digits: int) -> None:
    """Refuse a number whose decoration is not that of the issuance it points to."""
    for what, written, right in (
        ("registry code", number.registry, registry),
        ("country", number.country, country),
        ("production month", number.month, month),
        ("width of the serial", number.serial_digits, serial_digits),
    ):
        if written != right:
            raise BadNumber(number=format_number(number), why=f"the {what} is {right}, not {written}")


def check_digits(stem: str) -> str:
    """ISO 7064 MOD 97-10 over the letters and digits of `stem`."""
    digits = "".join(_VALUES[character] for character in stem if character not in "-/")
    return f"{98 - int(digits) * 100 % 97:02d}"
