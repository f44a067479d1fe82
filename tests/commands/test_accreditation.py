"""Participants, plants and proposals from the command line."""

from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode, wallet_of

PLANT = [
    "--name",
    "Roof",
    "--scheme",
    "SOLAR-KWH",
    "--technology",
    "T010100",
    "--country",
    "us",
    "--capacity-kw",
    "6",
    "--interval-s",
    "900",
    "--channels",
    "temperature,insolation",
    "--latitude",
    "39.742",
    "--longitude",
    "-105.173",
    "--tilt",
    "45",
    "--azimuth",
    "158",
    "--insolation-source",
    "satellite",
    "--until",
    "2033-01-01",
    "--from",
    "owner",
]
ORGANISATIONS = ("Organisation 0", "Organisation 1", "Organisation 2")


@pytest.fixture
def council(node: AnsweringNode, tmp_path: Path) -> Path:
    """A home with the governance keys of a quorum."""
    home = wallet_of(tmp_path / "council", node.chain, *ORGANISATIONS, purpose="governance")
    (home / "config.toml").write_text(f'[client]\nnode = "{node.url}"\n')
    return home


def approve(wattest, council: Path, number: int) -> None:  # type: ignore[no-untyped-def]
    for name in ORGANISATIONS:
        ran = wattest("--home", council, "-y", "proposal", "approve", number, "--from", name.replace(" ", "-"))
        assert ran.code == 0, ran.err


def test_register_says_the_number(act, wallets: Path, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    wallet_of(wallets, node.chain, "consumer")
    ran = act("participant", "register", "--name", "Harbour Steel", "--country", "dk", "--from", "consumer")
    assert "participant 9 is Harbour Steel" in ran.out
    assert "Harbour Steel" in act("participant", "list").out
    assert act("participant", "register", "--name", "Again", "--country", "DK", "--from", "consumer").code == 1


def test_plant_is_proposed_approved_and_shown(act, wattest, council: Path) -> None:  # type: ignore[no-untyped-def]
    ran = act("device", "propose", *PLANT, "--json")
    assert ran.code == 0, ran.err
    approve(wattest, council, ran.json["events"][0]["proposal"])
    facts = act("device", "show", 2, "--json").json["facts"]
    assert (facts["capacity_w"], facts["fuel"], facts["channels"]) == ("6000", "F01040100", 6)
    assert (facts["latitude_udeg"], facts["longitude_udeg"], facts["country"]) == ("39742000", "-105173000", "US")
    assert "Roof" in act("device", "list", "--owner", "owner").out


def test_climate_source_is_proposed_and_heard(act, wattest, council: Path, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    place = ("--latitude", "39.8", "--longitude", "-105.2", "--country", "us", "--scheme", "SOLAR-KWH")
    rest = ("--name", "Sky", "--measures", "insolation", "--until", "2033-01-01", "--from", "trader", "--json")
    ran = act("climate", "propose", *place, *rest)
    assert ran.code == 0, ran.err
    approve(wattest, council, ran.json["events"][0]["proposal"])
    assert [(one["id"], one["heard_by"]) for one in act("climate", "list", "--json").json["sources"]] == [(2, [])]
    ran = act("device", "propose", *PLANT, "--json")
    approve(wattest, council, ran.json["events"][0]["proposal"])
    line = ("proposal", "profile", "--device", 3, "--window-from", "2014-01-01", "--window-to", "2014-04-01")
    signed = act(*line, "--from", "owner", "--json")
    approve(wattest, council, signed.json["events"][0]["proposal"])
    assert act("climate", "list", "--json").json["sources"][0]["heard_by"] == [3]
    assert act("device", "show", 2, "--json").json["heard_by"] == [3]
    assert "heard by" in act("device", "show", 2).out
    assert act("device", "show", 3, "--json").json["neighbours"] == [2]


def test_refuses_a_climate_source_that_measures_only_temperature(act) -> None:  # type: ignore[no-untyped-def]
    place = ("--latitude", "39.8", "--longitude", "-105.2", "--country", "us", "--scheme", "SOLAR-KWH")
    ran = act("climate", "propose", *place, "--name", "Sky", "--measures", "temperature", "--from", "trader")
    assert ran.code == 1
    assert "a climate source measures wind or insolation" in ran.err


def test_meter_and_gateway_are_proposed(act, wattest, council: Path, wallets: Path, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    wallet_of(wallets, node.chain, "gateway", purpose="gateway")
    gateway = act("proposal", "gateway", "--from", "owner", "--until", "2033-01-01", "--json")
    assert gateway.code == 0, gateway.err
    approve(wattest, council, gateway.json["events"][0]["proposal"])
    meter = act("meter", "propose", "--device", 1, "--gateway", 1, "--from", "owner", "--until", "2033-01-01", "--json")
    approve(wattest, council, meter.json["events"][0]["proposal"])
    assert "gateway 1" in act("device", "show", 1).out


def test_role_is_proposed_for_somebody(act) -> None:  # type: ignore[no-untyped-def]
    line = ("proposal", "role", "--participant", "owner", "--role", "market_operator", "--until", "2033-01-01")
    ran = act(*line, "--from", "trader", "--json")
    number = ran.json["events"][0]["proposal"]
    assert "accredit participant 7 as market operator" in act("proposal", "show", number).out
    assert str(number) in act("proposal", "list", "--status", "open").out


def test_renewal_can_revoke(act, wattest, council: Path) -> None:  # type: ignore[no-untyped-def]
    ran = act("proposal", "renew", "role:payment_operator", 5, "--until", 0, "--from", "bank", "--json")
    assert "revoke" in ran.json["actions"][0]
    approve(wattest, council, ran.json["events"][0]["proposal"])
    assert act("deposit", "1", "--to", "owner", "--reference", "r", "--from", "bank").code == 1


def test_profile_is_approved_where_the_own_node_computes_the_same(act, governance: str) -> None:  # type: ignore[no-untyped-def]
    line = ("proposal", "profile", "--device", 1, "--window-from", "2014-01-01", "--window-to", "2014-04-01")
    number = act(*line, "--from", "owner", "--json").json["events"][0]["proposal"]
    ran = act("proposal", "approve", number, "--from", governance)
    assert ran.code == 0, ran.err
    assert "computes the same profile" in ran.err


def test_refuses_a_profile_that_the_own_node_does_not_find(act, node: AnsweringNode, governance: str) -> None:  # type: ignore[no-untyped-def]
    line = ("proposal", "profile", "--device", 1, "--window-from", "2014-01-01", "--window-to", "2014-04-01")
    number = act(*line, "--from", "owner", "--json").json["events"][0]["proposal"]
    node.profile_hash = "11" * 32
    assert act("proposal", "approve", number, "--from", governance).code == 6
    assert act("proposal", "show", number, "--json").json["approvals"] == []
    assert act("proposal", "refuse", number, "--reason", "another profile", "--from", governance).code == 0
    assert act("proposal", "show", number, "--json").json["refusals"] == [0]


def test_refuses_a_vote_without_a_governance_key(act) -> None:  # type: ignore[no-untyped-def]
    ran = act("proposal", "approve", 1, "--from", "trader")
    assert ran.code == 1
    assert "not_governance" in ran.err


@pytest.mark.parametrize(
    ("wrong", "right", "hint"),
    [
        ("T050000", "T010100", "Several fuels"),
        ("temperature,wid", "temperature,insolation", "'wid' is no channel"),
        ("GOLD", "SOLAR-KWH", "There is no scheme"),
        ("39.7420001", "39.742", "at most 6 decimals"),
    ],
)
def test_refuses_plants_that_are_badly_described(act, wrong: str, right: str, hint: str) -> None:  # type: ignore[no-untyped-def]
    ran = act("device", "propose", *[wrong if word == right else word for word in PLANT])
    assert ran.code == 2
    assert hint in ran.err
