"""Everything that reads bytes from elsewhere takes them or refuses them with our own error, at once, whatever they are.

20,000 mutated inputs over all readers in the short form; `WATTEST_FUZZ=1000000` for the long one, `WATTEST_SEED` for
another run of it. A failure prints the input.
"""

import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from harness.finalized import FinalizedWorld, lively_world
from harness.fuzzing import SLOWEST_S, Refused, attack, inputs_in_ci, seeded
from harness.lone_engine import FINALIZE, NOTARIZE, NULLIFY, LoneEngine
from harness.metering import Meter
from harness.world import genesis_json, key_of, seed_of

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
from consensus.votes import Position, nullified
from contracts.genesis import parse_genesis
from contracts.transition import decode_signed
from node.gossip import Ignore, Reject, Sender, check_frame, consensus_message
from node.journal import Batch, JournalHeader, Next, _read_segment, _record
from node.keystore import generate_key, open_key_file, parse_key_file, save_key
from node.proof import StatementProof, build_proof
from node.spool import _framed, read_records
from node.transport import NodeKey, certificate_key
from node.voting import parse_votes
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
from state.errors import DecodeError
from verifier.reading import guarded_json, parse_seed, parse_signed

MEMORY_KIB = 50 * 1024  # what all attacks together may add to the process


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
        return [build_proof(world.store, world.genesis_text, row[0][1:]) for row in world.store.scan(b"\x20", b"\x21")]

    def key_files(self) -> list[bytes]:
        directory = self.directory / "keys"
        clear = save_key(directory, "clear", generate_key("vote"), None, "test")
        sealed = save_key(directory, "sealed", generate_key("wallet"), b"passphrase", "test")
        return [clear.read_bytes(), sealed.read_bytes()]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("corpus"))


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
        "certificates": Target(certificate_key, [NodeKey(seed_of("a")).certificate_der]),
    }


def _decoded(kind: Any, data: bytes) -> None:
    decode(kind, data)


def _block(world: FinalizedWorld, height: int) -> bytes:
    block = world.ledger.block_at(height)
    assert block is not None
    return encode_block(block)


def test_no_bytes_do_more_than_be_refused(corpus: Corpus) -> None:
    random_ = seeded()
    given = targets(corpus)
    total = sum(target.weight for target in given.values())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, target in given.items():
        count = inputs_in_ci() * target.weight // total
        refused, slowest = attack(name, target.take, target.corpus, count, random_)
        print(f"{name}: {count:,} inputs, {refused:,} refused, slowest {slowest * 1000:.1f} ms")
        assert name == "certificates" or refused > count // 2, f"{name}: mutations hardly reach the reader"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MEMORY_KIB, f"{grown} KiB more"


# --- damage that asks for much work


def _damaged_journals() -> Iterator[tuple[str, bytes]]:
    header = _record(JournalHeader(1, 1, bytes(32), bytes(32), 0, 0, 0, 0, bytes(32)))
    yield "zeros", header + bytes(32 * 1024 * 1024)
    yield "lengths that all fit", header + b"\x00\x3f\xff\xff" * (2 * 1024 * 1024)
    yield "records that all begin", header + (b"\x00\x10\x00\x00\x00\x00\x00\x00\x92\xa5batch\x90") * 200_000


@pytest.mark.parametrize(("name", "data"), list(_damaged_journals()), ids=["zeros", "lengths", "openings"])
def test_a_journal_of_full_size_is_judged_in_time_however_it_is_damaged(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / "0000000001.journal"
    path.write_bytes(data)
    began = time.perf_counter()
    payloads, _ = _read_segment(path)
    seconds = time.perf_counter() - began
    print(f"{name}: {len(data) / 1e6:.0f} MB in {seconds:.2f} s")
    assert len(payloads) == 1
    assert seconds < 5


def test_the_attack_sees_what_is_slow_and_what_is_not_ours() -> None:
    with pytest.raises(Refused, match="ms on"):
        attack("spinner", lambda data: _spin(2 * SLOWEST_S * (data != b"x")), [b"x"], 1, seeded())
    with pytest.raises(Refused, match="KeyError"):
        attack("thrower", lambda data: {b"x": 1}[data], [b"x"], 1, seeded())


def _spin(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
