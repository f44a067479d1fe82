"""The whole life of a certificate with what stands behind each step: what a stranger asks for on the trace page.

`certificates.certificate_dict` gives the steps as the history index has them. Here each is read together with its
transaction and events, and told as what happened to this one certificate: an offer that split the bundle beside it left
it where it was, a settlement sold it, or gave it back.

    generated -> fed -> judged -> attested -> issued
    -> (transferred | offered | sold | returned | delivered | released | kept)* -> end
"""

from collections.abc import Iterable
from typing import Any

from contracts.calendar import date_of_day
from contracts.events import Bought, Delivered
from node.queries.certificates import certificate_dict, name_of
from node.queries.chain import events_of, finalization_of, find_transaction, tip_height, validators_of
from node.queries.consumption import metered_use
from node.queries.remarks import remarks_of
from node.queries.seats import names_in
from node.queries.values import plain
from state.attestation import VERDICT_NAMES
from state.errors import StoreMismatch, Unknown
from state.history import spent_row
from state.kept import not_held
from state.keyspace import auction_key, device_key, gateway_key, meter_key, output_key
from state.outputs import Delivery, Reserved
from state.records import Auction, Device, Gateway, Meter
from state.store import Store
from state.transaction import Action, Buy, HandOver, Issue, PlaceOffer, Retire, Transfer

SWEPT = ("expire", "deliver", "release")  # what time does: no transaction stands behind it
LOOK_AHEAD = 64  # blocks in which the Finalization that covers a block is looked for

Step = dict[str, Any]


def trace_dict(store: Store, text: str) -> dict[str, Any]:
    """`certificate_dict` with `life` for its history; BadNumber, Unknown and NotHeld as there."""
    shown = certificate_dict(store, text)
    device, serial = shown["device"], int(shown["start"])
    if shown["history_from"] is not None:
        raise not_held(store, "the issue of certificate", text) or Unknown(what="issue of certificate", id=text)
    birth, *later = shown.pop("history")
    issue = _action(store, birth)
    if not isinstance(issue, Issue):
        raise StoreMismatch(why=f"certificate {serial} of device {device} was born in no issue")
    life = [*_birth(store, birth, issue), *(_told(store, step, device, serial) for step in later)]
    held_by = [step[name] for step in life for name in ("from", "to") if step.get(name)]
    statement = bytes.fromhex(shown["statement"]) if shown["statement"] else None
    days = [(device, attested.attestation.day) for attested in issue.days]
    remarks = remarks_of(store, days, held_by, statement)
    return {**shown, "validators": len(validators_of(store)), "life": life, "remarks": remarks}


# --- from the meter to the issue


def _birth(store: Store, step: Step, issue: Issue) -> list[Step]:
    offices = {epoch: names_in(store, epoch) for epoch in {attested.attestation.epoch for attested in issue.days}}
    days = [_day(offices[attested.attestation.epoch], attested) for attested in issue.days]
    accepted = [day for day in days if int(day["release_wh"])]
    return [
        {
            "act": "generated",
            "days": accepted,
            "energy_wh": str(sum(int(day["energy_wh"]) for day in accepted)),
            "release_wh": str(sum(int(day["release_wh"]) for day in accepted)),
        },
        _fed(store, issue.device),
        {
            "act": "judged",
            "verdict": accepted[0]["verdict"],
            "reasons": sorted({reason for day in accepted for reason in day["reasons"]}),
            "verifier_version": issue.days[0].attestation.verifier_version,
            "profile_hash": issue.days[0].attestation.profile_hash.hex(),
        },
        {"act": "attested", **_place(step), "signers": _in_order(days), "final_by": _finalizers(store, step)},
        {
            "act": "issued",
            **_place(step),
            "number": step["number"],
            "to": step["to"],
            "to_name": step["to_name"],
            "count": str(issue.count),
            "carry_in_wh": str(issue.carry_in_wh),
            "carry_out_wh": str(issue.carry_out_wh),
        },
    ]


def _fed(store: Store, number: int) -> Step:
    """Zone and metering point of the plant, as a quorum accredited them, and who signs its readings."""
    device, meter = store.get(device_key(number)), store.get(meter_key(number))
    assert isinstance(device, Device)
    step: Step = {"act": "fed", "zone": device.facts.zone, "point": device.facts.gsrn, "meter": None}
    if isinstance(meter, Meter):
        gateway = store.get(gateway_key(meter.gateway)) if meter.gateway else None
        operator = name_of(store, gateway.operator) if isinstance(gateway, Gateway) else ""
        key = gateway.key if isinstance(gateway, Gateway) else meter.key
        step["meter"] = {"gateway": meter.gateway, "operator": operator, "key": key.hex(), "until": str(meter.until)}
    return step


def _day(names: list[str], attested: Any) -> dict[str, Any]:
    shown = plain(attested.attestation)
    signers = [signed.validator for signed in attested.signatures]
    return {
        "date": date_of_day(attested.attestation.day).isoformat(),
        "verdict": VERDICT_NAMES[attested.attestation.verdict],
        "reasons": shown["reasons"],
        "energy_wh": shown["energy_wh"],
        "release_wh": shown["release_wh"],
        "readings_root": shown["readings_root"],
        "signers": [names[index] for index in signers if index < len(names)],
    }


def _in_order(days: Iterable[dict[str, Any]]) -> list[str]:
    """Who signed every one of the days, in the order of the validators."""
    first, *others = [day["signers"] for day in days]
    return [name for name in first if all(name in day for day in others)]


def _finalizers(store: Store, step: Step) -> list[str]:
    """Names of the validators whose votes made the step's block final: its own Finalization or the next one above."""
    for height in range(step["height"], min(tip_height(store), step["height"] + LOOK_AHEAD) + 1):
        found = finalization_of(store, height)
        if found is not None:
            names = names_in(store, found.epoch)
            return [names[index] for index in found.signers if index < len(names)]
    return []


# --- from hand to hand, and the end


def _told(store: Store, step: Step, device: int, serial: int) -> Step:
    action = _action(store, step)
    told = {
        **_place(step),
        "number": step["number"],
        "from": step["from"],
        "from_name": step["from_name"],
        "to": step["to"],
        "to_name": step["to_name"],
    }
    act = _act(store, step, action, serial)
    return {"act": act, **told, **({} if act == "kept" else _details(store, step, action, device, serial))}


def _act(store: Store, step: Step, action: Action | None, serial: int) -> str:
    """What a step of the history was for this certificate."""
    match step["event"]:
        case "offer" if isinstance(action, PlaceOffer) and action.start <= serial <= action.end:
            return "offered"
        case "transfer" | "buy" if step["from"] != step["to"]:
            return "transferred"
        case "standing" if step["from"] != step["to"]:
            return "transferred"
        case "hand_over" if isinstance(action, HandOver) and action.start <= serial <= action.end:
            return "handed_over"
        case "answer_handover":
            return "transferred" if step["from"] != step["to"] else "handed_back"
        case "retire" if step["to"] is None:
            return "retired"
        case "cancel":
            return "taken_back"
        case "void":
            return "returned"
        case "settle" if _is_delivery(store, step["outpoint"]):
            return "sold"
        case "settle":
            return "returned" if step["from"] == step["to"] else "delivered"
        case "deliver":
            return "delivered"
        case "release":
            return "released"
        case "expire" if step["to"] is None:
            return "expired"
        case "withdraw" if step["to"] is None:
            return "withdrawn"
    return "kept"


def _is_delivery(store: Store, outpoint: str | None) -> bool:
    """A piece that was sold and waits for payment or its turn, or did before it was delivered or released."""
    if not outpoint:
        return False
    point = bytes.fromhex(outpoint)
    spent = spent_row(store, point)
    if spent is not None:
        return spent.kind in ("deliver", "release")
    return isinstance(store.get(output_key(point)), Delivery | Reserved)


def _details(store: Store, step: Step, action: Action | None, device: int, serial: int) -> dict[str, Any]:
    match action:
        case Transfer() if action.payment is not None:
            count = sum(piece.end - piece.start + 1 for piece in action.pieces if piece.to != action.sender)
            return _price(action.payment.currency, action.payment.amount, count)
        case PlaceOffer():
            shown = _auction(store, action.auction)
            return shown if action.commitment else {**shown, "limit": str(action.limit)}
        case Buy():
            return _bought(store, step["height"], device, serial)
        case Retire():
            return {
                "claim": plain(action),
                "statement": action.statement_hash[:16].hex(),
                "metered": metered_use(store, action.holder, action.consumption_from, action.consumption_to),
            }
    if step["event"] in ("settle", "deliver"):
        return _delivery(store, step["height"], device, serial)
    return {}


def _delivery(store: Store, height: int, device: int, serial: int) -> dict[str, Any]:
    for record in events_of(store, height):
        event = record.event
        if isinstance(event, Delivered) and event.device == device and event.start <= serial <= event.end:
            count = event.end - event.start + 1
            return {**_auction(store, event.auction), **_price(event.currency, event.amount, count)}
    return {}


def _bought(store: Store, height: int, device: int, serial: int) -> dict[str, Any]:
    for record in events_of(store, height):
        event = record.event
        if isinstance(event, Bought) and event.device == device and event.start <= serial <= event.end:
            return _price(event.currency, event.amount, event.end - event.start + 1)
    return {}


def _auction(store: Store, number: int) -> dict[str, Any]:
    found = store.get(auction_key(number))
    if not isinstance(found, Auction):
        return {"auction": number}
    return {"auction": number, "title": found.title, "currency": found.currency}


def _price(currency: str, amount: int, count: int) -> dict[str, Any]:
    """What was paid for `count` certificates, in millionths; the price of one is rounded down."""
    return {"currency": currency, "amount": str(amount), "count": str(count), "price": str(amount // max(1, count))}


# --- what every step has


def _place(step: Step) -> Step:
    """When and where on the ledger; no transaction for what time did by itself."""
    swept = step["event"] in SWEPT
    return {"height": step["height"], "time_ms": step["time_ms"], "txid": None if swept else step["txid"]}


def _action(store: Store, step: Step) -> Action | None:
    if step["event"] in SWEPT:
        return None
    _, _, transaction = find_transaction(store, bytes.fromhex(step["txid"]))
    return transaction.body.actions[step["action_index"]]
