"""issue: verified energy becomes certificates, because q validators attested the same days byte for byte.

Energy of a day is released once for each step (device, day, step, revision), in the order of contracts/release.py.
Released Wh enter the account of the production month; certificates are its whole multiples of the face value, the rest
is carried (research/registry.md section 4). It is also the record of a verdict: a held or rejected day releases 0 Wh
and is announced all the same. No signers: the authority is inside, and any node may send it.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from contracts.accounts import book, empty_earlier_accounts, open_account, put_account
from contracts.calendar import add_months, day_start, month_of_day, next_month_start
from contracts.context import Context
from contracts.correct import credit_of, credited, day_bound_wh, pay_debt
from contracts.events import DayJudged, Issued
from contracts.hearing import NO_INPUTS, inputs_problem
from contracts.release import is_corrected, released_up_to, review_day, steps_before, steps_of
from contracts.schemes import HOUR_S, granular, hourly, hours_problem
from contracts.standing import carry_out
from state.attestation import ACCEPT, CORRECTION, PROMPT, REJECT, Attestation, attestation_bytes
from state.crypto import verify
from state.errors import (
    AlreadyIssued,
    AttestationInvalid,
    BadField,
    CarryDiffers,
    Disabled,
    EnergyBound,
    ProfileMissing,
    QuorumMissing,
    StepOrder,
    TermOver,
)
from state.keyspace import credit_key, device_key, issuance_key, release_key, scheme_key
from state.outputs import Bundle
from state.records import Device, Expiry, Issuance, Release, Scheme
from state.spoken import Counted, Said
from state.transaction import AttestedDay, Issue
from state.units import DAY_S
from verifier.source import is_source


def check(context: Context, action: Issue) -> None:
    environment = context.environment
    if not environment.parameters.issuing:
        raise Disabled(what="issuing")
    device = context.record(device_key(action.device), Device, "device", action.device)
    scheme = context.record(scheme_key(device.scheme), Scheme, "scheme", device.scheme)
    if not environment.before(device.until):
        raise TermOver(what="device", id=device.id, until=device.until, now=environment.time_s)
    _check_facts(action, device, scheme)
    previous = -1
    for attested in action.days:
        day, step = attested.attestation.day, attested.attestation.step
        if day_start(day) > environment.time_s:
            raise BadField(field="days", why=f"day {day} has not begun")
        late = scheme.late_days and day_start(day + 1) + scheme.late_days * DAY_S <= environment.time_s
        if late and step == PROMPT:
            raise BadField(field="days", why=f"day {day} ended more than {scheme.late_days} days ago")
        if day <= previous or month_of_day(day) != action.month:
            raise BadField(field="days", why=f"day {day} is out of order or outside month {action.month}")
        previous = day
        _check_day(context, attested, device, scheme)
    _check_account(context, action, device, scheme)


def _check_facts(action: Issue, device: Device, scheme: Scheme) -> None:
    """The action repeats from the state what a statement will repeat from it."""
    named = (action.owner, action.scheme, action.face_value, action.unit, action.facts)
    if named != (device.owner, scheme.id, scheme.face_value, scheme.unit, device.facts):
        raise BadField(field="facts", why="owner, scheme or device facts differ from the ledger's")


def _check_day(context: Context, attested: AttestedDay, device: Device, scheme: Scheme) -> None:
    attestation, environment = attested.attestation, context.environment
    day = attestation.day
    wrong = (
        _content_problem(attestation, device, environment.epoch)
        or hours_problem(scheme, attestation.hours_wh, attestation.release_wh)
        or inputs_problem(context.overlay, device, scheme, attestation)
    )
    if wrong:
        raise BadField(field=f"attestation of day {day}", why=wrong)
    if attestation.step == CORRECTION:
        _check_credit(context, attestation, device)
    elif context.overlay.get(release_key(device.id, day, attestation.step, attestation.revision)) is not None:
        raise AlreadyIssued(device=device.id, day=day, step=attestation.step)
    if attestation.verdict != REJECT and attestation.release_wh and not device.profile_hash:
        raise ProfileMissing(device=device.id, profile="at all")
    if attestation.profile_hash != device.profile_hash:
        raise ProfileMissing(device=device.id, profile=attestation.profile_hash.hex())
    if attestation.step != CORRECTION:
        _check_step(context, attestation, device, scheme)
    _check_quorum(context, attested)


def _check_step(context: Context, attestation: Attestation, device: Device, scheme: Scheme) -> None:
    """Each step in its turn, and in all no more than the day brought and the nameplate allows."""
    day = attestation.day
    before = steps_before(context.overlay, device.id, day, attestation.step)
    _check_order(context, attestation, before, scheme)
    released_wh = sum(release.release_wh for release in before)
    share_wh = released_up_to(attestation.energy_wh, scheme.release_shares, attestation.step) - released_wh
    most_wh = min(day_bound_wh(device) - released_wh, share_wh)
    if attestation.release_wh > most_wh:
        raise EnergyBound(day=day, release_wh=attestation.release_wh, bound_wh=most_wh)


def _check_order(context: Context, attestation: Attestation, before: Sequence[Release], scheme: Scheme) -> None:
    """A step comes once, after all earlier ones, on the same day's facts, and not after a refusal or a correction."""
    day, steps = attestation.day, steps_of(scheme.release_shares)
    if attestation.step not in steps or [release.step for release in before] != [
        step for step in steps if step < attestation.step
    ]:
        raise StepOrder(
            day=day, step=attestation.step, why="an earlier step is missing, or the scheme has no such step"
        )
    if any(release.verdict == REJECT for release in before):
        raise StepOrder(day=day, step=attestation.step, why="the day was refused before")
    if is_corrected(context.overlay, attestation.device, day):
        raise StepOrder(day=day, step=attestation.step, why="a quorum has corrected the day")
    facts = (attestation.readings_root, attestation.energy_wh)
    if any((release.readings_root, release.energy_wh) != facts for release in before):
        raise StepOrder(day=day, step=attestation.step, why="an earlier step was about other readings")


def _check_credit(context: Context, attestation: Attestation, device: Device) -> None:
    """A correction upwards: the quorum that approved it left a credit, and the attestation says exactly that."""
    credit = credit_of(context.overlay, device.id, attestation.day)
    if credit is None:
        raise AlreadyIssued(device=device.id, day=attestation.day, step=CORRECTION)
    if attestation != credited(credit, device, context.environment.epoch, NO_INPUTS):
        raise BadField(field=f"attestation of day {attestation.day}", why="it is not what the correction says")


def _content_problem(attestation: Attestation, device: Device, epoch: int) -> str | None:
    if attestation.device != device.id:
        return "it names another device"
    if attestation.epoch != epoch:
        return f"it is of epoch {attestation.epoch}, this is {epoch}"
    if attestation.revision and attestation.step != CORRECTION:
        return "only a correction has a revision"
    if attestation.verdict > REJECT:
        return "unknown verdict"
    if attestation.verdict != ACCEPT and attestation.release_wh:
        return "a held or rejected day releases nothing"
    if is_source(device.facts) and (attestation.energy_wh or attestation.hours_wh or attestation.step):
        return "a climate source gives no energy, and all is said of its day at once"
    if list(attestation.reasons) != sorted(set(attestation.reasons)):
        return "reasons are not sorted"
    return None


def _check_quorum(context: Context, attested: AttestedDay) -> None:
    environment = context.environment
    message = attestation_bytes(environment.chain, attested.attestation)
    previous = -1
    for signed in attested.signatures:
        if signed.validator <= previous or signed.validator >= len(environment.validators):
            raise AttestationInvalid(
                validator=signed.validator, day=attested.attestation.day, why="unknown, repeated or out of order"
            )
        previous = signed.validator
        if not verify(environment.validators[signed.validator].vote_key, message, signed.signature):
            raise AttestationInvalid(
                validator=signed.validator, day=attested.attestation.day, why="the signature is wrong"
            )
    if len(attested.signatures) < environment.quorum:
        raise QuorumMissing(count=len(attested.signatures), quorum=environment.quorum)


def _check_account(context: Context, action: Issue, device: Device, scheme: Scheme) -> None:
    released = sum(attested.attestation.release_wh for attested in action.days)
    booking = book(context.overlay, context.environment.time_s, device, scheme, action.month, released)
    for field, expected, claimed in (
        ("carry_in_wh", booking.account.carry_wh, action.carry_in_wh),
        ("carry_out_wh", booking.carry_wh, action.carry_out_wh),
        ("netted_wh", booking.netted_wh, action.netted_wh),
        ("count", booking.count, action.count),
        ("first_serial", device.next_serial, action.first_serial),
    ):
        if expected != claimed:
            raise CarryDiffers(field=field, device=device.id, expected=expected, claimed=claimed)
    if device.next_serial + action.count > 10**scheme.serial_digits:
        raise BadField(field="count", why="the device has used up its serial numbers")


def apply(context: Context, action: Issue) -> None:
    device = context.record(device_key(action.device), Device, "device", action.device)
    scheme = context.record(scheme_key(device.scheme), Scheme, "scheme", device.scheme)
    account = open_account(context.overlay, context.environment.time_s, device, scheme, action.month)
    empty_earlier_accounts(context, account, device, scheme)
    for attested in action.days:
        _record_day(context, attested, scheme)
    put_account(
        context,
        replace(
            account,
            released_wh=account.released_wh + sum(attested.attestation.release_wh for attested in action.days),
            issued=account.issued + action.count,
            carry_wh=action.carry_out_wh,
            netted_wh=account.netted_wh + action.netted_wh,
        ),
    )
    pay_debt(context, device.id, action.netted_wh, netted_wh=action.netted_wh)
    if action.count:
        _create_certificates(context, action, device, scheme)


def _record_day(context: Context, attested: AttestedDay, scheme: Scheme) -> None:
    judged = attested.attestation
    if judged.step == CORRECTION:
        context.overlay.delete(credit_key(judged.device, judged.day))  # its record stands since it was enacted
    else:
        _put_release(context, judged)
    context.announce(
        DayJudged(
            judged.device,
            judged.day,
            judged.step,
            judged.verdict,
            judged.reasons,
            judged.energy_wh,
            judged.release_wh,
            tuple(signed.validator for signed in attested.signatures),
            review_day(context.overlay, scheme.release_shares, judged.device, judged.day),
        )
    )


def _put_release(context: Context, judged: Attestation) -> None:
    context.overlay.put(
        release_key(judged.device, judged.day, judged.step, judged.revision),
        Release(
            device=judged.device,
            day=judged.day,
            step=judged.step,
            revision=judged.revision,
            verdict=judged.verdict,
            reasons=judged.reasons,
            energy_wh=judged.energy_wh,
            release_wh=judged.release_wh,
            readings_root=judged.readings_root,
            txid=context.txid,
            inputs_root=judged.inputs_root,
        ),
    )


def _create_certificates(context: Context, action: Issue, device: Device, scheme: Scheme) -> None:
    """One issuance, or in a granular scheme one for each hour with energy."""
    source = _source_days(action)
    first = action.first_serial
    context.overlay.put(device_key(device.id), replace(device, next_serial=first + action.count))
    for starts, ends, count in _intervals(action, scheme, source):
        _create_issuance(context, action, device, scheme, source, (starts, ends), (first, first + count - 1))
        first += count


def _intervals(action: Issue, scheme: Scheme, source: list[Attestation]) -> list[tuple[int, int, int]]:
    """(start, end, certificates) of each production interval, in the order of the serials."""
    if not granular(scheme):
        return [(day_start(source[0].day), day_start(source[-1].day + 1), action.count)]
    hours = hourly([(judged.day, judged.hours_wh) for judged in source], action.netted_wh)
    return [(start, start + HOUR_S, energy_wh) for start, energy_wh in hours]


def _create_issuance(
    context: Context,
    action: Issue,
    device: Device,
    scheme: Scheme,
    source: list[Attestation],
    produced: tuple[int, int],
    serials: tuple[int, int],
) -> None:
    now, (first, last) = context.environment.time_s, serials
    trade_until, retire_until = _terms(scheme.expiry, now, produced[1], action.month)
    number = context.next_number("issuance")
    context.overlay.put(
        issuance_key(number),
        Issuance(
            id=number,
            device=device.id,
            scheme=scheme.id,
            month=action.month,
            start=first,
            end=last,
            production_from=produced[0],
            production_to=produced[1],
            issued_at=now,
            trade_until=trade_until,
            retire_until=retire_until,
            verifier_version=source[0].verifier_version,
            profile_hash=device.profile_hash,
            reasons=tuple(sorted({reason for judged in source for reason in judged.reasons})),
            txid=context.txid,
        ),
    )
    if context.moved:  # a rule that shares out the hour before has had its movement
        context.enter(context.action_index, "issue")
    point = context.create(Bundle(device.owner, number, device.id, first, last, trade_until, retire_until, 0))
    context.announce(Issued(number, device.id, scheme.id, action.month, first, last, device.owner))
    carry_out(context, point, device, scheme)


def _source_days(action: Issue) -> list[Attestation]:
    """The days that the certificates come from. Carries of several months can make one whole without any release:

    it bears the days of the issue that opened the month.
    """
    judged = [attested.attestation for attested in action.days]
    return [day for day in judged if day.release_wh] or judged


def _terms(expiry: Expiry, issued_at: int, production_to: int, month: int) -> tuple[int, int]:
    """(trade_until, retire_until) in s: computed once here, so that no later step does calendar arithmetic."""
    match expiry.basis:
        case "production_end":
            base = production_to
        case "production_month_end":
            base = next_month_start(month)
        case _:
            base = issued_at
    return add_months(base, expiry.trade_months), add_months(base, expiry.retire_months)


def describe(action: Issue) -> Said:
    energy = sum(attested.attestation.energy_wh for attested in action.days)
    return Said(
        "issue {count} of {unit} to device {device} for {days} of {month} ({energy} kWh measured)",
        count=Counted(action.count, "certificate"),
        unit=action.unit,
        device=action.device,
        days=Counted(len(action.days), "day"),
        month=action.month,
        energy=f"{energy / 1000:,.1f}",
    )
