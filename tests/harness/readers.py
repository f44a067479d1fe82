"""Everything that reads bytes from elsewhere, each with honest inputs: what `make fuzz` and its short form throw at."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from harness.finalized import FinalizedWorld, lively_world
from harness.lone_engine import FINALIZE, NOTARIZE, NULLIFY, LoneEngine
from harness.metering import Meter
from harness.world import genesis_json, key_of, seed_of
from msgspec.structs import replace

from cli.verify_statement import NotProven, verify_proof
from consensus.evidence import make_evidence
from consensus.light import Hop
from consensus.messages import (
    Again,
    BlockBody,
    Blocks,
    Compact,
    ConsensusMessage,
    Full,
    GetBlock,
    GetBlocks,
    GetQuorums,
    Propose,
    QuorumMessage,
    Quorums,
    Status,
    VoteMessage,
)
from consensus.records import HeldQuorum, JournalRecord, OwnVote, VotedBlock
from consensus.votes import Position, Vote, make_vote, nullified
from contracts import evidence as evidence_rules
from contracts.context import Context
from contracts.genesis import parse_genesis
from contracts.transition import decode_signed
from node.api.readings import _raws
from node.api.requests import fields, hex_field, parse_json
from node.chaining import parse_batch
from node.config import load_config, render_config
from node.faults import SystemClock
from node.gateway import parse_posts, read_units
from node.gossip import Ignore, Reject, Sender, check_frame, consensus_message
from node.journal import Batch, JournalHeader, Next, _read_segment, _record
from node.keystore import generate_key, open_key_file, parse_key_file, save_key
from node.listening import OwnKeyWatch
from node.log import open_log
from node.peers import HandshakeFailed, Peers
from node.proof import StatementProof, build_proof, hops_to
from node.spool import _framed, read_records
from node.transport import NodeKey, certificate_key, transcript
from node.voting import parse_votes
from node.wallet import draft, format_file, parse_file
from node.wire import (
    OBSERVER,
    VALIDATOR,
    AttestationMsg,
    Consensus,
    Entries,
    Frame,
    GetEntries,
    GetHops,
    GetReadings,
    GetSnapshot,
    Hello,
    HelloProof,
    Hops,
    NoBlocks,
    NoSnapshot,
    Ping,
    Pong,
    Snapshot,
    Transactions,
    decode_frame,
    encode_frame,
)
from state.attestation import ACCEPT, Attestation
from state.block import decode_block, encode_block, header_hash
from state.codec import decode, encode
from state.crypto import sign, verify
from state.errors import DecodeError
from state.keyspace import Space, space_end
from state.overlay import Overlay
from state.records import Proposal
from state.transaction import Evidence, ProposalContent, ValidatorContent
from verifier.reading import guarded_json, parse_seed, parse_signed

UNITS = b'{"gateway": 1, "units": {"1": {"device": 1, "interval_s": 600, "channels": ["wind"]}}}'
SETTINGS_FILE = render_config({"node.p2p_listen": "127.0.0.1:1", "node.peers": ("1@127.0.0.1:2",)}).encode()


@dataclass
class Target:
    """`take` gets one input; `weight` is its share of all inputs, low for what is slow."""

    take: Callable[[bytes], object]
    corpus: Sequence[bytes]
    weight: int = 4


class Corpus:
    """Honest inputs of every reader, made once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.world = lively_world()
        self.engine = LoneEngine()
        self.meter = Meter(self.world.chain, 1, seed_of("reader"), key_of("reader"))
        self.epochs = FinalizedWorld(epoch_length=32)
        self.epochs.pass_blocks(33, 1)
        self.environment = self.epochs.environment()
        records = self.world.validators
        self.peers = Peers(
            NodeKey(seed_of("node_key0")), self.world.chain, records, "127.0.0.1:0", SystemClock(), open_log(None)
        )
        self.watch = OwnKeyWatch(self.world.chain, key_of("vote_key1"), 1, (), verify)

    def vote(self, mark: int) -> Vote:
        """One of two by validator 2 that contradict each other."""
        position = Position(0, 9, 8, bytes([mark]) * 32)
        return make_vote(self.epochs.chain, NOTARIZE, position, 2, lambda data: sign(seed_of("vote_key2"), data))

    def handshakes(self) -> list[bytes]:
        hellos = [
            Hello(1, self.world.chain, role, key_of(f"node_key{role}1"), bytes(32), bytes(8), "127.0.0.1:27656", 7)
            for role in (VALIDATOR, OBSERVER)
        ]
        return [encode_frame(frame) for frame in (*hellos, HelloProof(bytes(64)))]

    def contents(self) -> list[bytes]:
        rows = self.world.store.scan(bytes((Space.PROPOSAL,)), space_end(bytes((Space.PROPOSAL,))))
        joins = ValidatorContent(9, "Fifth", key_of("a"), key_of("b"), key_of("c"), "127.0.0.1:1")
        return [*(entry.content for _, entry in rows if isinstance(entry, Proposal)), encode(joins)]

    def hop(self) -> bytes:
        return encode(hops_to(self.epochs.store, 1)[0])

    def posts(self) -> list[bytes]:
        raws = [self.meter.text(1_700_000_000 + 600 * number) for number in range(3)]
        sealed = {"signature": "00" * 64, "key": "00" * 32}
        close = [1, 16_162, 3, 3, "00" * 32, "00" * 32]
        return [json.dumps({"readings": raws, **sealed}).encode(), json.dumps({"close": close, **sealed}).encode()]

    def transaction_file(self) -> bytes:
        body = decode_signed(self.transactions()[0]).transaction.body
        return format_file(replace(draft(body), signatures={"00" * 32: "00" * 64})).encode()

    def messages(self) -> list[ConsensusMessage]:
        alone = self.engine
        first = alone.block(alone.genesis, 1)
        second = alone.block(first.header, 2, b"2")
        position = alone.position(first, 1)
        notarize = alone.vote(NOTARIZE, position, 1)
        other = alone.vote(NOTARIZE, Position(0, 1, 0, b"\1" * 32), 1)
        final = alone.quorum(FINALIZE, alone.position(second, 2, 1))
        return [
            Propose(Full(first), notarize, ()),
            Propose(Compact(first.header, (b"12345678",)), notarize, (alone.nullification(1),)),
            Propose(Again(position.block_hash), notarize, ()),
            VoteMessage(alone.vote(NULLIFY, nullified(0, 2), 2)),
            QuorumMessage(alone.quorum(NOTARIZE, position)),
            GetQuorums(0, 1),
            Quorums(0, first.header, (alone.quorum(NOTARIZE, position), final)),
            GetBlocks(1, 64),
            Blocks((first,), (second.header,), final),
            GetBlock(position.block_hash),
            BlockBody(first),
            Status(0, 3, 2, position.block_hash),
            make_evidence(notarize, other),
        ]

    def records(self) -> list[JournalRecord]:
        alone = self.engine
        first = alone.block(alone.genesis, 1)
        position = alone.position(first, 1)
        return [
            VotedBlock(0, 1, first),
            OwnVote(alone.vote(NOTARIZE, position, 0)),
            HeldQuorum(alone.quorum(NOTARIZE, position)),
        ]

    def transactions(self) -> list[bytes]:
        ledger = self.world.ledger
        blocks = [ledger.block_at(height) for height in range(1, ledger.tip.height + 1)]
        return [raw for block in blocks if block is not None for raw in block.transactions]

    def frames(self) -> list[bytes]:
        raws = [self.meter.text(1_700_000_000 + 600 * number) for number in range(3)]
        attestation = Attestation(0, 1, 16_162, 0, 0, bytes(32), bytes(32), bytes(32), 1, ACCEPT, (), 5, 5)
        frames = [
            Hello(1, self.world.chain, VALIDATOR, key_of("a"), bytes(32), bytes(8), "127.0.0.1:27656", 7),
            HelloProof(bytes(64)),
            Transactions(tuple(self.transactions()[:3])),
            self.meter.batch(raws),
            GetReadings(1, 16_162),
            self.meter.close(1_700_000_000 // 86_400),
            AttestationMsg(attestation, 1, bytes(64)),
            Ping(2**64 - 1),
            Pong(0),
            *self.snapshots(),
        ]
        return [encode_frame(frame) for frame in (*frames, *map(Consensus, map(encode, self.messages())))]

    def snapshots(self) -> list[Frame]:
        alone = self.engine
        first = alone.block(alone.genesis, 1).header
        final = alone.quorum(FINALIZE, Position(0, 1, 0, header_hash(first)))
        rows = tuple(islice(self.world.store.scan_raw(b"\x00", b"\x80"), 20))
        keys, values = tuple(key for key, _ in rows), tuple(value for _, value in rows)
        return [
            GetSnapshot(7),
            Snapshot(1, first, final, 20),
            NoSnapshot("later"),
            GetEntries(1, keys[3], 8),
            Entries(1, keys[0], keys[1:], values[1:], True),
            GetHops(0),
            Hops(0, (Hop(first, final, (key_of("a"), key_of("b"))),)),
            NoBlocks(70),
        ]

    def journal(self) -> bytes:
        header = JournalHeader(1, 1, bytes(32), key_of("a"), 0, 0, 0, 0, bytes(32))
        batches = [Batch((encode(record),)) for record in self.records()]
        return b"".join(map(_record, (header, *batches, Next(2))))

    def moved_votes(self) -> bytes:
        votes = [record.vote for record in self.records() if isinstance(record, OwnVote)]
        content = {"schema": "votes/1", "chain": self.world.chain.hex(), "vote_key": key_of("a").hex(), "epoch": 3}
        return json.dumps({**content, "final_height": 9, "votes": [encode(vote).hex() for vote in votes]}).encode()

    def proofs(self) -> list[bytes]:
        world = self.world
        return [build_proof(world.store, row[0][1:]) for row in world.store.scan(b"\x20", b"\x21")]

    def key_files(self) -> list[bytes]:
        directory = self.directory / "keys"
        clear = save_key(directory, "clear", generate_key("vote"), None, "test")
        sealed = save_key(directory, "sealed", generate_key("wallet"), b"passphrase", "test")
        return [clear.read_bytes(), sealed.read_bytes()]


# --- the readers


def _frame(data: bytes) -> None:
    """As `Peers` and `Runtime` do it, for a validator and for an observer."""
    frame = decode_frame(data)
    for sender in (Sender("v", VALIDATOR, 1), Sender("o", OBSERVER, None)):
        try:
            check_frame(frame, sender, 4)
            if isinstance(frame, Consensus):
                consensus_message(frame, sender)
        except (Ignore, Reject):
            continue


def _heard(corpus: Corpus, data: bytes) -> None:
    """What decodes is told to an engine, which must neither fail nor stop."""
    message: ConsensusMessage = decode(ConsensusMessage, data)  # type: ignore[arg-type]
    corpus.engine.hear(message)
    assert not corpus.engine.engine._halted


def _proven(genesis: bytes, data: bytes) -> None:
    """What anybody runs who is handed a proof."""
    try:
        verify_proof(data, genesis)
    except NotProven as error:
        raise DecodeError(why=str(error)) from None


def _file(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    _read_segment(path)


def _moved_votes(chain: bytes, data: bytes) -> None:
    parse_votes(data, chain, key_of("a"))


def _key_file(data: bytes) -> None:
    content = parse_key_file(data, "a file")
    if not content.needs_passphrase:  # deriving a key is slow by design
        open_key_file(content, None, Path("a file"))


def _evidence(corpus: Corpus, data: bytes) -> None:
    """As the ledger reads it: one of the two votes inside an action is hostile."""
    other = encode(corpus.vote(2))
    action = Evidence(0, 2, *sorted((data[:200], other)))
    context = Context(Overlay(corpus.epochs.store), corpus.environment, bytes(32), ())
    evidence_rules.check(context, action)


def _handshake(corpus: Corpus, data: bytes) -> None:
    """As the listener reads a dialler's two frames."""
    frame = decode_frame(data)
    if isinstance(frame, Hello):
        try:
            corpus.peers._check_hello(frame)
        except HandshakeFailed as error:
            raise DecodeError(why=str(error)) from None
        transcript(corpus.world.chain, corpus.peers.key.certificate_der, frame, frame, True)
    elif not isinstance(frame, HelloProof):
        raise DecodeError(why="no frame of a handshake")


def _own_key(corpus: Corpus, data: bytes) -> None:
    """As a moved validator listens before it votes."""
    corpus.watch.foreign(decode(ConsensusMessage, data), 0)  # type: ignore[arg-type]


def _posted_batch(data: bytes) -> None:
    """As `POST /v1/readings` and `POST /v1/days` read their bodies."""
    value = parse_json(data)
    names = (
        ("close", "signature", "key")
        if isinstance(value, dict) and "close" in value
        else ("readings", "signature", "key")
    )
    content, signature, key = fields(value, names)
    hex_field(key, "key", 32, 32)
    hex_field(signature, "signature", 64, 64)
    if names[0] == "readings":
        parse_batch(_raws(content))


def _units(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    read_units(path)


def _settings(directory: Path, data: bytes) -> None:
    (directory / "config.toml").write_bytes(data)
    load_config(directory, environment={})


def targets(corpus: Corpus) -> dict[str, Target]:
    readings = [raw.encode() for raw in (corpus.meter.text(1_700_000_000), corpus.meter.text(1_700_000_600, None))]
    seed = b'{"timestamp": 1400000000, "id": "1", "pwr_avg": 12.25, "wind_spd": null, "t": -1.5, "insolation": 0.7}'
    proofs = corpus.proofs()
    return {
        "frames": Target(_frame, corpus.frames(), 8),
        "engine": Target(partial(_heard, corpus), [encode(message) for message in corpus.messages()], 8),
        "records": Target(partial(_decoded, JournalRecord), [encode(record) for record in corpus.records()]),
        "transactions": Target(decode_signed, corpus.transactions(), 6),
        "blocks": Target(decode_block, [_block(corpus.world, height) for height in (1, 5, 9)]),
        "journal": Target(partial(_file, corpus.directory / "fuzzed.journal"), [corpus.journal()], 2),
        "key files": Target(_key_file, corpus.key_files()),
        "proofs as bytes": Target(partial(decode, StatementProof), proofs, 2),
        "proofs": Target(partial(_proven, corpus.world.genesis_text), proofs, 1),
        "signed readings": Target(parse_signed, readings),
        "posted readings": Target(parse_seed, [seed]),
        "JSON": Target(guarded_json, [seed, *readings]),
        "genesis": Target(parse_genesis, [genesis_json()], 1),
        "moved votes": Target(partial(_moved_votes, corpus.world.chain), [corpus.moved_votes()]),
        "spool": Target(lambda data: read_records(data, Path("a file")), [_framed(b"reading") * 5]),
        "evidence": Target(partial(_evidence, corpus), [encode(corpus.vote(1))], 2),
        "handshakes": Target(partial(_handshake, corpus), corpus.handshakes()),
        "own votes": Target(partial(_own_key, corpus), [encode(message) for message in corpus.messages()]),
        "proposals": Target(partial(_decoded, ProposalContent), corpus.contents()),
        "hops": Target(partial(_decoded, Hop), [corpus.hop()]),
        "gateway posts": Target(parse_posts, [seed, b"[" + seed + b", " + seed + b"]"]),
        "API posts": Target(_posted_batch, corpus.posts()),
        "transaction files": Target(parse_file, [corpus.transaction_file()]),
        "unit files": Target(partial(_units, corpus.directory / "units.json"), [UNITS], 1),
        "settings": Target(partial(_settings, corpus.directory), [SETTINGS_FILE], 1),
        "certificates": Target(certificate_key, [NodeKey(seed_of("a")).certificate_der]),
    }


def _decoded(kind: Any, data: bytes) -> None:
    decode(kind, data)


def _block(world: FinalizedWorld, height: int) -> bytes:
    block = world.ledger.block_at(height)
    assert block is not None
    return encode_block(block)
