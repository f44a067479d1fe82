"""A certificate in the words of the EnergyTag granular certificate API (v2): which name stands for what of ours.

The internal names are the ledger's; an export carries these, exactly. Each row of FIELDS says where a value is found
in the answer of `certificate_dict` and how it is written. Integers that may exceed 2^53 stay strings, as everywhere in
this API; times are ISO 8601 in UTC; what a scheme does not know is null and never guessed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from node.queries.foreign_codes import energy_source

STATUSES = {
    "active": "Active",
    "locked": "Locked",
    "reserved": "Reserved",
    "retired": "Claimed",  # `Cancelled` where nobody is named as beneficiary
    "expired": "Expired",
    "withdrawn": "Withdrawn",
}
UNKNOWN_UDEG = 2**31
CALENDAR_END_S = 253_402_300_800
DAY_S = 86_400

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """`name` of the standard, and the value out of our answer."""

    name: str
    take: Callable[[Answer], Any]


def _at(path: str) -> Callable[[Answer], Any]:
    def take(answer: Answer) -> Any:
        value: Any = answer
        for name in path.split("."):
            value = value[name]
        return value

    return take


def _time(path: str) -> Callable[[Answer], str | None]:
    read = _at(path)
    return lambda answer: iso(int(read(answer)))


def _constant(value: Any) -> Callable[[Answer], Any]:
    return lambda answer: value


def iso(seconds: int) -> str | None:
    """Null for a moment beyond the calendar: it never comes."""
    if seconds >= CALENDAR_END_S:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(answer: Answer) -> str:
    if answer["status"] == "retired" and not answer["beneficiary"]:
        return "Cancelled"
    return STATUSES[answer["status"]]


def _source(answer: Answer) -> str:
    return energy_source(answer["facts"]["technology"], answer["facts"]["fuel"])


def _place(answer: Answer) -> str:
    facts = answer["facts"]
    latitude, longitude = int(facts["latitude_udeg"]), int(facts["longitude_udeg"])
    if UNKNOWN_UDEG in (latitude, longitude):
        return str(facts["location"])
    return f"{_degrees(latitude)}, {_degrees(longitude)}"


def _degrees(udeg: int) -> str:
    sign, whole = ("-" if udeg < 0 else ""), abs(udeg)
    return f"{sign}{whole // 10**6}.{whole % 10**6:06d}"


FIELDS = (
    # the bundle, changing
    Field("certificate_bundle_status", _status),
    Field("account_id", _at("holder")),
    Field("certificate_bundle_id_range_start", _at("start")),
    Field("certificate_bundle_id_range_end", _at("end")),
    Field("bundle_quantity", lambda answer: str(int(answer["end"]) - int(answer["start"]) + 1)),
    Field("beneficiary", lambda answer: answer["beneficiary"] or None),
    # the bundle, fixed at issue
    Field("issuance_id", _at("issuance.id")),
    Field("energy_carrier", _constant("electricity")),
    Field("energy_source", _source),
    Field("face_value", _at("scheme.face_value")),
    Field("issuance_post_energy_carrier_conversion", _constant(False)),
    Field("registry_configuration", _constant(1)),
    Field("device_id", lambda answer: answer["facts"]["gsrn"] or str(answer["device"])),
    Field("device_name", _at("facts.name")),
    Field("device_technology_type", _at("facts.technology")),
    Field("device_production_start_date", lambda answer: iso(answer["facts"]["commissioned_day"] * DAY_S)),
    Field("device_capacity", _at("facts.capacity_w")),
    Field("device_location", _place),
    Field("device_type", _constant("production")),
    Field("production_starting_interval", _time("issuance.production_from")),
    Field("production_ending_interval", _time("issuance.production_to")),
    Field("issuance_datestamp", _time("issuance.issued_at")),
    Field("expiry_datestamp", _time("issuance.retire_until")),
    Field("emissions_factor_production_device", _constant(None)),
    Field("emissions_factor_source", _constant(None)),
    Field("hash", _at("issuance.txid")),
    # the issue
    Field("country_of_issuance", _at("facts.country")),
    Field("connected_grid_identification", lambda answer: answer["facts"]["zone"] or None),
    Field("issue_market_zone", lambda answer: answer["facts"]["zone"] or None),
    Field("issuing_body", _at("registry")),
    Field("legal_status", _constant(None)),
    Field("issuance_purpose", _constant("Disclosure")),
    Field("support_received", lambda answer: answer["facts"]["support"] or None),
    Field("quality_scheme_reference", _constant(None)),
    Field("dissemination_level", _constant(None)),
    # storage, reserved
    Field("is_storage", _constant(False)),
    Field("storage_id", _constant(None)),
    Field("sdr_allocation_id", _constant(None)),
    Field("charging_start_datetime", _constant(None)),
    Field("charging_energy", _constant(None)),
    Field("discharging_start_datetime", _constant(None)),
    Field("discharging_end_datetime", _constant(None)),
    Field("storage_efficiency_factor", _constant(None)),
    Field("scr_allocation_methodology", _constant(None)),
)


def energytag_dict(answer: Answer) -> dict[str, Any]:
    """The certificate of `certificate_dict` under EnergyTag's names, in their order."""
    return {field.name: field.take(answer) for field in FIELDS}
