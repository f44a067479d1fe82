"""Units, bounded integers and limits that the whole ledger shares (FORMATS: numbers and time).

Energy is u64 Wh; money is u64 millionths of the currency unit; header time is u64 ms, deadlines are u64 s and hold
while `timestamp_ms < deadline * 1000`; days are UTC days since 1970; months are `year * 100 + month`.
"""

from typing import Annotated

from msgspec import Meta

U8 = Annotated[int, Meta(ge=0, le=2**8 - 1)]
U16 = Annotated[int, Meta(ge=0, le=2**16 - 1)]
U32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
U64 = Annotated[int, Meta(ge=0)]  # MessagePack itself ends at 2**64 - 1
I64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
OptionalKey = Annotated[bytes, Meta(max_length=32)]  # empty = none
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Salt = Annotated[bytes, Meta(min_length=8, max_length=8)]
Outpoint = Annotated[bytes, Meta(min_length=34, max_length=34)]  # txid(32) ‖ index u16 big-endian
Txid = Hash

Code = Annotated[str, Meta(max_length=16)]  # EECS codes, roles, zones, countries, currencies
Name = Annotated[str, Meta(max_length=120)]
Note = Annotated[str, Meta(max_length=500)]

MICRO = 1_000_000  # millionths in one currency unit
MINOR_UNIT = 10_000  # deposits and payouts are multiples of the minor unit (a cent)
MAX_PRICE = 10**9  # millionths per certificate, so that price * quantity stays below 2**63
MAX_QUANTITY = 10**9
MAX_AMOUNT = 2**63 - 1  # of one Funds output, and of the money that one action takes in: JSON consumers have int64

MAX_BLOCK_BYTES = 2 * 1024 * 1024
MAX_BLOCK_ACTIONS = 4_000
MAX_FRAME_BYTES = 4 * 1024 * 1024
MAX_TX_BYTES = 256 * 1024  # an issue of 31 days with 21 signatures each is about 50 kB
MAX_ACTIONS = 128
MAX_EXPIRY_AHEAD = 10_000  # blocks
MAX_SIGNERS = 16
SWEEP_LIMIT = 1_000  # expired outputs removed at the start of a block
PAGE_PIECES = 2_000  # pieces of a settlement delivered in one block
REGISTER_PER_BLOCK = 8
SETTLE_PER_BLOCK = 1  # a full book takes up to 250 ms of every validator
SHARES_PER_BLOCK = 4_000  # of sealed orders: about 50 ms
SIGNER_PER_BLOCK = 32

DAY_S = 86_400
