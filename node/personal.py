"""Names of individuals stay off the ledger: it gets a salted hash, the holder keeps the name.

`commitment(name, salt)` is what stands in the name's place on the ledger, for every node and for ever; the name and
its salt lie in the holder's home. Whoever is shown both can check that they belong together; without the salt nobody
can try out names.
"""

import json
import os
import secrets
from pathlib import Path

from node.failures import KeystoreError
from state.crypto import H

TAG = "wattest/person"
PREFIX = "person:"
HEX_DIGITS = 40  # 160 bits of the hash
SALT_BYTES = 16


def commitment(name: str, salt: bytes) -> str:
    """`person:` and 40 hexadecimal digits."""
    return PREFIX + H(TAG, (salt, name)).hex()[:HEX_DIGITS]


def is_commitment(text: str) -> bool:
    return text.startswith(PREFIX) and len(text) == len(PREFIX) + HEX_DIGITS


def keep(home: Path, name: str) -> str:
    """Make a commitment for a name and keep the name in the home, mode 0600; what goes on the ledger."""
    salt = secrets.token_bytes(SALT_BYTES)
    public = commitment(name, salt)
    directory = home / "persons"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = _path(home, public)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"schema": "person/1", "public": public, "name": name, "salt": salt.hex()}, file, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    return public


def revealed(home: Path, public: str) -> str:
    """The name behind a commitment where this home keeps it, else the commitment; KeystoreError where they differ."""
    path = _path(home, public)
    if not is_commitment(public) or not path.exists():
        return public
    try:
        kept = json.loads(path.read_text("utf-8"))
        name, salt = str(kept["name"]), bytes.fromhex(kept["salt"])
    except (OSError, ValueError, KeyError, TypeError):
        raise KeystoreError(why=f"{path} cannot be read") from None
    if commitment(name, salt) != public:
        raise KeystoreError(why=f"{path} holds another name than the one behind {public}")
    return name


def _path(home: Path, public: str) -> Path:
    return home / "persons" / f"{public.removeprefix(PREFIX)}.json"
