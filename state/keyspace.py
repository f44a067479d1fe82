"""Keys of the state: one byte of space, then big-endian ids, so that a scan walks in the order of the ids.

Committed spaces enter the state hash and snapshots. Derived ones are rebuilt from blocks and can be dropped.
The table of all spaces stands at the top of `state/store.py`.
"""

from enum import IntEnum

from state.outputs import Output
from state.records import Record
from state.units import Outpoint

Entry = Output | Record


class Space(IntEnum):
    # committed
    OUTPUT = 0x01
    PARAMETERS = 0x10
    VALIDATOR = 0x11
    SCHEME = 0x12
    PARTICIPANT = 0x13
    KEY_OWNER = 0x14
    ROLE = 0x15
    DEVICE = 0x16
    METER = 0x17
    GATEWAY = 0x18
    PROPOSAL = 0x19
    AUCTION = 0x1A
    AUCTION_ORDER = 0x1B
    AUCTION_MEMBER = 0x1C
    ISSUANCE = 0x1D
    MONTH_ENERGY = 0x1E
    RELEASE = 0x1F
    STATEMENT = 0x20
    REFERENCE = 0x21
    OUTPUT_COUNT = 0x22
    GSRN = 0x23
    COUNTER = 0x24
    EXPIRY = 0x25
    DELIVERY = 0x26
    AUCTION_CLOSE = 0x27
    # derived
    NUMBER = 0x80
    SPENT = 0x81
    TRANSACTION = 0x82
    EVENTS = 0x83
    HOLDING = 0x84
    BLOCK = 0x85
    FINALIZATION = 0x86
    BLOCK_HASH = 0x87
    ISSUED = 0x88
    META = 0xF0


def committed(key: bytes) -> bool:
    return key[0] < 0x80


def _key(space: Space, *parts: bytes) -> bytes:
    return bytes((space,)) + b"".join(parts)


def _u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def output_key(outpoint: Outpoint) -> bytes:
    return b"\x01" + outpoint


PARAMETERS_KEY = _key(Space.PARAMETERS)
META_KEY = _key(Space.META)


def validator_key(index: int) -> bytes:
    return _key(Space.VALIDATOR, _u16(index))


def scheme_key(scheme: int) -> bytes:
    return _key(Space.SCHEME, _u32(scheme))


def participant_key(participant: int) -> bytes:
    return _key(Space.PARTICIPANT, _u32(participant))


def key_owner_key(public: bytes) -> bytes:
    return _key(Space.KEY_OWNER, public)


def role_key(participant: int, role: str) -> bytes:
    return _key(Space.ROLE, _u32(participant), role.encode())


def device_key(device: int) -> bytes:
    return _key(Space.DEVICE, _u32(device))


def meter_key(device: int) -> bytes:
    return _key(Space.METER, _u32(device))


def gateway_key(gateway: int) -> bytes:
    return _key(Space.GATEWAY, _u32(gateway))


def proposal_key(proposal: int) -> bytes:
    return _key(Space.PROPOSAL, _u32(proposal))


def auction_key(auction: int) -> bytes:
    return _key(Space.AUCTION, _u32(auction))


def auction_order_key(auction: int, number: int) -> bytes:
    return _key(Space.AUCTION_ORDER, _u32(auction), _u32(number))


def auction_member_key(auction: int, participant: int) -> bytes:
    return _key(Space.AUCTION_MEMBER, _u32(auction), _u32(participant))


def issuance_key(issuance: int) -> bytes:
    return _key(Space.ISSUANCE, _u64(issuance))


def month_energy_key(device: int, month: int) -> bytes:
    return _key(Space.MONTH_ENERGY, _u32(device), _u32(month))


def release_key(device: int, day: int, step: int, revision: int) -> bytes:
    return _key(Space.RELEASE, _u32(device), _u32(day), bytes((step, revision)))


def statement_key(statement: bytes) -> bytes:
    return _key(Space.STATEMENT, statement)


def reference_key(kind: str, operator: int, reference: str) -> bytes:
    """`kind` is deposit or payout; a reference is unique per operator and kind."""
    return _key(Space.REFERENCE, kind[:1].encode(), _u32(operator), reference.encode())


def once_key(txid: bytes, action_index: int) -> bytes:
    """For actions that would otherwise create only the next number of a sequence, and could be replayed."""
    return _key(Space.REFERENCE, b"o", txid, _u16(action_index))


def output_count_key(participant: int) -> bytes:
    return _key(Space.OUTPUT_COUNT, _u32(participant))


def gsrn_key(gsrn: str) -> bytes:
    return _key(Space.GSRN, gsrn.encode())


def counter_key(name: str) -> bytes:
    """Sequences: participant, device, gateway, proposal, auction, issuance, delivery."""
    return _key(Space.COUNTER, name.encode())


def expiry_key(retire_until: int, outpoint: Outpoint) -> bytes:
    return _key(Space.EXPIRY, _u64(retire_until), outpoint)


def auction_close_key(closes_at: int, auction: int) -> bytes:
    return _key(Space.AUCTION_CLOSE, _u64(closes_at), _u32(auction))


def delivery_key(sequence: int) -> bytes:
    return _key(Space.DELIVERY, _u64(sequence))


def number_key(device: int, start: int) -> bytes:
    return _key(Space.NUMBER, _u32(device), _u64(start))


def issued_key(device: int, start: int) -> bytes:
    return _key(Space.ISSUED, _u32(device), _u64(start))


def spent_key(outpoint: Outpoint) -> bytes:
    return _key(Space.SPENT, outpoint)


def transaction_key(txid: bytes) -> bytes:
    return _key(Space.TRANSACTION, txid)


def events_key(height: int) -> bytes:
    return _key(Space.EVENTS, _u64(height))


def holding_key(participant: int, outpoint: Outpoint) -> bytes:
    return _key(Space.HOLDING, _u32(participant), outpoint)


def block_key(height: int) -> bytes:
    return _key(Space.BLOCK, _u64(height))


def finalization_key(height: int) -> bytes:
    return _key(Space.FINALIZATION, _u64(height))


def block_hash_key(block_hash: bytes) -> bytes:
    return _key(Space.BLOCK_HASH, block_hash)


def space_end(prefix: bytes) -> bytes:
    """The first key after every key that starts with `prefix`."""
    number = int.from_bytes(prefix, "big") + 1  # no space is 0xff, so this cannot overflow
    return number.to_bytes(len(prefix), "big")
