"""Who is reading: a header, signed by a participant's current key and good for at most a day of block time.

    X-Wattest-Reader: PARTICIPANT:UNTIL:SIGNATURE      over signed_bytes("wattest/read", chain, (participant, until))

Without it the reader is the public. What each may see stands in `node/queries/access.py`.
"""

from node.api.refusals import BadReader
from node.queries.access import PUBLIC_READER, Reader, Sight
from node.queries.chain import time_of_tip
from state.crypto import signed_bytes, verify
from state.keyspace import Space, participant_key, role_key, space_end
from state.records import Participant, Role, RoleGrant, Validator
from state.store import Store

HEADER = "X-Wattest-Reader"
TAG = "wattest/read"
LONGEST_S = 86_400


def reader_of(store: Store, chain: bytes, header: str | None) -> Reader:
    """Who asks; BadReader for a header that does not hold."""
    if header is None:
        return PUBLIC_READER
    parts = header.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts[:2]):
        raise BadReader(why="it is not PARTICIPANT:UNTIL:SIGNATURE")
    number, until = int(parts[0]), int(parts[1])
    try:
        signature = bytes.fromhex(parts[2])
    except ValueError:
        raise BadReader(why="its signature is not hexadecimal") from None
    found = store.get(participant_key(number)) if number < 2**32 else None
    if not isinstance(found, Participant) or until >= 2**63:
        raise BadReader(why="there is no such participant")
    if not verify(found.key, reading_bytes(chain, number, until), signature):
        raise BadReader(why="its signature is not that of the participant's current key")
    now = time_of_tip(store)
    if not now < until <= now + LONGEST_S:
        raise BadReader(why=f"it ends at {until}; the ledger's time is {now}, and a day is the longest")
    return Reader(number, _sight(store, number, now))


def reading_bytes(chain: bytes, participant: int, until: int) -> bytes:
    """What a reader signs."""
    return signed_bytes(TAG, chain, (participant, until))


def _sight(store: Store, participant: int, now: int) -> Sight:
    low = bytes((Space.VALIDATOR,))
    members = [entry.participant for _, entry in store.scan(low, space_end(low)) if isinstance(entry, Validator)]
    if participant in members or _granted(store, participant, Role.AUTHORITY, now):
        return Sight.AUTHORITY
    return Sight.AUDITOR if _granted(store, participant, Role.AUDITOR, now) else Sight.PARTY


def _granted(store: Store, participant: int, role: Role, now: int) -> bool:
    grant = store.get(role_key(participant, role))
    return isinstance(grant, RoleGrant) and now < grant.until
