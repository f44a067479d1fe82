"""register: a key becomes a participant, automatically, because the minimal requirements hold.

Requirements (WISHES 1.6): possession of the key, a name, a country. Trading needs a deposit, nothing more.
"""

from unicodedata import ucd_3_2_0 as unicode_3_2

from contracts.context import Context
from contracts.countries import require_country
from contracts.events import Registered
from state.crypto import exchange, require_valid_point
from state.errors import AlreadyExists, BadField, CryptoError, MissingSignature
from state.keyspace import former_key, key_owner_key, participant_key
from state.records import KeyOwner, Participant
from state.spoken import Said
from state.transaction import Register


def check(context: Context, action: Register) -> None:
    if action.key not in context.signers:
        raise MissingSignature(role="key", id=action.key.hex())
    require_key("key", action.key)
    if action.recovery_key:
        require_key("recovery_key", action.recovery_key)
    require_text("name", action.name)
    require_country("country", action.country)
    if context.overlay.get(key_owner_key(action.key)) is not None:
        raise AlreadyExists(what="a participant with the key", id=action.key.hex())
    if context.overlay.get(former_key(action.key)) is not None:
        raise AlreadyExists(what="a replaced key", id=action.key.hex())


def apply(context: Context, action: Register) -> None:
    number = context.next_number("participant")
    now = context.environment.time_s
    participant = Participant(number, action.key, action.name, action.country, action.recovery_key, now)
    context.overlay.put(participant_key(number), participant)
    context.overlay.put(key_owner_key(action.key), KeyOwner(number))
    context.announce(Registered(number, action.name, action.country, action.key))


def describe(action: Register) -> Said:
    key = f"{action.key.hex()[:16]}…"
    return Said("register {name} ({country}) with key {key}", name=action.name, country=action.country, key=key)


# --- requirements that other registrations share


def require_key(field: str, key: bytes) -> None:
    try:
        require_valid_point(key)
    except CryptoError as error:
        raise BadField(field=field, why=str(error.params["why"])) from None


def require_exchange_key(field: str, key: bytes) -> None:
    """A key that boxes can be sealed to."""
    try:
        exchange(bytes(32), key)
    except CryptoError as error:
        raise BadField(field=field, why=str(error.params["why"])) from None


def require_text(field: str, text: str) -> None:
    """Something to read: not empty, and a line as below."""
    if not text:
        raise BadField(field=field, why="must not be empty")
    require_line(field, text)


def require_line(field: str, text: str) -> None:
    """Empty or one printable line. No control, format (bidi overrides, zero width) or unassigned characters.

    By Unicode 3.2, whose table is frozen in every Python: `str.isprintable` changes with the interpreter, and two
    validators that disagree on a name would fork.
    """
    if text != text.strip(" ") or not all(_printable(character) for character in text):
        raise BadField(field=field, why="must be printable text without spaces around it")


def _printable(character: str) -> bool:
    return character == " " or unicode_3_2.category(character)[0] not in "CZ"
