"""schemes: kinds of certificates, of the genesis and by proposal; and the hourly ones.

A proposal adds a scheme, or changes of a known one what its existing certificates do not rest on: how long future
certificates live, whether and how often certificates move, how late a day may be closed. Unit, face value, width of
the serial, currency, issue rule and release shares of a scheme never change; a term computed at an issue stays. With it
may come a schedule of auctions (`contracts/sessions.py`).

A scheme with a face value of 1 Wh is **granular**: its certificates name the hour that they were produced in
(EnergyTag), so the attestation of a day carries the energy of each hour.

A scheme of 1 tCO2e certifies emissions avoided: its face value is the energy whose use in place of the grid's avoids a
tonne, so verified energy is all that it rests on, and a plant has one scheme, so no energy counts twice. Allowances
that somebody is allocated, without a plant, are no scheme of this version.
"""

from contracts import sessions
from contracts.context import Context
from contracts.events import SchemeSet
from contracts.register import require_text
from state.errors import BadField
from state.keyspace import scheme_key
from state.records import Scheme
from state.spoken import Counted, Said
from state.transaction import SchemeContent
from state.units import DAY_S

HOURS = 24
HOUR_S = DAY_S // HOURS
BASIS_WORDS = {
    "issue": Said("issue"),
    "production_end": Said("production end"),
    "production_month_end": Said("production month end"),
}
MAX_DAYS = 36_525  # a hundred years
MAX_DEVICE_WH = 10**17  # all certificates that a device can ever have: a statement adds up to 64 ranges in a u64
UNITS = {"MWh": 1_000_000, "kWh": 1_000, "Wh": 1}  # Wh of one certificate: what its statement says it is
TONNE = "tCO2e"
LEAST_TONNE_WH, MOST_TONNE_WH = 100_000, 100_000_000  # electricity of 10,000 and of 10 g of CO2 equivalent a kWh


def granular(scheme: Scheme) -> bool:
    """One certificate is 1 Wh of one hour."""
    return scheme.face_value == 1


def problem(scheme: Scheme) -> str | None:
    """Why this cannot be a scheme of this version; None where it can."""
    if scheme.unit not in (*UNITS, TONNE):
        return f"the unit is one of {', '.join((*UNITS, TONNE))}"
    if scheme.unit == TONNE and not LEAST_TONNE_WH <= scheme.face_value <= MOST_TONNE_WH:
        return f"no electricity avoids 1 tCO2e with {scheme.face_value} Wh: {LEAST_TONNE_WH} to {MOST_TONNE_WH} do"
    if scheme.unit != TONNE and scheme.face_value != UNITS[scheme.unit]:
        return f"a certificate of 1 {scheme.unit} has a face value of {UNITS[scheme.unit]} Wh, not {scheme.face_value}"
    if scheme.serial_digits not in (9, 12, 15):
        return "serial_digits is 9, 12 or 15"
    if scheme.expiry.basis not in ("issue", "production_end", "production_month_end"):
        return f"unknown expiry basis {scheme.expiry.basis}"
    if not 0 < scheme.expiry.trade_months <= scheme.expiry.retire_months <= 1_200:
        return "0 < trade_months <= retire_months <= 1200"
    if sum(scheme.release_shares) != 10_000 or min(scheme.release_shares) < 0:
        return "release_shares are basis points that sum to 10000"
    if not scheme.release_shares[0]:
        return "the first of release_shares is not 0"
    if scheme.issue_rule != "verified":
        return "the issue rule is 'verified'"
    if scheme.hold_days:
        return "hold_days must be 0, this version has no objection window"
    if max(scheme.late_days, scheme.close_days) > MAX_DAYS:
        return f"at most {MAX_DAYS} late_days and close_days"
    if scheme.face_value * 10**scheme.serial_digits > MAX_DEVICE_WH:
        return f"face_value_wh and serial_digits pass {MAX_DEVICE_WH} Wh a device"
    return None


def avoiding_wh(g_per_kwh: int) -> int:
    """The least energy that avoids a tonne where a kWh avoids so much; 0 where nothing does."""
    return -(-1_000_000_000 // g_per_kwh) if g_per_kwh else 0


def check_content(context: Context, content: SchemeContent) -> None:
    scheme = content.scheme
    require_text("name", scheme.name)
    if not scheme.id:
        raise BadField(field="id", why="1 or more")
    if not (len(scheme.currency) == 3 and scheme.currency.isascii() and scheme.currency.isupper()):
        raise BadField(field="currency", why="three capital letters (ISO 4217)")
    why = problem(scheme)
    if why is not None:
        raise BadField(field="scheme", why=why)
    known = context.overlay.get(scheme_key(scheme.id))
    if isinstance(known, Scheme) and _fixed(known) != _fixed(scheme):
        raise BadField(
            field="scheme", why=f"unit, face value, serial, currency or rule of scheme {known.id} is another"
        )
    if known == scheme and content.sessions is None:
        raise BadField(field="scheme", why="it is so already")
    if content.sessions is not None:
        sessions.check(context, scheme, content.sessions)


def enact(context: Context, content: SchemeContent) -> int:
    check_content(context, content)
    scheme = content.scheme
    new = context.overlay.get(scheme_key(scheme.id)) is None
    context.overlay.put(scheme_key(scheme.id), scheme)
    if content.sessions is not None:
        sessions.schedule(context, content.sessions)
    context.announce(SchemeSet(scheme.id, scheme.name, scheme.unit, scheme.face_value, new))
    return scheme.id


def _fixed(scheme: Scheme) -> tuple[object, ...]:
    identity = scheme.name, scheme.unit, scheme.face_value, scheme.serial_digits, scheme.currency
    return *identity, scheme.issue_rule, scheme.release_shares


def describe_content(scheme: Scheme) -> Said:
    """What a scheme allows, so that those who vote read more than its name."""
    return Said(
        "set scheme {scheme}: {name}, {size}, {traded}, to be retired within {months} of {basis}",
        scheme=scheme.id,
        name=scheme.name,
        size=_size_words(scheme),
        traded=_traded_words(scheme),
        months=Counted(scheme.expiry.retire_months, "month"),
        basis=BASIS_WORDS.get(scheme.expiry.basis, scheme.expiry.basis),
    )


def _size_words(scheme: Scheme) -> Said:
    if scheme.unit == TONNE:
        return Said("certificates of 1 {unit} for {energy} Wh each", unit=scheme.unit, energy=scheme.face_value)
    return Said("certificates of 1 {unit}", unit=scheme.unit)


def _traded_words(scheme: Scheme) -> Said:
    months = Counted(scheme.expiry.trade_months, "month")
    if not scheme.tradable:
        return Said("not tradable")
    if not scheme.max_transfers:
        return Said("tradable for {months}", months=months)
    return Said("tradable {times} for {months}", times=Counted(scheme.max_transfers, "time"), months=months)


# --- hours


def hours_problem(scheme: Scheme, hours_wh: tuple[int, ...], release_wh: int) -> str | None:
    """What is wrong with the hours of an attestation: none but in a granular scheme, and there 24 that add up."""
    if not granular(scheme) or not release_wh:
        return "it names hours, and nothing here is told by the hour" if hours_wh else None
    if len(hours_wh) != HOURS:
        return f"it names {len(hours_wh)} hours, a day has {HOURS}"
    if sum(hours_wh) != release_wh:
        return f"its hours add up to {sum(hours_wh)} Wh, it releases {release_wh} Wh"
    return None


def hourly(days: list[tuple[int, tuple[int, ...]]], netted_wh: int) -> list[tuple[int, int]]:
    """(start of the hour in s, Wh) of every hour with energy, in order; what paid a debt is taken off the first."""
    found = []
    for day, hours_wh in days:
        for hour, energy_wh in enumerate(hours_wh):
            paid = min(netted_wh, energy_wh)
            netted_wh -= paid
            if energy_wh > paid:
                found.append((day * DAY_S + hour * HOUR_S, energy_wh - paid))
    return found
