"""Writes tests/vectors/protocol/*.json: every signed or hashed object of the protocol, field by field and byte by byte.

    PYTHONPATH=.:tests python tools/vectors.py          make vectors

For engineers of another implementation, and as a lock on our own: a test makes them again and compares, and
tests/vectors/second_reader.py checks them with none of our packages. All keys are made from names, all times are fixed.

How values are written: byte strings as "0x…", texts as they are, whole numbers above 2^53 as "#…", an array as a list,
and a struct as an object whose values, in their order, are the elements of its array (`tag` first where it has one).
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.chain import summed_root
from harness.finalized import FinalizedWorld
from harness.metering import Meter
from harness.town import Town, one_of_each
from harness.world import genesis_json, key_of, seed_of

from consensus import messages
from consensus.evidence import make_evidence
from consensus.validators import ValidatorSet
from consensus.votes import (
    FINALIZE,
    KIND_WORDS,
    NOTARIZE,
    NULLIFY,
    VOTE_TAG,
    Position,
    Quorum,
    Vote,
    make_quorum,
    make_vote,
    nullified,
    vote_bytes,
)
from contracts.context import Context
from contracts.escrow import commitment_to
from contracts.pieces import clear, result_root, tie_keys
from contracts.sealing import Said, context_of, opened, quorum_of, sealed, share_in
from contracts.settle import build_settle
from contracts.sharing import Order
from contracts.statement import recomputed_facts, statement_hash
from contracts.transition import DecodedTx
from node.intake import CLOSE_TAG, READINGS_TAG
from node.proof import Hop, StatementProof, build_proof, hops_to, prove
from node.transport import HELLO_TAG, NodeKey, transcript
from node.wire import OBSERVER, PROTOCOL, VALIDATOR, Consensus, Hello, HelloProof, encode_frame, node_id
from state import attestation, transaction
from state.block import Block, header_hash
from state.codec import Wire, decode, encode
from state.crypto import H, exchange_key, public_key, sign, signed_bytes
from state.lthash import LtHash
from state.merkle import leaf_hash, merkle_path, merkle_root
from state.outputs import Bundle
from state.overlay import Overlay
from state.store import encode_entry
from state.transaction import Evidence, Retire
from state.units import MICRO
from verifier.reading import READING_TAG, parse_signed, reading_hash, readings_root

DIRECTORY = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "protocol"
LARGEST = 2**53
DAY_S = 86_400
READ_DAY = 16_071

Case = dict[str, Any]


def main() -> None:
    """Write every file that differs from what stands on disk."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, text in files().items():
        path = DIRECTORY / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {path.relative_to(DIRECTORY.parents[2])}", file=sys.stderr)


def files() -> dict[str, str]:
    """File name -> its whole text."""
    story = Story()
    makers: dict[str, Callable[[Story], Any]] = {
        "genesis": genesis,
        "votes": votes,
        "quorums": quorums,
        "headers": headers,
        "transactions": transactions,
        "merkle": lambda _: merkle(),
        "state_root": state_root,
        "readings": lambda made: readings(made.chain),
        "attestations": attestations,
        "statements": statements,
        "auctions": lambda made: auctions(),
        "sealing": lambda made: sealing(made.chain),
        "hello": lambda made: hello(made.chain),
        "messages": consensus_messages,
    }
    return {f"{name}.json": json.dumps(make(story), indent=1) + "\n" for name, make in makers.items()}


class Story:
    """A small town on a real ledger with Finalizations, and a network of short epochs for hops."""

    def __init__(self) -> None:
        self.world = FinalizedWorld()
        self.chain = self.world.chain
        world = self.world
        world.operators()
        for name in ("owner", "trader"):
            world.register(name)
        world.device("owner")
        bundle = world.issue(1, 3_400_000)
        assert bundle is not None
        world.do(world.retire_action("owner", bundle, 2, 2), by=("owner",))
        self.retire_txid = world.last_txid()
        auction = world.auction(seconds=60)
        world.offer("owner", auction, world.outputs_of("owner", Bundle)[0], 1, 1, 20 * MICRO)
        world.bid("trader", auction, 1, 30 * MICRO, world.fund("trader", 1_000))
        self.settle = world.transaction(build_settle(world.state, world.close(auction)))
        self.validators: ValidatorSet = world.set

    def vote(self, kind: int, position: Position, signer: int) -> Vote:
        seed = seed_of(f"vote_key{signer}")
        return make_vote(self.chain, kind, position, signer, lambda message: sign(seed, message))

    def quorum(self, kind: int, position: Position, *signers: int) -> Quorum:
        return make_quorum([self.vote(kind, position, signer) for signer in signers], self.validators)

    def position(self, height: int) -> Position:
        block = self.block(height)
        return Position(0, height, height - 1, header_hash(block.header))

    def block(self, height: int) -> Block:
        block = self.world.ledger.block_at(height)
        assert block is not None
        return block


# --- how values are written


def shown(value: Any) -> Any:
    match value:
        case Wire():
            tag = value.__struct_config__.tag
            fields = {name: shown(getattr(value, name)) for name in value.__struct_fields__}
            return {"tag": tag, **fields} if tag is not None else fields
        case bytes():
            return "0x" + value.hex()
        case bool() | None:
            return value
        case int():
            return value if abs(value) < LARGEST else f"#{value}"
        case str():
            assert not value.startswith(("0x", "#"))
            return value
        case tuple() | list():
            return [shown(item) for item in value]
    raise TypeError(f"{type(value).__name__} is nothing of the wire")


def hashed(what: str, tag: str, value: Any, digest: bytes) -> Case:
    """BLAKE2b-256 with `person` = tag over the canonical bytes (over the value itself where it is a byte string)."""
    data = value if isinstance(value, bytes) else encode(value)
    return {"what": what, "tag": tag, "value": shown(value), "bytes": shown(data), "hash": shown(digest)}


def signed(what: str, tag: str, chain: bytes, value: Any, *seeds: bytes) -> Case:
    """Ed25519 over tag, a zero byte, chain, canonical bytes."""
    message = signed_bytes(tag, chain, value)
    return {
        "what": what,
        "tag": tag,
        "chain": shown(chain),
        "value": shown(value),
        "bytes": shown(encode(value)),
        "message": shown(message),
        "seeds": [shown(seed) for seed in seeds],
        "keys": [shown(public_key(seed)) for seed in seeds],
        "signatures": [shown(sign(seed, message)) for seed in seeds],
    }


# --- the files


def genesis(story: Story) -> Case:
    return {
        "what": "chain = hash of the genesis' JSON: sorted keys, no spaces, ASCII; header 0 commits its state",
        "tag": "wattest/genesis",
        "text": story.world.genesis_text.decode(),
        "chain": shown(story.chain),
        "reference": json.loads(genesis_json()),
        "keys": {
            f"validator {index}": {
                purpose: shown(key_of(f"{purpose}{index}")) for purpose in ("vote_key", "node_key", "governance_key")
            }
            for index in range(4)
        },
    }


def votes(story: Story) -> list[Case]:
    position = story.position(5)
    found = []
    for kind, place in ((NOTARIZE, position), (NULLIFY, nullified(0, 6)), (FINALIZE, position)):
        for signer in (0, 3):
            vote = story.vote(kind, place, signer)
            found.append(
                {
                    "what": f"{KIND_WORDS[kind]} vote of validator {signer}",
                    "tag": shown(VOTE_TAG),
                    "chain": shown(story.chain),
                    "value": shown(vote),
                    "bytes": shown(encode(vote)),
                    "message": shown(vote_bytes(story.chain, kind, place)),
                    "seeds": [shown(seed_of(f"vote_key{signer}"))],
                    "keys": [shown(key_of(f"vote_key{signer}"))],
                    "signatures": [shown(vote.signature)],
                }
            )
    return found


def quorums(story: Story) -> list[Case]:
    position = story.position(5)
    given = (
        ("Notarization by 0, 1, 2", story.quorum(NOTARIZE, position, 0, 1, 2)),
        ("Nullification by 0, 1, 3", story.quorum(NULLIFY, nullified(0, 6), 0, 1, 3)),
        ("Finalization by all four", story.quorum(FINALIZE, position, 0, 1, 2, 3)),
    )
    return [
        {
            "what": what,
            "chain": shown(story.chain),
            "validators": [shown(key) for key in story.validators.vote_keys],
            "validators_hash": shown(story.validators.hash),
            "quorum": story.validators.quorum,
            "value": shown(quorum),
            "bytes": shown(encode(quorum)),
        }
        for what, quorum in given
    ]


def headers(story: Story) -> Case:
    chained = [story.block(height).header for height in range(5)]
    keys = story.validators.vote_keys
    return {
        "validators": hashed(
            "validators_hash: the ordered vote keys alone", "wattest/valset", keys, chained[0].validators_hash
        ),
        "headers": [
            hashed(f"header of height {header.height}", "wattest/header", header, header_hash(header))
            for header in chained
        ],
        "hops": [_hop(hop) for hop in _epochs()],
    }


def _epochs() -> tuple[Hop, ...]:
    world = FinalizedWorld(epoch_length=32)
    world.pass_blocks(70, 1)
    return hops_to(world.store, 2)


def _hop(hop: Hop) -> Case:
    return {
        "what": f"end of epoch {hop.header.epoch}: its boundary header, final, and the next vote keys",
        "chain": shown(FinalizedWorld(epoch_length=32).chain),
        "value": shown(hop),
        "bytes": shown(encode(hop)),
        "next_validators_hash": shown(hop.header.next_validators_hash),
    }


def transactions(story: Story) -> list[Case]:
    town = Town()
    made = {name: town.transaction(*actions, by=by) for name, (by, actions) in one_of_each(town).items()}
    made["settle"] = story.settle
    made["evidence"] = story.world.transaction(_evidence(story))
    return [_transaction(name, each) for name, each in made.items()]


def _evidence(story: Story) -> Evidence:
    two = [story.vote(NOTARIZE, Position(0, 9, 8, bytes([mark]) * 32), 2) for mark in (1, 2)]
    ordered = make_evidence(*two)
    return Evidence(0, 2, encode(ordered.first), encode(ordered.second))


def _transaction(name: str, decoded: DecodedTx) -> Case:
    body = decoded.transaction.body
    return {
        "what": f"transaction with one {name} action",
        "tag": transaction.TAG,
        "chain": shown(body.chain),
        "value": shown(body),
        "bytes": shown(encode(body)),
        "txid": shown(decoded.txid),
        "message": shown(transaction.signing_bytes(body)),
        "keys": [shown(key) for key in body.signers],
        "signatures": [shown(signature) for signature in decoded.transaction.signatures],
        "raw": shown(decoded.raw),
        "leaf": shown(leaf_hash(decoded.raw)),
    }


def merkle() -> list[Case]:
    """RFC 6962 over small leaves: the root, and the path of each leaf."""
    found = []
    for count in (0, 1, 2, 3, 5, 8, 11):
        leaves = [b"leaf %d" % number for number in range(count)]
        paths = [[shown(sibling) for sibling in merkle_path(leaves, index)] for index in range(count)]
        found.append({"leaves": shown(leaves), "root": shown(merkle_root(leaves)), "paths": paths})
    return found


def state_root(story: Story) -> Case:
    """LtHash: a few entries added and removed, and the whole state that header 0 commits."""
    rows = [(b"\x01key", b"value"), (b"\x01other", b""), (b"\x10", b"\x93\x01\x02\x03")]
    total, steps = LtHash(), []
    for key, value in rows:
        total.add([(key, value)])
        steps.append({"add": shown([key, value]), "root": shown(total.root())})
    total.remove(rows[1:2])
    steps.append({"remove": shown(list(rows[1])), "root": shown(total.root())})
    beginning = FinalizedWorld()
    entries = [(key, encode_entry(entry)) for key, entry in beginning.state.scan(b"\x00", b"\x80")]
    root = summed_root(beginning.state)
    assert root == story.block(0).header.state_root
    return {
        "what": "sum mod 2^16 of 1,024 little-endian u16 of BLAKE3-XOF(u16 len(key), key, value); root = its hash",
        "tag": "wattest/state",
        "steps": steps,
        "genesis": {"entries": shown(entries), "root": shown(root)},
    }


def readings(chain: bytes) -> Case:
    meter = Meter(chain, 1, seed_of("meter"), key_of("meter"))
    raws = [meter.text(READ_DAY * DAY_S + 600 * number) for number in range(3)]
    batch, close = meter.batch(raws), meter.close(READ_DAY)
    return {
        "readings": [
            {
                "text": raw,
                "parsed": shown(parse_signed(raw.encode())),
                **hashed("what the next reading names as prev", READING_TAG, raw.encode(), reading_hash(raw.encode())),
            }
            for raw in raws
        ],
        "batch": signed("a batch of readings", READINGS_TAG, chain, list(batch.raws), meter.seed),
        "close": signed("the close of a day", CLOSE_TAG, chain, close.close, meter.seed),
        "readings_root": shown(readings_root(raw.encode() for raw in raws)),
        "frames": [{"value": shown(frame), "bytes": shown(encode_frame(frame))} for frame in (batch, close)],
    }


def attestations(story: Story) -> list[Case]:
    (attested,) = story.world.issue_action(1, (story.world.attested(1, 16_200, 9_000_000),)).days
    seeds = [seed_of(f"vote_key{signed_by.validator}") for signed_by in attested.signatures]
    return [signed("a day's verdict by a quorum", attestation.TAG, story.chain, attested.attestation, *seeds)]


def statements(story: Story) -> Case:
    world = story.world
    proven = prove(world.store, story.retire_txid)
    block_height = proven.headers[0].height
    before = world.ledger.block_at(block_height)
    assert before is not None
    action = next(a for raw in before.transactions for a in _actions(raw) if isinstance(a, Retire))
    context = Context(Overlay(world.store), world.environment(), story.retire_txid, ())
    facts = recomputed_facts(context, action)
    digest = statement_hash(facts)
    assert digest == action.statement_hash
    proof = decode(StatementProof, build_proof(world.store, digest[:16]))
    assert proof.retire == proven
    return {
        "facts": hashed("every fact of a retirement statement", "wattest/stmt", facts, digest),
        "statement_id": shown(digest[:16]),
        "validators": [shown(key) for key in story.validators.vote_keys],
        "genesis": world.genesis_text.decode(),
        "proof": {
            "what": "the proof file: retire and issue, each with path to tx_root, headers to a Finalization, and that",
            "chain": shown(story.chain),
            "value": shown(proof),
            "bytes": shown(encode(proof)),
        },
    }


def _actions(raw: bytes) -> tuple[Any, ...]:
    return transaction.decode_transaction(raw).body.actions


def auctions() -> Case:
    seed = H("wattest/seed", (1, bytes(32)))
    bids = [Order(1, 5, 4 * MICRO, 1), Order(3, 4, 3 * MICRO, 3), Order(4, 4, 3 * MICRO, 1)]
    offers = [Order(0, 7, 2 * MICRO, 1), Order(2, 4, 3 * MICRO, 1), Order(5, 2, 3 * MICRO, 2)]
    result = clear(bids, offers, 0, 10**9, seed)
    value = tuple(result)
    orders = {side: [order._asdict() for order in given] for side, given in (("bids", bids), ("offers", offers))}
    return {
        "seed": hashed(
            "seed of an auction's ties: its number, the hash before its close", "wattest/seed", (1, bytes(32)), seed
        ),
        "ties": [
            hashed(f"tie key of order {number}", "wattest/tie", (seed, number), tie_keys(seed)(number))
            for number in range(5)
        ],
        "orders": orders,
        "result": hashed(
            "classes, prices, volumes, bids, offers, pieces", "wattest/result", value, result_root(result)
        ),
    }


def sealing(chain: bytes) -> list[Case]:
    """Orders sealed to validators, down to each share. The escrow keys are X25519."""
    cases: list[Case] = []
    for count, side, said in (
        (4, "bid", Said(40, 2_500_000, bytes((2, 0, 1, 0, 0)))),
        (7, "offer", Said(1, 1, bytes(5))),
    ):
        seeds = [seed_of(f"escrow_key{index}") for index in range(count)]
        keys = [exchange_key(seed) for seed in seeds]
        kappa, context = H("test/kappa", (count,))[:31], context_of(chain, 7, 9, side)
        envelope = sealed(context, 3, keys, said, kappa)
        shares = [share_in(envelope, context, index, seeds[index], keys[index]) for index in range(count)]
        assert opened(envelope, context, keys, dict(enumerate(shares))) == (said, kappa)
        cases.append(
            {
                "what": f"an order sealed to {count} validators, of whom any {quorum_of(count)} open it",
                "order": {"chain": shown(chain), "auction": 7, "participant": 9, "side": side},
                "context": shown(context),
                "kappa": shown(kappa),
                "said": {"quantity": said.quantity, "limit": said.limit, "nodes": shown(said.nodes)},
                "seeds": [shown(seed) for seed in seeds],
                "keys": [shown(key) for key in keys],
                "shares": [shown(share) for share in shares],
                "envelope": shown(envelope),
                "bytes": shown(encode(envelope)),
                "commitment": shown(commitment_to(envelope)),
            }
        )
    return cases


def hello(chain: bytes) -> Case:
    dialler, listener = NodeKey(seed_of("node_key1")), NodeKey(seed_of("node_key0"))
    hellos = {
        "dialler": Hello(PROTOCOL, chain, VALIDATOR, dialler.public, b"\x01" * 32, b"\x02" * 8, "127.0.0.1:9001", 7),
        "listener": Hello(PROTOCOL, chain, VALIDATOR, listener.public, b"\x03" * 32, b"\x04" * 8, "127.0.0.1:9000", 8),
    }
    found: Case = {
        "what": "both sides sign the listener's certificate, both hellos as sent, and whether they dialled",
        "tag": HELLO_TAG,
        "chain": shown(chain),
        "roles": {"validator": VALIDATOR, "observer": OBSERVER},
        "certificate": shown(listener.certificate_der),
        "sides": [],
    }
    for name, key in (("dialler", dialler), ("listener", listener)):
        message = transcript(chain, listener.certificate_der, hellos["dialler"], hellos["listener"], name == "dialler")
        signature = sign(key.seed, message)
        found["sides"].append(
            {
                "side": name,
                "hello": shown(hellos[name]),
                "frame": shown(encode_frame(hellos[name])),
                "seed": shown(key.seed),
                "key": shown(key.public),
                "node_id": shown(node_id(key.public)),
                "message": shown(message),
                "signature": shown(signature),
                "proof": shown(encode_frame(HelloProof(signature))),
            }
        )
    return found


def consensus_messages(story: Story) -> list[Case]:
    block, position = story.block(5), story.position(5)
    before = story.quorum(NOTARIZE, story.position(4), 0, 1, 2)
    final = story.quorum(FINALIZE, position, 0, 1, 2)
    notarize = story.vote(NOTARIZE, position, 1)
    two = [story.vote(NOTARIZE, Position(0, 9, 8, bytes([mark]) * 32), 2) for mark in (1, 2)]
    given = [
        messages.Propose(messages.Full(block), notarize, (before,)),
        messages.Propose(messages.Compact(block.header, (b"12345678",)), notarize, (before,)),
        messages.Propose(messages.Again(position.block_hash), notarize, (before,)),
        messages.VoteMessage(notarize),
        messages.QuorumMessage(final),
        messages.GetQuorums(0, 5),
        messages.Quorums(0, None, (final,)),
        messages.Quorums(0, block.header, (final,)),
        messages.GetBlocks(1, 64),
        messages.Blocks((block,), (), final),
        messages.GetBlock(position.block_hash),
        messages.BlockBody(block),
        messages.Status(0, 6, 5, position.block_hash),
        make_evidence(*two),
    ]
    return [
        {
            "what": type(message).__name__,
            "value": shown(message),
            "bytes": shown(encode(message)),
            "frame": shown(encode_frame(Consensus(encode(message)))),
        }
        for message in given
    ]


if __name__ == "__main__":
    main()
