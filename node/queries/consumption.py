"""Consumption meters, what they reported, and which of their hours are covered by retired or held certificates."""

from typing import Any

from contracts.consumption import consumption_between, hours_of
from contracts.matching import Hour, Lot, match
from contracts.schemes import HOUR_S
from node.queries.certificates import issuance_of, number_text
from node.queries.chain import find_transaction
from node.queries.pages import Page, records
from node.queries.values import plain
from state.errors import LimitReached, Unknown
from state.history import holdings
from state.keyspace import Space, consumption_meter_key, space_end
from state.outputs import Bundle
from state.records import Consumption, ConsumptionMeter, Statement
from state.store import Store
from state.transaction import Retire
from state.units import DAY_S

MAX_DAYS = 366
MAX_STATEMENTS = 100_000  # looked at for one report
MAX_BUNDLES = 50_000
MAX_METERS = 10_000  # looked at for the page of a retirement


def meter_of(store: Store, number: int) -> ConsumptionMeter:
    found = store.get(consumption_meter_key(number))
    if not isinstance(found, ConsumptionMeter):
        raise Unknown(what="consumption meter", id=number)
    return found


def meters_page(store: Store, cursor: bytes | None, limit: int) -> Page:
    return records(store, Space.USAGE_METER, cursor, limit, lambda _, found: plain(found))


def reports(store: Store, number: int, first: int, last: int) -> list[dict[str, Any]]:
    """Reported days; the hours are for the owner and for auditors (`node/queries/access.py`)."""
    meter_of(store, number)
    return [plain(report) for report in _reported(store, number, first, last)]


def metered_use(store: Store, owner: int, from_s: int, to_s: int) -> list[dict[str, Any]]:
    """Accredited meters of somebody, and on how many days of [from_s, to_s) each reported; never how much."""
    low, found = bytes((Space.USAGE_METER,)), []
    first, last = from_s // DAY_S, max(from_s, to_s - 1) // DAY_S
    if last - first >= MAX_DAYS:
        return []
    for looked_at, (_, meter) in enumerate(store.scan(low, space_end(low)), 1):
        if looked_at > MAX_METERS:
            break
        if isinstance(meter, ConsumptionMeter) and meter.owner == owner:
            days = len(consumption_between(store, meter.id, first, last))
            facts = {"meter": meter.id, "name": meter.name, "zone": meter.zone, "country": meter.country}
            found.append({**facts, "days": days, "of_days": last - first + 1})
    return [meter for meter in found if meter["days"]]


def match_dict(store: Store, number: int, first: int, last: int) -> dict[str, Any]:
    """Hours of a meter against the owner's certificates: what is retired for them, and what else it holds for them."""
    meter = meter_of(store, number)
    consumed = hours_of(_reported(store, number, first, last))
    low, high = first * DAY_S, (last + 1) * DAY_S
    retired = match(consumed, _within(_retired(store, meter.owner), low, high))
    open_hours = [(hour.hour_s, hour.unmatched_wh) for hour in retired if hour.unmatched_wh]
    could = match(open_hours, _within(_held(store, meter.owner), low, high))
    return {
        "meter": number,
        "owner": meter.owner,
        "hours": [_hour(meter.owner, hour) for hour in retired],
        "total": {"kind": "match_total", "owner": meter.owner, **_sums(retired)},
        "to_retire": [_part(store, meter.owner, lot) for hour in could for lot in hour.used],
    }


def _reported(store: Store, number: int, first: int, last: int) -> list[Consumption]:
    if last - first >= MAX_DAYS:
        raise LimitReached(limit=MAX_DAYS, what="days of one report")
    return consumption_between(store, number, first, last)


def _retired(store: Store, holder: int) -> list[Lot]:
    """Hourly certificates that the holder retired, by its statements."""
    low, lots = bytes((Space.STATEMENT,)), []
    for looked_at, (_, found) in enumerate(store.scan(low, space_end(low)), 1):
        if looked_at > MAX_STATEMENTS:
            raise LimitReached(limit=MAX_STATEMENTS, what="statements that one report looks through")
        if isinstance(found, Statement) and found.holder == holder:
            _, _, transaction = find_transaction(store, found.txid)
            action = transaction.body.actions[found.action_index]
            assert isinstance(action, Retire)
            lots += [
                Lot(part.production_from, part.issuance, part.start, part.end, part.device)
                for part in action.ranges
                if part.production_to - part.production_from == HOUR_S
            ]
    return lots


def _held(store: Store, holder: int) -> list[Lot]:
    """Hourly certificates that the holder could still retire."""
    lots = []
    for point, output in holdings(store, holder, "bundle", limit=MAX_BUNDLES):
        if isinstance(output, Bundle):
            issuance = issuance_of(store, output.issuance)
            if issuance.production_to - issuance.production_from == HOUR_S:
                hour_s = issuance.production_from
                lots.append(Lot(hour_s, issuance.id, output.start, output.end, output.device, point))
    return lots


def _within(lots: list[Lot], low: int, high: int) -> list[Lot]:
    return [lot for lot in lots if low <= lot.hour_s < high]


def _hour(owner: int, hour: Hour) -> dict[str, Any]:
    return {
        "kind": "match_hour",
        "owner": owner,
        "start": str(hour.hour_s),
        "consumed_wh": str(hour.consumed_wh),
        "matched_wh": str(hour.matched_wh),
        "unmatched_wh": str(hour.unmatched_wh),
        "surplus_wh": str(hour.surplus_wh),
    }


def _sums(hours: list[Hour]) -> dict[str, str]:
    return {
        "consumed_wh": str(sum(hour.consumed_wh for hour in hours)),
        "matched_wh": str(sum(hour.matched_wh for hour in hours)),
        "unmatched_wh": str(sum(hour.unmatched_wh for hour in hours)),
        "surplus_wh": str(sum(hour.surplus_wh for hour in hours)),
        "matched_hours": str(sum(bool(hour.consumed_wh) and not hour.unmatched_wh for hour in hours)),
        "consumed_hours": str(sum(bool(hour.consumed_wh) for hour in hours)),
    }


def _part(store: Store, owner: int, lot: Lot) -> dict[str, Any]:
    return {
        "kind": "to_retire",
        "owner": owner,
        "hour": str(lot.hour_s),
        "number": number_text(store, lot.issuance, lot.start, lot.end),
        "outpoint": lot.outpoint.hex(),
        "quantity": str(lot.energy_wh),
    }
