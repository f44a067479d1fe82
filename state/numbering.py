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
_PARTS = (  # fault, form, whether it is of letters
    ("registry", "[A-Z]{3}", True),
    ("country", "[A-Z]{2}", True),
    ("device", "[0-9]{7}", False),
    ("month_form", "[0-9]{6}", False),
    ("serial", _SERIALS, False),
    ("check_form", "[0-9]{2}", False),
)
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
        raise BadNumber.of(text, "unfit")
    return text


def parse_number(text: str) -> CertificateNumber:
    """The number that `text` spells exactly; BadNumber says what is wrong with it."""
    match = _FORM.fullmatch(text) if len(text) <= MAX_TEXT else None
    if match is None:
        raise _fault_of(text[:MAX_TEXT])
    registry, country, device, month, serials, check = match.groups()
    if check_digits(text[:-3]) != check:
        raise BadNumber.of(text, "check")
    start, _, end = serials.partition("/")
    if not 1 <= int(month[4:]) <= 12:
        raise BadNumber.of(text, "month", month=month)
    if int(start) == 0:
        raise BadNumber.of(text, "zero")
    if end and int(end) <= int(start):
        raise BadNumber.of(text, "reversed")
    return CertificateNumber(registry, country, int(device), int(month), int(start), int(end or start), len(start))


def require_decoration(number: CertificateNumber, registry: str, country: str, month: int, serial_digits: int) -> None:
    """Refuse a number whose decoration is not that of the issuance it points to."""
    for fault, written, right in (
        ("other_registry", number.registry, registry),
        ("other_country", number.country, country),
        ("other_month", number.month, month),
        ("other_width", number.serial_digits, serial_digits),
    ):
        if written != right:
            raise BadNumber.of(format_number(number), fault, right=right, written=written)


def _fault_of(text: str) -> BadNumber:
    """What is wrong with the form of a text: the first part that cannot be what it stands for, and the place in it."""
    for place, character in enumerate(text, 1):
        if character not in _VALUES and character not in "-/":
            return BadNumber.of(text, "character", place=place, character=character)
    parts = text.split("-")
    if len(parts) != len(_PARTS):
        return BadNumber.of(text, "parts" if len(parts) > 1 else "form", count=len(parts))
    place = 1
    for part, (fault, form, letters) in zip(parts, _PARTS, strict=True):
        if not re.fullmatch(form, part):
            for offset, character in enumerate(part):
                if letters and character.isdigit():
                    return BadNumber.of(text, "digit", place=place + offset, character=character)
                if not letters and character.isalpha():
                    return BadNumber.of(text, "letter", place=place + offset, character=character)
            return BadNumber.of(text, fault, part=part or "«»")
        place += len(part) + 1
    return BadNumber.of(text, "form")


def check_digits(stem: str) -> str:
    """ISO 7064 MOD 97-10 over the letters and digits of `stem`."""
    digits = "".join(_VALUES[character] for character in stem if character not in "-/")
    return f"{98 - int(digits) * 100 % 97:02d}"
