"""The verifiers as the pages hand them out: the very file `cli/verify_statement.py`, and the scripts of the page.

The first is read as a file and never imported here: it must share no code with the node whose proofs it checks.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path

VERIFIER = Path(__file__).resolve().parents[2] / "cli" / "verify_statement.py"

SCRIPTS = ("verify_statement.js", "page_check.js")


@cache
def script(name: str) -> bytes:
    return (Path(__file__).parent / name).read_bytes()


@cache
def verifier_source() -> bytes:
    return VERIFIER.read_bytes()


@cache
def verifier_sha256() -> str:
    return sha256(verifier_source()).hexdigest()
