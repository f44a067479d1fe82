"""Reads a statement's proof file with the network's own code: the second opinion beside the verifier that stands alone.

What the ledger itself uses is used here: the strict decoder, the validators of each epoch as a joining node follows
them, the hash under which the retirement was executed. The facts are put together again from the two transactions; the
file is right if they are those that it shows, and their hash is the one that the retirement carries.
"""

from functools import lru_cache
from hashlib import sha256

from contracts.calendar import day_start
from contracts.genesis import Genesis, chain_id, load_json, parse_genesis
from contracts.schemes import HOUR_S, hourly
from contracts.statement import SCHEMA_VERSION, StatementBundle, StatementFacts, statement_hash
from contracts.transition import DecodedTx, decode_signed, verify_signatures
from node.failures import VerificationFailed
from node.hops import Trust
from node.proof import VERSION, ProvenTransaction, StatementProof
from state.attestation import ACCEPT, Attestation, attestation_bytes
from state.block import Header
from state.codec import decode
from state.crypto import verify
from state.errors import WattestError
from state.transaction import AttestedDay, Issue, Retire, RetiredRange


def read_proof(data: bytes, genesis: bytes) -> StatementFacts:
    """What the file proves in the network of `genesis`; VerificationFailed if not."""
    try:
        proof = decode(StatementProof, data)
        _require(proof.version == VERSION, f"version {proof.version} is not known here")
        return _Reading(proof, genesis).facts()
    except VerificationFailed:
        raise
    except (WattestError, ValueError) as error:
        raise VerificationFailed(why=str(error)) from None


@lru_cache(maxsize=4)
def _network(genesis: bytes) -> tuple[Genesis, bytes]:
    """One genesis serves for many proofs."""
    return parse_genesis(genesis), chain_id(load_json(genesis))


def _require(holds: bool, why: str) -> None:
    if not holds:
        raise VerificationFailed(why=why)


class _Reading:
    """One proof in one network."""

    def __init__(self, proof: StatementProof, genesis: bytes) -> None:
        self.proof = proof
        self.genesis, self.chain = _network(genesis)
        _require(self.chain == proof.facts.chain, f"it is of chain {proof.facts.chain.hex()}")
        keys = tuple(bytes.fromhex(validator.vote_key) for validator in self.genesis.validators)
        self.trust = Trust(self.chain, keys, self.genesis.parameters.epoch_length, verify)
        for hop in proof.hops:
            self.trust.follow(hop)

    def facts(self) -> StatementFacts:
        shown = self.proof.facts
        _, retired = self._transaction(self.proof.retire)
        issues = [self._transaction(issue) for issue in self.proof.issues]
        named = [bundle.issue_txid for bundle in shown.bundles]
        _require([issue.txid for _, issue in issues] == list(dict.fromkeys(named)), "other issues than the facts name")
        digest = statement_hash(shown)
        actions = [a for a in retired.body_actions if isinstance(a, Retire) and a.statement_hash == digest]
        _require(len(actions) == 1, "the transaction does not retire anything under the hash of these facts")
        by_txid = {issue.txid: (header, issue) for header, issue in issues}
        _require(len(actions[0].ranges) == len(shown.bundles), "other ranges than were retired")
        bundles = tuple(
            self._bundle(taken, bundle, *by_txid[bundle.issue_txid])
            for taken, bundle in zip(actions[0].ranges, shown.bundles, strict=True)
        )
        again = self._again(actions[0], shown.holder_name, bundles)
        _require(again == shown, "the facts are not those of its transactions")
        return again

    def _again(self, action: Retire, holder_name: str, bundles: tuple[StatementBundle, ...]) -> StatementFacts:
        """The facts from what was signed; the holder's name alone stands in no transaction, but under the hash."""
        return StatementFacts(
            schema_version=SCHEMA_VERSION,
            registry_code=self.genesis.parameters.registry_code,
            chain=self.chain,
            holder=action.holder,
            holder_name=holder_name,
            beneficiary=action.beneficiary,
            purpose=action.purpose,
            note=action.note,
            consumption_from=action.consumption_from,
            consumption_to=action.consumption_to,
            jurisdiction=action.jurisdiction,
            total_wh=sum((bundle.end - bundle.start + 1) * bundle.face_value for bundle in bundles),
            bundles=bundles,
        )

    def _transaction(self, proven: ProvenTransaction) -> tuple[Header, DecodedTx]:
        """In a final block, at the place that its path leads to, and signed."""
        header = proven.headers[0]
        self.trust.require_final(header, proven.finalization, proven.headers[1:])
        digest = sha256(b"\x00" + proven.transaction).digest()
        for level, sibling in enumerate(proven.path):
            pair = sibling + digest if proven.sides >> level & 1 else digest + sibling
            digest = sha256(b"\x01" + pair).digest()
        reached = digest == header.tx_root and not proven.sides >> len(proven.path)
        _require(reached, f"a transaction is not in block {header.height}")
        decoded = decode_signed(proven.transaction)
        _require(decoded.transaction.body.chain == self.chain, "a transaction is of another chain")
        verify_signatures(decoded)
        return header, decoded

    def _bundle(
        self, taken: RetiredRange, shown: StatementBundle, header: Header, source: DecodedTx
    ) -> StatementBundle:
        issue = _issue_of(taken, source)
        for day in issue.days:
            self._attested(issue, day)
        judged = [day.attestation for day in issue.days]
        days = [one for one in judged if one.release_wh] or judged
        released = sum(one.release_wh for one in judged)
        booked = issue.count * issue.face_value + issue.carry_out_wh + issue.netted_wh
        _require(issue.carry_in_wh + released == booked, "more was issued than was released")
        produced_from, produced_to = _produced(issue, days, taken)
        scheme = next((one for one in self.genesis.schemes if one.id == issue.scheme), None)
        _require(scheme is None or scheme.face_value_wh == issue.face_value, "another face value than the scheme's")
        _require({one.profile_hash for one in days} == {shown.profile_hash}, "another profile")
        return StatementBundle(
            issuance=taken.issuance,
            device=issue.device,
            start=taken.start,
            end=taken.end,
            month=issue.month,
            production_from=produced_from,
            production_to=produced_to,
            issued_at=header.timestamp_ms // 1_000,
            face_value=issue.face_value,
            unit=issue.unit,
            serial_digits=scheme.serial_digits if scheme is not None else shown.serial_digits,
            facts=issue.facts,
            verifier_version=days[0].verifier_version,
            profile_hash=shown.profile_hash,
            reasons=tuple(sorted({reason for one in days for reason in one.reasons})),
            issue_txid=source.txid,
        )

    def _attested(self, issue: Issue, day: AttestedDay) -> None:
        judged = day.attestation
        fits = judged.device == issue.device and (judged.verdict == ACCEPT or not judged.release_wh)
        _require(fits, f"nothing could be issued from day {judged.day}")
        validators = self.trust.validators(judged.epoch)
        message = attestation_bytes(self.chain, judged)
        places = [signed.validator for signed in day.signatures]
        rising = places == sorted(set(places)) and len(places) >= validators.quorum and places[-1] < validators.n
        _require(rising, f"day {judged.day} is not attested by a quorum")
        for signed in day.signatures:
            holds = verify(validators.vote_keys[signed.validator], message, signed.signature)
            _require(holds, f"a signature under day {judged.day} does not hold")


def _issue_of(taken: RetiredRange, source: DecodedTx) -> Issue:
    """The issue whose certificates these are."""
    for action in source.body_actions:
        if not isinstance(action, Issue) or action.device != taken.device:
            continue
        if action.first_serial <= taken.start <= taken.end < action.first_serial + action.count:
            return action
    raise VerificationFailed(why=f"certificates {taken.start}..{taken.end} were not issued there")


def _produced(issue: Issue, days: list[Attestation], taken: RetiredRange) -> tuple[int, int]:
    """When a range was produced: on the days of its issue, or where certificates are of 1 Wh in its hour."""
    if issue.face_value != 1:
        return day_start(days[0].day), day_start(days[-1].day + 1)
    serial = issue.first_serial
    for start, energy_wh in hourly([(one.day, one.hours_wh) for one in days], issue.netted_wh):
        if serial <= taken.start <= taken.end < serial + energy_wh:
            return start, start + HOUR_S
        serial += energy_wh
    raise VerificationFailed(why=f"certificates {taken.start}..{taken.end} are not of one hour of their issue")
