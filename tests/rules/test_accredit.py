"""accredit: anybody registered proposes, a quorum of governance keys decides; every accreditation has a term."""

import pytest
from harness.town import Town
from harness.world import FAR, WIND, World, genesis_json, key_of
from msgspec.structs import replace

from contracts.accredit import LAPSE_BLOCKS_WITHOUT_EPOCHS, MAX_OPEN_PROPOSALS, gsrn_holds
from contracts.events import Enacted, ProposalRefused, Proposed, Voted
from state.errors import (
    AlreadyExists,
    BadField,
    LimitReached,
    MissingSignature,
    NotGovernance,
    ProposalClosed,
    RoleNeeded,
    TermOver,
    Unknown,
)
from state.keyspace import device_key, gateway_key, gsrn_key, meter_key, open_proposals_key, proposal_key, role_key
from state.records import Device, Gateway, KeyOwner, Meter, OpenProposals, Proposal, RoleGrant
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

GSRN = "376104250021234569"


@pytest.fixture
def world() -> World:
    made = World()
    made.register("plant")
    made.register("stranger")
    return made


def propose(world: World, content: ProposalContent, by: str = "plant") -> int:
    world.do(Propose(world.people[by], content), by=(by,))
    return world.count("proposal")


def vote(world: World, proposal: int, index: int, approve: bool = True) -> list[object]:
    return list(world.do(Vote(proposal, index, approve, ""), by=(f"Organisation {index}",)))


def proposal_of(world: World, number: int) -> Proposal:
    found = world.state.get(proposal_key(number))
    assert isinstance(found, Proposal)
    return found


def role(world: World, **changes: object) -> RoleContent:
    fields = {"participant": world.people["plant"], "role": "market_operator", "until": FAR, **changes}
    return RoleContent(**fields)  # type: ignore[arg-type]


def refuses_content(world: World, kind: type, content: ProposalContent, by: str = "plant") -> None:
    world.refuses(kind, Propose(world.people[by], content), by=(by,))


# --- proposals and votes


def test_the_vote_that_reaches_the_quorum_enacts(world: World) -> None:
    number = propose(world, role(world))
    assert vote(world, number, 3) == [Voted(number, 3, True, "")]
    assert vote(world, number, 0) == [Voted(number, 0, True, "")]
    assert vote(world, number, 2) == [Voted(number, 2, True, ""), Enacted(number, "role", world.people["plant"])]
    found = proposal_of(world, number)
    assert (found.status, found.approvals, found.refusals) == ("enacted", (0, 2, 3), ())
    grant = world.state.get(role_key(world.people["plant"], "market_operator"))
    assert grant == RoleGrant(world.people["plant"], "market_operator", FAR)


def test_a_proposal_that_cannot_reach_the_quorum_is_refused(world: World) -> None:
    number = propose(world, role(world))
    vote(world, number, 0, approve=False)
    vote(world, number, 1)
    assert vote(world, number, 2, approve=False) == [Voted(number, 2, False, ""), ProposalRefused(number, "role")]
    assert proposal_of(world, number).status == "refused"
    assert world.state.get(role_key(world.people["plant"], "market_operator")) is None


def test_several_organisations_vote_in_one_transaction(world: World) -> None:
    number = propose(world, role(world))
    names = tuple(f"Organisation {index}" for index in range(3))
    world.do(*(Vote(number, index, True, "seen") for index in range(3)), by=names)
    assert proposal_of(world, number).status == "enacted"


def test_every_kind_of_content_is_enacted(world: World) -> None:
    plant = world.people["plant"]
    assert Proposed(1, "device", plant) in world.do(
        Propose(plant, DeviceContent(plant, 1, replace(WIND, gsrn=GSRN), FAR)), by=("plant",)
    )
    for index in range(3):
        vote(world, 1, index)
    device = world.state.get(device_key(1))
    assert isinstance(device, Device)
    assert (device.owner, device.next_serial, device.profile_hash) == (plant, 1, b"")
    assert world.state.get(gsrn_key(GSRN)) == KeyOwner(1)
    world.accredit(GatewayContent(plant, key_of("gateway"), FAR), by="plant")
    assert world.state.get(gateway_key(1)) == Gateway(1, plant, key_of("gateway"), FAR)
    world.accredit(MeterContent(1, b"", 1, FAR), by="plant")
    assert world.state.get(meter_key(1)) == Meter(1, b"", 1, FAR)
    world.accredit(MeterContent(1, key_of("meter"), 0, FAR), by="plant")
    assert world.state.get(meter_key(1)) == Meter(1, key_of("meter"), 0, FAR)
    world.accredit(ProfileContent(1, b"\x07" * 32, 10, 20), by="plant")
    device = world.state.get(device_key(1))
    assert isinstance(device, Device)
    assert (device.profile_hash, device.profile_from, device.profile_to) == (b"\x07" * 32, 10, 20)


@pytest.mark.parametrize("kind", ["role:payment_operator", "role:market_operator", "device", "meter", "gateway"])
def test_every_accreditation_can_be_revoked_and_renewed(world: World, kind: str) -> None:
    plant = world.people["plant"]
    if kind.startswith("role:"):
        world.accredit(role(world, role=kind.removeprefix("role:")), by="plant")
    else:
        world.accredit(DeviceContent(plant, 1, WIND, FAR), by="plant")
        world.accredit(MeterContent(1, key_of("meter"), 0, FAR), by="plant")
        world.accredit(GatewayContent(plant, key_of("gateway"), FAR), by="plant")
    subject = plant if kind.startswith("role:") else 1
    key = {"device": device_key(1), "meter": meter_key(1), "gateway": gateway_key(1)}.get(
        kind, role_key(plant, kind.removeprefix("role:"))
    )
    for until in (0, FAR - 1):
        world.accredit(RenewContent(kind, subject, until), by="stranger")
        assert world.state.get(key).until == until  # type: ignore[union-attr]


def test_a_proposal_can_be_decided_until_its_last_block(world: World) -> None:
    number = propose(world, role(world))
    world.height = proposal_of(world, number).lapses_height - 1
    vote(world, number, 0)
    world.refuses(ProposalClosed, Vote(number, 1, True, ""), by=("Organisation 1",))
    assert (
        proposal_of(world, number).lapses_height
        == proposal_of(world, number).proposed_height + LAPSE_BLOCKS_WITHOUT_EPOCHS
    )


def test_a_decided_or_lapsed_proposal_makes_room_for_another(world: World) -> None:
    plant = world.people["plant"]
    first = world.count("proposal") + 1
    for _ in range(MAX_OPEN_PROPOSALS):
        propose(world, role(world))
    world.refuses(LimitReached, Propose(plant, role(world)), by=("plant",))
    propose(world, role(world), by="stranger")  # it is each one's own limit
    for index in range(3):
        vote(world, first, index)
    propose(world, role(world))
    world.refuses(LimitReached, Propose(plant, role(world)), by=("plant",))
    world.height = proposal_of(world, first + 1).lapses_height
    last = propose(world, role(world))
    assert proposal_of(world, first).status == "enacted"
    assert world.state.get(proposal_key(first + 1)) is None, "what only lapsed leaves the state"
    held = world.state.get(open_proposals_key(plant))
    assert isinstance(held, OpenProposals)
    assert last in held.numbers
    assert len(held.numbers) <= MAX_OPEN_PROPOSALS


def test_refuses_the_65th_open_proposal_of_one_participant(world: World) -> None:
    for _ in range(MAX_OPEN_PROPOSALS):
        propose(world, role(world))
    refused = world.refuses(LimitReached, Propose(world.people["plant"], role(world)), by=("plant",))
    assert refused.params["limit"] == MAX_OPEN_PROPOSALS


def test_refuses_a_vote_with_the_governance_key_of_another_organisation(world: World) -> None:
    number = propose(world, role(world))
    world.refuses(NotGovernance, Vote(number, 0, True, ""), by=("Organisation 1",))
    world.refuses(NotGovernance, Vote(number, 0, True, ""), by=("plant",))


@pytest.mark.parametrize("second", [True, False])
def test_refuses_a_second_vote_of_one_validator(world: World, second: bool) -> None:
    number = propose(world, role(world))
    for index, first in enumerate((True, False)):
        vote(world, number, index, first)
        world.refuses(AlreadyExists, Vote(number, index, second, ""), by=(f"Organisation {index}",))


def test_refuses_a_second_vote_in_the_same_transaction(world: World) -> None:
    number = propose(world, role(world))
    ballot = Vote(number, 0, True, "")
    world.refuses(AlreadyExists, ballot, ballot, by=("Organisation 0",), index=1)


def test_refuses_a_vote_after_the_decision(world: World) -> None:
    number = propose(world, role(world))
    for index in range(3):
        vote(world, number, index)
    world.refuses(ProposalClosed, Vote(number, 3, True, ""), by=("Organisation 3",))


def test_refuses_a_vote_of_an_unknown_validator_or_on_an_unknown_proposal(world: World) -> None:
    number = propose(world, role(world))
    world.refuses(Unknown, Vote(number, 4, True, ""), by=("Organisation 3",))
    world.refuses(Unknown, Vote(number + 1, 3, True, ""), by=("Organisation 3",))


def test_refuses_a_reason_that_is_not_a_line(world: World) -> None:
    number = propose(world, role(world))
    world.refuses(BadField, Vote(number, 0, True, "no\x1b[2J"), by=("Organisation 0",))


def test_refuses_an_old_renewal_after_a_newer_revocation(world: World) -> None:
    """Approvals given before the fraud was found are not given any more."""
    world.accredit(role(world), by="plant")
    renewal = propose(world, RenewContent("role:market_operator", world.people["plant"], FAR + 1))
    vote(world, renewal, 0)
    vote(world, renewal, 1)
    world.accredit(RenewContent("role:market_operator", world.people["plant"], 0), by="stranger")
    refused = world.refuses(ProposalClosed, Vote(renewal, 2, True, ""), by=("Organisation 2",))
    assert refused.params["status"] == "overtaken"
    world.accredit(RenewContent("role:market_operator", world.people["plant"], FAR), by="plant")


def test_the_last_approval_is_refused_where_another_device_took_the_gsrn(world: World) -> None:
    content = DeviceContent(world.people["plant"], 1, replace(WIND, gsrn=GSRN), FAR)
    first, second = propose(world, content), propose(world, content)
    for number in (first, second):
        vote(world, number, 0)
        vote(world, number, 1)
    vote(world, first, 2)
    world.refuses(AlreadyExists, Vote(second, 2, True, ""), by=("Organisation 2",))
    assert world.count("device") == 1


def test_the_last_approval_is_refused_where_a_participant_took_the_gateways_key(world: World) -> None:
    number = propose(world, GatewayContent(world.people["plant"], key_of("late"), FAR))
    vote(world, number, 0)
    vote(world, number, 1)
    world.register("late")
    world.refuses(AlreadyExists, Vote(number, 2, True, ""), by=("Organisation 2",))


# --- content


def test_refuses_a_proposal_that_the_proposer_did_not_sign(world: World) -> None:
    world.refuses(MissingSignature, Propose(world.people["plant"], role(world)), by=("stranger",))


def test_refuses_a_role_that_does_not_exist(world: World) -> None:
    refuses_content(world, BadField, role(world, role="king"))


def test_refuses_a_role_for_nobody(world: World) -> None:
    refuses_content(world, Unknown, role(world, participant=99))


@pytest.mark.parametrize("until", [0, 1_600_000_000])
def test_refuses_a_term_that_is_over(world: World, until: int) -> None:
    refuses_content(world, TermOver, role(world, until=until))


def test_refuses_a_term_beyond_every_calendar(world: World) -> None:
    world.accredit(role(world), by="plant")
    refuses_content(world, BadField, role(world, until=2**64 - 1))
    refuses_content(world, BadField, RenewContent("role:market_operator", world.people["plant"], 2**64 - 1))


def test_refuses_a_device_of_somebody_else(world: World) -> None:
    refuses_content(world, BadField, DeviceContent(world.people["plant"], 1, WIND, FAR), by="stranger")


def test_refuses_a_device_in_an_unknown_scheme(world: World) -> None:
    refuses_content(world, Unknown, DeviceContent(world.people["plant"], 9, WIND, FAR))


def test_refuses_a_gsrn_that_is_registered(world: World) -> None:
    content = DeviceContent(world.people["plant"], 1, replace(WIND, gsrn=GSRN), FAR)
    world.accredit(content, by="plant")
    refuses_content(world, AlreadyExists, content)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a\nb"),
        ("country", "fr"),
        ("zone", "\x00"),
        ("location", "\u202eNancy"),
        ("support", "a\rb"),
        ("insolation_source", "\t"),
        ("technology", "T990000"),
        ("fuel", "F01040100"),
        ("fuel", "F01050100junk"),
        ("gsrn", "376104250021234568"),
        ("gsrn", "37610425002123456"),
        ("gsrn", "\u0667" * 18),
        ("interval_s", 59),
        ("interval_s", 3_601),
        ("interval_s", 700),
        ("capacity_w", 0),
        ("capacity_w", 10**12 + 1),
        ("capacity_w", 2**64 - 1),
        ("channels", 8),
        ("commissioned_day", 2**32 - 1),
        ("latitude_udeg", 90_000_001),
        ("longitude_udeg", -180_000_001),
        ("tilt_udeg", -2),
        ("azimuth_udeg", 2**62),
    ],
)
def test_refuses_facts_that_are_wrong(world: World, field: str, value: object) -> None:
    facts = replace(WIND, **{field: value})
    refused = world.refuses(
        BadField, Propose(world.people["plant"], DeviceContent(world.people["plant"], 1, facts, FAR)), by=("plant",)
    )
    assert refused.params["field"] == field


def test_scheme_may_take_gsrns_whose_check_digit_does_not_hold() -> None:
    """Energinet's published sample of a GSRN fails the check of GS1."""
    loose = World(genesis=genesis_json(scheme={"gsrn_check": False}))
    plant = loose.register("plant")
    loose.accredit(DeviceContent(plant, 1, replace(WIND, gsrn="571313130083535430"), FAR), by="plant")
    content = DeviceContent(plant, 1, replace(WIND, gsrn="57131313008353543"), FAR)
    assert loose.refuses(BadField, Propose(plant, content), by=("plant",)).params["field"] == "gsrn"


def test_gsrn_check_digits() -> None:
    """The GS1 standard's worked example of an 18-digit key, and one digit off."""
    assert gsrn_holds("376104250021234569")
    assert not gsrn_holds("376104250021234568")


def test_refuses_a_gateway_of_somebody_else_or_without_a_key(world: World) -> None:
    refuses_content(world, BadField, GatewayContent(world.people["plant"], key_of("g"), FAR), by="stranger")
    refuses_content(world, BadField, GatewayContent(world.people["plant"], bytes(32), FAR))


def test_refuses_a_meter_that_names_not_exactly_one_signer() -> None:
    town = Town()
    for key, gateway in ((b"", 0), (key_of("m"), 1)):
        refuses_content(town, BadField, MeterContent(town.device_id, key, gateway, FAR))
    refuses_content(town, BadField, MeterContent(town.device_id, b"\x02" * 31, 0, FAR))
    refuses_content(town, Unknown, MeterContent(town.device_id, b"", 1, FAR))


def test_refuses_a_meter_or_profile_of_somebody_elses_device() -> None:
    town = Town()
    refuses_content(town, RoleNeeded, MeterContent(town.device_id, key_of("m"), 0, FAR), by="trader")
    refuses_content(town, RoleNeeded, ProfileContent(town.device_id, bytes(32), 1, 2), by="trader")
    refuses_content(town, Unknown, ProfileContent(9, bytes(32), 1, 2))


def test_refuses_a_profile_over_no_time() -> None:
    town = Town()
    refuses_content(town, BadField, ProfileContent(town.device_id, bytes(32), 2, 2))
    refuses_content(town, BadField, ProfileContent(town.device_id, bytes(32), 2, 2**64 - 1))


@pytest.mark.parametrize("kind", ["", "king", "role", "profile", "validator"])
def test_refuses_to_renew_what_has_no_term(world: World, kind: str) -> None:
    refuses_content(world, BadField, RenewContent(kind, 1, FAR))


@pytest.mark.parametrize("kind", ["role:market_operator", "role:", "device", "meter", "gateway"])
def test_refuses_to_renew_what_was_never_accredited(world: World, kind: str) -> None:
    refuses_content(world, Unknown, RenewContent(kind, 1, FAR))


EECS_PAIRS = {
    "T01": ("F010401",),
    "T02": ("F010501",),
    "T03": ("F010502",),
    "T04": ("F010502",),
    "T05": ("F00000000", "F0100", "F0101", "F0102", "F0103", "F0104", "F010500", "F02"),
    "T06": ("F03",),
    "T07": ("F",),
}  # as the study of registries has them, beside the table of the genesis


def test_a_technology_goes_with_the_fuels_of_eecs_and_no_other(world: World) -> None:
    codes = world.parameters.energy_codes
    every = {fuel for code in codes for fuel in code.fuels}
    assert len(every) > 10
    assert {code.technology[:3] for code in codes} == set(EECS_PAIRS)
    for code in codes:
        fitting = {fuel for fuel in every if fuel.startswith(EECS_PAIRS[code.technology[:3]])}
        assert set(code.fuels) == fitting, code.technology
