"""The identification code of a statement, as people read and type it (research/registry.md section 7).

    WAT-FR-T020001-FRGES-E6A9A29AB32BE44BDA4682810D81B464-0G

Registry, zone of origin, EECS technology, place of consumption, the statement's id, check characters. A certificate's
number cannot say where it will be used, because it is made at the issue; a statement's code can. The id alone leads to
the statement; the other parts are decoration that a reader checks against it. Where several bundles differ, the
technology ends in zeros where it is common no more (EECS: 00 = unspecified), the zone is MIX. Check characters are
ISO 7064 MOD 1271-36, made for letters and digits mixed: they catch every wrong character and every swap of neighbours,
where the two digits of a certificate's number would miss some. All characters are of the QR alphanumeric set.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from state.errors import BadStatementCode

MIXED = "MIX"
NOWHERE = "0"  # of a statement that names no place
PART = 16  # characters of a zone or a place, at most
_FORM = re.compile(r"([A-Z]{3})-([A-Z0-9]{1,16})-(T[0-9]{6})-([A-Z0-9]{1,16})-([0-9A-F]{32})-([0-9A-Z]{2})")
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class StatementCode:
    registry: str
    zone: str
    technology: str
    place: str
    identity: bytes  # 16


def statement_code(
    registry: str, origins: Iterable[tuple[str, str, str]], place: str, identity: bytes
) -> StatementCode:
    """`origins` are (zone, country, technology) of the bundles; `place` is the jurisdiction of the claim."""
    bundles = list(origins)
    zones = {_part(zone or country) for zone, country, _ in bundles}
    technologies = {technology for _, _, technology in bundles}
    return StatementCode(
        registry,
        zones.pop() if len(zones) == 1 else MIXED,
        _common(technologies),
        _part(place) or NOWHERE,
        identity,
    )


def format_code(code: StatementCode) -> str:
    stem = f"{code.registry}-{code.zone}-{code.technology}-{code.place}-{code.identity.hex().upper()}"
    return f"{stem}-{check_characters(stem)}"


def parse_code(text: str) -> StatementCode:
    """The code that `text` spells exactly; BadStatementCode says what is wrong with it."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise BadStatementCode(code=text[:100], why="it is not of the form WAT-ZONE-T000000-PLACE-32 DIGITS-XX")
    registry, zone, technology, place, identity, check = match.groups()
    if check_characters(text[:-3]) != check:
        raise BadStatementCode(code=text, why="its last two characters do not fit the others, so one is mistyped")
    return StatementCode(registry, zone, technology, place, bytes.fromhex(identity))


def require_same(typed: StatementCode, right: StatementCode) -> None:
    """Refuse a code whose decoration is not its statement's."""
    if typed != right:
        raise BadStatementCode(code=format_code(typed), why=f"the statement's own code is {format_code(right)}")


def check_characters(stem: str) -> str:
    """ISO 7064 MOD 1271-36 over the letters and digits of `stem`: with them the number to base 36 is 1 modulo 1271."""
    check = (1 - int(stem.replace("-", ""), 36) * 36**2) % 1271
    return _ALPHABET[check // 36] + _ALPHABET[check % 36]


def _part(text: str) -> str:
    """Capital letters and digits of a zone or place; others have no room in a code."""
    return "".join(character for character in text.upper() if character.isascii() and character.isalnum())[:PART]


def _common(technologies: set[str]) -> str:
    """The longest level of the tree that all share: T, then pairs of digits."""
    first = min(technologies, default="T000000")
    for length in (7, 5, 3):
        if all(technology[:length] == first[:length] for technology in technologies):
            return first[:length].ljust(7, "0")
    return "T000000"
