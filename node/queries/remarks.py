"""What the ledger says beside the life of certificates: objections, corrections and changed keys of those concerned.

They stand in records of their own and not in the history of a number; a page that left them out would tell less than
the ledger does. All of it is public (docs/ACCESS.md). Oldest first, each with where on the ledger it stands.

    objection    the owner of a held or refused day objected, and what the authority answered
    correction   a quorum put the energy of a day right
    key          a participant, meter or gateway signs by another key since then
    amendment    the words of a statement were put right
"""

from collections.abc import Iterable
from typing import Any

from contracts.amend import amendment_of
from contracts.appeal import appeals_of
from contracts.calendar import date_of_day
from contracts.events import DayCorrected
from contracts.keys import key_changes
from node.queries.certificates import name_of
from node.queries.chain import events_of, header_at
from node.queries.values import plain
from state.attestation import CORRECTION
from state.errors import NotHeld
from state.history import transaction_position
from state.keyspace import gateway_key, meter_key, release_key
from state.records import Gateway, KeyChange, Meter, Release
from state.store import Store

Remark = dict[str, Any]


def remarks_of(
    store: Store, days: Iterable[tuple[int, int]], participants: Iterable[int], statement: bytes | None = None
) -> list[Remark]:
    """Of these (device, day), of these participants and the meters of the devices, and of a statement."""
    concerned = sorted(set(days))
    devices = sorted({device for device, _ in concerned})
    found = [
        *_objections(store, concerned),
        *(remark for device, day in concerned for remark in _corrections(store, device, day)),
        *(remark for number in dict.fromkeys(participants) for remark in _keys(store, "participant", number)),
        *(remark for device in devices for remark in _keys_of_meter(store, device)),
        *_amendments(store, statement),
    ]
    return sorted(found, key=lambda remark: (remark["time_ms"] or 0, remark["what"]))


def _objections(store: Store, concerned: list[tuple[int, int]]) -> list[Remark]:
    found = []
    for device in {device: None for device, _ in concerned}:
        for appeal in appeals_of(store, device):
            if (device, appeal.day) not in concerned:
                continue
            shown = plain(appeal)
            found.append(
                {
                    "what": "objection",
                    **_place(store, appeal.txid),
                    "device": device,
                    "date": date_of_day(appeal.day).isoformat(),
                    "by": name_of(store, appeal.owner),
                    "reason": appeal.reason,
                    "status": appeal.status,
                    "authority": name_of(store, appeal.authority) if appeal.authority else "",
                    "answer": appeal.answer,
                    "answered_at": shown["answered_at"] if appeal.authority else None,
                    "answer_txid": shown["answer_txid"],
                    "late": appeal.late,
                }
            )
    return found


def _corrections(store: Store, device: int, day: int) -> list[Remark]:
    low, high = release_key(device, day, CORRECTION, 0), release_key(device, day, CORRECTION, 255) + b"\x00"
    found = []
    for _, record in store.scan(low, high):
        if isinstance(record, Release):
            place = _place(store, record.txid)
            said = _said(store, place["height"], record)
            found.append(
                {
                    "what": "correction",
                    **place,
                    "device": device,
                    "date": date_of_day(day).isoformat(),
                    "before_wh": str(said.before_wh) if said else None,
                    "after_wh": str(said.after_wh) if said else None,
                    "reason": said.reason if said else "",
                }
            )
    return found


def _said(store: Store, height: int | None, record: Release) -> DayCorrected | None:
    """The event of a correction; None where this node does not hold the events of its block."""
    try:
        events = events_of(store, height) if height is not None else ()
    except NotHeld:
        return None
    of_day = (event.event for event in events if isinstance(event.event, DayCorrected))
    return next((one for one in of_day if (one.device, one.day) == (record.device, record.day)), None)


def _keys_of_meter(store: Store, device: int) -> list[Remark]:
    meter = store.get(meter_key(device))
    if not isinstance(meter, Meter):
        return []
    of_gateway = _keys(store, "gateway", meter.gateway) if meter.gateway else []
    return [*_keys(store, "meter", device), *of_gateway]


def _keys(store: Store, kind: str, number: int) -> list[Remark]:
    return [
        {
            "what": "key",
            "height": change.height,
            "time_ms": change.at * 1_000,
            "txid": change.txid.hex(),
            "subject": kind,
            "number": number,
            "name": _name(store, kind, number),
            "reason": change.reason,
            "former": change.former.hex(),
            "key": change.key.hex(),
        }
        for change in key_changes(store, kind, number)
        if _is_change(change)
    ]


def _is_change(change: KeyChange) -> bool:
    """Not the first key of all."""
    return bool(change.former)


def _name(store: Store, kind: str, number: int) -> str:
    """Whose key it is: a gateway's operator; a meter has its device's number alone."""
    if kind == "participant":
        return name_of(store, number)
    gateway = store.get(gateway_key(number)) if kind == "gateway" else None
    return name_of(store, gateway.operator) if isinstance(gateway, Gateway) else ""


def _amendments(store: Store, statement: bytes | None) -> list[Remark]:
    amended = amendment_of(store, statement) if statement is not None else None
    if amended is None:
        return []
    return [
        {
            "what": "amendment",
            **_place(store, amended.txid),
            "beneficiary": amended.beneficiary_name,
            "location": amended.location,
            "note": amended.note,
        }
    ]


def _place(store: Store, txid: bytes) -> dict[str, Any]:
    """Where the ledger says so; nulls on a node that began from a snapshot after it."""
    position = transaction_position(store, txid)
    height = position[0] if position else None
    time_ms = header_at(store, height).timestamp_ms if height is not None else None
    return {"height": height, "time_ms": time_ms, "txid": txid.hex()}
