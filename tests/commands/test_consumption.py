"""`wattest consumption`: reported by the hour, matched by the hour, retired for the hours that lack."""

from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, wallet_of
from harness.world import DAY, FAR, WIND, key_of

from contracts.calendar import date_of_day
from state.records import Expiry, Scheme
from state.transaction import ConsumptionMeterContent, DeviceContent, ProfileContent, SchemeContent

DATE = date_of_day(DAY).isoformat()
PRODUCED = (0,) * 9 + (40, 100, 60) + (0,) * 12
USED = ",".join(str(50 if 9 <= hour <= 12 else 0) for hour in range(24))
SPAN = ("--from-day", DATE, "--to-day", DATE)
HOURLY = Scheme(3, "HOUR", "Wh", 1, 15, "EUR", Expiry("issue", 12, 18), True, 0, "verified", (10_000, 0, 0), 0, 0, 0)


@pytest.fixture
def metered(node: AnsweringNode, wallets: Path) -> None:
    """The owner's roof made 200 Wh in three hours; its flat has a consumption meter."""
    world = node.chain
    owner = world.people["owner"]
    world.accredit(SchemeContent(HOURLY), by="Organisation 0")
    world.accredit(DeviceContent(owner, 3, WIND, FAR), by="owner")
    world.accredit(ProfileContent(2, bytes(range(32)), 1_388_534_400, 1_396_310_400), by="owner")
    world.do(world.issue_action(2, (world.attested(2, DAY, 200, hours_wh=PRODUCED),)))
    world.accredit(ConsumptionMeterContent(owner, key_of("flat"), "Flat 3", "FR", "FR", FAR), by="owner")
    wallet_of(wallets, world, "flat", purpose="device")


@pytest.mark.usefixtures("metered")
def test_hours_are_reported_matched_and_retired(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("consumption", "report", 1, "--day", DATE, "--hours", USED, "--meter-key", "flat")
    assert ran.code == 0, ran.err
    found = act("consumption", "match", 1, *SPAN, "--as", "owner", "--json").json
    assert found["total"]["unmatched_wh"] == "200"
    assert [item["quantity"] for item in found["to_retire"]] == ["40", "50", "50"]
    ran = act("consumption", "retire", 1, *SPAN, "--from", "owner")
    assert ran.code == 0, ran.err
    told = act("consumption", "match", 1, *SPAN, "--as", "owner")
    assert "2 of 4 hours are covered, 140 Wh of 200 Wh" in told.out
    again = act("consumption", "retire", 1, *SPAN, "--from", "owner")
    assert "nothing to retire" in again.out


@pytest.mark.usefixtures("metered")
@pytest.mark.parametrize("reader", [(), ("--as", "trader")])
def test_the_public_and_strangers_do_not_see_what_was_used(act, reader: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    act("consumption", "report", 1, "--day", DATE, "--hours", USED, "--meter-key", "flat")
    found = act("consumption", "match", 1, *SPAN, *reader, "--json").json
    assert {value for name, value in found["total"].items() if name not in ("kind", "owner")} == {None}
    assert all(item["consumed_wh"] is None and item["surplus_wh"] is None for item in found["hours"])
    assert all(item["number"] is None for item in found["to_retire"])
    assert "for its owner" in act("consumption", "match", 1, *SPAN, *reader).out


@pytest.mark.usefixtures("metered")
def test_a_meter_is_listed_and_a_day_reported_once(act, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert "Flat 3" in act("consumption", "list").out
    file = tmp_path / "hours"
    file.write_text(USED.replace(",", "\n"))
    line = ("consumption", "report", 1, "--day", DATE, "--hours", f"@{file}", "--meter-key", "flat")
    assert act(*line).code == 0
    ran = act(*line)
    assert (ran.code, "[already_exists]" in ran.err) == (1, True)


@pytest.mark.usefixtures("metered")
def test_refuses_hours_that_are_not_24_and_a_meter_of_somebody_else(act) -> None:  # type: ignore[no-untyped-def]
    assert act("consumption", "report", 1, "--day", DATE, "--hours", "1,2,3", "--meter-key", "flat").code == 2
    assert act("consumption", "retire", 1, *SPAN, "--from", "trader").code == 2
