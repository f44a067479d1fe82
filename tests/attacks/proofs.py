"""A retirement statement's proof with one byte changed: offline, by the verifier that anybody can run."""

from collections import Counter

from attacks.book import Attempt, attack
from attacks.field import Field
from cli.verify_statement import NotProven, verify_proof
from node.serving import canonical_json

SHORT_STEP = 16  # the short form changes every sixteenth byte


@attack(
    "one byte of a proof", "every byte in turn (short form: every sixteenth) of a retirement statement's proof file"
)
def changed_proof(field: Field, attempt: Attempt) -> None:
    proof = field.clients[0].get_bytes(f"/v1/statements/{field.statement}/proof")
    genesis = canonical_json(field.clients[1].get_bytes("/genesis.json"))
    if not verify_proof(proof, genesis)["statement_hash"]:
        attempt.succeeded.append("the unchanged proof does not hold")
    answers: Counter[str] = Counter()
    for place in range(0, len(proof), SHORT_STEP if attempt.short else 1):
        spoilt = bytearray(proof)
        spoilt[place] ^= 1 << place % 8
        try:
            verify_proof(bytes(spoilt), genesis)
            attempt.succeeded.append(f"byte {place} of the proof is free")
        except NotProven:
            answers["not verified"] += 1
    attempt.tried += answers["not verified"]
    attempt.refused["offline verifier", "not verified"] += answers["not verified"]
