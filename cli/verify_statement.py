#!/usr/bin/env python3
"""Check a retirement statement offline: python verify_statement.py FILE --genesis genesis.json

Stands alone: Python 3.11, `msgpack` and `pynacl`, no code of the software that wrote the proof. Exit code 0: verified,
2: usage, 6: refused. From the file and the genesis of the network that you trust, it checks that
  1. the bytes are the one canonical MessagePack encoding of their value, and the chain id is the hash of your genesis
  2. each block that is named was finalised by a quorum of the validators of that genesis, or of those it handed over to
  3. the retire transaction and every issue behind it are in those blocks (RFC 6962), signed by their signers
  4. the retire transaction carries the hash of the facts, and each fact that these transactions know is what they say
  5. each day of those issues carries a quorum of the validators' attestations
"""

import json
import sys
from datetime import date
from hashlib import blake2b, sha256
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgpack
from nacl import exceptions, signing

EPOCH_DAY, DAY_S, HOUR_S = date(1970, 1, 1).toordinal(), 86_400, 3_600
VERSION, FINALIZE, ACCEPT, MAX_BYTES, MAX_LINE = 2, 3, 0, 64 * 1024 * 1024, 1_000
encode = msgpack.packb
# The larger arrays of the format: their elements in order, each after its type.
HEAD = """int version epoch height, bytes parent_hash, int timestamp_ms proposer, bytes tx_root state_root
    validators_hash next_validators_hash"""
VOTES = "int kind epoch view parent_view, bytes block_hash bitmap, list signatures"
RETIRE = """str tag, int holder, list ranges beneficiary, str purpose note, int consumption_from consumption_to,
    str jurisdiction, bytes statement_hash"""
RANGE = "bytes outpoint, int issuance device start end production_from production_to"
ISSUE = """str tag, int device owner scheme face_value, str unit, int month, list facts days,
    int carry_in_wh carry_out_wh first_serial count netted_wh"""
ATTESTATION = """int epoch device day step revision, bytes readings_root inputs_root profile_hash,
    int verifier_version verdict, list reasons, int release_wh energy_wh, list hours_wh"""
FACTS = """int schema_version, str registry_code, bytes chain, int holder, str holder_name, list beneficiary,
    str purpose note, int consumption_from consumption_to, str jurisdiction, int total_wh, list bundles"""
BUNDLE = """int issuance device start end month production_from production_to issued_at face_value, str unit,
    int serial_digits, list facts, int verifier_version, bytes profile_hash, list reasons, bytes issue_txid"""


class NotProven(Exception):
    """Why the file does not prove its statement."""


def expect(holds: Any, otherwise: str) -> None:
    if not holds:
        raise NotProven(otherwise)


def verify_proof(data: bytes, genesis: bytes) -> dict[str, Any]:
    """What is proven, in the network of this genesis; NotProven with the reason otherwise."""
    try:
        proof = named(decode(data, "the file"), "str tag, int version, list hops facts retire issues", "the file")
        expect([proof["tag"], proof["version"]] == ["statement_proof", VERSION], "it is of another kind or version")
        network = Network(genesis, named(proof["facts"], FACTS, "the facts")["chain"])
        for hop in proof["hops"]:
            network.hop(hop)
        return network.statement(proof)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise NotProven(f"the file or the genesis is not of the form that is expected: {error}") from None


def decode(data: bytes, what: str) -> Any:
    """The value whose one canonical encoding `data` is."""
    value = msgpack.unpackb(data[:MAX_BYTES])
    expect(encode(value) == data, f"{what} is not the shortest encoding of its value")
    return value


def named(value: Any, layout: str, what: str) -> dict[str, Any]:
    """An array by the names of its elements: as many as the layout has, of these very types (True is no int)."""
    typed = [(kind, name) for kind, *names in map(str.split, layout.split(",")) for name in names]
    fits = isinstance(value, list) and [type(item).__name__ for item in value] == [kind for kind, _ in typed]
    expect(fits, f"{what} is not an array of «{' '.join(layout.split())}»")
    return dict(zip([name for _, name in typed], value, strict=True))


def digest(tag: str, value: Any) -> bytes:
    return blake2b(encode(value), digest_size=32, person=f"wattest/{tag}".encode("ascii")).digest()


def agree(facts: dict[str, Any], said: dict[str, Any]) -> None:
    """Each fact that goes by the same name in a transaction is the same there."""
    for name in [name for name in facts if name in said]:
        expect(encode(facts[name]) == encode(said[name]), f"the fact «{name}» is {facts[name]!r}, not {said[name]!r}")


class Network:
    """Chain id and validators by epoch, from the genesis and the hops of a file; what they made final and vouch for."""

    def __init__(self, genesis: bytes, chain: bytes) -> None:
        value = json.loads(genesis.decode("utf-8"))  # what is used below is what is hashed here
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        self.chain = blake2b(canonical.encode("ascii"), digest_size=32, person=b"wattest/genesis").digest()
        expect(self.chain == chain, f"the file is of chain {chain.hex()}, your genesis is chain {self.chain.hex()}")
        self.rules, self.schemes, self.signatures = value["parameters"], value["schemes"], 0
        self.keys = [[bytes.fromhex(validator["vote_key"]) for validator in value["validators"]]]
        self.steps = [f"your genesis is that of chain {self.chain.hex()}; it names {len(self.keys[0])} validators"]

    def hop(self, values: Any) -> None:
        """The last block of the last known epoch hands over to the next validators."""
        hop = named(values, "list header finalization next_vote_keys", "a hop")
        (header, final), keys = self.final([hop["header"]], hop["finalization"]), hop["next_vote_keys"]
        ends = 0 < header["height"] == len(self.keys) * self.rules["epoch_length"]  # earlier ones name mere plans
        expect(ends and header["epoch"] == len(self.keys) - 1, f"the hops are not the ends of the epochs: {final}")
        expect(digest("valset", keys) == header["next_validators_hash"], f"the next validators are others: {final}")
        self.keys.append(keys)
        self.steps.append(f"epoch {header['epoch']} ended with {final}; {len(keys)} validators follow")

    def signed(self, message: bytes, keys: list[bytes], signatures: list[bytes], what: str) -> None:
        try:
            for key, signature in zip(keys, signatures, strict=True):
                signing.VerifyKey(key).verify(message, signature or b"")  # raises where their sizes are wrong, too
        except (exceptions.CryptoError, TypeError, ValueError):
            raise NotProven(f"{what} does not carry one signature for each signer, or one does not hold") from None
        self.signatures += len(keys)

    def by_quorum(self, epoch: int, seats: list[int], message: bytes, signatures: list[bytes], what: str) -> Any:
        """The keys of the epoch's validators: a quorum of them, each counted once, signed the message."""
        expect(0 <= epoch < len(self.keys), f"the validators of epoch {epoch} do not follow from the file")
        keys = self.keys[epoch]
        quorum, known = len(keys) - (len(keys) - 1) // 3, seats == sorted(set(seats) & set(range(len(keys))))
        expect(known and len(seats) >= quorum, f"{what} is signed by validators {seats}, the quorum is {quorum}")
        self.signed(message, [keys[seat] for seat in seats], signatures, what)
        return keys

    def final(self, headers: list[Any], finalization: Any) -> tuple[dict[str, Any], str]:
        """The first of the headers, and how it is final: they link up to the block that the Finalization names."""
        chained, hashes = [named(one, HEAD, "a header") for one in headers], [digest("header", one) for one in headers]
        first, epoch, block = chained[0], chained[0]["epoch"], f"block {chained[0]['height']}"
        what, votes = f"the finalization of {block}", named(finalization, VOTES, "a finalization")
        linked = [[one["parent_hash"], one["epoch"]] for one in chained[1:]] == [[one, epoch] for one in hashes[:-1]]
        meant = [votes["kind"], votes["epoch"], votes["block_hash"]] == [FINALIZE, epoch, hashes[-1]]
        expect(linked and meant, f"{what} is not of it or a descendant that is shown")
        position = b"".join(number.to_bytes(8, "big") for number in (epoch, votes["view"], votes["parent_view"]))
        message = b"wattest/vote/1\0" + self.chain + bytes([FINALIZE]) + position + hashes[-1]
        bits, size = int.from_bytes(votes["bitmap"], "little"), len(votes["bitmap"])
        seats = [seat for seat in range(8 * size) if bits >> seat & 1]
        keys = self.by_quorum(epoch, seats, message, votes["signatures"], what)
        expect(size == (len(keys) + 7) // 8, f"the bitmap of {what} does not fit the validators")
        expect(digest("valset", keys) == first["validators_hash"], f"{block} was not made by the validators in office")
        return first, f"{block}, made final by {len(seats)} of {len(keys)} validators"

    def transaction(self, values: Any, what: str) -> dict[str, Any]:
        """What it does and when, after its place in a final block and its own signatures were checked."""
        proven = named(values, "bytes transaction, list path, int sides, list headers finalization", what)
        (header, final), sides = self.final(proven["headers"], proven["finalization"]), proven["sides"]
        root = sha256(b"\x00" + proven["transaction"]).digest()
        for sibling in proven["path"]:
            root = sha256(b"\x01" + (sibling + root if sides & 1 else root + sibling)).digest()
            sides >>= 1
        expect(root == header["tx_root"] and not sides, f"{what} is not in block {header['height']}")
        transaction = named(decode(proven["transaction"], what), "list body signatures", what)
        body = named(transaction["body"], "bytes chain, list signers actions, int expiry_height, bytes salt", what)
        message, txid = b"wattest/tx\0" + self.chain + encode(transaction["body"]), digest("tx", transaction["body"])
        self.signed(message, body["signers"], transaction["signatures"], what)
        self.steps.append(f"{what} {txid.hex()} is in {final}; signatures of its own: {len(body['signers'])}")
        return {"txid": txid, "actions": body["actions"], "height": header["height"], "time_ms": header["timestamp_ms"]}

    def statement(self, proof: dict[str, Any]) -> dict[str, Any]:
        """The facts of a proof, after each was found in the transactions, and what was found out with them."""
        facts, statement_hash = named(proof["facts"], FACTS, "the facts"), digest("stmt", proof["facts"])
        retired = self.transaction(proof["retire"], "the retire transaction")
        issues = [self.transaction(issue, "an issue transaction") for issue in proof["issues"]]
        claims = [action for action in retired["actions"] if action[0] == "retire" and action[-1] == statement_hash]
        expect(len(claims) == 1, "the transaction does not retire anything under the hash of these facts")
        claim = named(claims[0], RETIRE, "the retire action")
        bundles = [named(bundle, BUNDLE, "a bundle") for bundle in facts["bundles"]]
        total_wh = sum((bundle["end"] - bundle["start"] + 1) * bundle["face_value"] for bundle in bundles)
        agree(facts, claim | {"schema_version": 1, "registry_code": self.rules["registry_code"], "total_wh": total_wh})
        txids = list(dict.fromkeys(bundle["issue_txid"] for bundle in bundles))
        expect([one["txid"] for one in issues] == txids, "the issue transactions are not exactly those of the facts")
        for bundle, taken in zip(bundles, claim["ranges"], strict=True):
            agree(bundle, named(taken, RANGE, "a range"))
            self.bundle(bundle, issues[txids.index(bundle["issue_txid"])])
        self.steps.append("every fact is what these transactions say, under the hash that was retired")
        proven = {"statement_hash": statement_hash, "network": self.rules["name"], "signatures": self.signatures}
        proven["bundles"] = [bundle | {"number": self.number(bundle)} for bundle in bundles]
        return facts | proven | retired | {"steps": self.steps}

    def bundle(self, bundle: dict[str, Any], source: dict[str, Any]) -> None:
        """A range against the issue that it was born in."""
        device, start, end = bundle["device"], bundle["start"], bundle["end"]
        serials = f"certificates {start}..{end} of device {device}"
        issues = [named(one, ISSUE, "the issue action") for one in source["actions"] if one[:2] == ["issue", device]]
        issues = [one for one in issues if one["first_serial"] <= start <= end < one["first_serial"] + one["count"]]
        expect(issues, f"{serials} were not issued there")
        issue, days = issues[0], [self.day(issues[0], day) for day in issues[0]["days"]]
        accepted = [day for day in days if day["release_wh"]] or days  # carries alone can make one whole
        produced = [(accepted[0]["day"] * DAY_S, (accepted[-1]["day"] + 1) * DAY_S)]
        if issue["face_value"] == 1:  # of one hour: each has the serials of its energy, after what paid a debt first
            hours = [(day["day"] * 24 + hour, wh) for day in accepted for hour, wh in enumerate(day["hours_wh"])]
            lows = accumulate((wh for _, wh in hours), initial=issue["first_serial"] - issue["netted_wh"])
            spans = [(at * HOUR_S, low, low + wh) for (at, wh), low in zip(hours, lows, strict=False)]
            produced = [(at, at + HOUR_S) for at, low, high in spans if low <= start <= end < high]
        expect(produced, f"{serials} are not of one hour of their issue")
        said = issue | accepted[0] | {"production_from": produced[0][0], "production_to": produced[0][1]}
        said["reasons"] = sorted({reason for day in accepted for reason in day["reasons"]})
        for day in accepted:
            agree(bundle, said | {"issued_at": source["time_ms"] // 1_000, "profile_hash": day["profile_hash"]})
        for scheme in [one for one in self.schemes if one["id"] == issue["scheme"]]:  # none for one that came later
            agree(bundle, {"serial_digits": scheme["serial_digits"], "face_value": scheme["face_value_wh"]})
        made = issue["count"] * issue["face_value"] + issue["carry_out_wh"] + issue["netted_wh"] - issue["carry_in_wh"]
        expect(made == sum(day["release_wh"] for day in days), f"{made} Wh of certificates issued from other energy")

    def day(self, issue: dict[str, Any], values: Any) -> dict[str, Any]:
        """An attested day: a quorum of distinct validators signed the same verdict."""
        attested = named(values, "list attestation signatures", "a day")
        day = named(attested["attestation"], ATTESTATION, "an attestation")
        what = f"the attestation of day {day['day']}"
        fits = day["device"] == issue["device"] and (day["verdict"] == ACCEPT or not day["release_wh"])
        expect(fits, f"{what} is not one that could be issued from")
        signers = [named(signer, "int validator, bytes signature", "a signature") for signer in attested["signatures"]]
        seats, signatures = [one["validator"] for one in signers], [one["signature"] for one in signers]
        message = b"wattest/attest\0" + self.chain + encode(attested["attestation"])
        keys = self.by_quorum(day["epoch"], seats, message, signatures, what)
        when = f"{date.fromordinal(EPOCH_DAY + day['day'])}, plant {day['device']}: {day['energy_wh']} Wh measured"
        self.steps.append(f"{when}, {day['release_wh']} Wh released, signed by {len(seats)} of {len(keys)} validators")
        return day

    def number(self, bundle: dict[str, Any]) -> str:
        """Such as WAT-DK-0001234-202611-000004567-16; the check digits are those of ISO 7064 MOD 97-10."""
        serials = [f"{end:0{bundle['serial_digits']}d}" for end in sorted({bundle["start"], bundle["end"]})]
        place = f"{self.rules['registry_code']}-{bundle['facts'][2]}-{bundle['device']:07d}-{bundle['month']:06d}"
        digits = "".join(str(int(character, 36)) for character in place + "".join(serials) if character != "-")
        return f"{place}-{'/'.join(serials)}-{98 - int(digits) * 100 % 97:02d}"


def in_words(proven: dict[str, Any]) -> str:
    lines = [f"VERIFIED  statement {proven['statement_hash'][:16].hex()} of network {proven['network']}"]
    lines += [f"  retired for   {proven['beneficiary'][0]} ({proven['purpose']}), {proven['total_wh'] / 1e6:,.6g} MWh"]
    lines += [f"  by            {proven['holder_name']} (participant {proven['holder']})"]
    lines += [f"  certificates  {bundle['number']}  {bundle['facts'][0]}" for bundle in proven["bundles"]]
    lines += [f"  {number:>2}. {step}" for number, step in enumerate(proven["steps"], 1)]
    return "\n".join(map(inert, [*lines, f"  signatures    {proven['signatures']} checked"]))


def inert(text: str) -> str:
    """One line of text that cannot steer the screen that shows it, nor turn its words round, whatever a file says."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text[:MAX_LINE])


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[2] != "--genesis":
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        words = in_words(verify_proof(Path(sys.argv[1]).read_bytes(), Path(sys.argv[3]).read_bytes()))
    except (NotProven, OSError) as reason:
        print(inert(f"NOT VERIFIED: {reason}"), file=sys.stderr)
        sys.exit(6 if isinstance(reason, NotProven) else 2)
    print(words)
