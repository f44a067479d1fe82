"""Who and what is registered: participants, devices, schemes, validators, proposals, and the days of a device."""

from typing import Any

from contracts.accounts import accounts_of, debt_of
from contracts.appeal import overdue
from contracts.calendar import date_of_day
from contracts.correct import credits_in
from contracts.keys import key_changes
from contracts.membership import waiting
from contracts.release import STEPS, next_step, steps_before
from contracts.security import securities
from contracts.standing import standing_of
from node.queries.certificates import bundle_dict, number_text
from node.queries.chain import time_of_tip
from node.queries.pages import Page, bounds, records, take
from node.queries.values import plain
from state.attestation import STEP_DAYS, VERDICT_NAMES
from state.codec import decode
from state.epochs import epoch_of, last_height
from state.errors import Unknown
from state.history import holdings, lot_of
from state.keyspace import (
    PARAMETERS_KEY,
    Space,
    appeal_key,
    device_key,
    gateway_key,
    key_owner_key,
    meter_key,
    participant_key,
    price_key,
    proposal_key,
    recovery_key,
    release_key,
    role_key,
    scheme_key,
    sessions_key,
    space_end,
)
from state.outputs import Output, quantity
from state.records import (
    Appeal,
    Counter,
    Device,
    Gateway,
    KeyOwner,
    Meter,
    Parameters,
    Participant,
    Proposal,
    Release,
    RoleGrant,
    Scheme,
    Validator,
)
from state.store import Store
from state.transaction import ProposalContent

STATUS_OF_KIND = {
    "bundle": "active",
    "offer": "locked",
    "pending": "locked",
    "delivery": "reserved",
    "reserved": "reserved",
    "guarantee": "locked",
    "payout_request": "locked",
    "bid": "locked",
    "funds": "active",
    "security": "locked",
    "sealed_offer": "locked",
    "sealed_bid": "locked",
    "listing": "locked",
    "purse": "locked",
}

# --- participants


def participant_dict(store: Store, participant: int) -> dict[str, Any]:
    found = store.get(participant_key(participant))
    if not isinstance(found, Participant):
        raise Unknown(what="participant", id=participant)
    low = role_key(participant, "")
    roles = [entry for _, entry in store.scan(low, space_end(low)) if isinstance(entry, RoleGrant)]
    waiting_key = store.get(recovery_key(participant))
    return {
        **_bare(found),
        "roles": [{"role": grant.role, "until": str(grant.until)} for grant in roles],
        "key_changes": [_bare(change) for change in key_changes(store, "participant", participant)],
        "pending_recovery": _bare(waiting_key) if waiting_key is not None else None,
    }


def participants_page(store: Store, cursor: bytes | None, limit: int) -> Page:
    return records(store, Space.PARTICIPANT, cursor, limit, lambda _, found: participant_dict(store, found.id))


def participant_of_key(store: Store, key: bytes) -> dict[str, Any]:
    owner = store.get(key_owner_key(key))
    if not isinstance(owner, KeyOwner):
        raise Unknown(what="participant with the key", id=key.hex())
    return participant_dict(store, owner.participant)


def outputs_page(store: Store, participant: int, kind: str, cursor: bytes | None, limit: int) -> Page:
    """Live outputs of a participant in the order of their outpoints; the cursor is the last outpoint."""
    participant_dict(store, participant)
    found = holdings(store, participant, kind, cursor or b"", limit)
    items = [output_dict(store, outpoint, output) for outpoint, output in found]
    return items, found[-1][0] if len(found) == limit else None


def output_dict(store: Store, outpoint: bytes, output: Output) -> dict[str, Any]:
    """The output's fields, where it lies, and for certificates their numbers."""
    shown = plain(output)
    shown["outpoint"] = outpoint.hex()
    shown["status"] = STATUS_OF_KIND[shown["kind"]]
    lot = lot_of(output)
    if lot is not None:
        shown["number"] = number_text(store, lot.issuance, lot.start, lot.end)
        if not int(shown.get("quantity", 0)):  # of an offer it may be a part of the lot
            shown["quantity"] = str(quantity(lot))
        if lot is not output:
            shown["lot"] = bundle_dict(store, lot)
    return shown


# --- devices


def device_dict(store: Store, device: int) -> dict[str, Any]:
    found = store.get(device_key(device))
    if not isinstance(found, Device):
        raise Unknown(what="device", id=device)
    scheme = store.get(scheme_key(found.scheme))
    return {
        **_bare(found),
        "scheme_name": scheme.name if isinstance(scheme, Scheme) else "",
        "credential": _credential(store, device),
        "months": [_bare(account) for account in accounts_of(store, device)],
        "debt": _bare(debt) if (debt := debt_of(store, device)) is not None else None,
        "credits": [_bare(credit) for credit in credits_in(store, device)],
        "pledges": [{"outpoint": point.hex(), **_bare(locked)} for point, locked in securities(store, device)],
        "standing": [_bare(rule) for rule in standing_of(store, device)],
    }


def devices_page(store: Store, owner: int | None, cursor: bytes | None, limit: int) -> Page:
    def show(_: bytes, found: Device) -> dict[str, Any] | None:
        return device_dict(store, found.id) if owner in (None, found.owner) else None

    return records(store, Space.DEVICE, cursor, limit, show)


def _credential(store: Store, device: int) -> dict[str, Any] | None:
    """Whose signature the device's readings carry: the meter's own key, or its gateway's."""
    meter = store.get(meter_key(device))
    if not isinstance(meter, Meter):
        return None
    gateway = store.get(gateway_key(meter.gateway)) if meter.gateway else None
    key = gateway.key if isinstance(gateway, Gateway) else meter.key
    changes = key_changes(store, "gateway" if meter.gateway else "meter", meter.gateway or device)
    return {
        "key": key.hex(),
        "gateway": meter.gateway,
        "until": str(meter.until),
        "changes": [_bare(change) for change in changes],
    }


def days_page(store: Store, device: int, first: int, last: int, cursor: bytes | None, limit: int) -> Page:
    """Verdicts of the days first..last of a device, one for each step, oldest first; the cursor is the last key."""
    record = store.get(device_key(device))
    if not isinstance(record, Device):
        raise Unknown(what="device", id=device)
    scheme = store.get(scheme_key(record.scheme))
    assert isinstance(scheme, Scheme)
    low, high = bounds(release_key(device, 0, 0, 0)[:5], cursor)
    low, high = max(low, release_key(device, first, 0, 0)), min(high, release_key(device, last, 255, 255) + b"\x00")
    return take(store.scan(low, max(low, high)), limit, lambda _, found: day_dict(store, scheme, found))


def day_dict(store: Store, scheme: Scheme, found: Any) -> dict[str, Any]:
    """The record, and in that of the day's latest step what is still in review, and until which day is closed."""
    assert isinstance(found, Release)
    shown = {**_bare(found), "date": date_of_day(found.day).isoformat(), "verdict": VERDICT_NAMES[found.verdict]}
    next_one = next_step(store, scheme.release_shares, found.device, found.day)
    later = steps_before(store, found.device, found.day, len(STEPS))
    if next_one is None or later[-1] != found:
        return {**shown, "review_wh": "0", "review_until": None}
    review_wh = found.energy_wh - sum(release.release_wh for release in later)
    until = date_of_day(found.day + STEP_DAYS[next_one]).isoformat()
    return {**shown, "review_wh": str(review_wh), "review_until": until}


# --- objections


def appeals_page(store: Store, device: int, cursor: bytes | None, limit: int) -> Page:
    """Objections to days of a device, oldest day first."""
    if not isinstance(store.get(device_key(device)), Device):
        raise Unknown(what="device", id=device)
    rows = store.scan(*bounds(appeal_key(device, 0, 0, 0)[:5], cursor))
    return take(rows, limit, lambda _, found: appeal_dict(found, time_of_tip(store)))


def all_appeals_page(store: Store, status: str | None, cursor: bytes | None, limit: int) -> Page:
    now = time_of_tip(store)

    def show(_: bytes, found: Appeal) -> dict[str, Any] | None:
        return appeal_dict(found, now) if status in (None, found.status) else None

    return records(store, Space.APPEAL, cursor, limit, show)


def appeal_dict(found: Any, time_s: int) -> dict[str, Any]:
    assert isinstance(found, Appeal)
    return {**_bare(found), "date": date_of_day(found.day).isoformat(), "overdue": overdue(found, time_s)}


# --- the network


def schemes_list(store: Store) -> list[dict[str, Any]]:
    """Every scheme, with its schedule of auctions, and the price of the last one in millionths; None before it."""
    found = []
    for entry in _all(store, Space.SCHEME):
        assert isinstance(entry, Scheme)
        price = store.get(price_key(entry.id))
        sessions = store.get(sessions_key(entry.id))
        found.append(
            {
                **_bare(entry),
                "last_price": str(price.value) if isinstance(price, Counter) else None,
                "sessions": _bare(sessions) if sessions is not None else None,
            }
        )
    return found


def validators_dict(store: Store, height: int) -> dict[str, Any]:
    """The validators of the block above `height`, when their epoch ends, and the changes that wait for that."""
    parameters = store.get(PARAMETERS_KEY)
    assert isinstance(parameters, Parameters)
    epoch = epoch_of(height + 1, parameters.epoch_length)
    return {
        "epoch": epoch,
        "last_height": last_height(epoch, parameters.epoch_length),
        "validators": [_bare(entry) for entry in _all(store, Space.VALIDATOR) if isinstance(entry, Validator)],
        "waiting": [plain(change) for change in waiting(store)],
    }


def _all(store: Store, space: Space) -> list[Any]:
    low = bytes((space,))
    return [entry for _, entry in store.scan(low, space_end(low))]


# --- proposals


def proposal_dict(store: Store, proposal: int) -> dict[str, Any]:
    found = store.get(proposal_key(proposal))
    if not isinstance(found, Proposal):
        raise Unknown(what="proposal", id=proposal)
    return _proposal(found)


def proposals_page(store: Store, status: str | None, cursor: bytes | None, limit: int) -> Page:
    def show(_: bytes, found: Proposal) -> dict[str, Any] | None:
        return _proposal(found) if status in (None, found.status) else None

    return records(store, Space.PROPOSAL, cursor, limit, show)


def _proposal(found: Proposal) -> dict[str, Any]:
    content = decode(ProposalContent, found.content)  # type: ignore[arg-type, var-annotated]
    return {**_bare(found), "content": plain(content)}


def _bare(record: Any) -> dict[str, Any]:
    """A record's fields without its tag: the list that it stands in already says what it is."""
    shown = plain(record)
    shown.pop("kind", None)
    return shown
