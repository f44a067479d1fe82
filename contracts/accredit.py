"""accredit: what only the consortium may admit. Anybody registered proposes, q governance keys approve.

A proposal is typed by its content: a role, a device, a gateway, a meter, a device's baseline profile, or a new term
for one of these (`until` 0 revokes). It is enacted by the vote that reaches the quorum of the set then in office,
refused when the quorum cannot be reached any more, and lapses after two epochs.
"""

from typing import assert_never

from contracts.context import Context
from contracts.events import Enacted, ProposalRefused, Proposed, Voted
from contracts.register import require_country, require_key, require_text
from state.codec import decode, encode
from state.errors import AlreadyExists, BadField, NotGovernance, ProposalClosed, RoleNeeded, TermOver, Unknown
from state.keyspace import (
    device_key,
    gateway_key,
    gsrn_key,
    key_owner_key,
    meter_key,
    proposal_key,
    role_key,
    scheme_key,
    validator_key,
)
from state.records import (
    Device,
    DeviceFacts,
    EnergyCode,
    Gateway,
    KeyOwner,
    Meter,
    Proposal,
    Role,
    RoleGrant,
    Scheme,
    Validator,
)
from state.transaction import (
    DeviceContent,
    GatewayContent,
    MeterContent,
    ProfileContent,
    ProposalContent,
    Propose,
    RenewContent,
    RoleContent,
    Vote,
)
from state.units import DAY_S

LAPSE_EPOCHS = 2
LAPSE_BLOCKS_WITHOUT_EPOCHS = 17_280  # two epochs of the default length, where a network has one epoch for ever
MAX_INTERVAL_S = 3_600


# --- propose


def check_propose(context: Context, action: Propose) -> None:
    context.require_signature(action.proposer)
    context.require_once()
    content = action.content
    match content:
        case RoleContent():
            context.participant(content.participant)
            if content.role not in tuple(Role):
                raise BadField(field="role", why=f"one of {', '.join(Role)}")
        case DeviceContent():
            if content.owner != action.proposer:
                raise BadField(field="owner", why="a device is proposed by its owner")
            context.record(scheme_key(content.scheme), Scheme, "scheme", content.scheme)
            _check_facts(content.facts, context.environment.parameters.energy_codes)
            if content.facts.gsrn and context.overlay.get(gsrn_key(content.facts.gsrn)) is not None:
                raise AlreadyExists(what="a device with the GSRN", id=content.facts.gsrn)
        case GatewayContent():
            if content.operator != action.proposer:
                raise BadField(field="operator", why="a gateway is proposed by its operator")
            require_key("key", content.key)
        case MeterContent():
            _require_owner(context, content.device, action.proposer)
            if bool(content.key) == bool(content.gateway):
                raise BadField(field="key", why="either a key of the meter or a gateway signs for it")
            if content.key:
                require_key("key", content.key)
            else:
                context.record(gateway_key(content.gateway), Gateway, "gateway", content.gateway)
        case ProfileContent():
            _require_owner(context, content.device, action.proposer)
            if content.window_from >= content.window_to:
                raise BadField(field="window", why="it ends before it begins")
        case RenewContent():
            _renewed(context, content)
        case _:
            assert_never(content)
    if not isinstance(content, ProfileContent | RenewContent) and not context.environment.before(content.until):
        raise TermOver(what=kind_of(content), id="(new)", until=content.until, now=context.environment.time_s)


def apply_propose(context: Context, action: Propose) -> None:
    context.mark_once()
    number = context.next_number("proposal")
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


def apply_vote(context: Context, action: Vote) -> None:
    proposal = context.record(proposal_key(action.proposal), Proposal, "proposal", action.proposal)
    approvals, refusals = proposal.approvals, proposal.refusals
    if action.approve:
        approvals = tuple(sorted((*approvals, action.validator)))
    else:
        refusals = tuple(sorted((*refusals, action.validator)))
    context.announce(Voted(proposal.id, action.validator, action.approve, action.reason))
    content: ProposalContent = decode(ProposalContent, proposal.content)  # type: ignore[arg-type]
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
        Proposal(
            id=proposal.id,
            proposer=proposal.proposer,
            content=proposal.content,
            proposed_at=proposal.proposed_at,
            proposed_height=proposal.proposed_height,
            lapses_height=proposal.lapses_height,
            approvals=approvals,
            refusals=refusals,
            status=status,
            enacted_id=created,
        ),
    )


def _enact(context: Context, content: ProposalContent) -> int:
    """Do what was approved; the id of what it created or changed. Re-checks what may have changed since."""
    overlay = context.overlay
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
            overlay.put(meter_key(content.device), Meter(content.device, content.key, content.gateway, content.until))
            return content.device
        case ProfileContent():
            device = context.record(device_key(content.device), Device, "device", content.device)
            overlay.put(
                device_key(device.id),
                _device_with(
                    device,
                    profile_hash=content.profile_hash,
                    profile_from=content.window_from,
                    profile_to=content.window_to,
                ),
            )
            return device.id
        case RenewContent():
            return _renew(context, content)
        case _:
            assert_never(content)


def _renew(context: Context, content: RenewContent) -> int:
    overlay = context.overlay
    match _renewed(context, content):
        case RoleGrant() as grant:
            overlay.put(
                role_key(grant.participant, grant.role), RoleGrant(grant.participant, grant.role, content.until)
            )
        case Device() as device:
            overlay.put(device_key(device.id), _device_with(device, until=content.until))
        case Meter() as meter:
            overlay.put(meter_key(meter.device), Meter(meter.device, meter.key, meter.gateway, content.until))
        case Gateway() as gateway:
            renewed = Gateway(gateway.id, gateway.operator, gateway.key, content.until)
            overlay.put(gateway_key(gateway.id), renewed)
    return content.subject


def _renewed(context: Context, content: RenewContent) -> RoleGrant | Device | Meter | Gateway:
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
    raise BadField(field="kind", why="role:NAME, device, meter or gateway")


def _device_with(device: Device, **changes: int | bytes) -> Device:
    fields = {name: getattr(device, name) for name in device.__struct_fields__}
    return Device(**{**fields, **changes})


def _require_owner(context: Context, device: int, proposer: int) -> None:
    owner = context.record(device_key(device), Device, "device", device).owner
    if owner != proposer:
        raise RoleNeeded(participant=proposer, role=f"owner of device {device}")


# --- facts of a device


def _check_facts(facts: DeviceFacts, codes: tuple[EnergyCode, ...]) -> None:
    require_text("name", facts.name)
    require_country("country", facts.country)
    matching = [code for code in codes if code.technology == facts.technology]
    if not matching:
        raise BadField(field="technology", why=f"{facts.technology} is not an energy code of this network")
    if not any(facts.fuel.startswith(prefix) for code in matching for prefix in code.fuels):
        raise BadField(field="fuel", why=f"{facts.fuel} does not go with {facts.technology} (EECS pair check)")
    if facts.gsrn and not gsrn_holds(facts.gsrn):
        raise BadField(field="gsrn", why="18 digits with a GS1 check digit")
    if not 60 <= facts.interval_s <= MAX_INTERVAL_S or DAY_S % facts.interval_s:
        raise BadField(field="interval_s", why="60 to 3600 seconds, a divisor of the day")
    if not facts.capacity_w:
        raise BadField(field="capacity_w", why="must be positive")
    if facts.channels > 7:
        raise BadField(field="channels", why="unknown bits")


def gsrn_holds(gsrn: str) -> bool:
    """18 digits whose last is the GS1 modulo-10 check digit of the others (weights 3 and 1 from the right)."""
    if len(gsrn) != 18 or not (gsrn.isascii() and gsrn.isdigit()):
        return False
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(gsrn[:-1])))
    return (10 - weighted % 10) % 10 == int(gsrn[-1])


# --- words


def kind_of(content: ProposalContent) -> str:
    return str(content.__struct_config__.tag)


def describe_content(content: ProposalContent) -> str:
    match content:
        case RoleContent():
            return f"accredit participant {content.participant} as {content.role.replace('_', ' ')}"
        case DeviceContent():
            facts = content.facts
            return (
                f"accredit device {facts.name} ({facts.technology}, {facts.capacity_w / 1000:,.0f} kW, {facts.country})"
            )
        case GatewayContent():
            return f"accredit a gateway of participant {content.operator}"
        case MeterContent():
            signer = f"gateway {content.gateway}" if content.gateway else "its own key"
            return f"accredit the meter of device {content.device}, signed by {signer}"
        case ProfileContent():
            return f"sign baseline profile {content.profile_hash.hex()[:16]}… of device {content.device}"
        case RenewContent():
            verb = "renew" if content.until else "revoke"
            return f"{verb} the accreditation of {content.kind} {content.subject}"
        case _:
            assert_never(content)


def describe_propose(action: Propose) -> str:
    return f"propose to {describe_content(action.content)}"


def describe_vote(action: Vote) -> str:
    verb = "approve" if action.approve else "refuse"
    reason = f": {action.reason}" if action.reason else ""
    return f"{verb} proposal {action.proposal} for validator {action.validator}{reason}"
