#!/usr/bin/env python3
"""Check a retirement statement offline: a proof file in, the proven facts or a reason out.

    python verify_statement.py FILE --genesis genesis.json [--json]

Stands alone: copy this one file anywhere that has Python 3.11, `msgpack` and `pynacl`. It shares no code with the
software that wrote the proof, so agreement is between two readers of the format and not one reader with itself.

What is checked, from the file and the genesis of the network that you trust:
  1. the bytes are the one canonical MessagePack encoding of their value (encoded again and compared)
  2. the chain id is the hash of your genesis (a file of version 1 carries one: without --genesis, compare its id)
  3. each block that is named was finalised by a quorum of the validators of that genesis
  4. the retire transaction and every issue behind it are in those blocks (RFC 6962), signed by their signers
  5. the hash of the facts is the one that the retire transaction carries, and each fact that these transactions know
     is equal to what they say: claim, ranges, device, energy, days, verifier, dates
  6. each day of those issues carries a quorum of the validators' attestations
Exit codes: 0 verified, 2 usage, 6 verification failed.
"""

import argparse
import hashlib
import json
import struct
import sys
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import msgpack
from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

HOUR_S = 3_600
DAY_S = 86_400
EPOCH_DAY = date(1970, 1, 1).toordinal()
MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 12
EXIT_FAILED = 6

NOTARIZE, NULLIFY, FINALIZE = 1, 2, 3
ACCEPT = 0

VOTE_LAYOUT = ">15s32sBQQQ32s"
VOTE_TAG = b"wattest/vote/1\0"

# Arrays of the format, by the names of their elements. Tagged ones begin with their tag.
PROOF = {1: "tag version genesis hops facts retire issues", 2: "tag version hops facts retire issues"}
PROVEN = "transaction path sides headers finalization"
HOP = "header finalization next_vote_keys"
HEADER = (
    "version epoch height parent_hash timestamp_ms proposer tx_root state_root validators_hash next_validators_hash"
)
QUORUM = "kind epoch view parent_view block_hash bitmap signatures"
TRANSACTION = "body signatures"
BODY = "chain signers actions expiry_height salt"
RETIRE = "tag holder ranges beneficiary purpose note consumption_from consumption_to jurisdiction statement_hash"
RANGE = "outpoint issuance device start end production_from production_to"
ISSUE = "tag device owner scheme face_value unit month facts days carry_in_wh carry_out_wh first_serial count netted_wh"
DAY = "attestation signatures"
ATTESTATION = (
    "epoch device day step revision readings_root inputs_root profile_hash verifier_version verdict reasons "
    "release_wh energy_wh hours_wh"
)
FACTS = (
    "schema_version registry_code chain holder holder_name beneficiary purpose note consumption_from consumption_to "
    "jurisdiction total_wh bundles"
)
BUNDLE = (
    "issuance device start end month production_from production_to issued_at face_value unit serial_digits facts "
    "verifier_version profile_hash reasons issue_txid"
)
DEVICE = (
    "name gsrn country zone location fuel technology capacity_w commissioned_day interval_s channels latitude_udeg "
    "longitude_udeg coordinates_estimated tilt_udeg azimuth_udeg hub_height_cm insolation_source support"
)
BENEFICIARY = "name id location country"


# What reading a file of another shape can raise, beside the refusals that are worded below.
MISSHAPEN = (
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    struct.error,
)


class NotProven(Exception):
    """Why the file does not prove its statement."""


def verify_proof(data: bytes, genesis: bytes | None = None) -> dict[str, Any]:
    """The proven statement as JSON-able values; NotProven with the reason otherwise.

    `genesis` is the JSON of the network that is trusted. Without it the genesis inside a file of version 1 is taken,
    and whoever reads the answer must compare `chain_id` with the one that he trusts.
    """
    try:
        return _verify(data, genesis)
    except NotProven:
        raise
    except MISSHAPEN as error:
        raise NotProven(f"the file is not of the form that is expected ({type(error).__name__}: {error})") from None


def _verify(data: bytes, genesis: bytes | None) -> dict[str, Any]:
    value = decode(data, "the file")
    if not isinstance(value, list) or value[:1] != ["statement_proof"] or type(value[1]) is not int:
        fail("this is no statement proof")
    if value[1] not in PROOF:
        fail(f"this is a statement proof of version {value[1]}, which this verifier does not know")
    proof = named(value, PROOF[value[1]], "the file")
    typed(proof, list, "hops issues facts", "the file")
    network = Network(proof.get("genesis"), genesis, proof["facts"][FACTS.split().index("chain")])
    for hop in proof["hops"]:
        network.hop(named(hop, HOP, "hop"))
    statement_hash = blake("wattest/stmt", encode(proof["facts"]))
    facts = named(proof["facts"], FACTS, "facts")
    retired = network.transaction(named(proof["retire"], PROVEN, "retire"), "the retire transaction")
    issues = [network.transaction(named(issue, PROVEN, "issue"), "an issue transaction") for issue in proof["issues"]]
    check_claim(network, facts, retired, statement_hash)
    bundles = [named(bundle, BUNDLE, "bundle") for bundle in facts["bundles"]]
    if [issue.txid for issue in issues] != list(dict.fromkeys(bundle["issue_txid"] for bundle in bundles)):
        fail("the issue transactions are not exactly those that the facts name")
    origin = {issue.txid: issue for issue in issues}
    for bundle in bundles:
        check_bundle(network, bundle, origin[bundle["issue_txid"]])
    if facts["total_wh"] != sum((bundle["end"] - bundle["start"] + 1) * bundle["face_value"] for bundle in bundles):
        fail("the total energy is not the sum of the bundles")
    network.steps.append("every fact of the statement is what these transactions say, under the hash that was retired")
    return report(network, facts, bundles, retired, statement_hash, given=genesis is not None)


# --- bytes


def decode(data: bytes, what: str) -> Any:
    """The value whose one canonical encoding `data` is: arrays, integers, strings, bytes, booleans and nil."""
    if len(data) > MAX_BYTES:
        fail(f"{what} has more than {MAX_BYTES} bytes")
    try:
        value = msgpack.unpackb(data, raw=False, use_list=True)
    except Exception as error:  # the library raises classes without a common base for broken input
        fail(f"{what} is not MessagePack ({type(error).__name__})")
    allowed(value, MAX_DEPTH, what)
    if encode(value) != data:
        fail(f"{what} is not the shortest encoding of its value")
    return value


def allowed(value: Any, depth: int, what: str) -> None:
    if isinstance(value, list):
        if depth == 0:
            fail(f"{what} is nested too deeply")
        for item in value:
            allowed(item, depth - 1, what)
    elif not (value is None or isinstance(value, bool | int | str | bytes)):
        fail(f"{what} holds a {type(value).__name__}, which the format does not have")


def encode(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def blake(tag: str, data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32, person=tag.encode("ascii")).digest()


def named(value: Any, names: str, what: str) -> dict[str, Any]:
    """An array by the names of its elements; exactly as many as there are names."""
    keys = names.split()
    if not isinstance(value, list) or len(value) != len(keys):
        fail(f"{what} is not an array of {len(keys)}")
    return dict(zip(keys, value, strict=True))


def typed(values: dict[str, Any], kind: type, names: str, what: str) -> None:
    """These elements are exactly of this type: False would pass for 0 and an empty text for an empty array."""
    for name in names.split():
        if type(values[name]) is not kind:
            fail(f"«{name}» of {what} is not of the right type")


def signed_by(key: bytes, message: bytes, signature: bytes) -> bool:
    if not isinstance(key, bytes) or not isinstance(signature, bytes) or len(key) != 32 or len(signature) != 64:
        return False
    try:
        crypto_sign_open(signature + message, key)
    except (CryptoError, ValueError, TypeError, RuntimeError):
        return False
    return True


def fail(why: str) -> NoReturn:
    raise NotProven(why)


# --- the network: its genesis, its validators, what they made final


class Proven:
    """A transaction that was found signed and final."""

    def __init__(self, txid: bytes, actions: list[Any], header: dict[str, Any]) -> None:
        self.txid = txid
        self.actions = actions
        self.height: int = header["height"]
        self.time_ms: int = header["timestamp_ms"]


class Network:
    """Chain id and validators by epoch, from a genesis and the hops of a file."""

    def __init__(self, inside: bytes | None, given: bytes | None, chain: bytes) -> None:
        if inside is None and given is None:
            fail(f"the file is of chain {chain.hex()} and does not carry its genesis: give it with --genesis")
        if inside is not None and dump(canonical_json(inside, "the genesis in the file")) != inside:
            fail("the genesis in the file is not in its canonical form")
        if inside is not None and blake("wattest/genesis", inside) != chain:
            fail("the genesis in the file is not the one of its chain")
        value = canonical_json(inside if given is None else given, "your genesis")
        self.chain = blake("wattest/genesis", dump(value))
        if self.chain != chain:
            fail(f"the file is of chain {chain.hex()}, your genesis is chain {self.chain.hex()}")
        self.registry_code: str = value["parameters"]["registry_code"]
        self.name: str = value["parameters"]["name"]
        self.schemes = {scheme["id"]: scheme for scheme in value["schemes"]}
        self.keys = [[bytes.fromhex(validator["vote_key"]) for validator in value["validators"]]]
        self.signatures = 0
        source = "the genesis inside the file: compare its chain id" if given is None else "your genesis"
        self.steps = [f"{source} is that of chain {self.chain.hex()}; it names {len(self.keys[0])} validators"]

    def hop(self, hop: dict[str, Any]) -> None:
        """The end of the last known epoch hands over to the next validators."""
        header = named(hop["header"], HEADER, "header")
        if header["epoch"] != len(self.keys) - 1:
            fail("the hops are not one for each epoch in order")
        self.final([hop["header"]], hop["finalization"])
        if blake("wattest/valset", encode(hop["next_vote_keys"])) != header["next_validators_hash"]:
            fail("the next validators are not those that the epoch's last block names")
        self.keys.append(hop["next_vote_keys"])
        ended, count = header["epoch"], len(hop["next_vote_keys"])
        self.steps.append(f"epoch {ended} ended with block {header['height']}, which hands over to {count} validators")

    def validators(self, epoch: int) -> list[bytes]:
        if isinstance(epoch, bool) or not 0 <= epoch < len(self.keys):
            fail(f"the validators of epoch {epoch} do not follow from the file")
        return self.keys[epoch]

    def quorum(self, epoch: int) -> int:
        count = len(self.validators(epoch))
        return count - (count - 1) // 3

    def final(self, headers: list[Any], finalization: Any) -> dict[str, Any]:
        """The first of the headers, found final: they link up to the block that the Finalization names."""
        first = named(headers[0], HEADER, "header")
        expected = blake("wattest/header", encode(headers[0]))
        for values in headers[1:]:
            header = named(values, HEADER, "header")
            if header["parent_hash"] != expected or header["epoch"] != first["epoch"]:
                fail(f"header {header['height']} does not follow the one before it")
            expected = blake("wattest/header", encode(values))
        votes = named(finalization, QUORUM, "finalization")
        typed(votes, int, "kind epoch view parent_view", "a finalization")
        typed(votes, bytes, "block_hash bitmap", "a finalization")
        typed(votes, list, "signatures", "a finalization")
        keys = self.validators(first["epoch"])
        if blake("wattest/valset", encode(keys)) != first["validators_hash"]:
            fail(f"block {first['height']} was not made by the validators of this network")
        if votes["kind"] != FINALIZE or votes["epoch"] != first["epoch"] or votes["block_hash"] != expected:
            fail(f"the finalization is not of block {first['height']} or a descendant that is shown")
        self._check_votes(votes, keys)
        return first

    def _check_votes(self, votes: dict[str, Any], keys: list[bytes]) -> None:
        bitmap = votes["bitmap"]
        signers = [i for i in range(8 * len(bitmap)) if bitmap[i // 8] >> (i % 8) & 1]
        if len(bitmap) != (len(keys) + 7) // 8 or (signers and signers[-1] >= len(keys)):
            fail("the bitmap of a finalization does not fit the validators")
        if len(signers) != len(votes["signatures"]) or len(signers) < self.quorum(votes["epoch"]):
            fail(f"{len(signers)} validators signed a finalization, the quorum is {self.quorum(votes['epoch'])}")
        message = struct.pack(
            VOTE_LAYOUT,
            VOTE_TAG,
            self.chain,
            FINALIZE,
            votes["epoch"],
            votes["view"],
            votes["parent_view"],
            votes["block_hash"],
        )
        for signer, signature in zip(signers, votes["signatures"], strict=True):
            self.check_signature(keys[signer], message, signature, f"validator {signer}'s vote")

    def check_signature(self, key: bytes, message: bytes, signature: bytes, what: str) -> None:
        if not signed_by(key, message, signature):
            fail(f"the signature of {what} does not hold")
        self.signatures += 1

    def transaction(self, proven: dict[str, Any], what: str) -> Proven:
        """The transaction, after its place in a final block and its own signatures were checked."""
        typed(proven, bytes, "transaction", what)
        typed(proven, list, "path headers", what)
        typed(proven, int, "sides", what)
        raw = proven["transaction"]
        header = self.final(proven["headers"], proven["finalization"])
        digest = hashlib.sha256(b"\x00" + raw).digest()
        sides = proven["sides"]
        for level, sibling in enumerate(proven["path"]):
            left = sides >> level & 1
            digest = hashlib.sha256(b"\x01" + (sibling + digest if left else digest + sibling)).digest()
        if sides >> len(proven["path"]) or digest != header["tx_root"]:
            fail(f"{what} is not in block {header['height']}")
        transaction = named(decode(raw, what), TRANSACTION, what)
        body = named(transaction["body"], BODY, what)
        if body["chain"] != self.chain:
            fail(f"{what} is of another chain")
        if len(body["signers"]) != len(transaction["signatures"]):
            fail(f"{what} does not carry one signature for each signer")
        message = b"wattest/tx\0" + self.chain + encode(transaction["body"])
        for key, signature in zip(body["signers"], transaction["signatures"], strict=True):
            self.check_signature(key, message, signature, f"a signer of {what}")
        found = Proven(blake("wattest/tx", encode(transaction["body"])), body["actions"], header)
        signers = len(proven["finalization"][-1])
        count = len(self.validators(header["epoch"]))
        self.steps.append(
            f"{what} {found.txid.hex()[:16]} is in block {found.height}, "
            f"made final by {signers} of {count} validators; signatures of its own: {len(body['signers'])}"
        )
        return found


def canonical_json(data: bytes | None, what: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            fail(f"{what} names a key twice")
        return dict(pairs)

    def refuse(text: str) -> NoReturn:
        fail(f"{what} holds {text}, which is no integer")

    try:
        return json.loads(
            (data or b"").decode("utf-8"), object_pairs_hook=unique, parse_float=refuse, parse_constant=refuse
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        fail(f"{what} is not JSON")


def dump(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


# --- facts against transactions


def check_claim(network: Network, facts: dict[str, Any], retired: Proven, statement_hash: bytes) -> None:
    """The retire action names this statement, and repeats the claim word for word."""
    claims = [
        named(action, RETIRE, "the retire action")
        for action in retired.actions
        if action[0] == "retire" and action[-1] == statement_hash
    ]
    if len(claims) != 1:
        fail("the transaction does not retire anything under the hash of these facts")
    claim = claims[0]
    if facts["schema_version"] != 1 or facts["chain"] != network.chain:
        fail("the facts are of another chain or version")
    equal("registry code", facts["registry_code"], network.registry_code)
    for name in ("holder", "beneficiary", "purpose", "note", "consumption_from", "consumption_to", "jurisdiction"):
        equal(name, facts[name], claim[name])
    if len(claim["ranges"]) != len(facts["bundles"]):
        fail("the facts do not list the ranges that were retired")
    for values, bundle in zip(claim["ranges"], facts["bundles"], strict=True):
        retired_range, listed = named(values, RANGE, "range"), named(bundle, BUNDLE, "bundle")
        for name in ("issuance", "device", "start", "end", "production_from", "production_to"):
            equal(name, listed[name], retired_range[name])


def check_bundle(network: Network, bundle: dict[str, Any], source: Proven) -> None:
    """A range against the issue that it was born in."""
    issues = [named(action, ISSUE, "the issue action") for action in source.actions if action[0] == "issue"]
    for issue in issues:
        last = issue["first_serial"] + issue["count"] - 1
        if issue["device"] == bundle["device"] and issue["first_serial"] <= bundle["start"] <= bundle["end"] <= last:
            break
    else:
        fail(f"certificates {bundle['start']}..{bundle['end']} of device {bundle['device']} were not issued there")
    scheme = network.schemes.get(issue["scheme"])
    if scheme is not None:  # one that was added later is vouched for by the transactions alone
        equal("serial digits", bundle["serial_digits"], scheme["serial_digits"])
        equal("face value", bundle["face_value"], scheme["face_value_wh"])
    for name in ("face_value", "unit", "month", "facts"):
        equal(name, bundle[name], issue[name])
    equal("date of issue", bundle["issued_at"], source.time_ms // 1_000)
    days = [check_day(network, issue, day) for day in issue["days"]]
    accepted = [day for day in days if day["release_wh"]] or days  # carries alone can make one whole
    start, end = produced(issue, accepted, bundle)
    equal("start of production", bundle["production_from"], start)
    equal("end of production", bundle["production_to"], end)
    equal("verifier version", bundle["verifier_version"], accepted[0]["verifier_version"])
    equal("reasons", bundle["reasons"], sorted({reason for day in accepted for reason in day["reasons"]}))
    energy_wh = issue["carry_in_wh"] + sum(day["release_wh"] for day in days)
    booked_wh = issue["count"] * issue["face_value"] + issue["carry_out_wh"] + issue["netted_wh"]
    equal("certificates issued", booked_wh, energy_wh)
    for day in accepted:
        equal("profile", bundle["profile_hash"], day["profile_hash"])


def produced(issue: dict[str, Any], days: list[dict[str, Any]], bundle: dict[str, Any]) -> tuple[int, int]:
    """When a range was produced: on the days of its issue, or where certificates are of 1 Wh in its hour."""
    if issue["face_value"] != 1:
        return days[0]["day"] * DAY_S, (days[-1]["day"] + 1) * DAY_S
    serial, paid = issue["first_serial"], issue["netted_wh"]
    for day in days:
        for hour, energy_wh in enumerate(day["hours_wh"]):
            left, paid = max(0, energy_wh - paid), max(0, paid - energy_wh)
            if serial <= bundle["start"] <= bundle["end"] < serial + left:
                start = day["day"] * DAY_S + hour * HOUR_S
                return start, start + HOUR_S
            serial += left
    fail(f"certificates {bundle['start']}..{bundle['end']} are not of one hour of their issue")


def check_day(network: Network, issue: dict[str, Any], values: Any) -> dict[str, Any]:
    """An attested day: a quorum of distinct validators signed the same verdict."""
    day = named(values, DAY, "day")
    judged = named(day["attestation"], ATTESTATION, "attestation")
    if judged["device"] != issue["device"] or (judged["release_wh"] and judged["verdict"] != ACCEPT):
        fail(f"the attestation of day {judged['day']} is not one that could be issued from")
    keys = network.validators(judged["epoch"])
    message = b"wattest/attest\0" + network.chain + encode(day["attestation"])
    signers = [named(signed, "validator signature", "signature") for signed in day["signatures"]]
    indexes = [signed["validator"] for signed in signers]
    if indexes != sorted(set(indexes)) or len(indexes) < network.quorum(judged["epoch"]):
        fail(f"day {judged['day']} is not attested by a quorum")
    for signed in signers:
        what = f"validator {signed['validator']}'s attestation of day {judged['day']}"
        if not 0 <= signed["validator"] < len(keys):
            fail(f"{what}: there is no such validator")
        network.check_signature(keys[signed["validator"]], message, signed["signature"], what)
    network.steps.append(
        f"{date.fromordinal(EPOCH_DAY + judged['day'])}, plant {judged['device']}: {len(indexes)} of {len(keys)} "
        f"validators signed {judged['energy_wh']} Wh measured, {judged['release_wh']} Wh released"
    )
    return judged


def equal(name: str, fact: Any, transaction: Any) -> None:
    if fact != transaction:
        fail(f"the fact «{name}» is {fact!r}, the transaction says {transaction!r}")


# --- the answer


def report(
    network: Network,
    facts: dict[str, Any],
    bundles: list[dict[str, Any]],
    retired: Proven,
    statement_hash: bytes,
    given: bool,
) -> dict[str, Any]:
    """Integers that may exceed 2^53 are strings."""
    return {
        "schema": "verified_statement/1",
        "verified": True,
        "statement_id": statement_hash[:16].hex(),
        "statement_hash": statement_hash.hex(),
        "chain_id": network.chain.hex(),
        "genesis": "given" if given else "in the file",
        "network": network.name,
        "txid": retired.txid.hex(),
        "height": retired.height,
        "time_ms": retired.time_ms,
        "holder": facts["holder"],
        "holder_name": facts["holder_name"],
        "beneficiary": named(facts["beneficiary"], BENEFICIARY, "beneficiary"),
        "purpose": facts["purpose"],
        "note": facts["note"],
        "consumption_from": str(facts["consumption_from"]),
        "consumption_to": str(facts["consumption_to"]),
        "jurisdiction": facts["jurisdiction"],
        "total_wh": str(facts["total_wh"]),
        "certificates": [certificate(facts["registry_code"], bundle) for bundle in bundles],
        "signatures": network.signatures,
        "steps": network.steps,
    }


def certificate(registry: str, bundle: dict[str, Any]) -> dict[str, Any]:
    device = named(bundle["facts"], DEVICE, "device")
    return {
        "number": number(registry, device["country"], bundle),
        "quantity": str(bundle["end"] - bundle["start"] + 1),
        "unit": bundle["unit"],
        "face_value_wh": str(bundle["face_value"]),
        "device": bundle["device"],
        "device_name": device["name"],
        "technology": device["technology"],
        "location": device["location"],
        "production_from": str(bundle["production_from"]),
        "production_to": str(bundle["production_to"]),
        "issued_at": str(bundle["issued_at"]),
        "reasons": bundle["reasons"],
    }


def number(registry: str, country: str, bundle: dict[str, Any]) -> str:
    """WAT-DK-0001234-202611-000004567-16, with the check digits of ISO 7064 MOD 97-10."""
    width = bundle["serial_digits"]
    serials = f"{bundle['start']:0{width}d}"
    if bundle["end"] != bundle["start"]:
        serials += f"/{bundle['end']:0{width}d}"
    stem = f"{registry}-{country}-{bundle['device']:07d}-{bundle['month']:06d}-{serials}"
    digits = "".join(str(int(character, 36)) for character in stem if character not in "-/")
    return f"{stem}-{98 - int(digits) * 100 % 97:02d}"


def in_words(answer: dict[str, Any]) -> str:
    lines = [
        f"VERIFIED  statement {answer['statement_id']}",
        f"  retired for   {answer['beneficiary']['name']} ({answer['purpose'].replace('_', ' ')})",
        f"  by            {answer['holder_name']} (participant {answer['holder']})",
        f"  energy        {int(answer['total_wh']) / 1e6:,.6g} MWh",
        *(f"  certificates  {item['number']}  {item['device_name']}" for item in answer["certificates"]),
        f"  final in      block {answer['height']}, transaction {answer['txid']}",
        f"  network       {answer['network']}, chain {answer['chain_id']}",
        f"  signatures    {answer['signatures']} checked",
        *(f"  {number:>2}. {step}" for number, step in enumerate(answer["steps"], 1)),
    ]
    if answer["genesis"] != "given":
        lines.append("  note          no --genesis was given: compare the chain id with the network that you trust")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="verify_statement.py", description="Check a retirement statement offline.")
    parser.add_argument("file", type=Path, help="the proof file")
    parser.add_argument("--genesis", type=Path, help="genesis.json of the network that you trust")
    parser.add_argument("--json", action="store_true", help="answer as one JSON object")
    given = parser.parse_args(arguments)
    try:
        data = given.file.read_bytes()
        genesis = given.genesis.read_bytes() if given.genesis else None
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    try:
        answer = verify_proof(data, genesis)
    except NotProven as reason:
        if given.json:
            print(json.dumps({"schema": "verified_statement/1", "verified": False, "reason": str(reason)}))
        print(f"NOT VERIFIED: {reason}", file=sys.stderr)
        return EXIT_FAILED
    print(json.dumps(answer) if given.json else in_words(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
