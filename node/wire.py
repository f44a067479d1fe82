"""What nodes say to each other: one WebSocket binary message is one frame, one canonical MessagePack array of at most
4 MiB, its first element the tag.

Consensus messages travel as opaque payloads, so that the protocol's own codec stays the only reader of them.
`priority` is the order in which a full queue to a slow peer gives way: votes last.
"""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta

from consensus.light import Hop
from consensus.votes import Quorum
from state.attestation import Attestation
from state.block import Header
from state.codec import Wire, decode, encode
from state.crypto import H
from state.units import MAX_FRAME_BYTES, MAX_TX_BYTES, U8, U16, U32, U64, Code, Hash, Key, Name, Signature

PROTOCOL = 1
MAX_FRAME_TRANSACTIONS = 1_000
MAX_FRAME_READINGS = 1_440  # a day of minutes: the largest batch that intake takes
MAX_READING_CHARS = 1_024
MAX_HOPS = 128  # in one answer: 3.4 MB with the largest sets of validators
MAX_CHUNK_ENTRIES = 8_192
MAX_CHUNKS = 8  # that one question asks for
MAX_KEY_BYTES = 1_024
MAX_ENTRY_BYTES = 1024 * 1024  # of one value: 256 validators that wait for their epoch take a fifth of it

VALIDATOR, OBSERVER = 0, 1  # Hello.role


class Hello(Wire, frozen=True, tag="hello"):
    """First frame of each side. `session` is drawn at process start: a second connection of one session is a double,
    one of another session means that the peer was restarted."""

    protocol: U16
    chain: Hash
    role: U8
    node_key: Key
    nonce: Hash
    session: Annotated[bytes, Meta(min_length=8, max_length=8)]
    address: Name  # host:port of the sender's own listener, empty for a pure observer
    height: U64  # final height, for display only: nothing trusts it


class HelloProof(Wire, frozen=True, tag="proof"):
    """Signature of the node key over the whole handshake: see `node.transport.transcript`."""

    signature: Signature


class Transactions(Wire, frozen=True, tag="tx"):
    raws: Annotated[
        tuple[Annotated[bytes, Meta(max_length=MAX_TX_BYTES)], ...],
        Meta(min_length=1, max_length=MAX_FRAME_TRANSACTIONS),
    ]


class Readings(Wire, frozen=True, tag="readings"):
    """Raw version-1 reading texts and the signature of the meter or gateway over them, verbatim as they came in."""

    device: U32
    raws: Annotated[
        tuple[Annotated[str, Meta(max_length=MAX_READING_CHARS)], ...],
        Meta(min_length=1, max_length=MAX_FRAME_READINGS),
    ]
    key: Key
    signature: Signature


class GetReadings(Wire, frozen=True, tag="get_readings"):
    device: U32
    day: U32  # days since 1970, UTC


class Close(Wire, frozen=True):
    """What a meter or gateway signs to close a UTC day."""

    device: U32
    day: U32
    last_seq: U64
    count: U32
    head_hash: Hash
    readings_root: Hash


class DayClose(Wire, frozen=True, tag="day_close"):
    close: Close
    key: Key
    signature: Signature


class AttestationMsg(Wire, frozen=True, tag="attestation"):
    attestation: Attestation
    validator: U16
    signature: Signature


class GetSnapshot(Wire, frozen=True, tag="get_snapshot"):
    """Asks for the state as of a final block above this height."""

    above: U64


class Snapshot(Wire, frozen=True, tag="snapshot"):
    """The sender keeps the state after `header` for a while, under a number of its own. Nothing of it is believed
    before `finalization` was checked, and the state not before its sum was."""

    number: U64
    header: Header
    finalization: Quorum
    entries: U64


class NoSnapshot(Wire, frozen=True, tag="no_snapshot"):
    """`why`: none (nothing above that height), later (ask again), gone (the number is not kept any more)."""

    why: Code


class GetEntries(Wire, frozen=True, tag="get_entries"):
    """Asks for up to `chunks` answers with the entries of a snapshot behind the key `after`, in order."""

    number: U64
    after: Annotated[bytes, Meta(max_length=MAX_KEY_BYTES)]
    chunks: Annotated[int, Meta(ge=1, le=MAX_CHUNKS)]


class Entries(Wire, frozen=True, tag="entries"):
    """Committed entries behind the key `after`, in the order of their keys; `last`: there are no more."""

    number: U64
    after: Annotated[bytes, Meta(max_length=MAX_KEY_BYTES)]
    keys: Annotated[
        tuple[Annotated[bytes, Meta(min_length=1, max_length=MAX_KEY_BYTES)], ...], Meta(max_length=MAX_CHUNK_ENTRIES)
    ]
    values: Annotated[
        tuple[Annotated[bytes, Meta(max_length=MAX_ENTRY_BYTES)], ...], Meta(max_length=MAX_CHUNK_ENTRIES)
    ]
    last: bool


class GetHops(Wire, frozen=True, tag="get_hops"):
    """Asks how the epochs from this one on ended."""

    from_epoch: U64


class Hops(Wire, frozen=True, tag="hops"):
    from_epoch: U64
    hops: Annotated[tuple[Hop, ...], Meta(max_length=MAX_HOPS)]


class NoBlocks(Wire, frozen=True, tag="no_blocks"):
    """The answer to a question for blocks that the sender does not keep: it has those from here on."""

    bodies_from: U64


class Ping(Wire, frozen=True, tag="ping"):
    nonce: U64


class Pong(Wire, frozen=True, tag="pong"):
    nonce: U64


class Consensus(Wire, frozen=True, tag="consensus"):
    """The encoding of one `consensus.messages` message."""

    payload: bytes


Frame = (
    Hello
    | HelloProof
    | Transactions
    | Readings
    | GetReadings
    | DayClose
    | AttestationMsg
    | GetSnapshot
    | Snapshot
    | NoSnapshot
    | GetEntries
    | Entries
    | GetHops
    | Hops
    | NoBlocks
    | Ping
    | Pong
    | Consensus
)


class Priority(IntEnum):
    """Lowest gives way first when the queue to a peer is full."""

    TRANSACTIONS = 0
    BODIES = 1  # blocks, readings and snapshots
    QUORUMS = 2  # Notarizations, Nullifications, Finalizations and what asks for them
    VOTES = 3


def encode_frame(frame: Frame) -> bytes:
    data = encode(frame)
    assert len(data) <= MAX_FRAME_BYTES, "the sender must split before the frame limit"
    return data


def decode_frame(data: bytes) -> Frame:
    """DecodeError unless `data` is exactly one canonical frame."""
    return decode(Frame, data, MAX_FRAME_BYTES)  # type: ignore[arg-type]


def node_id(node_key: bytes) -> bytes:
    """20 bytes that name a node in logs and peer lists."""
    return H("wattest/node", node_key)[:20]
