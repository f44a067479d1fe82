#!/usr/bin/env python3
"""Check a retirement statement offline: python verify_statement.py FILE --genesis genesis.json

Stands alone: Python 3.11, `msgpack` and `pynacl`, no code of the software that wrote the proof. Exit code 0: verified,
2: usage, 6: refused. From the file and the genesis of the network that you trust, it checks that
  1. the bytes are the one canonical MessagePack encoding of their value
  2. the chain id is the hash of your genesis
  3. each block that is named was finalised by a quorum of the validators of that genesis, or of those it handed over to
  4. the retire transaction and every issue behind it are in those blocks (RFC 6962), signed by their signers
  5. the retire transaction carries the hash of the facts, and each fact that these transactions know is what they say
  6. each day of those issues carries a quorum of the validators' attestations
"""

import json
import struct
import sys
from datetime import date
from hashlib import blake2b, sha256
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgpack
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

EPOCH_DAY, DAY_S, HOUR_S = date(1970, 1, 1).toordinal(), 86_400, 3_600
VERSION, FINALIZE, ACCEPT, MAX_BYTES, MAX_DEPTH = 2, 3, 0, 64 * 1024 * 1024, 12
encode = msgpack.packb

# The larger arrays of the format, by the names of their elements.
HEAD = "version epoch height parent_hash timestamp_ms proposer tx_root state_root validators_hash next_validators_hash"
RETIRE = "tag holder ranges beneficiary purpose note consumption_from consumption_to jurisdiction statement_hash"
ISSUE = "tag device owner scheme face_value unit month facts days carry_in_wh carry_out_wh first_serial count netted_wh"
ATTESTATION = """epoch device day step revision readings_root inputs_root profile_hash verifier_version verdict reasons
    release_wh energy_wh hours_wh"""
FACTS = """schema_version registry_code chain holder holder_name beneficiary purpose note consumption_from
    consumption_to jurisdiction total_wh bundles"""
BUNDLE = """issuance device start end month production_from production_to issued_at face_value unit serial_digits facts
    verifier_version profile_hash reasons issue_txid"""

# Elements whose type no hash covers: False would pass for 0, and an empty text for an empty array.
TYPED = {int: "kind epoch view parent_view sides validator", bytes: "bitmap", list: "hops issues path signatures"}
TYPES = {name: kind for kind, names in TYPED.items() for name in names.split()}


class NotProven(Exception):
    """Why the file does not prove its statement."""


def expect(holds: Any, otherwise: str) -> None:
    if not holds:
        raise NotProven(otherwise)


def verify_proof(data: bytes, genesis: bytes) -> dict[str, Any]:
    """The proven statement as JSON-able values, in the network of this genesis; NotProven with the reason otherwise."""
    try:
        proof = named(decode(data, "the file"), "tag version hops facts retire issues", "the file")
        expect([proof["tag"], proof["version"]] == ["statement_proof", VERSION], "it is of another kind or version")
        network = Network(genesis, named(proof["facts"], FACTS, "the facts")["chain"])
        for hop in proof["hops"]:
            network.hop(hop)
        return network.statement(proof)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, struct.error) as error:
        raise NotProven(f"the file or the genesis is not of the form that is expected: {error!r}") from None


def decode(data: bytes, what: str) -> Any:
    """The value whose one canonical encoding `data` is: arrays, integers, strings, bytes, booleans and nil."""
    expect(len(data) <= MAX_BYTES, f"{what} has more than {MAX_BYTES} bytes")
    value = msgpack.unpackb(data)
    expect(allowed(value, MAX_DEPTH), f"{what} holds a type that the format does not have, or is nested too deeply")
    expect(encode(value) == data, f"{what} is not the shortest encoding of its value")
    return value


def allowed(value: Any, depth: int) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(allowed(item, depth - 1) for item in value)
    return value is None or isinstance(value, bool | int | str | bytes)


def blake(tag: str, data: bytes) -> bytes:
    return blake2b(data, digest_size=32, person=tag.encode("ascii")).digest()


def named(value: Any, names: str, what: str) -> dict[str, Any]:
    """An array by the names of its elements: exactly as many as there are names."""
    expect(isinstance(value, list) and len(value) == len(names.split()), f"{what} is not an array of «{names}»")
    elements = dict(zip(names.split(), value, strict=True))
    for name, item in elements.items():
        expect(type(item) is TYPES.get(name, type(item)), f"«{name}» of {what} is not of the right type")
    return elements


def agree(facts: dict[str, Any], said: dict[str, Any]) -> None:
    """Each fact that goes by the same name in a transaction is the same there."""
    for name in [name for name in facts if name in said]:
        expect(encode(facts[name]) == encode(said[name]), f"the fact «{name}» is {facts[name]!r}, not {said[name]!r}")


class Network:
    """Chain id and validators by epoch, from the genesis and the hops of a file; what they made final and vouch for."""

    def __init__(self, genesis: bytes, chain: bytes) -> None:
        value = json.loads(genesis.decode("utf-8"))
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        self.chain = blake("wattest/genesis", canonical.encode("ascii"))  # what is used below is what is hashed here
        expect(self.chain == chain, f"the file is of chain {chain.hex()}, your genesis is chain {self.chain.hex()}")
        self.rules, self.schemes, self.signatures = value["parameters"], value["schemes"], 0
        self.keys = [[bytes.fromhex(validator["vote_key"]) for validator in value["validators"]]]
        self.steps = [f"your genesis is that of chain {self.chain.hex()}; it names {len(self.keys[0])} validators"]

    def hop(self, values: Any) -> None:
        """The end of the last known epoch hands over to the next validators."""
        hop = named(values, "header finalization next_vote_keys", "a hop")
        header, keys = self.final([hop["header"]], hop["finalization"]), hop["next_vote_keys"]
        expect(header["epoch"] == len(self.keys) - 1, "the hops are not one for each epoch in order")
        known = blake("wattest/valset", encode(keys)) == header["next_validators_hash"]
        expect(known, "the next validators are not those that the epoch's last block names")
        self.keys.append(keys)
        self.steps.append(f"block {header['height']} ended epoch {len(self.keys) - 2}; {len(keys)} validators follow")

    def signed(self, message: bytes, keys: list[bytes], signatures: list[bytes], what: str) -> None:
        expect(len(keys) == len(signatures), f"{what} does not carry one signature for each signer")
        for key, signature in zip(keys, signatures, strict=True):
            try:
                VerifyKey(key).verify(message, signature or b"")  # raises too where they have not 32 and 64 bytes
            except (CryptoError, TypeError, ValueError):
                raise NotProven(f"a signature of {what} does not hold") from None
        self.signatures += len(keys)

    def by_quorum(self, epoch: int, places: list[int], message: bytes, signatures: list[bytes], what: str) -> Any:
        """The keys of the epoch's validators: a quorum of them, each counted once, signed the message."""
        expect(0 <= epoch < len(self.keys), f"the validators of epoch {epoch} do not follow from the file")
        keys = self.keys[epoch]
        quorum, distinct = len(keys) - (len(keys) - 1) // 3, sorted(set(places) & set(range(len(keys))))
        signers = f"{what} is signed by validators {places} of {len(keys)}"
        expect(places == distinct and len(places) >= quorum, f"{signers}, the quorum is {quorum}")
        self.signed(message, [keys[place] for place in places], signatures, what)
        return keys

    def final(self, headers: list[Any], finalization: Any) -> dict[str, Any]:
        """The first of the headers, found final: they link up to the block that the Finalization names."""
        hashes = [blake("wattest/header", encode(values)) for values in headers]
        chained = [named(values, HEAD, "a header") for values in headers]
        for parent, one in zip(hashes[:-1], chained[1:], strict=True):
            follows = [one["parent_hash"], one["epoch"]] == [parent, chained[0]["epoch"]]
            expect(follows, f"header {one['height']} does not follow the one before it")
        first, what = chained[0], f"the finalization of block {chained[0]['height']}"
        votes = named(finalization, "kind epoch view parent_view block_hash bitmap signatures", what)
        place = [votes["kind"], votes["epoch"], votes["block_hash"]]
        expect(place == [FINALIZE, first["epoch"], hashes[-1]], f"{what} is not of it or a descendant that is shown")
        bits, size = int.from_bytes(votes["bitmap"], "little"), len(votes["bitmap"])
        places = [place for place in range(8 * size) if bits >> place & 1]
        position = struct.pack(">BQQQ", FINALIZE, votes["epoch"], votes["view"], votes["parent_view"])
        message = b"wattest/vote/1\0" + self.chain + position + hashes[-1]
        keys = self.by_quorum(votes["epoch"], places, message, votes["signatures"], what)
        expect(size == (len(keys) + 7) // 8, f"the bitmap of {what} does not fit the validators")
        ours = blake("wattest/valset", encode(keys)) == first["validators_hash"]
        expect(ours, f"block {first['height']} was not made by the validators of this network")
        return first

    def transaction(self, values: Any, what: str) -> dict[str, Any]:
        """What it does and when, after its place in a final block and its own signatures were checked."""
        proven = named(values, "transaction path sides headers finalization", what)
        header = self.final(proven["headers"], proven["finalization"])
        digest, sides = sha256(b"\x00" + proven["transaction"]).digest(), proven["sides"]
        for sibling in proven["path"]:
            digest = sha256(b"\x01" + (sibling + digest if sides & 1 else digest + sibling)).digest()
            sides >>= 1
        expect(digest == header["tx_root"] and not sides, f"{what} is not in block {header['height']}")
        transaction = named(decode(proven["transaction"], what), "body signatures", what)
        body = named(transaction["body"], "chain signers actions expiry_height salt", what)
        expect(body["chain"] == self.chain, f"{what} is of another chain")
        packed, signers = encode(transaction["body"]), body["signers"]
        self.signed(b"wattest/tx\0" + self.chain + packed, signers, transaction["signatures"], what)
        txid, votes, keys = blake("wattest/tx", packed), proven["finalization"][-1], self.keys[header["epoch"]]
        final = f"block {header['height']}, made final by {len(votes)} of {len(keys)} validators"
        self.steps.append(f"{what} {txid.hex()} is in {final}; signatures of its own: {len(signers)}")
        return {"txid": txid, "actions": body["actions"], "height": header["height"], "time_ms": header["timestamp_ms"]}

    def statement(self, proof: dict[str, Any]) -> dict[str, Any]:
        """The facts of a proof, after each was found in the transactions; the answer."""
        facts, statement_hash = named(proof["facts"], FACTS, "the facts"), blake("wattest/stmt", encode(proof["facts"]))
        retired = self.transaction(proof["retire"], "the retire transaction")
        issues = [self.transaction(issue, "an issue transaction") for issue in proof["issues"]]
        claims = [action for action in retired["actions"] if action[0] == "retire" and action[-1] == statement_hash]
        expect(len(claims) == 1, "the transaction does not retire anything under the hash of these facts")
        claim = named(claims[0], RETIRE, "the retire action")
        bundles = [named(bundle, BUNDLE, "a bundle") for bundle in facts["bundles"]]
        total_wh = sum((bundle["end"] - bundle["start"] + 1) * bundle["face_value"] for bundle in bundles)
        agree(facts, claim | {"schema_version": 1, "registry_code": self.rules["registry_code"], "total_wh": total_wh})
        expect(len(claim["ranges"]) == len(bundles), "the facts do not list the ranges that were retired")
        txids = list(dict.fromkeys(bundle["issue_txid"] for bundle in bundles))
        expect([one["txid"] for one in issues] == txids, "the issue transactions are not exactly those of the facts")
        for bundle, taken in zip(bundles, claim["ranges"], strict=True):
            agree(bundle, named(taken, "outpoint issuance device start end production_from production_to", "a range"))
            self.bundle(bundle, issues[txids.index(bundle["issue_txid"])])
        self.steps.append("every fact is what these transactions say, under the hash that was retired")
        answer = {"schema": "verified_statement/1", "verified": True, "statement_id": statement_hash[:16].hex()}
        answer |= {"statement_hash": statement_hash.hex(), "chain_id": self.chain.hex(), "network": self.rules["name"]}
        answer |= {"txid": retired["txid"].hex(), "height": retired["height"], "time_ms": retired["time_ms"]}
        answer |= {name: facts[name] for name in ("holder", "holder_name", "purpose", "note", "jurisdiction")}
        answer |= {name: str(facts[name]) for name in ("consumption_from", "consumption_to", "total_wh")}
        answer["beneficiary"] = named(facts["beneficiary"], "name id location country", "the beneficiary")
        answer["certificates"] = [self.certificate(bundle) for bundle in bundles]
        return answer | {"signatures": self.signatures, "steps": self.steps}

    def bundle(self, bundle: dict[str, Any], source: dict[str, Any]) -> None:
        """A range against the issue that it was born in."""
        device, start, end = bundle["device"], bundle["start"], bundle["end"]
        serials = f"certificates {start}..{end} of device {device}"
        issues = [named(one, ISSUE, "the issue action") for one in source["actions"] if one[:2] == ["issue", device]]
        issues = [one for one in issues if one["first_serial"] <= start <= end < one["first_serial"] + one["count"]]
        expect(issues, f"{serials} were not issued there")
        issue, first = issues[0], issues[0]["first_serial"]
        days = [self.day(issue, named(day, "attestation signatures", "a day")) for day in issue["days"]]
        accepted = [day for day in days if day["release_wh"]] or days  # carries alone can make one whole
        produced = [(accepted[0]["day"] * DAY_S, (accepted[-1]["day"] + 1) * DAY_S)]
        if issue["face_value"] == 1:  # of one hour: each has the serials of its energy, after what paid a debt first
            hours = [(day["day"] * 24 + hour, wh) for day in accepted for hour, wh in enumerate(day["hours_wh"])]
            after = [first + max(0, wh - issue["netted_wh"]) for wh in accumulate(wh for _, wh in hours)]
            spans = zip(hours, [first, *after], after, strict=False)
            produced = [(at * HOUR_S, (at + 1) * HOUR_S) for (at, _), low, high in spans if low <= start <= end < high]
        expect(produced, f"{serials} are not of one hour of their issue")
        said = issue | accepted[0] | {"production_from": produced[0][0], "production_to": produced[0][1]}
        said["reasons"] = sorted({reason for day in accepted for reason in day["reasons"]})
        for day in accepted:
            agree(bundle, said | {"issued_at": source["time_ms"] // 1_000, "profile_hash": day["profile_hash"]})
        for scheme in [one for one in self.schemes if one["id"] == issue["scheme"]]:  # none for one that came later
            agree(bundle, {"serial_digits": scheme["serial_digits"], "face_value": scheme["face_value_wh"]})
        released = issue["carry_in_wh"] + sum(day["release_wh"] for day in days)
        booked = issue["count"] * issue["face_value"] + issue["carry_out_wh"] + issue["netted_wh"]
        expect(booked == released, f"{booked} Wh of certificates issued, {released} Wh were released for them")

    def day(self, issue: dict[str, Any], attested: dict[str, Any]) -> dict[str, Any]:
        """An attested day: a quorum of distinct validators signed the same verdict."""
        day = named(attested["attestation"], ATTESTATION, "an attestation")
        what = f"the attestation of day {day['day']}"
        fits = day["device"] == issue["device"] and (day["verdict"] == ACCEPT or not day["release_wh"])
        expect(fits, f"{what} is not one that could be issued from")
        signers = [named(signer, "validator signature", "a signature") for signer in attested["signatures"]]
        places, signatures = [one["validator"] for one in signers], [one["signature"] for one in signers]
        message = b"wattest/attest\0" + self.chain + encode(attested["attestation"])
        keys = self.by_quorum(day["epoch"], places, message, signatures, what)
        when = f"{date.fromordinal(EPOCH_DAY + day['day'])}, plant {day['device']}: {day['energy_wh']} Wh measured"
        self.steps.append(f"{when}, {day['release_wh']} Wh released, signed by {len(places)} of {len(keys)} validators")
        return day

    def certificate(self, bundle: dict[str, Any]) -> dict[str, Any]:
        """Its number, such as WAT-DK-0001234-202611-000004567-16 (check digits: ISO 7064 MOD 97-10), and its facts."""
        name, _, country, _, location, _, technology, *_ = bundle["facts"]
        width, ends = bundle["serial_digits"], dict.fromkeys((bundle["start"], bundle["end"]))
        stem = f"{self.rules['registry_code']}-{country}-{bundle['device']:07d}-{bundle['month']:06d}-"
        stem += "/".join(f"{end:0{width}d}" for end in ends)
        digits = "".join(str(int(character, 36)) for character in stem if character not in "-/")
        shown = {key: str(bundle[key]) for key in ("production_from", "production_to", "issued_at", "face_value")}
        shown |= {"quantity": str(bundle["end"] - bundle["start"] + 1), "face_value_wh": shown.pop("face_value")}
        shown |= {"number": f"{stem}-{98 - int(digits) * 100 % 97:02d}", "device": bundle["device"]}
        return shown | {"device_name": name, "location": location, "technology": technology, "unit": bundle["unit"]}


def in_words(answer: dict[str, Any]) -> str:
    claim = f"{answer['beneficiary']['name']} ({answer['purpose']}), {int(answer['total_wh']) / 1e6:,.6g} MWh"
    lines = [f"VERIFIED  statement {answer['statement_id']} of network {answer['network']}", f"  retired for   {claim}"]
    lines += [f"  by            {answer['holder_name']} (participant {answer['holder']})"]
    lines += [f"  certificates  {item['number']}  {item['device_name']}" for item in answer["certificates"]]
    lines += [f"  {number:>2}. {step}" for number, step in enumerate(answer["steps"], 1)]
    return "\n".join([*lines, f"  signatures    {answer['signatures']} checked"])


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[2] != "--genesis":
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        print(in_words(verify_proof(Path(sys.argv[1]).read_bytes(), Path(sys.argv[3]).read_bytes())))
    except (NotProven, OSError) as reason:
        print(f"NOT VERIFIED: {reason}", file=sys.stderr)
        sys.exit(6 if isinstance(reason, NotProven) else 2)
