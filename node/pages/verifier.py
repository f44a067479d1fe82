"""The stand-alone verifier as the pages hand it out: the very file `cli/verify_statement.py`.

It is read as a file and never imported here: it must share no code with the node whose proofs it checks.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path

VERIFIER = Path(__file__).resolve().parents[2] / "cli" / "verify_statement.py"


@cache
def verifier_source() -> bytes:
    return VERIFIER.read_bytes()


@cache
def verifier_sha256() -> str:
    return sha256(verifier_source()).hexdigest()
