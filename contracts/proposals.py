"""What a proposal asks for, in words: they stand behind "propose to" and before those who vote."""

from typing import assert_never

from contracts import schemes, sessions
from state.records import Role
from state.spoken import Said, format_day
from state.transaction import (
    ConsumptionMeterContent,
    CorrectContent,
    DeviceContent,
    GatewayContent,
    MeterContent,
    ProfileContent,
    ProposalContent,
    RecoverContent,
    RemoveValidatorContent,
    RenewContent,
    RoleContent,
    RotateEscrowKeyContent,
    RotateVoteKeyContent,
    SchemeContent,
    ValidatorContent,
)
from verifier.source import is_source

ROLE_WORDS: dict[str, Said] = {
    Role.PAYMENT_OPERATOR: Said("payment operator"),
    Role.MARKET_OPERATOR: Said("market operator"),
    Role.AUTHORITY: Said("authority"),
    Role.AUDITOR: Said("auditor"),
}


def describe_content(content: ProposalContent) -> Said:
    """What a proposal asks for, as it stands behind "propose to"."""
    match content:
        case RoleContent():
            role = ROLE_WORDS.get(content.role, content.role)
            return Said("accredit participant {participant} as {role}", participant=content.participant, role=role)
        case DeviceContent():
            facts = content.facts
            if is_source(facts):
                return Said("accredit climate source {name} ({country})", name=facts.name, country=facts.country)
            return Said(
                "accredit device {name} ({technology}, {power} kW, {country})",
                name=facts.name,
                technology=facts.technology,
                power=f"{facts.capacity_w / 1000:,.0f}",
                country=facts.country,
            )
        case GatewayContent():
            return Said("accredit a gateway of participant {operator}", operator=content.operator)
        case MeterContent():
            if content.gateway:
                gateway = content.gateway
                return Said(
                    "accredit the meter of device {device}, signed by gateway {gateway}",
                    device=content.device,
                    gateway=gateway,
                )
            return Said("accredit the meter of device {device}, signed by its own key", device=content.device)
        case ProfileContent():
            profile = f"{content.profile_hash.hex()[:16]}…"
            return Said("sign baseline profile {profile} of device {device}", profile=profile, device=content.device)
        case RenewContent():
            what = _renewed(content)
            if content.until:
                return Said("renew the accreditation of {what}", what=what)
            return Said("revoke the accreditation of {what}", what=what)
        case ValidatorContent():
            return Said(
                "take in {name} (participant {participant}, {address}) as a validator",
                name=content.name,
                participant=content.participant,
                address=content.address,
            )
        case RemoveValidatorContent():
            return Said("remove the validator of participant {participant}", participant=content.participant)
        case RotateVoteKeyContent():
            key = f"{content.vote_key.hex()[:16]}…"
            return Said("let participant {participant} vote with key {key}", participant=content.participant, key=key)
        case RotateEscrowKeyContent():
            key = f"{content.escrow_key.hex()[:16]}…"
            return Said(
                "let orders be sealed to key {key} of the validator of participant {participant}",
                key=key,
                participant=content.participant,
            )
        case RecoverContent():
            key = f"{content.key.hex()[:16]}…"
            return Said(
                "give participant {participant} the key {key}, as its own is lost",
                participant=content.participant,
                key=key,
            )
        case CorrectContent():
            return Said(
                "put {day} of device {device} right: {release} Wh of {energy} Wh ({reason})",
                day=format_day(content.day),
                device=content.device,
                release=f"{content.release_wh:,}",
                energy=f"{content.energy_wh:,}",
                reason=content.reason,
            )
        case SchemeContent():
            return sessions.describe(schemes.describe_content(content.scheme), content.sessions)
        case ConsumptionMeterContent():
            return Said(
                "accredit consumption meter {name} of participant {owner}", name=content.name, owner=content.owner
            )
        case _:
            assert_never(content)


def _renewed(content: RenewContent) -> Said:
    role = content.kind.removeprefix("role:")
    match content.kind:
        case "device":
            return Said("device {subject}", subject=content.subject)
        case "meter":
            return Said("the meter of device {subject}", subject=content.subject)
        case "gateway":
            return Said("gateway {subject}", subject=content.subject)
        case "usage_meter":
            return Said("consumption meter {subject}", subject=content.subject)
    return Said("participant {subject} as {role}", subject=content.subject, role=ROLE_WORDS.get(role, role))
