"""Where each certificate is, where it was, and what became of it: the derived rows of a block.

A rule that moves value tells it as a `Movement`: outputs that it spent and outputs that it created. From these alone,
without reading anything, `derived_rows` gives the rows to write:

    NUMBER    device, first serial -> last serial, outpoint: the output that holds the range, or the last one that did.
              The holder of N is the row with the largest start <= N: one reverse seek. Ranges of the retired and the
              expired stay, so the rows of a device always partition 1 .. next_serial - 1.
    ISSUED    device, first serial -> the issue. Never changes: where every history begins.
    SPENT     outpoint -> by what, when, and which ranges went where: one step of a history.
    HOLDING   participant, outpoint -> kind of output: what somebody holds now, or may accept.
    TRANSACTION, BLOCK_HASH -> where a transaction or block stands.

A node that began from a snapshot has NUMBER and HOLDING of what lived then, made from the state by `rows_of_snapshot`,
and CARRIED beside them: where the histories begin that it can tell. What had ended before it cannot tell (`NotHeld`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from state.codec import Wire, decode, encode
from state.errors import DecodeError, StoreMismatch
from state.kept import not_held
from state.keyspace import (
    block_hash_key,
    carried_key,
    device_key,
    holding_key,
    issued_key,
    number_key,
    output_key,
    space_end,
    spent_key,
    transaction_key,
)
from state.movement import Movement
from state.outputs import (
    Bid,
    Bundle,
    Delivery,
    Funds,
    Guarantee,
    Listing,
    Offer,
    Output,
    PayoutRequest,
    Pending,
    Purse,
    Reserved,
    SealedBid,
    SealedOffer,
    Security,
    holder_of,
)
from state.records import Device
from state.store import Store
from state.units import U16, U32, U64, Code, Hash, Outpoint

KIND_BYTES = {Bundle: b"bundle", Funds: b"funds", Offer: b"offer", Bid: b"bid", Delivery: b"delivery",
              Pending: b"pending", Security: b"security", SealedOffer: b"sealed_offer",
              SealedBid: b"sealed_bid", Listing: b"listing", Purse: b"purse", Reserved: b"reserved",
              Guarantee: b"guarantee", PayoutRequest: b"payout_request"}  # fmt: skip
HANDED = b"handed"  # to whoever may accept or confirm it: it is the sender's until then
STATUS_LIVE = {Bundle: "active", Offer: "locked", SealedOffer: "locked", Listing: "locked", Pending: "locked",
               Delivery: "reserved", Reserved: "reserved"}  # fmt: skip
HOLDS = (Bundle, Offer, SealedOffer, Listing, Pending, Delivery, Reserved)  # certificates
STATUS_DEAD = {"retire": "retired", "expire": "expired", "withdraw": "withdrawn"}


class Heir(Wire, frozen=True):
    """Where a part of a spent range went."""

    start: U64
    end: U64
    outpoint: Outpoint
    holder: U32
    kind: Code  # of the output: bundle, offer or delivery


class SpentRow(Wire, frozen=True):
    """`heirs` are the created ranges inside the spent one; what they leave out ended here."""

    txid: Hash
    action_index: U16
    height: U64
    kind: Code  # of the movement
    holder: U32  # until then
    heirs: tuple[Heir, ...]


class IssuedRow(Wire, frozen=True):
    end: U64
    outpoint: Outpoint
    txid: Hash
    action_index: U16
    height: U64
    holder: U32


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is known of one certificate now. `[start, end]` is the range that it lies in."""

    device: int
    serial: int
    start: int
    end: int
    status: str  # active, locked, reserved; retired, expired, withdrawn
    holder: int  # the last one, where it is dead
    outpoint: bytes  # the output that holds it, or the last one that did
    ended_by: bytes  # txid, empty while it lives
    ended_height: int  # 0 while it lives


@dataclass(frozen=True, slots=True)
class CarriedRange:
    """A range that lived in the snapshot from which this node began."""

    start: int
    end: int
    outpoint: bytes
    issuance: int


@dataclass(frozen=True, slots=True)
class Step:
    """One event in the life of a certificate; `holder_to` is 0 where it ended."""

    kind: str
    txid: bytes
    action_index: int
    height: int
    holder_from: int  # 0 at its issue
    holder_to: int
    outpoint: bytes  # the output it came into, empty where it ended
    start: int  # the range it moved with
    end: int


# --- what a block writes


def derived_rows(
    height: int, block_hash: bytes, txids: Sequence[bytes], movements: Iterable[Movement]
) -> dict[bytes, bytes | None]:
    """Rows of the derived spaces that a block changes (None = deleted), movements in the order they happened."""
    rows: dict[bytes, bytes | None] = {block_hash_key(block_hash): height.to_bytes(8, "big")}
    position = height.to_bytes(8, "big")
    for index, txid in enumerate(txids):
        rows[transaction_key(txid)] = position + index.to_bytes(4, "big")
    for movement in movements:
        _movement_rows(rows, movement, height)
    return rows


def _movement_rows(rows: dict[bytes, bytes | None], movement: Movement, height: int) -> None:
    heirs = _heirs_by_device(movement.created)
    for outpoint, output in movement.spent:
        holder, lot = holder_of(output), lot_of(output)
        rows[holding_key(holder, outpoint)] = None
        if to := _handed_to(output):
            rows[holding_key(to, outpoint)] = None
        parts: tuple[Heir, ...] = ()
        if lot is not None:
            parts = _parts(lot, heirs.get(lot.device, []))
            rows[number_key(lot.device, lot.start)] = None  # unless something below starts there again
            for start, end in _ended(lot, parts):
                rows[number_key(lot.device, start)] = _number_row(end, outpoint)
        spent = SpentRow(movement.txid, movement.action_index, height, movement.kind, holder, parts)
        rows[spent_key(outpoint)] = encode(spent)
    for outpoint, output in movement.created:
        holder, lot = holder_of(output), lot_of(output)
        rows[holding_key(holder, outpoint)] = KIND_BYTES[type(output)]
        if to := _handed_to(output):
            rows[holding_key(to, outpoint)] = HANDED
        if lot is None:
            continue
        rows[number_key(lot.device, lot.start)] = _number_row(lot.end, outpoint)
        if not movement.spent:
            issued = IssuedRow(lot.end, outpoint, movement.txid, movement.action_index, height, holder)
            rows[issued_key(lot.device, lot.start)] = encode(issued)


def rows_of_snapshot(outpoint: Outpoint, output: Output) -> dict[bytes, bytes | None]:
    """What can be said of a live output without having seen where it came from."""
    lot = lot_of(output)
    rows: dict[bytes, bytes | None] = {holding_key(holder_of(output), outpoint): KIND_BYTES[type(output)]}
    if to := _handed_to(output):
        rows[holding_key(to, outpoint)] = HANDED
    if lot is not None:
        row = _number_row(lot.end, outpoint)
        rows[number_key(lot.device, lot.start)] = row
        rows[carried_key(lot.device, lot.start)] = row + lot.issuance.to_bytes(8, "big")
    return rows


def lot_of(output: Output) -> Bundle | None:
    """The certificates in an output, None where it holds money only."""
    match output:
        case Bundle():
            return output
        case Offer() | SealedOffer() | Listing() | Delivery() | Reserved() | Pending():
            return output.lot
        case Funds() | Bid() | SealedBid() | Purse() | Guarantee() | PayoutRequest() | Security():
            return None


def _handed_to(output: Output) -> int:
    """Who beside its holder has a say in it; 0 = nobody."""
    match output:
        case Pending() | Listing():
            return output.to
        case PayoutRequest():
            return output.operator
        case _:
            return 0


def _heirs_by_device(created: Sequence[tuple[Outpoint, Output]]) -> dict[int, list[Heir]]:
    """The created ranges of each device in the order of their serials; they never overlap."""
    heirs: dict[int, list[Heir]] = {}
    for outpoint, output in created:
        lot = lot_of(output)
        if lot is not None:
            heir = Heir(lot.start, lot.end, outpoint, holder_of(output), KIND_BYTES[type(output)].decode())
            heirs.setdefault(lot.device, []).append(heir)
    for parts in heirs.values():
        parts.sort(key=_start)
    return heirs


def _parts(lot: Bundle, heirs: Sequence[Heir]) -> tuple[Heir, ...]:
    """What the heirs took over of `lot`, cut to it: a merge reaches beyond."""
    found = []
    for heir in heirs[max(0, bisect_right(heirs, lot.start, key=_start) - 1) :]:
        if heir.start > lot.end:
            break
        if heir.end >= lot.start:
            start, end = max(lot.start, heir.start), min(lot.end, heir.end)
            whole = start == heir.start and end == heir.end
            found.append(heir if whole else Heir(start, end, heir.outpoint, heir.holder, heir.kind))
    return tuple(found)


def _start(heir: Heir) -> int:
    return heir.start


def _ended(lot: Bundle, heirs: Sequence[Heir]) -> Iterator[tuple[int, int]]:
    """The ranges of `lot` that no heir took over: retired or expired there."""
    start = lot.start
    for heir in heirs:
        if start < heir.start:
            yield start, heir.start - 1
        start = heir.end + 1
    if start <= lot.end:
        yield start, lot.end


def _number_row(end: int, outpoint: bytes) -> bytes:
    return end.to_bytes(8, "big") + outpoint


# --- what is asked


def where(store: Store, device: int, serial: int) -> Whereabouts | None:
    """Where a certificate is now, or how it ended; None if that number was never issued (or can be none), NotHeld if
    it ended before the snapshot that this node began from."""
    if not _possible(device, serial):
        return None
    row = _row_below(store, number_key(device, 0), number_key(device, serial))
    key, value = row or (b"", b"")
    start, end, outpoint = int.from_bytes(key[-8:], "big"), int.from_bytes(value[:8], "big"), value[8:]
    if row is None or serial > end:
        _require_never_issued(store, device, serial)
        return None
    output = store.get(output_key(outpoint))
    if output is not None:
        assert isinstance(output, HOLDS), "a range lies in an output that holds certificates"
        holder, status = holder_of(output), STATUS_LIVE[type(output)]
        return Whereabouts(device, serial, start, end, status, holder, outpoint, b"", 0)
    spent = spent_row(store, outpoint)
    if spent is None:
        raise StoreMismatch(why=f"output {outpoint.hex()} of device {device} neither lives nor was spent")
    status = STATUS_DEAD.get(spent.kind, spent.kind)
    return Whereabouts(device, serial, start, end, status, spent.holder, outpoint, spent.txid, spent.height)


def history(store: Store, device: int, serial: int) -> list[Step]:
    """From its issue to now, one step a movement; empty if that number was never issued.

    From the snapshot on where this node began from one after the issue, NotHeld if the certificate had ended by then.
    The cost is one read for each of its own movements, however much happened around it.
    """
    if not _possible(device, serial):
        return []
    steps: list[Step] = []
    row = _row_below(store, issued_key(device, 0), issued_key(device, serial))
    issued = _decoded(IssuedRow, row[1]) if row is not None else None
    if row is not None and issued is not None and serial <= issued.end:
        start, end, outpoint = int.from_bytes(row[0][-8:], "big"), issued.end, issued.outpoint
        act = ("issue", issued.txid, issued.action_index, issued.height)
        steps.append(Step(*act, 0, issued.holder, outpoint, start, end))
    else:
        carried = carried_range(store, device, serial)
        if carried is None:
            _require_never_issued(store, device, serial)
            return []
        start, end, outpoint = carried.start, carried.end, carried.outpoint
    while outpoint and (spent := spent_row(store, outpoint)) is not None:
        steps.append(_step(spent, serial, start, end))
        start, end, outpoint = steps[-1].start, steps[-1].end, steps[-1].outpoint
    return steps


def carried_range(store: Store, device: int, serial: int) -> CarriedRange | None:
    """Where a certificate lived when this node began from a snapshot; None where it did not, or there was none."""
    row = _row_below(store, carried_key(device, 0), carried_key(device, serial))
    if row is None or serial > int.from_bytes(row[1][:8], "big"):
        return None
    start, end, issuance = (int.from_bytes(part, "big") for part in (row[0][-8:], row[1][:8], row[1][-8:]))
    return CarriedRange(start, end, row[1][8:-8], issuance)


def _require_never_issued(store: Store, device: int, serial: int) -> None:
    found = store.get(device_key(device))
    if isinstance(found, Device) and serial < found.next_serial:
        refusal = not_held(store, "what became of certificate", f"{device}-{serial}")
        if refusal is not None:
            raise refusal


def _step(spent: SpentRow, serial: int, start: int, end: int) -> Step:
    """`[start, end]` is the range that it moved with until then."""
    act = (spent.kind, spent.txid, spent.action_index, spent.height, spent.holder)
    for heir in spent.heirs:
        if heir.start <= serial <= heir.end:
            return Step(*act, heir.holder, heir.outpoint, heir.start, heir.end)
    return Step(*act, 0, b"", start, end)


def spent_row(store: Store, outpoint: Outpoint) -> SpentRow | None:
    """By what an output was spent; None while it lives, or if it never existed."""
    data = store.get_raw(spent_key(outpoint))
    return None if data is None else _decoded(SpentRow, data)


def holdings(
    store: Store, participant: int, kind: str = "", after: bytes = b"", limit: int = 200
) -> list[tuple[Outpoint, Output]]:
    """Live outputs of a participant in the order of their outpoints, beyond the outpoint `after`; one page."""
    low = holding_key(participant, after + b"\x00" if after else b"")
    found: list[tuple[Outpoint, Output]] = []
    for key, value in store.scan_raw(low, space_end(holding_key(participant, b""))):
        if kind and value != kind.encode():
            continue
        outpoint = key[5:]
        output = store.get(output_key(outpoint))
        if output is None:
            raise StoreMismatch(why=f"participant {participant} is said to hold {outpoint.hex()}, which does not live")
        found.append((outpoint, output))  # type: ignore[arg-type]
        if len(found) == limit:
            break
    return found


def ranges(store: Store, device: int) -> Iterator[tuple[int, int, Outpoint]]:
    """(start, end, outpoint) of every range of a device in the order of the serials: together 1 .. next_serial - 1."""
    low = number_key(device, 0)
    for key, value in store.scan_raw(low, space_end(low[:5])):
        yield int.from_bytes(key[-8:], "big"), int.from_bytes(value[:8], "big"), value[8:]


def transaction_position(store: Store, txid: bytes) -> tuple[int, int] | None:
    """(height, index in its block) of a final transaction."""
    data = store.get_raw(transaction_key(txid))
    return None if data is None else (int.from_bytes(data[:8], "big"), int.from_bytes(data[8:], "big"))


def height_of(store: Store, block_hash: bytes) -> int | None:
    """Height of a final block."""
    data = store.get_raw(block_hash_key(block_hash))
    return None if data is None else int.from_bytes(data, "big")


def _possible(device: int, serial: int) -> bool:
    return 0 <= device < 2**32 and 0 <= serial < 2**64


def _row_below(store: Store, low: bytes, key: bytes) -> tuple[bytes, bytes] | None:
    """The last row at or before `key`, not before `low`."""
    return next(store.scan_raw(low, key + b"\x00", reverse=True), None)


Row = TypeVar("Row", bound=Wire)


def _decoded(kind: type[Row], data: bytes) -> Row:
    try:
        return decode(kind, data)
    except DecodeError as error:
        raise StoreMismatch(why=f"a row of the history is not readable ({error})") from None
