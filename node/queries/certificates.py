"""Certificates by number: where each is now, how it got there, and how it ended."""

from typing import Any

from contracts.events import Issued
from contracts.statement import statement_id
from node.queries.chain import events_of, find_transaction, header_at, parameters_of
from node.queries.energytag import energytag_dict
from node.queries.foreign_codes import codes_dict
from node.queries.pages import Page, bounds, take
from node.queries.values import plain
from state.errors import BadNumber, StoreMismatch, Unknown
from state.history import STATUS_LIVE, Step, Whereabouts, carried_range, history, holdings, lot_of, where
from state.kept import base_of
from state.keyspace import Entry, Space, device_key, issuance_key, number_key, output_key, participant_key, scheme_key
from state.numbering import CertificateNumber, format_number, parse_number, require_decoration
from state.outputs import Bundle, Delivery, Listing, Offer, Pending, Reserved, SealedOffer, holder_of, quantity
from state.records import Device, Issuance, Participant, Scheme
from state.store import Store
from state.transaction import Retire

MAX_RANGES = 200  # pieces that one range of numbers is told in


def number_of(store: Store, issuance: Issuance, start: int, end: int) -> CertificateNumber:
    device, scheme = store.get(device_key(issuance.device)), store.get(scheme_key(issuance.scheme))
    assert isinstance(device, Device), "an issuance names its device"
    assert isinstance(scheme, Scheme), "an issuance names its scheme"
    registry = parameters_of(store).registry_code
    return CertificateNumber(
        registry, device.facts.country, device.id, issuance.month, start, end, scheme.serial_digits
    )


def number_text(store: Store, issuance: int, start: int, end: int) -> str:
    return format_number(number_of(store, issuance_of(store, issuance), start, end))


def issuance_of(store: Store, issuance: int) -> Issuance:
    found = store.get(issuance_key(issuance))
    if not isinstance(found, Issuance):
        raise Unknown(what="issuance", id=issuance)
    return found


def bundle_dict(store: Store, bundle: Bundle) -> dict[str, Any]:
    return {
        **plain(bundle),
        "number": number_text(store, bundle.issuance, bundle.start, bundle.end),
        "quantity": str(quantity(bundle)),
    }


# --- one number


def certificate_dict(store: Store, text: str) -> dict[str, Any]:
    """Whereabouts and life of a number. For a range: of its first certificate, and where every part lies now.

    BadNumber for a mistyped number or one whose decoration is not its issuance's; Unknown for one never issued,
    NotHeld for one that had ended before this node's records begin. `history_from` is null where they reach back to
    the issue.
    """
    number = parse_number(text)
    steps = history(store, number.device, number.start)
    found = where(store, number.device, number.start)
    if found is None:
        raise Unknown(what="certificate", id=text)
    issuance = _issuance(store, number, steps)
    right = number_of(store, issuance, number.start, number.start)
    require_decoration(number, right.registry, right.country, right.month, right.serial_digits)
    if number.end > issuance.end:
        raise BadNumber.of(text, "two_issues", last=issuance.end)
    device = store.get(device_key(number.device))
    assert isinstance(device, Device)
    claim = _claim_of(store, steps[-1], number.start) if found.status == "retired" else None
    shown = {
        "number": text,
        "device": number.device,
        "start": str(number.start),
        "end": str(number.end),
        "status": found.status,
        "holder": found.holder,
        "holder_name": name_of(store, found.holder),
        "statement": statement_id(claim.statement_hash).hex() if claim else None,
        "beneficiary": claim.beneficiary.name if claim else "",
        "registry": parameters_of(store).name,
        "issuance": {name: value for name, value in plain(issuance).items() if name != "kind"},
        "facts": plain(device.facts),
        "scheme": _scheme(store, issuance),
        "ranges": _ranges(store, number, issuance),
        "history": [_step_dict(store, issuance, step) for step in steps],
        "history_from": None if steps and steps[0].kind == "issue" else base_of(store).history_from,
        "codes": codes_dict(device.facts.technology, device.facts.fuel),
    }
    return {**shown, "energytag": energytag_dict(shown)}


def _issuance(store: Store, number: CertificateNumber, steps: list[Step]) -> Issuance:
    if steps and steps[0].kind == "issue":
        return _born(store, number.device, steps[0])
    carried = carried_range(store, number.device, number.start)
    assert carried is not None, "a certificate whose issue is not held lived when the records begin"
    return issuance_of(store, carried.issuance)


def _born(store: Store, device: int, birth: Step) -> Issuance:
    for record in events_of(store, birth.height):
        event = record.event
        if isinstance(event, Issued) and event.device == device and event.start == birth.start:
            return issuance_of(store, event.issuance)
    raise StoreMismatch(why=f"the issue at height {birth.height} of device {device} has no event")


def _scheme(store: Store, issuance: Issuance) -> dict[str, Any]:
    scheme = store.get(scheme_key(issuance.scheme))
    assert isinstance(scheme, Scheme)
    return {"id": scheme.id, "name": scheme.name, "unit": scheme.unit, "face_value": str(scheme.face_value)}


def _ranges(store: Store, number: CertificateNumber, issuance: Issuance) -> list[dict[str, Any]]:
    """Where each part of the range lies now, in the order of the serials; the first MAX_RANGES parts."""
    parts: list[dict[str, Any]] = []
    serial = number.start
    while serial <= min(number.end, issuance.end) and len(parts) < MAX_RANGES:
        part = where(store, number.device, serial)
        assert part is not None, "the ranges of a device have no gap below its next serial"
        parts.append(_part(store, issuance, part, serial, min(part.end, number.end, issuance.end)))
        serial = part.end + 1
    return parts


def _part(store: Store, issuance: Issuance, part: Whereabouts, start: int, end: int) -> dict[str, Any]:
    return {
        "number": format_number(number_of(store, issuance, start, end)),
        "start": str(start),
        "end": str(end),
        "quantity": str(end - start + 1),
        "status": part.status,
        "holder": part.holder,
        "outpoint": part.outpoint.hex(),
        "ended_by": part.ended_by.hex() or None,
        "ended_height": part.ended_height or None,
    }


def _step_dict(store: Store, issuance: Issuance, step: Step) -> dict[str, Any]:
    return {
        "event": step.kind,
        "height": step.height,
        "time_ms": header_at(store, step.height).timestamp_ms,
        "txid": step.txid.hex(),
        "action_index": step.action_index,
        "from": step.holder_from or None,
        "from_name": name_of(store, step.holder_from),
        "to": step.holder_to or None,
        "to_name": name_of(store, step.holder_to),
        "outpoint": step.outpoint.hex() or None,
        "number": format_number(number_of(store, issuance, step.start, step.end)),
    }


def _claim_of(store: Store, end: Step, serial: int) -> Retire:
    """The claim that a certificate was retired with."""
    _, _, transaction = find_transaction(store, end.txid)
    action = transaction.body.actions[end.action_index]
    assert isinstance(action, Retire), f"certificate {serial} is said to be retired"
    return action


def name_of(store: Store, participant: int) -> str:
    """A participant's name; empty for 0, which stands for nobody."""
    found = store.get(participant_key(participant)) if participant else None
    return found.name if isinstance(found, Participant) else ""


# --- lists of live ranges


def certificates_page(store: Store, holder: int | None, device: int | None, cursor: bytes | None, limit: int) -> Page:
    """Live ranges: of a holder, of a device, of both, or all, in the order of (device, serial)."""
    if holder is not None:
        return _held_page(store, holder, device, cursor, limit)
    prefix = bytes((Space.NUMBER,)) if device is None else number_key(device, 0)[:5]

    def show(_: bytes, row: bytes) -> dict[str, Any] | None:
        output = store.get(output_key(row[8:]))
        return None if output is None else _live(store, row[8:], output)  # None: retired or expired

    return take(store.scan_raw(*bounds(prefix, cursor)), limit, show)


def _held_page(store: Store, holder: int, device: int | None, cursor: bytes | None, limit: int) -> Page:
    items: list[dict[str, Any]] = []
    after = cursor or b""
    while found := holdings(store, holder, "", after, limit):
        for outpoint, output in found:
            after = outpoint
            lot = lot_of(output)
            if lot is None or device not in (None, lot.device):
                continue
            items.append(_live(store, outpoint, output))
            if len(items) == limit:
                return items, outpoint
    return items, None


def _live(store: Store, outpoint: bytes, output: Entry) -> dict[str, Any]:
    assert isinstance(output, Bundle | Offer | SealedOffer | Listing | Delivery | Reserved | Pending), (
        "only these hold certificates"
    )
    lot = output if isinstance(output, Bundle) else output.lot
    issuance = issuance_of(store, lot.issuance)
    return {
        **bundle_dict(store, lot),
        "outpoint": outpoint.hex(),
        "status": STATUS_LIVE[type(output)],
        "holder_name": name_of(store, holder_of(output)),
        "scheme": issuance.scheme,
        "month": issuance.month,
        "production_from": str(issuance.production_from),
        "production_to": str(issuance.production_to),
        "reasons": list(issuance.reasons),
    }
