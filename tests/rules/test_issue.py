"""issue: what q validators attested byte for byte enters the month's account, once, and whole certificates leave it."""

import pytest
from harness.town import Town
from harness.world import DAY, FAR, MONTH, START_S, WIND, World, genesis_json
from msgspec.structs import replace

from contracts.accounts import accounts_of
from contracts.events import DayJudged, Issued
from state.attestation import HOLD, REJECT
from state.errors import (
    AlreadyIssued,
    AttestationInvalid,
    BadField,
    CarryDiffers,
    Disabled,
    EnergyBound,
    ProfileMissing,
    QuorumMissing,
    TermOver,
    Unknown,
)
from state.keyspace import device_key, issuance_key, release_key
from state.outputs import Bundle
from state.records import Device, Issuance, MonthEnergy, Release
from state.transaction import AttestedDay, Issue, RenewContent

MAY, JUNE = 201_405, 201_406
MAY_DAY, JUNE_DAY = DAY + 40, DAY + 70
APRIL_END = 16_191  # 2014-05-01


@pytest.fixture
def world() -> World:
    made = World()
    made.register("plant")
    made.device("plant")
    return made


def carries(world: World) -> dict[int, int]:
    return {account.month: account.carry_wh for account in accounts_of(world.state, 1)}


def account(world: World, month: int) -> MonthEnergy:
    return next(found for found in accounts_of(world.state, 1) if found.month == month)


def issue(world: World, wh: int, day: int = DAY, month: int = MONTH, **changes: object) -> Issue:
    return world.issue_action(1, (world.attested(1, day, wh),), month, **changes)


def test_whole_megawatt_hours_become_certificates_and_the_rest_is_carried(world: World) -> None:
    events = world.do(issue(world, 3_400_000))
    assert events == [
        DayJudged(1, DAY, 0, 0, (), 3_400_000, 3_400_000, (0, 1, 2)),
        Issued(1, 1, 1, MONTH, 1, 3, world.people["plant"]),
    ]
    assert carries(world) == {MONTH: 400_000}
    release = world.state.get(release_key(1, DAY, 0, 0))
    assert isinstance(release, Release)
    assert (release.energy_wh, release.release_wh, release.verdict) == (3_400_000, 3_400_000, 0)


def test_an_issue_needs_no_signer_and_may_have_one(world: World) -> None:
    world.do(issue(world, 1_000_000), by=("plant",))
    world.do(issue(world, 1_000_000, DAY + 1))
    assert world.certificates("plant") == 2


def test_days_of_a_month_come_in_one_issue(world: World) -> None:
    days = tuple(world.attested(1, DAY + offset, 700_000) for offset in range(3))
    events = world.do(world.issue_action(1, days))
    assert [type(event) for event in events] == [DayJudged, DayJudged, DayJudged, Issued]
    issuance = world.state.get(issuance_key(1))
    assert isinstance(issuance, Issuance)
    assert (issuance.production_from, issuance.production_to) == (DAY * 86_400, (DAY + 3) * 86_400)


def test_a_held_and_a_rejected_day_are_recorded_and_release_nothing(world: World) -> None:
    held = world.attested(1, DAY, 900_000, HOLD, reasons=("dup_source",))
    rejected = world.attested(1, DAY + 1, 900_000, REJECT, reasons=("energy", "frozen"))
    events = world.do(world.issue_action(1, (held, rejected)))
    assert [(event.verdict, event.release_wh) for event in events if isinstance(event, DayJudged)] == [(1, 0), (2, 0)]
    assert world.certificates("plant") == 0
    assert carries(world) == {MONTH: 0}


def test_serials_are_gap_free_over_issues(world: World) -> None:
    for offset, wh in enumerate((2_300_000, 400_000, 5_900_000)):
        world.issue(1, wh, DAY + offset)
    lots = sorted((lot.start, lot.end) for lot in world.live().values() if isinstance(lot, Bundle))
    assert lots == [(1, 2), (3, 8)]
    device = world.state.get(device_key(1))
    assert isinstance(device, Device)
    assert device.next_serial == 9


def test_the_carry_rolls_at_the_first_issue_of_a_later_month(world: World) -> None:
    world.issue(1, 600_000)
    assert world.issue(1, 500_000, MAY_DAY, MAY) is not None
    assert carries(world) == {MONTH: 0, MAY: 100_000}
    april, may = account(world, MONTH), account(world, MAY)
    assert (april.moved_wh, may.carry_in_wh, may.issued) == (600_000, 600_000, 1)
    for found in (april, may):
        assert found.carry_in_wh + found.released_wh == 1_000_000 * found.issued + found.carry_wh + found.moved_wh


def test_the_carry_waits_until_its_month_is_closed() -> None:
    """With close_days, April may still receive energy when May begins; June takes both rests."""
    close_days = START_S // 86_400 - APRIL_END + 20  # April closes 20 days from now, May 31 days later
    world = World(genesis=genesis_json(scheme={"close_days": close_days}))
    world.register("plant")
    world.device("plant")
    world.issue(1, 600_000)
    world.issue(1, 700_000, MAY_DAY, MAY)
    assert carries(world) == {MONTH: 600_000, MAY: 700_000}
    world.block(seconds=100 * 86_400)
    world.issue(1, 0, JUNE_DAY, JUNE)
    assert carries(world) == {MONTH: 0, MAY: 0, JUNE: 300_000}


def test_two_carries_make_a_certificate_on_a_day_that_released_nothing(world: World) -> None:
    world.issue(1, 700_000, MAY_DAY, MAY)
    world.issue(1, 600_000)  # April comes late, so both months still hold a rest when June opens
    held = world.attested(1, JUNE_DAY, 900_000, HOLD, reasons=("gap",))
    world.do(world.issue_action(1, (held,), JUNE))
    assert world.certificates("plant") == 1
    issuance = world.state.get(issuance_key(1))
    assert isinstance(issuance, Issuance)
    assert (issuance.month, issuance.production_from) == (JUNE, JUNE_DAY * 86_400)


def test_late_energy_makes_certificates_of_its_own_month(world: World) -> None:
    world.issue(1, 1_200_000, MAY_DAY, MAY)
    world.issue(1, 1_300_000)
    first, second = (world.state.get(issuance_key(number)) for number in (1, 2))
    assert isinstance(first, Issuance)
    assert isinstance(second, Issuance)
    assert (first.month, second.month) == (MAY, MONTH)
    assert carries(world) == {MONTH: 300_000, MAY: 200_000}


@pytest.mark.parametrize(
    ("basis", "trade_until", "retire_until"),
    [("production_end", 1_428_019_200, 1_443_830_400), ("production_month_end", 1_430_438_400, 1_446_336_000)],
)
def test_the_terms_run_from_the_basis_of_the_scheme(basis: str, trade_until: int, retire_until: int) -> None:
    """Produced 2014-04-02: until 2015-04-03 and 2015-10-03, or 2015-05-01 and 2015-11-01 by the month's end."""
    world = World(genesis=genesis_json(scheme={"expiry": {"basis": basis, "trade_months": 12, "retire_months": 18}}))
    world.register("plant")
    world.device("plant")
    world.do(issue(world, 1_000_000))
    issuance = world.state.get(issuance_key(1))
    assert isinstance(issuance, Issuance)
    assert (issuance.trade_until, issuance.retire_until) == (trade_until, retire_until)


def test_the_bound_of_a_days_energy_is_102_percent_of_nameplate(world: World) -> None:
    bound = WIND.capacity_w * 24 * 102 // 100
    world.refuses(EnergyBound, issue(world, bound + 1))
    world.do(issue(world, bound))


def test_refuses_a_release_beyond_the_measured_energy(world: World) -> None:
    day = world.attested(1, DAY, 1_000_000, release_wh=1_000_001)
    world.refuses(EnergyBound, world.issue_action(1, (day,)))


def test_refuses_one_attestation_less_than_the_quorum(world: World) -> None:
    day = world.attested(1, DAY, 1_000_000, signers=(1, 3))
    world.refuses(QuorumMissing, world.issue_action(1, (day,)))


def test_refuses_no_attestation_at_all(world: World) -> None:
    world.refuses(QuorumMissing, world.issue_action(1, (world.attested(1, DAY, 1_000_000, signers=()),)))


@pytest.mark.parametrize("signers", [(0, 0, 1), (2, 1, 0), (0, 1, 4), (0, 1, 65_535)])
def test_refuses_duplicate_unordered_and_foreign_validators(world: World, signers: tuple[int, ...]) -> None:
    day = world.attested(1, DAY, 1_000_000, signers=signers)
    world.refuses(AttestationInvalid, world.issue_action(1, (day,)))


@pytest.mark.parametrize("field", ["energy_wh", "verifier_version", "readings_root"])
def test_refuses_an_attestation_that_was_tampered_with(world: World, field: str) -> None:
    day = world.attested(1, DAY, 1_000_000)
    value = bytes(32) if field == "readings_root" else getattr(day.attestation, field) + 1
    tampered = AttestedDay(replace(day.attestation, **{field: value}), day.signatures)
    world.refuses(AttestationInvalid, world.issue_action(1, (tampered,)))


def test_refuses_an_attestation_of_another_chain(world: World) -> None:
    other = World(genesis=genesis_json(delta_ms=501))
    other.register("plant")
    other.device("plant")
    world.refuses(AttestationInvalid, world.issue_action(1, (other.attested(1, DAY, 1_000_000),)))


def test_refuses_a_day_that_was_issued(world: World) -> None:
    world.issue(1, 1_000_000)
    world.refuses(AlreadyIssued, issue(world, 1_000_000))


def test_refuses_a_day_that_was_rejected_before(world: World) -> None:
    world.do(world.issue_action(1, (world.attested(1, DAY, 1_000_000, REJECT, reasons=("frozen",)),)))
    world.refuses(AlreadyIssued, issue(world, 1_000_000))


def test_refuses_the_same_day_twice_in_one_issue(world: World) -> None:
    day = world.attested(1, DAY, 1_000_000)
    world.refuses(BadField, world.issue_action(1, (day, day)))


def test_refuses_the_same_days_in_two_actions_of_one_transaction(world: World) -> None:
    action = issue(world, 1_000_000)
    world.refuses(AlreadyIssued, action, action, index=1)


@pytest.mark.parametrize(
    ("field", "claimed"),
    [
        ("carry_in_wh", 1),
        ("carry_out_wh", 399_999),
        ("count", 4),
        ("count", 2),
        ("first_serial", 2),
        ("first_serial", 0),
        ("count", 2**64 - 1),
    ],
)
def test_refuses_an_account_that_differs(world: World, field: str, claimed: int) -> None:
    assert world.refuses(CarryDiffers, issue(world, 3_400_000, **{field: claimed})).params["field"] == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("owner", 1),
        ("scheme", 2),
        ("face_value", 1_000),
        ("unit", "kWh"),
        ("facts", replace(WIND, name="R80712")),
        ("month", MAY),
    ],
)
def test_refuses_facts_that_are_not_the_ledgers(world: World, field: str, value: object) -> None:
    world.refuses(BadField, replace(issue(world, 1_000_000), **{field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epoch", 1),
        ("step", 1),
        ("revision", 1),
        ("inputs_root", b"\x01" * 32),
        ("verdict", 3),
        ("verdict", HOLD),
        ("reasons", ("b", "a")),
        ("reasons", ("a", "a")),
    ],
)
def test_refuses_an_attestation_whose_content_is_not_allowed(world: World, field: str, value: object) -> None:
    day = world.attested(1, DAY, 1_000_000, **{field: value})
    if field == "verdict":
        day = world.attested(1, DAY, 1_000_000, release_wh=1_000_000, **{field: value})
    world.refuses(BadField, world.issue_action(1, (day,)))


def test_refuses_an_attestation_of_another_device(world: World) -> None:
    other = world.device("plant")
    world.refuses(BadField, replace(issue(world, 1_000_000), days=(world.attested(other, DAY, 1_000_000),)))


@pytest.mark.parametrize("day", [2**32 - 1, 2_932_897, 719_162 + 2**31])
def test_refuses_a_day_beyond_every_calendar(world: World, day: int) -> None:
    world.refuses(BadField, replace(issue(world, 1_000_000), days=(world.attested(1, day, 1_000_000),)))


def test_refuses_a_day_that_has_not_begun(world: World) -> None:
    tomorrow = world.time_ms // 86_400_000 + 1
    world.refuses(
        BadField, replace(issue(world, 1_000_000), days=(world.attested(1, tomorrow, 1_000_000),), month=202_311)
    )


def test_refuses_days_out_of_order_or_of_two_months(world: World) -> None:
    first, second = world.attested(1, DAY, 1_000_000), world.attested(1, DAY + 1, 1_000_000)
    world.refuses(BadField, world.issue_action(1, (second, first)))
    world.refuses(BadField, world.issue_action(1, (first, world.attested(1, MAY_DAY, 1_000_000))))


def test_refuses_days_that_come_later_than_the_scheme_allows() -> None:
    world = World(genesis=genesis_json(scheme={"late_days": 62}))
    world.register("plant")
    world.device("plant")
    world.refuses(BadField, issue(world, 1_000_000))
    recent = START_S // 86_400 - 5
    world.do(issue(world, 1_000_000, recent, 202_311))


def test_refuses_energy_without_a_signed_profile() -> None:
    world = World()
    world.register("plant")
    world.device("plant", profile=False)
    world.refuses(ProfileMissing, issue(world, 1_000_000))
    world.do(world.issue_action(1, (world.attested(1, DAY, 1_000_000, REJECT, reasons=("no_profile",)),)))


def test_refuses_an_attestation_against_another_profile(world: World) -> None:
    day = world.attested(1, DAY, 1_000_000, profile_hash=bytes(32))
    world.refuses(ProfileMissing, world.issue_action(1, (day,)))


def test_refuses_a_device_whose_term_is_over(world: World) -> None:
    action = issue(world, 1_000_000)
    world.refuses(TermOver, action, seconds=FAR - world.time_ms // 1000)
    world.accredit(RenewContent("device", 1, 0), by="plant")
    world.refuses(TermOver, action)
    world.accredit(RenewContent("device", 1, FAR), by="plant")
    world.do(action)


def test_refuses_an_unknown_device(world: World) -> None:
    world.refuses(Unknown, replace(issue(world, 1_000_000), device=9))


def test_refuses_to_issue_where_the_genesis_has_no_issuing() -> None:
    town = Town()
    action = town.issue_action(1, (town.attested(1, DAY + 1, 1_000_000),))
    town.state.put(b"\x10", replace(town.parameters, issuing=False))
    town.refuses(Disabled, action)


def test_refuses_more_certificates_than_there_are_serial_numbers(world: World) -> None:
    device = world.state.get(device_key(1))
    assert isinstance(device, Device)
    world.state.put(device_key(1), replace(device, next_serial=10**9 - 2))
    world.refuses(BadField, issue(world, 3_000_000))
    world.do(issue(world, 2_000_000))
