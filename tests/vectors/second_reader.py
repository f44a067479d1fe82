"""A second reader of the protocol, for its vectors: written from docs/PROTOCOL.md, with none of our packages.

    python tests/vectors/second_reader.py tests/vectors/protocol        needs msgpack, pynacl and blake3

Every value is built from its named fields and encoded by another MessagePack library; every hash, message, signature,
path, sum and quorum is computed again. `Differs` names what does not agree.
"""

import json
import struct
import sys
from collections.abc import Callable, Sequence
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

import msgpack
from blake3 import blake3
from nacl import bindings
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

NOTARIZE, NULLIFY, FINALIZE = 1, 2, 3
ZEROS = bytes(32)

Case = dict[str, Any]


class Differs(Exception):
    """A vector is not what the protocol says."""


def check(directory: Path) -> dict[str, int]:
    """Check every file; how many things were compared in each."""
    compared = {}
    for path in sorted(directory.glob("*.json")):
        reader = Reader(path.stem)
        CHECKS[path.stem](reader, json.loads(path.read_text()))
        compared[path.stem] = reader.compared
    if missing := CHECKS.keys() - compared.keys():
        raise Differs(f"no file for {', '.join(sorted(missing))}")
    return compared


class Reader:
    """Compares and counts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.compared = 0

    def equal(self, what: str, found: Any, computed: Any) -> None:
        if found != computed:
            raise Differs(f"{self.name}: {what}: {found!r} in the file, {computed!r} computed")
        self.compared += 1

    def holds(self, what: str, key: bytes, message: bytes, signature: bytes) -> None:
        try:
            VerifyKey(key).verify(message, signature)
        except (BadSignatureError, ValueError) as error:
            raise Differs(f"{self.name}: {what}: the signature does not hold") from error
        self.compared += 1


# --- values


def plain(value: Any) -> Any:
    """What MessagePack is made of: a struct is the array of its fields in order."""
    match value:
        case dict():
            return [plain(item) for item in value.values()]
        case list():
            return [plain(item) for item in value]
        case str() if value.startswith("0x"):
            return bytes.fromhex(value[2:])
        case str() if value.startswith("#"):
            return int(value[1:])
    return value


def packed(value: Any) -> bytes:
    data: bytes = msgpack.packb(plain(value), use_bin_type=True)
    return data


def hashed(tag: str, data: bytes) -> bytes:
    return blake2b(data, digest_size=32, person=tag.encode()).digest()


def message_of(tag: str, chain: bytes, data: bytes) -> bytes:
    return tag.encode() + b"\x00" + chain + data


# --- kinds of cases


def hash_case(read: Reader, case: Case) -> bytes:
    value = plain(case["value"])
    data = value if isinstance(value, bytes) else packed(case["value"])
    read.equal(f"{case['what']}: bytes", plain(case["bytes"]), data)
    digest = hashed(case["tag"], data)
    read.equal(f"{case['what']}: hash", plain(case["hash"]), digest)
    return digest


def signed_case(read: Reader, case: Case) -> None:
    data = packed(case["value"])
    read.equal(f"{case['what']}: bytes", plain(case["bytes"]), data)
    message = message_of(case["tag"], plain(case["chain"]), data)
    read.equal(f"{case['what']}: message", plain(case["message"]), message)
    signatures_of(read, case, message)


def signatures_of(read: Reader, case: Case, message: bytes) -> None:
    read.equal(f"{case['what']}: signatures", len(case["signatures"]), len(case["keys"]))
    for key, signature in zip(case["keys"], case["signatures"], strict=True):
        read.holds(case["what"], plain(key), message, plain(signature))
    for seed, key, signature in zip(case.get("seeds", ()), case["keys"], case["signatures"], strict=False):
        signer = SigningKey(plain(seed))
        read.equal(f"{case['what']}: public key", plain(key), bytes(signer.verify_key))
        read.equal(f"{case['what']}: made again", plain(signature), signer.sign(message).signature)


def vote_message(chain: bytes, vote: Case) -> bytes:
    return struct.pack(
        ">15s32sBQQQ32s",
        b"wattest/vote/1\0",
        chain,
        vote["kind"],
        vote["epoch"],
        vote["view"],
        vote["parent_view"],
        plain(vote["block_hash"]),
    )


def quorum_holds(read: Reader, what: str, chain: bytes, keys: Sequence[bytes], quorum: Case) -> None:
    bitmap, signatures = plain(quorum["bitmap"]), plain(quorum["signatures"])
    signers = [index for index in range(8 * len(bitmap)) if bitmap[index // 8] >> index % 8 & 1]
    read.equal(f"{what}: width of the bitmap", len(bitmap), (len(keys) + 7) // 8)
    read.equal(f"{what}: signatures", len(signatures), len(signers))
    read.equal(f"{what}: a quorum", True, len(keys) - (len(keys) - 1) // 3 <= len(signers) <= len(keys))
    message = vote_message(chain, quorum)
    for index, signature in zip(signers, signatures, strict=True):
        read.holds(f"{what}: validator {index}", keys[index], message, signature)


# --- files


def check_genesis(read: Reader, case: Case) -> None:
    canonical = json.dumps(case["reference"], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    read.equal("canonical text", case["text"], canonical)
    read.equal("chain", plain(case["chain"]), hashed(case["tag"], canonical.encode("ascii")))
    for index, keys in enumerate(case["keys"].values()):
        for purpose, key in keys.items():
            read.equal(purpose, plain(key).hex(), case["reference"]["validators"][index][purpose])


def check_votes(read: Reader, cases: list[Case]) -> None:
    for case in cases:
        message = vote_message(plain(case["chain"]), case["value"])
        read.equal("length", len(message), 104)
        read.equal("tag", plain(case["tag"]), message[:15])
        read.equal(f"{case['what']}: message", plain(case["message"]), message)
        read.equal(f"{case['what']}: bytes", plain(case["bytes"]), packed(case["value"]))
        read.equal(f"{case['what']}: signature", case["value"]["signature"], case["signatures"][0])
        signatures_of(read, case, message)
        if case["value"]["kind"] == NULLIFY:
            read.equal("block of a NULLIFY", plain(case["value"]["block_hash"]), ZEROS)


def check_quorums(read: Reader, cases: list[Case]) -> None:
    for case in cases:
        keys = plain(case["validators"])
        read.equal("validators", plain(case["validators_hash"]), hashed("wattest/valset", msgpack.packb(keys)))
        read.equal("q", case["quorum"], len(keys) - (len(keys) - 1) // 3)
        read.equal(f"{case['what']}: bytes", plain(case["bytes"]), packed(case["value"]))
        quorum_holds(read, case["what"], plain(case["chain"]), keys, case["value"])


def check_headers(read: Reader, case: Case) -> None:
    of_validators = hash_case(read, case["validators"])
    parent = ZEROS
    for header in case["headers"]:
        value = header["value"]
        read.equal(f"{header['what']}: parent", plain(value["parent_hash"]), parent)
        read.equal(f"{header['what']}: validators", plain(value["validators_hash"]), of_validators)
        parent = hash_case(read, header)
    keys = None
    for hop in case["hops"]:
        value = hop["value"]
        read.equal(f"{hop['what']}: bytes", plain(hop["bytes"]), packed(value))
        block_hash = hashed("wattest/header", packed(value["header"]))
        read.equal(f"{hop['what']}: final block", plain(value["finalization"]["block_hash"]), block_hash)
        following = plain(value["next_vote_keys"])
        digest = hashed("wattest/valset", packed(value["next_vote_keys"]))
        read.equal(f"{hop['what']}: next", plain(hop["next_validators_hash"]), digest)
        read.equal(f"{hop['what']}: in the header", plain(value["header"]["next_validators_hash"]), digest)
        if keys is not None:
            digest = hashed("wattest/valset", msgpack.packb(keys))
            read.equal(f"{hop['what']}: own", plain(value["header"]["validators_hash"]), digest)
        keys = keys or following  # the set of this network never changes
        quorum_holds(read, hop["what"], plain(hop["chain"]), keys, value["finalization"])
        keys = following


def check_transactions(read: Reader, cases: list[Case]) -> None:
    for case in cases:
        signed_case(read, case)
        body, raw = packed(case["value"]), plain(case["raw"])
        read.equal(f"{case['what']}: id", plain(case["txid"]), hashed("wattest/tx", body))
        whole = b"\x92" + body + msgpack.packb(plain(case["signatures"]))
        read.equal(f"{case['what']}: with its signatures", raw, whole)
        read.equal(f"{case['what']}: leaf", plain(case["leaf"]), sha256(b"\x00" + raw).digest())
        read.equal(f"{case['what']}: signers", case["value"]["signers"], case["keys"])
    kinds = {action["tag"] for case in cases for action in case["value"]["actions"]}
    read.equal("kinds", len(kinds), len(cases))


def tree(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1, by its own recursion."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + tree(leaves[:half]) + tree(leaves[half:])).digest()


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1."""
    if len(leaves) <= 1:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if index < half:
        return [*path(index, leaves[:half]), tree(leaves[half:])]
    return [*path(index - half, leaves[half:]), tree(leaves[:half])]


def check_merkle(read: Reader, cases: list[Case]) -> None:
    for case in cases:
        leaves = plain(case["leaves"])
        read.equal(f"root of {len(leaves)}", plain(case["root"]), tree(leaves))
        for index in range(len(leaves)):
            read.equal(f"path of {index} of {len(leaves)}", plain(case["paths"][index]), path(index, leaves))


class Sum:
    """LtHash16: 1,024 lanes of 16 bits, little-endian, added and taken away mod 2^16."""

    def __init__(self) -> None:
        self.lanes = [0] * 1_024

    def change(self, key: bytes, value: bytes, sign: int) -> None:
        element = blake3(len(key).to_bytes(2, "big") + key + value).digest(length=2_048)
        lanes = struct.unpack("<1024H", element)
        self.lanes = [(own + sign * lane) & 0xFFFF for own, lane in zip(self.lanes, lanes, strict=True)]

    def root(self) -> bytes:
        return hashed("wattest/state", struct.pack("<1024H", *self.lanes))


def check_state_root(read: Reader, case: Case) -> None:
    total = Sum()
    for step in case["steps"]:
        sign = 1 if "add" in step else -1
        key, value = plain(step.get("add") or step.get("remove"))
        total.change(key, value, sign)
        read.equal("root", plain(step["root"]), total.root())
    whole = Sum()
    for key, value in plain(case["genesis"]["entries"]):
        whole.change(key, value, 1)
    read.equal("root of header 0", plain(case["genesis"]["root"]), whole.root())


def check_readings(read: Reader, case: Case) -> None:
    texts, before = [], ZEROS
    for reading in case["readings"]:
        text = reading["text"].encode()
        read.equal("prev", json.loads(text)["prev"], before.hex())
        read.equal("prev as parsed", plain(reading["parsed"]["prev"]), before)
        before = hash_case(read, reading)
        read.equal("prev of the next", plain(reading["bytes"]), text)
        read.equal("watts", reading["parsed"]["reading"]["power_w"], round(float(json.loads(text)["pwr_avg"]) * 1_000))
        texts.append(text)
    signed_case(read, case["batch"])
    read.equal("texts", [text.encode() for text in case["batch"]["value"]], texts)
    signed_case(read, case["close"])
    read.equal("readings_root", plain(case["readings_root"]), tree(texts))
    read.equal("root in the close", case["close"]["value"]["readings_root"], case["readings_root"])
    read.equal("head in the close", plain(case["close"]["value"]["head_hash"]), before)
    for frame in case["frames"]:
        read.equal("frame", plain(frame["bytes"]), packed(frame["value"]))


def check_attestations(read: Reader, cases: list[Case]) -> None:
    for case in cases:
        signed_case(read, case)


def check_statements(read: Reader, case: Case) -> None:
    digest = hash_case(read, case["facts"])
    read.equal("statement id", plain(case["statement_id"]), digest[:16])
    proof, keys = case["proof"], plain(case["validators"])
    value, chain = proof["value"], plain(proof["chain"])
    read.equal("proof file", plain(proof["bytes"]), packed(value))
    read.equal("kind and version", (value["tag"], value["version"]), ("statement_proof", 2))
    read.equal("chain", chain, plain(value["facts"]["chain"]))
    read.equal("chain", chain, hashed("wattest/genesis", case["genesis"].encode()))
    validators = json.loads(case["genesis"])["validators"]
    read.equal("validators", [key.hex() for key in keys], [each["vote_key"] for each in validators])
    read.equal("facts in the file", value["facts"], case["facts"]["value"])
    body = proven(read, "retire", value["retire"], chain, keys)
    read.equal("statement in the action", body[2][0][-1], digest)
    named = [plain(bundle["issue_txid"]) for bundle in value["facts"]["bundles"]]
    for txid, issue in zip(dict.fromkeys(named), value["issues"], strict=True):
        body = proven(read, "issue", issue, chain, keys)
        read.equal("issue", txid, hashed("wattest/tx", msgpack.packb(body)))


def proven(read: Reader, what: str, value: Case, chain: bytes, keys: Sequence[bytes]) -> list[Any]:
    """The body of a transaction whose block is final."""
    raw = plain(value["transaction"])
    root, sides = sha256(b"\x00" + raw).digest(), value["sides"]
    for level, sibling in enumerate(plain(value["path"])):
        pair = sibling + root if sides >> level & 1 else root + sibling
        root = sha256(b"\x01" + pair).digest()
    read.equal(f"{what}: tx_root", plain(value["headers"][0]["tx_root"]), root)
    for header, following in zip(value["headers"], value["headers"][1:], strict=False):
        read.equal(f"{what}: parent", plain(following["parent_hash"]), hashed("wattest/header", packed(header)))
    last = hashed("wattest/header", packed(value["headers"][-1]))
    read.equal(f"{what}: final block", plain(value["finalization"]["block_hash"]), last)
    read.equal(f"{what}: kind", value["finalization"]["kind"], FINALIZE)
    of_keys = hashed("wattest/valset", msgpack.packb(keys))
    read.equal(f"{what}: validators", plain(value["headers"][0]["validators_hash"]), of_keys)
    quorum_holds(read, f"{what}: Finalization", chain, keys, value["finalization"])
    body, signatures = msgpack.unpackb(raw)
    message = message_of("wattest/tx", chain, msgpack.packb(body))
    for key, signature in zip(body[1], signatures, strict=True):
        read.holds(what, key, message, signature)
    return list(body)


def check_auctions(read: Reader, case: Case) -> None:
    seed = hash_case(read, case["seed"])
    for number, tie in enumerate(case["ties"]):
        read.equal("tie", plain(tie["value"]), [seed, number])
        hash_case(read, tie)
    hash_case(read, case["result"])
    classes, prices, volumes, bids, offers, pieces = plain(case["result"]["value"])
    price = dict(zip(classes, prices, strict=True))
    orders = {order["number"]: order for side in case["orders"].values() for order in side}
    read.equal("bought = sold", sum(amount for _, amount in bids), sum(amount for _, amount in offers))
    read.equal("volumes", sum(volumes), sum(amount for _, amount in bids))
    read.equal("pieces", sum(piece[3] for piece in pieces), sum(amount for _, amount in bids))
    for offer, bid, _, quantity, amount in pieces:
        place = orders[offer]["classes"].bit_length() - 1
        read.equal("the class of a piece is accepted", True, bool(orders[bid]["classes"] & orders[offer]["classes"]))
        read.equal("bids at or above the price", True, orders[bid]["limit"] >= price[place])
        read.equal("offers at or below the price", True, orders[offer]["limit"] <= price[place])
        read.equal("amount", amount, quantity * price[place])


FIELD = 2**255 - 19


def check_sealing(read: Reader, cases: list[Case]) -> None:
    """Sealed again from its 31 random bytes, and opened from the last shares that are enough."""
    for case in cases:
        what, kappa, context = case["what"], plain(case["kappa"]), plain(case["context"])
        read.equal(what, context, hashed("wattest/seal", packed(case["order"])))
        keys, shares = plain(case["keys"]), plain(case["shares"])
        count = len(keys)
        quorum = count - (count - 1) // 3
        terms = [int.from_bytes(kappa, "big")]
        for place in range(1, quorum):
            digest = hashed("wattest/term", msgpack.packb([kappa, context, place]))
            terms.append(int.from_bytes(digest, "big") % FIELD)
        quantity, limit, nodes = plain(case["said"])
        text = quantity.to_bytes(4, "big") + limit.to_bytes(4, "big") + nodes
        said = secretbox(text, hashed("wattest/said", msgpack.packb([kappa, context])))
        boxes, tags = b"", b""
        for index in range(count):
            value = sum(term * (index + 1) ** power for power, term in enumerate(terms)) % FIELD
            share = value.to_bytes(32, "big")
            read.equal(f"{what}: share {index}", shares[index], share)
            tags += hashed("wattest/share", msgpack.packb([context, share, index]))[:16]
            secret = hashed("wattest/ephemera", msgpack.packb([kappa, context, index]))
            ephemeral = bindings.crypto_scalarmult_base(secret)
            common = bindings.crypto_scalarmult(secret, keys[index])
            key = hashed("wattest/box", msgpack.packb([common, ephemeral, keys[index], context, index]))
            boxes += ephemeral + secretbox(share, key)
            read.equal(
                f"{what}: key {index}", keys[index], bindings.crypto_scalarmult_base(plain(case["seeds"])[index])
            )
        read.equal(what, plain(case["envelope"])[1:], [said, boxes, tags])
        read.equal(f"{what}: bytes", plain(case["bytes"]), packed(case["envelope"]))
        read.equal(f"{what}: commitment", plain(case["commitment"]), hashed("wattest/sealed", packed(case["envelope"])))
        found = 0
        points = range(count - quorum + 1, count + 1)
        for own in points:
            above, below = 1, 1
            for other in points:
                if other != own:
                    above, below = above * other, below * (other - own)
            found += int.from_bytes(shares[own - 1], "big") * above * pow(below, -1, FIELD)
        read.equal(f"{what}: opened", int.from_bytes(kappa, "big"), found % FIELD)


def secretbox(text: bytes, key: bytes) -> bytes:
    box: bytes = bindings.crypto_secretbox(text, bytes(24), key)
    return box


def check_hello(read: Reader, case: Case) -> None:
    dialler, listener = case["sides"]
    certificate = blake2b(plain(case["certificate"]), digest_size=32).digest()
    for side in (dialler, listener):
        frame = packed(side["hello"])
        read.equal("hello frame", plain(side["frame"]), frame)
        dialled = side is dialler
        signed = msgpack.packb([certificate, plain(dialler["frame"]), plain(listener["frame"]), dialled])
        message = message_of(case["tag"], plain(case["chain"]), signed)
        read.equal("transcript", plain(side["message"]), message)
        read.holds(side["side"], plain(side["key"]), message, plain(side["signature"]))
        read.equal("proof frame", plain(side["proof"]), msgpack.packb(["proof", plain(side["signature"])]))
        read.equal("node id", plain(side["node_id"]), hashed("wattest/node", plain(side["key"]))[:20])


def check_messages(read: Reader, cases: list[Case]) -> None:
    for case in cases:
        data = packed(case["value"])
        read.equal(case["what"], plain(case["bytes"]), data)
        read.equal(f"{case['what']}: frame", plain(case["frame"]), msgpack.packb(["consensus", data]))


CHECKS: dict[str, Callable[[Reader, Any], None]] = {
    "genesis": check_genesis,
    "votes": check_votes,
    "quorums": check_quorums,
    "headers": check_headers,
    "transactions": check_transactions,
    "merkle": check_merkle,
    "state_root": check_state_root,
    "readings": check_readings,
    "attestations": check_attestations,
    "statements": check_statements,
    "auctions": check_auctions,
    "sealing": check_sealing,
    "hello": check_hello,
    "messages": check_messages,
}


if __name__ == "__main__":
    try:
        counted = check(Path(sys.argv[1]))
    except Differs as reason:
        sys.exit(f"DIFFERS: {reason}")
    print(json.dumps({"files": len(counted), "compared": sum(counted.values()), **counted}))
