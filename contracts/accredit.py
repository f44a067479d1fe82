"""accredit: what only the consortium may admit. Anybody registered proposes, q governance keys approve.

A proposal is typed by its content: a role, a device, a gateway, a meter, a device's baseline profile, a new term for
one of these (`until` 0 revokes), or a change of the validators themselves (`contracts/membership.py`). It is enacted
by the vote that reaches the quorum of the set then in office, refused when the quorum cannot be reached any more, and
lapses after two epochs.
"""

from typing import assert_never

from msgspec.structs import replace

from contracts import consumption, correct, keys, membership, schemes
from contracts.calendar import LAST_DAY, LAST_SECOND
from contracts.context import Context
from contracts.countries import require_country
from contracts.events import Enacted, ProposalRefused, Proposed, Voted
from contracts.hearing import with_neighbours
from contracts.proposals import describe_content
from contracts.register import require_key, require_line, require_text
from state.codec import decode, encode
from state.errors import (
    AlreadyExists,
    BadField,
    LimitReached,
    NotGovernance,
    ProposalClosed,
    RoleNeeded,
    TermOver,
    Unknown,
)
from state.keyspace import (
    accredited_key,
    consumption_meter_key,
    device_key,
    former_key,
    gateway_key,
    gsrn_key,
    key_owner_key,
    meter_key,
    open_proposals_key,
    proposal_key,
    role_key,
    scheme_key,
    validator_key,
)
from state.records import (
    ConsumptionMeter,
    Counter,
    Device,
    DeviceFacts,
    EnergyCode,
    Gateway,
    KeyOwner,
    Meter,
    OpenProposals,
    Proposal,
    Role,
    RoleGrant,
    Scheme,
    Validator,
)
from state.spoken import Said
from state.transaction import (
    ConsumptionMeterContent,
    CorrectContent,
    DeviceContent,
    GatewayContent,
    MeterContent,
    ProfileContent,
    ProposalContent,
    Propose,
    RecoverContent,
    RemoveValidatorContent,
    RenewContent,
    RoleContent,
    RotateEscrowKeyContent,
    RotateVoteKeyContent,
    SchemeContent,
    ValidatorContent,
    Vote,
)
from state.units import DAY_S
from verifier.source import is_source, problem_of

MAX_OPEN_PROPOSALS = 64  # of one participant: nobody pays for the room that they take
LAPSE_EPOCHS = 2
LAPSE_BLOCKS_WITHOUT_EPOCHS = 17_280  # two epochs of the default length, where a network has one epoch for ever
MAX_INTERVAL_S = 3_600
MAX_CAPACITY_W = 10**12  # forty times the largest power station, so that no account of energy leaves a u64
GSRN_DIGITS = 18
UNKNOWN_UDEG = 2**31


# --- propose


def check_propose(context: Context, action: Propose) -> None:
    context.require_signature(action.proposer)
    context.require_once()
    _require_room(context, action.proposer)
    content = action.content
    match content:
        case RoleContent():
            _check_role(context, content)
        case DeviceContent():
            _check_device(context, content, action.proposer)
        case GatewayContent():
            if content.operator != action.proposer:
                raise BadField(field="operator", why="a gateway is proposed by its operator")
            require_key("key", content.key)
        case MeterContent():
            _check_meter(context, content, action.proposer)
        case ProfileContent():
            _require_owner(context, content.device, action.proposer)
            _require_plant(context, content.device)
            if not content.window_from < content.window_to <= LAST_SECOND:
                raise BadField(field="window", why="it ends before it begins, or after the year 9999")
        case RenewContent():
            _renewed(context, content)
        case ValidatorContent() | RemoveValidatorContent() | RotateVoteKeyContent() | RotateEscrowKeyContent():
            membership.check_content(context, content, action.proposer)
        case RecoverContent():
            keys.check_content(context, content)
            require_text("reason", content.reason)
        case CorrectContent():
            correct.check_content(context, content)
        case SchemeContent():
            schemes.check_content(context, content)
        case ConsumptionMeterContent():
            consumption.check_content(context, content, action.proposer)
        case _:
            assert_never(content)
    _check_term(context, content)


def _check_role(context: Context, content: RoleContent) -> None:
    context.participant(content.participant)
    if content.role not in tuple(Role):
        raise BadField(field="role", why=f"one of {', '.join(Role)}")


def _check_device(context: Context, content: DeviceContent, proposer: int) -> None:
    if content.owner != proposer:
        raise BadField(field="owner", why="a device is proposed by its owner")
    scheme = context.record(scheme_key(content.scheme), Scheme, "scheme", content.scheme)
    if schemes.granular(scheme) and schemes.HOUR_S % max(1, content.facts.interval_s):
        raise BadField(field="interval_s", why="a divisor of the hour, in a scheme that is issued by the hour")
    if is_source(content.facts):
        _check_source(content.facts)
        return
    _check_facts(content.facts, context.environment.parameters.energy_codes)
    _check_gsrn(content.facts.gsrn, scheme)
    _check_place(content.facts)
    if content.facts.gsrn and context.overlay.get(gsrn_key(content.facts.gsrn)) is not None:
        raise AlreadyExists(what="a device with the GSRN", id=content.facts.gsrn)


def _check_meter(context: Context, content: MeterContent, proposer: int) -> None:
    _require_owner(context, content.device, proposer)
    if bool(content.key) == bool(content.gateway):
        raise BadField(field="key", why="either a key of the meter or a gateway signs for it")
    if content.key:
        require_key("key", content.key)
        if context.overlay.get(former_key(content.key)) is not None:
            raise AlreadyExists(what="a participant, meter or gateway with the key", id=content.key.hex())
    else:
        context.record(gateway_key(content.gateway), Gateway, "gateway", content.gateway)


def _check_term(context: Context, content: ProposalContent) -> None:
    """A first term lies ahead; a renewal may also end one (`until` 0); all end before calendars do."""
    if isinstance(content, ProfileContent | RecoverContent | CorrectContent | SchemeContent | membership.MemberContent):
        return
    if content.until > LAST_SECOND:
        raise BadField(field="until", why="after the year 9999")
    if not isinstance(content, RenewContent) and not context.environment.before(content.until):
        raise TermOver(what=kind_of(content), id="(new)", until=content.until, now=context.environment.time_s)


def _require_room(context: Context, proposer: int) -> None:
    if sum(_is_open(context, number) for number in _proposed_by(context, proposer)) >= MAX_OPEN_PROPOSALS:
        raise LimitReached(limit=MAX_OPEN_PROPOSALS, what=f"open proposals of participant {proposer}")


def _proposed_by(context: Context, proposer: int) -> tuple[int, ...]:
    found = context.overlay.get(open_proposals_key(proposer))
    return found.numbers if isinstance(found, OpenProposals) else ()


def _is_open(context: Context, number: int) -> bool:
    proposal = context.record(proposal_key(number), Proposal, "proposal", number)
    return proposal.status == "open" and context.environment.height <= proposal.lapses_height


def _remember(context: Context, proposer: int, number: int) -> None:
    """Among what the proposer has open; what is not open any more goes, and what only lapsed leaves the state."""
    kept = []
    for earlier in _proposed_by(context, proposer):
        if _is_open(context, earlier):
            kept.append(earlier)
        elif context.record(proposal_key(earlier), Proposal, "proposal", earlier).status == "open":
            context.overlay.delete(proposal_key(earlier))
    context.overlay.put(open_proposals_key(proposer), OpenProposals((*kept, number)))


def apply_propose(context: Context, action: Propose) -> None:
    context.mark_once()
    number = context.next_number("proposal")
    _remember(context, action.proposer, number)
    environment = context.environment
    epochs = environment.parameters.epoch_length * LAPSE_EPOCHS or LAPSE_BLOCKS_WITHOUT_EPOCHS
    proposal = Proposal(
        id=number,
        proposer=action.proposer,
        content=encode(action.content),
        proposed_at=environment.time_s,
        proposed_height=environment.height,
        lapses_height=environment.height + epochs,
        approvals=(),
        refusals=(),
        status="open",
        enacted_id=0,
    )
    context.overlay.put(proposal_key(number), proposal)
    context.announce(Proposed(number, kind_of(action.content), action.proposer))


# --- vote


def check_vote(context: Context, action: Vote) -> None:
    validator = context.overlay.get(validator_key(action.validator))
    if not isinstance(validator, Validator):
        raise Unknown(what="validator", id=action.validator)
    if validator.governance_key not in context.signers:
        raise NotGovernance(validator=action.validator)
    proposal = context.record(proposal_key(action.proposal), Proposal, "proposal", action.proposal)
    if proposal.status != "open":
        raise ProposalClosed(proposal=proposal.id, status=proposal.status)
    if context.environment.height > proposal.lapses_height:
        raise ProposalClosed(proposal=proposal.id, status="lapsed")
    if action.validator in proposal.approvals or action.validator in proposal.refusals:
        raise AlreadyExists(what="the vote of validator", id=action.validator)
    require_line("reason", action.reason)
    if _overtaken(context, proposal):
        raise ProposalClosed(proposal=proposal.id, status="overtaken")


def apply_vote(context: Context, action: Vote) -> None:
    proposal = context.record(proposal_key(action.proposal), Proposal, "proposal", action.proposal)
    approvals, refusals = proposal.approvals, proposal.refusals
    if action.approve:
        approvals = tuple(sorted((*approvals, action.validator)))
    else:
        refusals = tuple(sorted((*refusals, action.validator)))
    context.announce(Voted(proposal.id, action.validator, action.approve, action.reason))
    content = content_of(proposal)
    status, created = proposal.status, 0
    environment = context.environment
    if len(approvals) >= environment.quorum:
        status, created = "enacted", _enact(context, content)
        context.announce(Enacted(proposal.id, kind_of(content), created))
    elif len(refusals) > len(environment.validators) - environment.quorum:
        status = "refused"
        context.announce(ProposalRefused(proposal.id, kind_of(content)))
    context.overlay.put(
        proposal_key(proposal.id),
        replace(proposal, approvals=approvals, refusals=refusals, status=status, enacted_id=created),
    )


def content_of(proposal: Proposal) -> ProposalContent:
    content: ProposalContent = decode(ProposalContent, proposal.content)  # type: ignore[arg-type]
    return content


def _overtaken(context: Context, proposal: Proposal) -> bool:
    """Something newer was enacted about the same accreditation: approvals given before it are not given any more.

    1. A renewal gets q - 1 approvals. 2. Fraud is found, a revocation is proposed and enacted. 3. Without this, one
    more approval of the forgotten renewal would undo the revocation.

    And when a validator has left, the indexes under earlier votes are those of others: such a proposal is made anew.
    """
    subjects = (_subject(content_of(proposal)), membership.SEATS)
    found = [context.overlay.get(accredited_key(*subject)) for subject in subjects if subject is not None]
    return any(isinstance(enacted, Counter) and proposal.proposed_height < enacted.value for enacted in found)


def _subject(content: ProposalContent) -> tuple[str, int] | None:
    """The accreditation that a proposal changes; None where it creates a new one."""
    match content:
        case RoleContent():
            return f"role:{content.role}", content.participant
        case MeterContent():
            return "meter", content.device
        case ProfileContent():
            return "profile", content.device
        case RenewContent():
            return content.kind, content.subject
        case ValidatorContent() | RemoveValidatorContent() | RotateVoteKeyContent() | RotateEscrowKeyContent():
            return "validator", content.participant
        case RecoverContent():
            return "recover", content.participant
        case CorrectContent():
            return f"correct {content.day}", content.device
        case SchemeContent():
            return "scheme", content.scheme.id
        case DeviceContent() | GatewayContent() | ConsumptionMeterContent():
            return None
        case _:
            assert_never(content)


def _enact(context: Context, content: ProposalContent) -> int:
    """Do what was approved; the id of what it created or changed. Re-checks what may have changed since."""
    overlay = context.overlay
    subject = _subject(content)
    if subject is not None:
        overlay.put(accredited_key(*subject), Counter(context.environment.height))
    match content:
        case RoleContent():
            overlay.put(
                role_key(content.participant, content.role),
                RoleGrant(content.participant, content.role, content.until),
            )
            return content.participant
        case DeviceContent():
            number = context.next_number("device")
            if content.facts.gsrn:
                if overlay.get(gsrn_key(content.facts.gsrn)) is not None:
                    raise AlreadyExists(what="a device with the GSRN", id=content.facts.gsrn)
                overlay.put(gsrn_key(content.facts.gsrn), KeyOwner(number))
            overlay.put(
                device_key(number),
                Device(number, content.owner, content.scheme, content.facts, content.until, 1, b"", 0, 0),
            )
            return number
        case GatewayContent():
            if overlay.get(key_owner_key(content.key)) is not None:
                raise AlreadyExists(what="a participant with the key", id=content.key.hex())
            number = context.next_number("gateway")
            overlay.put(gateway_key(number), Gateway(number, content.operator, content.key, content.until))
            return number
        case MeterContent():
            known = overlay.get(meter_key(content.device))
            overlay.put(meter_key(content.device), Meter(content.device, content.key, content.gateway, content.until))
            if isinstance(known, Meter) and known.key != content.key:
                keys.record_change(context, "meter", content.device, known.key, content.key, "quorum")
            return content.device
        case ProfileContent():
            device = context.record(device_key(content.device), Device, "device", content.device)
            overlay.put(
                device_key(device.id),
                replace(
                    with_neighbours(overlay, device),
                    profile_hash=content.profile_hash,
                    profile_from=content.window_from,
                    profile_to=content.window_to,
                ),
            )
            return device.id
        case RenewContent():
            return _renew(context, content)
        case ValidatorContent() | RemoveValidatorContent() | RotateVoteKeyContent() | RotateEscrowKeyContent():
            return membership.enact(context, content)
        case RecoverContent():
            return keys.enact(context, content)
        case CorrectContent():
            return correct.enact(context, content)
        case SchemeContent():
            return schemes.enact(context, content)
        case ConsumptionMeterContent():
            return consumption.enact(context, content)
        case _:
            assert_never(content)


def _renew(context: Context, content: RenewContent) -> int:
    overlay = context.overlay
    match _renewed(context, content):
        case RoleGrant() as grant:
            overlay.put(role_key(grant.participant, grant.role), replace(grant, until=content.until))
        case Device() as device:
            overlay.put(device_key(device.id), replace(device, until=content.until))
        case Meter() as meter:
            overlay.put(meter_key(meter.device), replace(meter, until=content.until))
        case Gateway() as gateway:
            overlay.put(gateway_key(gateway.id), replace(gateway, until=content.until))
        case ConsumptionMeter() as meter:
            overlay.put(consumption_meter_key(meter.id), replace(meter, until=content.until))
    return content.subject


def _renewed(context: Context, content: RenewContent) -> RoleGrant | Device | Meter | Gateway | ConsumptionMeter:
    """The accreditation that a renewal names; Unknown if there is none."""
    kind, subject = content.kind, content.subject
    if kind.startswith("role:"):
        return context.record(role_key(subject, kind.removeprefix("role:")), RoleGrant, kind, subject)
    match kind:
        case "device":
            return context.record(device_key(subject), Device, kind, subject)
        case "meter":
            return context.record(meter_key(subject), Meter, kind, subject)
        case "gateway":
            return context.record(gateway_key(subject), Gateway, kind, subject)
        case "usage_meter":
            return context.record(consumption_meter_key(subject), ConsumptionMeter, kind, subject)
    raise BadField(field="kind", why="role:NAME, device, meter, gateway or usage_meter")


def _require_owner(context: Context, device: int, proposer: int) -> None:
    owner = context.record(device_key(device), Device, "device", device).owner
    if owner != proposer:
        raise RoleNeeded(participant=proposer, role=f"owner of device {device}")


def _require_plant(context: Context, device: int) -> None:
    if is_source(context.record(device_key(device), Device, "device", device).facts):
        raise BadField(field="device", why="a climate source has no baseline")


# --- facts of a device


def _check_facts(facts: DeviceFacts, codes: tuple[EnergyCode, ...]) -> None:
    _check_words(facts)
    matching = [code for code in codes if code.technology == facts.technology]
    if not matching:
        raise BadField(field="technology", why=f"{facts.technology} is not an energy code of this network")
    if not any(facts.fuel in code.fuels for code in matching):
        raise BadField(field="fuel", why=f"{facts.fuel} does not go with {facts.technology} (EECS pair check)")
    if not 0 < facts.capacity_w <= MAX_CAPACITY_W:
        raise BadField(field="capacity_w", why=f"1 to {MAX_CAPACITY_W} W")
    if facts.channels > 7:
        raise BadField(field="channels", why="unknown bits")


def _check_source(facts: DeviceFacts) -> None:
    """A climate source has a place and something to say, and nothing of a plant."""
    _check_words(facts)
    _check_place(facts)
    wrong = problem_of(facts)
    if wrong is not None:
        raise BadField(field=wrong[0], why=wrong[1])


def _check_words(facts: DeviceFacts) -> None:
    require_text("name", facts.name)
    for field in ("zone", "location", "insolation_source", "support"):
        require_line(field, getattr(facts, field))
    require_country("country", facts.country)
    if not 60 <= facts.interval_s <= MAX_INTERVAL_S or DAY_S % facts.interval_s:
        raise BadField(field="interval_s", why="60 to 3600 seconds, a divisor of the day")


def _check_gsrn(gsrn: str, scheme: Scheme) -> None:
    if gsrn and not (len(gsrn) == GSRN_DIGITS and gsrn.isascii() and gsrn.isdigit()):
        raise BadField(field="gsrn", why="18 digits")
    if gsrn and scheme.gsrn_check and not gsrn_holds(gsrn):
        raise BadField(field="gsrn", why="18 digits with a GS1 check digit")


def _check_place(facts: DeviceFacts) -> None:
    """Numbers that calendars, maps and the sun's position can take; -1 or 2**31 where unknown."""
    for field, value, low, high, unknown in (
        ("commissioned_day", facts.commissioned_day, 0, LAST_DAY, None),
        ("latitude_udeg", facts.latitude_udeg, -90_000_000, 90_000_000, UNKNOWN_UDEG),
        ("longitude_udeg", facts.longitude_udeg, -180_000_000, 180_000_000, UNKNOWN_UDEG),
        ("tilt_udeg", facts.tilt_udeg, 0, 180_000_000, -1),
        ("azimuth_udeg", facts.azimuth_udeg, 0, 360_000_000, -1),
    ):
        if not low <= value <= high and value != unknown:
            raise BadField(field=field, why=f"{low} to {high}")


def gsrn_holds(gsrn: str) -> bool:
    """18 digits whose last is the GS1 modulo-10 check digit of the others (weights 3 and 1 from the right)."""
    if len(gsrn) != 18 or not (gsrn.isascii() and gsrn.isdigit()):
        return False
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(gsrn[:-1])))
    return (10 - weighted % 10) % 10 == int(gsrn[-1])


# --- words


def kind_of(content: ProposalContent) -> str:
    return str(content.__struct_config__.tag)


def describe_propose(action: Propose) -> Said:
    return Said("propose to {content}", content=describe_content(action.content))


def describe_vote(action: Vote) -> Said:
    named: dict[str, int | str] = {"proposal": action.proposal, "validator": action.validator, "reason": action.reason}
    if action.approve and action.reason:
        return Said("approve proposal {proposal} for validator {validator}: {reason}", **named)
    if action.approve:
        return Said("approve proposal {proposal} for validator {validator}", **named)
    if action.reason:
        return Said("refuse proposal {proposal} for validator {validator}: {reason}", **named)
    return Said("refuse proposal {proposal} for validator {validator}", **named)
