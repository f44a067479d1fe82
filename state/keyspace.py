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
    AUCTION_WAITING = 0x28
    NEXT_VALIDATORS = 0x29
    EPOCH_SET = 0x2A
    KEY_CHANGE = 0x2B
    RECOVERY = 0x2C
    RECOVERY_DUE = 0x2D
    APPEAL = 0x2E
    DEBT = 0x2F
    DEBT_DUE = 0x30
    CREDIT = 0x31
    SECURITY = 0x32
    PRICE = 0x33
    AMENDMENT = 0x34
    STANDING = 0x35
    USAGE_METER = 0x36
    CONSUMPTION = 0x37
    STANDING_BID = 0x38
    LISTING = 0x39
    OBLIGATION = 0x3A
    OBLIGATION_PIECE = 0x3B
    OBLIGATION_DUE = 0x3C
    OBLIGATION_WORK = 0x3D
    STRIKES = 0x3E
    SESSIONS = 0x3F
    ESCROW_SET = 0x40
    ESCROW_SHARES = 0x41
    ESCROW_WALK = 0x42
    DEPOSIT_LIMIT = 0x43
    DEPOSITED = 0x44
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
    VOTE_KEYS = 0x89
    HEADER = 0x8A
    CARRIED = 0x8B
    BASE = 0x8C
    META = 0xF0


def committed(key: bytes) -> bool:
    return key[0] < 0x80


# One prefix for each space, made once: keys are built several times for every action.
_OUTPUT = bytes((Space.OUTPUT,))
_PARAMETERS = bytes((Space.PARAMETERS,))
_META = bytes((Space.META,))
_VALIDATOR = bytes((Space.VALIDATOR,))
_SCHEME = bytes((Space.SCHEME,))
_PARTICIPANT = bytes((Space.PARTICIPANT,))
_KEY_OWNER = bytes((Space.KEY_OWNER,))
_ROLE = bytes((Space.ROLE,))
_DEVICE = bytes((Space.DEVICE,))
_METER = bytes((Space.METER,))
_GATEWAY = bytes((Space.GATEWAY,))
_PROPOSAL = bytes((Space.PROPOSAL,))
_AUCTION = bytes((Space.AUCTION,))
_AUCTION_ORDER = bytes((Space.AUCTION_ORDER,))
_AUCTION_MEMBER = bytes((Space.AUCTION_MEMBER,))
_ISSUANCE = bytes((Space.ISSUANCE,))
_MONTH_ENERGY = bytes((Space.MONTH_ENERGY,))
_RELEASE = bytes((Space.RELEASE,))
_STATEMENT = bytes((Space.STATEMENT,))
_REFERENCE = bytes((Space.REFERENCE,))
_OUTPUT_COUNT = bytes((Space.OUTPUT_COUNT,))
_GSRN = bytes((Space.GSRN,))
_COUNTER = bytes((Space.COUNTER,))
_EXPIRY = bytes((Space.EXPIRY,))
_AUCTION_CLOSE = bytes((Space.AUCTION_CLOSE,))
_AUCTION_WAITING = bytes((Space.AUCTION_WAITING,))
_DELIVERY = bytes((Space.DELIVERY,))
_EPOCH_SET = bytes((Space.EPOCH_SET,))
_KEY_CHANGE = bytes((Space.KEY_CHANGE,))
_RECOVERY = bytes((Space.RECOVERY,))
_DEBT = bytes((Space.DEBT,))
_DEBT_DUE = bytes((Space.DEBT_DUE,))
_CREDIT = bytes((Space.CREDIT,))
_SECURITY = bytes((Space.SECURITY,))
_PRICE = bytes((Space.PRICE,))
_AMENDMENT = bytes((Space.AMENDMENT,))
_USAGE_METER = bytes((Space.USAGE_METER,))
_CONSUMPTION = bytes((Space.CONSUMPTION,))
_STANDING = bytes((Space.STANDING,))
_STANDING_BID = bytes((Space.STANDING_BID,))
_LISTING = bytes((Space.LISTING,))
_OBLIGATION = bytes((Space.OBLIGATION,))
_OBLIGATION_PIECE = bytes((Space.OBLIGATION_PIECE,))
_OBLIGATION_DUE = bytes((Space.OBLIGATION_DUE,))
_OBLIGATION_WORK = bytes((Space.OBLIGATION_WORK,))
_STRIKES = bytes((Space.STRIKES,))
_SESSIONS = bytes((Space.SESSIONS,))
_ESCROW_SET = bytes((Space.ESCROW_SET,))
_ESCROW_SHARES = bytes((Space.ESCROW_SHARES,))
_ESCROW_WALK = bytes((Space.ESCROW_WALK,))
DEPOSIT_LIMIT_KEY = bytes((Space.DEPOSIT_LIMIT,))
_DEPOSITED = bytes((Space.DEPOSITED,))
_APPEAL = bytes((Space.APPEAL,))
_RECOVERY_DUE = bytes((Space.RECOVERY_DUE,))
_VOTE_KEYS = bytes((Space.VOTE_KEYS,))
_NUMBER = bytes((Space.NUMBER,))
_ISSUED = bytes((Space.ISSUED,))
_SPENT = bytes((Space.SPENT,))
_TRANSACTION = bytes((Space.TRANSACTION,))
_EVENTS = bytes((Space.EVENTS,))
_HOLDING = bytes((Space.HOLDING,))
_BLOCK = bytes((Space.BLOCK,))
_FINALIZATION = bytes((Space.FINALIZATION,))
_BLOCK_HASH = bytes((Space.BLOCK_HASH,))
_HEADER = bytes((Space.HEADER,))
_CARRIED = bytes((Space.CARRIED,))


def output_key(outpoint: Outpoint) -> bytes:
    return _OUTPUT + outpoint


PARAMETERS_KEY = _PARAMETERS
NEXT_VALIDATORS_KEY = bytes((Space.NEXT_VALIDATORS,))
META_KEY = _META
BASE_KEY = bytes((Space.BASE,))


def validator_key(index: int) -> bytes:
    return _VALIDATOR + index.to_bytes(2, "big")


def epoch_set_key(epoch: int) -> bytes:
    return _EPOCH_SET + epoch.to_bytes(8, "big")


def scheme_key(scheme: int) -> bytes:
    return _SCHEME + scheme.to_bytes(4, "big")


def participant_key(participant: int) -> bytes:
    return _PARTICIPANT + participant.to_bytes(4, "big")


def key_owner_key(public: bytes) -> bytes:
    return _KEY_OWNER + public


def role_key(participant: int, role: str) -> bytes:
    return _ROLE + participant.to_bytes(4, "big") + role.encode()


def device_key(device: int) -> bytes:
    return _DEVICE + device.to_bytes(4, "big")


def meter_key(device: int) -> bytes:
    return _METER + device.to_bytes(4, "big")


def gateway_key(gateway: int) -> bytes:
    return _GATEWAY + gateway.to_bytes(4, "big")


def proposal_key(proposal: int) -> bytes:
    return _PROPOSAL + proposal.to_bytes(4, "big")


def auction_key(auction: int) -> bytes:
    return _AUCTION + auction.to_bytes(4, "big")


def auction_order_key(auction: int, number: int) -> bytes:
    return _AUCTION_ORDER + auction.to_bytes(4, "big") + number.to_bytes(4, "big")


def auction_member_key(auction: int, participant: int) -> bytes:
    return _AUCTION_MEMBER + auction.to_bytes(4, "big") + participant.to_bytes(4, "big")


def issuance_key(issuance: int) -> bytes:
    return _ISSUANCE + issuance.to_bytes(8, "big")


def month_energy_key(device: int, month: int) -> bytes:
    return _MONTH_ENERGY + device.to_bytes(4, "big") + month.to_bytes(4, "big")


def release_key(device: int, day: int, step: int, revision: int) -> bytes:
    return _RELEASE + device.to_bytes(4, "big") + day.to_bytes(4, "big") + bytes((step, revision))


def appeal_key(device: int, day: int, step: int, revision: int) -> bytes:
    return _APPEAL + device.to_bytes(4, "big") + day.to_bytes(4, "big") + bytes((step, revision))


def debt_key(device: int) -> bytes:
    return _DEBT + device.to_bytes(4, "big")


def debt_due_key(due_at: int, device: int) -> bytes:
    return _DEBT_DUE + due_at.to_bytes(8, "big") + device.to_bytes(4, "big")


def credit_key(device: int, day: int) -> bytes:
    return _CREDIT + device.to_bytes(4, "big") + day.to_bytes(4, "big")


def security_key(device: int, outpoint: Outpoint) -> bytes:
    return _SECURITY + device.to_bytes(4, "big") + outpoint


def price_key(scheme: int) -> bytes:
    """The price of the last auction that traded certificates of this scheme."""
    return _PRICE + scheme.to_bytes(4, "big")


def amendment_key(statement: bytes) -> bytes:
    return _AMENDMENT + statement


def standing_key(device: int, number: int) -> bytes:
    return _STANDING + device.to_bytes(4, "big") + number.to_bytes(4, "big")


def standing_bid_key(scheme: int, number: int) -> bytes:
    return _STANDING_BID + scheme.to_bytes(4, "big") + number.to_bytes(4, "big")


def listing_key(outpoint: Outpoint) -> bytes:
    """Of a posted lot: the board that everybody reads."""
    return _LISTING + outpoint


def obligation_key(auction: int, buyer: int) -> bytes:
    return _OBLIGATION + auction.to_bytes(4, "big") + buyer.to_bytes(4, "big")


def obligation_piece_key(auction: int, buyer: int, number: int) -> bytes:
    return _OBLIGATION_PIECE + auction.to_bytes(4, "big") + buyer.to_bytes(4, "big") + number.to_bytes(4, "big")


def obligation_due_key(due_at: int, auction: int, buyer: int) -> bytes:
    return _OBLIGATION_DUE + due_at.to_bytes(8, "big") + auction.to_bytes(4, "big") + buyer.to_bytes(4, "big")


def obligation_work_key(auction: int, buyer: int) -> bytes:
    """Of an obligation whose pieces are to be delivered or released by the coming blocks."""
    return _OBLIGATION_WORK + auction.to_bytes(4, "big") + buyer.to_bytes(4, "big")


def sessions_key(scheme: int) -> bytes:
    return _SESSIONS + scheme.to_bytes(4, "big")


def strikes_key(participant: int) -> bytes:
    return _STRIKES + participant.to_bytes(4, "big")


def deposited_key(participant: int, currency: str, month: int) -> bytes:
    """What deposits brought to an account in a month; rows only where the genesis limits it."""
    return _DEPOSITED + participant.to_bytes(4, "big") + currency.encode() + month.to_bytes(4, "big")


def escrow_set_key(auction: int, epoch: int) -> bytes:
    """The validators that orders of the auction were sealed to in that epoch."""
    return _ESCROW_SET + auction.to_bytes(4, "big") + epoch.to_bytes(8, "big")


def escrow_shares_key(auction: int, epoch: int, validator: int, page: int) -> bytes:
    """`validator` is the index in the set of that epoch."""
    place = epoch.to_bytes(8, "big") + validator.to_bytes(2, "big") + page.to_bytes(4, "big")
    return _ESCROW_SHARES + auction.to_bytes(4, "big") + place


def escrow_walk_key(auction: int, epoch: int) -> bytes:
    """Of a set of which a quorum has served: its orders are to be opened by the coming blocks."""
    return _ESCROW_WALK + auction.to_bytes(4, "big") + epoch.to_bytes(8, "big")


def consumption_meter_key(meter: int) -> bytes:
    return _USAGE_METER + meter.to_bytes(4, "big")


def consumption_key(meter: int, day: int) -> bytes:
    return _CONSUMPTION + meter.to_bytes(4, "big") + day.to_bytes(4, "big")


def statement_key(statement: bytes) -> bytes:
    return _STATEMENT + statement


def reference_key(kind: str, operator: int, reference: str) -> bytes:
    """`kind` is deposit or payout; a reference is unique per operator and kind."""
    return _REFERENCE + kind[:1].encode() + operator.to_bytes(4, "big") + reference.encode()


def once_key(txid: bytes, action_index: int) -> bytes:
    """For actions that would otherwise create only the next number of a sequence, and could be replayed."""
    return _REFERENCE + b"o" + txid + action_index.to_bytes(2, "big")


def accredited_key(kind: str, subject: int) -> bytes:
    """When a proposal about this accreditation was last enacted: older ones about it are overtaken."""
    return _REFERENCE + b"a" + subject.to_bytes(4, "big") + kind.encode()


def open_proposals_key(proposer: int) -> bytes:
    """Which proposals of a participant may still be open: there is a limit to them."""
    return _REFERENCE + b"q" + proposer.to_bytes(4, "big")


def retired_key(vote_key: bytes) -> bytes:
    """A vote key that was in office and is not any more: it never comes back."""
    return _REFERENCE + b"v" + vote_key


def equivocation_key(epoch: int, signer: int) -> bytes:
    """That evidence against this signer of this epoch was shown: once is enough."""
    return _REFERENCE + b"e" + epoch.to_bytes(8, "big") + signer.to_bytes(2, "big")


def former_key(public: bytes) -> bytes:
    """A key of a participant, meter or gateway that another replaced: it never comes back."""
    return _REFERENCE + b"k" + public


def key_change_key(kind: str, subject: int, sequence: int) -> bytes:
    """`kind` is participant, meter or gateway; `sequence` counts the changes of this subject from 1."""
    return _KEY_CHANGE + kind[:1].encode() + subject.to_bytes(4, "big") + sequence.to_bytes(4, "big")


def recovery_key(participant: int) -> bytes:
    return _RECOVERY + participant.to_bytes(4, "big")


def recovery_due_key(due_at: int, participant: int) -> bytes:
    return _RECOVERY_DUE + due_at.to_bytes(8, "big") + participant.to_bytes(4, "big")


def output_count_key(participant: int) -> bytes:
    return _OUTPUT_COUNT + participant.to_bytes(4, "big")


def gsrn_key(gsrn: str) -> bytes:
    return _GSRN + gsrn.encode()


def counter_key(name: str) -> bytes:
    """Sequences: participant, device, gateway, proposal, auction, issuance, delivery."""
    return _COUNTER + name.encode()


def expiry_key(retire_until: int, outpoint: Outpoint) -> bytes:
    return _EXPIRY + retire_until.to_bytes(8, "big") + outpoint


def auction_close_key(closes_at: int, auction: int) -> bytes:
    return _AUCTION_CLOSE + closes_at.to_bytes(8, "big") + auction.to_bytes(4, "big")


def auction_waiting_key(auction: int) -> bytes:
    """Of an auction that is closed and waits for its settlement."""
    return _AUCTION_WAITING + auction.to_bytes(4, "big")


def delivery_key(sequence: int) -> bytes:
    return _DELIVERY + sequence.to_bytes(8, "big")


def number_key(device: int, start: int) -> bytes:
    return _NUMBER + device.to_bytes(4, "big") + start.to_bytes(8, "big")


def issued_key(device: int, start: int) -> bytes:
    return _ISSUED + device.to_bytes(4, "big") + start.to_bytes(8, "big")


def spent_key(outpoint: Outpoint) -> bytes:
    return _SPENT + outpoint


def transaction_key(txid: bytes) -> bytes:
    return _TRANSACTION + txid


def events_key(height: int) -> bytes:
    return _EVENTS + height.to_bytes(8, "big")


def holding_key(participant: int, outpoint: Outpoint) -> bytes:
    return _HOLDING + participant.to_bytes(4, "big") + outpoint


def vote_keys_key(epoch: int) -> bytes:
    return _VOTE_KEYS + epoch.to_bytes(8, "big")


def block_key(height: int) -> bytes:
    return _BLOCK + height.to_bytes(8, "big")


def finalization_key(height: int) -> bytes:
    return _FINALIZATION + height.to_bytes(8, "big")


def header_key(height: int) -> bytes:
    """Of a block whose body is not kept."""
    return _HEADER + height.to_bytes(8, "big")


def carried_key(device: int, start: int) -> bytes:
    """Of a range that lived in the snapshot which this node began from."""
    return _CARRIED + device.to_bytes(4, "big") + start.to_bytes(8, "big")


def block_hash_key(block_hash: bytes) -> bytes:
    return _BLOCK_HASH + block_hash


def space_end(prefix: bytes) -> bytes:
    """The first key after every key that starts with `prefix`."""
    number = int.from_bytes(prefix, "big") + 1  # no space is 0xff, so this cannot overflow
    return number.to_bytes(len(prefix), "big")
