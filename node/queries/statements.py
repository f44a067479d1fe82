"""Retirement statements: the facts that the hash on chain vouches for, rebuilt from the ledger."""

from typing import Any

from contracts.amend import amendment_of
from contracts.genesis import Genesis
from contracts.statement import StatementFacts, statement_facts, statement_hash
from node.queries.certificates import issuance_of, name_of
from node.queries.chain import find_transaction, meta_of, parameters_of
from node.queries.foreign_codes import codes_dict
from node.queries.pages import Page, records
from node.queries.remarks import remarks_of
from node.queries.values import plain
from state.errors import StoreMismatch, Unknown
from state.keyspace import Space, device_key, participant_key, scheme_key, statement_key
from state.numbering import CertificateNumber, format_number
from state.records import Device, Issuance, Participant, Scheme, Statement
from state.statement_code import StatementCode, format_code, parse_code, require_same, statement_code
from state.store import Store
from state.transaction import Retire
from state.units import DAY_S

Emissions = dict[int, tuple[int, str]]  # by scheme: g of CO2e per kWh, source


def statement_of(store: Store, identity: bytes) -> Statement:
    found = store.get(statement_key(identity))
    if not isinstance(found, Statement):
        raise Unknown(what="statement", id=identity.hex())
    return found


def facts_of(store: Store, statement: Statement) -> StatementFacts:
    """The facts of a statement; nothing in them can have changed since, so their hash must be the one on chain."""
    _, _, transaction = find_transaction(store, statement.txid)
    action = transaction.body.actions[statement.action_index]
    holder = store.get(participant_key(statement.holder))
    assert isinstance(action, Retire)
    assert isinstance(holder, Participant)
    sources = [_source(store, retired.issuance) for retired in action.ranges]
    facts = statement_facts(meta_of(store).chain, parameters_of(store), holder, action, sources)
    if statement_hash(facts) != statement.statement_hash:
        raise StoreMismatch(why=f"the facts of statement {statement.id.hex()} do not give its hash")
    return facts


def _source(store: Store, number: int) -> tuple[Issuance, Device, Scheme]:
    issuance = issuance_of(store, number)
    device, scheme = store.get(device_key(issuance.device)), store.get(scheme_key(issuance.scheme))
    assert isinstance(device, Device)
    assert isinstance(scheme, Scheme)
    return issuance, device, scheme


# --- JSON


def emissions_of(genesis: Genesis) -> Emissions:
    """Grams of CO2 equivalent that a kWh of a scheme avoids, and who says so, where its genesis has it."""
    return {
        scheme.id: (scheme.emission.g_per_kwh, scheme.emission.source)
        for scheme in genesis.schemes
        if scheme.emission is not None
    }


def code_of(facts: StatementFacts, identity: bytes) -> StatementCode:
    origins = [(bundle.facts.zone, bundle.facts.country, bundle.facts.technology) for bundle in facts.bundles]
    return statement_code(facts.registry_code, origins, facts.jurisdiction, identity)


def identity_of_code(store: Store, text: str) -> bytes:
    """The statement that a typed code names; BadStatementCode where it is mistyped or says something else of it."""
    typed = parse_code(text)
    require_same(typed, code_of(facts_of(store, statement_of(store, typed.identity)), typed.identity))
    return typed.identity


def _avoided(store: Store, facts: StatementFacts, emissions: Emissions) -> dict[str, Any] | None:
    """What using this energy instead of the grid's avoided, rounded down; None where no scheme of it says so."""
    factors, milligrams = [], 0
    for bundle in facts.bundles:
        known = emissions.get(issuance_of(store, bundle.issuance).scheme)
        if known is not None:
            energy = (bundle.end - bundle.start + 1) * bundle.face_value
            milligrams += energy * known[0]  # Wh times g per kWh
            factors.append({"energy_wh": str(energy), "g_per_kwh": known[0], "source": known[1]})
    return {"avoided_g": str(milligrams // 1_000), "factors": factors} if factors else None


def statement_dict(store: Store, identity: bytes, emissions: Emissions | None = None) -> dict[str, Any]:
    """The whole statement, with the numbers as people read them."""
    statement = statement_of(store, identity)
    facts = facts_of(store, statement)
    block, _, _ = find_transaction(store, statement.txid)
    shown = plain(facts)
    for bundle, item in zip(facts.bundles, shown["bundles"], strict=True):
        item["quantity"] = str(bundle.end - bundle.start + 1)
        item["codes"] = codes_dict(bundle.facts.technology, bundle.facts.fuel)
        item["number"] = format_number(
            CertificateNumber(
                facts.registry_code,
                bundle.facts.country,
                bundle.device,
                bundle.month,
                bundle.start,
                bundle.end,
                bundle.serial_digits,
            )
        )
    return {
        **_head(store, statement),
        "code": format_code(code_of(facts, identity)),
        "emissions": _avoided(store, facts, emissions or {}),
        "height": block.header.height,
        "time_ms": block.header.timestamp_ms,
        "facts": shown,
        "amendment": _amendment(store, statement, facts),
        "remarks": _remarks(store, statement, facts),
    }


def _remarks(store: Store, statement: Statement, facts: StatementFacts) -> list[dict[str, Any]]:
    """Objections, corrections and changed keys of the days, plants and people of a statement; its amendment has a place
    of its own."""
    days = (
        (bundle.device, day)
        for bundle in facts.bundles
        for day in range(bundle.production_from // DAY_S, -(-bundle.production_to // DAY_S))
    )
    plants = (store.get(device_key(bundle.device)) for bundle in facts.bundles)
    owners = [plant.owner for plant in plants if isinstance(plant, Device)]
    return remarks_of(store, days, (*owners, statement.holder))


def _amendment(store: Store, statement: Statement, facts: StatementFacts) -> dict[str, Any] | None:
    """The words that were put right, with those of before: the facts stay what the statement's hash says."""
    found = amendment_of(store, statement.id)
    if found is None:
        return None
    shown = plain(found)
    before = {
        "beneficiary_name": facts.beneficiary.name,
        "location": facts.beneficiary.location,
        "note": facts.note,
    }
    return {**{name: shown[name] for name in (*before, "amended_at", "txid")}, "before": before}


def statements_page(store: Store, holder: int | None, cursor: bytes | None, limit: int) -> Page:
    def show(_: bytes, found: Statement) -> dict[str, Any] | None:
        return _head(store, found) if holder in (None, found.holder) else None

    return records(store, Space.STATEMENT, cursor, limit, show)


def _head(store: Store, statement: Statement) -> dict[str, Any]:
    """A statement exists only once its retirement is final, so its status is always `completed`."""
    return {
        "id": statement.id.hex(),
        "status": "completed",
        "holder": statement.holder,
        "holder_name": name_of(store, statement.holder),
        "txid": statement.txid.hex(),
        "action_index": statement.action_index,
        "statement_hash": statement.statement_hash.hex(),
        "quantity": str(statement.quantity),
        "retired_at": str(statement.retired_at),
    }
