"""Which frames are kept, ignored or held against their sender."""

import pytest

from consensus.light import Hop
from consensus.messages import BlockBody, GetBlocks, QuorumMessage, Status, VoteMessage
from consensus.votes import NULLIFY, Quorum, Vote
from node.gossip import (
    BAN_AT,
    BYTE_RATES,
    HALF_LIFE_MS,
    LONGEST_PAUSE_MS,
    MAX_REMEMBERED,
    OBSERVER_RATES,
    VALIDATOR_RATES,
    Buckets,
    Conduct,
    Ignore,
    Reject,
    Sender,
    check_frame,
    consensus_message,
    priority_of,
)
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
    Priority,
    Snapshot,
    Transactions,
    decode_frame,
    encode_frame,
)
from state.attestation import Attestation
from state.block import Block, Header
from state.codec import encode
from state.errors import DecodeError

MEMBER = Sender("aa", VALIDATOR, 1)
GUEST = Sender("bb", OBSERVER, None)
VOTE = Vote(NULLIFY, 0, 3, 0, bytes(32), 1, bytes(64))
QUORUM = Quorum(NULLIFY, 0, 3, 0, bytes(32), b"\x07", (bytes(64),) * 3)
STATUS = Status(0, 3, 2, bytes(32))
BLOCK = Block(Header(1, 0, 1, bytes(32), 5, 0, bytes(32), bytes(32), bytes(32), bytes(32)), ())
ATTESTED = Attestation(0, 1, 2, 0, 0, bytes(32), bytes(32), b"", 1, 0, (), 5, 5)
HELLO = Hello(1, bytes(32), VALIDATOR, bytes(32), bytes(32), bytes(8), "127.0.0.1:1", 4)


@pytest.mark.parametrize(
    "frame",
    [
        HELLO,
        HelloProof(bytes(64)),
        Transactions((b"a", b"b")),
        GetReadings(1, 2),
        AttestationMsg(ATTESTED, 2, bytes(64)),
        GetSnapshot(7),
        Snapshot(1, BLOCK.header, QUORUM, 2),
        NoSnapshot("later"),
        GetEntries(1, b"key", 8),
        Entries(1, b"", (b"a", b"b"), (b"", b"value"), True),
        GetHops(3),
        Hops(3, (Hop(BLOCK.header, QUORUM, (bytes(32),)),)),
        NoBlocks(70),
        Ping(1),
        Pong(1),
        Consensus(encode(VoteMessage(VOTE))),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_frames_read_back_and_nothing_else_reads_as_one(frame: Frame) -> None:
    data = encode_frame(frame)
    assert decode_frame(data) == frame
    for broken in (data[:-1], data + b"\xc0", b"\xdc\x00" + data[:1] + data[1:]):
        with pytest.raises(DecodeError):
            decode_frame(broken)


@pytest.mark.parametrize("message", [VoteMessage(VOTE), QuorumMessage(QUORUM), STATUS, GetBlocks(1, 64)])
def test_a_validator_may_tell_and_ask(message: object) -> None:
    assert consensus_message(Consensus(encode(message)), MEMBER) == message


def test_an_observer_may_ask() -> None:
    for message in (STATUS, GetBlocks(1, 64)):
        assert consensus_message(Consensus(encode(message)), GUEST) == message


def test_votes_are_dropped_last_and_bodies_before_quorums() -> None:
    order = [priority_of(message) for message in (BlockBody(BLOCK), QuorumMessage(QUORUM), VoteMessage(VOTE))]
    assert order == [Priority.BODIES, Priority.QUORUMS, Priority.VOTES]
    assert order == sorted(order)
    assert Priority.TRANSACTIONS < Priority.BODIES


def test_a_frame_faster_than_its_rate_is_ignored_until_tokens_come_back() -> None:
    buckets = Buckets(OBSERVER, 0)
    rate = OBSERVER_RATES[Transactions]
    for _ in range(rate.burst):
        buckets.take(Transactions, 0)
    with pytest.raises(Ignore):
        buckets.take(Transactions, 0)
    buckets.take(Ping, 0)  # each kind has a bucket of its own
    buckets.take(Transactions, 1000 // rate.per_second)
    with pytest.raises(Ignore):
        buckets.take(Transactions, 1000 // rate.per_second)


def test_bytes_beyond_the_burst_are_paid_for_by_waiting() -> None:
    rate = BYTE_RATES[OBSERVER]
    buckets = Buckets(OBSERVER, 0)
    assert buckets.pause_ms(rate.burst, 0) == 0
    assert buckets.pause_ms(rate.per_second // 4, 0) == 250
    assert buckets.pause_ms(0, 250) == 0
    assert buckets.pause_ms(rate.burst, 250) == LONGEST_PAUSE_MS, "never so long that the peer is taken for silent"
    assert Buckets(VALIDATOR, 0).pause_ms(rate.burst, 0) == 0


def test_every_kind_of_frame_has_a_rate() -> None:
    kinds = set(Frame.__args__) - {Hello, HelloProof}
    assert set(VALIDATOR_RATES) == set(OBSERVER_RATES) == kinds


def test_points_fade_and_a_ban_ends() -> None:
    conduct = Conduct()
    assert not conduct.blame("aa", BAN_AT - 1, 0)
    assert conduct.blame("aa", 1, 0)
    assert not conduct.banned("bb", 0)
    assert conduct.points("aa", HALF_LIFE_MS) == BAN_AT // 2
    assert conduct.banned("aa", HALF_LIFE_MS)
    assert not conduct.banned("aa", HALF_LIFE_MS + HALF_LIFE_MS // 10)
    assert conduct.points("aa", 20 * HALF_LIFE_MS) == 0


def test_only_so_many_strangers_are_remembered() -> None:
    conduct = Conduct()
    for number in range(MAX_REMEMBERED + 10):
        conduct.blame(f"stranger {number}", BAN_AT, number)
    assert len(conduct._points) == len(conduct._banned) == MAX_REMEMBERED
    assert not conduct.banned("stranger 0", MAX_REMEMBERED + 10)
    assert conduct.banned(f"stranger {MAX_REMEMBERED + 9}", MAX_REMEMBERED + 10)


# --- refusals


@pytest.mark.parametrize("message", [VoteMessage(VOTE), QuorumMessage(QUORUM), BlockBody(BLOCK)])
def test_rejects_votes_quorums_and_bodies_of_an_observer(message: object) -> None:
    with pytest.raises(Reject):
        consensus_message(Consensus(encode(message)), GUEST)


def test_rejects_a_payload_that_is_no_message() -> None:
    for payload in (b"", b"\xc0", encode(["vote", 1])):
        with pytest.raises(Reject):
            consensus_message(Consensus(payload), MEMBER)


def test_rejects_a_second_handshake() -> None:
    for frame in (HELLO, HelloProof(bytes(64))):
        with pytest.raises(Reject):
            check_frame(frame, MEMBER, 4)


def test_rejects_attestations_of_observers_and_of_nobody() -> None:
    check_frame(AttestationMsg(ATTESTED, 3, bytes(64)), MEMBER, 4)
    with pytest.raises(Reject):
        check_frame(AttestationMsg(ATTESTED, 3, bytes(64)), GUEST, 4)
    with pytest.raises(Reject):
        check_frame(AttestationMsg(ATTESTED, 4, bytes(64)), MEMBER, 4)


def test_rejects_transactions_without_a_byte() -> None:
    with pytest.raises(Reject):
        check_frame(Transactions((b"", b"")), MEMBER, 4)


@pytest.mark.parametrize("frame", [Snapshot(1, BLOCK.header, QUORUM, 2), NoSnapshot("none"), Hops(0, ()), NoBlocks(1)])
def test_rejects_a_state_of_an_observer(frame: Frame) -> None:
    check_frame(frame, MEMBER, 4)
    with pytest.raises(Reject):
        check_frame(frame, GUEST, 4)


def test_rejects_entries_of_an_observer_and_keys_without_values() -> None:
    check_frame(Entries(1, b"", (b"a",), (b"1",), True), MEMBER, 4)
    with pytest.raises(Reject):
        check_frame(Entries(1, b"", (b"a",), (b"1",), True), GUEST, 4)
    with pytest.raises(Reject):
        check_frame(Entries(1, b"", (b"a", b"b"), (b"1",), True), MEMBER, 4)
